"""The records of a journal beside what CephFS holds."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.cephfs_references import ReferenceComparison, SnapshotOwners
from csijournal.check.cephfs_snapshots import SnapshotComparison
from csijournal.check.cephfs_subvolumes import SubvolumeComparison
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.record_lookup import RecordLookup
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.wire.schema import SNAPSHOTS, VOLUMES

_NOT_ASKED = (
    "snapshots of CephFS subvolumes, and references of shallow volumes, that no record names"
    " (--full asks about all)"
)


class CephFSComparison(Comparison):
    """Volumes, snapshots and references of shallow volumes; groups have nothing behind them.

    Without a manager that answers, the references alone are compared, and the
    summary says so.
    """

    def __init__(self, context: Context, inventory: CephFSInventory) -> None:
        self._context = context
        records = RecordLookup(context)
        references = ReferenceComparison(context, inventory, records)
        owners = SnapshotOwners(records, references)
        subvolumes = SubvolumeComparison(context, inventory, records, owners)
        snapshots = SnapshotComparison(context, inventory, records, owners, subvolumes)
        # Each may ask those before it, of what they noted while they looked around.
        self._parts: list[Comparison] = []
        if context.looks_at(VOLUMES):
            self._parts += [references, subvolumes]
        if context.looks_at(SNAPSHOTS):
            self._parts.append(snapshots)

    def look(self, seen: RecordSeen) -> None:
        for part in self._parts:
            part.look(seen)

    def look_around(self) -> None:
        for part in self._parts:
            part.look_around()
        if self._parts and not self._context.full:
            self._context.summary.note_not_looked_at(_NOT_ASKED)

    @property
    def has_suspects(self) -> bool:
        return any(part.has_suspects for part in self._parts)

    def look_again(self) -> Iterator[Finding]:
        for part in self._parts:
            yield from part.look_again()
