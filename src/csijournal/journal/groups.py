"""The protocol: what a reservation is, and how it comes and goes.

    reserve   1. create the group object, whole, if no such object exists
              2. put the entry, if the request name is absent and our lease stands
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
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from csijournal.errors import (
    AlreadyReserved,
    GroupNotFound,
    NameMismatch,
    OutcomeUnknown,
    PlaceNotFound,
    ReservationPending,
    StoreError,
    UndoRefused,
    error_context,
)
from csijournal.journal.cleanup import Collector
from csijournal.journal.leases import Leases, Lent
from csijournal.journal.locks import NamedLocks
from csijournal.journal.model import EnsureResult, Entry, Reservation
from csijournal.journal.recover import Recoverer, Recovery
from csijournal.journal.steps import Records, Under, unpopulated
from csijournal.store.contract import Guarantee, Store
from csijournal.wire import layout
from csijournal.wire.layout import REQUEST_NAME_KEY, GroupRecord
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

GRACE_SECONDS = 15 * 60.0
"""How long a group object without a request name counts as being made."""

LEASE_SIZE = 64
"""How many UUIDs a lease lists, and so how many reservations share its write."""

_LOOKS_MAX = 100


def random_uuid() -> str:
    """A new version 4 UUID, as text."""
    return str(uuid.uuid4())


class VolumeGroupJournal:
    """The volume groups of one driver instance, in one store.

    Any number of journals, threads, processes and hosts may work on one store
    at once, as far as the store itself allows; no lock is needed around calls.

    `lease_size` is how many UUIDs are leased at a time: 1 suits a client that
    reserves once, and with 0 there are no leases, the journal holds what
    Ceph-CSI would write and nothing else, and recover cannot help.
    `grace_seconds` is how long a group object without a request name counts as
    being made.  `needs` says what the store must promise: StoreUnsuitable is raised where it
    does not.  `new_uuid` makes the text of a UUID that was never used before.
    `clock` dates new groups and tells how old a half-made one is.
    """

    def __init__(
        self,
        store: Store,
        *,
        instance_id: str = layout.DEFAULT_INSTANCE_ID,
        lease_size: int = LEASE_SIZE,
        grace_seconds: float = GRACE_SECONDS,
        needs: Guarantee = Guarantee.NONE,
        new_uuid: Callable[[], str] = random_uuid,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        store.require(needs)
        if lease_size < 0 or grace_seconds < 0:
            raise ValueError("lease_size and grace_seconds must not be negative")
        grace_ns = int(grace_seconds * NANOSECONDS)
        self._clock = clock
        self._records = Records(store, instance_id)
        self._collector = Collector(self._records, grace_ns=grace_ns, clock=clock)
        self._leases = Leases(
            self._records,
            size=lease_size,
            renew_ns=grace_ns // 3,
            new_uuid=new_uuid,
            clock=clock,
        )
        self._locks = NamedLocks()

    # What callers ask

    def check_reservation(
        self, request_name: str, name_prefix: str = "", *, cleanup: bool = True
    ) -> Reservation | None:
        """The reservation of `request_name`; None where there is none.

        One read of the directory and one of the group object.  What a crashed
        client left is removed on the way: the rest of an undo at once, a group
        object that never got its name when the grace time has passed.  Without
        `cleanup` the answer is the same and nothing is removed.
        `name_prefix` is used only where the group object has lost its name.

        Raises InvalidRequestName, ReservationPending (a peer is making it),
        CorruptEntry, NameMismatch, UnpopulatedGroup and StoreError.
        """
        with error_context("check_reservation"):
            layout.require_request_name(request_name)
            with suppress(PlaceNotFound):
                return self._check(request_name, name_prefix, dry_run=not cleanup)
            return None

    def reserve_name(self, request_name: str, name_prefix: str = "") -> Reservation:
        """A new reservation of `request_name`, as a group without members.

        The group is named `name_prefix`, or the default one, and its UUID.
        Raises AlreadyReserved, which carries the UUID that holds the name,
        InvalidRequestName, InvalidGroupName (of the prefix), whatever
        check_reservation raises of the state it finds, and StoreError.
        After OutcomeUnknown, call ensure_reservation.
        """
        with error_context("reserve_name"):
            layout.require_request_name(request_name)
            layout.require_name_prefix(name_prefix)
            for _ in range(_LOOKS_MAX):
                reservation = self._reserve_once(request_name, name_prefix)
                if reservation is not None:
                    return reservation
                holder = self._check(request_name, name_prefix)
                if holder is not None:
                    raise self._already_reserved(holder)
            raise self._too_busy(request_name)

    def ensure_reservation(self, request_name: str, name_prefix: str = "") -> EnsureResult:
        """The reservation of `request_name`, made where there is none.

        However many callers ask at once, all get the same.  Raises what
        check_reservation and reserve_name raise, except AlreadyReserved.
        """
        with error_context("ensure_reservation"):
            layout.require_request_name(request_name)
            for _ in range(_LOOKS_MAX):
                found = self._check(request_name, name_prefix)
                if found is not None:
                    return EnsureResult(found, created=False)
                with suppress(AlreadyReserved):
                    return EnsureResult(self.reserve_name(request_name, name_prefix), created=True)
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
        with error_context("undo_reservation"):
            layout.require_request_name(request_name)
            if not group_name:
                self._undo_nameless(request_name)
                return
            group_uuid = layout.uuid_of_group_name(group_name)
            if not self._records.remove_group(group_uuid, request_name):
                self._remove_group_without_name(group_uuid, request_name)
            self._records.remove_entry(request_name, group_uuid)

    def get_volume_group_attributes(self, group_uuid: str) -> Reservation:
        """What the group object of `group_uuid` says.  Changes nothing.

        Raises GroupNotFound, InvalidGroupUUID, UnpopulatedGroup where the group
        has no request name, and StoreError.
        """
        with error_context("get_volume_group_attributes"):
            layout.require_uuid(group_uuid)
            record = self._records.read_group(group_uuid)
            if record is None:
                raise self._group_not_found(group_uuid)
            if not record.populated:
                raise unpopulated(group_uuid, record)
            return _as_reservation(group_uuid, record, "")

    def add_volumes_mapping(self, group_uuid: str, volume_map: Mapping[str, str]) -> None:
        """Add members to a group, or give them new values: all of them or none.

        A group that is gone is not brought back.  Raises GroupNotFound,
        InvalidMember, InvalidGroupUUID, UnpopulatedGroup and StoreError.
        """
        with error_context("add_volumes_mapping"):
            layout.require_uuid(group_uuid)
            members = layout.encode_members(volume_map)
            if not members or self._records.put_members(group_uuid, members):
                return
            record = self._records.read_group(group_uuid)
            if record is None:
                raise self._group_not_found(group_uuid)
            raise unpopulated(group_uuid, record)

    def remove_volumes_mapping(self, group_uuid: str, volume_ids: Iterable[str]) -> None:
        """Remove members from a group: all of them or none.

        Members that are not there are fine, and so is a group that is gone.
        Raises InvalidMember, InvalidGroupUUID and StoreError.
        """
        with error_context("remove_volumes_mapping"):
            layout.require_uuid(group_uuid)
            members = layout.require_member_ids(volume_ids)
            if members:
                self._records.delete_members(group_uuid, members)

    def look_up(self, request_name: str) -> Entry | None:
        """The entry of `request_name` as it stands; None where there is none.

        One read, and unlike check_reservation it never changes anything.
        Raises InvalidRequestName and StoreError.
        """
        with error_context("look_up"):
            return self._records.look_up(layout.require_request_name(request_name))

    def list_reservations(self, prefix: str = "") -> Iterator[Entry]:
        """Every entry whose request name starts with `prefix`, by request name.

        Reads the directory page by page and no group object; entries that come
        or go meanwhile may be seen or not.  Raises StoreError.
        """
        with error_context("list_reservations"):
            for page in self._records.entry_pages(prefix):
                yield from page

    def recover(self, older_than_seconds: float, *, dry_run: bool = False) -> Recovery:
        """Finish or roll back what clients left when they died.

        Looks at leases that are older than `older_than_seconds`, and at every
        entry; never lists the pool.  Clients at work are not harmed, whatever
        their age or clock.  With `dry_run`, only says what it would do.
        Raises StoreError; what was done until then stays done.
        """
        with error_context("recover"):
            return Recoverer(
                self._records,
                self._collector,
                older_than_ns=int(older_than_seconds * NANOSECONDS),
                dry_run=dry_run,
                clock=self._clock,
            ).run()

    @contextmanager
    def lock(self, request_name: str) -> Iterator[None]:
        """Keep other threads of this process off `request_name` meanwhile.

        Never needed for the journal to stay right: it saves callers that would
        collide the work of finding out.
        """
        with self._locks.hold(request_name):
            yield

    def close(self) -> None:
        """Give back the leases of this journal.  The store stays open."""
        self._leases.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Steps

    def _check(
        self, request_name: str, name_prefix: str, *, dry_run: bool = False
    ) -> Reservation | None:
        for _ in range(_LOOKS_MAX):
            group_uuid = self._records.read_entry(request_name)
            if group_uuid is None:
                return None
            record = self._records.read_group(group_uuid)
            if record is not None and record.populated:
                self._require_same_name(request_name, group_uuid, record)
                return _as_reservation(group_uuid, record, name_prefix)
            if self._collector.collect(request_name, group_uuid, record, dry_run=dry_run):
                return None
        raise self._too_busy(request_name)

    def _reserve_once(self, request_name: str, name_prefix: str) -> Reservation | None:
        """Both writes of reserve; None: refused, and nothing is left of it."""
        with self._leases.lend() as lent:
            with lent.creating():
                reservation = self._create_group(request_name, name_prefix, lent.group_uuid)
            if reservation is None:
                return None
            under = lent.under()
            if self._enter(reservation, under, lent):
                lent.entered(under)
                return reservation
            self._records.remove_group(reservation.group_uuid, request_name)
            lent.refused()
            return None

    def _create_group(
        self, request_name: str, name_prefix: str, group_uuid: str
    ) -> Reservation | None:
        created = self._clock()
        group_name = layout.make_group_name(name_prefix, group_uuid)
        attributes = layout.group_attributes(request_name, group_name, created)
        if not self._records.create_group(group_uuid, attributes):
            return None
        return Reservation(request_name, group_uuid, group_name, created)

    def _enter(self, reservation: Reservation, under: Under, lent: Lent) -> bool:
        """Write the entry; where that fails for certain, the group object goes again."""
        try:
            return self._records.put_entry(reservation.request_name, reservation.group_uuid, under)
        except OutcomeUnknown:
            raise
        except StoreError:
            with suppress(StoreError):
                self._records.remove_group(reservation.group_uuid, reservation.request_name)
                lent.removed()
            raise

    def _undo_nameless(self, request_name: str) -> None:
        group_uuid = self._records.read_entry(request_name)
        if group_uuid is None:
            return
        record = self._records.read_group(group_uuid)
        if record is not None and record.populated:
            raise UndoRefused(
                f"{layout.shortened(request_name)} holds the group {group_uuid},"
                " and no group name was given",
                object_name=layout.group_object(group_uuid),
                hint="Give the group name that check or show prints",
            )
        if record is not None and not record.volume_map:
            self._records.remove_unpopulated_group(group_uuid)
        self._records.remove_entry(request_name, group_uuid)

    def _remove_group_without_name(self, group_uuid: str, request_name: str) -> None:
        """Handle a group object that does not say it is `request_name`'s."""
        record = self._records.read_group(group_uuid)
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
        if record.volume_map or not self._records.points_at(request_name, group_uuid):
            raise unpopulated(group_uuid, record)
        self._records.remove_unpopulated_group(group_uuid)

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
            object_name=self._records.directory,
            key=layout.entry_key(holder.request_name),
        )
        error.group_uuid = holder.group_uuid
        return error

    def _group_not_found(self, group_uuid: str) -> GroupNotFound:
        return GroupNotFound(
            f"there is no group {group_uuid}", object_name=layout.group_object(group_uuid)
        )

    def _too_busy(self, request_name: str) -> ReservationPending:
        return ReservationPending(
            f"{layout.shortened(request_name)} changed hands {_LOOKS_MAX} times during this call"
        )


def _as_reservation(group_uuid: str, record: GroupRecord, name_prefix: str) -> Reservation:
    return Reservation(
        request_name=record.request_name or "",
        group_uuid=group_uuid,
        group_name=record.group_name or layout.make_group_name(name_prefix, group_uuid),
        creation_time=record.creation_time,
        volume_map=record.volume_map,
    )
