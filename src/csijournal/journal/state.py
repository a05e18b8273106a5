"""What an entry and its record are to each other: the only judge.

Check, cleanup, recover, verify and repair all ask here, and differ only in
what they do about the answer.
"""

from __future__ import annotations

import enum

from csijournal.wire.entries import MappedHandle, RecordHere, RecordInPool, Target
from csijournal.wire.records import AnyRecord


class EntryState(enum.Enum):
    """The state of one entry of a directory."""

    COMPLETE = enum.auto()
    """The record says that it is this request name's."""
    DANGLING = enum.auto()
    """There is no record: the rest of an undo, or of a delete."""
    UNPOPULATED = enum.auto()
    """The record has no request name and nothing that anybody could miss."""
    NAMELESS = enum.auto()
    """The record has no request name, but members or attributes."""
    OTHER_NAME = enum.auto()
    """The record says that it is another request name's."""
    ELSEWHERE = enum.auto()
    """The record lies in another pool."""
    MAPPING = enum.auto()
    """A handle that stands for another since a failover, not a reservation."""
    UNREADABLE = enum.auto()
    """The value is nothing that can be followed."""

    @property
    def is_stale(self) -> bool:
        """Whether nothing is left of a reservation but its rest."""
        return self in {EntryState.DANGLING, EntryState.UNPOPULATED}


def classify(request_name: str, target: Target, record: AnyRecord | None) -> EntryState:
    """The state of the entry of `request_name`; `record` is what `target` leads to, None for none.

    `record` is not asked where the target does not lead to this pool.
    """
    if isinstance(target, RecordInPool):
        return EntryState.ELSEWHERE
    if isinstance(target, MappedHandle):
        return EntryState.MAPPING
    if not isinstance(target, RecordHere):
        return EntryState.UNREADABLE
    return classify_record(request_name, record)


def classify_record(request_name: str, record: AnyRecord | None) -> EntryState:
    """The state of an entry of `request_name` that points at `record`; None is no record."""
    if record is None:
        return EntryState.DANGLING
    if not record.populated:
        return EntryState.NAMELESS if record.in_use else EntryState.UNPOPULATED
    if record.request_name != request_name:
        return EntryState.OTHER_NAME
    return EntryState.COMPLETE
