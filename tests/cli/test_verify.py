from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import DAMAGED, DEEP, QUICK, damage, dangling, entries, group, uuid
from cli.memory import peak_kib
from cli.terminal import in_terminal, read_all
from csijournal import Timestamp
from csijournal.cli.options import Settings
from csijournal.cli.progress import SILENT_SECONDS, Position, Silence
from csijournal.cli.shell import command_line, shell_word
from csijournal.store import ObjectAbsent, Write
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode
from support.places import LONG_AGO_NS, RADOSPlace, fill
from support.rbd_pool import RBDPool

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


def test_a_quick_check_finds_what_the_directory_leads_to(damaged: CLI) -> None:
    findings, summary = found(damaged, "--quick")

    assert sorted(finding["kind"] for finding in findings) == QUICK
    assert summary["entries"] == 5
    assert summary["objects_listed"] == 0
    assert summary["errors"] == 5


@pytest.mark.parametrize("option", [[], ["--full"], ["--deep"]])
def test_other_checks_find_what_nothing_points_at_too(damaged: CLI, option: list[str]) -> None:
    findings, summary = found(damaged, *option)

    assert sorted(finding["kind"] for finding in findings) == DEEP
    assert summary["deep"] is True
    assert summary["complete"] is True
    assert summary["objects_listed"] == 8
    assert summary["findings"]["orphan-group"] == 2


def test_another_instances_groups_are_no_orphans(cli: CLI) -> None:
    other = {"csi.groups.other": {GROUPS.entry_key("x"): uuid(1)}}
    own = entries(y=uuid(2)) | group("y", 2, vol="snap")
    damage(cli, own | other | group("x", 1, vol="snap"))

    findings, summary = found(cli, "--deep", code=0)

    assert findings == []
    assert summary["instances"] == ["default", "other"]


def test_verify_changes_nothing(damaged: CLI) -> None:
    before = damaged.dump()

    damaged("verify", "--deep", code=1)

    assert damaged.dump() == before


def test_what_is_younger_than_the_grace_time_is_pending_and_named(cli: CLI) -> None:
    cli.put_group(uuid(1), "young")
    cli.put_entry("groupsnapshot-17", uuid(2))
    with cli.store() as store:
        store.write(Write(GROUPS.record_object(uuid(2)), guards=(ObjectAbsent(),)))

    summary = found(cli, "--deep", code=0)[1]
    assert summary["in_the_making"] == 2
    first = next(one for one in summary["pending"] if one["request_name"] == "groupsnapshot-17")
    assert first["uuid"] == uuid(2)
    assert first["found"] == "empty"
    assert first["age_seconds"] < 100
    age = Timestamp.parse(first["look_again"]).nanoseconds - time.time_ns()
    assert 14 * 60 < age / 1e9 <= 15 * 60
    said = " ".join(cli("verify").out.split())
    assert re.search(
        r"2 pending: .*groupsnapshot-17: empty, \d+ s old, a driver may be making it;"
        r" look again after \d\d:\d\d:\d\d UTC, or with --grace 0s",
        said,
    )
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
    assert lines[1:3] == [
        "    1 entry, 1 record in order; 2 journal objects listed",
        "        groups: 1 entry, 1 group in order with 0 members",
    ]
    assert lines[3] == (
        "    this store stands for a driver without images: nothing outside of it can depend on"
        " a record"
    )
    assert lines[4:] == ["    nothing is wrong"]


def test_what_was_not_looked_at_is_always_said(damaged: CLI) -> None:
    damaged.put("csi.volumes.default", x="")
    damaged.put("csi.snaps.other", x="")

    groups = ("--journal", "groups")
    said = " ".join(damaged("verify", "--quick", *groups, code=1).out.split())
    assert "not looked at: what nothing points at, and other instances" in said
    assert "not looked at: the journals csi.volumes.default" in said
    everything = damaged("verify", "--full", *groups, "-o", "json", code=1).lines[-1]
    assert json.loads(everything)["summary"]["other_journals"] == [
        "csi.snaps.other",
        "csi.volumes.default",
    ]


