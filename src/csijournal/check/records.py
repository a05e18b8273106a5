"""Whether each entry and the record that it points at agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from csijournal.check.attributes import attributes_of
from csijournal.check.catalog import FindingKind, is_left_by_group_snapshot
from csijournal.check.commands import Words, attach_group, attach_image, drop_entry
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.instances import Instance, directory_id
from csijournal.check.kinds import UNPOPULATED, contradiction
from csijournal.check.reading import Seen, read_records
from csijournal.check.settling import Settling
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode, shortened

_LOST = frozenset(
    {
        FindingKind.DANGLING_ENTRY,
        FindingKind.UNPOPULATED_RECORD,
        FindingKind.NAMELESS_RECORD,
    }
)
"""Kinds of which the record can be made again while an image stands behind it."""

LOOKS_MAX = 4
"""How often something is read that is different each time: others are at work on it."""


@dataclass(frozen=True)
class EntrySuspect:
    """An entry that contradicted its record when it was last read; `kind` says how."""

    instance: Instance
    records: AnyRecords
    entry: Entry
    kind: FindingKind
    looks: int = 1

    @property
    def key(self) -> str:
        """The entry's key in the directory."""
        return self.records.schema.entry_key(self.entry.request_name)

    @property
    def uuid(self) -> str:
        """The UUID that the entry held."""
        return self.entry.uuid or ""


