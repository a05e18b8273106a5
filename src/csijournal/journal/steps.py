"""The journal's single steps: each read and each guarded write, by name.

A step that changes something either did so when it returns True, or found its
guard failed and returns False, or raises StoreError.  What a step means and
when it may be taken is the business of `journal` and `recover`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from csijournal.errors import (
    CorruptEntry,
    GuardFailed,
    InvalidObjectName,
    StoreError,
    UnpopulatedGroup,
)
from csijournal.journal.model import Entry
from csijournal.journal.outcomes import write_and_resolve
from csijournal.store.contract import (
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    Store,
    Write,
)
from csijournal.wire import layout
from csijournal.wire.layout import REQUEST_NAME_KEY, GroupRecord, Lease
from csijournal.wire.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class Under:
    """The lease that an entry is written under: none, or the one at `lease_key`.

    With `gives_back`, writing the entry removes the lease in the same operation.
    """

    lease_key: str = ""
    gives_back: bool = False


NO_LEASE = Under()


class Records:
    """Entries and group objects of one instance's journal in one store.

    One whose directory was `found` in the place counts whatever its id.
    """

    def __init__(self, store: Store, instance_id: str, *, found: bool = False) -> None:
        self.store = store
        self.directory = (
            layout.DIRECTORY_PREFIX + instance_id if found else layout.directory_object(instance_id)
        )

    # Entries

    def read_entry(self, request_name: str) -> str | None:
        """The UUID that the entry holds; None for no entry.  Raises CorruptEntry."""
        key = layout.entry_key(request_name)
        value = self._directory_value(key)
        if value is None:
            return None
        group_uuid = layout.parse_entry(value)
        if group_uuid is None:
            raise CorruptEntry(
                f"the entry of {layout.shortened(request_name)} holds"
                f" {layout.shortened(layout.decode(value))}, which is no group UUID",
                object_name=self.directory,
                key=key,
            )
        return group_uuid

    def look_up(self, request_name: str) -> Entry | None:
        """The entry as it stands, UUID or not; None for no entry."""
        key = layout.entry_key(request_name)
        value = self._directory_value(key)
        return None if value is None else self.as_entry(key, value)

    def points_at(self, request_name: str, group_uuid: str) -> bool:
        """Whether the entry holds this UUID."""
        value = self._directory_value(layout.entry_key(request_name))
        return value == layout.encode(group_uuid)

    def is_right(self, request_name: str) -> bool:
        """Whether the entry points at a group that says it is this request name's."""
        entry = self.look_up(request_name)
        record = self.read_group(entry.group_uuid) if entry and entry.group_uuid else None
        return record is not None and record.request_name == request_name

    def directory_pages(self, prefix: str = "") -> Iterator[dict[str, bytes]]:
        """All keys of the directory that start with `prefix`, in order."""
        after = ""
        while page := self.store.read_page(self.directory, after=after, prefix=prefix):
            yield page
            after = max(page)

    def entry_pages(self, prefix: str = "") -> Iterator[list[Entry]]:
        """All entries whose request names start with `prefix`, by request name."""
        for page in self.directory_pages(layout.ENTRY_PREFIX + prefix):
            yield [entry for item in page.items() if (entry := self.as_entry(*item))]

    @staticmethod
    def as_entry(key: str, value: bytes) -> Entry | None:
        """A directory key as an entry; None where it is none."""
        request_name = layout.request_name_of_entry(key)
        if request_name is None:
            return None
        return Entry(request_name, layout.parse_entry(value), layout.decode(value))

    def put_entry(self, request_name: str, group_uuid: str, under: Under = NO_LEASE) -> bool:
        """Point `request_name` at the group, if it points nowhere and the lease stands."""
        key, value = layout.entry_key(request_name), layout.encode(group_uuid)
        lease = (KeyPresent(under.lease_key),) if under.lease_key else ()
        write = Write(
            self.directory,
            guards=(KeyAbsent(key), *lease),
            puts={key: value},
            deletions=(under.lease_key,) if under.gives_back else (),
        )
        return self._write(write, lambda: self._directory_value(key) == value)

    def remove_entry(self, request_name: str, group_uuid: str) -> bool:
        """Remove the entry, if it holds this UUID."""
        key, value = layout.entry_key(request_name), layout.encode(group_uuid)
        write = Write(self.directory, guards=(KeyEquals(key, value),), deletions=(key,))
        return self._write(write, lambda: self._directory_value(key) != value)

    # Leases

    def leases(self) -> Iterator[Lease]:
        """All leases that we understand, revoked ones too."""
        for page in self.directory_pages(layout.LEASE_PREFIX):
            for key, value in page.items():
                lease = layout.parse_lease(key, value)
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

    def lease_stands(self, lease: Lease) -> bool:
        """Whether nobody revoked the lease."""
        return self._directory_value(lease.key) is not None

    def revocation(self, lease: Lease, now: Timestamp) -> Write:
        """The write that puts a revoked lease in the place of `lease`, if that stands."""
        revoked = Lease(lease.group_uuids, since=now, revoked=True)
        return Write(
            self.directory,
            guards=(KeyEquals(lease.key, lease.value),),
            puts={revoked.key: revoked.value},
            deletions=(lease.key,),
        )

    def revoke_lease(self, lease: Lease, now: Timestamp) -> bool:
        """Put a revoked lease in the place of `lease`, if that stands."""
        return self._write(
            self.revocation(lease, now), lambda: self._directory_value(lease.key) is None
        )

    # Group objects

    def read_group(self, group_uuid: str) -> GroupRecord | None:
        """What the group object says; None for no object."""
        entries = self.store.read_object(layout.group_object(group_uuid), sentinel=REQUEST_NAME_KEY)
        return None if entries is None else layout.parse_group(entries)

    def read_groups(self, group_uuids: Iterable[str]) -> Iterator[tuple[str, GroupRecord | None]]:
        """`read_group` of many groups, in the order given."""
        names = map(layout.group_object, group_uuids)
        for name, entries in self.store.read_objects(names, sentinel=REQUEST_NAME_KEY):
            record = None if entries is None else layout.parse_group(entries)
            yield layout.uuid_of_group_object(name) or "", record

    def create_group(self, group_uuid: str, attributes: dict[str, bytes]) -> bool:
        """Create the group object, whole, if there is none of this UUID."""
        group_object = layout.group_object(group_uuid)
        write = Write(group_object, guards=(ObjectAbsent(),), puts=attributes)
        return self._write(
            write, lambda: self.store.read_keys(group_object, attributes) == attributes
        )

    def remove_group(self, group_uuid: str, request_name: str) -> bool:
        """Remove the group object, if it is this request name's."""
        return self._remove_object(
            group_uuid, KeyEquals(REQUEST_NAME_KEY, layout.encode(request_name))
        )

    def remove_unpopulated_group(self, group_uuid: str) -> bool:
        """Remove the group object, if it has no request name; one that is gone is fine."""
        return self._remove_object(group_uuid, KeyAbsent(REQUEST_NAME_KEY))

    def put_members(self, group_uuid: str, members: dict[str, bytes]) -> bool:
        """Put all members, if the group is there and populated."""
        group_object = layout.group_object(group_uuid)
        write = Write(group_object, guards=(KeyPresent(REQUEST_NAME_KEY),), puts=members)
        return self._write(write, lambda: self.store.read_keys(group_object, members) == members)

    def delete_members(self, group_uuid: str, volume_ids: list[str]) -> None:
        """Delete all these members; a group that is gone is fine."""
        group_object = layout.group_object(group_uuid)
        write = Write(group_object, deletions=volume_ids)
        self._write(write, lambda: not self.store.read_keys(group_object, volume_ids))

    def modified_ns(self, group_uuid: str, record: GroupRecord) -> int | None:
        """When the group last changed, in nanoseconds since 1970.

        The newer of the object's own time and its creation time; None where it
        went away meanwhile.
        """
        modified_ns = self.store.modified_ns(layout.group_object(group_uuid))
        created = record.creation_time
        if modified_ns is None or created is None:
            return modified_ns
        return max(modified_ns, created.nanoseconds)

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

    def _remove_object(self, group_uuid: str, guard: KeyEquals | KeyAbsent) -> bool:
        group_object = layout.group_object(group_uuid)
        write = Write(group_object, guards=(guard,), remove_object=True)
        return self._write(
            write, lambda: self.store.read_keys(group_object, [REQUEST_NAME_KEY]) is None
        )


def unpopulated(group_uuid: str, record: GroupRecord) -> UnpopulatedGroup:
    """The error for a group object that does not say whose it is."""
    return UnpopulatedGroup(
        f"the group {group_uuid} has {record.members_in_words} and no request name",
        object_name=layout.group_object(group_uuid),
        key=REQUEST_NAME_KEY,
    )
