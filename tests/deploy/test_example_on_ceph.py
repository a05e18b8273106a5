"""The example on a cluster: what its Ceph user may do, and what its commands check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import CLI
from cli.test_metrics import samples
from cluster import ThrowawayCluster
from csijournal import VolumeGroupJournal, open_store
from csijournal.check.metrics import LAST_COMPLETE
from csijournal.errors import PermissionDenied
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import ThingKind
from deploy.manifests import Resource, built, filled, listed, of_kind, pod_of
from support.filesystem import METADATA_POOL

EXAMPLE_POOL = "myfs-metadata"


def here(words: list[str], folder: Path) -> list[str]:
    """A command line for this machine: files from `folder`, the tests' filesystem."""
    mounted = re.compile(r"/etc/ceph-csi-config|/etc/csijournal|/run/csijournal|/metrics")
    return [mounted.sub(str(folder), word).replace(EXAMPLE_POOL, METADATA_POOL) for word in words]


PLACES = ("replicapool/tenant-1", f"{METADATA_POOL}/csi")


@pytest.fixture(scope="module")
def example() -> list[Resource]:
    return built("example")


@pytest.fixture(scope="module")
def cluster(
    cephfs: ThrowawayCluster, example: list[Resource], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThrowawayCluster]:
    """Both pools of the example, each with a journal, and the user that Rook would make."""
    (client,) = of_kind(example, "CephClient")
    folder = tmp_path_factory.mktemp("keyring")
    caps = [word for pair in client["spec"]["caps"].items() for word in here([*pair], folder)]
    cephfs.create_pool("replicapool")
    cephfs.run("osd", "pool", "application", "enable", "replicapool", "rbd")
    cephfs.run("auth", "get-or-create", "client.csijournal", *caps, "-o", str(folder / "keyring"))
    for place in PLACES:
        admin = f"rados://{place}?conf={cephfs.conf}&keyring={cephfs.keyring}"
        with open_store(admin) as store, VolumeGroupJournal(store) as journal:
            journal.reserve_name("groupsnapshot-1")
    yield cephfs
    cephfs.run("auth", "rm", "client.csijournal")


@pytest.mark.ceph
@pytest.mark.parametrize("place", PLACES)
def test_the_ceph_user_of_the_example_can_compare_everything_and_write_nothing(
    cluster: ThrowawayCluster, tmp_path: Path, place: str
) -> None:
    keyring = tmp_path / "keyring"
    keyring.write_text(cluster.run("auth", "get", "client.csijournal"))
    url = f"rados://{place}?conf={cluster.conf}&id=csijournal&keyring={keyring}"
    with open_store(url) as store:
        with closing(inventory_of(store)) as inventory:
            for kind in ThingKind:
                list(inventory.things(kind))
            assert inventory.not_compared() == ()
        with pytest.raises(PermissionDenied):
            VolumeGroupJournal(store).reserve_name("groupsnapshot-2")


@pytest.mark.ceph
def test_the_commands_of_the_example_check_both_drivers(
    cluster: ThrowawayCluster, example: list[Resource], cli: CLI
) -> None:
    clusters = [{"clusterID": "rook-ceph", "monitors": cluster.monitors}]
    (cli.folder / "key").write_text(cluster.run("auth", "print-key", "client.csijournal"))
    (cli.folder / "config.json").write_text(json.dumps(clusters))
    empty = ("VolumeSnapshotContent", "VolumeGroupSnapshotContent", "VolumeGroupReplicationContent")
    lists = [json.dumps({"kind": f"{kind}List", "items": []}) for kind in empty]
    (cli.folder / "kubernetes.json").write_text(listed("PersistentVolume", "v1") + "".join(lists))
    settings = {one["metadata"]["name"]: one["data"] for one in of_kind(example, "ConfigMap")}

    for job in of_kind(example, "CronJob"):
        (container,) = pod_of(job)["containers"]
        used = settings[container["envFrom"][0]["configMapRef"]["name"]]
        cli(*here(filled(container["args"], used), cli.folder))

    written = [path.read_text() for path in cli.folder.glob("csijournal-*.prom")]
    assert len(written) == 2
    for text in written:
        assert 0 not in samples(text, LAST_COMPLETE).values()
