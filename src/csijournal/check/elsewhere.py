"""Which namespaces of a pool hold journals: the cheap look, by keyed reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from csijournal.errors import StoreError
from csijournal.store.contract import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import SCHEMAS

USUAL_NAMESPACES = ("", "csi")
"""Where drivers keep journals unless told otherwise: RBD's default, and CephFS's."""

_RBD_NAMESPACES = "rbd_namespace"
"""RBD's own list of a pool's namespaces, in the default one (Ceph, src/cls/rbd/cls_rbd.cc)."""
_RBD_KEY_PREFIX = "name_"


def journals_in(store: Store, instance_ids: Iterable[str]) -> list[str]:
    """The directories of these instances, and of the default one, that exist in `store`."""
    ids = sorted({*instance_ids, DEFAULT_INSTANCE_ID})
    names = (schema.directory_prefix + instance_id for schema in SCHEMAS for instance_id in ids)
    return [name for name in names if store.read_keys(name, ()) is not None]


def namespaces_with_journals(
    store: Store, instance_ids: Iterable[str], *, further: Iterable[str] = ()
) -> Iterator[str]:
    """The namespaces that hold a journal, in the pool of `store`; none where it has no pools.

    Looked at are the usual ones, those of RBD's own list, and `further`.  One
    that cannot be read is left out: nobody asked for it.
    """
    ids = list(instance_ids)
    for name in likely_namespaces(store, further=further):
        if _holds_journals(store, name, ids):
            yield name


def places_beside(store: Store) -> Iterator[Store]:
    """The other namespaces of the pool that hold journals, each open until the next is taken.

    One whose directories cannot be read is left out.
    """
    for namespace in namespaces_with_journals(store, ()):
        beside = None if namespace == store.namespace else _beside(store, namespace)
        if beside is not None:
            with beside:
                yield beside


def likely_namespaces(store: Store, *, further: Iterable[str] = ()) -> list[str]:
    """The namespaces that may hold a journal: the usual ones, those of RBD's own list, `further`.

    RBD's list is left out where this user may not read it.
    """
    return list(dict.fromkeys((*USUAL_NAMESPACES, *_namespaces_of_rbd(store), *further)))


def _namespaces_of_rbd(store: Store) -> list[str]:
    found: list[str] = []
    beside = _beside(store, "")
    if beside is None:
        return found
    with beside, suppress(StoreError):
        after = ""
        while page := beside.read_page(_RBD_NAMESPACES, after=after, prefix=_RBD_KEY_PREFIX):
            found += [key.removeprefix(_RBD_KEY_PREFIX) for key in page]
            after = max(page)
    return found


def _holds_journals(store: Store, namespace: str, instance_ids: list[str]) -> bool:
    beside = _beside(store, namespace)
    if beside is None:
        return False
    with beside:
        try:
            return bool(journals_in(beside, instance_ids))
        except StoreError:
            return False


def _beside(store: Store, namespace: str) -> Store | None:
    pool_id = store.pool_id
    return None if pool_id is None else store.beside(pool_id, namespace)
