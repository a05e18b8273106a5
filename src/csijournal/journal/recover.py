"""Finishing or rolling back what clients left when they died.

    1. each lease that is old: revoke it, if it stands unchanged
    2. each UUID of a revoked lease: remove its record, if no entry points at it
    3. a lease that was revoked long ago, and looked at again: remove it
    4. each stale entry: clean it up, as check does

Once a lease is revoked no entry can be written under it, so what step 2 finds
without an entry stays without one.  An owner that was only slow finds its entry
refused, removes its record and takes a new lease.  Should it create that record
after step 2 and die before it can remove it, the revoked lease still lists it
for the next recover: that is what step 3 waits for.

Age only decides where to look; no step is safe because of a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic

from csijournal.compat import zip_strict
from csijournal.errors import InvalidInput, JournalDamaged, ReservationPending, UnreadableContent
from csijournal.journal.cleanup import Cleanup
from csijournal.journal.finality import standing_leases
from csijournal.journal.grace import Grace
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify
from csijournal.journal.steps import Records
from csijournal.store.contract import Unreadable, unreadable_in
from csijournal.wire.entries import RecordHere, UnreadableTarget
from csijournal.wire.leases import LEASE_PREFIX, Lease, parse_lease
from csijournal.wire.schema import R


@dataclass
class Recovery:
    """What recover did; with `dry_run`, what it would have done.

    `pending` counts entries whose records may still be being made, and
    `damaged` entries and records that contradict themselves or each other, or
    cannot be read; both were left alone.  `unreadable` names the keys that could
    not be read where recover looks: among leases, entries, and in the records
    that it wanted to remove.
    """

    leases_revoked: list[str] = field(default_factory=list)
    leases_removed: list[str] = field(default_factory=list)
    records_removed: list[str] = field(default_factory=list)
    entries_removed: list[str] = field(default_factory=list)
    pending: int = 0
    damaged: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to recover, and nothing that had to be left alone."""
        return self == Recovery()


class Recoverer(Generic[R]):
    """One run of recover over one directory.

    `older_than` says from which age a lease counts as left behind.
    """

    def __init__(
        self, records: Records[R], cleanup: Cleanup[R], *, older_than: Grace, dry_run: bool
    ) -> None:
        self._records = records
        self._cleanup = cleanup
        self._older_than = older_than
        self._dry_run = dry_run
        self._done = Recovery()
        # A dry run leaves them standing, and must count them as revoked all the same.
        self._revoked_keys: set[str] = set()

    def run(self) -> Recovery:
        """All steps, for leases first and entries then.

        All leases are listed before any is touched: one that this run revokes
        would else come up again as revoked, and go before its time.
        """
        for lease in self._leases():
            if lease.revoked:
                self._examine_again(lease)
            elif self._is_old(lease):
                self._revoke(lease)
        for page in self._pages(self._records.schema.entry_prefix):
            entries = (self._records.as_entry(*item) for item in page.items())
            self._clean_up(list(self._stale([entry for entry in entries if entry])))
        return self._done

    def _leases(self) -> list[Lease]:
        pages = self._pages(LEASE_PREFIX)
        leases = (parse_lease(*item) for page in pages for item in page.items())
        return [lease for lease in leases if lease]

    def _pages(self, prefix: str) -> Iterator[dict[str, bytes]]:
        for page in self._records.directory_pages(prefix):
            self._done.unreadable += unreadable_in(page)
            yield page

    def _leave_unreadable(self, uuid: str) -> None:
        """Count a record that cannot be read to its end, and name what is in it."""
        self._done.damaged += 1
        self._done.unreadable += self._records.unreadable_keys(uuid)

    def _is_old(self, lease: Lease) -> bool:
        return self._older_than.is_over(lease.since.nanoseconds)

    def _revoke(self, lease: Lease) -> None:
        if self._dry_run or self._records.revoke_lease(lease, self._older_than.clock()):
            self._done.leases_revoked.append(lease.lease_id)
            self._revoked_keys.add(lease.key)
            self._remove_stranded(lease)

    def _examine_again(self, lease: Lease) -> None:
        self._remove_stranded(lease)
        if self._is_old(lease):
            if not self._dry_run:
                self._records.remove_leases([lease.key])
            self._done.leases_removed.append(lease.lease_id)

    def _remove_stranded(self, lease: Lease) -> None:
        for uuid, record in self._records.read_records(lease.uuids):
            if record is not None and self._is_stranded(uuid, record):
                self._remove_record(uuid)

    def _remove_record(self, uuid: str) -> None:
        """Remove it as it is now, if it still is stranded: one that was attached has changed.

        Where another lease lists the UUID, a caller has chosen it again, and
        may be about to write its entry.
        """
        try:
            state = self._records.read_state(uuid)
        except UnreadableContent:
            self._leave_unreadable(uuid)
            return
        if state is None or self._is_leased(uuid):
            return
        record = self._records.schema.parse(state.entries)
        if not self._is_stranded(uuid, record):
            return
        if record.request_name is not None and not self._is_reserved_name(record.request_name):
            self._done.damaged += 1
            return
        if self._cleanup.is_backed(uuid, record):
            self._done.damaged += 1
            return
        if self._dry_run or self._records.remove_unchanged(uuid, state.version):
            self._done.records_removed.append(uuid)

    def _is_leased(self, uuid: str) -> bool:
        """Whether a lease lists it that this run did not revoke."""
        standing = standing_leases([self._records], uuid)
        return any(lease.key not in self._revoked_keys for _, lease in standing)

    def _is_reserved_name(self, request_name: str) -> bool:
        """Whether reserve may have written it, whatever the lease says."""
        try:
            self._records.schema.require_request_name(request_name)
        except InvalidInput:
            return False
        return True

    def _is_stranded(self, uuid: str, record: R) -> bool:
        """Whether it is a record as reserve makes it, and its name points elsewhere.

        One with members or an image is in somebody's use.  An empty one is what
        a cleanup made that died: reserve makes none, and no lease lists a peer's.
        """
        if record.in_use:
            return False
        if record.request_name is None:
            return True
        return not self._records.entry_matches(record.request_name, uuid)

    def _stale(self, page: list[Entry]) -> Iterator[tuple[Entry, R | None]]:
        """Those of the entries that cleanup has to look at."""
        self._done.damaged += sum(isinstance(entry.target, UnreadableTarget) for entry in page)
        here = [(entry, entry.target) for entry in page if isinstance(entry.target, RecordHere)]
        records = self._records.read_records(target.uuid for _, target in here)
        for (entry, target), (_, record) in zip_strict(here, records):
            state = classify(entry.request_name, target, record)
            if state.is_stale or state is EntryState.NAMELESS:
                yield entry, record
            elif state is not EntryState.COMPLETE:
                self._done.damaged += 1

    def _clean_up(self, stale: list[tuple[Entry, R | None]]) -> None:
        """Clean up each; what has to stand still for the settle time does so all at once."""
        seen = (
            {}
            if self._dry_run
            else self._cleanup.seen_still(
                entry.uuid or "" for entry, record in stale if record is not None
            )
        )
        for entry, record in stale:
            try:
                if self._cleanup.clean_up(
                    entry.request_name,
                    entry.uuid or "",
                    record,
                    dry_run=self._dry_run,
                    seen_version=seen.get(entry.uuid or ""),
                ):
                    self._done.entries_removed.append(entry.request_name)
            except ReservationPending:
                self._done.pending += 1
            except UnreadableContent:
                self._leave_unreadable(entry.uuid or "")
            except (JournalDamaged, InvalidInput):
                self._done.damaged += 1
