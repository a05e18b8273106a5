"""Whether each entry and the group that it points at agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from csijournal.check.catalog import FindingKind, is_left_by_group_snapshot
from csijournal.check.context import Context, Words
from csijournal.check.findings import Finding
from csijournal.check.instances import Instance, directory_id
from csijournal.check.reading import Seen, as_cut_key, read_groups
from csijournal.check.settling import Settling
from csijournal.compat import zip_strict
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import GroupRecords
from csijournal.wire.records import CREATION_TIME_KEY, GROUP_NAME_KEY, GroupRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode, shortened
from csijournal.wire.timestamps import NANOSECONDS

UNFINISHED_NS = 24 * 60 * 60 * NANOSECONDS
"""How long after its reservation a group without members counts as never finished."""

LOOKS_MAX = 4
"""How often something is read that is different each time: others are at work on it."""


@dataclass(frozen=True)
class EntrySuspect:
    """An entry that contradicted its group when it was last read; `kind` says how."""

    instance: Instance
    records: GroupRecords
    entry: Entry
    kind: FindingKind
    looks: int = 1

    @property
    def key(self) -> str:
        """The entry's key in the directory."""
        return GROUPS.entry_key(self.entry.request_name)

    @property
    def group_uuid(self) -> str:
        """The UUID that the entry held."""
        return self.entry.group_uuid or ""


class EntryCheck:
    """Judges entries that hold a UUID; what contradicts itself settles in `suspects`."""

    def __init__(self, context: Context, suspects: Settling[EntrySuspect]) -> None:
        self._context = context
        self._suspects = suspects
        self._told_unreadable: set[str] = set()

    def look(
        self, instance: Instance, records: GroupRecords, entries: Sequence[Entry]
    ) -> Iterator[Finding]:
        """Look at entries for the first time, right after they were read."""
        groups = read_groups(self._context.store, [entry.group_uuid or "" for entry in entries])
        for entry, seen in zip_strict(entries, groups):
            yield from self.unreadable(seen, directory_id(records))
            kind = contradiction(entry.request_name, seen.record)
            if kind is None:
                yield from self._in_order(records, seen)
            elif not self._is_pending(kind, records, entry, seen):
                self._suspects.add(EntrySuspect(instance, records, entry, kind))

    def look_again(self, suspects: Sequence[EntrySuspect]) -> Iterator[Finding]:
        """Look at entries that have settled: what is as it was is a finding."""
        values = self._values(suspects)
        groups = read_groups(self._context.store, [suspect.group_uuid for suspect in suspects])
        for suspect, seen in zip_strict(suspects, groups):
            value = values[suspect.records.directory].get(suspect.key)
            if value == encode(suspect.group_uuid):
                yield from self._settled(suspect, seen)
            elif value is None:
                yield from self._cut(suspect)

    def unreadable(self, seen: Seen, instance_id: str = "") -> Iterator[Finding]:
        """What cannot be read of a group, told once."""
        if seen.unreadable and seen.group_uuid not in self._told_unreadable:
            self._told_unreadable.add(seen.group_uuid)
            for one in seen.unreadable:
                yield self._context.unreadable(one, instance_id=instance_id, uuid=seen.group_uuid)

    def _values(self, suspects: Iterable[EntrySuspect]) -> dict[str, dict[str, bytes]]:
        """What the directories hold now under the entries' keys; one read a directory."""
        keys: dict[str, list[str]] = defaultdict(list)
        for suspect in suspects:
            keys[suspect.records.directory].append(suspect.key)
        store = self._context.store
        return {name: store.read_keys(name, wanted) or {} for name, wanted in keys.items()}

    def _cut(self, suspect: EntrySuspect) -> Iterator[Finding]:
        cut = as_cut_key(self._context.store, suspect.records.directory, suspect.key)
        if cut is not None:
            yield self._context.unreadable(cut, instance_id=directory_id(suspect.records))

    def _settled(self, suspect: EntrySuspect, seen: Seen) -> Iterator[Finding]:
        kind = contradiction(suspect.entry.request_name, seen.record)
        if kind is None:
            yield from self._in_order(suspect.records, seen)
        elif kind is not suspect.kind and suspect.looks < LOOKS_MAX:
            self._suspects.add(replace(suspect, kind=kind, looks=suspect.looks + 1))
        elif not self._is_pending(kind, suspect.records, suspect.entry, seen):
            yield self._finding(replace(suspect, kind=kind), seen)

    def _is_pending(
        self, kind: FindingKind, records: GroupRecords, entry: Entry, seen: Seen
    ) -> bool:
        """Whether a client may be making this group now, or has just removed it."""
        if kind is not FindingKind.UNPOPULATED_GROUP:
            return False
        if self._context.grace.is_over(self._context.modified_ns(seen) or 0):
            return False
        if records.entry_matches(entry.request_name, seen.group_uuid):
            self._context.is_left(seen, entry.request_name, directory_id(records))
        return True

    def _in_order(self, records: GroupRecords, seen: Seen) -> Iterator[Finding]:
        if seen.record is not None:
            self._context.summary.count_group(seen.record, self._context.now_ns)
            yield from attributes(self._context, directory_id(records), seen, seen.record)

    def _finding(self, suspect: EntrySuspect, seen: Seen) -> Finding:
        name, record = suspect.entry.request_name, seen.record
        kind, certain, commands = suspect.kind, True, attach_or_drop(name, seen.group_uuid)
        if kind is FindingKind.DANGLING_ENTRY:
            found = _dangling(name)
            commands = (drop_entry(name),)
        elif kind is FindingKind.NAME_MISMATCH:
            owner = (record.request_name if record else None) or ""
            kind, certain = self._mismatch(suspect, owner, record)
            found = f"csi.volname is {shortened(owner)}"
        else:
            certain = kind is FindingKind.UNPOPULATED_GROUP
            members = record.content_in_words if record and record.volume_map else "no members"
            found = f"no csi.volname, {members}"
        return self._context.finding(
            kind,
            seen,
            found,
            instance_id=directory_id(suspect.records),
            key=suspect.key,
            request_name=name,
            certain=certain,
            commands=commands,
        )

    def _mismatch(
        self, suspect: EntrySuspect, owner: str, record: GroupRecord | None
    ) -> tuple[FindingKind, bool]:
        """Which of the two kinds it is, and whether it is certain whose the group is."""
        if suspect.instance.entry_matches(owner, suspect.group_uuid):
            return FindingKind.SHARED_UUID, True
        if record is not None:  # else the group was counted with its own entry
            self._context.summary.count_group(record, self._context.now_ns)
        return FindingKind.NAME_MISMATCH, suspect.instance.is_consistent(owner)


