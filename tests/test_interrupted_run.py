"""Control-C ends a run of these tests, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONG = "tests/test_rados_store.py"
"""Tests that take longer than it takes to interrupt them."""


def processes_naming(folder: Path) -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if str(folder) in line]


def wait_for_an_osd(folder: Path, run: subprocess.Popen[str]) -> None:
    give_up_at = time.monotonic() + 120
    while not list(folder.rglob("ceph-osd.pid")):
        assert run.poll() is None
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


@pytest.mark.ceph
@pytest.mark.parametrize("jobs", ["0", "2"])
def test_control_c_ends_the_tests_and_their_clusters(tmp_path: Path, jobs: str) -> None:
    base = tmp_path / "base"
    own = {name: v for name, v in os.environ.items() if not name.startswith("PYTEST_")}

    options = ["-q", "-n", jobs, "-p", "no:cacheprovider", "-m", "ceph", f"--basetemp={base}"]
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, LONG],
        env=own,
        cwd=ROOT,
        start_new_session=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with run:
        wait_for_an_osd(base, run)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to make and all below it
        said = run.communicate(timeout=120)[0]

    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "KeyboardInterrupt" in said
    assert "INTERNALERROR" not in said
    assert processes_naming(base) == []
    assert list(base.rglob("ceph.conf")) == []
