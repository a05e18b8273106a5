"""A store in memory: the reference for what the contract means."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from csijournal.errors import PlaceUnusable
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    Guarantee,
    ObjectState,
    Store,
    Write,
    check_keys,
    check_name,
    check_range,
    creates_object,
    records_in_the_way,
    require_guards,
)


@dataclass
class _Object:
    modified_ns: int = 0
    version: int = 0
    entries: dict[str, bytes] = field(default_factory=dict)


class MemoryStore(Store):
    """Objects in a dictionary, gone when the store is.

    `clock` gives nanoseconds since 1970 and dates the changes.
    """

    guarantees = Guarantee.NONE

    def __init__(self, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._versions = itertools.count(1)
        self._closed = False
        self._is_copy = False

    @property
    def stands_alone(self) -> bool:
        return not self._is_copy

    def mark_copy(self) -> None:
        with self._lock:
            if self._objects and not self._is_copy:
                raise records_in_the_way(self)
            self._is_copy = True

    @property
    def place(self) -> str:
        return "memory:"

    def connect(self) -> None:
        self._get("-")

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        check_keys(object_name, keys)
        with self._lock:
            found = self._get(object_name)
            return None if found is None else _some(found.entries, keys)

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        check_range(object_name, after, prefix)
        with self._lock:
            found = self._get(object_name)
            return None if found is None else _page(found.entries, after, prefix, limit)

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        del sentinel
        with self._lock:
            found = self._get(object_name)
            return None if found is None else dict(sorted(found.entries.items()))

    def read_state(self, object_name: str) -> ObjectState | None:
        with self._lock:
            found = self._get(object_name)
            if found is None:
                return None
            entries = dict(sorted(found.entries.items()))
            return ObjectState(entries, found.version, found.modified_ns)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        check_name(prefix or "-")
        with self._lock:
            self._get("-")
            names = list(self._objects)
        yield from (name for name in names if name.startswith(prefix))

    def modified_ns(self, object_name: str) -> int | None:
        with self._lock:
            found = self._get(object_name)
            return None if found is None else found.modified_ns

    def write(self, write: Write) -> None:
        with self._lock:
            found = self._get(write.object_name)
            require_guards(write, found.entries if found else None, found.version if found else 0)
            self._apply(write, found)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._objects.clear()

    def _get(self, object_name: str) -> _Object | None:
        if self._closed:
            raise PlaceUnusable("the memory store is closed", object_name=object_name)
        return self._objects.get(check_name(object_name))

    def _apply(self, write: Write, found: _Object | None) -> None:
        """Apply the write by one last step, so that an interrupted caller changed nothing by half.

        A version that is new for the same entries harms nobody, so it comes before.
        """
        if write.remove_object:
            self._objects.pop(write.object_name, None)
        elif found is not None:
            found.modified_ns, found.version = self._clock(), next(self._versions)
            _change(found, write)
        elif creates_object(write):
            self._objects[write.object_name] = _Object(
                self._clock(), next(self._versions), dict(write.puts)
            )


def _some(entries: dict[str, bytes], keys: Iterable[str]) -> dict[str, bytes]:
    return {key: entries[key] for key in keys if key in entries}


def _page(entries: dict[str, bytes], after: str, prefix: str, limit: int) -> dict[str, bytes]:
    keys = sorted(key for key in entries if key > after and key.startswith(prefix))
    return _some(entries, keys[:limit])


def _change(found: _Object, write: Write) -> None:
    """Change the entries; only what takes several steps is done on a copy."""
    if not write.deletions:
        found.entries.update(write.puts)
        return
    entries = found.entries.copy() if write.puts or len(write.deletions) > 1 else found.entries
    for key in write.deletions:
        entries.pop(key, None)
    entries.update(write.puts)
    found.entries = entries
