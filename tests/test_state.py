"""One judge for every entry: what it points at and what its record says, as one table."""

from __future__ import annotations

from typing import Any

import pytest

from csijournal.journal.state import EntryState, classify
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, JournalSchema

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
HANDLE = f"0001-0004-ceph-0000000000000002-{UUID}"
IN_POOL = f"0000000000000003/{UUID}"

Keys = dict[str, bytes]


def state_of(
    schema: JournalSchema[Any], keys: Keys | None, *, name: str = "n", value: str = UUID
) -> EntryState:
    """The state of an entry `name` that holds `value`, before a record of these keys."""
    record = None if keys is None else schema.parse(keys)
    return classify(name, schema.parse_target(name, value.encode()), record)


def by_name(schema: JournalSchema[Any], request_name: bytes) -> Keys:
    return {schema.name_key: request_name, schema.image_key: b"x-" + UUID.encode()}


@pytest.mark.parametrize("schema", [VOLUMES, SNAPSHOTS, GROUPS], ids=lambda schema: schema.journal)
class TestEveryJournal:
    """What holds whatever the journal."""

    def test_an_entry_and_a_record_of_one_name_are_complete(
        self, schema: JournalSchema[Any]
    ) -> None:
        assert state_of(schema, by_name(schema, b"n")) is EntryState.COMPLETE

    def test_an_entry_without_a_record_dangles(self, schema: JournalSchema[Any]) -> None:
        assert state_of(schema, None) is EntryState.DANGLING
        assert state_of(schema, None).is_stale

    def test_a_record_without_any_key_is_unpopulated(self, schema: JournalSchema[Any]) -> None:
        assert state_of(schema, {}) is EntryState.UNPOPULATED
        assert state_of(schema, {}).is_stale

    def test_a_record_without_its_name_but_with_more_is_nameless_and_never_stale(
        self, schema: JournalSchema[Any]
    ) -> None:
        state = state_of(schema, {"csi.of.tomorrow": b""})
        assert state is EntryState.NAMELESS
        assert not state.is_stale

    @pytest.mark.parametrize("owner", [b"other", b"", b"n ", b"\xff"])
    def test_a_record_of_any_other_name_is_another_ones(
        self, schema: JournalSchema[Any], owner: bytes
    ) -> None:
        state = state_of(schema, by_name(schema, owner))
        assert state is EntryState.OTHER_NAME
        assert not state.is_stale

    @pytest.mark.parametrize("value", ["", "garbage", UUID.upper(), UUID[:-1], f"02/{UUID}", "/"])
    @pytest.mark.parametrize("keys", [None, {}], ids=["no record", "empty record"])
    def test_an_entry_that_leads_nowhere_is_unreadable_whatever_is_there(
        self, schema: JournalSchema[Any], value: str, keys: Keys | None
    ) -> None:
        assert state_of(schema, keys, value=value) is EntryState.UNREADABLE


@pytest.mark.parametrize("schema", [VOLUMES, SNAPSHOTS], ids=lambda schema: schema.journal)
def test_an_entry_that_leads_to_another_pool_is_never_called_dangling(
    schema: JournalSchema[Any],
) -> None:
    assert state_of(schema, None, value=IN_POOL) is EntryState.ELSEWHERE


@pytest.mark.parametrize("schema", [VOLUMES, SNAPSHOTS], ids=lambda schema: schema.journal)
def test_a_mapping_of_handles_is_never_called_damage(schema: JournalSchema[Any]) -> None:
    assert state_of(schema, None, name=HANDLE, value=HANDLE) is EntryState.MAPPING


@pytest.mark.parametrize("value", [IN_POOL, HANDLE])
def test_the_group_journal_knows_neither_pools_nor_mappings(value: str) -> None:
    assert state_of(GROUPS, None, name=HANDLE, value=value) is EntryState.UNREADABLE


def test_a_group_that_lost_its_name_is_in_use_only_with_members() -> None:
    attributes = {"csi.groupname": b"g", "csi.creationtime": b"2026-01-01T00:00:00Z"}
    assert state_of(GROUPS, attributes) is EntryState.UNPOPULATED
    assert state_of(GROUPS, attributes | {"vol": b""}) is EntryState.NAMELESS


@pytest.mark.parametrize("key", ["csi.imagename", "csi.imageid", "csi.nfs.cluster", "csi.source"])
def test_a_volume_that_lost_its_name_is_in_use_whatever_else_it_says(key: str) -> None:
    assert state_of(VOLUMES, {key: b"x"}) is EntryState.NAMELESS
