"""Records with the ids of another cluster, in the ids of this one: the handles in them, and pools.

    members of groups, and their snapshots     handles, as keys and as values
    csi.groupid, also where it is misspelt     the group's handle
    csi.volume.backingsnapshotid               the snapshot's handle
    csi.journalpool, and entries with a pool   a pool's id

A mapping has a direction here, unlike Ceph-CSI's file: what is old becomes new,
once.  The objects that count the uses of a backing snapshot bear its handle as
their name; they are not a journal's, so that they are named and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from csijournal.archive import Record
from csijournal.errors import InvalidHandle, InvalidInput
from csijournal.inventory.cluster_mapping import ClusterMapping, LocationType
from csijournal.wire.backing_references import object_name
from csijournal.wire.entries import MappedHandle, RecordInPool
from csijournal.wire.handles import Handle
from csijournal.wire.ownership import KeyRole, ObjectRole, Owned, owner_of
from csijournal.wire.records import (
    BACKING_SNAPSHOT_KEY,
    GROUP_ID_KEY,
    IMAGE_ID_KEY,
    JOURNAL_POOL_KEY,
    MISSPELT_GROUP_ID_KEYS,
    ImageRecord,
)
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import decode, encode, shortened

SENTENCES_MAX = 20
"""How many things that cannot be mapped are named; the rest is counted."""

_HANDLE_KEYS = frozenset({GROUP_ID_KEY, *MISSPELT_GROUP_ID_KEYS, BACKING_SNAPSHOT_KEY})
_POOL_ID = re.compile(r"[0-9a-fA-F]{16}")
_POOL_ID_DIGITS = 16

_Id = TypeVar("_Id", str, int)
FindImageId = Callable[[AnySchema, str, ImageRecord], str]
"""The id of the image behind a record in this place; "" where there is none."""


# Ids


@dataclass(frozen=True)
class Rule:
    """Which ids of one cluster become which; None leaves every id as it is.

    `numbers` are those in handles: of pools for RBD, of filesystems for CephFS.
    """

    clusters: Mapping[str, str] | None = None
    numbers: Mapping[int, int] | None = None

    def apply(self, cluster_id: str, number: int) -> tuple[str, int] | None:
        """What a place becomes; None where the rule does not have both of its ids."""
        cluster = cluster_id if self.clusters is None else self.clusters.get(cluster_id)
        mapped = number if self.numbers is None else self.numbers.get(number)
        return None if cluster is None or mapped is None else (cluster, mapped)

    def leads_to(self, cluster_id: str, number: int) -> bool:
        """Whether the rule makes something else become this place."""
        to_cluster = self.clusters is None or cluster_id in self.clusters.values()
        return to_cluster and (self.numbers is None or number in self.numbers.values())


class IdMapping:
    """The first rule that has both ids of a handle decides.

    `in_place` takes what is new already for that.  An archive is of the other
    cluster, where the same number may be another pool.
    """

    def __init__(self, rules: Sequence[Rule], *, in_place: bool = False) -> None:
        self._rules = rules
        self._in_place = in_place

    def handle(self, handle: Handle) -> Handle | None:
        """What the handle becomes; None where it cannot be mapped."""
        place = (handle.cluster_id, handle.location_id)
        for rule in self._rules:
            mapped = rule.apply(*place)
            if mapped is not None:
                return handle.moved_to(*mapped)
        if self._in_place and any(rule.leads_to(*place) for rule in self._rules):
            return handle
        return None

    def pool_id(self, pool_id: int) -> int | None:
        """What a pool's id without a cluster becomes; None where it cannot be mapped."""
        for rule in self._rules:
            mapped = pool_id if rule.numbers is None else rule.numbers.get(pool_id)
            if mapped is not None:
                return mapped
        is_new = any(pool_id in (rule.numbers or {}).values() for rule in self._rules)
        return pool_id if self._in_place and is_new else None

    def is_old(self, handle: Handle) -> bool:
        """Whether the handle becomes another one."""
        return self.handle(handle) not in {None, handle}

    def is_new(self, handle: Handle) -> bool:
        """Whether another handle may become this one."""
        place = (handle.cluster_id, handle.location_id)
        return any(rule.leads_to(*place) for rule in self._rules)

    @property
    def repeats(self) -> bool:
        """Whether what has become new would become something else if it were mapped again."""
        return any(
            _repeats(rule.clusters or {}) or _repeats(rule.numbers or {}) for rule in self._rules
        )


