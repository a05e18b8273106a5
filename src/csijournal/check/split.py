"""Reservations whose entry and record lie in two pools.

Older drivers wrote the whole record into the image pool, and that reads well.
Later ones left an empty object there and the attributes beside the entry, which
Ceph-CSI cannot read back (`internal/journal/voljournal.go`, `ReserveName`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from csijournal.check.catalog import FindingKind
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.instances import directory_id
from csijournal.check.settling import Settling
from csijournal.check.story import leads_to
from csijournal.errors import SplitReservation, StoreError
from csijournal.journal.elsewhere import read_halves
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.entries import RecordInPool
from csijournal.wire.records import AnyRecord, ImageRecord
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import shortened


@dataclass(frozen=True)
class SplitSuspect:
    """An entry that leads to another pool, and found no whole record there."""

    records: AnyRecords
    entry: Entry


class SplitCheck:
    """Judges entries that lead to another pool; what is not in order settles in `suspects`."""

    def __init__(self, context: Context, suspects: Settling[SplitSuspect]) -> None:
        self._context = context
        self._suspects = suspects

    def look(self, records: AnyRecords, entry: Entry) -> None:
        """Look at an entry for the first time."""
        suspect = SplitSuspect(records, entry)
        if self._judged(suspect):
            self._suspects.add(suspect)

    def look_again(self, suspects: Sequence[SplitSuspect]) -> Iterator[Finding]:
        """Look at entries that have settled."""
        for suspect in suspects:
            records, name = suspect.records, suspect.entry.request_name
            entry = records.look_up(name)
            if entry is None or entry.value != suspect.entry.value:
                continue
            for kind, found in self._judged(suspect):
                yield self._context.finding_of(
                    kind,
                    records.schema,
                    _target(suspect).uuid,
                    found,
                    instance_id=directory_id(records),
                    key=records.schema.entry_key(name),
                    request_name=name,
                )

    def _judged(self, suspect: SplitSuspect) -> list[tuple[FindingKind, str]]:
        """What is wrong with the entry at this moment; nothing where all is in order."""
        records, name, target = suspect.records, suspect.entry.request_name, _target(suspect)
        try:
            halves = read_halves(records, name, target)
        except SplitReservation as error:
            return [(FindingKind.SPLIT_RECORD, error.message)]
        there, here = halves.in_image_pool, halves.in_journal_pool
        pool = f"the pool with the id {target.pool_id}"
        if there is None and here is None:
            return [(FindingKind.DANGLING_ENTRY, f"no record in this pool, and none in {pool}")]
        if classify_record(name, there) is EntryState.COMPLETE:
            return []
        for record in (there, here):
            if record is not None and record.populated and record.request_name != name:
                owner = shortened(record.request_name or "")
                found = f"{records.schema.name_key} is {owner}"
                return [(FindingKind.NAME_MISMATCH, found)]
        found = f"{_half(there)} in {pool}, where its entry leads; {_half(here)} in this pool"
        return [(FindingKind.SPLIT_RECORD, found)]


def is_entered(
    store: Store,
    schema: AnySchema,
    uuid: str,
    record: AnyRecord,
    directories: Iterable[AnyRecords],
) -> bool:
    """Whether an entry of the record's name leads to it: of `directories`, or of its journal pool.

    An entry here may say that the record lies in another pool, which is then the
    other half of a split reservation.  Yes, too, where the journal pool that the
    record names cannot be looked into: then nothing is known.
    """
    name = record.request_name
    if name is None:
        return False
    known = list(directories)
    if any(leads_to(records.look_up(name), uuid) for records in known):
        return True
    pool_id = record.journal_pool_id if isinstance(record, ImageRecord) else None
    if pool_id is None or pool_id == store.pool_id:
        return False
    beside = store.beside(pool_id, store.namespace)
    if beside is None:
        return False
    with closing(beside):
        try:
            ids = {schema.instance_of(records.directory) or "" for records in known}
            theirs = (Records(beside, schema, one, validate=False) for one in ids)
            return any(leads_to(records.look_up(name), uuid) for records in theirs)
        except StoreError:
            return True


def _target(suspect: SplitSuspect) -> RecordInPool:
    target = suspect.entry.target
    assert isinstance(target, RecordInPool)  # noqa: S101 - only such entries are handed here
    return target


def _half(record: AnyRecord | None) -> str:
    if record is None:
        return "nothing"
    return "the whole record" if record.populated else "an empty record"
