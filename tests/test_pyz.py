"""csijournal.pyz: the one file that operators copy to where there is no pip."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import pythons
import pyz
from cli.damage import dangling
from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.store.sqlite import SQLiteStore
from support.places import fill

BYTES_MAX = 3_000_000
"""What `kubectl cp` carries in a moment over a poor line."""
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""The one that sees the distribution's python3-rados."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, where nothing else lies."""
    output = tmp_path_factory.mktemp("pod") / "csijournal.pyz"
    pyz.write(output, pyz.contents(pyz.fetch()))
    return output


@pytest.fixture(params=pythons.VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    """Each Python that csijournal promises to run on and that is found."""
    return require(request.param)


def require(version: str) -> Path:
    found = pythons.find(version)
    if found is None:
        pytest.skip(f"there is no Python {version} here")
    return found.path


class Pod:
    """A machine with a Python and a home that shows what is left in it."""

    def __init__(self, python: Path, archive: Path, home: Path) -> None:
        self.home = home
        self.command = [str(python), "-W", "error", str(archive)]
        self.environment = {
            "HOME": str(home),
            "TMPDIR": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "PATH": os.environ["PATH"],
            "CSIJOURNAL_SETTLE": "0s",
        }

    def __call__(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            env=self.environment | dict(environment or {}),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (home := tmp_path / "home").mkdir()
    return home


@pytest.fixture
def pod(python: Path, archive: Path, home: Path) -> Pod:
    return Pod(python, archive, home)


# The file


def test_the_same_sources_make_the_same_bytes_whoever_makes_them(
    archive: Path, python: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.pyz"
    copied = tmp_path / "clone"
    for name in ("src", "tools", "build/pyz-wheels"):
        shutil.copytree(pyz.ROOT / name, copied / name, copy_function=shutil.copyfile)
    shutil.copyfile(pyz.ROOT / "LICENSE", copied / "LICENSE")
    strange = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7", "LC_ALL": "C"}

    subprocess.run(
        ["bash", "-c", f"umask 077; exec {python} clone/tools/pyz.py --output again.pyz"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **strange},
        check=True,
    )

    assert again.read_bytes() == archive.read_bytes()


def test_the_file_is_small(archive: Path) -> None:
    assert archive.stat().st_size < BYTES_MAX


def test_every_package_is_pinned_and_brings_its_licence() -> None:
    lines = pyz.REQUIREMENTS.read_text().splitlines()
    packages = [line.partition("==")[0] for line in lines if line[:1] != "#"]

    files = pyz.contents(pyz.fetch())

    licensed = {name.split("/")[1] for name in files if name.startswith("licenses/")}
    assert licensed == {"csijournal", *packages}
    assert not [name for name in files if name.endswith((".so", ".pyc"))]


def test_python_3_6_can_read_what_tells_it_that_it_is_too_old() -> None:
    ast.parse(pyz.MAIN.read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_a_python_that_is_too_old_is_told_which_it_takes(
    archive: Path, home: Path, version: str
) -> None:
    told = Pod(require(version), archive, home)("verify")

    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr.startswith(f"csijournal: error: this is Python {version}, and csijournal")
    assert "needs 3.9 or newer; a newer toolbox image" in told.stderr
    assert told.stderr.count("\n") == 1


# On SQLite, with each Python


def test_a_broken_journal_is_verified_and_repaired_by_the_commands_as_they_are_printed(
    pod: Pod,
) -> None:
    with SQLiteStore(pod.home / "journal.db") as store:
        fill(store, dangling(1))
    where = ("--store", "sqlite:journal.db")

    found = pod(*where, "verify")
    (printed,) = {line.strip() for line in found.stdout.splitlines() if "repair --kind" in line}
    repaired = subprocess.run(
        ["bash", "-c", f"{printed} --apply"],
        env=pod.environment,
        cwd=pod.home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 1, found
    assert printed.startswith(f"{pod.command[0]} {pod.command[-1]} ")
    assert repaired.returncode == 0, repaired
    assert pod(*where, "verify").returncode == 0


def test_nothing_is_unpacked_and_the_report_finds_its_template(pod: Pod) -> None:
    pod("ensure", "good")

    made = pod("verify", "--report", "report.html")

    assert made.returncode == 0, made
    assert "<html" in (pod.home / "report.html").read_text()
    left = {str(path.relative_to(pod.home)) for path in pod.home.rglob("*") if path.is_file()}
    assert {name for name in left if "journal.db" not in name} == {"report.html"}
    assert [path.name for path in Path(pod.command[-1]).parent.iterdir()] == ["csijournal.pyz"]


DRAWING = """
import sys
sys.path.insert(0, sys.argv[1])
import click, jinja2, rich
from csijournal.cli.progress import _make_progress
with _make_progress() as progress:
    progress.add_task("reading records", completed=3, total=9)
    progress.refresh()
print(*(module.__file__ for module in (click, jinja2, rich)), sep="\\n")
print({"pygments", "markdown_it"} & {*sys.modules})
"""


def test_the_progress_bar_needs_no_package_that_the_file_leaves_out(
    python: Path, archive: Path
) -> None:
    drawn = subprocess.run(
        [python, "-I", "-W", "error", "-c", DRAWING, archive],
        env={"FORCE_COLOR": "1", "TERM": "xterm"},  # as on a terminal
        capture_output=True,
        text=True,
        check=False,
    )

    assert "reading records" in drawn.stderr, drawn
    *files, left_out = drawn.stdout.splitlines()
    assert all(file.startswith(f"{archive}/") for file in files)
    assert left_out == "set()"


# On Ceph, with the Python that sees its bindings


@pytest.mark.ceph
def test_the_system_s_python_verifies_a_pool_and_its_images(
    ceph: ThrowawayCluster, archive: Path, home: Path
) -> None:
    pod = Pod(SYSTEM_PYTHON, archive, home)
    pod.environment.update(ceph.environment())
    where = ("-p", POOL, "-N", "pyz")

    made = pod(*where, "ensure", "snap")
    found = pod(*where, "verify")

    assert made.returncode == 0, made
    assert found.returncode == 0, found
    assert f"rados://{POOL}/pyz" in found.stdout
