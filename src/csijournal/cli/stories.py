"""What show prints: the story of each group that a text leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from csijournal.check.findings import FindingKind
from csijournal.check.referrers import Referrer, Search
from csijournal.check.story import Judgement, Story, age_in_words, corrupt_entry, tell_story
from csijournal.cli.options import Settings
from csijournal.cli.output import NOTHING, columns, wrapped
from csijournal.cli.resolve import Meaning, meanings
from csijournal.cli.shell import command_line
from csijournal.errors import (
    CorruptEntry,
    GroupNotFound,
    JournalDamaged,
    NameMismatch,
    NotFound,
    UnpopulatedGroup,
    printable,
)
from csijournal.journal.steps import GroupRecords, Records
from csijournal.wire.schema import GROUPS

_ERRORS: dict[FindingKind, type[JournalDamaged]] = {
    FindingKind.NAME_MISMATCH: NameMismatch,
    FindingKind.SHARED_UUID: NameMismatch,
    FindingKind.CORRUPT_ENTRY: CorruptEntry,
    FindingKind.NAMELESS_GROUP: UnpopulatedGroup,
    FindingKind.UNPOPULATED_GROUP: UnpopulatedGroup,
    FindingKind.EMPTY_OBJECT: UnpopulatedGroup,
    FindingKind.MEMBERS_ELSEWHERE: UnpopulatedGroup,
}
"""The kinds that other commands refuse to work with, by the error that they raise."""


@dataclass(slots=True)
class Told:
    """One answer: how the text leads to it, and the story; none of an entry without UUID."""

    found_as: list[str]
    instance_id: str
    story: Story | None = None
    corrupt: Judgement | None = None

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """All that is wrong."""
        if self.corrupt is not None:
            return (self.corrupt,)
        return self.story.judgements if self.story else ()


_SCANS_MAX = 10
"""For how many damaged groups the directory is searched for further entries.