_KINDS = {
    EntryState.DANGLING: FindingKind.DANGLING_ENTRY,
    EntryState.UNPOPULATED: FindingKind.UNPOPULATED_GROUP,
    EntryState.NAMELESS: FindingKind.NAMELESS_GROUP,
    EntryState.OTHER_NAME: FindingKind.NAME_MISMATCH,
}


def contradiction(request_name: str, record: GroupRecord | None) -> FindingKind | None:
    """How the entry of the name and the group that it points at disagree; None for not at all."""
    return _KINDS.get(classify_record(request_name, record))


def kind_without_entry(record: GroupRecord) -> FindingKind:
    """What a group object is called that no entry points at."""
    if record.populated:
        return FindingKind.DETACHED_GROUP if record.volume_map else FindingKind.ORPHAN_GROUP
    return FindingKind.MEMBERS_ELSEWHERE if record.volume_map else FindingKind.EMPTY_OBJECT


def attributes(
    context: Context, instance_id: str, seen: Seen, record: GroupRecord
) -> Iterator[Finding]:
    """What is wrong with a group that its entry points at and that says so itself."""

    def finding(kind: FindingKind, key: str, found: str, *commands: Words) -> Finding:
        return context.finding(
            kind,
            seen,
            found,
            instance_id=instance_id,
            key=key,
            request_name=record.request_name,
            commands=commands,
        )

    attach = ("attach", seen.group_uuid)
    if not record.group_name:
        yield finding(FindingKind.MISSING_ATTRIBUTE, GROUP_NAME_KEY, "missing", attach)
    elif not record.group_name.endswith(seen.group_uuid):
        found = f"is {shortened(record.group_name)}"
        yield finding(FindingKind.WRONG_GROUP_NAME, GROUP_NAME_KEY, found, attach)
    if record.creation_time is None:
        text = record.creation_text
        found = "missing" if text is None else f"is {shortened(text)}"
        yield finding(FindingKind.UNREADABLE_TIME, CREATION_TIME_KEY, found)
    if not record.volume_map and not seen.unreadable:
        since_ns = _reserved_ns(context, seen, record)
        if since_ns is not None and context.now_ns - since_ns > UNFINISHED_NS:
            found = f"no members, reserved {_in_days(context.now_ns - since_ns)} ago"
            yield finding(FindingKind.UNFINISHED_GROUP, "", found, undo(record.request_name or ""))


def _reserved_ns(context: Context, seen: Seen, record: GroupRecord) -> int | None:
    """When it was reserved, as far as that is known; None where it is gone."""
    created = record.creation_time
    if created is not None:
        return created.nanoseconds
    return context.store.modified_ns(GROUPS.record_object(seen.group_uuid))


def _in_days(nanoseconds: int) -> str:
    days = nanoseconds // UNFINISHED_NS
    return f"{days:,} day" + ("" if days == 1 else "s")


def _dangling(request_name: str) -> str:
    if is_left_by_group_snapshot(request_name):
        return "no group object: what Ceph-CSI leaves of each group snapshot on RBD"
    return "no group object"


def undo(request_name: str) -> Words:
    """The command that removes the group and the entry of a name."""
    return ("undo", *(("--",) if request_name.startswith("-") else ()), request_name)


def drop_entry(request_name: str) -> Words:
    """The command that removes the entry of a name alone."""
    return ("drop", "--entry", request_name)


def attach_or_drop(request_name: str, group_uuid: str) -> tuple[Words, ...]:
    """The two commands of which a person must choose one."""
    dashes = ("--",) if request_name.startswith("-") else ()
    return (("attach", group_uuid, *dashes, request_name), drop_entry(request_name))
