"""Which records others name: gathered while they are read, some 90 bytes for each."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import groupby
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
from csijournal.wire.schema import GROUPS, SCHEMAS, SNAPSHOTS, VOLUMES, AnySchema, schema_of
from csijournal.wire.uuids import packed_uuid, unpacked_uuid

_NAMED_IN: Mapping[str, tuple[AnySchema, ...]] = {
    MEMBER: (VOLUMES, SNAPSHOTS),
    MEMBERS_SNAPSHOT: (SNAPSHOTS, VOLUMES),
    SOURCE: (VOLUMES,),
    BACKING_SNAPSHOT: (SNAPSHOTS,),
    GROUP: (GROUPS,),
}

_HOWS = tuple(_NAMED_IN)
_JOURNALS = tuple(schema.journal for schema in SCHEMAS)

_PACKED = struct.Struct(">16s16sIBB?")
"""Who is named, by whom, the number of the place that a handle names, how, the journal, whether
exclusively."""

_NO_PLACE = 0


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
    """All references of one check, by the UUID that they name.

    Each is kept as a few bytes, and they are sorted when they are asked for.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._is_sorted = True
        self._places: list[tuple[str, int] | None] = [None]
        self._numbers: dict[tuple[str, int], int] = {}

    def note(self, seen: RecordSeen) -> None:
        """Note what a record names."""
        for mention in mentions_of(seen.record):
            uuid = mention.uuid
            if not uuid:
                continue
            self._packed.append(
                _PACKED.pack(
                    packed_uuid(uuid),
                    packed_uuid(seen.uuid),
                    self._number(mention),
                    _HOWS.index(mention.how),
                    _JOURNALS.index(seen.schema.journal),
                    mention.exclusive,
                )
            )
            self._is_sorted = False

    def __iter__(self) -> Iterator[tuple[str, list[Reference]]]:
        """Each UUID that is named, with who names it."""
        for named, packed in groupby(self._sorted(), key=_named):
            yield unpacked_uuid(named), list(map(self._reference, packed))

    def why_kept(self, schema: AnySchema, uuid: str) -> str:
        """Who names the record, in a sentence; "" where nobody does."""
        named = packed_uuid(uuid)
        references = self._sorted()
        for place in range(bisect_left(references, named), len(references)):
            if _named(references[place]) != named:
                break
            reference = self._reference(references[place])
            if schema in _NAMED_IN[reference.how]:
                noun = reference.schema.noun
                return f"The {noun} {reference.uuid} names it (as {reference.how})."
        return ""

    def _number(self, mention: Mention) -> int:
        """The number of the place that a mention's handle names: there are few."""
        handle = mention.handle
        if handle is None:
            return _NO_PLACE
        place = (handle.cluster_id, handle.location_id)
        if place not in self._numbers:
            self._numbers[place] = len(self._places)
            self._places.append(place)
        return self._numbers[place]

    def _reference(self, packed: bytes) -> Reference:
        _, referrer, number, how, journal, exclusive = _PACKED.unpack(packed)
        return Reference(_HOWS[how], _JOURNALS[journal], referrer, self._places[number], exclusive)

    def _sorted(self) -> list[bytes]:
        if not self._is_sorted:
            self._packed.sort()
            self._is_sorted = True
        return self._packed


def _named(packed: bytes) -> bytes:
    return packed[:16]
