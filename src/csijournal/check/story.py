"""All that is known of one group: who points at it, whose it says it is, what can be done.

Keyed reads only.  Which entries point at a group cannot be asked of a store:
the caller names those that it knows (`check.referrers` finds them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from csijournal.check.findings import FindingKind
from csijournal.check.records import kind_without_entry
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import GroupRecords
from csijournal.store.contract import unreadable_in
from csijournal.wire.records import GroupRecord
from csijournal.wire.text import shortened
from csijournal.wire.timestamps import NANOSECONDS

Words = tuple[str, ...]

USUAL_GRACE = Grace.of_seconds(GRACE_SECONDS)


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be done: the case in which it is right, and the commands, one after the other."""

    case: str
    commands: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that is wrong with a group, or only not finished; `kind` None is pending."""

    kind: FindingKind | None
    sentence: str
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """One group UUID.

    `record` is None where there is no such group object; `pointers` are request
    names whose entries hold the UUID; `own` is the entry of the name that the
    group says it belongs to, and `own_elsewhere` whether that leads to another
    group, which says the same.  `age_seconds` is the time since the last change,
    and `pending` whether a client may be making the group at this moment;
    `unreadable` says what the object holds besides, and no text can hold.
    """

    group_uuid: str
    record: GroupRecord | None
    age_seconds: float | None
    pointers: tuple[str, ...]
    own: Entry | None
    own_elsewhere: bool
    pending: bool
    unreadable: tuple[str, ...] = ()

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """What is wrong with it; nothing where all is in order."""
        return tuple(_judge(self))


def tell_story(
    records: GroupRecords,
    group_uuid: str,
    pointers: Iterable[str] = (),
    *,
    grace: Grace = USUAL_GRACE,
) -> Story:
    """The story of `group_uuid`; `pointers` are entries that may hold it.  Raises StoreError."""
    entries = records.store.read_object(records.schema.record_object(group_uuid))
    record = None if entries is None else records.schema.parse(entries)
    owner = record.request_name if record else None
    own = records.look_up(owner) if owner else None
    names = dict.fromkeys((*pointers, *([owner] if owner else [])))
    modified_ns = records.modified_ns(group_uuid, record) if record else None
    return Story(
        group_uuid=group_uuid,
        record=record,
        age_seconds=None
        if modified_ns is None
        else max(0.0, grace.age_ns(modified_ns) / NANOSECONDS),
        pointers=tuple(name for name in names if records.entry_matches(name, group_uuid)),
        own=own,
        own_elsewhere=own is not None
        and own.group_uuid not in {None, group_uuid}
        and records.is_consistent(owner or ""),
        pending=modified_ns is not None and not grace.is_over(modified_ns),
        unreadable=tuple(map(str, unreadable_in(entries))),
    )


# Judging


def _judge(story: Story) -> Iterator[Judgement]:
    for name in story.pointers:
        yield from _of_pointer(story, name)
    if not story.pointers and story.record is not None:
        yield _without_entry(story, story.record)
    if story.record is not None and story.record.populated and story.pointers:
        yield from _of_group_name(story, story.record)


def _of_pointer(story: Story, name: str) -> Iterator[Judgement]:
    """What is wrong between the group and the entry of `name`, which points at it."""
    state = classify_record(name, story.record)
    if state is EntryState.DANGLING:
        yield Judgement(
            FindingKind.DANGLING_ENTRY,
            f"the entry of {shortened(name)} points at {story.group_uuid},"
            " and there is no such group object",
            (Choice("to free the name for a new group", (drop_entry(name),)),),
        )
    elif state in {EntryState.NAMELESS, EntryState.UNPOPULATED}:
        yield _without_name(story, name, state)
    elif state is EntryState.OTHER_NAME and story.record is not None:
        yield _of_another(story, story.record, name)


def _without_name(story: Story, name: str, state: EntryState) -> Judgement:
    nobodys = Choice("if nobody needs it", (drop_entry(name), _drop_group(story)))
    what = f"the entry of {shortened(name)} points at a group without a request name"
    if state is EntryState.NAMELESS:
        theirs = Choice(f"if the members are those of {shortened(name)}", (_attach(story, name),))
        return Judgement(FindingKind.NAMELESS_GROUP, what, (theirs, nobodys))
    if story.pending:
        return Judgement(None, f"{what}, which a driver may be making now; look again later")
    return Judgement(FindingKind.UNPOPULATED_GROUP, f"{what} and without members", (nobodys,))


def _of_another(story: Story, record: GroupRecord, name: str) -> Judgement:
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
    mine = Choice(f"if the group is that of {shortened(name)}", (_attach(story, name),))
    nobodys = Choice("if nobody needs the group", (drop, _drop_group(story)))
    theirs = Choice(
        f"if the group is that of {shortened(owner)}, to give it back",
        (drop, *_free(story, owner), ("attach", story.group_uuid)),
    )
    return Judgement(
        FindingKind.NAME_MISMATCH, f"{what}; {_own_entry(story, owner)}", (mine, theirs, nobodys)
    )


def _without_entry(story: Story, record: GroupRecord) -> Judgement:
    owner = record.request_name
    known = "no entry that was looked at points at this group"
    what = f"{known}; {_own_entry(story, owner)}" if owner else known
    if story.pending:
        return Judgement(None, f"{what}. A driver may be making it now; look again later")
    kind = kind_without_entry(record)
    nobodys = Choice("if nobody needs it", (_drop_group(story),))
    if kind is not FindingKind.DETACHED_GROUP:
        return Judgement(kind, what, (nobodys,))
    used = Choice(
        f"if {shortened(owner or '')} is in use, to make it whole again",
        (*_free(story, owner or ""), ("attach", story.group_uuid)),
    )
    return Judgement(kind, what, (used, nobodys))


def _of_group_name(story: Story, record: GroupRecord) -> Iterator[Judgement]:
    repair = (Choice("to write the group's name again", (("attach", story.group_uuid),)),)
    if record.request_name not in story.pointers:
        return
    if not record.group_name:
        yield Judgement(FindingKind.MISSING_ATTRIBUTE, "it has no csi.groupname", repair)
    elif not record.group_name.endswith(story.group_uuid):
        yield Judgement(
            FindingKind.WRONG_GROUP_NAME, "its csi.groupname does not end in its UUID", repair
        )


def _own_entry(story: Story, owner: str) -> str:
    """Where the entry of the name leads that the group says it belongs to."""
    if story.own is None:
        return f"{shortened(owner)} has no entry"
    if story.own_elsewhere:
        return f"{shortened(owner)} has a group of its own, {story.own.group_uuid}"
    return f"the entry of {shortened(owner)} holds {shortened(story.own.value)}"


def _free(story: Story, owner: str) -> tuple[Words, ...]:
    """What must go before the group can get its name's entry."""
    return () if story.own is None else (drop_entry(owner),)


def drop_entry(name: str) -> Words:
    """The command that removes the entry of `name` alone."""
    return ("drop", "--entry", name)


def _drop_group(story: Story) -> Words:
    return ("drop", "--group", story.group_uuid)


def _attach(story: Story, name: str) -> Words:
    return ("attach", story.group_uuid, *(("--",) if name.startswith("-") else ()), name)


def age_in_words(seconds: float) -> str:
    """An age to its largest unit."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}" + ("" if number == 1 else "s")
    return f"{int(seconds)} s"


def corrupt_entry(entry: Entry) -> Judgement:
    """An entry that holds no UUID."""
    return Judgement(
        FindingKind.CORRUPT_ENTRY,
        f"the entry of {shortened(entry.request_name)} holds {shortened(entry.value)},"
        " which is not a group UUID",
        (Choice("to free the name", (drop_entry(entry.request_name),)),),
    )
