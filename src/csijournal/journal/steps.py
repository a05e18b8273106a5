"""The journal's single steps: each read and each guarded write, by name.

A step that changes something either did so when it returns True, or found its
guard failed and returns False, or raises StoreError.  What a step means and
when it may be taken is the business of `reservations` and `recover`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from csijournal.errors import (
    CorruptEntry,
    CSIJournalError,
    GuardFailed,
    InvalidObjectName,
    NameMismatch,
    NotAReservation,
    OutcomeUnknown,
    RecordNotFound,
    SplitReservation,
    StoreError,
    UnpopulatedRecord,
)
from csijournal.journal.grace import newest_ns
from csijournal.journal.model import Entry
from csijournal.journal.outcomes import write_and_resolve
from csijournal.journal.state import EntryState, classify_record
from csijournal.store.contract import (
    Guard,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectState,
    Store,
    Unchanged,
    Unreadable,
    Write,
    unreadable_in,
)
from csijournal.wire.entries import MappedHandle, RecordHere, RecordInPool
from csijournal.wire.leases import (
    LEASE_PREFIX,
    REVOKED_LEASE_PREFIX,
    Lease,
    cleanup_key,
    parse_lease,
)
from csijournal.wire.records import AnyRecord, GroupRecord
from csijournal.wire.schema import JournalSchema, R
from csijournal.wire.text import decode, encode, shortened
from csijournal.wire.timestamps import Timestamp


@dataclass(frozen=True)
class LeaseCondition:
    """The lease that an entry is written under: none, or the one at `lease_key`.

    With `release`, writing the entry removes the lease in the same operation.
    An entry of a UUID that the caller `chose` may say what a stale one said, so
    it waits for whoever removes a stale entry of that UUID.
    """

    lease_key: str = ""
    release: bool = False
    chosen: bool = False


NO_LEASE = LeaseCondition()


class Records(Generic[R]):
    """Entries and records of one instance's journal in one store.

    Without `validate` the instance id counts whatever it is: its directory was
    found in the store.
    """

    def __init__(
        self, store: Store, schema: JournalSchema[R], instance_id: str, *, validate: bool = True
    ) -> None:
        self.store = store
        self.schema = schema
        self.directory = (
            schema.directory_object(instance_id)
            if validate
            else schema.directory_prefix + instance_id
        )

    # Entries

    def read_entry(self, request_name: str) -> str | None:
        """The UUID that the entry holds; None for no entry.

        Raises what `uuid_of` does.
        """
        entry = self.look_up(request_name)
        return None if entry is None else self.uuid_of(entry)

    def uuid_of(self, entry: Entry) -> str:
        """The UUID that the entry holds.

        Raises SplitReservation where it leads to another pool, NotAReservation
        where it is the mapping of a handle, and CorruptEntry where it leads nowhere.
        """
        if entry.uuid is not None:
            return entry.uuid
        name = shortened(entry.request_name)
        kind: type[CSIJournalError] = CorruptEntry
        message = (
            f"the entry of {name} holds {shortened(entry.value)},"
            f" which is not a {self.schema.noun} UUID"
        )
        if isinstance(entry.target, RecordInPool):
            kind, where = SplitReservation, f"in the pool with the id {entry.target.pool_id}"
            message = f"the entry of {name} points at {entry.target.uuid} {where}"
        elif isinstance(entry.target, MappedHandle):
            kind = NotAReservation
            message = f"{name} is a handle that stands for {shortened(entry.value)} now"
        raise kind(
            message, object_name=self.directory, key=self.schema.entry_key(entry.request_name)
        )

    def look_up(self, request_name: str) -> Entry | None:
        """The entry as it stands, UUID or not; None for no entry."""
        key = self.schema.entry_key(request_name)
        value = self._directory_value(key)
        return None if value is None else self.as_entry(key, value)

    def entry_matches(self, request_name: str, uuid: str) -> bool:
        """Whether the entry holds this UUID."""
        value = self._directory_value(self.schema.entry_key(request_name))
        return value == encode(uuid)

    def is_consistent(self, request_name: str) -> bool:
        """Whether the entry points at a record that says it is this request name's."""
        entry = self.look_up(request_name)
        if entry is None or entry.uuid is None:
            return False
        state = classify_record(request_name, self.read_record(entry.uuid))
        return state is EntryState.COMPLETE

    def directory_pages(self, prefix: str = "") -> Iterator[dict[str, bytes]]:
        """All keys of the directory that start with `prefix`, in order.

        The last page may be empty, where it tells of keys that cannot be read.
        """
        after = ""
        while page := self.store.read_page(self.directory, after=after, prefix=prefix):
            yield page
            after = max(page)
        if page is not None and unreadable_in(page):
            yield page

    def entry_pages(self, prefix: str = "") -> Iterator[list[Entry]]:
        """All entries whose request names start with `prefix`, by request name."""
        for page in self.directory_pages(self.schema.entry_prefix + prefix):
            yield [entry for item in page.items() if (entry := self.as_entry(*item))]

    def as_entry(self, key: str, value: bytes) -> Entry | None:
        """A directory key as an entry; None where it is none."""
        request_name = self.schema.request_name_of_entry(key)
        if request_name is None:
            return None
        target = self.schema.parse_target(request_name, value)
        uuid = target.uuid if isinstance(target, RecordHere) else None
        return Entry(request_name, uuid, decode(value), target)

    def put_entry(self, request_name: str, uuid: str, condition: LeaseCondition = NO_LEASE) -> bool:
        """Point `request_name` at the record, if it points nowhere and the condition holds."""
        key, value = self.schema.entry_key(request_name), encode(uuid)
        write = self.entering(request_name, uuid, condition)
        return self._write(write, lambda: self._directory_value(key) == value)

    def entering(self, request_name: str, uuid: str, condition: LeaseCondition = NO_LEASE) -> Write:
        """The write of `put_entry`."""
        key, value = self.schema.entry_key(request_name), encode(uuid)
        lease = (KeyPresent(condition.lease_key),) if condition.lease_key else ()
        cleanup = (KeyAbsent(cleanup_key(uuid)),) if condition.chosen else ()
        return Write(
            self.directory,
            guards=(KeyAbsent(key), *lease, *cleanup),
            puts={key: value},
            deletions=(condition.lease_key,) if condition.release else (),
        )

    def remove_entry(self, request_name: str, uuid: str, cleanup: Lease | None = None) -> bool:
        """Remove the entry, if it holds this UUID and the cleanup, where given, goes on."""
        key, value = self.schema.entry_key(request_name), encode(uuid)
        goes_on = (KeyEquals(cleanup.key, cleanup.value),) if cleanup else ()
        write = Write(self.directory, guards=(KeyEquals(key, value), *goes_on), deletions=(key,))
        return self._write(write, lambda: self._directory_value(key) != value)

    # Leases

    def leases(self, prefix: str = LEASE_PREFIX) -> Iterator[Lease]:
        """All leases that we understand, revoked ones and those of cleanups too."""
        for page in self.directory_pages(prefix):
            for key, value in page.items():
                lease = parse_lease(key, value)
                if lease is not None:
                    yield lease

    def put_lease(self, lease: Lease, *, ended_keys: Collection[str] = ()) -> None:
        """Put a lease whose id was never used, and remove those that have ended.

        Never sends twice: an OutcomeUnknown is the caller's to deal with.
        """
        write = Write(
            self.directory,
            guards=(KeyAbsent(lease.key),),
            puts={lease.key: lease.value},
            deletions=ended_keys,
        )
        try:
            self.store.write(write)
        except GuardFailed as error:
            raise StoreError(
                "a new lease id is in use already",
                object_name=self.directory,
                key=lease.key,
                hint="The source of randomness of this machine is broken, or new_uuid is",
            ) from error

    def remove_leases(self, keys: Collection[str]) -> None:
        """Remove leases that nothing hangs on; no guard, since no key is used twice."""
        self.store.write(Write(self.directory, deletions=keys))

    def begin_cleanup(self, lease: Lease) -> Lease | None:
        """Put the lease of a cleanup, if none of its UUID stands; the one that stands then.

        Never sends twice, like put_lease; after a read nothing is under way any more.
        """
        write = Write(self.directory, guards=(KeyAbsent(lease.key),), puts={lease.key: lease.value})
        try:
            self.store.write(write)
        except (GuardFailed, OutcomeUnknown):
            return self.cleanup_of(lease.uuids[-1])
        return lease

    def end_cleanup(self, lease: Lease) -> bool:
        """Remove the lease of a cleanup; False where somebody has ended it."""
        write = Write(
            self.directory,
            guards=(KeyEquals(lease.key, lease.value),),
            deletions=(lease.key,),
        )
        return self._write(write, lambda: self.cleanup_of(lease.uuids[-1]) != lease)

    def cleanup_of(self, uuid: str) -> Lease | None:
        """The lease of the cleanup that is removing a stale entry of this UUID."""
        key = cleanup_key(uuid)
        value = self._directory_value(key)
        return None if value is None else parse_lease(key, value)

    def is_taken(self, uuid: str, record: AnyRecord) -> bool:
        """Whether the record is one that a cleanup has made for a moment, or had made."""
        if record.populated or record.in_use:
            return False
        state = self.read_state(uuid)
        if state is None or self.schema.parse(state.entries) != record:
            return True
        if self._is_listed_by_cleanup(uuid):
            return True
        after = self.read_state(uuid)
        return after is None or after.version != state.version

    def _is_listed_by_cleanup(self, uuid: str) -> bool:
        """Whether a cleanup of the UUID goes on, or was revoked and not forgotten."""
        if self.store.read_page(self.directory, prefix=cleanup_key(uuid)):
            return True
        return any(uuid in lease.uuids for lease in self.leases(REVOKED_LEASE_PREFIX))

    def lease_stands(self, lease: Lease) -> bool:
        """Whether nobody revoked the lease."""
        return self._directory_value(lease.key) is not None

    def revocation(self, lease: Lease, now: Timestamp) -> Write:
        """The write that replaces `lease` by a revoked one, if it stands."""
        revoked = Lease(lease.uuids, since=now, revoked=True)
        return Write(
            self.directory,
            guards=(KeyEquals(lease.key, lease.value),),
            puts={revoked.key: revoked.value},
            deletions=(lease.key,),
        )

    def revoke_lease(self, lease: Lease, now: Timestamp) -> bool:
        """Replace `lease` by a revoked one, if it stands."""
        return self._write(
            self.revocation(lease, now), lambda: self._directory_value(lease.key) is None
        )

    # Records

    def read_record(self, uuid: str) -> R | None:
        """What the record says; None for no record."""
        entries = self.store.read_object(
            self.schema.record_object(uuid), sentinel=self.schema.name_key
        )
        return None if entries is None else self.schema.parse(entries)

    def read_records(self, uuids: Iterable[str]) -> Iterator[tuple[str, R | None]]:
        """`read_record` of many records, in the order given."""
        names = map(self.schema.record_object, uuids)
        for name, entries in self.store.read_objects(names, sentinel=self.schema.name_key):
            record = None if entries is None else self.schema.parse(entries)
            yield self.schema.uuid_of_record(name) or "", record

    def unreadable_keys(self, uuid: str) -> tuple[Unreadable, ...]:
        """What of the record cannot be read."""
        return unreadable_in(self.store.read_object(self.schema.record_object(uuid)))

    def read_state(self, uuid: str) -> ObjectState | None:
        """The record's object with its version; None for no record.  Raises UnreadableContent."""
        return self.store.read_state(self.schema.record_object(uuid))

    def create_record(self, uuid: str, attributes: Mapping[str, bytes]) -> bool:
        """Create the record, whole, if there is none of this UUID."""
        write = self.creation(uuid, attributes)
        return self._write(write, lambda: self.store.read_object(write.object_name) == attributes)

    def creation(self, uuid: str, attributes: Mapping[str, bytes]) -> Write:
        """The write of `create_record`."""
        return Write(self.schema.record_object(uuid), guards=(ObjectAbsent(),), puts=attributes)

    def confirm_record(self, uuid: str, request_name: str) -> bool:
        """Write the record's name once more, if it is this request name's.

        Nothing changes but the version, so that whoever saw the record before
        cannot remove it unchanged.  No reading back shows whether that was
        written, so after a lost answer it is sent again.
        """
        return self._write(self.confirmation(uuid, request_name), lambda: False)

    def confirmation(self, uuid: str, request_name: str) -> Write:
        """The write of `confirm_record`."""
        name_key, name = self.schema.name_key, encode(request_name)
        return Write(
            self.schema.record_object(uuid),
            guards=(KeyEquals(name_key, name),),
            puts={name_key: name},
        )

    def remove_record(self, uuid: str, request_name: str) -> bool:
        """Remove the record, if it is this request name's."""
        return self._remove(uuid, KeyEquals(self.schema.name_key, encode(request_name)))

    def remove_empty_record(self, uuid: str, *, settle: Callable[[], None] = lambda: None) -> bool:
        """Remove the record, if it has no name and nothing that anybody may miss; gone is fine.

        `settle` waits between the look and the removal.
        """
        state = self.read_state(uuid)
        if state is None:
            return True
        record = self.schema.parse(state.entries)
        if record.populated or record.in_use:
            return False
        settle()
        return self.remove_unchanged(uuid, state.version)

    def remove_unchanged(self, uuid: str, version: int) -> bool:
        """Remove the record, if nothing wrote to it since it had this version."""
        return self._remove(uuid, Unchanged(version))

    def put_keys(
        self,
        uuid: str,
        puts: Mapping[str, bytes],
        *,
        request_name: str = "",
        deletions: Collection[str] = (),
    ) -> bool:
        """Put and delete all keys, if the record is populated, or this request name's if given."""
        name_key = self.schema.name_key
        guard = KeyEquals(name_key, encode(request_name)) if request_name else KeyPresent(name_key)
        return self._put(uuid, puts, guard, deletions)

    def delete_keys(self, uuid: str, keys: list[str]) -> None:
        """Delete all these keys; a record that is gone is fine."""
        record_object = self.schema.record_object(uuid)
        write = Write(record_object, deletions=keys)
        self._write(write, lambda: not self.store.read_keys(record_object, keys))

    def modified_ns(self, uuid: str, record: AnyRecord) -> int | None:
        """When the record last changed, in nanoseconds since 1970.

        The newer of the object's own time and its creation time; None where it
        went away since.
        """
        modified_ns = self.store.modified_ns(self.schema.record_object(uuid))
        return None if modified_ns is None else newest_ns(modified_ns, record.creation_time)

    def unpopulated(self, uuid: str, record: AnyRecord) -> UnpopulatedRecord:
        """The error for a record that does not say whose it is."""
        return self.schema.unpopulated(
            f"the {self.schema.noun} {uuid} has {record.content_in_words} and no request name",
            object_name=self.schema.record_object(uuid),
            key=self.schema.name_key,
        )

    def name_mismatch(self, request_name: str, uuid: str, record: AnyRecord) -> NameMismatch:
        """The error for an entry whose record belongs to another request name."""
        return NameMismatch(
            f"the entry of {shortened(request_name)} points at the {self.schema.noun} {uuid},"
            f" which belongs to {shortened(record.request_name or '')}",
            object_name=self.schema.record_object(uuid),
            key=self.schema.name_key,
        )

    def not_found(self, uuid: str) -> RecordNotFound:
        """The error for a UUID without a record."""
        return self.schema.not_found(
            f"there is no {self.schema.noun} {uuid}", object_name=self.schema.record_object(uuid)
        )

    def not_found_or_unpopulated(
        self, uuid: str, record: AnyRecord | None
    ) -> RecordNotFound | UnpopulatedRecord:
        """The error for a record that is gone or has no request name.

        One that a cleanup has made for a moment counts as gone.
        """
        if record is None or self.is_taken(uuid, record):
            return self.not_found(uuid)
        return self.unpopulated(uuid, record)

    # Underneath

    def _write(self, write: Write, applied: Callable[[], bool]) -> bool:
        try:
            write_and_resolve(self.store, write, applied)
        except GuardFailed:
            return False
        return True

    def _directory_value(self, key: str) -> bytes | None:
        """The value of a directory key; no store can hold a key that is not text."""
        try:
            return (self.store.read_keys(self.directory, (key,)) or {}).get(key)
        except InvalidObjectName:
            return None

    def _put(
        self, uuid: str, puts: Mapping[str, bytes], guard: Guard, deletions: Collection[str] = ()
    ) -> bool:
        record_object = self.schema.record_object(uuid)
        write = Write(record_object, guards=(guard,), puts=puts, deletions=deletions)
        left = dict(puts)
        if isinstance(guard, KeyEquals):
            left[guard.key] = guard.value
        looked_at = (*left, *deletions)
        return self._write(write, lambda: self.store.read_keys(record_object, looked_at) == left)

    def _remove(self, uuid: str, guard: Guard) -> bool:
        record_object = self.schema.record_object(uuid)
        write = Write(record_object, guards=(guard,), remove_object=True)
        return self._write(
            write, lambda: self.store.read_keys(record_object, [self.schema.name_key]) is None
        )


GroupRecords = Records[GroupRecord]
"""The records of the group journal."""

AnyRecords = Records[Any]
"""The records of any journal."""
