"""The protocol: what a reservation is, and how it comes and goes.

    reserve   1. create the record, whole, if no such record exists
              2. put the entry, if the request name is absent and our lease stands
    undo      1. remove the record, if it is this request name's
              2. remove the entry, if it still holds this UUID

The record comes first and goes first.  So an entry whose record is missing is
always the rest of an undo, and whoever meets it may remove it, without a clock
and without a lock.  Every write carries a guard that the store judges at the
moment of change: callers that race, crash or repeat themselves find the guard
failed and look again.

A caller without leases adds a third step to reserve: it writes the record's
name once more.  Nothing else tells it that its record was removed between the
two writes, and whoever removes one holds it to the version that it saw.

The same for volumes, snapshots and groups: a `JournalSchema` names the objects
and keys, the public journals say what is particular to each.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic

from csijournal.errors import (
    AlreadyReserved,
    OutcomeUnknown,
    ReservationPending,
    StoreError,
    UndoRefused,
    UUIDInUse,
)
from csijournal.journal.cleanup import Cleanup
from csijournal.journal.elsewhere import read_elsewhere
from csijournal.journal.leases import LeasedUUID, Leases
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import LeaseCondition, Records
from csijournal.wire.entries import RecordInPool
from csijournal.wire.schema import R
from csijournal.wire.text import shortened
from csijournal.wire.uuids import require_uuid

LEASE_SIZE = 64
"""How many UUIDs a lease lists, and so how many reservations share its write."""

ATTEMPTS_MAX = 100
"""How often a call looks again where others were quicker: a bound against an endless loop."""


def random_uuid() -> str:
    """A new version 4 UUID, as text."""
    return str(uuids.uuid4())


@dataclass(frozen=True)
class Reserved(Generic[R]):
    """One reservation as it lies in the journal."""

    uuid: str
    image_name: str
    record: R


@dataclass(frozen=True)
class Request(Generic[R]):
    """What a caller asks for: a name, and what its record is to hold.

    `attributes` makes the record's first keys from its UUID and image name.
    `compare` raises where a record that holds the name is not what is asked
    for.  `chosen_uuid` is empty where any UUID will do.
    """

    request_name: str
    name_prefix: str = ""
    attributes: Callable[[str, str], Mapping[str, bytes]] = lambda _uuid, _image_name: {}
    compare: Callable[[Reserved[R]], None] = lambda _reserved: None
    chosen_uuid: str = ""


class Reservations(Generic[R]):
    """Reserve, check and undo over one journal's records."""

    def __init__(self, records: Records[R], leases: Leases, cleanup: Cleanup[R]) -> None:
        self._records = records
        self._schema = records.schema
        self._leases = leases
        self._cleanup = cleanup

    def check(self, request: Request[R], *, dry_run: bool = False) -> Reserved[R] | None:
        """The reservation of the name; None where there is none, or only a stale rest.

        What a crashed client left is removed on the way, unless `dry_run`.
        """
        for _ in range(ATTEMPTS_MAX):
            entry = self._records.look_up(request.request_name)
            if entry is None:
                return None
            if isinstance(entry.target, RecordInPool):
                elsewhere = read_elsewhere(self._records, request.request_name, entry.target)
                return self._compared(request, entry.target.uuid, elsewhere)
            uuid = self._records.uuid_of(entry)
            record = self._records.read_record(uuid)
            state = classify_record(request.request_name, record)
            if record is not None and state is EntryState.COMPLETE:
                return self._compared(request, uuid, record)
            if record is not None and state is EntryState.OTHER_NAME:
                raise self._records.name_mismatch(request.request_name, uuid, record)
            if self._cleanup.clean_up(
                request.request_name,
                uuid,
                record,
                name_prefix=request.name_prefix,
                dry_run=dry_run,
            ):
                return None
        raise self._too_busy(request.request_name)

    def reserve(self, request: Request[R]) -> Reserved[R]:
        """A new reservation.  Raises AlreadyReserved, and UUIDInUse of a chosen UUID."""
        for _ in range(ATTEMPTS_MAX):
            reserved = self._reserve_once(request)
            if reserved is not None:
                return reserved
            holder = self.check(request)
            if holder is not None:
                raise self._already_reserved(request.request_name, holder.uuid)
            if request.chosen_uuid:
                self._require_free(request.chosen_uuid)
        raise self._too_busy(request.request_name)

    def ensure(self, request: Request[R]) -> tuple[Reserved[R], bool]:
        """The reservation of the name, made where there is none; and whether it was made."""
        for _ in range(ATTEMPTS_MAX):
            found = self.check(request)
            if found is not None:
                if request.chosen_uuid not in {"", found.uuid}:
                    raise self._already_reserved(request.request_name, found.uuid)
                return found, False
            with suppress(AlreadyReserved):
                return self.reserve(request), True
        raise self._too_busy(request.request_name)

    def undo(self, image_name: str, request_name: str) -> None:
        """Remove the reservation that both names name; what is not there any more is fine."""
        if not image_name:
            self._undo_nameless(request_name)
            return
        uuid = self._schema.uuid_of_image_name(image_name)
        if not self._records.remove_record(uuid, request_name):
            self._remove_record_without_name(uuid, request_name)
        self._records.remove_entry(request_name, uuid)

    # Reserve

    def _reserve_once(self, request: Request[R]) -> Reserved[R] | None:
        """All writes of reserve; None: refused, and nothing is left of it."""
        if request.chosen_uuid:
            require_uuid(request.chosen_uuid)
        with self._leases.acquire(request.chosen_uuid) as leased:
            with leased.creating():
                reserved = self._create(request, leased.uuid)
            if reserved is None:
                return None
            condition = leased.condition()
            if self._enter(request.request_name, leased, condition):
                leased.entered(condition)
                confirmed = self._confirmed(request.request_name, leased, condition)
                return reserved if confirmed else None
            self._records.remove_record(leased.uuid, request.request_name)
            leased.refused()
            return None

    def _create(self, request: Request[R], uuid: str) -> Reserved[R] | None:
        image_name = self._schema.make_image_name(request.name_prefix, uuid)
        attributes = request.attributes(uuid, image_name)
        if not self._records.create_record(uuid, attributes):
            return None
        return Reserved(uuid, image_name, self._schema.parse(attributes))

    def _enter(self, request_name: str, leased: LeasedUUID, condition: LeaseCondition) -> bool:
        """Write the entry; where that fails for certain, the record goes again."""
        try:
            return self._records.put_entry(request_name, leased.uuid, condition)
        except OutcomeUnknown:
            raise
        except StoreError:
            with suppress(StoreError):
                self._records.remove_record(leased.uuid, request_name)
                leased.removed()
            raise

    def _confirmed(self, request_name: str, leased: LeasedUUID, condition: LeaseCondition) -> bool:
        """Whether the record is still there, which a lease promises and nothing else does."""
        if condition.lease_key or self._records.confirm_record(leased.uuid, request_name):
            return True
        self._cleanup.remove_dangling(request_name, leased.uuid)
        return False

    def _require_free(self, uuid: str) -> None:
        """Raise UUIDInUse unless nothing but a cleanup had the UUID, which is over then."""
        if not self._cleanup.free(uuid) and self._records.read_record(uuid) is not None:
            raise self._uuid_in_use(uuid)

    # Undo

    def _undo_nameless(self, request_name: str) -> None:
        uuid = self._records.read_entry(request_name)
        if uuid is None:
            return
        record = self._records.read_record(uuid)
        if record is not None and record.populated:
            raise UndoRefused(
                f"{shortened(request_name)} holds the {self._schema.noun} {uuid},"
                f" and no {self._schema.noun} name was given",
                object_name=self._schema.record_object(uuid),
                hint=f"Give the {self._schema.noun} name that check or show prints",
            )
        if record is not None and record.in_use:
            self._records.remove_entry(request_name, uuid)
            return
        if record is not None and not self._records.is_taken(uuid, record):
            self._remove_empty(request_name, uuid)
        self._cleanup.remove_dangling(request_name, uuid)

    def _remove_record_without_name(self, uuid: str, request_name: str) -> None:
        """Handle a record that does not say it is `request_name`'s."""
        record = self._records.read_record(uuid)
        if record is None or self._records.is_taken(uuid, record):
            return
        if record.request_name == request_name:
            self._records.remove_record(uuid, request_name)
            return
        if record.populated:
            raise UndoRefused(
                f"the {self._schema.noun} {uuid} belongs to"
                f" {shortened(record.request_name or '')}, not to {shortened(request_name)}",
                object_name=self._schema.record_object(uuid),
                key=self._schema.name_key,
                hint=f"Give the request name that the {self._schema.noun} was reserved for;"
                f" `csijournal show {uuid}` prints it",
            )
        if record.in_use or not self._records.entry_matches(request_name, uuid):
            raise self._records.unpopulated(uuid, record)
        self._remove_empty(request_name, uuid)

    def _remove_empty(self, request_name: str, uuid: str) -> None:
        removed = self._records.remove_empty_record(uuid)
        if not removed and self._records.read_record(uuid) is not None:
            raise self._too_busy(request_name)

    # What can be wrong

    def _compared(self, request: Request[R], uuid: str, record: R) -> Reserved[R]:
        image_name = record.image_name or self._schema.make_image_name(request.name_prefix, uuid)
        reserved = Reserved(uuid, image_name, record)
        request.compare(reserved)
        return reserved

    def _already_reserved(self, request_name: str, uuid: str) -> AlreadyReserved:
        error = AlreadyReserved(
            f"{shortened(request_name)} is already reserved by {uuid}",
            object_name=self._records.directory,
            key=self._schema.entry_key(request_name),
        )
        error.uuid = uuid
        return error

    def _uuid_in_use(self, uuid: str) -> UUIDInUse:
        return UUIDInUse(
            f"there is a {self._schema.noun} {uuid} already; nothing was written",
            object_name=self._schema.record_object(uuid),
        )

    def _too_busy(self, request_name: str) -> ReservationPending:
        return ReservationPending(
            f"{shortened(request_name)} changed hands {ATTEMPTS_MAX} times during this call"
        )
