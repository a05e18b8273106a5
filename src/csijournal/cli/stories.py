"""The story of each record that a text leads to, and the error that they amount to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from csijournal.check.findings import FindingKind
from csijournal.check.judgements import corrupt_entry, judgements_of
from csijournal.check.referrers import SECONDS_MAX, Referrer, Search, Sought
from csijournal.check.relations import Relation, refers_to
from csijournal.check.story import (
    Judgement,
    Story,
    leads_to,
    tell_story,
    tell_story_elsewhere,
)
from csijournal.cli.resolve import Meaning, meanings
from csijournal.errors import (
    CorruptEntry,
    JournalDamaged,
    NameMismatch,
    NotFound,
    PermissionDenied,
    PlaceNotFound,
    SplitReservation,
    UnpopulatedRecord,
    printable,
)
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store import Store
from csijournal.wire.entries import MappedHandle, RecordInPool
from csijournal.wire.schema import GROUPS, AnySchema

AnyStory = Story[Any]

_ERRORS: dict[FindingKind | None, type[JournalDamaged]] = {
    FindingKind.NAME_MISMATCH: NameMismatch,
    FindingKind.SHARED_UUID: NameMismatch,
    FindingKind.CORRUPT_ENTRY: CorruptEntry,
    FindingKind.SPLIT_RECORD: SplitReservation,
}
"""The kinds that other commands refuse to work with, by the error that they raise."""

_UNPOPULATED = {
    FindingKind.NAMELESS_GROUP,
    FindingKind.UNPOPULATED_GROUP,
    FindingKind.EMPTY_OBJECT,
    FindingKind.MEMBERS_ELSEWHERE,
    FindingKind.UNPOPULATED_RECORD,
    FindingKind.NAMELESS_RECORD,
    FindingKind.EMPTY_RECORD,
}
"""The kinds of a record that does not say whose it is."""


@dataclass
class Told:
    """One answer: how the text leads to it, and the story; none of an entry without UUID.

    `mapping` is an entry that says that a handle stands for another.
    `refers_to` and `referred_to_by` are the records around it; `searched` are
    the journals that were searched for the latter, and `all_searched` says
    whether to the end.
    """

    found_as: list[str]
    instance_id: str
    schema: AnySchema = GROUPS
    story: AnyStory | None = None
    corrupt: Judgement | None = None
    mapping: Entry | None = None
    refers_to: tuple[Relation, ...] = ()
    referred_to_by: list[Relation] = field(default_factory=list)
    searched: tuple[AnySchema, ...] = ()
    all_searched: bool = True

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """All that is wrong."""
        if self.corrupt is not None:
            return (self.corrupt,)
        return judgements_of(self.story) if self.story else ()


_SCANS_MAX = 10
"""For how many damaged records a directory is searched for further entries.

