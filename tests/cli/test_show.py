from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from cli.conftest import CLI, OTHER_UUID, UUID
from cli.damage import damage, entries, group, uuid
from csijournal.wire.schema import GROUPS
from support.hostile import put_raw

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

HANDLE = f"0001-0009-rook-ceph-0000000000000002-{UUID}"
ENDING_IN_UUID = f"groupsnapshot-{OTHER_UUID}"
VOLUME = f"0001-0009-rook-ceph-0000000000000002-{uuid(77)}"


def commands(lines: list[str]) -> list[str]:
    """The command lines that were printed, without the program's name."""
    return [
        line.strip().removeprefix("csijournal ") for line in lines if " csijournal " in f" {line}"
    ]


# Finding it


@pytest.mark.parametrize(
    ("what", "how"),
    [
        (ENDING_IN_UUID, "request name"),
        (UUID, "group UUID"),
        (f"csi-vol-group-{UUID}", "group name"),
        (f"csi.volume.group.{UUID}", "name of a group object"),
        (HANDLE, "CSI handle"),
    ],
)
def test_a_group_is_found_by_each_of_its_names(cli: CLI, what: str, how: str) -> None:
    cli.put_entry(ENDING_IN_UUID, UUID)
    cli.put_group(UUID, ENDING_IN_UUID, vol="s")

    shown = cli("show", what, "-o", "json").json

    assert shown.pop("age_seconds") < 60
    assert shown.pop("judgements")[0]["kind"] == "missing-attribute"
    assert shown == {
        "request_name": ENDING_IN_UUID,
        "group_uuid": UUID,
        "group_name": f"csi-vol-group-{UUID}",
        "creation_time": None,
        "volume_map": {"vol": "s"},
        "journal": "groups",
        "uuid": UUID,
        "instance": "default",
        "found_as": [how],
        "entries": [ENDING_IN_UUID],
        "unreadable": [],
        "state": ["missing-attribute"],
        "refers_to": [],
        "referred_to_by": [],
        "searched": {"journals": [], "complete": True},
    }


def test_a_healthy_group_is_shown_with_age_entry_and_members(cli: CLI) -> None:
    damage(cli, entries(right=uuid(1)) | group("right", 1, vol="snap"))

    lines = cli("show", "right").lines

    assert lines[:4] == [
        "found as       request name",
        "request name   right",
        f"group UUID     {uuid(1)}",
        f"group name     csi-vol-group-{uuid(1)}",
    ]
    assert lines[5].startswith("last change    ")
    assert lines[5].endswith(" days ago")
    assert lines[6:] == [
        "members        1",
        "entries        right",
        "state          in order",
        "",
        "MEMBER  VALUE",
        "vol     snap",
    ]


def test_a_request_name_that_looks_like_a_uuid_is_found(cli: CLI) -> None:
    cli.put_entry(OTHER_UUID, UUID)
    cli.put_group(UUID, OTHER_UUID)

    assert cli("show", OTHER_UUID).lines[1:3] == [
        f"request name   {OTHER_UUID}",
        f"group UUID     {UUID}",
    ]


def test_a_request_name_that_is_another_groups_name_shows_both(cli: CLI) -> None:
    name = f"csi-vol-group-{uuid(2)}"
    damage(
        cli,
        entries(**{name: uuid(1), "other": uuid(2)}) | group(name, 1) | group("other", 2, vol="s"),
    )

    first, second = map(json.loads, cli("show", name, "-o", "json").lines)

    assert (first["found_as"], first["group_uuid"]) == (["request name"], uuid(1))
    assert (second["found_as"], second["group_uuid"]) == (["group name"], uuid(2))
    said = cli.refused("add", name, "vol=s", code=4)
    assert f"means two groups: as a request name {uuid(1)}, as a group name {uuid(2)}" in said


def test_a_volumes_handle_names_the_groups_that_hold_it(cli: CLI) -> None:
    damage(
        cli,
        entries(one=uuid(1), two=uuid(2), three=uuid(3))
        | group("one", 1, **{VOLUME: "snap"})
        | group("two", 2, **{"0001-other": VOLUME})
        | group("three", 3, vol="snap"),
    )

    lines = [
        line for line in cli("show", VOLUME).lines if line.startswith(("found as", "request name"))
    ]

    assert lines == [
        f"found as       member {VOLUME}",
        "request name   one",
        "found as       member 0001-other",
        "request name   two",
    ]


