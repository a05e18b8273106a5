"""The journals beside Kubernetes' lists: each kind once found and once mended, and silence."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from uuid import uuid4

import pytest

from cluster import ThrowawayCluster
from csijournal import Store
from csijournal.check.catalog import FindingKind
from csijournal.check.compare_kubernetes import KubernetesComparison
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.handle_location import HandleLocation, handle_location
from csijournal.check.locations import Locations
from csijournal.check.scan import Depth, Verifier
from csijournal.inventory.cluster_mapping import ClusterMapping
from csijournal.inventory.contract import NotCompared
from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.schema import VOLUMES
from csijournal.wire.timestamps import NANOSECONDS, Timestamp
from support.filesystem import METADATA_POOL, Subvolumes
from support.kubernetes_lists import Fields, content, kubectl_list, raw, volume
from support.places import LONG_AGO_NS, Omaps, fill
from support.pools_in_memory import ClusterInMemory
from support.rbd_pool import RBDPool

V1, V2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
S1, G1 = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
HERE, OTHER = 2, 5
HOUR_NS = 3600 * NANOSECONDS
NOW_NS = LONG_AGO_NS + 100 * HOUR_NS


KINDS = {
    FindingKind.UNCLAIMED,
    FindingKind.MISSING_IN_CEPH,
    FindingKind.CLAIMED_TWICE,
    FindingKind.HANDLE_ELSEWHERE,
}


class LocationsInMemory(Locations):
    """The pools of a cluster in memory."""

    def __init__(self, cluster: ClusterInMemory) -> None:
        super().__init__(cluster.place(HERE))
        self._cluster = cluster

    def pool_of(self, location_id: int) -> int | None:
        return self._cluster.pool_of(location_id)


@pytest.fixture
def cluster() -> ClusterInMemory:
    return ClusterInMemory(HERE, OTHER)


def handle(uuid: str, pool_id: int = HERE, cluster_id: str = "rook-ceph") -> str:
    return f"0001-{len(cluster_id):04x}-{cluster_id}-{pool_id:016x}-{uuid}"


def a_volume(uuid: str, name: str = "pvc-1") -> Omaps:
    return {
        "csi.volumes.default": {f"csi.volume.{name}": uuid},
        f"csi.volume.{uuid}": {
            "csi.volname": name,
            "csi.imagename": f"csi-vol-{uuid}",
            "csi.volume.owner": "apps",
        },
    }


A_SNAPSHOT: Omaps = {
    "csi.snaps.default": {"csi.snap.snapshot-1": S1},
    f"csi.snap.{S1}": {
        "csi.snapname": "snapshot-1",
        "csi.imagename": f"csi-snap-{S1}",
        "csi.source": f"csi-vol-{V1}",
    },
}
A_GROUP: Omaps = {
    "csi.groups.default": {"csi.volume.group.groupsnapshot-1": G1},
    f"csi.volume.group.{G1}": {
        "csi.volname": "groupsnapshot-1",
        "csi.groupname": f"csi-vol-group-{G1}",
        "csi.creationtime": str(Timestamp(LONG_AGO_NS)),
    },
}


def snapshot_content(uuid: str, name: str = "snapcontent-1", source: str = V1) -> Fields:
    return content(
        "VolumeSnapshotContent",
        {"driver": "rbd.csi.ceph.com", "source": {"volumeHandle": handle(source)}},
        {"snapshotHandle": handle(uuid)},
        name,
    )


def group_content(uuid: str, name: str = "groupcontent-1") -> Fields:
    status = {"volumeGroupSnapshotHandle": handle(uuid)}
    return content("VolumeGroupSnapshotContent", {"driver": "rbd.csi.ceph.com"}, status, name)


def listing(kind: str, *items: Fields) -> Fields:
    """The list of one kind as the API serves it, which may be empty."""
    return {"apiVersion": "v1", "kind": f"{kind}List", "items": list(items), "metadata": {}}


EVERY_KIND = tuple(
    listing(kind)
    for kind in (
        "PersistentVolume",
        "VolumeSnapshotContent",
        "VolumeGroupSnapshotContent",
        "VolumeGroupReplicationContent",
    )
)


def lists(*documents: Fields, listed_ns: int = NOW_NS) -> KubernetesLists:
    read = KubernetesLists()
    read.add(raw(*documents), "lists.json", listed_ns)
    return read


def location(cluster: ClusterInMemory, mapping: str = "", cluster_id: str = "") -> HandleLocation:
    read = ClusterMapping.parse(mapping, "mapping.json") if mapping else ClusterMapping()
    return HandleLocation(LocationsInMemory(cluster), read, cluster_id)


def compare(
    store: Store,
    read: KubernetesLists,
    where: HandleLocation | ClusterInMemory | None = None,
    *,
    meanwhile: Callable[[], None] = lambda: None,
) -> tuple[list[Finding], KubernetesComparison]:
    """What a full check finds by the comparison; without `where` the store tells where it is."""
    made: list[KubernetesComparison] = []

    def make(context: Context) -> KubernetesComparison:
        chosen: HandleLocation | NotCompared | None = (
            location(where) if isinstance(where, ClusterInMemory) else where
        )
        found = KubernetesComparison(
            context, read, chosen or handle_location(store, context.inventory)
        )
        made.append(found)
        return found

    def wait(_seconds: float) -> None:
        meanwhile()

    verifier = Verifier(
        store,
        comparisons=[make],
        depth=Depth.FULL,
        grace_seconds=3600,
        settle_seconds=1,
        sleep=wait,
        monotonic=lambda: 0.0,
        clock=lambda: Timestamp(NOW_NS),
    )
    found = [finding for finding in verifier.findings() if finding.kind in KINDS]
    assert not any(finding.automatic for finding in found)
    return found, made[0]


def kinds(found: Iterable[Finding]) -> list[FindingKind]:
    return [finding.kind for finding in found]


# Silence


def test_what_kubernetes_holds_by_one_object_each_is_in_order(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1) | A_SNAPSHOT | A_GROUP)
    read = lists(
        kubectl_list([volume(handle(V1)), snapshot_content(S1), group_content(G1)]), *EVERY_KIND
    )
    found, comparison = compare(store, read, cluster)
    assert found == []
    assert comparison.kubernetes.here == 3
    assert list(comparison.kubernetes.not_looked_for()) == []


def test_a_list_that_was_given_twice_claims_nothing_twice(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    same = kubectl_list([volume(handle(V1))])
    assert compare(store, lists(same, same), cluster)[0] == []


# unclaimed


def test_a_volume_that_no_list_names_is_told_with_whom_it_was(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    (finding,), _ = compare(store, lists(*EVERY_KIND), cluster)
    assert finding.kind is FindingKind.UNCLAIMED
    assert (finding.object_name, finding.request_name) == (f"csi.volume.{V1}", "pvc-1")
    assert "no PersistentVolume in the lists of 2020-" in finding.found
    assert "made for PersistentVolume pvc-1 of namespace apps" in finding.found
    mended = lists(*EVERY_KIND, volume(handle(V1)))
    assert compare(store, mended, cluster)[0] == []


def test_snapshots_and_groups_that_no_list_names_are_told(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, A_SNAPSHOT | A_GROUP)
    found, _ = compare(store, lists(*EVERY_KIND), cluster)
    assert {one.object_name for one in found} == {f"csi.snap.{S1}", f"csi.volume.group.{G1}"}
    assert set(kinds(found)) == {FindingKind.UNCLAIMED}


def test_a_volume_that_is_only_a_snapshots_source_is_unclaimed_all_the_same(
    cluster: ClusterInMemory,
) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1) | A_SNAPSHOT)
    (finding,), _ = compare(store, lists(*EVERY_KIND, snapshot_content(S1)), cluster)
    assert finding.uuid == V1
    assert "it is the source of VolumeSnapshotContent snapcontent-1" in finding.found


def test_a_member_of_a_replicated_group_is_claimed_by_the_group(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1) | A_GROUP)
    group = content(
        "VolumeGroupReplicationContent",
        {"volumeGroupReplicationHandle": handle(G1), "source": {"volumeHandles": [handle(V1)]}},
    )
    assert compare(store, lists(*EVERY_KIND, group), cluster)[0] == []


@pytest.mark.parametrize("kind", ["VolumeSnapshotContent", "PersistentVolume"])
def test_a_kind_that_no_list_has_was_not_looked_at(cluster: ClusterInMemory, kind: str) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1) | A_SNAPSHOT)
    given = [one for one in EVERY_KIND if one["kind"] != f"{kind}List"]
    found, comparison = compare(store, lists(*given), cluster)
    assert [one.journal for one in found] == [
        "volumes" if kind == "VolumeSnapshotContent" else "snapshots"
    ]
    (missing,) = comparison.kubernetes.not_looked_for()
    assert f"Kubernetes' {kind}s not compared: no list has this kind" in missing


def test_a_list_that_was_cut_short_calls_nothing_unclaimed(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    cut = listing("PersistentVolume") | {"metadata": {"continue": "abc"}}
    found, comparison = compare(store, lists(cut), cluster)
    assert found == []
    assert "a part of a longer list" in next(comparison.kubernetes.not_looked_for())


@pytest.mark.parametrize(("minutes", "told"), [(59, False), (61, True)])
def test_what_was_made_after_the_list_or_shortly_before_is_not_unclaimed(
    cluster: ClusterInMemory, minutes: int, told: bool
) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    listed_ns = LONG_AGO_NS + minutes * 60 * NANOSECONDS
    found, comparison = compare(store, lists(*EVERY_KIND, listed_ns=listed_ns), cluster)
    assert bool(found) is told
    assert comparison.kubernetes.newer == (0 if told else 1)


def test_a_groups_age_is_that_of_its_creation_time(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    young = dict(A_GROUP[f"csi.volume.group.{G1}"])
    young["csi.creationtime"] = str(Timestamp(NOW_NS - HOUR_NS // 2))
    fill(store, A_GROUP | {f"csi.volume.group.{G1}": young})
    found, comparison = compare(store, lists(*EVERY_KIND), cluster)
    assert (found, comparison.kubernetes.newer) == ([], 1)


def test_a_record_that_goes_during_the_check_is_not_unclaimed(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))

    def undo() -> None:
        store.write(Write(f"csi.volume.{V1}", remove_object=True))

    assert compare(store, lists(*EVERY_KIND), cluster, meanwhile=undo)[0] == []


def test_a_record_that_kubernetes_names_is_kept_though_nothing_is_behind_it(
    cluster: ClusterInMemory,
) -> None:
    fill(cluster.place(HERE), a_volume(V1))
    _, comparison = compare(cluster.place(HERE), lists(volume(handle(V1))), cluster)
    assert comparison.why_kept(VOLUMES, V1) == "PersistentVolume pvc-1 in Kubernetes names it."
    assert comparison.why_kept(VOLUMES, V2) == ""


def test_a_volume_whose_old_handle_is_mapped_to_it_is_claimed_by_that(
    cluster: ClusterInMemory,
) -> None:
    store = cluster.place(HERE)
    omaps = a_volume(V1)
    omaps["csi.volumes.default"][f"csi.volume.{handle(V2, 7)}"] = handle(V1)
    fill(store, omaps)
    assert compare(store, lists(*EVERY_KIND, volume(handle(V2, 7))), cluster)[0] == []
    assert compare(store, lists(*EVERY_KIND, volume(handle(V2))), cluster)[0] == []


# missing-in-ceph


def test_a_handle_without_a_record_is_told_with_its_object(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    read = lists(kubectl_list([volume(handle(V1))]))
    (finding,), _ = compare(store, read, cluster)
    assert finding.kind is FindingKind.MISSING_IN_CEPH
    assert finding.object_name == f"csi.volume.{V1}"
    assert finding.thing == "PersistentVolume pvc-1"
    assert "claim apps/claim-of-pvc-1, reclaim policy Delete, in lists.json" in finding.found
    assert handle(V1) in finding.found
    fill(store, a_volume(V1))
    assert compare(store, read, cluster)[0] == []


def test_lost_snapshots_and_groups_are_told_as_such(cluster: ClusterInMemory) -> None:
    read = lists(kubectl_list([snapshot_content(S1), group_content(G1)]))
    found, _ = compare(cluster.place(HERE), read, cluster)
    assert [(one.journal, one.kind) for one in found] == [
        ("snapshots", FindingKind.MISSING_IN_CEPH),
        ("groups", FindingKind.MISSING_IN_CEPH),
    ]


def test_a_record_without_an_entry_is_not_missing(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, {name: value for name, value in a_volume(V1).items() if "volumes" not in name})
    assert compare(store, lists(volume(handle(V1))), cluster)[0] == []


def test_a_record_in_another_namespace_of_the_pool_is_not_missing(
    cluster: ClusterInMemory,
) -> None:
    fill(cluster.place(HERE, "csi"), a_volume(V1))
    fill(cluster.place(HERE, "tenant"), a_volume(V2))
    fill(cluster.place(HERE), {"rbd_namespace": {"name_tenant": ""}})
    read = lists(kubectl_list([volume(handle(V1)), volume(handle(V2), "pvc-2")]))
    found, comparison = compare(cluster.place(HERE), read, cluster)
    assert (found, comparison.kubernetes.other_namespaces) == ([], 2)


def test_handles_of_other_pools_are_counted_and_the_pool_named_that_does_not_exist(
    cluster: ClusterInMemory,
) -> None:
    read = lists(kubectl_list([volume(handle(V1, OTHER)), volume(handle(V2, 8), "pvc-2")]))
    found, comparison = compare(cluster.place(HERE), read, cluster)
    assert found == []
    look = comparison.kubernetes
    assert (look.here, dict(look.elsewhere), look.unknown) == (0, {OTHER: 1, 8: 1}, {8})
    text = "\n".join(look.lines())
    assert (
        "2 of other locations (pool id 5: 1, pool id 8: 1, which this cluster does not have)"
        in text
    )
    assert "were they made in the cluster that uses it?" in text


def test_a_volume_that_kubernetes_is_deleting_may_be_gone_already(
    cluster: ClusterInMemory,
) -> None:
    item = volume(handle(V1))
    item["status"]["phase"] = "Released"
    found, comparison = compare(cluster.place(HERE), lists(item), cluster)
    assert (found, comparison.kubernetes.ending) == ([], 1)


def test_static_migrated_and_other_drivers_volumes_are_passed_over_and_counted(
    cluster: ClusterInMemory,
) -> None:
    migrated = f"mig_mons-b7f67366bb43f32e07d8a261a7840da9_image-{V1}_706f6f6c"
    read = lists(
        kubectl_list(
            [
                volume(handle(V1), staticVolume="true"),
                volume(migrated, "pvc-2", "rbd.csi.ceph.com"),
                volume("vol-0a1b", "pvc-3", "ebs.csi.aws.com"),
                volume("0001-x", "pvc-4"),
            ]
        )
    )
    found, comparison = compare(cluster.place(HERE), read, cluster)
    assert found == []
    text = "\n".join(comparison.kubernetes.lines())
    assert "1 static, 1 migrated from the former driver, 1 of other drivers" in text
    assert "PersistentVolume pvc-4 holds '0001-x', which is not a handle" in text


# claimed-twice


def test_two_objects_that_hold_one_handle_are_both_named(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    read = lists(kubectl_list([volume(handle(V1)), volume(handle(V1), "pvc-2")]))
    (finding,), _ = compare(store, read, cluster)
    assert finding.kind is FindingKind.CLAIMED_TWICE
    assert "PersistentVolume pvc-1 (" in finding.found
    assert "and PersistentVolume pvc-2 (" in finding.found


def test_two_clusters_that_hold_one_volume_are_told_whatever_they_call_the_cluster(
    cluster: ClusterInMemory,
) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    read = lists(volume(handle(V1)), volume(handle(V1, cluster_id="storage"), "pvc-2"))
    assert kinds(compare(store, read, cluster)[0]) == [FindingKind.CLAIMED_TWICE]


def test_a_record_that_two_objects_hold_and_that_is_gone_is_missing_and_no_more(
    cluster: ClusterInMemory,
) -> None:
    read = lists(volume(handle(V1)), volume(handle(V1), "pvc-2"))
    (finding,), _ = compare(cluster.place(HERE), read, cluster)
    assert finding.kind is FindingKind.MISSING_IN_CEPH
    assert "pvc-1" in finding.found
    assert "pvc-2" in finding.found


# handle-elsewhere

MAPPING = """[{"clusterIDMapping": {"rook-ceph": "storage"}, "RBDPoolIDMapping": [{"7": "2"}]}]"""


def test_a_handle_that_names_another_pool_than_its_records_is_told(
    cluster: ClusterInMemory,
) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    read = lists(volume(handle(V1, 7)))
    (finding,), _ = compare(store, read, cluster)
    assert finding.kind is FindingKind.HANDLE_ELSEWHERE
    assert "names pool id 7 of cluster rook-ceph" in finding.found
    assert "the record lies here (pool id 2)" in finding.found


def test_with_a_mapping_the_old_handle_is_the_right_one(cluster: ClusterInMemory) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    mapped = location(cluster, MAPPING)
    assert compare(store, lists(*EVERY_KIND, volume(handle(V1, 7))), mapped)[0] == []


def test_with_a_mapping_a_missing_record_is_looked_for_in_all_pools_that_are_meant(
    cluster: ClusterInMemory,
) -> None:
    mapping = MAPPING.replace('{"7": "2"}', '{"2": "5"}')
    read = lists(volume(handle(V1)))
    (finding,), _ = compare(cluster.place(HERE), read, location(cluster, mapping))
    assert "nor in pool id 5" in finding.found
    fill(cluster.place(OTHER), a_volume(V1))
    assert compare(cluster.place(HERE), read, location(cluster, mapping))[0] == []


def test_a_handle_of_another_pool_that_has_its_record_there_is_in_order(
    cluster: ClusterInMemory,
) -> None:
    for pool_id in (HERE, OTHER):
        fill(cluster.place(pool_id), a_volume(V1))
    read = lists(*EVERY_KIND, volume(handle(V1, OTHER)))
    assert compare(cluster.place(HERE), read, cluster)[0] == []


def test_a_handle_of_another_cluster_id_is_told_where_ours_is_known(
    cluster: ClusterInMemory,
) -> None:
    store = cluster.place(HERE)
    fill(store, a_volume(V1))
    read = lists(volume(handle(V1)))
    ours = location(cluster, cluster_id="storage")
    assert kinds(compare(store, read, ours)[0]) == [FindingKind.HANDLE_ELSEWHERE]
    known = location(cluster, cluster_id="rook-ceph")
    assert compare(store, read, known)[0] == []


# Where handles cannot name the place


def test_in_a_file_claims_are_compared_and_lost_handles_cannot_be() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    fill(store, a_volume(V1) | A_SNAPSHOT)
    read = lists(
        *EVERY_KIND, volume(handle(V1)), volume(handle(V1), "pvc-2"), volume(handle(G1), "pvc-3")
    )
    found, comparison = compare(store, read)
    assert sorted(kinds(found)) == [FindingKind.CLAIMED_TWICE, FindingKind.UNCLAIMED]
    assert list(comparison.kubernetes.not_looked_for()) == []
    assert "none can name this location" in list(comparison.kubernetes.lines())[-1]


# On a real cluster


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def whole_pool(ceph: ThrowawayCluster) -> RBDPool:
    ceph.create_pool("kubernetes")
    ceph.run("osd", "pool", "application", "enable", "kubernetes", "rbd")
    return RBDPool(ceph, "kubernetes")


@pytest.fixture
def pool(whole_pool: RBDPool) -> RBDPool:
    """An RBD namespace of the test's own, without images."""
    namespace = f"ns-{next(_numbers)}"
    whole_pool.rbd("namespace", "create", f"kubernetes/{namespace}")
    return RBDPool(whole_pool.cluster, "kubernetes", namespace)


