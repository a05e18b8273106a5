from __future__ import annotations

import pytest

from cli.conftest import CLI, OTHER_UUID, UUID

HANDLE = f"0001-0009-rook-ceph-0000000000000002-{UUID}"
ENDING_IN_UUID = f"groupsnapshot-{OTHER_UUID}"


@pytest.mark.parametrize(
    "what",
    [ENDING_IN_UUID, UUID, f"csi-vol-group-{UUID}", f"csi.volume.group.{UUID}", HANDLE],
    ids=["request name that ends in a UUID", "UUID", "group name", "object name", "handle"],
)
def test_a_group_is_found_by_each_of_its_names(cli: CLI, what: str) -> None:
    cli.put_entry(ENDING_IN_UUID, UUID)
    cli.put_group(UUID, ENDING_IN_UUID, vol="s")

    assert cli("show", what, "-o", "json").json == {
        "request_name": ENDING_IN_UUID,
        "group_uuid": UUID,
        "group_name": f"csi-vol-group-{UUID}",
        "creation_time": None,
        "volume_map": {"vol": "s"},
    }


def test_a_request_name_that_looks_like_a_uuid_is_found(cli: CLI) -> None:
    cli.put_entry(OTHER_UUID, UUID)
    cli.put_group(UUID, OTHER_UUID)

    assert cli("show", OTHER_UUID).lines[:2] == [
        f"request name   {OTHER_UUID}",
        f"group UUID     {UUID}",
    ]


def test_a_stale_entry_is_told_of_and_left_as_it_is(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    before = cli.dump()

    said = cli.refused("show", "snap-1", code=3)

    assert f"points at {UUID}, and there is no such group" in said
    assert "`csijournal check`" in said
    assert cli.dump() == before


def test_a_damaged_group_is_exit_code_6(cli: CLI) -> None:
    cli.put_entry("corrupt", "no UUID")
    cli.put_entry("mismatch", UUID)
    cli.put_group(UUID, "somebody")
    cli.put(f"csi.volume.group.{OTHER_UUID}", vol="s")

    assert "holds 'no UUID'" in cli.refused("show", "corrupt", code=6)
    assert "belongs to 'somebody'" in cli.refused("show", "mismatch", code=6)
    assert "no request name" in cli.refused("show", OTHER_UUID, code=6)


def test_what_answers_to_nothing_is_exit_code_3_and_says_what_was_tried(cli: CLI) -> None:
    cli("reserve", "snap-1")

    for what in ("snap", OTHER_UUID, HANDLE, f"csi-vol-group-{OTHER_UUID}"):
        assert "hint: It was looked for as a request name" in cli.refused("show", what, code=3)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("", "must not be empty"),
        ("x" * 129, "129 bytes"),
        (UUID.upper(), "is not a group UUID"),
        (UUID[:-1], "is not a group UUID"),
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
