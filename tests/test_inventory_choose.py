"""Each place gets the inventory of what can stand behind its records."""

from __future__ import annotations

import pytest

from cluster import ThrowawayCluster
from csijournal import open_store
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import NoInventory, Role, UnknownInventory
from csijournal.inventory.rbd import RBDInventory
from csijournal.store.memory import MemoryStore
from csijournal.store.rados.pool import RADOSStore
from support.filesystem import METADATA_POOL, NAMESPACE
from support.journals import uuid_number

UUID = uuid_number(1)


def test_a_store_that_stands_alone_has_nothing_behind_its_records() -> None:
    inventory = inventory_of(open_store("memory:"))
    assert isinstance(inventory, NoInventory)
    assert inventory.behind(Role.VOLUME, UUID).is_nothing


def test_a_copy_of_a_pool_cannot_tell_what_stands_behind_its_records() -> None:
    class Copy(MemoryStore):
        stands_alone = False

    inventory = inventory_of(Copy())
    assert isinstance(inventory, UnknownInventory)
    assert inventory.stands_behind(Role.VOLUME, UUID)


@pytest.mark.ceph
def test_a_pool_of_images_gets_the_inventory_of_rbd(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("chosen")
    with RADOSStore("chosen", conf=str(ceph.conf)) as store:
        assert isinstance(inventory_of(store), RBDInventory)


@pytest.mark.ceph
def test_a_pool_that_is_gone_says_so_of_every_record(ceph: ThrowawayCluster) -> None:
    with RADOSStore("never-made", conf=str(ceph.conf)) as store:
        inventory = inventory_of(store)
        assert inventory.behind(Role.VOLUME, UUID).is_unknown
        assert "never-made" in str(inventory.not_compared()[0])


@pytest.mark.ceph
def test_a_metadata_pool_gets_the_inventory_of_its_filesystem(cephfs: ThrowawayCluster) -> None:
    with RADOSStore(METADATA_POOL, NAMESPACE, conf=str(cephfs.conf)) as store:
        inventory = inventory_of(store)
        assert isinstance(inventory, CephFSInventory)
        assert inventory.behind(Role.VOLUME, UUID, f"csi-vol-{UUID}").is_nothing
        inventory.close()
