"""Which other namespaces of a pool hold journals: the cheap look, by keyed reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from csijournal.errors import StoreError
from csijournal.store.contract import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import SCHEMAS

USUAL_NAMESPACES = ("", "csi")
"""Where drivers keep journals unless told otherwise: RBD's default, and CephFS's."""


def journals_in(store: Store, instance_ids: Iterable[str]) -> list[str]:
    """The directories of these instances, and of the default one, that exist in `store`."""
    ids = sorted({*instance_ids, DEFAULT_INSTANCE_ID})
    names = (schema.directory_prefix + instance_id for schema in SCHEMAS for instance_id in ids)
    return [name for name in names if store.read_keys(name, ()) is not None]


def namespaces_with_journals(
    store: Store, namespace: str, instance_ids: Iterable[str]
) -> Iterator[str]:
    """The usual namespaces but `namespace` that hold a journal, in the pool of `store`.

    One that cannot be read is left out: nobody asked for it.
    """
    ids = list(instance_ids)
    for other in USUAL_NAMESPACES:
        if other != namespace and _holds_journals(store, other, ids):
            yield other


def _holds_journals(store: Store, namespace: str, instance_ids: list[str]) -> bool:
    pool_id = store.pool_id
    beside = None if pool_id is None else store.beside(pool_id, namespace)
    if beside is None:
        return False
    with beside:
        try:
            return bool(journals_in(beside, instance_ids))
        except StoreError:
            return False
