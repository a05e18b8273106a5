"""What is wrong with a record or an entry, whatever its journal."""

from __future__ import annotations

from typing import Any

from csijournal.check.commands import drop_entry
from csijournal.check.findings import FindingKind
from csijournal.check.group_judgements import judge_group
from csijournal.check.image_judgements import judge_image
from csijournal.check.story import Choice, Judgement, Story
from csijournal.journal.model import Entry
from csijournal.wire.schema import GROUPS, AnySchema
from csijournal.wire.text import shortened


def judgements_of(story: Story[Any]) -> tuple[Judgement, ...]:
    """What is wrong with it; nothing where all is in order."""
    return tuple(judge_group(story) if story.schema is GROUPS else judge_image(story))


def corrupt_entry(schema: AnySchema, entry: Entry) -> Judgement:
    """An entry that leads nowhere."""
    dropped = (Choice("to free the name", (drop_entry(entry.request_name),)),)
    return Judgement(
        FindingKind.CORRUPT_ENTRY,
        f"the entry of {shortened(entry.request_name)} holds {shortened(entry.value)},"
        f" which is not a {schema.noun} UUID",
        dropped if schema is GROUPS else (),
    )
