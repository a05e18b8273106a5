#!/usr/bin/env python3
"""Make csijournal.pyz: the command line, and the packages that it needs, as one file.

    python3 tools/pyz.py [--output FILE]

The same sources make the same bytes: order, times and modes are fixed, and the packages are held
to hashes.  pip fetches them once, to build/pyz-wheels; `--fetch` does that and no more.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REQUIREMENTS = HERE / "pyz-requirements.txt"
MAIN = HERE / "pyz_main.py"
WHEELS = ROOT / "build" / "pyz-wheels"
PACKAGE = ROOT / "src" / "csijournal"

SHEBANG = b"#!/usr/bin/env python3\n"
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can tell
MODE = 0o100644 << 16  # of a plain file, in the upper half as Unix has it
UNIX = 3

# Whose wheel of MarkupSafe is meant: the hash is of this one.
PLATFORM = ("--python-version=3.9", "--platform=manylinux2014_x86_64")


def fetch() -> list[Path]:
    """The wheels of the requirements, asked of pip only where one is not there yet."""
    hashes = re.findall(r"--hash=sha256:(\w+)", REQUIREMENTS.read_text(encoding="utf-8"))
    if not _found(hashes):
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
        what = ("--require-hashes", "--no-deps", "--only-binary=:all:", *PLATFORM)
        subprocess.run([*pip, *what, f"--dest={WHEELS}", "-r", str(REQUIREMENTS)], check=True)
    return _found(hashes)


def _found(hashes: list[str]) -> list[Path]:
    """The wheels with these hashes, if all are there."""
    by_hash = {
        hashlib.sha256(wheel.read_bytes()).hexdigest(): wheel for wheel in WHEELS.glob("*.whl")
    }
    return [by_hash[each] for each in hashes] if by_hash.keys() >= {*hashes} else []


def contents(wheels: list[Path]) -> dict[str, bytes]:
    """Every file of the archive by its name."""
    files = {"__main__.py": MAIN.read_bytes()}
    for path in PACKAGE.rglob("*"):
        if path.suffix == ".py" or path.parent.name == "templates":
            files[path.relative_to(PACKAGE.parent).as_posix()] = path.read_bytes()
    files["licenses/csijournal/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    for wheel in wheels:
        files.update(_of_wheel(wheel))
    return files


def _of_wheel(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """The Python files of a wheel, and the licence that they are handed on under."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = Path(name)
            if path.suffix == ".py":
                yield name, archive.read(name)
            elif path.name.startswith("LICENSE"):
                yield f"licenses/{wheel.name.partition('-')[0]}/{path.name}", archive.read(name)


def write(output: Path, files: dict[str, bytes]) -> None:
    """Write the archive, which can also be called by its name."""
    with output.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in sorted(files.items()):
                entry = zipfile.ZipInfo(name, TIME)
                entry.create_system, entry.external_attr = UNIX, MODE
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    output.chmod(0o755)


def main() -> None:
    """Run one command line."""
    parser = argparse.ArgumentParser(description="Make csijournal.pyz.")
    parser.add_argument("--output", type=Path, default=ROOT / "csijournal.pyz")
    parser.add_argument("--fetch", action="store_true", help="only fetch the packages")
    args = parser.parse_args()
    wheels = fetch()
    if not args.fetch:
        write(args.output, contents(wheels))
        size = args.output.stat().st_size
        digest = hashlib.sha256(args.output.read_bytes()).hexdigest()
        print(f"{args.output}: {size:,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
