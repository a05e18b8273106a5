from __future__ import annotations

import pytest

from cli.conftest import CLI, UUID


@pytest.fixture
def reserved(cli: CLI) -> CLI:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1", a="1", b="2", c="3")
    return cli


def test_members_are_removed_and_those_that_are_not_there_are_fine(reserved: CLI) -> None:
    result = reserved("remove", "snap-1", "a", "b", "missing")

    assert result.out == f"removed: 2 members from csi-vol-group-{UUID}\n"
    assert list(reserved.dump()[f"csi.volume.group.{UUID}"]) == ["c", "csi.volname"]


def test_json_keeps_a_record_of_what_went(reserved: CLI) -> None:
    answer = reserved("remove", UUID, "a", "missing", "-o", "json").json

    assert answer == {"group_uuid": UUID, "removed": {"a": "1"}}


def test_the_groups_own_attributes_cannot_be_removed(reserved: CLI) -> None:
    before = reserved.dump()

    assert "starts with 'csi.'" in reserved.refused("remove", "snap-1", "a", "csi.volname")
    assert reserved.dump() == before


def test_a_call_without_members_is_refused(cli: CLI) -> None:
    assert "MEMBER" in cli.refused("remove", "snap-1")


def test_a_group_that_is_not_there_is_exit_code_3(reserved: CLI) -> None:
    reserved.refused("remove", "other", "a", code=3)
