"""One login to a Ceph cluster, and the stores that are opened over it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.pool import RADOSStore
from csijournal.store.rados.session import Session


class RADOSCluster(Session):
    """A login that opens stores on pools and namespaces."""

    @classmethod
    def at(cls, location: RADOSLocation) -> RADOSCluster:
        """The cluster of `location`, with what files and the environment add to it.

        Raises PlaceNotFound, PermissionDenied and PlaceUnusable for those files.
        """
        return cls(location.resolved().login)

    def store(
        self,
        pool: str = "",
        namespace: str = "",
        *,
        pool_id: int | None = None,
        clock: Callable[[], int] = time.time_ns,
        closes_login: bool = False,
        listing: Collection[str] | None = None,
    ) -> RADOSStore:
        """A store on one pool and namespace; with `closes_login`, closing it ends the login too.

        `listing` is explained at RADOSStore.
        """
        store = RADOSStore(
            pool, namespace, pool_id=pool_id, clock=clock, session=self, listing=listing
        )
        store.closes_login = closes_login
        return store
