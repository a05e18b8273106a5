"""Which other records a record names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from csijournal.errors import InvalidHandle
from csijournal.wire.handles import Handle
from csijournal.wire.records import AnyRecord, GroupRecord, ImageRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema
from csijournal.wire.uuids import UUID_LENGTH, ending_uuid

_MEMBERS_SNAPSHOT = re.compile(
    r"(?P<group>.*?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(?P<handle>.+)"
)
"""The request name of a snapshot that a CephFS group snapshot made of one member:
the group's name and the volume's handle (Ceph-CSI, internal/cephfs/groupcontrollerserver.go)."""

_MEMBERS_NAME_LENGTH_MIN = 2 * UUID_LENGTH
"""No such name is shorter; nearly all others are."""

MEMBER = "member"
MEMBERS_SNAPSHOT = "member's snapshot"
SOURCE = "source"
BACKING_SNAPSHOT = "backing snapshot"
GROUP = "group"


class Mention(NamedTuple):
    """A text by which a record names another, and the journals that may have it, likelier first.

    `how` is what the other is to the record, and `handle` the text taken apart,
    where it is one.  `exclusive` says that a member can be in no other group: a
    group of volumes has no value beside its members.
    """

    how: str
    text: str
    schemas: tuple[AnySchema, ...]
    handle: Handle | None = None
    exclusive: bool = False

    @property
    def uuid(self) -> str:
        """The UUID of the other record; "" where the text does not tell."""
        return ending_uuid(self.text) or ""


def mentions_of(record: AnyRecord | None) -> Iterator[Mention]:
    """All that the record names; nothing for no record."""
    if isinstance(record, GroupRecord):
        for member, value in sorted(record.volume_map.items()):
            yield from _handle(MEMBER, member, VOLUMES, SNAPSHOTS, exclusive=not value)
            yield from _handle(MEMBERS_SNAPSHOT, value, SNAPSHOTS, VOLUMES)
    elif isinstance(record, ImageRecord):
        if record.source_name:
            yield Mention(SOURCE, record.source_name, (VOLUMES,))
        if record.backing_snapshot_id:
            yield _named(BACKING_SNAPSHOT, record.backing_snapshot_id, SNAPSHOTS)
        group = record.group_id or _group_of_name(record.request_name or "")
        if group:
            yield _named(GROUP, group, GROUPS)


def _named(how: str, text: str, schema: AnySchema) -> Mention:
    """A mention by handle or, where it is none, by any text."""
    found = _handle(how, text, schema)
    return found[0] if found else Mention(how, text, (schema,))


def _handle(how: str, text: str, *schemas: AnySchema, exclusive: bool = False) -> list[Mention]:
    try:
        handle = Handle.parse(text)
    except InvalidHandle:
        return []
    return [Mention(how, text, schemas, handle, exclusive)]


def _group_of_name(request_name: str) -> str:
    """The group's name that a member snapshot's request name starts with; empty for none."""
    if len(request_name) < _MEMBERS_NAME_LENGTH_MIN:
        return ""
    found = _MEMBERS_SNAPSHOT.fullmatch(request_name)
    return found["group"] if found and _handle(MEMBER, found["handle"]) else ""
