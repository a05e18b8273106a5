"""Which records no entry points at, or the entries of several instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from csijournal.check.catalog import FindingKind
from csijournal.check.commands import (
    Words,
    attach_group,
    attach_image,
    drop_entry,
    drop_group,
    retire,
)
from csijournal.check.context import Context
from csijournal.check.elsewhere import places_beside
from csijournal.check.findings import Finding
from csijournal.check.instances import Instance, directory_id
from csijournal.check.kinds import WITHOUT_ENTRY_ALONE, kind_without_entry
from csijournal.check.listing import Listing
from csijournal.check.reading import Seen, read_records
from csijournal.check.records import LOOKS_MAX
from csijournal.check.settling import Settling
from csijournal.check.split import is_entered
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords
from csijournal.wire.records import NFS_CLUSTER_KEY, AnyRecord, ImageRecord
from csijournal.wire.schema import GROUPS, AnySchema


@dataclass(frozen=True)
class SharedSuspect:
    """An entry whose record another instance's entry of the same name pointed at too."""

    records: AnyRecords
    entry: Entry
    other: Instance


@dataclass(frozen=True)
class UnpointedSuspect:
    """A record that no entry pointed at when it was last read; `kind` says what it was."""

    schema: AnySchema
    uuid: str
    kind: FindingKind
    looks: int = 1


class PointerCheck:
    """Judges the records of one journal by the entries of all its instances."""

    def __init__(
        self,
        context: Context,
        listing: Listing,
        instances: Sequence[Instance],
        *,
        shared: Settling[SharedSuspect],
        unpointed: Settling[UnpointedSuspect],
    ) -> None:
        self._context = context
        self._listing = listing
        self._instances = instances
        self._shared = shared
        self._unpointed = unpointed

    def look(self, instance: Instance, records: AnyRecords, entries: Sequence[Entry]) -> None:
        """Note where entries point."""
        several = len(self._instances) > 1
        for entry in entries:
            again = self._listing.point_at(records.schema, entry.uuid or "", keep=several)
            if again and several:
                other = self._other(instance, entry)
                if other is not None:
                    self._shared.add(SharedSuspect(records, entry, other))

    def look_at_unpointed(self, schema: AnySchema) -> Iterator[Seen]:
        """Look at the records that no entry points at, when all directories were read.

        Hands on those that are there.
        """
        for seen in read_records(self._context.store, schema, self._listing.unpointed(schema)):
            if seen.record is not None and not self._is_pointed_at(seen, seen.record):
                yield seen
                if self._context.is_left(seen, seen.record.request_name, ""):
                    kind = kind_without_entry(seen.record, self._context.behind(seen))
                    self._unpointed.add(UnpointedSuspect(schema, seen.uuid, kind))

    def shared_again(self, suspects: Sequence[SharedSuspect]) -> Iterator[Finding]:
        """Look again at entries that share a record with another instance's."""
        for suspect in suspects:
            name, uuid = suspect.entry.request_name, suspect.entry.uuid or ""
            records = suspect.records
            if records.entry_matches(name, uuid) and suspect.other.entry_matches(name, uuid):
                yield self._context.finding(
                    FindingKind.SHARED_UUID,
                    Seen(records.schema, uuid, None),
                    f"the instance {suspect.other.instance_id} has the same entry",
                    instance_id=directory_id(records),
                    key=records.schema.entry_key(name),
                    request_name=name,
                    commands=(drop_entry(name),) if records.schema is GROUPS else (),
                )

    def unpointed_again(self, suspects: Sequence[UnpointedSuspect]) -> Iterator[Finding]:
        """Look again at records that no entry pointed at."""
        by_journal: dict[str, list[UnpointedSuspect]] = defaultdict(list)
        for suspect in suspects:
            by_journal[suspect.schema.journal].append(suspect)
        for of_journal in by_journal.values():
            uuids = [suspect.uuid for suspect in of_journal]
            found = read_records(self._context.store, of_journal[0].schema, uuids)
            for suspect, seen in zip(of_journal, found):
                yield from self._again(suspect, seen)

    def _again(self, suspect: UnpointedSuspect, seen: Seen) -> Iterator[Finding]:
        record = seen.record
        if record is None or self._is_pointed_at(seen, record):
            return
        if not self._context.is_left(seen, record.request_name, ""):
            return
        kind = kind_without_entry(record, self._context.behind(seen))
        if kind is not suspect.kind and suspect.looks < LOOKS_MAX:
            self._unpointed.add(replace(suspect, kind=kind, looks=suspect.looks + 1))
        else:
            yield self._finding(kind, seen, record)

    def _finding(self, kind: FindingKind, seen: Seen, record: AnyRecord) -> Finding:
        if kind is FindingKind.PARTIAL_RECORD:
            namespace = self._namespace_of_volume(seen, record)
            if namespace is not None:
                where = f"namespace {namespace}" if namespace else "the default namespace"
                found = f"csi.nfs.cluster alone; the volume's record lies in {where}"
                return self._context.finding(FindingKind.NFS_ATTRIBUTE_ELSEWHERE, seen, found)
        things = self._context.behind(seen).things
        said = record.populated or record.in_use or seen.schema is GROUPS
        content = record.content_in_words if said else "nothing in it"
        found = "; ".join([content, *map(str, things)])
        return self._context.finding(
            kind,
            seen,
            found,
            request_name=record.request_name,
            certain=kind in WITHOUT_ENTRY_ALONE,
            commands=_choices(kind, seen),
        )

    def _is_pointed_at(self, seen: Seen, record: AnyRecord) -> bool:
        """Whether it got an entry since the directories were read, or has one elsewhere."""
        directories = (one for instance in self._instances for one in instance.directories)
        return is_entered(self._context.store, seen.schema, seen.uuid, record, directories)

    def _namespace_of_volume(self, seen: Seen, record: AnyRecord) -> str | None:
        """Where the volume's own record lies, of which the NFS driver has put its key here."""
        if not isinstance(record, ImageRecord) or NFS_CLUSTER_KEY not in record.others:
            return None
        for beside in places_beside(self._context.store):
            (other,) = read_records(beside, seen.schema, [seen.uuid])
            if other.record is not None and other.record.populated:
                return beside.namespace
        return None

    def _other(self, instance: Instance, entry: Entry) -> Instance | None:
        for other in self._instances:
            if other is not instance and other.entry_matches(entry.request_name, entry.uuid or ""):
                return other
        return None


def _choices(kind: FindingKind, seen: Seen) -> tuple[Words, ...]:
    if seen.schema is not GROUPS:
        attach = attach_image(seen.schema.journal, seen.uuid)
        return (attach, retire(seen.uuid)) if kind is FindingKind.DETACHED_RECORD else ()
    drop = drop_group(seen.uuid)
    detached = kind is FindingKind.DETACHED_GROUP
    return (attach_group(seen.uuid), drop) if detached else (drop,)
