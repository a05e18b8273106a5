"""Names of images and subvolumes: found as a whole, or by the UUID that they end in.

A driver's prefix may be anything and is lost with the record, so a check must
find an image by its UUID alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from csijournal.wire.uuids import UUID_LENGTH, is_uuid

TEMPORARY_SUFFIX = "-temp"
"""Of the intermediate image that Ceph-CSI makes when it clones a volume."""

# Names of one shape need no entry of their own in an index.  A journal has a prefix for each
# storage class, so that a few dozen shapes are all; each costs one look for each question.
_SHAPES_MAX = 32


class DriverName(NamedTuple):
    """A name as a driver makes it: a prefix, a UUID, and perhaps `-temp`."""

    prefix: str
    uuid: str
    suffix: str

    @property
    def is_temporary(self) -> bool:
        """Whether it is the intermediate image of a clone."""
        return self.suffix == TEMPORARY_SUFFIX


def driver_name(name: str) -> DriverName | None:
    """Take a name apart; None where it does not end in a UUID (or UUID and `-temp`)."""
    stem = name.removesuffix(TEMPORARY_SUFFIX)
    uuid = stem[-UUID_LENGTH:]
    return DriverName(stem[:-UUID_LENGTH], uuid, name[len(stem) :]) if is_uuid(uuid) else None


class NameIndex:
    """Names, each with an id: some 250 bytes for a name, and no more for the look by UUID."""

    def __init__(self, names: Iterable[tuple[str, str]] = ()) -> None:
        self._ids: dict[str, str] = {}
        self._shapes: set[tuple[str, str]] = set()
        self._others: defaultdict[str, set[str]] = defaultdict(set)
        for name, thing_id in names:
            self._ids[name] = thing_id
            self._note_shape(name)

    def _note_shape(self, name: str) -> None:
        parts = driver_name(name)
        if parts is None:
            return
        shape = (parts.prefix, parts.suffix)
        if shape in self._shapes or len(self._shapes) < _SHAPES_MAX:
            self._shapes.add(shape)
        else:
            self._others[parts.uuid].add(name)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._ids.items())

    def id_of(self, name: str) -> str | None:
        """The id of exactly this name; None where there is none."""
        return self._ids.get(name)

    def ending_in(self, uuid: str) -> list[str]:
        """The names that end in this UUID, or in it and `-temp`; sorted."""
        ids = self._ids
        made = (prefix + uuid + suffix for prefix, suffix in self._shapes)
        found = [name for name in made if name in ids]
        found.extend(self._others.get(uuid, ()))
        return sorted(found)

    def matching(self, name: str, uuid: str) -> list[str]:
        """`ending_in`, and `name` itself where it is there."""
        found = self.ending_in(uuid)
        return [name, *found] if name in self._ids and name not in found else found