def _repeats(pairs: Mapping[_Id, _Id]) -> bool:
    moved = {old for old, new in pairs.items() if old != new}
    return not moved.isdisjoint(pairs.values())


# Records


@dataclass
class CannotMap:
    """What cannot be mapped, in words: the first, and how many.

    `counters` are the objects that count the uses of a backing snapshot whose
    handle is mapped.
    """

    total: int = 0
    sentences: list[str] = field(default_factory=list)
    counters_total: int = 0
    counters: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Count something that stays as it is."""
        self.total += 1
        if len(self.sentences) < SENTENCES_MAX:
            self.sentences.append(problem)

    def add_counter(self, snapshot_handle: str) -> None:
        """Count a use of a backing snapshot."""
        self.counters_total += 1
        name = object_name(snapshot_handle)
        if name not in self.counters and len(self.counters) < SENTENCES_MAX:
            self.counters.append(name)


class _Item(NamedTuple):
    """What becomes of a key and its value, and what of them cannot be mapped."""

    key: str
    value: bytes | None
    problems: tuple[str, ...] = ()


class RecordMapper:
    """Maps what a store or an archive says of one object.

    `find_image_id` is asked for the ids of images, which are others in another
    cluster; a record whose image is not there is left without, for the driver to
    put it.  Without it they stay as they are.
    """

    def __init__(self, ids: IdMapping, find_image_id: FindImageId | None = None) -> None:
        self.ids = ids
        self._find_image_id = find_image_id

    def map(self, record: Record) -> Record:
        """The record in the new ids; what cannot be mapped stays as it is."""
        owned = owner_of(record.object_name)
        if owned is None or not record.keys:
            return record
        keys = {item.key: item.value for item in self._items(owned, record.keys)}
        return replace(record, keys=self._with_image_id(owned, keys))

    def note_problems(self, record: Record, cannot: CannotMap) -> None:
        """Tell `cannot` what of the record cannot be mapped."""
        owned = owner_of(record.object_name)
        if owned is None:
            return
        for item in self._items(owned, record.keys or {}):
            for problem in item.problems:
                cannot.add(f"{problem} in {record.object_name}")
        snapshot = (record.keys or {}).get(BACKING_SNAPSHOT_KEY)
        if snapshot is not None and self._text(decode(snapshot)) not in {None, decode(snapshot)}:
            cannot.add_counter(decode(snapshot))

    def _items(self, owned: Owned, keys: Mapping[str, bytes | None]) -> Iterator[_Item]:
        for key, value in keys.items():
            item = self._item(owned, key, value)
            there = keys.get(item.key)
            if item.key != key and item.key in keys and there != item.value:
                kept = f"the member {shortened(key)}, which becomes one that is there already,"
                yield _Item(key, value, (kept,))
            else:
                yield item

    def _item(self, owned: Owned, key: str, value: bytes | None) -> _Item:
        text = None if value is None else decode(value)
        role = owned.role_of(key)
        if role is KeyRole.MEMBER:
            member, snapshot = self._text(key), None if text is None else self._text(text)
            new_key = key if member is None else member
            problems = [f"the member {_with_ids(key)}"] if member is None else []
            if text is not None and snapshot is None:
                problems.append(f"the member's snapshot {_with_ids(text)}")
            return _Item(new_key, value if snapshot is None else encode(snapshot), tuple(problems))
        if text is None:
            return _Item(key, value)
        if role is KeyRole.ENTRY:
            mapped = self._entry_value(owned, key, text)
        elif key in _HANDLE_KEYS:
            mapped = self._text(text)
        elif key == JOURNAL_POOL_KEY:
            mapped = self._pool(text)
        else:
            return _Item(key, value)
        if mapped is None:
            return _Item(key, value, (f"{_with_ids(text)} of {shortened(key)}",))
        return _Item(key, encode(mapped))

    def _entry_value(self, owned: Owned, key: str, text: str) -> str | None:
        target = owned.schema.parse_target(owned.entry_of(key) or "", encode(text))
        if isinstance(target, RecordInPool):
            return self._pool(text)
        return self._text(text) if isinstance(target, MappedHandle) else text

    def _text(self, text: str) -> str | None:
        """The text, a handle in it mapped; None where that cannot be."""
        try:
            handle = Handle.parse(text)
        except InvalidHandle:
            return text
        mapped = self.ids.handle(handle)
        return text if mapped == handle else None if mapped is None else str(mapped)

    def _pool(self, text: str) -> str | None:
        """The same for a text that begins with a pool's id."""
        digits = text[:_POOL_ID_DIGITS]
        if not _POOL_ID.fullmatch(digits):
            return text
        mapped = self.ids.pool_id(int(digits, 16))
        if mapped is None or mapped == int(digits, 16):
            return None if mapped is None else text
        return f"{mapped:016x}{text[_POOL_ID_DIGITS:]}"

    def _with_image_id(
        self, owned: Owned, keys: dict[str, bytes | None]
    ) -> dict[str, bytes | None]:
        """The keys with the id of the image that is here."""
        if self._find_image_id is None or keys.get(IMAGE_ID_KEY) is None:
            return keys
        record = owned.schema.parse({k: v for k, v in keys.items() if v is not None})
        if owned.role is ObjectRole.DIRECTORY or not isinstance(record, ImageRecord):
            return keys
        found = self._find_image_id(owned.schema, owned.name, record)
        others = {key: value for key, value in keys.items() if key != IMAGE_ID_KEY}
        return {**others, IMAGE_ID_KEY: encode(found)} if found else others


