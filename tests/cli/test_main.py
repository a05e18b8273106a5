"""What all commands share: options, help, errors, exit codes, broken outputs."""

from __future__ import annotations

import importlib
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import CLI, COMMAND, UUID
from csijournal import errors
from csijournal.cli import connect, run
from csijournal.cli.exit_codes import exit_code_rows
from csijournal.cli.program import COMMANDS
from csijournal.store import Write


def descendants(kind: type[errors.CSIJournalError]) -> Iterator[type[errors.CSIJournalError]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


# Help


def test_the_help_lists_commands_options_and_exit_codes_without_importing_them(cli: CLI) -> None:
    script = (
        "import sys; from csijournal.cli.run import run; code = run(['--help']);"
        " print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", script], capture_output=True, text=True, check=True, env=cli.environment
    )

    imported = set(done.stderr.split())
    commands = {f"csijournal.cli.{name}" for name in COMMANDS}
    assert not imported & ({"rich", "sqlite3", "rados", "csijournal.store.rados.pool"} | commands)
    for name, line in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", done.stdout, re.MULTILINE)
    for option in ("--store URL", "-p, --pool", "-o, --output", "--csi-config", "_COMPLETE"):
        assert option in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_line_in_the_table_is_the_first_of_its_help(name: str) -> None:
    module = name.replace("-", "_")
    command = importlib.import_module(f"csijournal.cli.commands.{module}").command

    assert command.help.splitlines()[0] == COMMANDS[name]
    assert command.name == name
    assert command.examples


def test_a_commands_help_has_its_own_options_and_examples(cli: CLI) -> None:
    said = cli("list", "-h").out

    assert "-l, --long" in said
    assert "--keyring" not in said
    assert "`csijournal --help` lists them" in said
    assert "Examples:\n  csijournal -p rbd list -l groupsnapshot-\n" in said


def test_the_help_has_every_exit_code_of_the_errors(cli: CLI) -> None:
    said = cli("--help").out.partition("Exit codes:")[2]

    listed = {int(code) for code in re.findall(r"^  (\d+) ", said, re.MULTILINE)}
    assert listed == {0, 1, 7, 8, 70, 74, 129, 130, 141, 143} | {
        kind.exit_code for kind in descendants(errors.CSIJournalError)
    }
    assert len(exit_code_rows()) == len(listed)


def test_no_command_prints_the_help_on_standard_error(cli: CLI) -> None:
    result = cli(code=2)

    assert result.out == ""
    assert result.err.startswith("Usage: csijournal")


def test_the_version_is_told(cli: CLI) -> None:
    assert re.fullmatch(r"csijournal \d+\.\d+\.\d+\n", cli("--version").out)


def test_the_shell_can_complete_commands(cli: CLI) -> None:
    assert "complete" in cli(environment={"_CSIJOURNAL_COMPLETE": "bash_source"}).out
    words = {"COMP_WORDS": "csijournal res", "COMP_CWORD": "1"}
    said = cli(environment={"_CSIJOURNAL_COMPLETE": "bash_complete", **words}).lines
    assert said == ["plain,reserve", "plain,restore"]


# Options


def test_options_stand_before_or_after_the_command(cli: CLI) -> None:
    url = f"sqlite:{cli.folder}/other.db"

    cli("--store", url, "--instance", "a", "reserve", "snap-1")

    assert cli("list", "--store", url, "--instance", "a", "-o", "json").json
    assert cli("--instance", "b", "list", "--store", url, "-o", "json").out == ""
    assert not cli.state.exists()


def test_the_environment_names_store_and_instance_and_options_go_before_it(cli: CLI) -> None:
    named = {"CSIJOURNAL_STORE": f"sqlite:{cli.folder}/e.db", "CSIJOURNAL_INSTANCE": "e"}

    cli("reserve", "snap-1", environment=named)

    assert len(cli("list", environment=named).lines) == 2
    assert len(cli("--instance", "default", "list", environment=named).lines) == 1
    cli.refused("--store", "sqlite:other.db", "list", code=16, environment=named)


def test_store_and_rados_options_together_are_refused(cli: CLI) -> None:
    said = cli.refused("--store", "sqlite:a.db", "list", "-p", "rbd", "--csi-config", "x")
    assert "--store and the RADOS options (--csi-config, --pool) both say" in said

    said = cli.refused("list", "--id", "admin", environment={"CSIJOURNAL_STORE": "sqlite:a.db"})
    assert "CSIJOURNAL_STORE and the RADOS options (--id) both say" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "No such command 'nothing'."),
        (["list", "--nothing"], "No such option '--nothing'.\n"),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["recover", "--aply"], "No such option '--aply'. Did you mean '--apply'?"),
        (["--intsance", "a", "list"], "Did you mean '--instance'?"),
        (["reserve"], "Missing argument"),
        (["list", "--timeout", "soon"], "'soon' is not a valid float"),
        (["list", "--timeout", "nan"], "'nan' is not a timeout"),
        (["list", "--instance", ""], "an instance id must not be empty"),
        (["list", "--instance", "a\a"], "U+0007 at position 2"),
        (["list", "--store", ""], "has no scheme"),
        (["list", "--store", "nothing:"], "unknown scheme 'nothing'"),
        (["list", "--store", "sqlite://host/x"], "names a host"),
        (["list", "--store", b"sqlite:\xff"], "a byte that is not UTF-8 at position 8"),
    ],
)
def test_options_that_cannot_be_are_exit_code_2_with_a_hint(
    cli: CLI, arguments: list[str | bytes], said: str
) -> None:
    cli("reserve", "snap-1")

    assert said in cli.refused(*arguments)