@pytest.mark.ceph
def test_a_real_image_that_nothing_holds_is_told_with_size_age_and_claim(pool: RBDPool) -> None:
    uuid = str(uuid4())
    pool.create(f"csi-vol-{uuid}")
    for key, value in (("pvc/name", "data"), ("pvc/namespace", "shop"), ("pv/name", "pvc-9")):
        pool.rbd("image-meta", "set", f"@csi-vol-{uuid}", f"csi.storage.k8s.io/{key}", value)
    with pool.store() as store:
        fill(store, a_volume(uuid, "pvc-9"))
        later = lists(*EVERY_KIND, listed_ns=time.time_ns() + 2 * HOUR_NS)
        (finding,) = (one for one in compare(store, later)[0])
        assert finding.kind is FindingKind.UNCLAIMED
        assert finding.thing.startswith(f"image csi-vol-{uuid} (id ")
        assert finding.size_bytes == 8 * 2**20
        assert "8 MiB provisioned (an upper bound)" in finding.found
        assert "made for claim shop/data (PersistentVolume pvc-9)" in finding.found

        now = lists(*EVERY_KIND, listed_ns=time.time_ns())
        assert compare(store, now)[0] == []

        held = lists(*EVERY_KIND, volume(handle(uuid, store.pool_id)))
        assert compare(store, held)[0] == []

        pool.rbd("rm", "--no-progress", f"@csi-vol-{uuid}")
        assert compare(store, later)[0] == []  # image-missing tells that


