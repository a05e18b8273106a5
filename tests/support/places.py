"""Places for a store that a test can open as often as it likes."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from csijournal.store import Store, Write
from csijournal.store.contract import ObjectAbsent
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

Omaps = dict[str, dict[str, str]]
Clock = Callable[[], int]
LONG_AGO_NS = 1_600_000_000_000_000_000


class Place(ABC):
    """One empty place; `open` may be called any number of times, at once too."""

    def __init__(self) -> None:
        self._opened: list[Store] = []

    def open(self, clock: Clock = time.time_ns) -> Store:
        store = self._open(clock)
        self._opened.append(store)
        return store

    @abstractmethod
    def _open(self, clock: Clock) -> Store: ...

    def close(self) -> None:
        for store in self._opened:
            store.close()


class MemoryPlace(Place):
    """Every opening is the one store; its clock is that of the latest connect."""

    def __init__(self) -> None:
        super().__init__()
        self._clock: Clock = time.time_ns
        self._store = MemoryStore(clock=self._now)

    def _now(self) -> int:
        return self._clock()

    def _open(self, clock: Clock) -> Store:
        self._clock = clock
        return self._store


class SQLitePlace(Place):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _open(self, clock: Clock) -> Store:
        return SQLiteStore(self.path, clock=clock)


class GroupCommitPlace(SQLitePlace):
    """SQLite as `open_store` gives it out: callers that wait share a write."""

    def _open(self, clock: Clock) -> Store:
        return GroupCommitStore(super()._open(clock))


class RADOSPlace(Place):
    """A namespace of its own in a pool of the test run's cluster."""

    _numbers = itertools.count(1)

    def __init__(self, cluster: ThrowawayCluster, pool: str, namespace: str | None = None) -> None:
        super().__init__()
        self.cluster = cluster
        self.pool = pool
        self.namespace = f"test-{next(self._numbers)}" if namespace is None else namespace

    def _open(self, clock: Clock) -> Store:
        from csijournal.store.rados.pool import RADOSStore  # noqa: PLC0415 - only where there is Ceph

        return RADOSStore(self.pool, self.namespace, conf=str(self.cluster.conf), clock=clock)


def dump(store: Store) -> Omaps:
    """Every object of the place with its entries as text."""
    return {
        name: {key: value.decode() for key, value in (store.read_object(name) or {}).items()}
        for name in sorted(store.object_names())
    }


def fill(store: Store, omaps: Omaps) -> None:
    """Make the objects of `omaps`, empty ones too."""
    for name, entries in omaps.items():
        puts = {key: value.encode() for key, value in entries.items()}
        store.write(Write(name, guards=(ObjectAbsent(),), puts=puts))
