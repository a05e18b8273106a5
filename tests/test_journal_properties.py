"""Any sequence of operations does to the store what it does to a plain dictionary."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from csijournal import EnsureResult, Entry, Reservation, Store, Timestamp
from csijournal.errors import (
    AlreadyReserved,
    GroupNotFound,
    InvalidGroupName,
    InvalidInput,
    InvalidMember,
    InvalidRequestName,
    UndoRefused,
)
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore
from support import strategies
from support.counting import CountingStore
from support.journals import bare_journal, seconds_later, uuid_number, uuids
from support.places import Omaps, dump

DIRECTORY = "csi.groups.default"


@dataclass
class Group:
    """One reservation as the model knows it."""

    request_name: str
    group_uuid: str
    group_name: str
    created: Timestamp
    members: dict[str, str] = field(default_factory=dict)

    def reservation(self) -> Reservation:
        return Reservation(
            self.request_name, self.group_uuid, self.group_name, self.created, dict(self.members)
        )

    def omap(self) -> dict[str, str]:
        return {
            **self.members,
            "csi.volname": self.request_name,
            "csi.groupname": self.group_name,
            "csi.creationtime": str(self.created),
        }


class JournalMachine(RuleBasedStateMachine):
    """Drives a journal and a model of it; `open_store` says on which store."""

    request_names = Bundle("request_names")
    group_uuids = Bundle("group_uuids")

    def __init__(self) -> None:
        super().__init__()
        self.store = CountingStore(self.open_store())
        self.journal = bare_journal(self.store, new_uuids=self.draw_uuids(), clock=self.clock)
        self.groups: dict[str, Group] = {}
        self.seconds = 0
        self.drawn = 0
        self.ever_reserved = False

    def open_store(self) -> Store:
        raise NotImplementedError

    def draw_uuids(self) -> Iterator[str]:
        for group_uuid in uuids():
            self.drawn += 1
            yield group_uuid

    def clock(self) -> Timestamp:
        self.seconds += 1
        return seconds_later(self.seconds, self.seconds)

    def group(self, group_uuid: str) -> Group | None:
        return next((g for g in self.groups.values() if g.group_uuid == group_uuid), None)

    def made(self, request_name: str, prefix: str) -> Group:
        """The model's next group, as the journal has just made it."""
        group_uuid = uuid_number(self.drawn)
        group_name = (prefix or "csi-vol-group-") + group_uuid
        created = seconds_later(self.seconds, self.seconds)
        self.ever_reserved = True
        self.groups[request_name] = Group(request_name, group_uuid, group_name, created)
        return self.groups[request_name]

    @rule(target=request_names, request_name=strategies.names())
    def name(self, request_name: str) -> str:
        return request_name

    @rule(target=group_uuids, request_name=request_names, prefix=strategies.prefixes())
    def reserve(self, request_name: str, prefix: str) -> object:
        held = self.groups.get(request_name)
        if held is None:
            answer = self.journal.reserve_name(request_name, prefix)
            assert answer == self.made(request_name, prefix).reservation()
            return answer.group_uuid
        with pytest.raises(AlreadyReserved) as caught:
            self.journal.reserve_name(request_name, prefix)
        assert caught.value.group_uuid == held.group_uuid
        return multiple()

    @rule(target=group_uuids, request_name=request_names, prefix=strategies.prefixes())
    def ensure(self, request_name: str, prefix: str) -> str:
        held = self.groups.get(request_name)
        answer = self.journal.ensure_reservation(request_name, prefix)
        group = held or self.made(request_name, prefix)
        assert answer == EnsureResult(group.reservation(), created=held is None)
        return group.group_uuid

    @rule(request_name=request_names)
    def check(self, request_name: str) -> None:
        held = self.groups.get(request_name)
        assert self.journal.check_reservation(request_name) == (held and held.reservation())

    @rule(group_uuid=group_uuids)
    def attributes(self, group_uuid: str) -> None:
        group = self.group(group_uuid)
        if group is None:
            with pytest.raises(GroupNotFound):
                self.journal.get_volume_group_attributes(group_uuid)
        else:
            found = self.journal.get_volume_group_attributes(group_uuid)
            assert found == group.reservation()

    @rule(group_uuid=group_uuids, request_name=request_names, prefix=strategies.prefixes())
    def undo(self, group_uuid: str, request_name: str, prefix: str) -> None:
        group = self.group(group_uuid)
        if group is not None and group.request_name != request_name:
            with pytest.raises(UndoRefused):
                self.journal.undo_reservation(prefix + group_uuid, request_name)
            return
        self.journal.undo_reservation(prefix + group_uuid, request_name)
        if group is not None:
            del self.groups[request_name]

    @rule(group_uuid=group_uuids)
    def undo_by_its_own_name(self, group_uuid: str) -> None:
        group = self.group(group_uuid)
        if group is not None:
            self.undo(group_uuid, group.request_name, "")

    @rule(request_name=request_names)
    def undo_without_a_group_name(self, request_name: str) -> None:
        if request_name in self.groups:
            with pytest.raises(UndoRefused):
                self.journal.undo_reservation("", request_name)
        else:
            self.journal.undo_reservation("", request_name)

    @rule(group_uuid=group_uuids, volume_map=strategies.volume_maps())
    def add(self, group_uuid: str, volume_map: dict[str, str]) -> None:
        group = self.group(group_uuid)
        if group is None and volume_map:
            with pytest.raises(GroupNotFound):
                self.journal.add_volumes_mapping(group_uuid, volume_map)
            return
        self.journal.add_volumes_mapping(group_uuid, volume_map)
        if group is not None:
            group.members.update(volume_map)

    @rule(group_uuid=group_uuids, others=st.lists(strategies.member_ids()), data=st.data())
    def remove(self, group_uuid: str, others: list[str], data: st.DataObject) -> None:
        group = self.group(group_uuid)
        members = sorted(group.members) if group else []
        chosen = data.draw(st.lists(st.sampled_from(members)) if members else st.just([]))
        self.journal.remove_volumes_mapping(group_uuid, chosen + others)
        for volume_id in chosen + others:
            if group is not None:
                group.members.pop(volume_id, None)

    @rule(prefix=st.just("") | strategies.names())
    def list_by_prefix(self, prefix: str) -> None:
        expected = [
            Entry(name, group.group_uuid, group.group_uuid)
            for name, group in sorted(self.groups.items())
            if name.startswith(prefix)
        ]
        assert list(self.journal.list_reservations(prefix)) == expected

    @rule(group_uuid=group_uuids, text=strategies.invalid_names(), member=strategies.member_ids())
    def give_an_invalid_name(self, group_uuid: str, text: str, member: str) -> None:
        self.refused(InvalidRequestName, "check_reservation", text)
        self.refused(InvalidRequestName, "reserve_name", text)
        self.refused(InvalidRequestName, "ensure_reservation", text)
        self.refused(InvalidRequestName, "undo_reservation", group_uuid, text)
        if text:
            self.refused(InvalidGroupName, "reserve_name", member[:1], text)

    @rule(
        group_uuid=group_uuids,
        text=strategies.invalid_member_ids(),
        volume_map=strategies.volume_maps(),
    )
    def give_an_invalid_member(
        self, group_uuid: str, text: str, volume_map: dict[str, str]
    ) -> None:
        self.refused(InvalidMember, "add_volumes_mapping", group_uuid, {**volume_map, text: ""})
        self.refused(InvalidMember, "remove_volumes_mapping", group_uuid, [*volume_map, text])

    def refused(self, kind: type[InvalidInput], operation: str, *arguments: object) -> None:
        self.store.take()
        with pytest.raises(kind):
            getattr(self.journal, operation)(*arguments)
        assert self.store.take() == []

    @invariant()
    def the_store_holds_what_the_model_does_and_nothing_else(self) -> None:
        expected: Omaps = {
            f"csi.volume.group.{group.group_uuid}": group.omap() for group in self.groups.values()
        }
        if self.ever_reserved:
            expected[DIRECTORY] = {
                f"csi.volume.group.{name}": group.group_uuid for name, group in self.groups.items()
            }
        assert dump(self.store.inner) == expected

    def teardown(self) -> None:
        self.store.close()


class OnMemory(JournalMachine):
    def open_store(self) -> Store:
        return MemoryStore()


class OnSQLite(JournalMachine):
    def open_store(self) -> Store:
        self.folder = tempfile.TemporaryDirectory()
        return SQLiteStore(Path(self.folder.name) / "journal.db")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestOnMemory = OnMemory.TestCase
TestOnMemory.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOnSQLite = OnSQLite.TestCase
TestOnSQLite.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