def test_a_clean_journal_is_only_called_so_as_far_as_it_was_looked_at(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert cli("verify", "--quick").lines[-1] == "    nothing is wrong in what was looked at"
    summary = found(cli, "--quick", code=0)[1]
    assert (summary["complete"], summary["depth"], summary["deep"]) == (False, "quick", False)


def test_what_is_required_and_was_not_looked_at_is_an_exit_code_of_its_own(cli: CLI) -> None:
    cli("reserve", "snap-1")

    cli("verify", "--require", "full")
    assert "give --full" in cli("verify", "--quick", "--require", "full", code=8).err
    said = cli.refused("verify", "--require", "full,moon")
    assert "this version cannot look at 'moon': it knows full" in said


def test_a_quiet_check_prints_only_what_somebody_must_know(cli: CLI) -> None:
    cli("reserve", "snap-1")
    quiet = cli("verify", "--quiet", "--full", "--require", "full")
    assert (quiet.out, quiet.err) == ("", "")

    damage_more = entries(gone=uuid(7))[DIRECTORY]
    with cli.store() as store:
        store.write(Write(DIRECTORY, puts={k: v.encode() for k, v in damage_more.items()}))
    assert "dangling-entry" in cli("verify", "--quiet", code=1).out


def test_the_help_has_a_line_for_cron_and_the_exit_codes_by_class(cli: CLI) -> None:
    said = cli("verify", "--help").out

    assert "  17 3 * * *  csijournal -p rbd verify --full --require full --quiet\n" in said
    for line in ("  7      there is no journal of the instance", "  10-22  the store could not be"):
        assert line in said


def test_notes_are_counted_and_listed_only_when_asked_for(cli: CLI) -> None:
    name = "groupsnapshot-ca51faa2-a3e0-4f2c-b2ea-e8930cfd7407-vg"
    damage(cli, dangling(0))
    cli.put_entry(name, uuid(9))

    findings, summary = found(cli, code=0)
    assert (findings, summary["notes"], summary["errors"]) == ([], 1, 0)
    assert "1 note: 1 dangling-entry (--notes lists them)" in cli("verify", "--strict").out
    (note,) = found(cli, "--notes", code=0)[0]
    assert (note["severity"], note["request_name"]) == ("note", name)


def test_warnings_alone_are_exit_code_0_unless_strict(cli: CLI) -> None:
    damage(cli, entries(old=uuid(1)) | {GROUPS.record_object(uuid(1)): {"csi.volname": "old"}})

    assert [finding["severity"] for finding in found(cli, code=0)[0]] == ["warning"] * 3
    found(cli, "--strict", code=1)


def test_a_place_without_the_journal_is_never_in_order(cli: CLI) -> None:
    cli("reserve", "snap-1")

    wrong = cli("verify", "--instance", "defualt", code=7)
    said = " ".join(wrong.out.split())
    assert "there is no journal of instance 'defualt' here: nothing was checked of it" in said
    assert "there are journals of: 'default'" in said
    assert "nothing is wrong" not in said
    assert "--allow-empty" in wrong.err
    assert found(cli, "--instance", "defualt", code=7)[1]["journal_found"] is False
    cli("verify", "--instance", "defualt", "--allow-empty")
    cli.refused("verify", "--store", "sqlite:nothing.db", code=16)


def test_journals_that_are_left_out_are_named_and_not_called_in_order(cli: CLI) -> None:
    volumes = {"csi.volumes.default": {"csi.volume.pvc-1": uuid(1)}}
    damage(cli, volumes | {f"csi.volume.{uuid(1)}": {"csi.volname": "pvc-1"}})

    for depth in ([], ["--quick"]):
        said = cli("verify", *depth, "--journal", "groups", code=7).out
        assert "nothing was checked" in said
        assert "not looked at: the journals csi.volumes.default" in said
        assert "nothing is wrong" not in said


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
    assert said.count("Ceph-CSI fails forever") == 1
    assert "\n        csijournal repair --kind dangling-entry\n" in said
    assert said.endswith(
        "    4 entries, 1 record in order; 2 journal objects listed\n"
        "        groups: 4 entries, 1 group in order with 1 member\n"
        "    this store stands for a driver without images: nothing outside of it can depend on"
        " a record\n    3 errors: 3 dangling-entry\n"
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
        said = read_all(ours)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode()).replace("\r", "\n")

    assert process.returncode == 1
    assert re.search(r"reading records .* 1000/2001", shown)
    assert shown.count("found     no group object\n") == 2000
    assert said.count(b"\x1b[?25l") == said.count(b"\x1b[?25h")


_SLOWLY = """
import sys, time
from csijournal.cli.run import run
from csijournal.check.journal_scan import JournalScan
walk = JournalScan._page
def slowly(self, *arguments):
    yield from walk(self, *arguments)
    time.sleep(0.5)
JournalScan._page = slowly
sys.exit(run(sys.argv[1:]))
"""


def test_severities_are_coloured_on_a_terminal_and_named_without_colour(damaged: CLI) -> None:
    coloured = in_terminal(damaged, 100, "verify", "--quick", colour=True)
    assert any(line.startswith("\x1b[1;31mERROR  \x1b[0m  ") for line in coloured)
    damaged.environment["NO_COLOR"] = "1"
    plain = in_terminal(damaged, 100, "verify", "--quick", colour=True)
    assert any(line.startswith("ERROR    ") for line in plain)
    assert "\x1b" not in "".join(plain)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_prose_is_as_wide_as_the_terminal(damaged: CLI, columns: int) -> None:
    lines = in_terminal(damaged, columns, "verify")
    prose = [line for line in lines if "csijournal " not in line and "object    " not in line]
    widest = max((line for line in prose if "sqlite:" not in line), key=len)
    assert columns - 20 < len(widest) <= columns, widest


def test_a_bar_that_stands_still_says_that_the_store_is_silent() -> None:
    now = 0.0
    silence = Silence(lambda: now)
    position = Position("listing objects", 0, 100)
    assert silence.told(position) == position
    now = SILENT_SECONDS + 5
    said = silence.told(position)
    assert said.doing == f"listing objects: waiting for the store, {now:.0f} s"
    assert said.total is None
    assert silence.told(position._replace(done=1)).doing == "listing objects"
    waiting = position._replace(waiting=True)
    silence.told(waiting)
    now += 60
    assert silence.told(waiting) == waiting


def test_printed_commands_look_as_the_check_did(cli: CLI) -> None:
    cli.put_group(uuid(1), "young")

    said = cli("verify", "--grace", "0s", "--full", "--settle", "0s", code=1).out
    command = "csijournal repair --full --grace 0s --settle 0s --kind orphan-group"
    assert f"\n        {command}\n" in said
    assert "remove the group object" in cli(*shlex.split(command)[1:], code=1).out


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
    assert [summary["errors"] for summary in summaries] == [0, 9]
    assert said.count("\nrados://") == 3
    assert "Location by location" in (tmp_path / "r.html").read_text()
    command = next(line for line in said.splitlines() if " drop --entry corrupt" in line)
    arguments = shlex.split(command)[1:]
    assert "remove the entry 'corrupt'" in cli(*arguments).out


@pytest.mark.ceph
def test_in_the_wrong_namespace_the_right_one_is_named(cli: CLI, ceph: ThrowawayCluster) -> None:
    pool = "wrong-namespace"
    ceph.create_pool(pool, application="rbd")
    with RADOSPlace(ceph, pool, "csi").open(lambda: LONG_AGO_NS) as store:
        fill(store, entries(right=uuid(1)) | group("right", 1, vol="snap"))
    where = ["-p", pool, "-c", str(ceph.conf)]

    said = " ".join(cli("verify", *where, "-N", "cis", code=7).out.split())
    assert "there is no journal of instance 'default' here: nothing was checked" in said
    assert "these namespaces hold journals: 'csi'" in said
    assert "nothing is wrong" not in said
    said = " ".join(cli("verify", *where, code=7).out.split())
    assert "not looked at: the journals in another namespace of the pool (-N csi)" in said
    right = " ".join(cli("verify", *where, "-N", "csi").out.split())
    assert "groups: 1 entry, 1 group in order with 1 member" in right
    assert "compared with 0 images, 0 images in the trash, 0 RBD groups" in right
    assert right.endswith("nothing is wrong in what was looked at")


@pytest.mark.ceph
def test_in_a_pool_that_nobody_says_is_rbd_s_nothing_behind_is_not_taken_for_granted(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    pool = "left-in-a-pool"
    ceph.create_pool(pool)
    with RADOSPlace(ceph, pool, "").open(lambda: LONG_AGO_NS) as store:
        fill(store, DAMAGED)
    where = ["-p", pool, "-c", str(ceph.conf)]

    findings, summary = found(cli, *where)
    left = {f["kind"]: f for f in findings if not f["automatic"] and f["left_because"]}
    assert {"orphan-group", "empty-object", "dangling-entry"} <= set(left)
    assert left["empty-object"]["commands"] == [["drop", "--group", uuid(6)]]
    assert "RBD is not enabled for pool left-in-a-pool" in left["orphan-group"]["left_because"]
    assert (summary["stands_alone"], summary["complete"]) == (False, False)
    cli("repair", *where, "--kind", "orphan-group", "--apply", code=1)
    assert [f["kind"] for f in found(cli, *where)[0]].count("orphan-group") == 2


@pytest.mark.ceph
def test_a_group_whose_rbd_group_exists_is_left_and_the_others_are_repaired(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    pool = RBDPool(ceph, "with-rbd-groups")
    ceph.create_pool(pool.pool, application="rbd")
    pool.rbd("group", "create", f"@csi-vol-group-{uuid(6)}")
    with RADOSPlace(ceph, pool.pool, "").open(lambda: LONG_AGO_NS) as store:
        fill(store, DAMAGED)
    where = ["-p", pool.pool, "-c", str(ceph.conf)]

    left = [f for f in found(cli, *where)[0] if f["kind"] in {"empty-object", "orphan-group"}]
    assert {f["uuid"] for f in left if not f["automatic"]} == {uuid(6)}
    cli("repair", *where, "--apply", code=1)
    left = [f for f in found(cli, *where)[0] if f["kind"] in {"empty-object", "orphan-group"}]
    assert [f["uuid"] for f in left] == [uuid(6)]
    assert f"RBD group csi-vol-group-{uuid(6)}" in left[0]["left_because"]
