"""A store whose versions are small numbers, so that states stay few.

A version tells a later write from an earlier look, and nothing else.  So it
goes up only where somebody has seen it: a write to an object whose version
nobody knows leaves that as it is.  What was seen survives the object's
removal, since the versions of RADOS never repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from csijournal.store import ObjectAbsent, Write
from csijournal.store.contract import ObjectState, creates_object
from csijournal.store.memory import MemoryStore, _Object
from csijournal.wire.timestamps import Timestamp

Pairs = tuple[tuple[str, bytes], ...]


class Snapshot(NamedTuple):
    """One object: its entries, None where it is gone, and its version; was that `seen`?"""

    name: str
    pairs: Pairs | None
    version: int = 0
    seen: bool = False


class NumberedStore(MemoryStore):
    """A MemoryStore with such versions; its clock stands at `now`."""

    def __init__(self, now: Timestamp, snapshots: Iterable[Snapshot] = ()) -> None:
        super().__init__(clock=lambda: now.nanoseconds)
        self._versions_of: dict[str, tuple[int, bool]] = {}
        for name, pairs, version, seen in snapshots:
            if pairs is not None:
                self.write(Write(name, guards=(ObjectAbsent(),), puts=dict(pairs)))
                self._objects[name].version = version
            if version or seen:
                self._versions_of[name] = (version, seen)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """Everything, by name."""
        return tuple(map(self._snapshot, sorted({*self._objects, *self._versions_of})))

    def read_state(self, object_name: str) -> ObjectState | None:
        state = super().read_state(object_name)
        if state is not None:
            self._versions_of[object_name] = (state.version, True)
        return state

    def _snapshot(self, name: str) -> Snapshot:
        found = self._objects.get(name)
        pairs = None if found is None else tuple(sorted(found.entries.items()))
        return Snapshot(name, pairs, *self._versions_of.get(name, (0, False)))

    def _apply(self, write: Write, found: _Object | None) -> None:
        super()._apply(write, found)
        name = write.object_name
        version, seen = self._versions_of.get(name, (0, False))
        if seen and (found is not None or creates_object(write)):
            version += 1
            self._versions_of[name] = (version, False)
        if name in self._objects:
            self._objects[name].version = version
