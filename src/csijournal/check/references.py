"""Which records others name: gathered while they are read, some 200 bytes for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from csijournal.check.comparing import RecordSeen
from csijournal.check.mentions import (
    BACKING_SNAPSHOT,
    GROUP,
    MEMBER,
    MEMBERS_SNAPSHOT,
    SOURCE,
    Mention,
    mentions_of,
)
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema, schema_of
from csijournal.wire.uuids import packed_uuid, unpacked_uuid

_NAMED_IN: Mapping[str, tuple[AnySchema, ...]] = {
    MEMBER: (VOLUMES, SNAPSHOTS),
    MEMBERS_SNAPSHOT: (SNAPSHOTS, VOLUMES),
    SOURCE: (VOLUMES,),
    BACKING_SNAPSHOT: (SNAPSHOTS,),
    GROUP: (GROUPS,),
}


def journals_named(how: str) -> tuple[AnySchema, ...]:
    """In which journals a record may lie that another names so."""
    return _NAMED_IN[how]


class Reference(NamedTuple):
    """One record names another: how, and who does.

    `place` is what the handle names, cluster id and pool or filesystem id; None
    where it is not a handle.  `exclusive` says that the member can be in no other
    group: it is a volume, and not a snapshot of one.
    """

    how: str
    journal: str
    packed: bytes
    place: tuple[str, int] | None
    exclusive: bool

    @property
    def schema(self) -> AnySchema:
        """The journal of the record that names the other."""
        return schema_of(self.journal)

    @property
    def uuid(self) -> str:
        """The UUID of the record that names the other."""
        return unpacked_uuid(self.packed)


class References:
    """All references of one check, by the UUID that they name."""

    def __init__(self) -> None:
        self._named: dict[bytes, list[Reference]] = {}
        self._places: dict[tuple[str, int], tuple[str, int]] = {}

    def note(self, seen: RecordSeen) -> None:
        """Note what a record names."""
        packed = b""
        for mention in mentions_of(seen.record):
            if not mention.uuid:
                continue
            packed = packed or packed_uuid(seen.uuid)
            reference = Reference(
                mention.how, seen.schema.journal, packed, self._place(mention), mention.exclusive
            )
            self._named.setdefault(packed_uuid(mention.uuid), []).append(reference)

    def _place(self, mention: Mention) -> tuple[str, int] | None:
        """The place that a mention's handle names: one object for all handles of it."""
        handle = mention.handle
        if handle is None:
            return None
        place = (handle.cluster_id, handle.location_id)
        return self._places.setdefault(place, place)

    def __iter__(self) -> Iterator[tuple[str, list[Reference]]]:
        """Each UUID that is named, with who names it."""
        return ((unpacked_uuid(packed), named) for packed, named in self._named.items())

    def why_kept(self, schema: AnySchema, uuid: str) -> str:
        """Who names the record, in a sentence; "" where nobody does."""
        for reference in self._named.get(packed_uuid(uuid), ()):
            if schema in _NAMED_IN[reference.how]:
                noun = reference.schema.noun
                return f"The {noun} {reference.uuid} names it (as {reference.how})."
        return ""
