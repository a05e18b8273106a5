"""What a record refers to, by keyed reads; what refers to it is `check.referrers`' to find."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from csijournal.check.mentions import Mention, mentions_of
from csijournal.check.referrers import Referrer, Sought
from csijournal.check.story import Story
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema


@dataclass(frozen=True)
class Relation:
    """One record that another refers to, or that refers to it.

    `how` is as in Referrer.  `text` is what the one says of the other: a name
    or a handle.  `found` tells whether there is such a record; where there is
    none, `schema` is the journal in which it was looked for.
    """

    how: str
    schema: AnySchema
    uuid: str
    text: str
    found: bool = True
    request_name: str = ""
    image_name: str = ""

    @classmethod
    def of_referrer(cls, referrer: Referrer) -> Relation:
        """The relation in the eyes of the one that is referred to."""
        return cls(
            referrer.how,
            referrer.schema,
            referrer.uuid,
            referrer.texts[0],
            request_name=referrer.request_name,
            image_name=referrer.image_name,
        )


def refers_to(
    store: Store, story: Story[Any], schemas: Collection[AnySchema]
) -> tuple[Relation, ...]:
    """What the record refers to, of the journals `schemas`; some keyed reads for each."""
    mentions = [
        mention
        for mention in mentions_of(story.record)
        if any(schema in schemas for schema in mention.schemas)
    ]
    known: dict[tuple[str, str], AnyRecord] = {}
    for schema in schemas:
        uuids = dict.fromkeys(one.uuid for one in mentions if one.uuid and schema in one.schemas)
        records: AnyRecords = Records(store, schema, DEFAULT_INSTANCE_ID)
        for uuid, record in records.read_records(uuids):
            if record is not None:
                known[schema.journal, uuid] = record
    return tuple(_relation(mention, known) for mention in mentions)


def sought_of(story: Story[Any]) -> Sought:
    """By what other records refer to this one."""
    return Sought.of(filter(None, (story.uuid, story.image_name)))


def searched_for(story: Story[Any], known: Iterable[Relation], *, full: bool) -> set[AnySchema]:
    """The journals in which referrers of this record are searched for.

    Volumes are the most, and hardly ever the ones that refer: only shallow
    volumes name a snapshot, and only older drivers a group.  So they are left to
    a full search, and groups where the snapshot names its own.
    """
    if story.schema is VOLUMES:
        return {GROUPS, SNAPSHOTS}
    if full:
        return {GROUPS, VOLUMES} if story.schema is SNAPSHOTS else {SNAPSHOTS, VOLUMES}
    has_group = any(one.how == "group" and one.found for one in known)
    return {GROUPS} if story.schema is SNAPSHOTS and not has_group else set()


def _relation(mention: Mention, known: dict[tuple[str, str], AnyRecord]) -> Relation:
    for schema in mention.schemas:
        record = known.get((schema.journal, mention.uuid))
        if record is not None:
            return Relation(
                mention.how,
                schema,
                mention.uuid,
                mention.text,
                request_name=record.request_name or "",
                image_name=record.image_name or schema.make_image_name("", mention.uuid),
            )
    return Relation(mention.how, mention.schemas[0], mention.uuid, mention.text, found=False)
