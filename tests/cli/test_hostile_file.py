"""What cannot be read in a SQLite file is a finding, and hides nothing else."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from cli.conftest import CLI, DIRECTORY
from cli.damage import DAMAGED, DEEP, STALE_LEASE, damage, uuid
from csijournal.wire.schema import GROUPS

GROUP = GROUPS.record_object(uuid(1))
HOSTILE = {
    (DIRECTORY, b"csi.volume.group.z\xff"): b"x",
    (DIRECTORY, "a number"): 7,
    (DIRECTORY, "csi.volume.group.zz"): "text",
    (GROUP, b"\xff"): b"x",
    (GROUP, "nothing behind"): 1.5,
}


@pytest.fixture
def hostile(cli: CLI) -> CLI:
    """A damaged journal, with each kind of content that cannot be read among it."""
    damage(cli, DAMAGED)
    with closing(sqlite3.connect(cli.file)) as file, file:
        for (name, key), value in HOSTILE.items():
            text = "CAST(? AS TEXT)" if isinstance(key, bytes) else "?"
            file.execute(f"INSERT INTO entries VALUES (?, {text}, ?)", (name, key, value))  # noqa: S608
    return cli


def test_verify_finds_all_other_damage_and_names_what_it_cannot_read(hostile: CLI) -> None:
    lines = [json.loads(line) for line in hostile("verify", "-o", "json", code=1).lines]
    kinds = sorted(line["kind"] for line in lines if "kind" in line)
    unreadable = [line for line in lines if line.get("kind") == "unreadable-key"]

    assert kinds == sorted(DEEP + ["unreadable-key"] * len(HOSTILE))
    assert {(line["object"], line["key"]) for line in unreadable} == {
        (DIRECTORY, r"csi.volume.group.z\xff"),
        (DIRECTORY, "a number"),
        (DIRECTORY, "csi.volume.group.zz"),
        (GROUP, r"\xff"),
        (GROUP, "nothing behind"),
    }
    assert all(line["found"] and not line["automatic"] for line in unreadable)


@pytest.mark.parametrize("option", [[], ["-l"]])
def test_list_shows_all_others_and_says_how_many_it_cannot_read(
    hostile: CLI, option: list[str]
) -> None:
    result = hostile("list", *option)

    names = ["corrupt", "dangling", "right", "shared", "unpopulated"]
    assert [line.split()[-1] for line in result.lines[1:]] == names
    assert "2 keys of the directory cannot be read; verify names them" in result.err


def test_show_tells_a_reservation_and_what_of_it_it_cannot_read(hostile: CLI) -> None:
    out = hostile("show", "right").out
    assert "vol     snap" in out
    assert r"the key \xff is not UTF-8" in out
    assert "the key nothing behind has a value that is not bytes" in out
    assert uuid(2) in hostile("show", "dangling", code=3).out


def test_recover_rolls_back_all_that_it_can_read(hostile: CLI) -> None:
    result = hostile("recover", "--apply")
    for done in (f"group  {uuid(90)}", "entry  dangling", "entry  unpopulated"):
        assert f"removed {done}" in result.out
    assert "2 damaged entries and 2 unreadable keys left alone" in result.err


def test_export_keeps_what_it_can_read_and_names_the_rest(hostile: CLI) -> None:
    before = hostile.dump()
    result = hostile("export", "--all", "out")
    exported: dict[str, dict[str, bytes]] = {}
    for line in (hostile.folder / "out").read_text(encoding="utf-8").splitlines()[1:-1]:
        record = json.loads(line)
        keys = {key: str(value).encode() for key, value in record["keys"].items()}
        exported.setdefault(record["object"], {}).update(keys)
        assert record["object"] != GROUP or "whole" not in record

    del before[DIRECTORY][STALE_LEASE.key]
    assert exported == before
    named = [r"z\xff is not UTF-8", "a number", "zz has", r"key \xff is not", "nothing behind"]
    assert all(any(name in line for line in result.err.splitlines()) for name in named)
    assert result.err.count("left out: the key") == len(HOSTILE)


def test_repair_does_all_else_and_names_what_it_cannot_read(hostile: CLI) -> None:
    result = hostile("repair", "--full", "--apply", "--backup", "b", code=1)
    left = hostile("verify", "--full", "-o", "json", code=1).lines
    kinds = {line["kind"] for line in map(json.loads, left) if "kind" in line}
    assert kinds == {
        "corrupt-entry",
        "shared-uuid",
        "detached-group",
        "members-elsewhere",
        "unreadable-key",
    }
    assert result.out.count("unreadable-key") == len(HOSTILE)


def test_an_export_is_restored_beside_what_cannot_be_read(hostile: CLI) -> None:
    hostile("export", "--all", "out")
    before = hostile.dump()
    hostile("drop", "--entry", "right", "--apply")
    hostile("drop", "--group", uuid(5), "--apply")
    hostile("restore", "out", "--apply")
    assert hostile.dump() == before


def test_attach_and_drop_work_on_all_others_and_refuse_what_they_cannot_read(hostile: CLI) -> None:
    hostile("attach", uuid(5), "--apply")
    hostile("drop", "--entry", "corrupt", "--apply")
    hostile("drop", "--group", uuid(4), "--apply")
    for words in (["attach", uuid(1), "right"], ["drop", "--group", uuid(1)]):
        said = hostile.refused(*words, "--apply", code=17)
        assert "nothing behind has a value that is not bytes" in said
    names = {line.split()[-1] for line in hostile("list").lines[1:]}
    assert "detached" in names
    assert "corrupt" not in names


def test_an_object_that_looks_empty_but_is_not_is_left_alone(cli: CLI) -> None:
    """Repair would remove an empty object, and this one only cannot be read."""
    damage(cli, {DIRECTORY: {}, GROUPS.record_object(uuid(6)): {}})
    with closing(sqlite3.connect(cli.file)) as file, file:
        row = (GROUPS.record_object(uuid(6)), "member", 7)
        file.execute("INSERT INTO entries VALUES (?, ?, ?)", row)

    lines = [json.loads(line) for line in cli("verify", "-o", "json", code=1).lines]
    (empty,) = (line for line in lines if line.get("kind") == "empty-object")
    assert not empty["automatic"]
    assert empty["left_because"] == "The object holds a key that cannot be read."
