"""The journals of volumes and snapshots under the explorer.

Contents, invariants and mutations speak of groups.  A client here runs the
real journal of another schema; a store between it and the scheduler puts the
names of groups in the place of that schema's, one for one.  So what is walked
is the journal's own order of reads and writes, with its own guards.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Union

from csijournal import Reservation, SnapshotJournal, Store, VolumeJournal
from csijournal.check.findings import Finding, FindingKind
from csijournal.errors import GroupNotFound, RecordNotFound
from csijournal.journal.model import EnsureResult, ImageReservation
from csijournal.journal.recover import Recovery
from csijournal.store import (
    Guarantee,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectState,
    Write,
)
from csijournal.store.contract import PAGE_ENTRIES_MAX, Guard
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import (
    CREATION_TIME_KEY,
    GROUP_ID_KEY,
    GROUP_NAME_KEY,
    IMAGE_ID_KEY,
    REQUEST_NAME_KEY,
    SOURCE_NAME_KEY,
    SnapshotRecord,
    VolumeRecord,
)
from csijournal.wire.schema import GROUPS, VOLUMES, JournalSchema
from csijournal.wire.uuids import UUID_LENGTH
from explorer.clients import Script
from explorer.contents import NOW
from explorer.history import Event
from explorer.repairers import repair
from explorer.scenarios import FIRST_OF_A, OLD, Act, Caller, Client, Scenario

Schema = Union[JournalSchema[VolumeRecord], JournalSchema[SnapshotRecord]]
IMAGE_ID, GROUP_ID = "m", "g"
"""The members of groups that stand for an image id and for a group id."""

SOURCE = "csi-vol-source"


class Renamed(Store):
    """`inner`, which holds groups, seen as one that holds another journal."""

    guarantees = Guarantee.NONE

    def __init__(self, inner: Store, schema: Schema) -> None:
        self._inner = inner
        self._schema = schema
        attributes = {
            schema.name_key: REQUEST_NAME_KEY,
            schema.image_key: GROUP_NAME_KEY,
            IMAGE_ID_KEY: IMAGE_ID,
            GROUP_ID_KEY: GROUP_ID,
            # A key that reserve writes in both, and that says nothing of use.
            SOURCE_NAME_KEY: CREATION_TIME_KEY,
        }
        self._there = attributes
        self._back = {group_key: key for key, group_key in attributes.items()}

    @property
    def place(self) -> str:
        return self._inner.place

    def connect(self) -> None:
        self._inner.connect()

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        asked = [self._key(object_name, key) for key in keys]
        return self._read(object_name, self._inner.read_keys(self._object(object_name), asked))

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        after, prefix = self._key(object_name, after), self._key(object_name, prefix)
        name = self._object(object_name)
        page = self._inner.read_page(name, after=after, prefix=prefix, limit=limit)
        return self._read(object_name, page)

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        del sentinel
        return self._read(object_name, self._inner.read_object(self._object(object_name)))

    def read_state(self, object_name: str) -> ObjectState | None:
        state = self._inner.read_state(self._object(object_name))
        if state is None:
            return None
        return replace(state, entries=self._read(object_name, state.entries) or {})

    @property
    def stands_alone(self) -> bool:
        return self._inner.stands_alone

    def object_names(self, prefix: str = "") -> Iterator[str]:
        """Only directories are listed, by who must know every instance."""
        own, theirs = self._schema.directory_prefix, GROUPS.directory_prefix
        for name in self._inner.object_names(_moved(prefix, own, theirs)):
            yield _moved(name, theirs, own)

    def modified_ns(self, object_name: str) -> int | None:
        return self._inner.modified_ns(self._object(object_name))

    def write(self, write: Write) -> None:
        name = write.object_name
        self._inner.write(
            Write(
                self._object(name),
                tuple(self._guard(name, guard) for guard in write.guards),
                {self._key(name, key): value for key, value in write.puts.items()},
                [self._key(name, key) for key in write.deletions],
                write.remove_object,
            )
        )

    def close(self) -> None:
        self._inner.close()

    def _object(self, name: str) -> str:
        instance_id = self._schema.instance_of(name)
        if instance_id is not None:
            return GROUPS.directory_prefix + instance_id
        uuid = self._schema.uuid_of_record(name)
        assert uuid is not None, f"{name} is not the journal's"
        return GROUPS.record_prefix + uuid

    def _key(self, object_name: str, key: str) -> str:
        if self._schema.instance_of(object_name) is None:
            return self._there.get(key, key)
        return _moved(key, self._schema.entry_prefix, GROUPS.entry_prefix)

    def _read(
        self, object_name: str, entries: Mapping[str, bytes] | None
    ) -> dict[str, bytes] | None:
        if entries is None:
            return None
        if self._schema.instance_of(object_name) is None:
            return {self._back.get(key, key): value for key, value in entries.items()}
        prefixes = GROUPS.entry_prefix, self._schema.entry_prefix
        return {_moved(key, *prefixes): value for key, value in entries.items()}

    def _guard(self, object_name: str, guard: Guard) -> Guard:
        if isinstance(guard, (KeyAbsent, KeyPresent, KeyEquals)):
            return replace(guard, key=self._key(object_name, guard.key))
        return guard


def _moved(key: str, old: str, new: str) -> str:
    return new + key[len(old) :] if key.startswith(old) else key


class AsGroups:
    """A journal of images, called as `Caller` calls one of groups."""

    def __init__(
        self, journal: VolumeJournal | SnapshotJournal, arguments: Mapping[str, str]
    ) -> None:
        self._journal: Any = journal  # the two take different arguments
        self._arguments = arguments
        self.recover: Callable[[float], Recovery] = journal.recover
        self.close = journal.close

    def check_reservation(self, name: str) -> Reservation | None:
        found = self._journal.check_reservation(name, **self._arguments)
        return None if found is None else _as_group(found)

    def reserve_name(self, name: str, *, uuid: str | None = None) -> Reservation:
        return _as_group(self._journal.reserve_name(name, uuid=uuid, **self._arguments))

    def ensure_reservation(
        self, name: str, *, uuid: str | None = None
    ) -> EnsureResult[Reservation]:
        ensured = self._journal.ensure_reservation(name, uuid=uuid, **self._arguments)
        return EnsureResult(_as_group(ensured.reservation), created=ensured.created)

    def undo_reservation(self, group_name: str, name: str) -> None:
        uuid = group_name[-UUID_LENGTH:]
        image_name = self._journal.schema.make_image_name("", uuid) if group_name else ""
        self._journal.undo_reservation(image_name, name)

    def add_volumes_mapping(self, uuid: str, members: Mapping[str, str]) -> None:
        put = {IMAGE_ID: self._journal.put_image_id, GROUP_ID: self._journal.put_group_id}
        for member, value in members.items():
            try:
                put[member](uuid, "n", value)
            except RecordNotFound as error:
                raise GroupNotFound(error.message) from error

    def remove_volumes_mapping(self, uuid: str, members: Iterable[str]) -> None:
        raise NotImplementedError(f"{uuid} keeps {members}: images lose no attribute")

    def get_volume_group_attributes(self, uuid: str) -> Reservation:
        raise NotImplementedError(uuid)


def _as_group(found: ImageReservation) -> Reservation:
    said = {IMAGE_ID: found.image_id, GROUP_ID: found.group_id}
    members = {member: value for member, value in said.items() if value}
    return Reservation(found.request_name, found.uuid, found.image_name, None, members)


@dataclass(frozen=True)
class ImageClient(Client):
    """A client of the journal of volumes or of snapshots."""

    schema: Schema = VOLUMES

    def script(self, grace_seconds: float) -> Script:
        def run(store: Store, say: Callable[[Event], None]) -> None:
            uuids = iter(self.own_uuids)
            caller = Caller(
                store,
                say,
                uuids,
                lease_size=self.lease_size,
                grace_seconds=grace_seconds,
                tries=self.tries,
            )
            kind: Any = VolumeJournal if self.schema is VOLUMES else SnapshotJournal
            journal = kind(
                Renamed(store, self.schema),
                settle_seconds=0,
                lease_size=self.lease_size,
                grace_seconds=grace_seconds,
                new_uuid=lambda: next(uuids),
                clock=lambda: NOW,
                stands_behind=lambda _uuid, _image_name: False,
            )
            arguments = {} if self.schema is VOLUMES else {"source_name": SOURCE}
            caller.journal = AsGroups(journal, arguments)  # type: ignore[assignment]
            for act in self.acts:
                act(caller)
            caller.journal.close()

        return run


def put_image_id(caller: Caller) -> None:
    """What a driver does once the image exists."""
    caller.add(IMAGE_ID, "10ab12cd34ef")


def put_group_id(caller: Caller) -> None:
    caller.add(GROUP_ID, "a-group")


def repairs(schema: Schema, client: Callable[..., ImageClient]) -> Iterator[Scenario]:
    """Repair beside a client that makes what it takes for left behind."""
    reserve, seen = Caller.reserve, partial(Renamed, schema=schema)

    def found(kind: FindingKind, uuid: str, *, of_entry: bool = False) -> Finding:
        directory = schema.directory_object(DEFAULT_INSTANCE_ID)
        return Finding(
            kind,
            directory if of_entry else schema.record_object(uuid),
            DEFAULT_INSTANCE_ID if of_entry else "",
            request_name="n" if of_entry else None,
            uuid=uuid,
            automatic=True,
            journal=schema.journal,
        )

    orphan = repair(found(FindingKind.ORPHAN_RECORD, FIRST_OF_A), seen)
    dangling = repair(found(FindingKind.DANGLING_ENTRY, OLD, of_entry=True), seen)
    yield Scenario("repair orphan-record | reserve", (orphan, client("A", reserve)))
    yield Scenario(
        "repair orphan-record | reserve without a lease",
        (orphan, client("A", reserve, lease_size=0)),
    )
    yield Scenario(
        "repair dangling-entry | ensure", (dangling, client("A", Caller.ensure)), dangling=True
    )
    yield Scenario(
        "repair dangling-entry | reserve the same UUID",
        (dangling, client("A", Caller.reserve_chosen)),
        dangling=True,
    )


def scenarios(schema: Schema) -> tuple[Scenario, ...]:
    """Two clients of one journal each."""

    def client(name: str, *acts: Act, lease_size: int = 1) -> ImageClient:
        return ImageClient(name, acts, lease_size, schema=schema)

    ensure, undo, check = Caller.ensure, Caller.undo, Caller.check
    recover = ImageClient("R", (Caller.recover,), tries=1, schema=schema)
    return (
        *repairs(schema, client),
        Scenario("ensure | ensure", (client("A", ensure), client("B", ensure))),
        Scenario(
            "ensure, put image id | ensure, put group id",
            (client("A", ensure, put_image_id), client("B", ensure, put_group_id)),
        ),
        Scenario(
            "put image id | undo", (client("A", put_image_id), client("B", undo)), reserved=True
        ),
        Scenario(
            "undo, ensure | put group id",
            (client("A", undo, ensure), client("B", put_group_id)),
            reserved=True,
        ),
        Scenario(
            "ensure, check | ensure, undo", (client("A", ensure, check), client("B", ensure, undo))
        ),
        Scenario("ensure, put image id | recover", (client("A", ensure, put_image_id), recover)),
    )