# Errors


def test_errors_are_json_where_answers_are(cli: CLI) -> None:
    cli("reserve", "snap-1")

    error = json.loads(cli("reserve", "snap-1", "-o", "json", code=4).err)

    assert "already reserved" in error.pop("message")
    assert error == {
        "error": "AlreadyReserved",
        "operation": "reserve_name",
        "object": "csi.groups.default",
        "key": "csi.volume.group.snap-1",
        "hint": "Use ensure to get the reservation that exists, or undo it first",
        "exit_code": 4,
    }
    usage = json.loads(cli("list", "--timeout", "soon", "-o", "json", code=2).err)
    assert usage["hint"] == "See `csijournal list --help`"


@pytest.mark.parametrize(
    "hostile",
    ["\x7f", "\x9b31m", "\u200b", "\u202e", "\u2028", "\u2069", "\ufeff", "\U000e0041", "\ud800"],
)
def test_json_keeps_a_hostile_character_and_no_terminal_meets_it(cli: CLI, hostile: str) -> None:
    cli.put_entry("snap-1", UUID)
    value = hostile.encode(errors="surrogatepass").decode(errors="surrogateescape")
    with cli.store() as store:
        group = f"csi.volume.group.{UUID}"
        raw = f"a{value}b".encode(errors="surrogateescape")
        store.write(Write(group, puts={"csi.volname": b"snap-1", "vol": raw}))

    result = cli("check", "snap-1", "-o", "json")

    assert result.json["volume_map"] == {"vol": f"a{value}b"}
    assert result.out.removesuffix("\n").isprintable()


@pytest.mark.parametrize("kind", [*descendants(errors.CSIJournalError)])
def test_every_error_ends_with_its_own_exit_code(
    kind: type[errors.CSIJournalError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise kind("it\nfailed", operation="verb", object_name="o", key="k", hint="do this")

    monkeypatch.setattr(connect, "open_store", fail)

    assert run.run(["list"]) == kind.exit_code
    assert capsys.readouterr().err == (
        "csijournal: error: it\\nfailed (object o, key k)\nhint: do this\n"
    )


def test_a_bug_is_exit_code_70_with_the_traceback(cli: CLI) -> None:
    script = (
        "import sys; from csijournal.cli import connect, run\n"
        "def fail(*_, **__): raise ZeroDivisionError('oh')\n"
        "connect.open_store = fail; sys.exit(run.run(['list']))"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=cli.environment,
    )

    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "csijournal: error: ZeroDivisionError: oh\nhint: This is a bug" in done.stderr


def test_a_file_of_another_program_is_exit_code_17(cli: CLI, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("text " * 1000)

    cli.refused("list", "--store", "sqlite:text.db", code=17)
    cli.refused("list", "--store", f"sqlite://{tmp_path}", code=17)


def test_a_journal_that_others_keep_locked_is_exit_code_20_after_the_timeout(cli: CLI) -> None:
    cli("reserve", "snap-1")
    connection = sqlite3.connect(cli.file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")

    cli.refused("reserve", "snap-2", "--timeout", "0.1", code=20)
    cli.refused("undo", "snap-1", "--store", f"sqlite:{cli.file}?timeout=0.1", code=20)

    connection.close()


def test_a_store_that_dies_with_the_process_is_exit_code_22(cli: CLI) -> None:
    assert "gone when this command ends" in cli.refused("--store", "memory:", "list", code=22)


def test_colour_is_for_terminals_whose_user_wants_it(cli: CLI) -> None:
    assert _on_a_terminal(cli) == b"csijournal: \x1b[1;31merror:\x1b[0m"
    assert _on_a_terminal(cli, NO_COLOR="1") == b"csijournal: error:"
    assert _on_a_terminal(cli, TERM="dumb") == b"csijournal: error:"


def _on_a_terminal(cli: CLI, **more: str) -> bytes:
    """The first words of an error on a terminal."""
    cli.put_group(UUID, "somebody")
    ours, theirs = pty.openpty()
    subprocess.run(
        [*COMMAND, "check", "snap-1"],
        env=cli.environment | {"TERM": "xterm"} | more,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        return terminal.read(1000).partition(b" there is no reservation")[0]


# Outputs and interruptions


def test_a_full_disk_behind_the_output_is_exit_code_74_and_says_that_it_was_done(
    cli: CLI,
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "reserve", "snap-1"],
            env=cli.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 74
    assert done.stderr == (
        "csijournal: error: the output cannot be written: No space left on device\n"
        "hint: Changes that were asked for have been made\n"
    )
    cli("check", "snap-1")


def test_closed_outputs_do_no_harm(cli: CLI) -> None:
    command = " ".join(COMMAND)

    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} reserve snap-1 >&- && {command} check nothing 2>&-"],
        env=cli.environment,
        check=False,
        capture_output=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")


def test_an_interrupted_command_is_exit_code_130_without_traceback(cli: CLI) -> None:
    with subprocess.Popen(
        [COMMAND[0], "-c", _WAITING],
        env=cli.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()

    assert process.returncode == 130
    assert said == b"csijournal: error: interrupted; a change under way may have been made\n"


_WAITING = """
import sys, time
from csijournal.cli import run
from csijournal.cli import connect
def wait(*_, **__):
    print("waiting", flush=True)
    time.sleep(60)
connect.open_store = wait
sys.exit(run.run(["list"]))
"""
