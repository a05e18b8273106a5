"""What users have reported, on a real cluster with real images: what the command line says of it.

Each test loads one file of tests/cases.  Other findings may follow from the same
data; the one that the case is about must be there.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CLI, COMMAND, Result
from cluster import ThrowawayCluster
from csijournal.store.rados.pool import RADOSStore
from support.cases import Case
from support.filesystem import FILESYSTEM, METADATA_POOL
from support.full import full_cluster
from support.rbd_pool import RBDPool

pytestmark = pytest.mark.ceph

NOWHERE = 0xFFFF
"""A number that no pool and no filesystem has."""

_numbers = itertools.count(1)


class Bench:
    """A pool for one case, and the command line pointed at it."""

    def __init__(self, cluster: ThrowawayCluster, cli: CLI, pool: str, namespace: str = "") -> None:
        self.cluster = cluster
        self.cli = cli
        self.images = RBDPool(cluster, pool, namespace)
        self.store = RADOSStore(pool, namespace, conf=str(cluster.conf))
        self.at = ["-c", str(cluster.conf), "-p", pool, *(["-N", namespace] if namespace else [])]

    @property
    def pool_id(self) -> int:
        return self.store.pool_id

    def __call__(self, *words: str, code: int = 0) -> Result:
        return self.cli(*self.at, *words, code=code)

    def verify(self, *words: str, code: int = 1) -> list[dict[str, Any]]:
        """The findings of a full check that gives nothing the benefit of its youth."""
        said = self("-o", "json", "verify", "--full", "--grace", "0s", "--notes", *words, code=code)
        return [found for line in said.lines if "kind" in (found := json.loads(line))]


Make = Callable[[], Bench]


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)


@pytest.fixture
def make(ceph: ThrowawayCluster, cli: CLI) -> Iterator[Make]:
    """Makes pools for images on the run's cluster."""
    with_stores = []

    def made() -> Bench:
        pool = f"case-{next(_numbers)}"
        ceph.create_pool(pool)
        ceph.run("osd", "pool", "application", "enable", pool, "rbd")
        with_stores.append(bench := Bench(ceph, cli, pool))
        return bench

    yield made
    for bench in with_stores:
        bench.store.close()


@pytest.fixture
def metadata(cephfs: ThrowawayCluster, cli: CLI) -> Iterator[Bench]:
    """A namespace of its own in the metadata pool of the tests' file system."""
    bench = Bench(cephfs, cli, METADATA_POOL, f"case-{next(_numbers)}")
    yield bench
    bench.store.close()


def kinds(findings: list[dict[str, Any]], of: str) -> list[str]:
    """The kinds of the findings whose object's name ends so."""
    return [found["kind"] for found in findings if found["object"].endswith(of)]


