"""What a record that its entry points at says wrongly of itself."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.catalog import FindingKind
from csijournal.check.commands import Words, attach_group, attach_image, undo
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.instances import directory_id
from csijournal.check.reading import Seen
from csijournal.journal.steps import AnyRecords
from csijournal.wire.records import (
    CREATION_TIME_KEY,
    GROUP_NAME_KEY,
    IMAGE_NAME_KEY,
    JOURNAL_POOL_KEY,
    SOURCE_NAME_KEY,
    AnyRecord,
    GroupRecord,
    ImageRecord,
    SnapshotRecord,
)
from csijournal.wire.text import number_of, shortened
from csijournal.wire.timestamps import NANOSECONDS

UNFINISHED_NS = 24 * 60 * 60 * NANOSECONDS
"""How long after its reservation a group without members counts as never finished."""


def attributes_of(
    context: Context, records: AnyRecords, seen: Seen, record: AnyRecord
) -> Iterator[Finding]:
    """The findings about the record's own attributes."""
    judged: Iterator[tuple[FindingKind, str, str, tuple[Words, ...]]] = iter(())
    if isinstance(record, GroupRecord):
        judged = _of_group(context, seen, record)
    elif isinstance(record, ImageRecord):
        judged = _of_image(context, seen, record)
    for kind, key, found, commands in judged:
        yield context.finding(
            kind,
            seen,
            found,
            instance_id=directory_id(records),
            key=key,
            request_name=record.request_name,
            commands=commands,
        )


def _of_group(
    context: Context, seen: Seen, record: GroupRecord
) -> Iterator[tuple[FindingKind, str, str, tuple[Words, ...]]]:
    attach = (attach_group(seen.uuid),)
    if not record.group_name:
        yield FindingKind.MISSING_ATTRIBUTE, GROUP_NAME_KEY, "missing", attach
    elif not record.group_name.endswith(seen.uuid):
        found = f"is {shortened(record.group_name)}"
        yield FindingKind.WRONG_GROUP_NAME, GROUP_NAME_KEY, found, attach
    if record.creation_time is None:
        text = record.creation_text
        found = "missing" if text is None else f"is {shortened(text)}"
        yield FindingKind.UNREADABLE_TIME, CREATION_TIME_KEY, found, ()
    if record.volume_map or seen.unreadable or context.behind(seen).things:
        return  # an RBD group without members in order: CSI-Addons makes it empty
    since_ns = _reserved_ns(context, seen, record)
    if since_ns is not None and context.now_ns - since_ns > UNFINISHED_NS:
        found = f"no members, reserved {_in_days(context.now_ns - since_ns)} ago"
        yield FindingKind.UNFINISHED_GROUP, "", found, (undo(record.request_name or ""),)


def _of_image(
    context: Context, seen: Seen, record: ImageRecord
) -> Iterator[tuple[FindingKind, str, str, tuple[Words, ...]]]:
    if record.image_name is None:
        if not context.behind(seen).things:  # of an old driver: then its default name is there
            yield FindingKind.MISSING_ATTRIBUTE, IMAGE_NAME_KEY, "missing", ()
    elif not record.image_name.endswith(seen.uuid):
        found = f"is {shortened(record.image_name)}"
        yield FindingKind.WRONG_NAME, IMAGE_NAME_KEY, found, ()
    if isinstance(record, SnapshotRecord) and record.source_name is None:
        attach = attach_image(seen.schema.journal, seen.uuid)
        yield FindingKind.SOURCE_LOST, SOURCE_NAME_KEY, "missing", (attach,)
    if record.journal_pool is not None and record.journal_pool_id is None:
        found = f"csi.journalpool is {shortened(record.journal_pool)}, which is not a pool's id"
        yield FindingKind.SPLIT_RECORD, JOURNAL_POOL_KEY, found, ()


def _reserved_ns(context: Context, seen: Seen, record: GroupRecord) -> int | None:
    """When it was reserved, as far as that is known; None where it is gone."""
    created = record.creation_time
    if created is not None:
        return created.nanoseconds
    return context.store.modified_ns(seen.object_name)


def _in_days(nanoseconds: int) -> str:
    days = nanoseconds // UNFINISHED_NS
    return number_of(days, "day")
