"""What show prints of a record, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from csijournal.check.relations import Relation
from csijournal.check.story import Judgement, age_in_words
from csijournal.cli.options import Settings
from csijournal.cli.output import NOTHING, columns, wrapped
from csijournal.cli.resolve import IMAGE_NAMES
from csijournal.cli.shell import command_line
from csijournal.cli.stories import AnyStory, Told
from csijournal.wire.records import GroupRecord, ImageRecord

_LABEL_WIDTH = len("creation time")
_STATE = f"{'state':{_LABEL_WIDTH}}  "

# For people


def told_lines(settings: Settings, told: Told) -> Iterator[str]:
    """The story of one record, what is around it, and what can be done about what is wrong."""
    yield from columns([(f"{'found as':{_LABEL_WIDTH}}", ", ".join(told.found_as)), *_rows(told)])
    for judgement in told.judgements:
        yield from wrapped(f"{judgement.state}: {judgement.sentence}.", first=_STATE)
    if told.story and not told.judgements:
        yield f"{_STATE}in order"
    record = told.story.record if told.story else None
    if isinstance(record, GroupRecord) and record.volume_map:
        yield ""
        yield from columns([("MEMBER", "VALUE"), *sorted(record.volume_map.items())])
    yield from _relation_lines("REFERS TO", told.refers_to)
    yield from _relation_lines("REFERRED TO BY", told.referred_to_by)
    yield from _choice_lines(settings, told)


def _rows(told: Told) -> Iterator[tuple[str, str]]:
    if told.mapping is not None:
        yield "handle", told.mapping.request_name
        yield "stands for", told.mapping.value
    story = told.story
    if story is None:
        return
    record = story.record
    name_label = IMAGE_NAMES[told.schema.journal]
    yield "request name", (record.request_name if record else None) or NOTHING
    yield f"{told.schema.noun} UUID", story.uuid
    yield name_label, (record.image_name if record else None) or NOTHING
    if isinstance(record, ImageRecord):
        yield from _image_rows(record)
    else:
        yield "creation time", getattr(record, "creation_text", None) or NOTHING
    if story.in_pool is not None:
        yield "record in", f"pool id {story.in_pool}"
    if story.age_seconds is not None:
        yield "last change", f"{age_in_words(story.age_seconds)} ago"
    if isinstance(record, GroupRecord):
        yield "members", str(len(record.volume_map))
    elif record is None:
        yield "members", NOTHING
    yield "entries", ", ".join(story.pointers) or "none that points here"
    for text in story.unreadable:
        yield "not readable", text


def _image_rows(record: ImageRecord) -> Iterator[tuple[str, str]]:
    """The attributes that the record has."""
    pool_id = record.journal_pool_id
    said = {
        "image id": record.image_id,
        "owner": record.owner,
        "source": record.source_name,
        "KMS": record.kms_id,
        "encryption": record.encryption_type,
        "backed by": record.backing_snapshot_id,
        "group": record.group_id,
        "journal pool": f"id {pool_id}" if pool_id is not None else record.journal_pool,
    }
    yield from ((label, text) for label, text in said.items() if text)
    yield from (("attribute", f"{key} = {value}") for key, value in sorted(record.others.items()))


def _relation_lines(title: str, relations: Iterable[Relation]) -> Iterator[str]:
    rows = [(f"  {one.how}", _in_words(one)) for one in relations]
    if rows:
        yield ""
        yield title
        yield from columns(rows)


def _in_words(one: Relation) -> str:
    if not one.found:
        return f"{one.text}, and this pool or file has no record of it"
    name = f"request name {one.request_name}" if one.request_name else "without a request name"
    return f"{one.schema.noun} {one.image_name}, {name}"


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


# For scripts


def told_as_json(told: Told) -> dict[str, object]:
    """A reservation's fields under the names that they have everywhere, and the story."""
    story = told.story
    age = story.age_seconds if story else None
    return _record_as_json(told, story) | {
        "journal": told.schema.journal,
        "uuid": story.uuid if story else None,
        "instance": told.instance_id,
        "found_as": told.found_as,
        "age_seconds": None if age is None else round(age),
        "entries": list(story.pointers) if story else [],
        "unreadable": list(story.unreadable) if story else [],
        "state": [one.state for one in told.judgements] or ["mapping" if told.mapping else "ok"],
        "judgements": [_judgement_as_json(judgement) for judgement in told.judgements],
        "refers_to": [_relation_as_json(one) for one in told.refers_to],
        "referred_to_by": [_relation_as_json(one) for one in told.referred_to_by],
        "searched": {
            "journals": [schema.journal for schema in told.searched],
            "complete": told.all_searched,
        },
    }


def _record_as_json(told: Told, story: AnyStory | None) -> dict[str, object]:
    if told.mapping is not None:
        return {"request_name": told.mapping.request_name, "mapped_to": told.mapping.value}
    record = story.record if story else None
    if told.schema.journal != "groups":
        return _image_as_json(story, record)
    created = record.creation_time if record else None
    return {
        "request_name": record.request_name if record else None,
        "group_uuid": story.uuid if story else None,
        "group_name": story.image_name if story else None,
        "creation_time": None if created is None else str(created),
        "volume_map": dict(sorted(record.volume_map.items())) if record else {},
    }


def _image_as_json(story: AnyStory | None, record: ImageRecord | None) -> dict[str, object]:
    said = record or ImageRecord()
    names = [one.name for one in fields(ImageRecord) if one.name not in {"journal_pool", "others"}]
    return {name: getattr(said, name) for name in names} | {
        "image_name": story.image_name if story else None,
        "journal_pool_id": said.journal_pool_id,
        "attributes": dict(sorted(said.attributes.items())),
        "pool_id": story.in_pool if story else None,
    }


def _relation_as_json(one: Relation) -> dict[str, object]:
    return {
        "how": one.how,
        "journal": one.schema.journal,
        "uuid": one.uuid or None,
        "found": one.found,
        "request_name": one.request_name or None,
        "image_name": one.image_name or None,
        "text": one.text,
    }


def _judgement_as_json(judgement: Judgement) -> dict[str, object]:
    return {
        "kind": judgement.state,
        "sentence": judgement.sentence,
        "choices": [
            {"case": choice.case, "commands": [list(words) for words in choice.commands]}
            for choice in judgement.choices
        ],
    }