def named(findings: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one finding of a kind."""
    (found,) = [found for found in findings if found["kind"] == kind]
    return found


def mapping_file(folder: Path, *pairs: tuple[int, int]) -> str:
    path = folder / "cluster-mapping.json"
    ids = [{str(left): str(right)} for left, right in pairs]
    clusters = {"rook-ceph": "rook-ceph"}
    path.write_text(json.dumps([{"clusterIDMapping": clusters, "RBDPoolIDMapping": ids}]))
    return str(path)


# What drivers leave


def test_a_group_snapshot_of_rbd_leaves_an_entry_that_is_noted_and_can_go(
    make: Make, tmp_path: Path
) -> None:
    place = make()
    case = Case("01", place.pool_id)
    case.fill(place.store)
    case.make_images(place.images)
    findings = place.verify("--kubernetes", case.write_kubernetes(tmp_path))
    left = named(findings, "dangling-entry")
    assert (left["severity"], left["automatic"]) == ("note", True)
    assert left["request_name"].endswith("-vg")
    assert kinds(findings, "6c4d4385-45e0-42a1-a35f-3ca24f78fedd") == []
    place("repair", "--grace", "0s", "--kind", "dangling-entry", "--apply")
    assert "dangling-entry" not in [found["kind"] for found in place.verify()]


def test_a_deleted_group_whose_name_still_points_at_it_is_told_by_its_handle(
    make: Make, tmp_path: Path
) -> None:
    place = make()
    case = Case("06", place.pool_id)
    case.fill(place.store)
    (handle,) = case.handles
    said = place("show", handle, code=3)
    assert "drop --entry vg-app1" in said.out
    left = named(place.verify("--kubernetes", case.write_kubernetes(tmp_path)), "dangling-entry")
    assert left["automatic"]
    place("repair", "--apply")
    place("check", "vg-app1", code=3)


def test_a_member_snapshot_that_was_deleted_by_itself_is_missed_in_its_group(
    metadata: Bench,
) -> None:
    Case("04", 1).fill(metadata.store)
    lost = named(metadata.verify(), "member-without-record")
    assert "a3ae1b8d-c0ec-4936-a767-01a539292c22" in lost["found"]
    assert lost["request_name"] == "groupsnapshot-67e159ee-e4d2-45d8-a5fe-64f292119da8"
    assert "remove it from the group" in lost["cure"]
    member = "0001-0009-rook-ceph-0000000000000001-04af1666-3a32-4a0f-9865-f807b9fd1e67"
    group = "csi-vol-group-fd25e257-ae20-4614-a0c1-71d41c5ec036"
    assert lost["commands"] == [["remove", group, member]]


def test_shards_of_a_directory_are_read_as_one_and_nothing_is_made_beside_them(
    make: Make,
) -> None:
    place = make()
    Case("08").fill(place.store)
    assert "dd2473d0-6a8c-41ea-9113-0ad59d995ce7" in place("check", "groupsnapshot-new").out
    listed = place("list", "--journal", "groups").out
    assert "groupsnapshot-new" in listed
    assert "groupsnapshot-old" in listed
    assert "csi.groups.default.3" in place("ensure", "groupsnapshot-new", code=17).err
    assert "sharded-directory" in [found["kind"] for found in place.verify()]


# What is leaked, and what is lost


def test_a_volume_without_a_persistent_volume_is_leaked_with_its_size(
    make: Make, tmp_path: Path
) -> None:
    place = make()
    case = Case("18")
    case.fill(place.store)
    case.make_images(place.images)
    assert "unclaimed" not in [found["kind"] for found in place.verify(code=0)]
    given = ["--kubernetes", case.write_kubernetes(tmp_path)]
    leaked = named(place.verify(*given, code=0), "unclaimed")
    assert leaked["request_name"] == "pvc-ca574bf2-9632-49b9-8125-66951fc004c2"
    assert leaked["size_bytes"] == 8 * 2**20
    assert "namespace rbd-1827" in leaked["found"]


def test_restored_volumes_without_record_and_image_are_gone_and_it_is_said_where_they_are_not(
    make: Make, tmp_path: Path
) -> None:
    place = make()
    case = Case("11", place.pool_id)
    case.fill(place.store)
    findings = place.verify("--kubernetes", case.write_kubernetes(tmp_path))
    lost = [found for found in findings if found["kind"] == "missing-in-ceph"]
    assert {found["uuid"] for found in lost} == {handle[-36:] for handle in case.handles}
    for found in lost:
        assert "nor in the pool's other usual namespaces (csi)" in found["found"]
        assert "nothing is in the trash" in found["found"]


def test_a_group_whose_rbd_group_holds_an_image_is_never_removed_alone(make: Make) -> None:
    place = make()
    case = Case("23", place.pool_id)
    case.fill(place.store)
    case.make_images(place.images)
    group = "csi.volume.group.9f171fb1-e6db-43ae-92e6-3259bda0f0cc"
    orphan = named(place.verify(), "orphan-group")
    assert orphan["object"] == group
    assert not orphan["automatic"]
    assert "csi-vol-group-9f171fb1-e6db-43ae-92e6-3259bda0f0cc" in orphan["left_because"]
    place("repair", "--full", "--grace", "0s", "--apply", code=1)
    assert group in place.store.object_names()


def test_members_whose_reservation_lies_in_another_pool_are_never_removed(make: Make) -> None:
    journal, data = make(), make()
    case = Case("24", data.pool_id)
    case.fill(journal.store)
    case.fill(data.store, "omaps_in_second_pool")
    members = named(data.verify(), "members-elsewhere")
    assert not members["automatic"]
    data("repair", "--full", "--grace", "0s", "--apply", code=1)
    assert members["object"] in data.store.object_names()


def test_in_a_full_cluster_leaked_groups_are_removed_or_it_is_said_that_it_is_full(
    make: Make,
) -> None:
    place = make()
    Case("20").fill(place.store)
    repair = ["repair", "--full", "--grace", "0s", "--apply"]
    with full_cluster(place.cluster, place.store):
        # Taking a UUID before its entry goes is a write, which a full OSD may refuse.
        done = subprocess.run(
            [*COMMAND, *place.at, *repair],
            env=place.cli.environment,
            cwd=place.cli.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0 or (done.returncode == 18 and "full" in done.stderr), done
    place(*repair)
    assert [name for name in place.store.object_names() if name.startswith("csi.volume")] == []


# Handles of other clusters


def test_after_a_failover_a_handle_is_followed_by_the_mapping_and_else_said_to_be_foreign(
    make: Make, tmp_path: Path
) -> None:
    other, place = make(), make()
    case = Case("03", place.pool_id, {2: other.pool_id})
    case.fill(place.store)
    case.make_images(place.images)
    (handle,) = case.handles
    mapping = mapping_file(tmp_path, (other.pool_id, place.pool_id))
    conf = ["-c", str(place.cluster.conf)]
    said = place.cli(*conf, "--cluster-mapping", mapping, "show", handle, "--driver", "rbd")
    assert "vgrcontent-88b1d055-4c66-4218-a81c-487ba0b58ccf" in said.out
    assert f"pool {place.images.pool} (id {place.pool_id})" in said.err
    refused = place.cli(*conf, "show", handle, "--driver", "rbd", code=3).err
    assert "The number in a handle is that of the cluster that made it" in refused
    lists = ["--kubernetes", case.write_kubernetes(tmp_path), "--cluster-mapping", mapping]
    lost = named(place.verify(*lists), "member-without-record")
    assert "896c6912-604b-4f3a-9a0e-3a3b0d0f0001" in lost["found"]


def test_a_handle_of_a_pool_that_was_deleted_is_told_with_the_pools_that_there_are(
    make: Make, tmp_path: Path
) -> None:
    place = make()
    case = Case("16", NOWHERE)
    (handle,) = case.handles
    refused = place.cli("-c", str(place.cluster.conf), "show", handle, "--driver", "rbd", code=16)
    assert f"no pool with the id {NOWHERE}" in refused.err
    assert f"{place.images.pool} (id {place.pool_id})" in refused.err
    listed = case.write_kubernetes(tmp_path)
    said = place("verify", "--allow-empty", "--kubernetes", listed)
    assert f"pool id {NOWHERE}: 1, which this cluster does not have" in " ".join(said.out.split())


def test_a_handle_of_a_filesystem_that_was_made_anew_is_told_with_those_that_there_are(
    metadata: Bench, tmp_path: Path
) -> None:
    case = Case("17", ids={1: NOWHERE})
    case.fill(metadata.store)
    (handle,) = case.handles
    conf = ["-c", str(metadata.cluster.conf)]
    refused = metadata.cli(*conf, "show", handle, "--driver", "cephfs", code=16).err
    assert f"no filesystem with the id {NOWHERE}" in refused
    assert f"{FILESYSTEM} (id 1, metadata pool {METADATA_POOL})" in refused
    assert "groupsnapshot-dr" in metadata("show", handle).out
    listed = case.write_kubernetes(tmp_path)
    said = metadata("verify", "--kubernetes", listed, code=0)
    assert f"filesystem id {NOWHERE}: 1, which this cluster does not have" in " ".join(
        said.out.split()
    )


def test_a_handle_that_leads_to_another_pool_says_where_it_looked(make: Make) -> None:
    place = make()
    (handle,) = Case("22", place.pool_id).handles
    conf = ["-c", str(place.cluster.conf)]
    refused = place.cli(*conf, "show", handle, "--driver", "rbd", code=3).err
    assert f"looked in pool {place.images.pool} (id {place.pool_id})" in refused
    assert "--cluster-mapping says what it stands for here, or give -p" in refused


# Users who may not look


def test_a_user_whose_capability_names_another_filesystem_is_told_what_the_pool_is_tagged_with(
    metadata: Bench,
) -> None:
    case = Case("13")
    case.fill(metadata.store)
    for number, caps in enumerate(("wrong", "right")):
        osd = case.caps[caps].replace("adt_k8s_data_hdd", FILESYSTEM)
        metadata.cluster.create_user(f"case-13-{number}", mon="allow r", osd=osd)
    login = [*metadata.at, "-n"]
    refused = metadata.cli(*login, "client.case-13-0", "verify", code=15).err
    assert METADATA_POOL in refused
    assert f"cephfs {{'metadata': '{FILESYSTEM}'}}" in refused or FILESYSTEM in refused
    metadata.cli(*login, "client.case-13-1", "verify")


def test_a_user_without_any_capability_for_osds_is_told_at_once_and_the_entry_can_go(
    make: Make,
) -> None:
    place = make()
    case = Case("14")
    case.fill(place.store)
    words = ["mon", 'profile rbd, allow command "osd blocklist"', "mgr", "allow rw"]
    place.cluster.run("auth", "get-or-create", "client.case-14", *words)
    key = place.cluster.run("auth", "print-key", "client.case-14")
    (place.cli.folder / "key").write_text(key)
    refused = place.cli(*place.at, "-n", "client.case-14", "--keyfile", "key", "verify", code=15)
    assert "client.case-14" in refused.err
    left = named(place.verify(), "dangling-entry")
    assert (left["journal"], left["automatic"]) == ("volumes", True)
    assert left["request_name"] == "pvc-0d9f5a31-0b1e-4d5b-9d5b-6f1a2b3c4d5e"
    place("repair", "--apply")
    place.verify(code=0)
