"""Looking for everything that can be wrong with the journals of a location.  Reads only.

    1. list the objects of the location, as far as the depth allows
    2. read each directory page by page, and each record that it points at
    3. where the listing came to its end, read the records that nothing points at
    4. compare: the records with each other, and with what stands behind them
    5. read again what contradicted itself, when it has had time to settle

Other clients may be at work during that.  So a record that is young may be in
use and is only counted, and what contradicts itself must stand still to be a
finding.  Nothing is judged by a listing that was cut short.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from csijournal.check.compare_inventory import comparisons_with_inventory
from csijournal.check.compare_places import Across, PlaceComparison
from csijournal.check.compare_records import RecordComparison
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.handle_location import NOTHING_MAPPED
from csijournal.check.journal_scan import JournalScan
from csijournal.check.listing import LISTING_SECONDS, Depth, Listing
from csijournal.check.reading import read_pages
from csijournal.check.references import References
from csijournal.check.settling import SETTLE_SECONDS, Settling
from csijournal.check.summary import Summary
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.cluster_mapping import ClusterMapping
from csijournal.inventory.contract import Inventory
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.store.contract import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import SCHEMAS, AnySchema
from csijournal.wire.timestamps import Timestamp

__all__ = ["Depth", "Summary", "Verifier"]

MakeComparison = Callable[[Context], Comparison]


class Verifier:
    """One check of the journals of `instance_id`, and of what `depth` adds to that.

    `journals` are those that are looked at.  `inventory` tells what stands
    behind their records; where none is given, it is chosen by what the location is
    used for, and closed at the end.  `comparisons` are made for this check, beside
    those of the records with each other and with the inventory.  `mapping` says what
    the handles in the records stand for since a failover.  `across` is shared by the
    checks of several namespaces of a pool.

    `grace_seconds` is how old a record or lease must be to be called left behind;
    `settle_seconds` how long a contradiction must stand to be called one.
    Memory grows with the number of records (some 150 bytes each where the objects
    are listed, else 8), with that of references between them (some 90 bytes
    each), and not with what is found.
    """

    def __init__(
        self,
        store: Store,
        *,
        journals: Sequence[AnySchema] = SCHEMAS,
        inventory: Inventory | None = None,
        comparisons: Iterable[MakeComparison] = (),
        mapping: ClusterMapping = NOTHING_MAPPED,
        across: Across | None = None,
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
        # Groups first, then snapshots: what they name is then known when volumes are judged.
        self._journals = [schema for schema in reversed(SCHEMAS) if schema in journals]
        self._given_inventory = inventory
        self._make_comparisons: tuple[MakeComparison, ...] = (
            partial(RecordComparison, mapping=mapping),
            partial(PlaceComparison, across=across),
            *comparisons,
        )
        self._instance_id = instance_id
        self._listing_seconds = listing_seconds
        self._monotonic = monotonic
        now = clock()
        self._grace = Grace.of_seconds(grace_seconds, clock=lambda: now)
        self._listing = Listing(store, self.summary, self._journals, instance_id)
        self._make_queue = partial(Settling, settle_seconds, monotonic=monotonic, sleep=sleep)
        self._scans: list[JournalScan] = []
        self._comparing: Settling[Comparison] = self._make_queue()
        self._reading = True

    @property
    def wait_seconds(self) -> float:
        """How long it is until the check reads again what contradicts itself; 0 before that."""
        if self._reading:
            return 0.0
        waits = [scan.wait_seconds for scan in self._scans]
        return max(*waits, self._comparing.wait_seconds)

    def count_keys(self) -> int:
        """How many keys there are to walk, for a progress bar; costs one walk of the keys."""
        return sum(
            len(page)
            for schema in self._journals
            for page, _ in read_pages(self._store, schema.directory_object(self._instance_id))
        )

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong, as it is found.  Raises StoreError."""
        inventory = self._given_inventory or inventory_of(self._store)
        try:
            for finding in self._find(inventory):
                self.summary.count(finding)
                yield finding
        finally:
            if self._given_inventory is None:
                inventory.close()

    def _find(self, inventory: Inventory) -> Iterator[Finding]:
        context = Context(
            self._store,
            inventory,
            self.summary,
            self._grace,
            References(),
            self._listing,
            full=self.depth is Depth.FULL,
        )
        self._listing.run(self.depth, seconds_max=self._listing_seconds, monotonic=self._monotonic)
        self._listing.other_directories()
        context.comparisons.extend(make(context) for make in self._make_comparisons)
        context.comparisons.extend(comparisons_with_inventory(context))
        self._scans = [
            JournalScan(context, self._listing, schema, self._instance_id, self._make_queue)
            for schema in self._journals
        ]
        self._note_instances()
        for run in (JournalScan.run, JournalScan.run_unpointed):
            for scan in self._scans:
                for found in run(scan):
                    if isinstance(found, Finding):
                        yield found
                    else:
                        _hand_on(found, context)
        self._reading = False
        yield from self._look_again(context)
        self._tell(inventory)

    def _look_again(self, context: Context) -> Iterator[Finding]:
        """Judge what was seen once, when it has had time to settle."""
        for comparison in context.comparisons:
            comparison.look_around()
            if comparison.has_suspects:
                self._comparing.add(comparison)
        inventory = context.inventory
        counts = {kind.value: number for kind, number in inventory.compared().items()}
        self.summary.compared = counts
        self._note_not_compared(inventory)  # the next refresh forgets it
        for scan in self._scans:
            yield from scan.look_again(wait=True)
        for settled in self._comparing.rest():
            inventory.refresh()
            for comparison in settled:
                yield from comparison.look_again()

    def _note_instances(self) -> None:
        ids = {instance.instance_id for scan in self._scans for instance in scan.instances}
        self.summary.instances = sorted(ids)
        if len(ids) == 1 and self.summary.listed:
            self.summary.journal_found = True  # one that has lost its directory

    def _tell(self, inventory: Inventory) -> None:
        self.summary.compared_with = inventory.name
        self.summary.not_looked_at += self._not_looked_at()
        self._note_not_compared(inventory)

    def _note_not_compared(self, inventory: Inventory) -> None:
        for problem in map(str, inventory.not_compared()):
            self.summary.compared_whole = False
            self.summary.note_not_looked_at(problem)

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
            yield f"the journals {names}{more}: --journal leaves them out"
        if self.summary.kubernetes is not None:
            yield from self.summary.kubernetes.not_looked_for()


def _hand_on(seen: RecordSeen, context: Context) -> None:
    context.references.note(seen)
    for comparison in context.comparisons:
        comparison.look(seen)
