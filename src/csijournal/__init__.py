"""The volume group journal of CSI storage drivers on Ceph.

Public names are those listed here; README.md shows them at work.
"""

from __future__ import annotations

from csijournal import errors
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Verifier
from csijournal.errors import CSIJournalError
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import EnsureResult, Entry, Reservation
from csijournal.journal.recover import Recovery
from csijournal.store import Guarantee, Store, open_store
from csijournal.wire.handles import Handle
from csijournal.wire.timestamps import Timestamp

__all__ = [
    "CSIJournalError",
    "EnsureResult",
    "Entry",
    "Finding",
    "FindingKind",
    "Guarantee",
    "Handle",
    "Recovery",
    "Reservation",
    "Severity",
    "Store",
    "Timestamp",
    "Verifier",
    "VolumeGroupJournal",
    "errors",
    "open_store",
]
__version__ = "0.1.0"
