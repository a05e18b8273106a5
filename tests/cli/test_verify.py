from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import DAMAGED, DEEP, QUICK, damage, dangling, entries, group, uuid
from cli.memory import peak_kib
from csijournal.cli.options import Settings
from csijournal.cli.shell import command_line, shell_word
from csijournal.store import Write
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode
from support.places import LONG_AGO_NS, RADOSPlace, fill

if TYPE_CHECKING:
    from cluster import ThrowawayCluster


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    return damage(cli)


def found(cli: CLI, *arguments: str, code: int = 1) -> tuple[list[Any], Any]:
    """The findings of a run with JSON, and its summary."""
    lines = [json.loads(line) for line in cli("verify", "-o", "json", *arguments, code=code).lines]
    return lines[:-1], lines[-1]["summary"]


# What is found


def test_a_quick_look_finds_what_the_directory_leads_to(damaged: CLI) -> None:
    findings, summary = found(damaged)

    assert sorted(finding["kind"] for finding in findings) == QUICK
    assert summary["entries"] == 5
    assert summary["objects_listed"] == 0
    assert summary["errors"] == 5


def test_a_deep_look_finds_what_nothing_points_at(damaged: CLI) -> None:
    findings, summary = found(damaged, "--deep")

    assert sorted(finding["kind"] for finding in findings) == DEEP
    assert summary["deep"] is True
    assert summary["objects_listed"] == 8
    assert summary["findings"]["orphan-group"] == 2


def test_another_instances_groups_are_no_orphans(cli: CLI) -> None:
    other = {"csi.groups.other": {GROUPS.entry_key("x"): uuid(1)}}
    damage(cli, other | group("x", 1, vol="snap"))

    findings, summary = found(cli, "--deep", code=0)

    assert findings == []
    assert summary["instances"] == ["default", "other"]


def test_verify_changes_nothing(damaged: CLI) -> None:
    before = damaged.dump()

    damaged("verify", "--deep", code=1)

    assert damaged.dump() == before


def test_what_is_younger_than_the_grace_time_is_in_the_making(cli: CLI) -> None:
    cli.put_group(uuid(1), "young")

    assert found(cli, "--deep", code=0)[1]["in_the_making"] == 1
    assert found(cli, "--deep", "--grace", "0")[1]["in_the_making"] == 0
    assert found(cli, "--deep", "--grace", "1h30m", code=0)[0] == []


@pytest.mark.parametrize("text", ["15", "", "-1m", "1.5h", "m", "1m1", "9999999999d"])
def test_a_grace_time_needs_a_unit(cli: CLI, text: str) -> None:
    assert "is not a duration such as 90s, 15m, 2h or 1d" in cli.refused("verify", "--grace", text)


# Exit codes


def test_a_clean_journal_is_exit_code_0(cli: CLI) -> None:
    cli("reserve", "snap-1")

    lines = cli("verify").lines

    assert lines[0] == f"sqlite://{cli.file}"
    assert lines[1] == "    1 entry, 1 group, 0 members, 0 leases"
    assert lines[2] == "    nothing is wrong; --deep looks for orphans too"


def test_warnings_alone_are_exit_code_0_unless_strict(cli: CLI) -> None:
    damage(cli, entries(old=uuid(1)) | {GROUPS.record_object(uuid(1)): {"csi.volname": "old"}})

    assert [finding["severity"] for finding in found(cli, code=0)[0]] == ["warning"] * 2
    found(cli, "--strict", code=1)


def test_a_place_without_journal_is_said(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert "holds no journal of instance other" in cli("verify", "--instance", "other").err
    cli.refused("verify", "--store", "sqlite:nothing.db", code=16)


def test_all_namespaces_is_for_rados(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert "--all-namespaces is for RADOS" in cli.refused("verify", "--all-namespaces")
    for given in (["-p", "rbd", "-N", "a"], ["--store", "rados://rbd/a"]):
        said = cli.refused("verify", "--all-namespaces", *given)
        assert "--all-namespaces and a namespace were both given" in said


# Words


def test_each_finding_says_where_and_its_kind_is_explained_once(cli: CLI) -> None:
    damage(cli, dangling(3))

    said = cli("verify", code=1).out

    assert said.startswith(
        "ERROR    dangling-entry  gone-00001\n"
        f"    object    csi.volume.group.{uuid(1)}\n"
        "    found     no group object\n"
    )
    assert said.count("Ceph-CSI fails for this name") == 1
    assert "\n        csijournal repair --kind dangling-entry\n" in said
    assert said.endswith(
        "    4 entries, 1 group, 1 member, 0 leases\n    3 errors: 3 dangling-entry\n"
    )


def test_what_is_for_people_comes_with_commands_that_work_as_they_stand(cli: CLI) -> None:
    name = "it's \x07 -x"
    damage(cli, {DIRECTORY: {GROUPS.entry_key(name): "none", GROUPS.entry_key("-y"): "none"}})
    url = f"sqlite:{cli.file}"

    said = cli("--store", url, "verify", code=1).out
    lines = [line.strip() for line in said.splitlines() if " drop --entry " in line]
    commands = list(dict.fromkeys(lines))

    assert "\x07" not in said
    assert commands[0] == f"csijournal --store {url} drop --entry -y"
    for command in commands:
        words = f"{shlex.join(COMMAND)} {command.removeprefix('csijournal ')} --apply"
        subprocess.run(
            ["bash", "-c", words], check=True, env=cli.environment, cwd=cli.folder, timeout=60
        )
    assert cli.dump()[DIRECTORY] == {}


def test_commands_carry_the_store_options_and_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSIJOURNAL_INSTANCE", raising=False)
    settings = Settings()
    settings.given = {"pool": "my pool", "namespace": "ns", "output": "json", "csi_config": "c"}

    line = command_line(settings, ["drop", "--entry", "x"], "other")
    assert line == ("csijournal -p 'my pool' -N ns --csi-config c --instance other drop --entry x")
    monkeypatch.setenv("CSIJOURNAL_INSTANCE", "other")
    assert "--instance" not in command_line(settings, [], "other")
    assert "--instance default" in command_line(settings, [], "default")


@pytest.mark.parametrize("text", ["a b", "it's", "\x1b[31m\\'", "é\u202e", "\udcff", ""])
def test_words_of_the_shell_come_back_as_they_were(text: str) -> None:
    word = shell_word(text)

    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], check=True, capture_output=True)
    assert done.stdout == encode(text)