Each search may take seconds, and a volume's handle may lead to hundreds of groups.
"""


@dataclass(slots=True)
class Tracker:
    """Follows names and referrers to groups; each group is told once."""

    records: GroupRecords
    told: list[Told] = field(default_factory=list)
    scans: int = 0

    def follow_names(self, what: str) -> None:
        """Follow all that `what` can mean by itself."""
        for meaning in meanings(self.records, what):
            if meaning.group_uuid is None and meaning.entry is not None:
                corrupt = corrupt_entry(meaning.entry)
                self.told.append(Told([meaning.how], self._instance_id, corrupt=corrupt))
            elif meaning.group_uuid is not None:
                self._follow(meaning, meaning.group_uuid)

    def follow_referrer(self, referrer: Referrer) -> None:
        """Follow what a search has found."""
        instance_id = referrer.instance_id or self._instance_id
        pointer = referrer.request_name if referrer.how == "entry" else referrer.pointer
        pointers = [pointer] if pointer else []
        how = _how(referrer, self._instance_id)
        known = self._known(referrer.group_uuid)
        if known is None or known.story is None:
            story = self._story(referrer.group_uuid, pointers, instance_id)
            self.told.append(Told([how], instance_id, story))
            return
        known.found_as += [how] if how not in known.found_as else []
        if pointer not in {"", *known.story.pointers} and instance_id == known.instance_id:
            pointers += known.story.pointers
            known.story = self._story(referrer.group_uuid, pointers, instance_id)

    def _follow(self, meaning: Meaning, group_uuid: str) -> None:
        known = self._known(group_uuid)
        if known is not None:
            known.found_as.append(meaning.how)
            return
        story = self._story(group_uuid, [meaning.entry.request_name] if meaning.entry else [])
        if story.record is not None or story.pointers:
            self.told.append(Told([meaning.how], self._instance_id, story))

    def _story(self, group_uuid: str, pointers: Iterable[str], instance_id: str = "") -> Story:
        """The story, with the entries that a search finds where something is wrong.

        The first is always searched for; of more, those that no entry led to.
        """
        records = self.records
        if instance_id not in {"", self._instance_id}:
            records = Records(records.store, GROUPS, instance_id, validate=False)
        story = tell_story(records, group_uuid, pointers)
        in_order = story.record is not None and not story.judgements
        led_to = bool(self.told and story.record is not None and story.pointers)
        if in_order or led_to or self.scans >= _SCANS_MAX:
            return story
        self.scans += 1
        search = Search(records.store, instance_id or self._instance_id, group_uuid)
        found = list(search.entries_holding_it())
        return tell_story(records, group_uuid, [*story.pointers, *found])

    def _known(self, group_uuid: str) -> Told | None:
        same = (one for one in self.told if one.story and one.story.group_uuid == group_uuid)
        return next(same, None)

    @property
    def _instance_id(self) -> str:
        return GROUPS.instance_of(self.records.directory) or ""


def error_of(told: Iterable[Told]) -> NotFound | JournalDamaged | None:
    """The error that says to a script what is wrong; None where the groups can be used."""
    stories = list(told)
    for one in stories:
        for judgement in one.judgements:
            if judgement.kind in _ERRORS:
                return _ERRORS[judgement.kind](judgement.sentence)
        if one.story and one.story.record is not None and not one.story.record.populated:
            return UnpopulatedGroup(one.judgements[0].sentence)
    if any(one.story is not None and one.story.record is not None for one in stories):
        return None
    return GroupNotFound(stories[0].judgements[0].sentence)


# For people


def told_lines(settings: Settings, told: Told) -> Iterator[str]:
    """The story of one group, its members, and what can be done about what is wrong."""
    rows = [("found as", ", ".join(told.found_as)), *_rows(told.story)]
    yield from columns(rows)
    for judgement in told.judgements:
        state = judgement.kind.value if judgement.kind else "pending"
        yield from wrapped(f"{state}: {judgement.sentence}.", first="state          ")
    if told.story and not told.judgements:
        yield "state          in order"
    if told.story and told.story.record and told.story.record.volume_map:
        yield ""
        members = sorted(told.story.record.volume_map.items())
        yield from columns([("MEMBER", "VALUE"), *members])
    yield from _choice_lines(settings, told)


def _rows(story: Story | None) -> Iterator[tuple[str, str]]:
    if story is None:
        return
    record = story.record
    yield "request name", (record.request_name if record else None) or NOTHING
    yield "group UUID", story.group_uuid
    yield "group name", (record.group_name if record else None) or NOTHING
    yield "creation time", (record.creation_text if record else None) or NOTHING
    if story.age_seconds is not None:
        yield "last change", f"{age_in_words(story.age_seconds)} ago"
    yield "members", str(len(record.volume_map)) if record else NOTHING
    yield "entries", ", ".join(story.pointers) or "none that points here"
    for text in story.unreadable:
        yield "not readable", text


def _choice_lines(settings: Settings, told: Told) -> Iterator[str]:
    choices = [choice for judgement in told.judgements for choice in judgement.choices]
    if not choices:
        return
    yield ""
    yield "WHAT CAN BE DONE"
    for choice in choices:
        yield from wrapped(f"{choice.case}:", first="  ")
        for words in choice.commands:
            yield "    " + command_line(settings, words, told.instance_id)
    yield "These commands say what they would do; with --apply they do it, after a backup."


def _how(referrer: Referrer, instance_id: str) -> str:
    if referrer.how == "member":
        return f"member {printable(referrer.member)}"
    if referrer.how == "entry":
        other = referrer.instance_id not in {"", instance_id}
        where = f" in the instance {printable(referrer.instance_id)}" if other else ""
        return f"UUID in an entry{where}"
    return "request name that the group says it belongs to"


# For scripts


def told_as_json(told: Told) -> dict[str, object]:
    """A reservation's fields under the names that they have everywhere, and the story."""
    story = told.story
    record = story.record if story else None
    uuid = story.group_uuid if story else None
    name = record.group_name if record else None
    created = record.creation_time if record else None
    age = story.age_seconds if story else None
    return {
        "request_name": record.request_name if record else None,
        "group_uuid": uuid,
        "group_name": name or (GROUPS.make_image_name("", uuid) if record and uuid else None),
        "creation_time": None if created is None else str(created),
        "volume_map": dict(sorted(record.volume_map.items())) if record else {},
        "journal": "groups",
        "uuid": uuid,
        "instance": told.instance_id,
        "found_as": told.found_as,
        "age_seconds": None if age is None else round(age),
        "entries": list(story.pointers) if story else [],
        "unreadable": list(story.unreadable) if story else [],
        "state": [one.kind.value if one.kind else "pending" for one in told.judgements] or ["ok"],
        "judgements": [_judgement_as_json(judgement) for judgement in told.judgements],
    }


def _judgement_as_json(judgement: Judgement) -> dict[str, object]:
    return {
        "kind": judgement.kind.value if judgement.kind else "pending",
        "sentence": judgement.sentence,
        "choices": [
            {"case": choice.case, "commands": [list(words) for words in choice.commands]}
            for choice in judgement.choices
        ],
    }
