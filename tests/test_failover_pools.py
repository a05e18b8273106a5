"""A failover to a pool with another id, on a real cluster: the journal goes along, and is right.

Volumes, a snapshot and a group are made by a driver in the first pool; images of
the same names, which mirroring would bring, in the second one.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from csijournal.store import Store
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.handles import Handle
from support.filesystem import METADATA_POOL
from support.kubernetes_lists import Fields, content, kubectl_list, raw, volume
from support.places import fill
from support.rbd_driver import CLUSTER_ID, RBDDriver
from support.rbd_pool import RBDPool
from support.verified import contents

pytestmark = pytest.mark.ceph

NEW_CLUSTER = "site-2"
NO_GROUPS: Fields = {"kind": "VolumeGroupSnapshotContentList", "items": []}


@dataclass(frozen=True)
class Failover:
    """Two pools, and what a driver made in the first one: volumes, a snapshot and a group."""

    cli: CLI
    old: RBDPool
    new: RBDPool
    old_id: int
    new_id: int
    volumes: tuple[str, ...]
    snapshot: str
    group: str

    def __call__(self, pool: RBDPool, *words: str, code: int = 0) -> str:
        said = self.cli("-c", str(pool.cluster.conf), "-p", pool.pool, *words, code=code)
        return " ".join((said.out + said.err).split())

    def handle(self, uuid: str, *, new: bool) -> str:
        place = (NEW_CLUSTER, self.new_id) if new else (CLUSTER_ID, self.old_id)
        return str(Handle(*place, uuid))

    def lists(self, *, new: bool) -> str:
        """What Kubernetes holds, by new handles or by the old ones."""
        volumes = [
            volume(self.handle(one, new=new), f"pvc-{number}")
            for number, one in enumerate(self.volumes, 1)
        ]
        snapshot = content(
            "VolumeSnapshotContent",
            {"driver": "rook-ceph.rbd.csi.ceph.com", "source": {}},
            {"snapshotHandle": self.handle(self.snapshot, new=new)},
        )
        group = content(
            "VolumeGroupReplicationContent",
            {
                "provisioner": "rook-ceph.rbd.csi.ceph.com",
                "volumeGroupReplicationHandle": self.handle(self.group, new=new),
            },
        )
        path = self.cli.folder / f"kubernetes-{new}.json"
        path.write_bytes(raw(kubectl_list([*volumes, snapshot, group]), NO_GROUPS))
        return str(path)

    def mapping_file(self) -> str:
        path = self.cli.folder / "cluster-mapping.json"
        pools = [{str(self.old_id): str(self.new_id)}]
        entry = {"clusterIDMapping": {CLUSTER_ID: NEW_CLUSTER}, "RBDPoolIDMapping": pools}
        path.write_text(json.dumps([entry]))
        return str(path)

    @property
    def options(self) -> list[str]:
        pools = f"{self.old_id}={self.new_id}"
        return ["--map-pool", pools, "--map-cluster", f"{CLUSTER_ID}={NEW_CLUSTER}"]

    def verify(self, pool: RBDPool, *words: str, code: int = 0) -> str:
        return self(pool, "verify", "--full", "--grace", "0s", "--strict", *words, code=code)

    def members(self, store: Store) -> set[str]:
        found = store.read_object(f"csi.volume.group.{self.group}") or {}
        return {key for key in found if not key.startswith("csi.")}


@pytest.fixture
def failover(ceph: ThrowawayCluster, tmp_path: Path) -> Failover:
    pools = []
    for number in (1, 2):
        pool = f"{tmp_path.name[:40]}-site-{number}"
        ceph.create_pool(pool)
        ceph.run("osd", "pool", "application", "enable", pool, "rbd")
        pools.append(RBDPool(ceph, pool))
    old, new = pools
    with old.ioctx() as ioctx, new.ioctx() as other:
        driver = RBDDriver(ioctx)
        volumes = tuple(driver.volume(f"pvc-{number}") for number in (1, 2))
        snapshot = driver.snapshot(volumes[0], "snap-1")
        group = driver.group("vgr-1", *volumes)
        there = RBDDriver(other).place
        for image in (*(f"csi-vol-{one}" for one in volumes), f"csi-snap-{snapshot}"):
            there.create_image(image)
        there.create_snapshot(f"csi-snap-{snapshot}", f"csi-snap-{snapshot}")
        there.create_group(f"csi-vol-group-{group}")
        for one in volumes:
            there.add_to_group(f"csi-vol-group-{group}", f"csi-vol-{one}")
        ids = (ioctx.get_pool_id(), other.get_pool_id())
    made = Failover(CLI(tmp_path), old, new, *ids, volumes, snapshot, group)
    made(old, "export", "--all", "journal.jsonl")
    return made


def test_restored_with_a_mapping_nothing_is_wrong_for_new_handles_and_for_old_ones(
    failover: Failover,
) -> None:
    assert "nothing is wrong" in failover.verify(
        failover.old, "--kubernetes", failover.lists(new=False)
    )
    failover(failover.new, "restore", "journal.jsonl", *failover.options, "--apply")
    new, old = failover.lists(new=True), failover.lists(new=False)
    assert "nothing is wrong" in failover.verify(failover.new, "--kubernetes", new)
    mapping = ["--cluster-mapping", failover.mapping_file()]
    assert "nothing is wrong" in failover.verify(failover.new, "--kubernetes", old, *mapping)
    again = failover(failover.new, "restore", "journal.jsonl", *failover.options)
    assert "nothing to do" in again


def test_restored_by_ceph_csis_own_file_it_comes_to_the_same_and_back_again(
    failover: Failover,
) -> None:
    mapping = ["--cluster-mapping", failover.mapping_file()]
    failover(failover.new, "restore", "journal.jsonl", *mapping, "--apply")
    assert "nothing to do" in failover(failover.new, "restore", "journal.jsonl", *failover.options)
    failover(failover.new, "export", "--all", "back.jsonl")
    back = failover(failover.old, "restore", "back.jsonl", *mapping)
    assert "nothing to do" in back  # the first pool has what the failback would bring


def test_the_old_handles_may_stay_in_the_journal_while_kubernetes_keeps_them(
    failover: Failover,
) -> None:
    # The handles stay as they are; the ids of the images become those of the images here.
    stays = ["--map-pool", f"{failover.old_id}={failover.old_id}"]
    failover(failover.new, "restore", "journal.jsonl", *stays, "--apply")
    old = failover.lists(new=False)
    mapping = ["--cluster-mapping", failover.mapping_file()]
    assert "nothing is wrong" in failover.verify(failover.new, "--kubernetes", old, *mapping)
    with failover.new.store() as store:
        assert failover.members(store) == {
            failover.handle(one, new=False) for one in failover.volumes
        }
    refused = failover(failover.new, "remap", *failover.options, "--kubernetes", old, code=4)
    assert "Kubernetes holds 4 handles with old ids; nothing was written" in refused


def test_what_cannot_be_mapped_is_named_and_nothing_is_written(failover: Failover) -> None:
    only = ["--map-pool", f"{failover.old_id + 1000}={failover.new_id}"]
    refused = failover(failover.new, "restore", "journal.jsonl", *only, "--apply", code=4)
    assert "2 things cannot be mapped; nothing was written" in refused
    for one in failover.volumes:
        assert one in refused
    with failover.new.store() as store:
        assert not [name for name in store.object_names() if name.startswith("csi.")]
    kept = [*only, "--keep-unmapped", "--apply"]
    failover(failover.new, "restore", "journal.jsonl", *kept)
    with failover.new.store() as store:
        assert failover.members(store) == {
            failover.handle(one, new=False) for one in failover.volumes
        }


def test_a_journal_that_is_there_is_remapped_with_a_backup_and_it_may_be_repeated(
    failover: Failover,
) -> None:
    failover(failover.new, "restore", "journal.jsonl", "--apply")
    with failover.new.store() as store:
        before = contents(store)
        new = ["--kubernetes", failover.lists(new=True)]
        words = ["remap", *failover.options, *new]
        planned = failover(failover.new, *words)
        assert "1 object to change; nothing was changed" in planned
        assert contents(store) == before
        by_file = ["remap", "--cluster-mapping", failover.mapping_file(), *new]
        done = failover(failover.new, *by_file, "--backup", "backup.jsonl", "--apply")
        assert "1 of 1 done" in done
        undo = done.partition("to undo ")[2]
        assert "restore" in undo
        assert "--cluster-mapping" not in undo  # it would map the backup too
        assert failover.members(store) == {
            failover.handle(one, new=True) for one in failover.volumes
        }
        assert "nothing to do" in failover(failover.new, *words)
        failover(failover.new, "restore", "backup.jsonl", "--overwrite", "--apply")
        assert contents(store) == before


def test_handles_of_cephfs_get_another_filesystem_and_reference_objects_are_named(
    cephfs: ThrowawayCluster, tmp_path: Path
) -> None:
    cli = CLI(tmp_path)
    group, member, snapshot = (str(uuid.uuid4()) for _ in range(3))
    old = {of: str(Handle(CLUSTER_ID, 7, of)) for of in (member, snapshot)}
    with cli.store() as store:
        shallow = {"csi.volname": "pvc-1", "csi.volume.backingsnapshotid": old[snapshot]}
        fill(
            store,
            {
                "csi.groups.default": {"csi.volume.group.vgs-1": group},
                f"csi.volume.group.{group}": {"csi.volname": "vgs-1", old[member]: old[snapshot]},
                f"csi.volume.{member}": shallow,
            },
        )
    cli("export", "--all", "journal.jsonl")
    place = ["-c", str(cephfs.conf), "-p", METADATA_POOL, "-N", "failover"]
    refused = cli(*place, "restore", "journal.jsonl", "--map-pool", "7=1", code=2).err
    assert "give --map-fs" in refused
    said = cli(*place, "restore", "journal.jsonl", "--map-fs", "7=1", "--apply")
    told = " ".join(said.err.split())
    assert f"of 1 shallow volume (rt-backingsnapshot-{old[snapshot]})" in told
    new = {of: str(Handle(CLUSTER_ID, 1, of)) for of in (member, snapshot)}
    with RADOSStore(METADATA_POOL, "failover", conf=str(cephfs.conf)) as store:
        found = store.read_object(f"csi.volume.group.{group}") or {}
        assert found[new[member]] == new[snapshot].encode()
        record = store.read_object(f"csi.volume.{member}") or {}
        assert record["csi.volume.backingsnapshotid"] == new[snapshot].encode()
