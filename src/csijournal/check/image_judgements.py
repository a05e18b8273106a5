"""What is wrong with the record of a volume or of a snapshot.

An image may stand behind whatever is said here, so no command is offered that
removes anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.findings import FindingKind
from csijournal.check.kinds import kind_without_entry
from csijournal.check.story import Judgement, Story
from csijournal.inventory.contract import Behind, NotCompared
from csijournal.journal.state import EntryState, classify_record
from csijournal.wire.records import ImageRecord, SnapshotRecord
from csijournal.wire.text import shortened

ImageStory = Story[ImageRecord]

_UNKNOWN = Behind(not_compared=(NotCompared("what stands behind it", "not asked"),))
"""The story of a record is told by the journals alone."""


def judge_image(story: ImageStory) -> Iterator[Judgement]:
    """What is wrong with it; nothing where all is in order."""
    record = story.record
    if story.problem:
        yield Judgement(FindingKind.SPLIT_RECORD, story.problem)
        return
    for name in story.pointers:
        yield from _of_pointer(story, name)
    if record is None:
        return
    if not story.pointers:
        yield from _without_entry(story, record)
    elif record.request_name in story.pointers:
        yield from _of_attributes(story, record)


def _of_pointer(story: ImageStory, name: str) -> Iterator[Judgement]:
    noun = story.schema.noun
    what = f"the entry of {shortened(name)} points at"
    state = classify_record(name, story.record)
    if state is EntryState.DANGLING:
        sentence = f"{what} {story.uuid}, and there is no such {noun} record"
        yield Judgement(FindingKind.DANGLING_ENTRY, sentence)
    elif state is EntryState.UNPOPULATED:
        sentence = f"{what} an empty {noun} record"
        yield _unless_pending(story, FindingKind.UNPOPULATED_RECORD, sentence)
    elif state is EntryState.NAMELESS:
        sentence = f"{what} a {noun} record without a request name"
        yield _unless_pending(story, FindingKind.NAMELESS_RECORD, sentence)
    elif state is EntryState.OTHER_NAME:
        yield _of_another(story, name)


def _of_another(story: ImageStory, name: str) -> Judgement:
    owner = (story.record.request_name if story.record else None) or ""
    what = (
        f"the entry of {shortened(name)} points at this {story.schema.noun},"
        f" which says that it belongs to {shortened(owner)}"
    )
    if owner in story.pointers:
        return Judgement(FindingKind.SHARED_UUID, f"{what}, whose entry points at it too")
    return Judgement(FindingKind.NAME_MISMATCH, f"{what}; {own_entry(story, owner)}")


def _without_entry(story: ImageStory, record: ImageRecord) -> Iterator[Judgement]:
    if record.journal_pool_id is not None:
        return  # its entry lies in that pool
    what = f"no entry that was looked at points at this {story.schema.noun}"
    if record.request_name:
        what += f"; {own_entry(story, record.request_name)}"
    kind = kind_without_entry(record, _UNKNOWN)
    yield _unless_pending(story, kind, what)


def _unless_pending(story: ImageStory, kind: FindingKind, sentence: str) -> Judgement:
    if story.pending:
        return Judgement(None, f"{sentence}. A driver may be making it now; look again later")
    return Judgement(kind, sentence)


def _of_attributes(story: ImageStory, record: ImageRecord) -> Iterator[Judgement]:
    if record.image_name and not record.image_name.endswith(story.uuid):
        yield Judgement(FindingKind.WRONG_NAME, "its csi.imagename does not end in its UUID")
    if isinstance(record, SnapshotRecord) and record.source_name is None:
        yield Judgement(
            FindingKind.SOURCE_LOST,
            "it has no csi.source, so that Ceph-CSI removes its record at the next"
            " CreateSnapshot of this name, and leaves the snapshot",
        )


def own_entry(story: ImageStory, owner: str) -> str:
    """Where the entry of the name leads that the record says it belongs to."""
    if story.own is None:
        return f"{shortened(owner)} has no entry"
    if story.own_elsewhere:
        return f"{shortened(owner)} has a {story.schema.noun} of its own, {story.own.uuid}"
    return f"the entry of {shortened(owner)} holds {shortened(story.own.value)}"
