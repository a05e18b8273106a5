"""One night at a terminal: from the message in the driver's log to a clean journal.

The operator knows the message, the runbook's first two commands, and whose a
group is; all else is pasted from what csijournal prints, as it stands.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable

import pytest

from cli.conftest import CLI
from cli.damage import DAMAGED, damage, entries, group, uuid
from csijournal.wire.schema import GROUPS
from support.places import Omaps

LOG = (
    "E1120 08:12:44.118273       1 utils.go:240] ID: 17 GRPC error: rpc error: code = Internal desc"
    " = internal state inconsistent, omap names mismatch, request name (group snapshot'3)"
    f" volume group UUID ({uuid(30)}) volume group omap name (groupsnapshot-9)"
)
NAME = "group snapshot'3"
WRONG_HANDS = group("groupsnapshot-9", 30, vol="snap")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COMMAND = re.compile(r"(?:^|\s)(csijournal .*)$")
_ROUNDS_MAX = 12


class Terminal:
    """A terminal of so many columns, in a folder of its own, with csijournal in PATH."""

    def __init__(self, cli: CLI, columns: int) -> None:
        self.columns = columns
        self._folder = cli.folder
        (cli.folder / "bin").mkdir()
        program = cli.folder / "bin" / "csijournal"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m csijournal "$@"\n')
        program.chmod(0o700)
        kept = {k: v for k, v in cli.environment.items() if k not in {"COLUMNS", "LINES"}}
        self._environment = kept | {
            "PATH": f"{cli.folder}/bin:{os.environ['PATH']}",
            "TERM": "xterm-256color",
        }

    def paste(self, line: str, *codes: int) -> str:
        """Paste a line, press Enter; what stands on the screen when it has ended."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.columns, 0, 0))
        with subprocess.Popen(
            ["/bin/bash", "-c", line],
            env=self._environment,
            cwd=self._folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            said = _read_all(ours)
        assert process.returncode in codes, (line, process.returncode, said)
        return said


def _read_all(descriptor: int) -> str:
    parts = []
    with os.fdopen(descriptor, "rb", buffering=0) as terminal:
        while True:
            try:
                part = terminal.read(65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not part:
                break
            parts.append(part)
    return _ESCAPE.sub("", b"".join(parts).decode()).replace("\r\n", "\n")


def commands(said: str) -> list[str]:
    """The command lines on the screen, in order."""
    return [found[1] for line in said.splitlines() if (found := _COMMAND.search(line))]


class Operator:
    """Somebody who knows whose the groups are: `choose` says it by the cases that are offered."""

    def __init__(self, terminal: Terminal, place: str, choose: Callable[[list[str]], str]) -> None:
        self.terminal = terminal
        self.place = place
        self.choose = choose

    def carry_out(self, command: str) -> None:
        """Let the command say what it would do, and paste what it prints to do it."""
        # Exit code 1 of repair: there is more that it may not do.
        said = self.terminal.paste(command, 0, 1)
        (to_do,) = [line for line in commands(said) if "--apply" in shlex.split(line)]
        self.terminal.paste(to_do, 0, 1)

    def decide(self, what: str) -> None:
        """Ask for all that is known, choose a case, and carry out its commands in their order."""
        said = self.terminal.paste(f"csijournal {self.place} show {shlex.quote(what)}", 0, 3, 6)
        cases = _cases(said)
        for command in cases[self.choose(list(cases))]:
            self.carry_out(command)

    def clean(self) -> str:
        """Verify and follow what it prints, until it has nothing more to say."""
        for _ in range(_ROUNDS_MAX):
            said = self.terminal.paste(f"csijournal {self.place} verify --deep", 0, 1)
            printed = [shlex.split(line) for line in commands(said)]
            automatic = [words for words in printed if {"repair", "recover"} & set(words)]
            decided = [words for words in printed if {"attach", "drop"} & set(words)]
            if not printed:
                return said
            if automatic:
                self.carry_out(shlex.join(automatic[0]))
            else:
                self.decide(decided[0][-1])
        raise AssertionError("verify is not clean", said)


def _cases(said: str) -> dict[str, list[str]]:
    """The cases that show offers, each with its commands."""
    cases: dict[str, list[str]] = {}
    words: list[str] = []
    for line in said.partition("WHAT CAN BE DONE")[2].splitlines():
        if found := _COMMAND.search(line):
            cases.setdefault(" ".join(words), []).append(found[1])
        elif words and words[-1].endswith(":"):
            words = line.split()  # a new case
        else:
            words += line.split()
    return cases


def from_the_log(line: str) -> str:
    found = re.search(r"request name \((.*?)\) volume group UUID", line)
    assert found is not None
    return found[1]


@pytest.fixture(params=[80, 120])
def terminal(request: pytest.FixtureRequest, cli: CLI) -> Terminal:
    return Terminal(cli, request.param)


def fill(cli: CLI, omaps: Omaps) -> str:
    """Put a damaged journal where options must lead; those options."""
    cli.file = cli.folder / "a journal.db"
    damage(cli, omaps)
    return f"--store {shlex.quote(f'sqlite:{cli.file}')}"


def prefer(*beginnings: str) -> Callable[[list[str]], str]:
    """Choose the first case that starts with one of these, in their order."""

    def choose(cases: list[str]) -> str:
        matching = [case for words in beginnings for case in cases if words in case]
        return (matching or cases)[0]

    return choose


@pytest.mark.parametrize(
    ("decision", "owner"),
    [
        (f"is that of '{NAME}'", NAME),
        ("to give it back", "groupsnapshot-9"),
        ("if nobody needs", None),
    ],
    ids=["it is the name's of the log", "it is given back", "nobody needs it"],
)
def test_from_the_message_in_the_log_to_a_clean_verify_by_pasting(
    cli: CLI, terminal: Terminal, decision: str, owner: str | None
) -> None:
    place = fill(cli, entries(**{NAME: uuid(30)}) | WRONG_HANDS)
    operator = Operator(terminal, place, prefer(decision))

    name = from_the_log(LOG)
    assert name in terminal.paste(f"csijournal {place} verify", 1)
    operator.decide(name)
    said = operator.clean()

    assert "nothing is wrong" in said
    left = cli.dump().get(GROUPS.record_object(uuid(30)), {})
    assert left.get("csi.volname") == (owner.encode() if owner else None)


def test_everything_that_can_be_wrong_at_once_is_clean_after_pasting(
    cli: CLI, terminal: Terminal
) -> None:
    omaps = DAMAGED | WRONG_HANDS
    directory = "csi.groups.default"
    wrong = entries(**{NAME: uuid(30), "-dash": uuid(31)})[directory]
    place = fill(cli, omaps | {directory: omaps[directory] | wrong})
    operator = Operator(terminal, place, prefer("to give it back"))

    operator.decide(from_the_log(LOG))

    assert "nothing is wrong" in operator.clean()
    assert GROUPS.record_object(uuid(1)) in cli.dump()


def test_prose_stays_within_the_terminal(cli: CLI, terminal: Terminal) -> None:
    place = fill(cli, entries(**{NAME: uuid(30)}) | WRONG_HANDS)

    said = terminal.paste(f"csijournal {place} show {shlex.quote(NAME)}", 6)

    prose = [line for line in said.splitlines() if not commands(line)]
    assert max(map(len, prose)) <= terminal.columns
    assert any(len(line) > terminal.columns for line in commands(said)), "commands are not broken"