Each search may take seconds, and a volume's handle may lead to hundreds of groups.
"""


@dataclass
class Tracker:
    """Follows names and referrers to records of `schemas`; each record is told once.

    All searches together take `seconds_max`, but for the full one.
    """

    store: Store
    instance_id: str
    schemas: tuple[AnySchema, ...]
    told: list[Told] = field(default_factory=list)
    scans: int = 0
    clock: Callable[[], float] = time.monotonic
    give_up_at: float = 0.0

    def __post_init__(self) -> None:
        self.give_up_at = self.clock() + SECONDS_MAX

    @property
    def seconds_left(self) -> float:
        """How long searches may take from now."""
        return max(0.0, self.give_up_at - self.clock())

    def follow_names(self, what: str) -> None:
        """Follow all that `what` can mean by itself.

        Directories are gone through only where no record answers: in those
        there may be an entry that leads to a record that is gone.
        """
        found = [
            (records, meaning)
            for records in map(self._records, self.schemas)
            for meaning in meanings(records, what)
        ]
        for records, meaning in found:
            if meaning.entry is not None:
                self._follow_entry(records, meaning.how, meaning.entry)
            else:
                self._follow_uuid(records, meaning, search=False)
        if not self.told:
            for records, meaning in found:
                self._follow_uuid(records, meaning, search=True)
        for one in self.told:
            self._relate(one)

    def follow_referrer(self, referrer: Referrer) -> None:
        """Follow what a search has found."""
        instance_id = referrer.instance_id or self.instance_id
        records = self._records(referrer.schema, instance_id)
        pointer = referrer.request_name if referrer.how == "entry" else referrer.pointer
        pointers = [pointer] if pointer else []
        how = _how(referrer, self.instance_id)
        known = self._known(referrer.schema, referrer.uuid)
        if known is None or known.story is None:
            story = self._story(records, referrer.uuid, pointers)
            told = Told([how], instance_id, referrer.schema, story)
            self.told.append(told)
            self._relate(told)
            return
        known.found_as += [how] if how not in known.found_as else []
        if pointer not in {"", *known.story.pointers} and instance_id == known.instance_id:
            pointers += known.story.pointers
            known.story = self._story(records, referrer.uuid, pointers)

    def _follow_entry(self, records: AnyRecords, how: str, entry: Entry) -> None:
        told = Told([how], self.instance_id, records.schema)
        if isinstance(entry.target, RecordInPool):
            told.story = tell_story_elsewhere(records, entry.request_name, entry.target)
        elif isinstance(entry.target, MappedHandle):
            told.mapping = entry
        elif entry.uuid is None:
            told.corrupt = corrupt_entry(records.schema, entry)
        else:
            told.story = self._story(records, entry.uuid, [entry.request_name])
        self.told.append(told)

    def _follow_uuid(self, records: AnyRecords, meaning: Meaning, *, search: bool) -> None:
        uuid = meaning.uuid or ""
        known = self._known(records.schema, uuid)
        if known is not None:
            known.found_as.append(meaning.how)
            return
        story = self._story(records, uuid, [], search_unknown=search)
        if story.record is not None or story.pointers:
            self.told.append(Told([meaning.how], self.instance_id, records.schema, story))

    def _story(
        self,
        records: AnyRecords,
        uuid: str,
        pointers: Iterable[str],
        *,
        search_unknown: bool = True,
    ) -> AnyStory:
        """The story, with the entries that a search finds where something is wrong.

        The first is always searched for; of more, those that no entry led to.
        """
        story = self._over_pools(records, tell_story(records, uuid, pointers))
        in_order = story.record is not None and not judgements_of(story)
        led_to = bool(self.told and story.record is not None and story.pointers)
        unknown = story.record is None and not story.pointers and not search_unknown
        if in_order or led_to or unknown or self.scans >= _SCANS_MAX:
            return story
        self.scans += 1
        search = Search(
            self.store,
            records.schema.instance_of(records.directory) or "",
            Sought.of([uuid]),
            seconds_max=self.seconds_left,
        )
        found = list(search.entries_leading_to_it(records.schema))
        return self._over_pools(records, tell_story(records, uuid, [*story.pointers, *found]))

    def _over_pools(self, records: AnyRecords, story: AnyStory) -> AnyStory:
        """The story with the half of a reservation that lies in another pool: record or entry."""
        if story.record is None:
            for name in story.pointers:
                entry = records.look_up(name)
                if entry is not None and isinstance(entry.target, RecordInPool):
                    return tell_story_elsewhere(records, name, entry.target)
            return story
        pool_id = getattr(story.record, "journal_pool_id", None)
        owner = story.record.request_name
        if pool_id in {None, self.store.pool_id} or story.pointers or owner is None:
            return story
        own = self._entry_in_pool(records, pool_id, owner)
        return replace(story, own=own, pointers=(owner,)) if leads_to(own, story.uuid) else story

    def _entry_in_pool(self, records: AnyRecords, pool_id: int, name: str) -> Entry | None:
        """The entry of a name in the journal of another pool; None too where nobody can look."""
        journal_pool = self.store.beside(pool_id, self.store.namespace)
        if journal_pool is None:
            return None
        instance_id = records.schema.instance_of(records.directory) or ""
        with closing(journal_pool), suppress(PlaceNotFound, PermissionDenied):
            there = Records(journal_pool, records.schema, instance_id, validate=False)
            return there.look_up(name)
        return None

    def _relate(self, told: Told) -> None:
        if told.story is not None:
            told.refers_to = refers_to(self.store, told.story, self.schemas)

    def _known(self, schema: AnySchema, uuid: str) -> Told | None:
        same = (
            one
            for one in self.told
            if one.schema is schema and one.story and one.story.uuid == uuid
        )
        return next(same, None)

    def _records(self, schema: AnySchema, instance_id: str = "") -> AnyRecords:
        if instance_id in {"", self.instance_id}:
            return Records(self.store, schema, self.instance_id)
        return Records(self.store, schema, instance_id, validate=False)


def error_of(told: Iterable[Told]) -> NotFound | JournalDamaged | None:
    """The error that says to a script what is wrong; None where the records can be used."""
    stories = list(told)
    for one in stories:
        for judgement in one.judgements:
            if judgement.kind in _ERRORS:
                return _ERRORS[judgement.kind](judgement.sentence)
            if judgement.kind in _UNPOPULATED:
                return one.schema.unpopulated(judgement.sentence)
        if one.story and one.story.record is not None and not one.story.record.populated:
            return _unpopulated(one, one.story)
    if any(one.mapping or (one.story and one.story.record is not None) for one in stories):
        return None
    return stories[0].schema.not_found(stories[0].judgements[0].sentence)


def _unpopulated(told: Told, story: AnyStory) -> UnpopulatedRecord:
    said = [judgement.sentence for judgement in told.judgements]
    noun = told.schema.noun
    return told.schema.unpopulated(said[0] if said else f"the {noun} {story.uuid} has no name")


def _how(referrer: Referrer, instance_id: str) -> str:
    if referrer.how == "member":
        return f"member {printable(referrer.member)}"
    if referrer.how == "entry":
        other = referrer.instance_id not in {"", instance_id}
        where = f" in the instance {printable(referrer.instance_id)}" if other else ""
        return f"UUID in an entry{where}"
    if referrer.how == "request name":
        return f"request name that the {referrer.schema.noun} says it belongs to"
    return f"{referrer.how} {printable(referrer.texts[0])}"
