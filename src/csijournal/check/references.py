"""Which groups no entry points at, or the entries of several instances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from csijournal.check.catalog import FindingKind
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.instances import Instance, directory_id
from csijournal.check.listing import Listing
from csijournal.check.reading import Seen, read_groups
from csijournal.check.records import LOOKS_MAX, EntryCheck, drop_entry, kind_without_entry
from csijournal.check.settling import Settling
from csijournal.compat import zip_strict
from csijournal.journal.model import Entry
from csijournal.journal.steps import GroupRecords
from csijournal.wire.records import GroupRecord
from csijournal.wire.schema import GROUPS


@dataclass(frozen=True)
class SharedSuspect:
    """An entry whose group another instance's entry of the same name pointed at too."""

    instance: Instance
    records: GroupRecords
    entry: Entry
    other: Instance


@dataclass(frozen=True)
class UnpointedSuspect:
    """A group that no entry pointed at when it was last read; `kind` says what it was."""

    group_uuid: str
    kind: FindingKind
    looks: int = 1


class ReferenceCheck:
    """Judges groups by the entries of all instances; what may change settles."""

    def __init__(
        self,
        context: Context,
        listing: Listing,
        instances: Sequence[Instance],
        *,
        entries: EntryCheck,
        shared: Settling[SharedSuspect],
        unpointed: Settling[UnpointedSuspect],
    ) -> None:
        self._context = context
        self._listing = listing
        self._instances = instances
        self._entries = entries
        self._shared = shared
        self._unpointed = unpointed

    def look(self, instance: Instance, records: GroupRecords, entries: Sequence[Entry]) -> None:
        """Note where entries point."""
        several = len(self._instances) > 1
        for entry in entries:
            again = self._listing.point_at(entry.group_uuid or "", keep=several)
            if again and several:
                other = self._other(instance, entry)
                if other is not None:
                    self._shared.add(SharedSuspect(instance, records, entry, other))

    def look_at_unpointed(self) -> Iterator[Finding]:
        """Look at the groups that no entry points at, when all directories were read."""
        for seen in read_groups(self._context.store, self._listing.unpointed()):
            if seen.record is not None:
                yield from self._entries.unreadable(seen)
                if self._is_left(seen, seen.record):
                    kind = kind_without_entry(seen.record)
                    self._unpointed.add(UnpointedSuspect(seen.group_uuid, kind))

    def shared_again(self, suspects: Sequence[SharedSuspect]) -> Iterator[Finding]:
        """Look again at entries that share a group with another instance's."""
        for suspect in suspects:
            name, group_uuid = suspect.entry.request_name, suspect.entry.group_uuid or ""
            if suspect.records.entry_matches(name, group_uuid) and suspect.other.entry_matches(
                name, group_uuid
            ):
                yield self._context.finding(
                    FindingKind.SHARED_UUID,
                    Seen(group_uuid, None),
                    f"the instance {suspect.other.instance_id} has the same entry",
                    instance_id=directory_id(suspect.records),
                    key=GROUPS.entry_key(name),
                    request_name=name,
                    commands=(drop_entry(name),),
                )

    def unpointed_again(self, suspects: Sequence[UnpointedSuspect]) -> Iterator[Finding]:
        """Look again at groups that no entry pointed at."""
        uuids = [suspect.group_uuid for suspect in suspects]
        for suspect, seen in zip_strict(suspects, read_groups(self._context.store, uuids)):
            if seen.record is None or not self._is_left(seen, seen.record):
                continue
            kind = kind_without_entry(seen.record)
            if kind is not suspect.kind and suspect.looks < LOOKS_MAX:
                self._unpointed.add(replace(suspect, kind=kind, looks=suspect.looks + 1))
            else:
                yield self._finding(kind, seen, seen.record)

    def _finding(self, kind: FindingKind, seen: Seen, record: GroupRecord) -> Finding:
        drop = ("drop", "--group", seen.group_uuid)
        detached = kind is FindingKind.DETACHED_GROUP
        return self._context.finding(
            kind,
            seen,
            record.content_in_words,
            request_name=record.request_name,
            certain=kind in {FindingKind.ORPHAN_GROUP, FindingKind.EMPTY_OBJECT},
            commands=(("attach", seen.group_uuid), drop) if detached else (drop,),
        )

    def _is_left(self, seen: Seen, record: GroupRecord) -> bool:
        """Whether it is there, old, and got no entry since the directories were read."""
        name = record.request_name
        if name is not None and any(
            i.entry_matches(name, seen.group_uuid) for i in self._instances
        ):
            return False
        return self._context.is_left(seen, name, "")

    def _other(self, instance: Instance, entry: Entry) -> Instance | None:
        for other in self._instances:
            if other is not instance and other.entry_matches(
                entry.request_name, entry.group_uuid or ""
            ):
                return other
        return None
