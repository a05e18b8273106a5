"""Looking for everything that can be wrong with a journal.  Reads only.

    1. list the objects of the place, as far as the depth allows
    2. read each directory page by page, and each group that it points at
    3. where the listing came to its end, read the groups that nothing points at
    4. read again what contradicted itself, when it has had time to settle

Other clients may be at work during that.  So a group that is young may be in
use and is only counted, and what contradicts itself must stand still to be a
finding.  Nothing is judged by a listing that was cut short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from csijournal.check.catalog import FindingKind
from csijournal.check.context import Context
from csijournal.check.directory import DirectoryCheck
from csijournal.check.findings import Finding
from csijournal.check.instances import (
    Instance,
    directory_id,
    probe_shards,
    shards_of,
    without_shards,
)
from csijournal.check.listing import GROUP_WITHOUT_UUID, LISTING_SECONDS, Depth, Listing
from csijournal.check.reading import read_pages
from csijournal.check.records import EntryCheck, EntrySuspect
from csijournal.check.references import ReferenceCheck, SharedSuspect, UnpointedSuspect
from csijournal.check.settling import SETTLE_SECONDS, Settling
from csijournal.check.summary import Summary
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.journal.model import Entry
from csijournal.journal.steps import GroupRecords
from csijournal.store.contract import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp

__all__ = ["Depth", "Summary", "Verifier"]


class Verifier:
    """One check of the journal of `instance_id`, and of what `depth` adds to that.

    `grace_seconds` is how old a group or lease must be to be called left behind;
    `settle_seconds` how long a contradiction must stand to be called one.
    Memory grows with the number of groups (some 150 bytes each) where the objects
    are listed, and not with what is found.
    """

    def __init__(
        self,
        store: Store,
        *,
        instance_id: str = DEFAULT_INSTANCE_ID,
        depth: Depth = Depth.LIMITED,
        grace_seconds: float = GRACE_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        listing_seconds: float = LISTING_SECONDS,
        clock: Callable[[], Timestamp] = Timestamp.now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.summary = Summary(stands_alone=store.stands_alone)
        self.depth = depth
        self._store = store
        self._instance_id = instance_id
        self._listing_seconds = listing_seconds
        self._monotonic = monotonic
        now = clock()
        grace = Grace.of_seconds(grace_seconds, clock=lambda: now)
        self._context = Context(store, self.summary, grace)
        self._listing = Listing(store, self.summary, instance_id)
        self._entries: Settling[EntrySuspect]
        self._shared: Settling[SharedSuspect]
        self._unpointed: Settling[UnpointedSuspect]
        self._entries, self._shared, self._unpointed = (
            Settling(settle_seconds, monotonic=monotonic, sleep=sleep) for _ in range(3)
        )
        self._entry_check = EntryCheck(self._context, self._entries)
        self._reference_check = self._references([])
        self._reading = True

    @property
    def wait_seconds(self) -> float:
        """How long it is until the check reads again what contradicts itself; 0 before that."""
        queues = (self._entries, self._shared, self._unpointed)
        return 0.0 if self._reading else max(queue.wait_seconds for queue in queues)

    def count_keys(self) -> int:
        """How many keys there are to walk, for a progress bar; costs one walk of the keys."""
        directory = GROUPS.directory_object(self._instance_id)
        return sum(len(page) for page, _ in read_pages(self._store, directory))

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong, as it is found.  Raises StoreError."""
        for finding in self._find():
            self.summary.count(finding)
            yield finding

    def _find(self) -> Iterator[Finding]:
        self._listing.run(self.depth, seconds_max=self._listing_seconds, monotonic=self._monotonic)
        self._listing.other_directories()
        instances = self._instances()
        self._reference_check = self._references(instances)
        self.summary.instances = [instance.instance_id for instance in instances]
        yield from self._group_without_uuid()
        for instance in instances:
            yield from self._shards(instance)
            for records in instance.directories:
                yield from self._walk(instance, records)
        if self.summary.listing_ended:
            yield from self._reference_check.look_at_unpointed()
        self._reading = False
        yield from self._look_again(wait=True)
        self.summary.not_looked_at += self._not_looked_at()

    # Directories

    def _instances(self) -> list[Instance]:
        """All instances that are known, each with its shards."""
        known = self._listing.instance_ids
        instances = []
        for instance_id in sorted(without_shards(known)):
            shards = shards_of(instance_id, known)
            if not self.summary.listing_ended:
                shards = sorted({*shards, *probe_shards(self._store, instance_id)}, key=int)
            asked = instance_id == self._instance_id
            instances.append(Instance(self._store, instance_id, shards, found=not asked))
            if asked:
                self.summary.journal_found = any(map(self._is_there, instances[-1].directories))
        if len(instances) == 1 and self.summary.group_objects:
            self.summary.journal_found = True  # one that has lost its directory
        return instances

    def _is_there(self, records: GroupRecords) -> bool:
        return self._store.read_keys(records.directory, ()) is not None

    def _walk(self, instance: Instance, records: GroupRecords) -> Iterator[Finding]:
        keys = 0
        check = DirectoryCheck(self._context, records)
        for page, unreadable in read_pages(self._store, records.directory):
            keys += len(page)
            for one in unreadable:
                yield self._context.unreadable(one, instance_id=directory_id(records))
            yield from self._page(check, instance, records, page)
            self.summary.keys += len(page)
            yield from self._look_again(wait=False)
        yield from check.large(keys)

    def _page(
        self,
        check: DirectoryCheck,
        instance: Instance,
        records: GroupRecords,
        page: dict[str, bytes],
    ) -> Iterator[Finding]:
        pointing: list[Entry] = []
        yield from check.look(page, pointing)
        yield from self._entry_check.look(instance, records, pointing)
        if self.summary.listing_ended:
            self._reference_check.look(instance, records, pointing)

    def _look_again(self, *, wait: bool) -> Iterator[Finding]:
        """Read again what has settled; with `wait`, all that has not yet."""
        for entries in self._entries.rest() if wait else self._entries.settled():
            yield from self._entry_check.look_again(entries)
        for shared in self._shared.rest() if wait else self._shared.settled():
            yield from self._reference_check.shared_again(shared)
        for unpointed in self._unpointed.rest() if wait else self._unpointed.settled():
            yield from self._reference_check.unpointed_again(unpointed)

    def _references(self, instances: list[Instance]) -> ReferenceCheck:
        return ReferenceCheck(
            self._context,
            self._listing,
            instances,
            entries=self._entry_check,
            shared=self._shared,
            unpointed=self._unpointed,
        )

    # Objects that are no directory and no group's

    def _shards(self, instance: Instance) -> Iterator[Finding]:
        if instance.shards:
            numbers = ", ".join(records.directory.rpartition(".")[2] for records in instance.shards)
            yield Finding(
                FindingKind.SHARDED_DIRECTORY,
                instance.records.directory,
                instance.instance_id,
                found=f"shards {numbers}",
            )

    def _group_without_uuid(self) -> Iterator[Finding]:
        entries = self._store.read_object(GROUP_WITHOUT_UUID)
        if entries is not None:
            members = parse_group(entries).content_in_words
            yield Finding(FindingKind.GROUP_WITHOUT_UUID, GROUP_WITHOUT_UUID, found=members)

    def _not_looked_at(self) -> Iterator[str]:
        if self.depth is Depth.QUICK:
            yield "what nothing points at, and other instances (--quick lists no objects)"
        elif not self.summary.listing_ended:
            yield (
                "what nothing points at: the objects were listed for"
                f" {self._listing_seconds:g} s and not to the end (--full lists all)"
            )
        if self.summary.other_journals:
            names = ", ".join(self.summary.other_journals[:5])
            more = "" if len(self.summary.other_journals) <= 5 else ", and more"  # noqa: PLR2004
            yield f"the volume and snapshot journals {names}{more} (this version reads groups)"
        if not self._store.stands_alone:
            yield "what the records stand for: images, RBD groups, subvolumes"