class EntryCheck:
    """Judges entries that hold a UUID; what contradicts itself settles in `suspects`."""

    def __init__(self, context: Context, suspects: Settling[EntrySuspect]) -> None:
        self._context = context
        self._suspects = suspects
        self._told_unreadable: set[str] = set()

    def look(
        self, instance: Instance, records: AnyRecords, entry: Entry, seen: Seen
    ) -> Iterator[Finding]:
        """Look at an entry and its record for the first time, right after they were read."""
        if seen.unreadable:
            yield from self.unreadable(seen, directory_id(records))
        kind = contradiction(seen.schema, entry.request_name, seen.record)
        if kind is None:
            yield from self._in_order(records, seen)
        elif not self._is_pending(kind, records, entry, seen):
            self._suspects.add(EntrySuspect(instance, records, entry, kind))

    def look_again(self, suspects: Sequence[EntrySuspect]) -> Iterator[Finding]:
        """Look at entries that have settled: what is as it was is a finding."""
        values = self._values(suspects)
        for suspect, seen in self._read(suspects):
            value = values[suspect.records.directory].get(suspect.key)
            if value == encode(suspect.uuid):
                yield from self._settled(suspect, seen)

    def unreadable(self, seen: Seen, instance_id: str = "") -> Iterator[Finding]:
        """What cannot be read of a record, told once."""
        if seen.unreadable and seen.uuid not in self._told_unreadable:
            self._told_unreadable.add(seen.uuid)
            for one in seen.unreadable:
                yield self._context.unreadable(
                    one, journal=seen.schema.journal, instance_id=instance_id, uuid=seen.uuid
                )

    def _read(self, suspects: Sequence[EntrySuspect]) -> Iterator[tuple[EntrySuspect, Seen]]:
        """The suspects with their records as they are now, one journal after the other."""
        by_journal: dict[str, list[EntrySuspect]] = defaultdict(list)
        for suspect in suspects:
            by_journal[suspect.records.schema.journal].append(suspect)
        for of_journal in by_journal.values():
            schema = of_journal[0].records.schema
            uuids = [suspect.uuid for suspect in of_journal]
            found = read_records(self._context.store, schema, uuids)
            yield from zip(of_journal, found)

    def _values(self, suspects: Iterable[EntrySuspect]) -> dict[str, dict[str, bytes]]:
        """What the directories hold now under the entries' keys; one read a directory."""
        keys: dict[str, list[str]] = defaultdict(list)
        for suspect in suspects:
            keys[suspect.records.directory].append(suspect.key)
        store = self._context.store
        return {name: store.read_keys(name, wanted) or {} for name, wanted in keys.items()}

    def _settled(self, suspect: EntrySuspect, seen: Seen) -> Iterator[Finding]:
        kind = contradiction(seen.schema, suspect.entry.request_name, seen.record)
        if kind is None:
            yield from self._in_order(suspect.records, seen)
        elif kind is not suspect.kind and suspect.looks < LOOKS_MAX:
            self._suspects.add(replace(suspect, kind=kind, looks=suspect.looks + 1))
        elif not self._is_pending(kind, suspect.records, suspect.entry, seen):
            yield self._finding(replace(suspect, kind=kind), seen)

    def _is_pending(self, kind: FindingKind, records: AnyRecords, entry: Entry, seen: Seen) -> bool:
        """Whether a client may be making this record now, or has just removed it."""
        if kind not in UNPOPULATED:
            return False
        if self._context.grace.is_over(self._context.modified_ns(seen) or 0):
            return False
        if records.entry_matches(entry.request_name, seen.uuid):
            self._context.is_left(seen, entry.request_name, directory_id(records))
        return True

    def _in_order(self, records: AnyRecords, seen: Seen) -> Iterable[Finding]:
        if seen.record is None:
            return ()
        self._count(seen, seen.record)
        return attributes_of(self._context, records, seen, seen.record)

    def _count(self, seen: Seen, record: AnyRecord) -> None:
        self._context.summary.count_record(seen.schema, record, self._context.now_ns)

    def _finding(self, suspect: EntrySuspect, seen: Seen) -> Finding:
        name, record, kind = suspect.entry.request_name, seen.record, suspect.kind
        certain = kind in UNPOPULATED
        if kind is FindingKind.DANGLING_ENTRY:
            found, certain = _dangling(seen, name), True
        elif kind is FindingKind.NAME_MISMATCH:
            owner = (record.request_name if record else None) or ""
            kind, certain = self._mismatch(suspect, owner, seen)
            found = f"{seen.schema.name_key} is {shortened(owner)}"
        else:
            content = record.content_in_words if record and record.in_use else "nothing else"
            if seen.schema is GROUPS and not (record and record.in_use):
                content = "no members"
            found = f"no {seen.schema.name_key}, {content}"
        return self._context.finding(
            kind,
            seen,
            found,
            instance_id=directory_id(suspect.records),
            key=suspect.key,
            request_name=name,
            certain=certain,
            commands=self._choices(kind, seen, name),
        )

    def _choices(self, kind: FindingKind, seen: Seen, request_name: str) -> tuple[Words, ...]:
        """The commands of which a person must choose one; of images none removes a record."""
        if seen.schema is not GROUPS:
            attach = attach_image(seen.schema.journal, seen.uuid, request_name)
            stands = kind in _LOST and self._context.behind(seen).things
            return (attach,) if stands else ()
        if kind is FindingKind.DANGLING_ENTRY:
            return (drop_entry(request_name),)
        return (attach_group(seen.uuid, request_name), drop_entry(request_name))

    def _mismatch(self, suspect: EntrySuspect, owner: str, seen: Seen) -> tuple[FindingKind, bool]:
        """Which of the two kinds it is, and whether it is certain whose the record is."""
        if suspect.instance.entry_matches(owner, suspect.uuid):
            return FindingKind.SHARED_UUID, True
        if seen.record is not None:  # else the record was counted with its own entry
            self._count(seen, seen.record)
        return FindingKind.NAME_MISMATCH, suspect.instance.is_consistent(owner)


def _dangling(seen: Seen, request_name: str) -> str:
    if seen.schema is GROUPS and is_left_by_group_snapshot(request_name):
        return "no group object: what Ceph-CSI leaves of each group snapshot on RBD"
    return f"no {seen.schema.noun} " + ("object" if seen.schema is GROUPS else "record")
