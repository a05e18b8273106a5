"""What is wrong with a group, and the commands for each case."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.commands import attach_group, drop_entry, drop_group
from csijournal.check.findings import FindingKind
from csijournal.check.kinds import kind_without_entry
from csijournal.check.story import Choice, Judgement, Story, Words
from csijournal.inventory.contract import Behind
from csijournal.journal.state import EntryState, classify_record
from csijournal.wire.records import GroupRecord
from csijournal.wire.text import shortened

GroupStory = Story[GroupRecord]


def judge_group(story: GroupStory) -> Iterator[Judgement]:
    """What is wrong with it; nothing where all is in order."""
    for name in story.pointers:
        yield from _of_pointer(story, name)
    if not story.pointers and story.record is not None:
        yield _without_entry(story, story.record)
    if story.record is not None and story.record.populated and story.pointers:
        yield from _of_group_name(story, story.record)


def _of_pointer(story: GroupStory, name: str) -> Iterator[Judgement]:
    """What is wrong between the group and the entry of `name`, which points at it."""
    state = classify_record(name, story.record)
    if state is EntryState.DANGLING:
        yield Judgement(
            FindingKind.DANGLING_ENTRY,
            f"the entry of {shortened(name)} points at {story.uuid},"
            " and there is no such group object",
            (Choice("to free the name for a new group", (drop_entry(name),)),),
        )
    elif state in {EntryState.NAMELESS, EntryState.UNPOPULATED}:
        yield _without_name(story, name, state)
    elif state is EntryState.OTHER_NAME and story.record is not None:
        yield _of_another(story, story.record, name)


def _without_name(story: GroupStory, name: str, state: EntryState) -> Judgement:
    nobodys = Choice("if nobody needs it", (drop_entry(name), drop_group(story.uuid)))
    what = f"the entry of {shortened(name)} points at a group without a request name"
    if state is EntryState.NAMELESS:
        attach = attach_group(story.uuid, name)
        theirs = Choice(f"if the members are those of {shortened(name)}", (attach,))
        return Judgement(FindingKind.NAMELESS_GROUP, what, (theirs, nobodys))
    if story.pending:
        return Judgement(None, f"{what}, which a driver may be making now; look again later")
    return Judgement(FindingKind.UNPOPULATED_GROUP, f"{what} and without members", (nobodys,))


def _of_another(story: GroupStory, record: GroupRecord, name: str) -> Judgement:
    """The entry of `name` points at a group that says it is another's."""
    owner = record.request_name or ""
    what = (
        f"the entry of {shortened(name)} points at this group,"
        f" which says that it belongs to {shortened(owner)}"
    )
    drop = drop_entry(name)
    if owner in story.pointers:
        return Judgement(
            FindingKind.SHARED_UUID,
            f"{what}, whose entry points at it too",
            (Choice(f"to leave the group to {shortened(owner)}", (drop,)),),
        )
    mine = Choice(f"if the group is that of {shortened(name)}", (attach_group(story.uuid, name),))
    nobodys = Choice("if nobody needs the group", (drop, drop_group(story.uuid)))
    theirs = Choice(
        f"if the group is that of {shortened(owner)}, to give it back",
        (drop, *_free(story, owner), attach_group(story.uuid)),
    )
    return Judgement(
        FindingKind.NAME_MISMATCH, f"{what}; {_own_entry(story, owner)}", (mine, theirs, nobodys)
    )


def _without_entry(story: GroupStory, record: GroupRecord) -> Judgement:
    owner = record.request_name
    known = "no entry that was looked at points at this group"
    what = f"{known}; {_own_entry(story, owner)}" if owner else known
    if story.pending:
        return Judgement(None, f"{what}. A driver may be making it now; look again later")
    kind = kind_without_entry(record, Behind())
    nobodys = Choice("if nobody needs it", (drop_group(story.uuid),))
    if kind is not FindingKind.DETACHED_GROUP:
        return Judgement(kind, what, (nobodys,))
    used = Choice(
        f"if {shortened(owner or '')} is in use, to make it whole again",
        (*_free(story, owner or ""), attach_group(story.uuid)),
    )
    return Judgement(kind, what, (used, nobodys))


def _of_group_name(story: GroupStory, record: GroupRecord) -> Iterator[Judgement]:
    repair = (Choice("to write the group's name again", (attach_group(story.uuid),)),)
    if record.request_name not in story.pointers:
        return
    if not record.group_name:
        yield Judgement(FindingKind.MISSING_ATTRIBUTE, "it has no csi.groupname", repair)
    elif not record.group_name.endswith(story.uuid):
        yield Judgement(
            FindingKind.WRONG_GROUP_NAME, "its csi.groupname does not end in its UUID", repair
        )


def _own_entry(story: GroupStory, owner: str) -> str:
    """Where the entry of the name leads that the group says it belongs to."""
    if story.own is None:
        return f"{shortened(owner)} has no entry"
    if story.own_elsewhere:
        return f"{shortened(owner)} has a group of its own, {story.own.group_uuid}"
    return f"the entry of {shortened(owner)} holds {shortened(story.own.value)}"


def _free(story: GroupStory, owner: str) -> tuple[Words, ...]:
    """What must go before the group can get its name's entry."""
    return () if story.own is None else (drop_entry(owner),)
