"""What the tests of deploy/ share: the files there, and tools that not every machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import CLI

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"


def run(program: str, *arguments: str | Path, stdin: str = "") -> str:
    """What a program prints that must not warn.  Where it is missing, the test is skipped."""
    beside_python = Path(sys.executable).parent  # where tools/setup.sh puts promtool
    found = shutil.which(program, path=f"{beside_python}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{program} is not on this machine")
    done = subprocess.run(
        [found, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)
