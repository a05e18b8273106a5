"""What a store holds, as a value: numbered, so that states are small and compare fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from csijournal.store import Write
from csijournal.wire.leases import LEASE_PREFIX, Lease, parse_lease
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import group_attributes, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import decode
from csijournal.wire.timestamps import Timestamp
from explorer.operations import Answer, Operation
from explorer.versions import NumberedStore, Pairs, Snapshot

Objects = tuple[Snapshot, ...]
Foreign = tuple[tuple[str, Pairs], ...]
Mutation = Callable[[Write], Write]

NOW = Timestamp(1_600_000_000_000_000_000)
"""What every clock says, always: no clock helps anybody."""

DIRECTORY = GROUPS.directory_object(DEFAULT_INSTANCE_ID)
FOREIGN_UUID = "ffffffff-0000-4000-8000-ffffffffffff"
"""A group of another instance."""

FOREIGN: dict[str, dict[str, bytes]] = {
    GROUPS.directory_object("other"): {GROUPS.entry_key("n"): FOREIGN_UUID.encode()},
    GROUPS.record_object(FOREIGN_UUID): {
        **group_attributes("n", f"other-{FOREIGN_UUID}", Timestamp(1)),
        "member": b"",
    },
    f"csi.volume.{FOREIGN_UUID}": {"csi.volname": b"n"},
    "csi.volumes.default": {"csi.volume.n": FOREIGN_UUID.encode()},
}
"""What others keep in the same pool; nobody may ever touch it."""


@dataclass(frozen=True)
class Group:
    """A group object: its request name, where it has one, its members, and has it a group name?"""

    request_name: str
    members: frozenset[tuple[str, str]]
    is_named: bool

    @property
    def is_empty(self) -> bool:
        """Whether it is nobody's: a peer's before its attributes, or one that a cleanup made."""
        return not self.request_name and not self.members


@dataclass(frozen=True)
class View:
    """The contents as the invariants look at them; `taken` are UUIDs that leases list."""

    entries: dict[str, str]
    groups: dict[str, Group]
    lease_ids: frozenset[str]
    taken: frozenset[str]
    foreign: Foreign

    def whole(self, request_name: str, group_uuid: str) -> bool:
        """Whether entry and populated group object say the same."""
        group = self.groups.get(group_uuid)
        return (
            self.entries.get(request_name) == group_uuid
            and group is not None
            and group.request_name == request_name
            and group.is_named
        )


class Contents:
    """Every content that a walk has met, by number, and what operations make of it.

    All work is done by a MemoryStore; each answer is then kept.  `mutation`
    changes writes before they reach it.
    """

    def __init__(self, mutation: Mutation | None = None) -> None:
        self._mutation = mutation
        self._numbers: dict[Objects, int] = {}
        self._objects: list[Objects] = []
        self._views: list[View | None] = []
        self._performed: dict[tuple[int, Operation], tuple[Answer, int]] = {}

    def number(self, store: NumberedStore) -> int:
        """The number of what `store` holds."""
        return self._number(store.snapshots())

    def load(self, number: int) -> NumberedStore:
        """A store that holds these contents."""
        return NumberedStore(NOW, self._objects[number])

    def perform(self, number: int, operation: Operation) -> tuple[Answer, int]:
        """The answer to `operation`, and the contents after it."""
        known = self._performed.get((number, operation))
        if known is None:
            known = self._performed[number, operation] = self._perform(number, operation)
        return known

    def objects(self, number: int) -> Objects:
        """The contents themselves."""
        return self._objects[number]

    def view(self, number: int) -> View:
        view = self._views[number]
        if view is None:
            view = self._views[number] = _view(self._objects[number])
        return view

    def _perform(self, number: int, operation: Operation) -> tuple[Answer, int]:
        store = self.load(number)
        if operation.is_write and self._mutation is not None:
            operation = Operation.of_write(self._mutation(operation.write))
        answer = Answer.to(operation, store)
        return answer, self.number(store) if operation.leaves_traces else number

    def _number(self, objects: Objects) -> int:
        number = self._numbers.setdefault(objects, len(self._objects))
        if number == len(self._objects):
            self._objects.append(objects)
            self._views.append(None)
        return number


def _view(objects: Objects) -> View:
    entries: dict[str, str] = {}
    groups: dict[str, Group] = {}
    leases: list[Lease] = []
    foreign: list[tuple[str, Pairs]] = []
    for name, pairs, _, _ in objects:
        if pairs is None:
            continue
        group_uuid = GROUPS.uuid_of_record(name)
        if name == DIRECTORY:
            unknown = _sort_directory(pairs, entries, leases)
            if unknown:
                foreign.append((name, unknown))
        elif group_uuid and group_uuid != FOREIGN_UUID:
            record = parse_group(dict(pairs))
            groups[group_uuid] = Group(
                record.request_name or "",
                frozenset(record.volume_map.items()),
                bool(record.group_name),
            )
        else:
            foreign.append((name, pairs))
    lease_ids = frozenset(lease.lease_id for lease in leases)
    taken = frozenset(uuid for lease in leases for uuid in lease.uuids)
    return View(entries, groups, lease_ids, taken, tuple(foreign))


def _sort_directory(
    pairs: Iterable[tuple[str, bytes]], entries: dict[str, str], leases: list[Lease]
) -> tuple[tuple[str, bytes], ...]:
    """Sort the directory's keys into `entries` and `leases`; return the others."""
    unknown = []
    for key, value in pairs:
        request_name = GROUPS.request_name_of_entry(key)
        if request_name is not None:
            entries[request_name] = decode(value)
        elif key.startswith(LEASE_PREFIX):
            lease = parse_lease(key, value)
            assert lease is not None
            leases.append(lease)
        else:
            unknown.append((key, value))
    return tuple(unknown)
