"""What a record that is not in order is called, in each of the three journals.

The groups' names are older than the other two journals in csijournal, and scripts use them.
"""

from __future__ import annotations

from collections.abc import Mapping

from csijournal.check.catalog import FindingKind
from csijournal.inventory.contract import Behind
from csijournal.journal.state import EntryState, classify_record
from csijournal.wire.records import AnyRecord, GroupRecord, ImageRecord
from csijournal.wire.schema import GROUPS, AnySchema

_OF_GROUPS = {
    EntryState.DANGLING: FindingKind.DANGLING_ENTRY,
    EntryState.UNPOPULATED: FindingKind.UNPOPULATED_GROUP,
    EntryState.NAMELESS: FindingKind.NAMELESS_GROUP,
    EntryState.OTHER_NAME: FindingKind.NAME_MISMATCH,
}
_OF_IMAGES = {
    **_OF_GROUPS,
    EntryState.UNPOPULATED: FindingKind.UNPOPULATED_RECORD,
    EntryState.NAMELESS: FindingKind.NAMELESS_RECORD,
}

OF_ENTRIES = frozenset({*_OF_GROUPS.values(), *_OF_IMAGES.values(), FindingKind.SHARED_UUID})
"""Kinds of an entry and a record that disagree: a client at work passes through that."""

UNPOPULATED = frozenset({FindingKind.UNPOPULATED_GROUP, FindingKind.UNPOPULATED_RECORD})

WITHOUT_ENTRY_ALONE = frozenset(
    {
        FindingKind.ORPHAN_GROUP,
        FindingKind.EMPTY_OBJECT,
        FindingKind.ORPHAN_RECORD,
        FindingKind.EMPTY_RECORD,
        FindingKind.PARTIAL_RECORD,
    }
)
"""Records without an entry that repair may remove, where nothing is behind them."""


def _of_entries(schema: AnySchema) -> Mapping[EntryState, FindingKind]:
    return _OF_GROUPS if schema is GROUPS else _OF_IMAGES


def contradiction(
    schema: AnySchema, request_name: str, record: AnyRecord | None
) -> FindingKind | None:
    """How the entry of the name and the record that it points at disagree; None for not at all."""
    return _of_entries(schema).get(classify_record(request_name, record))


def kind_without_entry(record: AnyRecord, behind: Behind) -> FindingKind:
    """What a record is called that no entry points at; `behind` is what stands behind it."""
    if isinstance(record, GroupRecord):
        if record.populated:
            return FindingKind.DETACHED_GROUP if record.in_use else FindingKind.ORPHAN_GROUP
        return FindingKind.MEMBERS_ELSEWHERE if record.in_use else FindingKind.EMPTY_OBJECT
    if record.populated:
        return FindingKind.ORPHAN_RECORD if behind.is_nothing else FindingKind.DETACHED_RECORD
    if not record.in_use:
        return FindingKind.EMPTY_RECORD
    partial = isinstance(record, ImageRecord) and record.is_partial
    return FindingKind.PARTIAL_RECORD if partial else FindingKind.DETACHED_RECORD
