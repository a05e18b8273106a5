"""Attaching an image that exists: its record and its entry, made again.

What reserve would have written, with the UUID that the image has already.  The
steps are those of a reservation without a lease (`journal.reservations`): the
record, whole or what it lacks; the entry, if the name is absent; and the
record's name once more, which tells whether somebody removed it in between.
Nothing that is there is ever overwritten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from csijournal.check.behind import role_of
from csijournal.check.instances import open_instance
from csijournal.errors import Conflict, InvalidRequestName, PlaceUnusable, SplitReservation
from csijournal.inventory.contract import Inventory
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords, LeaseCondition, Records
from csijournal.repair.attach_image import FoundImage, attributes_for, is_still_there
from csijournal.repair.plan import Plan, Step
from csijournal.repair.planners import instances_of, revoke_step
from csijournal.store.contract import KeyEquals, ObjectState, Store, Unchanged, Write
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.records import (
    EMPTY_KEY,
    ENCRYPTION_TYPE_KEY,
    IMAGE_ID_KEY,
    KMS_ID_KEY,
    OWNER_KEY,
    ImageRecord,
)
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import decode, encode, shortened
from csijournal.wire.timestamps import Timestamp


@dataclass(frozen=True)
class Pointer:
    """An entry that leads to a UUID: whose instance, and which request name."""

    instance_id: str
    request_name: str


class Pointers:
    """Which entries lead to which UUID, of all instances of a place.

    Read once, at the first question: some 250 bytes for each entry.
    """

    def __init__(self, store: Store, schema: AnySchema) -> None:
        self._store = store
        self._schema = schema

    def to(self, uuid: str) -> tuple[Pointer, ...]:
        """The entries that lead to the UUID."""
        return tuple(self._by_uuid.get(uuid, ()))

    @cached_property
    def _by_uuid(self) -> Mapping[str, list[Pointer]]:
        found: defaultdict[str, list[Pointer]] = defaultdict(list)
        for instance_id in instances_of(self._store, self._schema):
            records: AnyRecords = Records(self._store, self._schema, instance_id, validate=False)
            for page in records.entry_pages():
                for entry in page:
                    if isinstance(entry.target, (RecordHere, RecordInPool)):
                        pointer = Pointer(instance_id, entry.request_name)
                        found[entry.target.uuid].append(pointer)
        return found


class ImageAttacher:
    """Plans how volumes or snapshots of one instance are attached.  Writes nothing."""

    def __init__(
        self,
        store: Store,
        schema: AnySchema,
        instance_id: str,
        *,
        inventory: Inventory,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._instance_id = instance_id
        self.schema = schema
        self.records: AnyRecords = Records(store, schema, instance_id)
        self.pointers = Pointers(store, schema)

    def record_of(self, uuid: str) -> ImageRecord | None:
        """What is left of the record."""
        record = self.records.read_record(uuid)
        assert record is None or isinstance(record, ImageRecord)  # noqa: S101 - by the schema
        return record

    def plan(self, uuid: str, found: FoundImage) -> Plan | None:
        """What makes record and entry of the image again; None where all is there.

        Raises InvalidRequestName where nobody says the name, Conflict where
        another entry or record stands in the way, and UnreadableContent.
        """
        name = found.told.request_name
        if not name:
            raise InvalidRequestName(
                f"nothing says for which request the {self.schema.noun} {uuid} was made",
                object_name=self.schema.record_object(uuid),
                hint="Give the name: that of the PersistentVolume, or snapshot- and the UID of the"
                " VolumeSnapshot; or give their list with --kubernetes FILE",
            )
        self.schema.require_request_name(name)
        self._require_no_shards()
        self._require_unpointed(uuid, name)
        entry = self._entry(name, uuid)
        steps = tuple(self._steps(uuid, name, found, entry))
        subject = f"attach the {self.schema.noun} {uuid} to {shortened(name)} in {self._where}"
        names = (name, uuid, self.schema.record_object(uuid))
        return Plan(subject, steps, names) if steps else None

    # The steps

    def _steps(
        self, uuid: str, name: str, found: FoundImage, entry: Entry | None
    ) -> Iterator[Step]:
        wanted = attributes_for(self.schema, uuid, found)
        state = self.records.read_state(uuid)
        lacking = dict(wanted) if state is None else self._lacking(uuid, state, wanted, found)
        if entry is not None and state is not None and not lacking:
            return
        cleanup = self.records.cleanup_of(uuid)
        if cleanup is not None:
            yield revoke_step(self.records, cleanup, self._clock())
        name_key = self.schema.name_key
        # The version of a record that nobody points at must change before its entry is put.
        puts = lacking or {name_key: wanted[name_key]}
        yield self._record_step(uuid, state, puts, found)
        yield self._entry_step(uuid, name, entry)
        yield Step(
            f"write the request name to the record {uuid} once more, now that its entry stands",
            self.records.confirmation(uuid, name),
        )

    def _record_step(
        self, uuid: str, state: ObjectState | None, puts: Mapping[str, bytes], found: FoundImage
    ) -> Step:
        words = ", ".join(f"{key or 'the empty key'} = {decode(puts[key])!r}" for key in puts)
        if state is None:
            sentence = f"make the record {uuid} with {words}"
            write = self.records.creation(uuid, puts)
        else:
            sentence = f"write {words} to the record {uuid}"
            record_object = self.schema.record_object(uuid)
            write = Write(record_object, guards=(Unchanged(state.version),), puts=puts)
        role = role_of(self.schema)
        return Step(sentence, write, lambda: is_still_there(self._inventory, role, uuid, found))

    def _entry_step(self, uuid: str, name: str, entry: Entry | None) -> Step:
        if entry is None:
            write = self.records.entering(name, uuid, LeaseCondition(chosen=True))
            return Step(f"put the entry {shortened(name)} -> {uuid}", write)
        key, value = self.schema.entry_key(name), encode(uuid)
        return Step(
            f"see that the entry {shortened(name)} -> {uuid} still stands",
            Write(self.records.directory, guards=(KeyEquals(key, value),), puts={key: value}),
        )

    def _lacking(
        self, uuid: str, state: ObjectState, wanted: Mapping[str, bytes], found: FoundImage
    ) -> dict[str, bytes]:
        """The keys that the record should have and does not; raises where it says another."""
        record = self.schema.parse(state.entries)
        self._require_same(uuid, record, found)
        lacking = {key: value for key, value in wanted.items() if key not in state.entries}
        if record.owner is not None:
            for key in (OWNER_KEY, EMPTY_KEY):
                lacking.pop(key, None)
        if record.kms_id is None and record.populated and KMS_ID_KEY not in lacking:
            lacking.pop(ENCRYPTION_TYPE_KEY, None)
        return lacking

    # What may stand in the way

    def _require_same(self, uuid: str, record: ImageRecord, found: FoundImage) -> None:
        record_object = self.schema.record_object(uuid)
        if record.journal_pool is not None:
            raise SplitReservation(
                f"the record {uuid} says that its entry lies in another pool",
                object_name=record_object,
                hint="csijournal writes nothing where a reservation lies in two pools",
            )
        if record.image_id and found.image_id and record.image_id != found.image_id:
            raise Conflict(
                f"the record {uuid} says that the image's id is {shortened(record.image_id)},"
                f" and RBD says {found.image_id}",
                object_name=record_object,
                key=IMAGE_ID_KEY,
                hint="The image was made anew, or is another one: compare it with `rbd info`",
            )

    def _entry(self, name: str, uuid: str) -> Entry | None:
        entry = self.records.look_up(name)
        if entry is not None and entry.uuid != uuid:
            raise Conflict(
                f"the entry {shortened(name)} holds {shortened(entry.value)}, and not {uuid}",
                object_name=self.records.directory,
                key=self.schema.entry_key(name),
                hint=f"Look at both: csijournal show {name!r}",
            )
        return entry

    def _require_unpointed(self, uuid: str, name: str) -> None:
        """Raise Conflict where an entry of another name or instance leads to the UUID."""
        for pointer in self.pointers.to(uuid):
            if pointer != Pointer(self._instance_id, name):
                raise Conflict(
                    f"the entry {shortened(pointer.request_name)} of the instance"
                    f" {shortened(pointer.instance_id)} leads to the {self.schema.noun} {uuid}",
                    object_name=self.schema.directory_prefix + pointer.instance_id,
                    key=self.schema.entry_key(pointer.request_name),
                    hint="If that name is right, attach the image to it"
                    f" (--instance {pointer.instance_id})",
                )

    def _require_no_shards(self) -> None:
        if self._has_shards:
            raise PlaceUnusable(
                f"the instance {shortened(self._instance_id)} has its directory in shards, in"
                " which the name may be reserved",
                object_name=self.records.directory,
                hint="csijournal only reads directories in shards",
            )

    @cached_property
    def _has_shards(self) -> bool:
        return bool(open_instance(self._store, self._instance_id, self.schema).shards)

    @property
    def _where(self) -> str:
        """The namespace that is written to: a driver's may be another one."""
        if self._store.pool_id is None:
            return self._store.place
        named = f"the namespace {shortened(self._store.namespace)}"
        return f"{named if self._store.namespace else 'the default namespace'} of the pool"