@pytest.mark.ceph
def test_the_image_of_an_unfinished_clone_is_not_counted_as_unclaimed_too(pool: RBDPool) -> None:
    """It is `temp-image-left` already, and its space must be counted once."""
    uuid = str(uuid4())
    pool.create(f"csi-vol-{uuid}-temp")
    with pool.store() as store:
        fill(store, a_volume(uuid))
        later = lists(*EVERY_KIND, listed_ns=time.time_ns() + 2 * HOUR_NS)
        assert compare(store, later)[0] == []


@pytest.mark.ceph
def test_a_handle_whose_record_is_lost_is_told_with_the_image_that_is_still_there(
    pool: RBDPool,
) -> None:
    uuid, trashed = str(uuid4()), str(uuid4())
    pool.create(f"gold-{uuid}")
    pool.create(f"csi-vol-{trashed}")
    pool.rbd("trash", "mv", f"@csi-vol-{trashed}")
    with pool.store() as store:
        read = lists(
            volume(handle(uuid, store.pool_id)), volume(handle(trashed, store.pool_id), "pvc-2")
        )
        found, _ = compare(store, read)
    told = {finding.uuid: finding.found for finding in found}
    assert f"image gold-{uuid} is there: only the record is lost" in told[uuid]
    assert "`rbd trash restore` brings it back" in told[trashed]


