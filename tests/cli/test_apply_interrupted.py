"""repair --apply and restore --apply that are ended early: what is said is what was done.

Each is ended at ten points: the reader goes away, the disk behind standard output
or behind the backup is full, the process is told to end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import damage, dangling, entries, group, uuid
from support.places import Omaps

COUNT = 60
BATCH = 25
"""Findings, and how many make a batch: more than two."""
POINTS = range(10)
BACKUP = "b.jsonl"
REPAIR = ["repair", "--apply", "--backup", BACKUP]
RESTORE = ["restore", "e.jsonl", "--overwrite", "--apply", "--backup", BACKUP]


@pytest.fixture
def dangled(cli: CLI) -> CLI:
    return damage(cli, dangling(COUNT))


@pytest.fixture
def changed(cli: CLI) -> CLI:
    """A place where each group differs from the export in e.jsonl."""
    names = [f"n-{number}" for number in range(COUNT)]
    damage(cli, _groups(names, vol="snap"))
    cli("export", "--all", "e.jsonl")
    cli.file.unlink()
    return damage(cli, _groups(names, vol="another"))


def _groups(names: list[str], **members: str) -> Omaps:
    return {
        name: keys
        for number, request_name in enumerate(names)
        for name, keys in group(request_name, number, **members).items()
    }


_HEAD = """
import os, resource, signal, sys
from csijournal.cli.run import run
from csijournal.repair import apply
apply.BATCH_PLANS_MAX = 25
"""


def script(body: str) -> list[str]:
    """A program that runs `csijournal` with something done to its engine."""
    return [
        COMMAND[0],
        "-c",
        f"{_HEAD}\n{body}\nsys.exit(run(sys.argv[1:]))\n",
    ]


def at_plan(number: int, do: str) -> str:
    """Lets the engine do something before the plan of that number."""
    return f"""
carry_out, calls = apply.carry_out, [0]
def counting(store, plan):
    if calls[0] == {number}:
        {do}
    calls[0] += 1
    return carry_out(store, plan)
