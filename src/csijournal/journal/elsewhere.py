"""Reading a reservation whose entry leads to another pool.

Ceph-CSI has written two layouts.  Older drivers put the whole record into the
image pool.  The present one leaves an empty record there and puts the
attributes into the journal pool, beside the entry, where it never looks for
them (`internal/journal/voljournal.go`, `ReserveName`).  Both are read here, and
neither is ever written.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Generic

from csijournal.errors import PlaceNotFound, SplitReservation
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import Records
from csijournal.store.contract import Store
from csijournal.wire.entries import RecordInPool
from csijournal.wire.schema import JournalSchema, R
from csijournal.wire.text import shortened


@dataclass(frozen=True)
class Halves(Generic[R]):
    """What lies under the UUID in the image pool, and in the journal pool beside the entry."""

    in_image_pool: R | None
    in_journal_pool: R | None


def read_halves(records: Records[R], request_name: str, target: RecordInPool) -> Halves[R]:
    """The records of both pools.

    Raises SplitReservation where the image pool is gone or cannot be looked into.
    """
    here = records.read_record(target.uuid)
    if target.pool_id == records.store.pool_id:
        return Halves(here, here)
    return Halves(_read_in_pool(records.store, records.schema, request_name, target), here)


def read_elsewhere(records: Records[R], request_name: str, target: RecordInPool) -> R:
    """The complete record of `request_name`, wherever its keys lie.

    Raises SplitReservation where the image pool is gone or cannot be looked
    into, or neither pool has a complete record, and NameMismatch where it is
    another name's.
    """
    halves = read_halves(records, request_name, target)
    for record in (halves.in_image_pool, halves.in_journal_pool):
        state = classify_record(request_name, record)
        if record is not None and state is EntryState.COMPLETE:
            return record
        if record is not None and state is EntryState.OTHER_NAME:
            raise records.name_mismatch(request_name, target.uuid, record)
    raise _split(
        records.schema, request_name, target, "and neither pool has a complete record of it"
    )


def _read_in_pool(
    store: Store, schema: JournalSchema[R], request_name: str, target: RecordInPool
) -> R | None:
    image_pool = store.beside(target.pool_id, store.namespace)
    if image_pool is None:
        raise _split(schema, request_name, target, f"and {store.place} knows no other pools")
    name = schema.record_object(target.uuid)
    try:
        with closing(image_pool):
            entries = image_pool.read_object(name, sentinel=schema.name_key)
    except PlaceNotFound as error:
        raise _split(schema, request_name, target, "which does not exist any more") from error
    return None if entries is None else schema.parse(entries)


def _split(
    schema: JournalSchema[R], request_name: str, target: RecordInPool, why: str
) -> SplitReservation:
    return SplitReservation(
        f"the entry of {shortened(request_name)} points at {target.uuid}"
        f" in the pool with the id {target.pool_id}, {why}",
        object_name=schema.record_object(target.uuid),
    )