@pytest.mark.ceph
def test_a_user_who_may_not_list_images_is_told_so_and_age_is_that_of_the_record(
    pool: RBDPool,
) -> None:
    osd = "allow r pool=kubernetes"
    pool.cluster.create_user("kubernetes-lesser", mon="allow r", osd=osd)
    uuid = str(uuid4())
    with pool.store() as store:
        fill(store, a_volume(uuid, f"pvc-{uuid}"))
    with pool.store("kubernetes-lesser") as store:
        later = lists(*EVERY_KIND, listed_ns=time.time_ns() + 2 * HOUR_NS)
        found, _ = compare(store, later)
    (finding,) = (one for one in found if one.uuid == uuid)
    assert "not compared" in finding.found


@pytest.mark.ceph
def test_a_subvolume_that_nothing_holds_is_told_and_its_handle_has_the_filesystem_s_id(
    cephfs: ThrowawayCluster,
) -> None:
    uuid = str(uuid4())
    Subvolumes(cephfs).create(f"csi-vol-{uuid}", size_bytes=2**30)
    with RADOSStore(METADATA_POOL, "kubernetes", conf=str(cephfs.conf)) as store:
        fill(store, a_volume(uuid))
        later = lists(*EVERY_KIND, listed_ns=time.time_ns() + 2 * HOUR_NS)
        (finding,), comparison = compare(store, later)
        assert str(comparison.kubernetes.location) == "filesystem id 1"
        assert finding.kind is FindingKind.UNCLAIMED
        assert finding.size_bytes == 2**30
        held = lists(*EVERY_KIND, volume(handle(uuid, 1)))
        assert compare(store, held)[0] == []


@pytest.mark.ceph
@pytest.mark.parametrize("number", [2**31, 2**63, 2**64 - 1])
def test_a_number_that_no_pool_can_have_is_one_of_a_pool_that_is_not_there(
    pool: RBDPool, number: int
) -> None:
    with pool.store() as store:
        found, comparison = compare(store, lists(volume(handle(V1, number))))
    assert (found, comparison.kubernetes.unknown) == ([], {number})
