"""Finishing or rolling back what clients left when they died.

    1. each lease that is old: revoke it, if it stands unchanged
    2. each UUID of a revoked lease: remove its group object, if no entry points at it
    3. a lease that was revoked long ago, and looked at again: remove it
    4. each entry without a populated group object: collect it, as check does

Once a lease is revoked no entry can be written under it, so what step 2 finds
without an entry stays without one.  An owner that was only slow finds its entry
refused, removes its group object and takes a new lease.  Should it create that
object after step 2 and die before it can remove it, the revoked lease still
lists it for the next recover: that is what step 3 waits for.

Age only decides where to look; no step is safe because of a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from csijournal.errors import InvalidInput, JournalDamaged, ReservationPending
from csijournal.journal.cleanup import Collector
from csijournal.journal.model import Entry
from csijournal.journal.steps import Records
from csijournal.wire import layout
from csijournal.wire.layout import GroupRecord, Lease
from csijournal.wire.timestamps import Timestamp


@dataclass(slots=True)
class Recovery:
    """What recover did; with `dry_run`, what it would have done.

    `pending` counts entries whose groups may still be in the making, and
    `damaged` entries and groups that contradict themselves or each other; both
    were left alone.
    """

    leases_revoked: list[str] = field(default_factory=list)
    leases_removed: list[str] = field(default_factory=list)
    groups_removed: list[str] = field(default_factory=list)
    entries_removed: list[str] = field(default_factory=list)
    pending: int = 0
    damaged: int = 0


class Recoverer:
    """One run of recover over one directory.

    `older_than_ns` is the age from which a lease counts as left behind.
    """

    def __init__(
        self,
        records: Records,
        collector: Collector,
        *,
        older_than_ns: int,
        dry_run: bool,
        clock: Callable[[], Timestamp],
    ) -> None:
        self._records = records
        self._collector = collector
        self._older_than_ns = older_than_ns
        self._dry_run = dry_run
        self._clock = clock
        self._done = Recovery()

    def run(self) -> Recovery:
        """All steps, for leases first and entries then.

        All leases are listed before any is touched: one that this run revokes
        would else come up again as revoked, and go before its time.
        """
        for lease in tuple(self._records.leases()):
            if lease.revoked:
                self._examine_again(lease)
            elif self._is_old(lease):
                self._revoke(lease)
        for entry, record in self._entries_without_group():
            self._collect(entry, record)
        return self._done

    def _is_old(self, lease: Lease) -> bool:
        return self._clock().nanoseconds - lease.since.nanoseconds >= self._older_than_ns

    def _revoke(self, lease: Lease) -> None:
        if self._dry_run or self._records.revoke_lease(lease, self._clock()):
            self._done.leases_revoked.append(lease.lease_id)
            self._remove_stranded(lease)

    def _examine_again(self, lease: Lease) -> None:
        self._remove_stranded(lease)
        if self._is_old(lease):
            if not self._dry_run:
                self._records.remove_leases([lease.key])
            self._done.leases_removed.append(lease.lease_id)

    def _remove_stranded(self, lease: Lease) -> None:
        for group_uuid, record in self._records.read_groups(lease.group_uuids):
            if record is not None and self._is_stranded(group_uuid, record):
                self._remove_group(group_uuid, record.request_name or "")

    def _remove_group(self, group_uuid: str, request_name: str) -> None:
        """Remove it, if its name is one that reserve writes and a guard can tell."""
        try:
            layout.require_request_name(request_name)
        except InvalidInput:
            self._done.damaged += 1
            return
        if self._dry_run or self._records.remove_group(group_uuid, request_name):
            self._done.groups_removed.append(group_uuid)

    def _is_stranded(self, group_uuid: str, record: GroupRecord) -> bool:
        """Whether it is a group as reserve makes it, and its name points elsewhere.

        One with members is in somebody's use.
        """
        if not record.populated or record.volume_map:
            return False
        return not self._records.points_at(record.request_name or "", group_uuid)

    def _entries_without_group(self) -> Iterator[tuple[Entry, GroupRecord | None]]:
        for page in self._records.entry_pages():
            pointing = [entry for entry in page if entry.group_uuid]
            self._done.damaged += len(page) - len(pointing)
            groups = self._records.read_groups(entry.group_uuid or "" for entry in pointing)
            for entry, (_, record) in zip(pointing, groups, strict=True):
                if record is None or not record.populated:
                    yield entry, record
                elif record.request_name != entry.request_name:
                    self._done.damaged += 1

    def _collect(self, entry: Entry, record: GroupRecord | None) -> None:
        try:
            if self._collector.collect(
                entry.request_name, entry.group_uuid or "", record, dry_run=self._dry_run
            ):
                self._done.entries_removed.append(entry.request_name)
        except ReservationPending:
            self._done.pending += 1
        except (JournalDamaged, InvalidInput):
            self._done.damaged += 1
