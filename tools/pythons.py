#!/usr/bin/env python3
"""Run the tests that need no Ceph on every Python here, from the wheel and from csijournal.pyz.

    python3 tools/pythons.py              # on all that are found; the others are named
    python3 tools/pythons.py 3.9 3.13     # on these
    python3 tools/pythons.py --list       # which are found

Interpreters are looked for in PATH and among pyenv's.  Each has a virtual environment in
build/pythons, made anew in each run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "pythons"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
"""What pyproject.toml promises."""

# Not every Python that lies there was built with all that csijournal needs, and pyenv's shims
# stand in PATH for versions that are not chosen.
PROBE = """
import ctypes, platform, sqlite3, ssl, sys, venv, zlib
print(platform.python_version(), sys.executable)
"""


class Python(NamedTuple):
    """An interpreter: its version with all parts, and where it lies itself, behind all shims."""

    version: str
    path: Path


def _probe(candidate: Path) -> Python | None:
    """What lies there, if it serves."""
    try:
        done = subprocess.run(
            [candidate, "-c", PROBE], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return None
    if done.returncode != 0:
        return None
    version, _, path = done.stdout.strip().partition(" ")
    return Python(version, Path(path))


def _candidates(version: str) -> Iterator[Path]:
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))


@cache
def find(version: str) -> Python | None:
    """A Python of this version, such as 3.9, if there is one here."""
    found = map(_probe, _candidates(version))
    return next((each for each in found if each and each.version.startswith(f"{version}.")), None)


def _installed(found: Python, wheel: Path) -> Path:
    """The Python of a new virtual environment with the wheel and the tests' tools in it."""
    folder = FOLDER / found.version
    subprocess.run([found.path, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, f"{wheel}[dev]"], check=True)
    return python


def _wheel() -> Path:
    folder = FOLDER / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    subprocess.run([*pip, "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _pyz() -> Path:
    pyz = FOLDER / "csijournal.pyz"
    subprocess.run([sys.executable, ROOT / "tools/pyz.py", "--output", pyz], check=True)
    return pyz


def _passes(python: Path, jobs: int, environment: Mapping[str, str]) -> bool:
    """Whether the tests pass; says first which csijournal they meet."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = own | dict(environment)
    met = "import sys, csijournal; print(sys.version.split()[0], csijournal.__file__, flush=True)"
    subprocess.run([python, "-c", met], env=environment, cwd=FOLDER, check=True)
    pytest = ("-m", "pytest", "-q", "-n", str(jobs), "--dist", "loadfile", "-m", "not ceph")
    return subprocess.run([python, *pytest], env=environment, cwd=ROOT, check=False).returncode == 0


def _run(found: list[Python], jobs: int) -> dict[str, bool]:
    """Run the tests on these; what ran, and whether it passed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wheel, pyz = _wheel(), _pyz()
    passed = {}
    for each in found:
        python = _installed(each, wheel)
        name = f"Python {each.version}"
        passed[f"{name} from the wheel"] = _passes(python, jobs, {})
        # Before the wheel's place in the path, and with its own click, rich and Jinja2.
        passed[f"{name} from the pyz"] = _passes(python, jobs, {"PYTHONPATH": str(pyz)})
    return passed


def main() -> int:
    """Run one command line, and return the exit status."""
    parser = argparse.ArgumentParser(description="Run the tests that need no Ceph on all Pythons.")
    parser.add_argument("version", nargs="*", help="such as 3.9 (default: all that are found)")
    parser.add_argument("--list", action="store_true", help="only say which are found")
    parser.add_argument("--jobs", type=int, default=2, help="processes that share the tests (2)")
    args = parser.parse_args()
    wanted = args.version or list(VERSIONS)
    found = [each for each in map(find, wanted) if each]
    missing = ", ".join(version for version in wanted if not find(version)) or "none"
    if args.list:
        print("found:", ", ".join(each.version for each in found))
        print(f"not found here: {missing}")
        return 0
    passed = _run(found, args.jobs)
    for name, fine in passed.items():
        print(f"pythons: {name}: {'passed' if fine else 'FAILED'}")
    print(f"pythons: skipped, since not found here: {missing}")
    return 0 if all(passed.values()) and passed else 1


if __name__ == "__main__":
    sys.exit(main())