apply.carry_out = counting
"""


def run(
    cli: CLI, program: list[str], arguments: list[str], stdout: int | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
        text=True,
        check=False,
        timeout=120,
    )


def done_in(cli: CLI, command: str, before: dict[str, dict[str, bytes]]) -> int:
    """How many findings or objects the command really changed."""
    after = cli.dump()
    if command == "repair":
        return len(before[DIRECTORY]) - len(after[DIRECTORY])
    return sum(after[name] != before[name] for name in before)


def require_told_and_undone(
    cli: CLI, command: str, before: dict[str, dict[str, bytes]], told: str
) -> int:
    """That what was said is what was done, and that the backup undoes it; how much that was."""
    done = done_in(cli, command, before)
    said = re.search(r"(\d+) of 60 done", told)
    assert said is not None or "; nothing was changed" in told, told
    assert (int(said[1]) if said else 0) == done
    names = {path.name for path in cli.folder.iterdir()}
    assert names <= {"state", BACKUP, "e.jsonl"}
    if done:
        assert str(cli.folder / BACKUP) in told
        undo = f"csijournal restore {cli.folder / BACKUP} --overwrite --apply"
        assert undo in told
        cli(*undo.split()[1:-1], "--apply", "--backup", "undo.jsonl")
    assert cli.dump() == before
    return done


def points(count: int) -> list[int]:
    """Ten plans, from the first to the last."""
    return [round(point * (count - 1) / (len(POINTS) - 1)) for point in POINTS]


class Case(NamedTuple):
    """A command, and the fixture that it has something to do in."""

    command: str
    arguments: list[str]
    fixture: str


CASES = [Case("repair", REPAIR, "dangled"), Case("restore", RESTORE, "changed")]


SIGNALS = [
    *(("SIGTERM", 143, number) for number in points(COUNT)),
    # Handled by the same lines.
    *(("SIGINT", 130, number) for number in points(COUNT)[1:3]),
    *(("SIGHUP", 129, number) for number in points(COUNT)[1:3]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
@pytest.mark.parametrize(("name", "code", "number"), SIGNALS)
def test_a_signal_lets_the_plan_under_way_finish_and_the_rest_is_told(
    request: pytest.FixtureRequest,
    case: Case,
    name: str,
    code: int,
    number: int,
) -> None:
    cli: CLI = request.getfixturevalue(case.fixture)
    before = cli.dump()

    ended = run(
        cli, script(at_plan(number, f"os.kill(os.getpid(), signal.{name})")), case.arguments
    )

    if number == COUNT - 1:
        assert ended.returncode == 0
        assert done_in(cli, case.command, before) == COUNT
        return
    assert ended.returncode == code
    assert require_told_and_undone(cli, case.command, before, ended.stderr) == number + 1


def done_when_lost(case: Case, number: int) -> int:
    """How much is done where output is lost in the plan of this number.

    Repair prints each plan, restore only what it skips and its end.
    """
    return number + 1 if case.command == "repair" else COUNT


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
@pytest.mark.parametrize("number", points(COUNT))
def test_a_reader_that_goes_away_ends_it_and_standard_error_tells(
    request: pytest.FixtureRequest, case: Case, number: int
) -> None:
    cli: CLI = request.getfixturevalue(case.fixture)
    before = cli.dump()
    reader, writer = os.pipe()
    body = at_plan(number, f"os.close({reader})")

    with os.fdopen(writer, "wb"):
        ended = _run_with_reader(cli, script(body), case.arguments, reader, writer)

    assert ended.returncode == 141
    assert "the reader of the output went away" in ended.stderr
    done = require_told_and_undone(cli, case.command, before, ended.stderr)
    assert done == done_when_lost(case, number)


def _run_with_reader(
    cli: CLI, program: list[str], arguments: list[str], reader: int, writer: int
) -> subprocess.CompletedProcess[str]:
    """Run with a pipe for standard output whose only reader the program itself closes."""
    with subprocess.Popen(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
        text=True,
        pass_fds=[reader],
    ) as process:
        os.close(reader)
        _, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(arguments, process.returncode, "", err)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
@pytest.mark.parametrize("number", points(COUNT))
def test_a_full_disk_behind_standard_output_ends_it_and_standard_error_tells(
    request: pytest.FixtureRequest, case: Case, number: int
) -> None:
    cli: CLI = request.getfixturevalue(case.fixture)
    before = cli.dump()
    body = at_plan(number, "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)")

    ended = run(cli, script(body), case.arguments)

    assert ended.returncode == 74
    assert "the output cannot be written: No space left on device" in ended.stderr
    assert "Changes that were asked for have been made" not in ended.stderr
    done = require_told_and_undone(cli, case.command, before, ended.stderr)
    assert done == done_when_lost(case, number)


@pytest.mark.parametrize("output", ["/dev/full", "closed"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
def test_output_that_is_lost_from_the_start_is_told(
    request: pytest.FixtureRequest, case: Case, output: str
) -> None:
    cli: CLI = request.getfixturevalue(case.fixture)
    before = cli.dump()
    if output == "closed":
        reader, lost = os.pipe()
        os.close(reader)
    else:
        lost = os.open(output, os.O_WRONLY)

    ended = run(cli, COMMAND, case.arguments, stdout=lost)

    os.close(lost)
    assert ended.returncode == (141 if output == "closed" else 74)
    require_told_and_undone(cli, case.command, before, ended.stderr)


@pytest.mark.parametrize("share", [(point + 1) / 10 for point in POINTS])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.command)
def test_a_backup_disk_that_fills_up_ends_it_with_what_was_backed_up_done(
    request: pytest.FixtureRequest, case: Case, share: float
) -> None:
    cli: CLI = request.getfixturevalue(case.fixture)
    before = cli.dump()
    limit = int(_backup_bytes(cli, case.command) * share) - 1
    body = _limited(limit)

    ended = run(cli, script(body), case.arguments)

    done = done_in(cli, case.command, before)
    if not done:
        assert ended.returncode == 2
        assert "cannot be written: File too large" in ended.stderr
        assert cli.dump() == before
        assert not (cli.folder / BACKUP).exists()
        return
    if ended.returncode == 0:  # the last line did not fit: all else is there
        assert done == COUNT
        return
    assert ended.returncode == 74
    assert done in {BATCH, 2 * BATCH}
    require_told_and_undone(cli, case.command, before, ended.stderr)


def _limited(limit: int) -> str:
    """Lets the file system take no more than so many bytes of the backup, as a full one does."""
    return f"""
