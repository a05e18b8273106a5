"""The volume group journal of CSI storage drivers on Ceph.

Public names are those listed here; README.md shows them at work.
"""

from __future__ import annotations

from csijournal import errors
from csijournal.errors import CSIJournalError
from csijournal.handle import Handle
from csijournal.journal import VolumeGroupJournal
from csijournal.model import Ensured, Entry, Reservation
from csijournal.store import Guarantee, Store, open_store
from csijournal.timestamp import Timestamp

__all__ = [
    "CSIJournalError",
    "Ensured",
    "Entry",
    "Guarantee",
    "Handle",
    "Reservation",
    "Store",
    "Timestamp",
    "VolumeGroupJournal",
    "errors",
    "open_store",
]
__version__ = "0.1.0"
