"""Subvolumes, snapshots and shallow volumes whose records are lost, attached as in RBD."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from csijournal.store.rados.pool import RADOSStore
from support.cephfs_driver import CephFSDriver, Made
from support.filesystem import METADATA_POOL
from support.kubernetes_lists import CEPHFS_DRIVER, Fields, content, kubectl_list, volume

pytestmark = pytest.mark.ceph

Omaps = dict[str, dict[str, bytes]]


@pytest.fixture
def driver(cephfs: ThrowawayCluster, request: pytest.FixtureRequest) -> Iterator[CephFSDriver]:
    """A driver with a subvolume group of its own, in a namespace of this test's own."""
    made = CephFSDriver(cephfs, namespace=request.node.name[:40], group=request.node.name[:40])
    yield made
    made.close()


def store(driver: CephFSDriver) -> RADOSStore:
    return RADOSStore(
        METADATA_POOL,
        driver.namespace,
        conf=str(driver.cluster.conf),
        name="client.admin",
        timeout_seconds=30,
    )


def omaps(driver: CephFSDriver) -> Omaps:
    with store(driver) as opened:
        return {name: opened.read_object(name) or {} for name in opened.object_names("csi.")}


def lose_all(driver: CephFSDriver, cluster: ThrowawayCluster, names: Omaps) -> None:
    for name in names:
        cluster.rados("-p", METADATA_POOL, "-N", driver.namespace, "rm", name)


def claim(made: Made, **attributes: str) -> Fields:
    return volume(made.handle, made.request, driver=CEPHFS_DRIVER, **attributes)


def snapshot_content(made: Made, source: Made) -> Fields:
    uid = made.request[len("snapshot-") :]
    return content(
        "VolumeSnapshotContent",
        {
            "driver": CEPHFS_DRIVER,
            "source": {"volumeHandle": source.handle},
            "volumeSnapshotRef": {"name": "s", "namespace": "apps", "uid": uid},
        },
        {"snapshotHandle": made.handle},
        f"snapcontent-{uid}",
    )


def place(driver: CephFSDriver) -> list[str]:
    return ["-c", str(driver.cluster.conf), "-p", METADATA_POOL, "-N", driver.namespace]


def test_volumes_snapshots_and_shallow_volumes_come_back_as_the_driver_wrote_them(
    cli: CLI, driver: CephFSDriver, cephfs: ThrowawayCluster, tmp_path: Path
) -> None:
    source = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-7117aaaa", source)
    shallow = driver.create_shallow_volume("pvc-shallow", snapshot)
    before = omaps(driver)
    lists = tmp_path / "lists.json"
    items = [claim(source, subvolumeName=source.name), claim(shallow)]
    lists.write_text(json.dumps(kubectl_list([*items, snapshot_content(snapshot, source)])))
    lose_all(driver, cephfs, before)
    words = ["attach", "--all", "--kubernetes", str(lists), "--subvolume-group", driver.group]

    said = cli(*place(driver), *words, "--apply").out

    assert "3 of 3 done." in said
    assert f"in the namespace '{driver.namespace}' of the pool" in said
    assert omaps(driver) == before


def test_one_snapshot_is_found_in_its_subvolume_without_any_list(
    cli: CLI, driver: CephFSDriver, cephfs: ThrowawayCluster
) -> None:
    snapshot = driver.create_snapshot("snapshot-1", driver.create_volume("pvc-1"))
    before = omaps(driver)
    lose_all(driver, cephfs, before)
    words = ["attach", "--subvolume-group", driver.group, "--owner", "apps"]

    for journal, uuid, name in (
        ("volumes", snapshot.source[-36:], "pvc-1"),
        ("snapshots", snapshot.uuid, "snapshot-1"),
    ):
        cli(*place(driver), *words, "--journal", journal, uuid, name, "--apply")

    assert omaps(driver) == before
