"""Which inventory tells what stands behind the records of an open store.

The inventories are imported when one is opened: every command that looks a
record up can ask for one, and few do.
"""

from __future__ import annotations

from csijournal.errors import StoreError
from csijournal.inventory.contract import Inventory, NoInventory, NotCompared, UnknownInventory
from csijournal.store.contract import Store
from csijournal.store.rados.csi_config import SUBVOLUME_GROUP
from csijournal.store.rados.pool import RADOSStore

BEHIND_RECORDS = "images, RBD groups and subvolumes"
"""How messages call all that can stand behind records."""

_CEPHFS = "cephfs"
"""How Ceph tags the pools of a filesystem."""


def inventory_of(
    store: Store, *, filesystem: str = "", subvolume_group: str = SUBVOLUME_GROUP
) -> Inventory:
    """The inventory of the place of `store`; close it before the store.

    In a pool of a filesystem it is CephFS's (`filesystem` names it where the
    pool cannot tell), in every other pool RBD's.  A store that stands alone has
    nothing behind its records.  Of one that is a copy, or whose pool cannot be
    reached, the inventory says that nothing could be looked at.
    """
    if store.stands_alone:
        return NoInventory()
    try:
        pool_id = store.pool_id
        beside = None if pool_id is None else store.beside(pool_id, store.namespace)
        if not isinstance(beside, RADOSStore):
            return UnknownInventory(
                NotCompared(
                    BEHIND_RECORDS,
                    f"{store.place} is not a pool of a Ceph cluster, but a copy",
                    "Compare in the cluster; --assume-nothing-behind takes all for gone",
                )
            )
        return _inventory_of_pool(beside, filesystem, subvolume_group)
    except StoreError as error:
        return UnknownInventory(NotCompared(BEHIND_RECORDS, error.message, error.hint))


def _inventory_of_pool(store: RADOSStore, filesystem: str, subvolume_group: str) -> Inventory:
    from csijournal.inventory.rbd_lists import pool_applications  # noqa: PLC0415 - see above

    session = store.session
    pool = session.pool_name(store.pool_id) or ""
    applications = pool_applications(session.mon_command, pool)
    if filesystem or _CEPHFS in (applications or ()):
        from csijournal.inventory.cephfs import CephFSInventory  # noqa: PLC0415

        return CephFSInventory(
            session, store, pool, store.namespace, filesystem=filesystem, group=subvolume_group
        )
    from csijournal.inventory.rbd import connect_rbd_inventory  # noqa: PLC0415

    return connect_rbd_inventory(store, applications)