# Streams


def test_findings_come_before_the_end(cli: CLI) -> None:
    damage(cli, dangling(3000))

    with subprocess.Popen(
        [*COMMAND, "verify", "-o", "json"], stdout=subprocess.PIPE, env=cli.environment
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["kind"] == "dangling-entry"
        assert process.poll() is None
        process.stdout.close()
    assert process.returncode == 141


def test_interrupted_it_says_that_nothing_was_changed(cli: CLI) -> None:
    damage(cli, dangling(3000))

    with subprocess.Popen(
        [*COMMAND, "verify", "-o", "json", "--report", "r.html"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read()

    assert process.returncode == 130
    assert said == b"csijournal: error: interrupted; nothing was changed\n"
    assert not list(cli.folder.glob("*r.html*"))


def test_a_terminal_gets_a_progress_bar_and_findings_whole(cli: CLI) -> None:
    damage(cli, dangling(2000))
    ours, theirs = pty.openpty()

    with subprocess.Popen(
        [COMMAND[0], "-c", _SLOWLY, "verify"],
        env=cli.environment | {"TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = _read_all(ours)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode()).replace("\r", "\n")

    assert process.returncode == 1
    assert re.search(r"reading groups .* 1000/2001", shown)
    assert shown.count("found     no group object\n") == 2000
    assert said.count(b"\x1b[?25l") == said.count(b"\x1b[?25h")


_SLOWLY = """
import sys, time
from csijournal.cli.run import run
from csijournal.check.scan import Verifier
walk = Verifier._page
def slowly(self, *arguments):
    yield from walk(self, *arguments)
    time.sleep(0.5)
Verifier._page = slowly
sys.exit(run(sys.argv[1:]))
"""


def _read_all(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's way of saying that the other side is closed
            data = b""
        if not data:
            os.close(terminal)
            return said
        said += data


# The page; tests/cli/test_report.py looks into it


def test_the_report_is_written_beside_the_answer_and_replaces_an_older_one(damaged: CLI) -> None:
    page = damaged.folder / "r.html"
    page.write_text("older")

    result = damaged("verify", "--report", "r.html", code=1)

    assert result.err == "csijournal: wrote r.html\n"
    assert "dangling-entry" in page.read_text()
    assert {path.name for path in damaged.folder.iterdir()} == {"state", "r.html"}


def test_a_report_that_cannot_be_written_is_refused_before_the_look(damaged: CLI) -> None:
    assert "cannot be written" in damaged.refused("verify", "--report", "no/such/r.html")
    assert "not a regular file" in damaged.refused("verify", "--report", "/dev/null")


def test_memory_does_not_grow_with_the_findings(cli: CLI) -> None:
    # Both are more than a page of the directory and than SQLite's own cache hold.
    few = CLI(Path(cli.folder, "few"))
    few.folder.mkdir()
    damage(few, dangling(15_000))
    damage(cli, dangling(30_000))

    assert peak_kib(cli, "verify") - peak_kib(few, "verify") < 1500


def test_values_that_are_not_text_are_escaped(cli: CLI) -> None:
    damage(cli, entries(right=uuid(1)) | group("right", 1))
    with cli.store() as store:
        store.write(Write(DIRECTORY, puts={GROUPS.entry_key("bad"): b"\xff\x1b[2J"}))

    assert "\x1b" not in cli("verify", code=1).out
    assert found(cli)[0][0]["found"] == r"holds '\udcff\x1b[2J'"


# On RADOS


@pytest.mark.ceph
@pytest.mark.parametrize("url", [False, True])
def test_all_namespaces_are_verified_in_turn(
    cli: CLI, ceph: ThrowawayCluster, tmp_path: Path, *, url: bool
) -> None:
    pool = f"all-namespaces-{url}"
    ceph.create_pool(pool)
    for namespace in ("", "a b", "z"):
        store = RADOSPlace(ceph, pool, namespace).open(lambda: LONG_AGO_NS)
        with store:
            fill(store, DAMAGED if namespace else entries(right=uuid(1)) | group("right", 1))
    where = ["--store", f"rados://{pool}?conf={ceph.conf}"]
    if not url:
        where = ["-p", pool, "-c", str(ceph.conf)]

    findings, _ = found(cli, *where, "--all-namespaces", "--deep")
    said = cli("verify", *where, "--all-namespaces", "--report", "r.html", code=1).out

    assert [finding["kind"] for finding in findings if "kind" in finding].count(
        "corrupt-entry"
    ) == 2
    summaries = [finding["summary"] for finding in findings if "summary" in finding]
    assert [summary["errors"] for summary in summaries] == [0, 10]
    assert said.count("\nrados://") == 3
    assert "Place by place" in (tmp_path / "r.html").read_text()
    command = next(line for line in said.splitlines() if " drop --entry corrupt" in line)
    arguments = shlex.split(command)[1:]
    assert "remove the entry 'corrupt'" in cli(*arguments).out
