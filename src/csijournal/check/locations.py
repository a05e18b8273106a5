"""What the number in a handle means, seen from one place.

RBD writes the pool's id, CephFS the filesystem's, whose metadata pool holds the journals.
"""

from __future__ import annotations

from functools import cached_property

from csijournal.errors import StoreError
from csijournal.store.contract import Store
from csijournal.store.rados.pool import RADOSStore
from csijournal.store.rados.session import Session


class Locations:
    """The places that handles of records in `store` may mean."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def is_here(self, location_id: int) -> bool:
        """Whether the number means this place; always where places have no numbers."""
        return self.ids is None or location_id in self.ids

    @cached_property
    def ids(self) -> frozenset[int] | None:
        """The numbers that mean this place: its pool's id, or those of its filesystems.

        None where places have no numbers.
        """
        pool_id = self._store.pool_id
        if pool_id is None:
            return None
        of_filesystems = {
            number for number, pool in self._metadata_pools.items() if pool == pool_id
        }
        return frozenset(of_filesystems or {pool_id})

    def pool_of(self, location_id: int) -> int | None:
        """The id of the pool whose journals the number means; None where there is none."""
        if self.is_here(location_id):
            return self._store.pool_id
        if self.is_filesystems:
            return self._metadata_pools.get(location_id)
        session = self._session
        named = None if session is None else session.pool_name(location_id)
        return None if named is None else location_id

    @property
    def is_filesystems(self) -> bool:
        """Whether the numbers are those of filesystems, as far as this user may ask."""
        return self._store.pool_id in self._metadata_pools.values()

    @cached_property
    def _metadata_pools(self) -> dict[int, int]:
        """The metadata pool of each filesystem; empty where this user may not ask."""
        try:
            found = [] if self._session is None else self._session.filesystems()
        except StoreError:
            found = []
        return {each.filesystem_id: each.metadata_pool_id for each in found}

    @cached_property
    def _session(self) -> Session | None:
        pool_id = self._store.pool_id
        beside = None if pool_id is None else self._store.beside(pool_id, self._store.namespace)
        return beside.session if isinstance(beside, RADOSStore) else None
