"""Which namespaces of a pool hold journals: a few keyed reads, and no walk through the pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from csijournal.errors import StoreError
from csijournal.store.contract import Store
from csijournal.wire.schema import SCHEMAS

_USUAL = ("", "csi")
"""Where the drivers put journals unless told otherwise: RBD's, and CephFS's."""

_RBD_NAMESPACES = "rbd_namespace"
"""RBD's own list of the pool's namespaces, in the default one (src/cls/rbd/cls_rbd.cc)."""
_RBD_KEY_PREFIX = "name_"


def namespaces_with_journals(
    store: Store, instance_id: str, further: Iterable[str] = ()
) -> Iterator[str]:
    """Namespaces of the store's pool in which a driver of `instance_id` has kept a journal.

    Looked at are the usual ones, those of RBD's list, and `further`; nothing
    where the store has no pools.  One that this user may not read is left out.
    """
    names = dict.fromkeys((*_USUAL, *_namespaces_of_rbd(store), *further))
    return (name for name in names if _holds_journal(store, name, instance_id))


def _namespaces_of_rbd(store: Store) -> list[str]:
    found: list[str] = []
    try:
        beside = _beside(store, "")
        if beside is None:
            return []
        with closing(beside):
            after = ""
            while page := beside.read_page(_RBD_NAMESPACES, after=after, prefix=_RBD_KEY_PREFIX):
                found += [key.removeprefix(_RBD_KEY_PREFIX) for key in page]
                after = max(page)
    except StoreError:
        return found
    return found


def _holds_journal(store: Store, namespace: str, instance_id: str) -> bool:
    try:
        beside = _beside(store, namespace)
        if beside is None:
            return False
        with closing(beside):
            names = (schema.directory_object(instance_id) for schema in SCHEMAS)
            return any(beside.read_keys(name, ()) is not None for name in names)
    except StoreError:
        return False


def _beside(store: Store, namespace: str) -> Store | None:
    return None if store.pool_id is None else store.beside(store.pool_id, namespace)
