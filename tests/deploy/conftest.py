"""What the tests of deploy/ share: the files there, and tools that not every machine has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.conftest import CLI

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"


def run(program: str, *arguments: str | Path, stdin: str = "") -> str:
    """What a program prints that may be missing: then the test is skipped, and says so."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not on this machine")
    done = subprocess.run(
        [program, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)
