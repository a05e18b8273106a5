"""Ceph-CSI's `cluster-mapping.json`: which ids of one cluster are which of another.

    [{"clusterIDMapping": {"site1": "site2"},
      "RBDPoolIDMapping": [{"1": "2"}], "CephFSFscIDMapping": [{"3": "4"}]}]

After a failover the handles in Kubernetes keep the ids of the cluster that made
them.  The same file lies in both clusters, so that each pair is read in both
directions (Ceph-CSI: internal/util/cluster_mapping.go, GetMappedID).
"""

from __future__ import annotations

import enum
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from csijournal.errors import InvalidInputFile, printable
from csijournal.inventory.json_input import expect, read_text
from csijournal.wire.handles import CLUSTER_ID_BYTES_MAX, Handle
from csijournal.wire.text import shortened

# Ceph-CSI compares ids as decimal text and parses them as signed 64-bit numbers.
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_ID_MAX = 2**63 - 1

_HINT = (
    "It should be like Ceph-CSI's ConfigMap has it under cluster-mapping.json:"
    ' [{"clusterIDMapping": {"site1": "site2"}, "RBDPoolIDMapping": [{"1": "2"}]}]'
)


class LocationType(enum.Enum):
    """What the number in a handle counts; the value is the mapping's field for it."""

    POOL = "RBDPoolIDMapping"
    FILESYSTEM = "CephFSFscIDMapping"


_CLUSTERS = "clusterIDMapping"
_Id = TypeVar("_Id", str, int)


@dataclass(frozen=True)
class MappingEntry:
    """One entry: pairs of cluster ids, and pairs of pool and filesystem ids between them."""

    cluster_ids: tuple[tuple[str, str], ...]
    pool_ids: tuple[tuple[int, int], ...] = ()
    filesystem_ids: tuple[tuple[int, int], ...] = ()

    def location_ids(self, kind: LocationType) -> tuple[tuple[int, int], ...]:
        """The pairs of ids of this kind."""
        return self.pool_ids if kind is LocationType.POOL else self.filesystem_ids


@dataclass(frozen=True)
class ClusterMapping:
    """The whole file; one without entries maps nothing."""

    entries: tuple[MappingEntry, ...] = ()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ClusterMapping:
        """The mapping in a file.  Raises InvalidInputFile."""
        return cls.parse(read_text(path, "Check the path"), os.fspath(path))

    @classmethod
    def parse(cls, text: str, name: str) -> ClusterMapping:
        """The mapping in the text of file `name`.  Raises InvalidInputFile."""
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInputFile(f"{printable(name)} is not JSON: {error}", hint=_HINT) from error
        entries = expect(list, parsed, name, "the whole", _HINT)
        return cls(
            tuple(_entry(entry, name, f"entry {number}") for number, entry in enumerate(entries, 1))
        )

    def candidates(self, handle: Handle, kind: LocationType) -> tuple[Handle, ...]:
        """The handle itself, then what it may stand for, in the order of the file.

        Ceph-CSI tries them in this order and takes the first that it finds.  As
        there, a handle is mapped once, only where the entry has both its cluster
        id and its pool or filesystem id, and the directions of the two need not agree.
        """
        places = self.places(handle.cluster_id, handle.location_id, kind)
        return tuple(handle.moved_to(*place) for place in places)

    def places(
        self, cluster_id: str, location_id: int, kind: LocationType
    ) -> tuple[tuple[str, int], ...]:
        """The same for the place alone that a handle names: cluster id, and pool or filesystem."""
        mapped = (
            (cluster, location)
            for entry in self.entries
            for cluster in _other_sides(entry.cluster_ids, cluster_id)
            for location in _other_sides(entry.location_ids(kind), location_id)
        )
        return tuple(dict.fromkeys(((cluster_id, location_id), *mapped)))

    def are_equal(self, one: Handle, other: Handle, kind: LocationType) -> bool:
        """Whether both name one object: after mapping each, they have a handle in common."""
        if one.object_uuid != other.object_uuid:
            return False
        return not set(self.candidates(one, kind)).isdisjoint(self.candidates(other, kind))

    def location_ids(self, handle: Handle, kind: LocationType) -> tuple[int, ...]:
        """The pools or filesystems that the handle may lead to, its own number first."""
        return tuple(dict.fromkeys(found.location_id for found in self.candidates(handle, kind)))


def _other_sides(pairs: tuple[tuple[_Id, _Id], ...], wanted: _Id) -> Iterator[_Id]:
    for left, right in pairs:
        if wanted == left:
            yield right
        elif wanted == right:
            yield left


def _entry(entry: object, name: str, where: str) -> MappingEntry:
    fields = {
        # Go reads names of fields whatever their case: the operator of Rook writes
        # clusterIdMapping.
        key.lower(): value
        for key, value in expect(dict, entry, name, where, _HINT).items()
    }
    clusters = _pairs(fields.get(_CLUSTERS.lower()), name, f"{_CLUSTERS} of {where}")
    for cluster_id in (side for pair in clusters for side in pair):
        _require_cluster_id(cluster_id, name, where)
    pools, filesystems = (_id_pairs(fields, kind, name, where) for kind in LocationType)
    return MappingEntry(clusters, pools, filesystems)


def _id_pairs(
    fields: dict[str, object], kind: LocationType, name: str, where: str
) -> tuple[tuple[int, int], ...]:
    where = f"{kind.value} of {where}"
    maps = expect(list, fields.get(kind.value.lower()) or [], name, where, _HINT)
    pairs = (pair for pairs in maps for pair in _pairs(pairs, name, f"a part of {where}"))
    return tuple((_id(left, name, where), _id(right, name, where)) for left, right in pairs)


def _pairs(value: object, name: str, where: str) -> tuple[tuple[str, str], ...]:
    pairs = expect(dict, value or {}, name, where, _HINT)
    return tuple(
        (left, expect(str, right, name, f"the value of {shortened(left)} in {where}", _HINT))
        for left, right in pairs.items()
    )


def _id(text: str, name: str, where: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > _ID_MAX:
        raise InvalidInputFile(
            f"{printable(name)}: in {where}, {shortened(text)} is not an id: decimal digits"
            " without leading zeros",
            hint=_HINT,
        )
    return int(text)


def _require_cluster_id(cluster_id: str, name: str, where: str) -> None:
    length = len(cluster_id.encode(errors="replace"))
    if not 1 <= length <= CLUSTER_ID_BYTES_MAX or not cluster_id.isprintable():
        raise InvalidInputFile(
            f"{printable(name)}: {_CLUSTERS} of {where} has the cluster id"
            f" {shortened(cluster_id)}: it must be 1 to {CLUSTER_ID_BYTES_MAX} printable bytes",
            hint=_HINT,
        )
