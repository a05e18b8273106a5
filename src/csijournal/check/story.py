"""All that is known of one record: who points at it, whose it says it is.

Keyed reads only.  Which entries point at a record cannot be asked of a store:
the caller names those that it knows (`check.referrers` finds them).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic

from csijournal.check.findings import FindingKind
from csijournal.errors import NameMismatch, SplitReservation
from csijournal.journal.elsewhere import read_elsewhere
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.journal.model import Entry
from csijournal.journal.steps import Records
from csijournal.store.contract import unreadable_in
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.schema import JournalSchema, R
from csijournal.wire.text import number_of
from csijournal.wire.timestamps import NANOSECONDS

Words = tuple[str, ...]

USUAL_GRACE = Grace.of_seconds(GRACE_SECONDS)


@dataclass(frozen=True)
class Choice:
    """What can be done: the case in which it is right, and the commands, one after the other."""

    case: str
    commands: tuple[Words, ...]


@dataclass(frozen=True)
class Judgement:
    """One thing that is wrong with a record, or only not finished; `kind` None is pending."""

    kind: FindingKind | None
    sentence: str
    choices: tuple[Choice, ...] = ()

    @property
    def state(self) -> str:
        """The kind in a word."""
        return self.kind.value if self.kind else "pending"


@dataclass(frozen=True)
class Story(Generic[R]):
    """One UUID in one journal.

    `record` is None where there is none; `pointers` are request names whose
    entries lead to the UUID; `own` is the entry of the name that the record says
    it belongs to, and `own_elsewhere` whether that leads to another record,
    which says the same.  `age_seconds` is the time since the last change, and
    `pending` whether a client may be making the record at this moment;
    `unreadable` says what the object holds besides, and no text can hold.
    `in_pool` is the pool that the entry names, and `problem` why no record
    could be read by it.
    """

    schema: JournalSchema[R]
    uuid: str
    record: R | None
    age_seconds: float | None = None
    pointers: tuple[str, ...] = ()
    own: Entry | None = None
    own_elsewhere: bool = False
    pending: bool = False
    unreadable: tuple[str, ...] = ()
    in_pool: int | None = None
    problem: str = ""

    @property
    def image_name(self) -> str | None:
        """The name of what stands behind the record, the default one where it says none."""
        if self.record is None:
            return None
        return self.record.image_name or self.schema.make_image_name("", self.uuid)


def tell_story(
    records: Records[R], uuid: str, pointers: Iterable[str] = (), *, grace: Grace = USUAL_GRACE
) -> Story[R]:
    """The story of `uuid`; entries of the names `pointers` may lead to it.  Raises StoreError."""
    entries = records.store.read_object(records.schema.record_object(uuid))
    record = None if entries is None else records.schema.parse(entries)
    owner = record.request_name if record else None
    own = records.look_up(owner) if owner else None
    names = dict.fromkeys((*pointers, *([owner] if owner else [])))
    modified_ns = records.modified_ns(uuid, record) if record else None
    return Story(
        schema=records.schema,
        uuid=uuid,
        record=record,
        age_seconds=None
        if modified_ns is None
        else max(0.0, grace.age_ns(modified_ns) / NANOSECONDS),
        pointers=tuple(name for name in names if leads_to(records.look_up(name), uuid)),
        own=own,
        own_elsewhere=own is not None
        and own.uuid not in {None, uuid}
        and records.is_consistent(owner or ""),
        pending=modified_ns is not None and not grace.is_over(modified_ns),
        unreadable=tuple(map(str, unreadable_in(entries))),
    )


def tell_story_elsewhere(records: Records[R], request_name: str, target: RecordInPool) -> Story[R]:
    """The story of a record that the entry of `request_name` looks for in another pool."""
    record, problem = None, ""
    try:
        record = read_elsewhere(records, request_name, target)
    except (SplitReservation, NameMismatch) as error:
        problem = error.message
    return Story(
        schema=records.schema,
        uuid=target.uuid,
        record=record,
        pointers=(request_name,),
        in_pool=target.pool_id,
        problem=problem,
    )


def leads_to(entry: Entry | None, uuid: str) -> bool:
    """Whether the entry names this UUID, be it in another pool."""
    target = None if entry is None else entry.target
    return isinstance(target, RecordHere | RecordInPool) and target.uuid == uuid


def age_in_words(seconds: float) -> str:
    """An age to its largest unit."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            number = int(seconds // length)
            return number_of(number, unit)
    return f"{int(seconds)} s"