def test_a_group_that_nothing_points_at_is_found_by_its_name_when_all_is_searched(
    cli: CLI,
) -> None:
    damage(cli, entries(right=uuid(1)) | group("right", 1) | group("lost", 5, **{VOLUME: "snap"}))

    said = cli.refused("show", "lost", code=3)
    more = said.partition("To search all of it: csijournal ")[2]

    for what in ("lost", VOLUME):
        lines = cli(*shlex.split(more.replace("lost", what))).lines
        assert f"group UUID     {uuid(5)}" in lines
        assert any(line.startswith("state          detached-group: ") for line in lines)


def test_a_group_of_another_instance_is_told_with_its_entry_and_commands(cli: CLI) -> None:
    other = {"csi.groups.other": {GROUPS.entry_key("theirs"): uuid(8)}}
    damage(cli, entries(right=uuid(1)) | group("right", 1) | other)
    cli.put(GROUPS.record_object(uuid(8)), **{"csi.volname": "somebody", VOLUME: "snap"})

    lines = cli("show", VOLUME, "--referrers", code=6).lines

    assert "entries        theirs" in lines
    attach = f"--instance other attach {uuid(8)} theirs"
    assert attach in commands(lines)


# What is wrong with it, and what can be done


def test_a_stale_entry_is_told_of_and_left_as_it_is(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    before = cli.dump()

    for what in ("snap-1", UUID, HANDLE):
        result = cli("show", what, code=3)
        assert f"points at {UUID}, and there is no" in " ".join(result.out.split())
        assert commands(result.lines) == ["drop --entry snap-1"]
    assert cli.dump() == before


def test_a_group_in_the_hands_of_the_wrong_name_can_be_given_back_by_the_printed_commands(
    cli: CLI,
) -> None:
    damage(cli, entries(taker=uuid(1)) | group("owner", 1, vol="snap"))

    for what in ("taker", uuid(1)):
        shown = cli("show", what, code=6)
        text = " ".join(" ".join(shown.lines).split())
        assert "'taker' points at this group, which says that it belongs to 'owner'" in text
        assert "'owner' has no entry" in text
    attach, drop, back, *_ = commands(shown.lines)
    assert attach == f"attach {uuid(1)} taker"

    for line in (drop, back):
        cli(*shlex.split(line), "--apply")

    assert cli("verify", "--deep").lines[-1].strip() == "nothing is wrong"
    assert cli("show", "owner", "-o", "json").json["volume_map"] == {"vol": "snap"}


def test_a_group_can_be_given_to_the_name_that_points_at_it(cli: CLI) -> None:
    damage(cli, entries(taker=uuid(1)) | group("owner", 1, vol="snap"))

    cli(*shlex.split(commands(cli("show", "taker", code=6).lines)[0]), "--apply")

    assert cli("show", "taker", "-o", "json").json["state"] == ["ok"]


def test_a_mismatch_beside_a_whole_group_says_so(cli: CLI) -> None:
    damage(
        cli,
        entries(taker=uuid(1), owner=uuid(2)) | group("owner", 1, vol="s") | group("owner", 2),
    )

    shown = cli("show", "taker", "-o", "json", code=6).json

    assert shown["entries"] == ["taker"]
    assert f"'owner' has a group of its own, {uuid(2)}" in shown["judgements"][0]["sentence"]
    assert [
        ["drop", "--entry", "taker"],
        ["drop", "--entry", "owner"],
        ["attach", uuid(1)],
    ] == shown["judgements"][0]["choices"][1]["commands"]


def test_a_shared_group_is_left_to_the_name_that_it_says(cli: CLI) -> None:
    damage(cli, entries(taker=uuid(1), owner=uuid(1)) | group("owner", 1, vol="s"))

    shown = cli("show", "taker", code=6)

    assert commands(shown.lines) == ["drop --entry taker"]
    assert "entries        taker, owner" in shown.lines


def test_a_detached_group_is_told_as_such(cli: CLI) -> None:
    damage(cli, entries(right=uuid(1)) | group("right", 1) | group("lost", 5, vol="snap"))

    shown = cli("show", uuid(5))

    assert "entries        none that points here" in shown.lines
    assert commands(shown.lines) == [f"attach {uuid(5)}", f"drop --group {uuid(5)}"]


def test_a_group_that_is_being_made_is_pending(cli: CLI) -> None:
    cli.put_group(UUID, "young")

    shown = cli("show", UUID)

    assert "state          pending: no entry" in "\n".join(shown.lines)
    assert commands(shown.lines) == []


def test_a_damaged_group_is_exit_code_6(cli: CLI) -> None:
    cli.put_entry("corrupt", "no UUID")
    cli.put(f"csi.volume.group.{OTHER_UUID}", vol="s")

    shown = cli("show", "corrupt", code=6)
    assert "holds 'no UUID'" in shown.out
    assert commands(shown.lines) == ["drop --entry corrupt"]
    assert cli("show", OTHER_UUID, "-o", "json", code=6).json["request_name"] is None


def test_with_json_the_error_is_json_too(cli: CLI) -> None:
    damage(cli, entries(taker=uuid(1)) | group("owner", 1, vol="snap"))

    error = json.loads(cli("show", "taker", "-o", "json", code=6).err)

    assert error["error"] == "NameMismatch"
    assert error["exit_code"] == 6


def test_commands_carry_the_options_of_the_place(cli: CLI) -> None:
    store = ["--store", f"sqlite:{cli.folder}/other.db", "--instance", "other"]
    cli("reserve", "right", *store)
    cli.file = cli.folder / "other.db"
    cli.put("csi.groups.other", **{GROUPS.entry_key("-gone now"): UUID})

    (line,) = commands(cli("show", *store, "--", "-gone now", code=3).lines)
    cli(*shlex.split(line), "--apply")

    cli.refused("show", *store, "--", "-gone now", code=3)


@pytest.mark.ceph
def test_a_group_with_a_key_that_is_not_text_is_shown_with_the_rest_of_it(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    where = ["-c", str(ceph.conf), "-p", "csijournal-tests", "-N", "show"]
    made = cli("reserve", "snap", *where, "-o", "json").json
    group = GROUPS.record_object(made["group_uuid"])
    put_raw(ceph, "csijournal-tests", "show", group, b"vol\xff")
    put_raw(ceph, "csijournal-tests", "show", "csi.groups.default", b"csi.volume.group.\xfe")

    lines = cli("show", "snap", *where).lines

    assert [line.split()[:5] for line in lines if "not readable" in line] == [
        ["not", "readable", "the", "key", "vol\\xff"]
    ]
    assert f"group UUID     {made['group_uuid']}" in lines
    cli.refused("show", "other", *where, "--referrers", code=3)


# What is not there


def test_what_answers_to_nothing_is_exit_code_3_and_says_where_was_looked(cli: CLI) -> None:
    cli("reserve", "snap-1")

    for what in ("snap", OTHER_UUID, HANDLE, f"csi-vol-group-{OTHER_UUID}"):
        said = cli.refused("show", what, code=3)
        assert f"hint: Looked in sqlite://{cli.file}, instance default: for a request" in said
        assert f"To search all of it: csijournal show --referrers {what}\n" in said
        assert "To search" not in cli.refused("show", "--referrers", what, code=3)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("", "must not be empty"),
        ("x" * 256, "256 bytes"),
        (UUID.upper(), "is not a UUID"),
        (UUID[:-1], "is not a UUID"),
        (f"0001-0008-rook-ceph-0000000000000002-{UUID}", "is not a CSI handle: after a cluster id"),
        (f"0002-0009-rook-ceph-0000000000000002-{UUID}", "version 0002 is not known"),
        (b"\xff", "U+DCFF at position 1"),
    ],
)
def test_a_malformed_name_is_told_apart_from_one_that_is_not_there(
    cli: CLI, what: str | bytes, said: str
) -> None:
    cli("reserve", "snap-1")

    assert said in cli.refused("show", what)


def test_a_handle_in_many_damaged_groups_is_answered_without_a_search_for_each(cli: CLI) -> None:
    many = range(1, 31)
    omaps = entries(**{f"taker-{n}": uuid(n) for n in many})
    for n in many:
        omaps |= group(f"owner-{n}", n, **{VOLUME: "snap"})
    damage(cli, omaps)

    lines = cli("show", VOLUME, "-o", "json", code=6).lines

    assert len(lines) == len(many)
    assert {tuple(json.loads(line)["entries"]) for line in lines} == {(f"taker-{n}",) for n in many}