def _with_ids(text: str) -> str:
    """A text for a message, with the ids of a handle, which would be cut."""
    try:
        handle = Handle.parse(text)
    except InvalidHandle:
        return shortened(text)
    ids = f"cluster {shortened(handle.cluster_id)}, id {handle.location_id}"
    return f"{shortened(text)} ({ids})"


# Ceph-CSI's file


def rules_to(
    mapping: ClusterMapping, kind: LocationType, here: Collection[int], cluster_id: str = ""
) -> list[Rule]:
    """The mapping with a direction: towards the place whose ids are `here`, in each entry.

    The file lies in both clusters.  An entry without this place is passed over;
    `cluster_id` is this cluster's where it is known.  Raises InvalidInput where
    the ids do not tell on which side this place is.
    """
    rules = []
    for entry in mapping.entries:
        clusters, numbers = entry.cluster_ids, entry.location_ids(kind)
        sides = _sides(clusters, {cluster_id}) if cluster_id else set()
        if len(sides) != 1 and not (cluster_id and not sides):
            sides = _sides(numbers, here)
        if len(sides) > 1:
            if all(left == right for left, right in (*clusters, *numbers)):
                continue
            raise InvalidInput(
                "the cluster mapping does not tell which of its sides this place is on",
                hint="Say it with --map-cluster OLD=NEW and --map-pool OLD=NEW, or --map-fs",
            )
        rules += [Rule(_towards(clusters, side), _towards(numbers, side)) for side in sides]
    return rules


def _sides(pairs: Iterable[tuple[_Id, _Id]], wanted: Collection[_Id]) -> set[int]:
    return {side for pair in pairs for side in (0, 1) if pair[side] in wanted}


def _towards(pairs: Iterable[tuple[_Id, _Id]], side: int) -> dict[_Id, _Id]:
    return {pair[1 - side]: pair[side] for pair in pairs}
