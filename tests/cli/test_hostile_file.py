"""What cannot be read in a SQLite file is a finding, and hides nothing else."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from cli.conftest import CLI, DIRECTORY
from cli.damage import DAMAGED, DEEP, damage, uuid
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
