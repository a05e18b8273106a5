"""One journal's part of a check: its directories, and the records of its location."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union

from csijournal.check.catalog import FindingKind
from csijournal.check.comparing import RecordSeen
from csijournal.check.context import Context
from csijournal.check.directory import DirectoryCheck, Pointing
from csijournal.check.findings import Finding
from csijournal.check.instances import (
    Instance,
    directory_id,
    probe_shards,
    shards_of,
    without_shards,
)
from csijournal.check.listing import GROUP_WITHOUT_UUID, Listing
from csijournal.check.pointers import PointerCheck, SharedSuspect, UnpointedSuspect
from csijournal.check.reading import read_pages, read_records
from csijournal.check.records import EntryCheck, EntrySuspect
from csijournal.check.settling import Settling
from csijournal.check.split import SplitCheck, SplitSuspect
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords
from csijournal.wire.records import parse_group
from csijournal.wire.schema import GROUPS, AnySchema

Found = Union[Finding, RecordSeen]
"""What a scan hands on: a finding, or a record for the comparisons."""

MakeQueue = Callable[[], Settling[Any]]


class JournalScan:
    """The scan of one journal; `make_queue` makes a queue for what has to settle."""

    def __init__(
        self,
        context: Context,
        listing: Listing,
        schema: AnySchema,
        instance_id: str,
        make_queue: MakeQueue,
    ) -> None:
        self._context = context
        self._listing = listing
        self._schema = schema
        self._asked = instance_id
        self._counts = context.summary.journals[schema.journal]
        entries: Settling[EntrySuspect] = make_queue()
        shared: Settling[SharedSuspect] = make_queue()
        unpointed: Settling[UnpointedSuspect] = make_queue()
        split: Settling[SplitSuspect] = make_queue()
        self.instances = self._find_instances()
        self._entry_check = EntryCheck(context, entries)
        self._split_check = SplitCheck(context, split)
        self._pointer_check = PointerCheck(
            context, listing, self.instances, shared=shared, unpointed=unpointed
        )
        self._queues: tuple[tuple[Settling[Any], Callable[[Any], Iterator[Finding]]], ...] = (
            (entries, self._entry_check.look_again),
            (split, self._split_check.look_again),
            (shared, self._pointer_check.shared_again),
            (unpointed, self._pointer_check.unpointed_again),
        )

    @property
    def wait_seconds(self) -> float:
        """How long it is until all that is held now has settled; 0 where nothing is."""
        return max(queue.wait_seconds for queue, _ in self._queues)

    def run(self) -> Iterator[Found]:
        """Walk the directories, and read the records that they lead to."""
        if self._schema is GROUPS:
            yield from self._group_without_uuid()
        for instance in self.instances:
            yield from self._shards(instance)
            for records in instance.directories:
                yield from self._walk(instance, records)

    def run_unpointed(self) -> Iterator[Found]:
        """Read the records that no entry points at, where all were listed."""
        if not self._context.summary.listing_ended:
            return
        for seen in self._pointer_check.look_at_unpointed(self._schema):
            yield from self._entry_check.unreadable(seen)
            if seen.record is not None:
                yield RecordSeen(self._schema, seen.uuid, seen.record, entered=False)

    def look_again(self, *, wait: bool) -> Iterator[Finding]:
        """Read again what has settled; with `wait`, all that has not yet."""
        for queue, look_again in self._queues:
            for suspects in queue.rest() if wait else queue.settled():
                yield from look_again(suspects)

    # Directories

    def _find_instances(self) -> list[Instance]:
        """All instances that are known, each with its shards."""
        known = self._listing.instance_ids[self._schema.journal]
        summary, store, instances = self._context.summary, self._context.store, []
        for instance_id in sorted(without_shards(known)):
            shards = shards_of(instance_id, known)
            if not summary.listing_ended:
                probed = probe_shards(store, instance_id, self._schema)
                shards = sorted({*shards, *probed}, key=int)
            asked = instance_id == self._asked
            instance = Instance(store, instance_id, shards, found=not asked, schema=self._schema)
            instances.append(instance)
            present = sum(map(self._is_there, instance.directories))
            self._counts.directories += present
            if asked and present:
                summary.journal_found = True
        return instances

    def _is_there(self, records: AnyRecords) -> bool:
        return self._context.store.read_keys(records.directory, ()) is not None

    def _walk(self, instance: Instance, records: AnyRecords) -> Iterator[Found]:
        keys = 0
        check = DirectoryCheck(self._context, records)
        for page, unreadable in read_pages(self._context.store, records.directory):
            keys += len(page)
            for one in unreadable:
                yield self._context.unreadable(
                    one, journal=self._schema.journal, instance_id=directory_id(records)
                )
            yield from self._page(check, instance, records, page)
            self._counts.keys += len(page)
            yield from self.look_again(wait=False)
        yield from check.large(keys)

    def _page(
        self,
        check: DirectoryCheck,
        instance: Instance,
        records: AnyRecords,
        page: Mapping[str, bytes],
    ) -> Iterator[Found]:
        pointing = Pointing()
        yield from check.look(page, pointing)
        for entry in pointing.elsewhere:
            self._split_check.look(records, entry)
        self._pointer_check.look(instance, records, pointing.here)
        yield from self._records(instance, records, pointing.here)

    def _records(
        self, instance: Instance, records: AnyRecords, entries: list[Entry]
    ) -> Iterator[Found]:
        schema, instance_id = self._schema, directory_id(records)
        uuids = [entry.uuid or "" for entry in entries]
        found = read_records(self._context.store, schema, uuids)
        for entry, seen in zip(entries, found):
            yield from self._entry_check.look(instance, records, entry, seen)
            if seen.record is not None:
                self._listing.read(schema, seen.uuid)
                yield RecordSeen(schema, seen.uuid, seen.record, instance_id)

    # Objects that are no directory and no record's

    def _shards(self, instance: Instance) -> Iterator[Finding]:
        if instance.shards:
            numbers = ", ".join(records.directory.rpartition(".")[2] for records in instance.shards)
            yield Finding(
                FindingKind.SHARDED_DIRECTORY,
                instance.records.directory,
                instance.instance_id,
                found=f"shards {numbers}",
                journal=self._schema.journal,
            )

    def _group_without_uuid(self) -> Iterator[Finding]:
        entries = self._context.store.read_object(GROUP_WITHOUT_UUID)
        if entries is not None:
            members = parse_group(entries).content_in_words
            yield Finding(FindingKind.GROUP_WITHOUT_UUID, GROUP_WITHOUT_UUID, found=members)
