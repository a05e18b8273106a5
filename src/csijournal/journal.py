"""The protocol: what a reservation is, and how it comes and goes.

    reserve   1. create the group object, whole, if no such object exists
              2. put the entry, if the request name is absent
    undo      1. remove the group object, if it is this request name's
              2. remove the entry, if it still holds this UUID

The group object comes first and goes first.  So an entry whose group object is
missing is always the rest of an undo, and whoever meets it may remove it,
without a clock and without a lock.  Every write carries a guard that the store
judges at the moment of change: callers that race, crash or repeat themselves
find the guard failed and look again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from csijournal import layout
from csijournal.errors import (
    AlreadyReserved,
    CorruptEntry,
    GroupNotFound,
    GuardFailed,
    NameMismatch,
    OutcomeUnknown,
    PlaceNotFound,
    ReservationPending,
    StoreError,
    UndoRefused,
    UnpopulatedGroup,
    naming,
)
from csijournal.layout import REQUEST_NAME_KEY, GroupRecord
from csijournal.model import Ensured, Entry, Reservation
from csijournal.settle import write_and_settle
from csijournal.store.contract import (
    Guarantee,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    Store,
    Write,
)
from csijournal.timestamp import NANOSECONDS, Timestamp

GRACE_SECONDS = 15 * 60.0
"""How long a group object without a request name counts as being made."""

_UUID_TRIES = 5
_LOOKS_MAX = 100


def random_uuid() -> str:
    """A new version 4 UUID, as text."""
    return str(uuid.uuid4())


class VolumeGroupJournal:
    """The volume groups of one driver instance, in one store.

    Any number of journals, threads, processes and hosts may work on one store
    at once, as far as the store itself allows; no lock is needed around calls.

    `needs` says what the store must promise: StoreUnsuitable is raised where it
    does not.  `new_uuid` makes the text of a UUID that was never used before.
    `clock` dates new groups and tells how old a half-made one is.
    """

    def __init__(
        self,
        store: Store,
        *,
        instance_id: str = layout.DEFAULT_INSTANCE_ID,
        grace_seconds: float = GRACE_SECONDS,
        needs: Guarantee = Guarantee.NONE,
        new_uuid: Callable[[], str] = random_uuid,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        store.require(needs)
        self._store = store
        self._directory = layout.directory_object(instance_id)
        self._grace_ns = int(grace_seconds * NANOSECONDS)
        self._new_uuid = new_uuid
        self._clock = clock

    # What callers ask

    def check_reservation(self, request_name: str, name_prefix: str = "") -> Reservation | None:
        """The reservation of `request_name`; None where there is none.

        One read of the directory and one of the group object.  What a crashed
        client left is removed on the way: the rest of an undo at once, a group
        object that never got its name when the grace time has passed.
        `name_prefix` is used only where the group object has lost its name.

        Raises InvalidRequestName, ReservationPending (a peer is making it),
        CorruptEntry, NameMismatch, UnpopulatedGroup and StoreError.
        """
        with naming("check_reservation"):
            layout.require_request_name(request_name)
            with suppress(PlaceNotFound):
                return self._check(request_name, name_prefix)
            return None

    def reserve_name(self, request_name: str, name_prefix: str = "") -> Reservation:
        """A new reservation of `request_name`, as a group without members.

        The group is named `name_prefix`, or the default one, and its UUID.
        Raises AlreadyReserved, which carries the UUID that holds the name,
        InvalidRequestName, InvalidGroupName (of the prefix), whatever
        check_reservation raises of the state it finds, and StoreError.
        After OutcomeUnknown, call ensure_reservation.
        """
        with naming("reserve_name"):
            layout.require_request_name(request_name)
            for _ in range(_LOOKS_MAX):
                reservation = self._create_group(request_name, name_prefix)
                if self._enter(reservation):
                    return reservation
                holder = self._check(request_name, name_prefix)
                if holder is not None:
                    raise self._already_reserved(holder)
            raise self._too_busy(request_name)

    def ensure_reservation(self, request_name: str, name_prefix: str = "") -> Ensured:
        """The reservation of `request_name`, made where there is none.

        However many callers ask at once, all get the same.  Raises what
        check_reservation and reserve_name raise, except AlreadyReserved.
        """
        with naming("ensure_reservation"):
            layout.require_request_name(request_name)
            for _ in range(_LOOKS_MAX):
                found = self._check(request_name, name_prefix)
                if found is not None:
                    return Ensured(found, created=False)
                with suppress(AlreadyReserved):
                    return Ensured(self.reserve_name(request_name, name_prefix), created=True)
            raise self._too_busy(request_name)

    def undo_reservation(self, group_name: str, request_name: str) -> None:
        """Remove the reservation that `group_name` and `request_name` both name.

        What is not there any more is fine, so an undo can be repeated, and
        finishes one that was cut short.  A newer reservation of the same name
        is left alone.  An empty `group_name` removes the entry alone, and only
        where no group of a known name stands behind it.

        Raises UndoRefused where the group belongs to another request name,
        InvalidGroupName, InvalidRequestName, CorruptEntry, UnpopulatedGroup
        and StoreError; nothing was removed then, but for OutcomeUnknown.
        """
        with naming("undo_reservation"):
            layout.require_request_name(request_name)
            if not group_name:
                self._undo_nameless(request_name)
                return
            group_uuid = layout.uuid_of_group_name(group_name)
            self._remove_group(group_uuid, request_name)
            self._remove_entry(group_uuid, request_name)

    def get_volume_group_attributes(self, group_uuid: str) -> Reservation:
        """What the group object of `group_uuid` says.  Changes nothing.

        Raises GroupNotFound, InvalidGroupUUID, UnpopulatedGroup where the group
        has no request name, and StoreError.
        """
        with naming("get_volume_group_attributes"):
            record = self._read_group(group_uuid)
            if record is None:
                raise self._group_not_found(group_uuid)
            if not record.populated:
                raise self._unpopulated(group_uuid, record)
            return _as_reservation(group_uuid, record, "")

    def add_volumes_mapping(self, group_uuid: str, volume_map: Mapping[str, str]) -> None:
        """Add members to a group, or give them new values: all of them or none.

        A group that is gone is not brought back.  Raises GroupNotFound,
        InvalidMember, InvalidGroupUUID, UnpopulatedGroup and StoreError.
        """
        with naming("add_volumes_mapping"):
            group_object = layout.group_object(group_uuid)
            members = layout.encode_members(volume_map)
            if not members:
                return
            write = Write(group_object, guards=(KeyPresent(REQUEST_NAME_KEY),), puts=members)
            try:
                write_and_settle(
                    self._store,
                    write,
                    lambda: self._store.read_keys(group_object, members) == members,
                )
            except GuardFailed:
                record = self._read_group(group_uuid)
                if record is None or record.populated:
                    raise self._group_not_found(group_uuid) from None
                raise self._unpopulated(group_uuid, record) from None

    def remove_volumes_mapping(self, group_uuid: str, volume_ids: Iterable[str]) -> None:
        """Remove members from a group: all of them or none.

        Members that are not there are fine, and so is a group that is gone.
        Raises InvalidMember, InvalidGroupUUID and StoreError.
        """
        with naming("remove_volumes_mapping"):
            group_object = layout.group_object(group_uuid)
            members = layout.require_member_ids(volume_ids)
            if not members:
                return
            write = Write(group_object, guards=(ObjectExists(),), deletions=members)
            with suppress(GuardFailed):
                write_and_settle(
                    self._store, write, lambda: not self._store.read_keys(group_object, members)
                )

    def list_reservations(self, prefix: str = "") -> Iterator[Entry]:
        """Every entry whose request name starts with `prefix`, by request name.

        Reads the directory page by page and no group object; entries that come
        or go meanwhile may be seen or not.  Raises StoreError.
        """
        with naming("list_reservations"):
            after = ""
            while page := self._store.read_page(
                self._directory, after=after, prefix=layout.ENTRY_PREFIX + prefix
            ):
                for after, value in page.items():
                    yield _as_entry(after, value)

    # Check

    def _check(self, request_name: str, name_prefix: str) -> Reservation | None:
        for _ in range(_LOOKS_MAX):
            group_uuid = self._read_entry(request_name)
            if group_uuid is None:
                return None
            record = self._read_group(group_uuid)
            if record is not None and record.populated:
                self._require_same_name(request_name, group_uuid, record)
                return _as_reservation(group_uuid, record, name_prefix)
            if self._collect(request_name, group_uuid, record):
                return None
        raise self._too_busy(request_name)

    def _collect(self, request_name: str, group_uuid: str, record: GroupRecord | None) -> bool:
        """Remove a stale entry and what stands behind it; False: it changed, look again."""
        if record is not None:
            if record.volume_map:
                raise self._unpopulated(group_uuid, record)
            if self._being_made(group_uuid, record):
                raise ReservationPending(
                    f"the group that {layout.shortened(request_name)} points at has no request"
                    " name yet",
                    object_name=layout.group_object(group_uuid),
                    hint="Its driver may still be making it: try again. After the grace time"
                    " it is removed",
                )
            if not self._remove_unpopulated(group_uuid):
                return False
        return self._remove_entry(group_uuid, request_name)

    def _being_made(self, group_uuid: str, record: GroupRecord) -> bool:
        modified_ns = self._store.modified_ns(layout.group_object(group_uuid)) or 0
        created = record.creation_time
        newest_ns = max(modified_ns, created.nanoseconds if created else 0)
        return self._clock().nanoseconds - newest_ns < self._grace_ns

    # Reserve

    def _create_group(self, request_name: str, name_prefix: str) -> Reservation:
        for _ in range(_UUID_TRIES):
            group_uuid = layout.require_uuid(self._new_uuid())
            group_name = layout.make_group_name(name_prefix, group_uuid)
            created = self._clock()
            attributes = layout.group_attributes(request_name, group_name, created)
            group_object = layout.group_object(group_uuid)
            with suppress(GuardFailed):
                write_and_settle(
                    self._store,
                    Write(group_object, guards=(ObjectAbsent(),), puts=attributes),
                    lambda o=group_object, a=attributes: self._store.read_keys(o, a) == a,  # type: ignore[misc]
                )
                return Reservation(request_name, group_uuid, group_name, created)
        raise StoreError(
            f"{_UUID_TRIES} new UUIDs in a row were in use already",
            object_name=group_object,
            hint="The source of randomness of this machine is broken, or new_uuid is",
        )

    def _enter(self, reservation: Reservation) -> bool:
        """Point the request name at its new group; False: the name is taken.

        Unless the entry is there, or may be, the group object goes again.
        """
        key = layout.entry_key(reservation.request_name)
        value = layout.encode(reservation.group_uuid)
        write = Write(self._directory, guards=(KeyAbsent(key),), puts={key: value})
        try:
            write_and_settle(self._store, write, lambda: self._read_entry_value(key) == value)
        except GuardFailed:
            self._remove_group(reservation.group_uuid, reservation.request_name)
            return False
        except OutcomeUnknown:
            raise
        except StoreError:
            with suppress(StoreError):
                self._remove_group(reservation.group_uuid, reservation.request_name)
            raise
        return True

    # Undo

    def _undo_nameless(self, request_name: str) -> None:
        group_uuid = self._read_entry(request_name)
        if group_uuid is None:
            return
        record = self._read_group(group_uuid)
        if record is not None and record.populated:
            raise UndoRefused(
                f"{layout.shortened(request_name)} holds the group {group_uuid},"
                " and no group name was given",
                object_name=layout.group_object(group_uuid),
                hint="Give the group name that check or show prints",
            )
        if record is not None and not record.volume_map:
            self._remove_unpopulated(group_uuid)
        self._remove_entry(group_uuid, request_name)

    def _remove_group(self, group_uuid: str, request_name: str) -> None:
        group_object = layout.group_object(group_uuid)
        owner = KeyEquals(REQUEST_NAME_KEY, layout.encode(request_name))
        try:
            write_and_settle(
                self._store,
                Write(group_object, guards=(owner,), remove_object=True),
                lambda: self._store.read_keys(group_object, [REQUEST_NAME_KEY]) is None,
            )
        except GuardFailed:
            self._remove_group_without_name(group_uuid, request_name)

    def _remove_group_without_name(self, group_uuid: str, request_name: str) -> None:
        """Handle a group object that does not say it is `request_name`'s."""
        record = self._read_group(group_uuid)
        if record is None:
            return
        if record.populated:
            raise UndoRefused(
                f"the group {group_uuid} belongs to"
                f" {layout.shortened(record.request_name or '')},"
                f" not to {layout.shortened(request_name)}",
                object_name=layout.group_object(group_uuid),
                key=REQUEST_NAME_KEY,
                hint="Give the request name that the group was reserved for;"
                f" `csijournal show {group_uuid}` prints it",
            )
        if record.volume_map or self._read_entry(request_name) != group_uuid:
            raise self._unpopulated(group_uuid, record)
        self._remove_unpopulated(group_uuid)

    def _remove_unpopulated(self, group_uuid: str) -> bool:
        """Remove a group object that has no request name; False: it has got one."""
        group_object = layout.group_object(group_uuid)
        try:
            write_and_settle(
                self._store,
                Write(group_object, guards=(KeyAbsent(REQUEST_NAME_KEY),), remove_object=True),
                lambda: self._store.read_keys(group_object, [REQUEST_NAME_KEY]) is None,
            )
        except GuardFailed:
            return False
        return True

    def _remove_entry(self, group_uuid: str, request_name: str) -> bool:
        """Remove the entry if it holds this UUID; False: it holds another, or is gone."""
        key = layout.entry_key(request_name)
        value = layout.encode(group_uuid)
        try:
            write_and_settle(
                self._store,
                Write(self._directory, guards=(KeyEquals(key, value),), deletions=(key,)),
                lambda: self._read_entry_value(key) != value,
            )
        except GuardFailed:
            return False
        return True

    # Reads

    def _read_entry_value(self, key: str) -> bytes | None:
        return (self._store.read_keys(self._directory, [key]) or {}).get(key)

    def _read_entry(self, request_name: str) -> str | None:
        key = layout.entry_key(request_name)
        value = self._read_entry_value(key)
        if value is None:
            return None
        group_uuid = layout.parse_entry(value)
        if group_uuid is None:
            raise CorruptEntry(
                f"the entry of {layout.shortened(request_name)} holds"
                f" {layout.shortened(layout.decode(value))}, which is no group UUID",
                object_name=self._directory,
                key=key,
            )
        return group_uuid

    def _read_group(self, group_uuid: str) -> GroupRecord | None:
        entries = self._store.read_object(
            layout.group_object(group_uuid), landmark=REQUEST_NAME_KEY
        )
        return None if entries is None else layout.parse_group(entries)

    # What can be wrong

    def _require_same_name(self, request_name: str, group_uuid: str, record: GroupRecord) -> None:
        if record.request_name != request_name:
            raise NameMismatch(
                f"the entry of {layout.shortened(request_name)} points at the group {group_uuid},"
                f" which belongs to {layout.shortened(record.request_name or '')}",
                object_name=layout.group_object(group_uuid),
                key=REQUEST_NAME_KEY,
            )

    def _already_reserved(self, holder: Reservation) -> AlreadyReserved:
        error = AlreadyReserved(
            f"{layout.shortened(holder.request_name)} is already reserved by {holder.group_uuid}",
            object_name=self._directory,
            key=layout.entry_key(holder.request_name),
        )
        error.group_uuid = holder.group_uuid
        return error

    def _group_not_found(self, group_uuid: str) -> GroupNotFound:
        return GroupNotFound(
            f"there is no group {group_uuid}", object_name=layout.group_object(group_uuid)
        )

    def _unpopulated(self, group_uuid: str, record: GroupRecord) -> UnpopulatedGroup:
        return UnpopulatedGroup(
            f"the group {group_uuid} has {len(record.volume_map)} members and no request name",
            object_name=layout.group_object(group_uuid),
            key=REQUEST_NAME_KEY,
        )

    def _too_busy(self, request_name: str) -> ReservationPending:
        return ReservationPending(
            f"{layout.shortened(request_name)} changed hands {_LOOKS_MAX} times during this call"
        )


def _as_entry(key: str, value: bytes) -> Entry:
    request_name = layout.request_name_of_entry(key) or ""
    return Entry(request_name, layout.parse_entry(value), layout.decode(value))


def _as_reservation(group_uuid: str, record: GroupRecord, name_prefix: str) -> Reservation:
    return Reservation(
        request_name=record.request_name or "",
        group_uuid=group_uuid,
        group_name=record.group_name or layout.make_group_name(name_prefix, group_uuid),
        creation_time=record.creation_time,
        volume_map=record.volume_map,
    )
