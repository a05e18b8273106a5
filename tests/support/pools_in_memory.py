"""Several pools with namespaces in memory, as one cluster has them."""

from __future__ import annotations

from collections.abc import Callable

from csijournal.store.memory import MemoryStore
from support.places import LONG_AGO_NS


class PoolInMemory(MemoryStore):
    """One namespace of one pool; closing it is for the test's end, which needs nothing."""

    def __init__(self, cluster: ClusterInMemory, pool_id: int, namespace: str) -> None:
        super().__init__(clock=cluster.clock)
        self._cluster = cluster
        self._pool_id = pool_id
        self._namespace = namespace

    @property
    def pool_id(self) -> int:
        return self._pool_id

    @property
    def namespace(self) -> str:
        return self._namespace

    @property
    def place(self) -> str:
        return f"memory:pool-{self._pool_id}/{self._namespace}"

    def beside(self, pool_id: int, namespace: str) -> PoolInMemory:
        return self._cluster.place(pool_id, namespace)

    def close(self) -> None:
        pass


class ClusterInMemory:
    """Gives each place on demand; only those of `pool_ids` count as pools."""

    def __init__(self, *pool_ids: int, clock: Callable[[], int] = lambda: LONG_AGO_NS) -> None:
        self.pool_ids = pool_ids
        self.clock = clock
        self._places: dict[tuple[int, str], PoolInMemory] = {}

    def place(self, pool_id: int, namespace: str = "") -> PoolInMemory:
        key = (pool_id, namespace)
        if key not in self._places:
            self._places[key] = PoolInMemory(self, pool_id, namespace)
        return self._places[key]

    def pool_of(self, number: int) -> int | None:
        """A pool's number where there is such a pool."""
        return number if number in self.pool_ids else None