import errno
from csijournal.repair import backup
write = os.write
def limited(descriptor, data):
    room = {limit} - os.lseek(descriptor, 0, os.SEEK_CUR)
    if room <= 0:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return write(descriptor, bytes(data[:room]))
class Limited:
    def __getattr__(self, name):
        return limited if name == "write" else getattr(os, name)
backup.os = Limited()
"""


SIZES: dict[str, int] = {}


def _backup_bytes(cli: CLI, command: str) -> int:
    """How large the whole backup is."""
    if command not in SIZES:
        other = CLI(cli.folder / "other")
        other.folder.mkdir()
        other.file.parent.mkdir(parents=True)
        other.file.write_bytes(cli.file.read_bytes())
        if (cli.folder / "e.jsonl").exists():
            (other.folder / "e.jsonl").write_bytes((cli.folder / "e.jsonl").read_bytes())
        other(*(REPAIR if command == "repair" else RESTORE))
        SIZES[command] = (other.folder / BACKUP).stat().st_size
        shutil.rmtree(other.folder)
    return SIZES[command]


def test_a_file_size_limit_of_the_system_is_a_full_disk(dangled: CLI) -> None:
    before = dangled.dump()
    body = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def small(*_):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        "    return add(*_)\n"
        "from csijournal.repair.backup import BackupFile\n"
        "add, BackupFile.add_batch = BackupFile.add_batch, small\n"
    )

    ended = run(dangled, script(body), REPAIR)

    assert ended.returncode == 2
    assert "b.jsonl cannot be written: File too large" in ended.stderr
    assert dangled.dump() == before
    assert not (dangled.folder / BACKUP).exists()


@pytest.mark.parametrize("number", points(COUNT)[1::3])
def test_killed_the_backup_is_whole_up_to_what_was_done(dangled: CLI, number: int) -> None:
    before = dangled.dump()

    run(dangled, script(at_plan(number, "os.kill(os.getpid(), 9)")), REPAIR)

    assert done_in(dangled, "repair", before) == number
    undone = dangled("restore", BACKUP, "--overwrite", "--apply")
    assert "the command that made this backup was killed" in undone.err
    assert dangled.dump() == before


def test_what_was_left_undone_is_not_restored_over_what_others_made_of_it(dangled: CLI) -> None:
    """The backup of a batch that was stopped holds more than was done, and says so."""
    run(dangled, script(at_plan(10, "os.kill(os.getpid(), signal.SIGTERM)")), REPAIR)
    name = next(key for key in sorted(dangled.dump()[DIRECTORY], reverse=True) if "gone" in key)
    dangled.put_entry(name.removeprefix("csi.volume.group."), uuid(77))
    theirs = dangled.dump()

    dangled("restore", BACKUP, "--overwrite", "--apply")

    after = dangled.dump()
    assert after[DIRECTORY][name] == uuid(77).encode()
    assert len(after[DIRECTORY]) == len(theirs[DIRECTORY]) + 11


def test_sigterm_leaves_no_file_that_is_half_written(cli: CLI) -> None:
    damage(cli, entries(**{f"n-{n}": uuid(n) for n in range(1, 50)}))
    body = """
from csijournal.transfer.export import Exporter
def slow(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    yield
Exporter._records = slow
"""
    file = Path(cli.folder, "e.jsonl")

    ended = run(cli, script(body), ["export", "e.jsonl"])

    assert ended.returncode == 128 + signal.SIGTERM
    assert "interrupted; nothing was changed" in ended.stderr
    assert not file.exists()
    assert [path.name for path in cli.folder.iterdir()] == ["state"]
