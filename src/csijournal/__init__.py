"""The journals of CSI storage drivers on Ceph: volumes, snapshots and volume groups.

Public names are those listed here; README.md shows them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from csijournal import errors
from csijournal.errors import CSIJournalError

if TYPE_CHECKING:
    from csijournal.archive import Archive, ArchiveWriter
    from csijournal.check.findings import Finding, FindingKind, Severity
    from csijournal.check.scan import Depth, Verifier
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

_HOMES = {
    "Archive": "csijournal.archive",
    "ArchiveWriter": "csijournal.archive",
    "Depth": "csijournal.check.scan",
    "EnsureResult": "csijournal.journal.model",
    "Entry": "csijournal.journal.model",
    "Exporter": "csijournal.transfer.export",
    "Finding": "csijournal.check.findings",
    "FindingKind": "csijournal.check.findings",
    "Guarantee": "csijournal.store",
    "Handle": "csijournal.wire.handles",
    "Recovery": "csijournal.journal.recover",
    "Repairer": "csijournal.repair.apply",
    "Reservation": "csijournal.journal.model",
    "Restorer": "csijournal.transfer.restore",
    "Severity": "csijournal.check.findings",
    "SnapshotJournal": "csijournal.journal.snapshots",
    "SnapshotReservation": "csijournal.journal.model",
    "Store": "csijournal.store",
    "Tally": "csijournal.repair.apply",
    "Timestamp": "csijournal.wire.timestamps",
    "Verifier": "csijournal.check.scan",
    "VolumeGroupJournal": "csijournal.journal.groups",
    "VolumeJournal": "csijournal.journal.volumes",
    "VolumeReservation": "csijournal.journal.model",
    "Watcher": "csijournal.repair.apply",
    "check_archive": "csijournal.transfer.restore",
    "open_store": "csijournal.store",
}
"""Where each name comes from that is imported when it is first asked for.

The command line passes through here too, and would else wait for the whole
library before each command and each completion.
"""

if not TYPE_CHECKING:  # it would hide every name that is misspelt from the type checker

    def __getattr__(name: str) -> object:
        """The public name, from the module that has it."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found

    def __dir__() -> list[str]:
        """The public names, whether imported yet or not."""
        return __all__
