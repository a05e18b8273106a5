"""The journals of CSI storage drivers on Ceph: volumes, snapshots and volume groups.

Public names are those listed here; README.md shows them at work.
"""

from __future__ import annotations

from csijournal import errors
from csijournal.archive import Archive, ArchiveWriter
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Depth, Verifier
from csijournal.errors import CSIJournalError
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import (
    EnsureResult,
    Entry,
    Reservation,
    SnapshotReservation,
    VolumeReservation,
)
from csijournal.journal.recover import Recovery
from csijournal.journal.snapshots import SnapshotJournal
from csijournal.journal.volumes import VolumeJournal
from csijournal.repair.apply import Repairer, Tally, Watcher
from csijournal.store import Guarantee, Store, open_store
from csijournal.transfer.export import Exporter
from csijournal.transfer.restore import Restorer, check_archive
from csijournal.wire.handles import Handle
from csijournal.wire.timestamps import Timestamp

__all__ = [
    "Archive",
    "ArchiveWriter",
    "CSIJournalError",
    "Depth",
    "EnsureResult",
    "Entry",
    "Exporter",
    "Finding",
    "FindingKind",
    "Guarantee",
    "Handle",
    "Recovery",
    "Repairer",
    "Reservation",
    "Restorer",
    "Severity",
    "SnapshotJournal",
    "SnapshotReservation",
    "Store",
    "Tally",
    "Timestamp",
    "Verifier",
    "VolumeGroupJournal",
    "VolumeJournal",
    "VolumeReservation",
    "Watcher",
    "check_archive",
    "errors",
    "open_store",
]
__version__ = "0.1.0"
