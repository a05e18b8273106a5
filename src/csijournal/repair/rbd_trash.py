"""Moving RBD images to the trash, and taking them back: all that ever changes an image.

Nothing here can delete: an image in the trash has its data, snapshots and id.
"""

from __future__ import annotations

from typing import Any

from csijournal.inventory.rbd_binding import import_rbd
from csijournal.inventory.rbd_image import rbd_errors
from csijournal.store.contract import Store
from csijournal.store.rados.access import PoolAccess
from csijournal.store.rados.pool import RADOSStore


class RBDTrash:
    """The trash of the pool and namespace of `store`, for as long as its login is open.

    Raises PlaceUnusable where the binding of librbd is missing.
    """

    def __init__(self, store: RADOSStore) -> None:
        self._access = PoolAccess(store.session, "", store.pool_id, store.namespace, store.place)
        self._rbd: Any = import_rbd().RBD()
        self._context = store.context

    def move(self, name: str, keep_seconds: int) -> None:
        """Move the image of this name; before `keep_seconds` no purge removes it.

        Raises StoreError.
        """
        opened = self._access.using()
        with rbd_errors(f"move {name} to the trash", self._context):
            opened.connection.call(lambda: self._rbd.trash_move(opened.ioctx, name, keep_seconds))

    def restore(self, image_id: str, name: str) -> None:
        """Take an image back, under its name.  Raises StoreError."""
        opened = self._access.using()
        with rbd_errors(f"take {name} out of the trash", self._context):
            opened.connection.call(lambda: self._rbd.trash_restore(opened.ioctx, image_id, name))


def trash_of(store: Store) -> RBDTrash | None:
    """The trash beside the journal in `store`; None where that is not a pool of a cluster.

    Raises StoreError.
    """
    beside = pool_of(store)
    return None if beside is None else RBDTrash(beside)


def pool_of(store: Store) -> RADOSStore | None:
    """The pool and namespace of `store`, on the login below; None for another kind of store."""
    pool_id = store.pool_id
    beside = None if pool_id is None else store.beside(pool_id, store.namespace)
    return beside if isinstance(beside, RADOSStore) else None
