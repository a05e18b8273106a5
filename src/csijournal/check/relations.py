"""What a record refers to, by keyed reads; what refers to it is `check.referrers`' to find."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from csijournal.check.referrers import Referrer, Sought
from csijournal.check.story import AnyRecords, AnySchema, Story
from csijournal.errors import InvalidHandle
from csijournal.journal.steps import Records
from csijournal.store.contract import Store
from csijournal.wire.handles import Handle
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import AnyRecord, GroupRecord, ImageRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES
from csijournal.wire.uuids import ending_uuid

_MEMBERS_SNAPSHOT = re.compile(
    r"(?P<group>.*?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?P<handle>.+)"
)
"""The request name of a snapshot that a CephFS group snapshot made of one member:
the group's name and the volume's handle (Ceph-CSI, internal/cephfs/groupcontrollerserver.go)."""


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


@dataclass(frozen=True)
class _Mention:
    """A text by which a record names another, and the journals that may have it, likelier first."""

    how: str
    text: str
    schemas: tuple[AnySchema, ...]

    @property
    def uuid(self) -> str:
        return ending_uuid(self.text) or ""


def refers_to(
    store: Store, story: Story[Any], schemas: Collection[AnySchema]
) -> tuple[Relation, ...]:
    """What the record refers to, of the journals `schemas`; some keyed reads for each."""
    mentions = [
        mention
        for mention in _mentions(story.record)
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


def _relation(mention: _Mention, known: dict[tuple[str, str], AnyRecord]) -> Relation:
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


def _mentions(record: AnyRecord | None) -> Iterator[_Mention]:
    if isinstance(record, GroupRecord):
        for member, value in sorted(record.volume_map.items()):
            if _is_handle(member):
                yield _Mention("member", member, (VOLUMES, SNAPSHOTS))
            if _is_handle(value):
                yield _Mention("member's snapshot", value, (SNAPSHOTS, VOLUMES))
    elif isinstance(record, ImageRecord):
        if record.source_name:
            yield _Mention("source", record.source_name, (VOLUMES,))
        if record.backing_snapshot_id:
            yield _Mention("backing snapshot", record.backing_snapshot_id, (SNAPSHOTS,))
        group = record.group_id or _group_of_name(record.request_name or "")
        if group:
            yield _Mention("group", group, (GROUPS,))


def _group_of_name(request_name: str) -> str:
    """The group's name that a member snapshot's request name starts with; empty for none."""
    found = _MEMBERS_SNAPSHOT.fullmatch(request_name)
    return found["group"] if found and _is_handle(found["handle"]) else ""


def _is_handle(text: str) -> bool:
    try:
        Handle.parse(text)
    except InvalidHandle:
        return False
    return True
