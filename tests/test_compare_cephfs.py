"""Records beside a real file system: each kind of finding, and what must be silent."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from cluster import ThrowawayCluster
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Depth, Summary, Verifier
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.login import Login
from support.cephfs_driver import CephFSDriver, Made
from support.filesystem import MASKED, METADATA_POOL, NORMAL

pytestmark = pytest.mark.ceph

HOUR = 3600.0

_numbers = itertools.count(1)


def look(
    driver: CephFSDriver,
    *,
    full: bool = True,
    grace_seconds: float = 0,
    user: str = "admin",
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[list[Finding], Summary]:
    """A whole check; `meanwhile` is done before it looks again at what contradicts itself."""
    once = iter([meanwhile])

    def wait(_seconds: float) -> None:
        for act in once:
            act()

    login = Login(conf=str(driver.cluster.conf), name=f"client.{user}", timeout_seconds=10)
    place = METADATA_POOL, driver.namespace
    with (
        RADOSCluster(login) as cluster,
        cluster.store(*place) as store,
        CephFSInventory(cluster, store, *place, group=driver.group) as inventory,
    ):
        verifier = Verifier(
            store,
            inventory=inventory,
            depth=Depth.FULL if full else Depth.LIMITED,
            grace_seconds=grace_seconds,
            monotonic=lambda: 0,
            sleep=wait,
        )
        return list(verifier.findings()), verifier.summary


@pytest.fixture
def driver(cephfs: ThrowawayCluster) -> Iterator[CephFSDriver]:
    """A driver in a namespace and subvolume group of this test's own."""
    name = f"compared-{next(_numbers)}"
    made = CephFSDriver(cephfs, namespace=name, group=name)
    yield made
    made.close()


def told(
    driver: CephFSDriver,
    *,
    full: bool = True,
    grace_seconds: float = 0,
    meanwhile: Callable[[], object] = lambda: None,
) -> list[tuple[str, str]]:
    """Kind and UUID of each finding."""
    findings, _ = look(driver, full=full, grace_seconds=grace_seconds, meanwhile=meanwhile)
    return sorted((finding.kind.value, finding.uuid) for finding in findings)


def only(driver: CephFSDriver, *, full: bool = True) -> Finding:
    """The one thing that is found."""
    (finding,), _ = look(driver, full=full)
    return finding


# What must be silent


def test_all_that_a_driver_makes_is_silent(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    driver.create_nfs_volume("pvc-nfs")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    driver.create_group_snapshot("groupsnapshot-1", [volume])
    driver.restore("pvc-restored", snapshot)
    driver.clone("pvc-cloned", volume)
    driver.delete_volume(volume)  # retained for its snapshots
    shallow = driver.create_shallow_volume("pvc-shallow", snapshot)
    driver.create_shallow_volume("pvc-shallow-2", snapshot)
    driver.delete_snapshot(snapshot)  # masked for the volumes that read it
    driver.delete_volume(shallow)

    findings, summary = look(driver)

    assert [(finding.kind.value, finding.found) for finding in findings] == []
    assert summary.not_looked_at == []
    assert summary.pending == 0


def test_others_subvolumes_and_snapshots_are_silent(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    driver.create_snapshot("snapshot-1", volume)
    for name in (str(uuid4()), "static", f"manila-{uuid4()}"):
        driver.make_subvolume(name)
        driver.make_snapshot(volume.name, f"daily-{name}")

    assert told(driver) == []


def test_a_clone_is_silent_for_as_long_as_it_takes(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    with driver.slow_clones(seconds=2):
        restored = driver.restore("pvc-2", snapshot, stop_before="complete")
        clone = driver.clone("pvc-3", volume, stop_before="complete")
        assert told(driver) == []
        put_back = [driver.forget_record(made) for made in (restored, clone)]
        assert told(driver) == []
        for put in put_back:
            put()

    driver.await_clone(clone)
    assert told(driver, grace_seconds=HOUR) == []  # the driver is about to remove the snapshot
    finding = only(driver)
    assert (finding.kind, finding.uuid) == (FindingKind.SNAPSHOT_WITHOUT_RECORD, clone.uuid)
    assert "made to clone volume" in finding.found
    driver.remove_snapshot(volume.name, clone.name)
    assert told(driver) == []


def test_two_clusters_may_share_a_subvolume_group(
    cephfs: ThrowawayCluster, driver: CephFSDriver
) -> None:
    usual = CephFSDriver(cephfs, namespace="csi", group=driver.group)
    other = CephFSDriver(cephfs, namespace=f"{driver.namespace}-other", group=driver.group)
    with closing(usual), closing(other):
        usual.create_snapshot("snapshot-1", usual.create_volume("pvc-1"))
        driver.create_volume("pvc-1")
        assert told(driver, full=False) == []

        volume = other.create_volume("pvc-1")
        assert told(driver) == []
        assert told(driver, full=False) == [("subvolume-without-record", volume.uuid)]
        assert f"no record in namespaces {driver.namespace}, csi" in only(driver, full=False).found


def test_what_is_mended_before_the_second_look_is_silent(driver: CephFSDriver) -> None:
    volume, other = driver.create_volume("pvc-1"), driver.create_volume("pvc-2")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    gone = driver.create_snapshot("snapshot-2", volume)
    shallow = driver.create_shallow_volume("pvc-3", snapshot, stop_before="reference")
    driver.remove_snapshot(volume.name, gone.name)
    driver.remove_subvolume(other.name)
    put_back = driver.forget_record(snapshot)

    def mend() -> None:
        put_back()
        driver.forget_record(shallow)
        driver.make_subvolume(other.name)
        driver.make_snapshot(volume.name, gone.name)

    assert len(told(driver)) == 3
    assert told(driver, meanwhile=mend) == []


# What each crash of a driver leaves

CRASHES: dict[str, tuple[Callable[[CephFSDriver, Made, Made], object], list[str]]] = {
    "create-entry": (
        lambda driver, _v, _s: driver.create_volume("x", stop_before="entry"),
        ["empty-record"],
    ),
    "create-attributes": (
        lambda driver, _v, _s: driver.create_volume("x", stop_before="attributes"),
        ["unpopulated-record"],
    ),
    "create-subvolume": (
        lambda driver, _v, _s: driver.create_volume("x", stop_before="subvolume"),
        ["subvolume-missing"],
    ),
    "restore-clone": (
        lambda driver, _v, snapshot: driver.restore("x", snapshot, stop_before="clone"),
        ["subvolume-missing"],
    ),
    "clone-snapshot": (
        lambda driver, volume, _s: driver.clone("x", volume, stop_before="snapshot"),
        ["subvolume-missing"],
    ),
    "clone-clone": (  # a retry clones from the snapshot that is there
        lambda driver, volume, _s: driver.clone("x", volume, stop_before="clone"),
        ["subvolume-missing"],
    ),
    "clone-cleanup": (
        lambda driver, volume, _s: driver.clone("x", volume, stop_before="cleanup"),
        ["snapshot-without-record"],
    ),
    "shallow-reference": (
        lambda driver, _v, snapshot: driver.create_shallow_volume(
            "x", snapshot, stop_before="reference"
        ),
        ["backing-references"],
    ),
    "snapshot-entry": (
        lambda driver, volume, _s: driver.create_snapshot("x", volume, stop_before="entry"),
        ["empty-record"],
    ),
    "snapshot-snapshot": (
        lambda driver, volume, _s: driver.create_snapshot("x", volume, stop_before="snapshot"),
        ["snapshot-missing"],
    ),
    "delete-snapshot-record": (
        lambda driver, _v, snapshot: driver.delete_snapshot(snapshot, stop_before="record"),
        ["snapshot-missing"],
    ),
    "delete-snapshot-entry": (
        lambda driver, _v, snapshot: driver.delete_snapshot(snapshot, stop_before="entry"),
        ["dangling-entry"],
    ),
    "delete-retained-record": (
        lambda driver, volume, _s: driver.delete_volume(volume, stop_before="record"),
        ["subvolume-missing"],
    ),
    "delete-retained-entry": (
        lambda driver, volume, _s: driver.delete_volume(volume, stop_before="entry"),
        ["dangling-entry"],
    ),
    "delete-shallow-record": (
        lambda driver, _v, snapshot: driver.delete_volume(
            driver.create_shallow_volume("x", snapshot), stop_before="record"
        ),
        ["backing-references"],
    ),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_what_a_crash_left_is_found_by_its_name_and_nothing_else(
    driver: CephFSDriver, crash: str
) -> None:
    make, kinds = CRASHES[crash]
    volume = driver.create_volume("pvc-1")
    make(driver, volume, driver.create_snapshot("snapshot-1", volume))

    of_an_hour = [kind for kind, _ in told(driver, grace_seconds=HOUR)]
    assert of_an_hour == [kind for kind in kinds if kind == "dangling-entry"]  # it has no age
    assert [kind for kind, _ in told(driver)] == kinds


# Volumes


def test_a_volume_without_its_subvolume_is_found_once_it_is_old(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1", stop_before="subvolume")

    findings, summary = look(driver, grace_seconds=HOUR)
    assert findings == []
    assert [one.request_name for one in summary.pending_named] == ["pvc-1"]

    finding = only(driver, full=False)
    assert (finding.kind, finding.uuid) == (FindingKind.SUBVOLUME_MISSING, volume.uuid)
    assert (finding.request_name, finding.instance_id) == ("pvc-1", "default")
    assert finding.found == "no subvolume of this name in filesystem files"

    driver.make_subvolume(volume.name)
    assert told(driver) == []


def test_a_subvolume_that_was_removed_by_hand_takes_its_snapshots_along(
    driver: CephFSDriver,
) -> None:
    volume = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    driver.remove_snapshot(volume.name, snapshot.name)
    driver.remove_subvolume(volume.name)

    assert told(driver) == [
        ("snapshot-missing", snapshot.uuid),
        ("subvolume-missing", volume.uuid),
    ]


def test_a_subvolume_without_a_record_is_leaked(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    forgotten = driver.create_snapshot("snapshot-2", volume)
    driver.note_claim(volume, "data")
    driver.forget_record(forgotten)
    put_back = driver.forget_record(volume)

    assert told(driver, grace_seconds=HOUR) == []
    finding = only(driver)
    assert (finding.kind, finding.uuid) == (FindingKind.SUBVOLUME_WITHOUT_RECORD, volume.uuid)
    assert f"in group {driver.group} of filesystem files, state complete" in finding.found
    assert "2 snapshots, 1 with a record" in finding.found
    assert "made for claim apps/data (PersistentVolume pvc-1)" in finding.found

    put_back()
    assert told(driver) == [("snapshot-without-record", forgotten.uuid)]
    driver.remove_snapshot(volume.name, forgotten.name)
    assert told(driver) == []
    assert snapshot.source == volume.name


def test_names_of_another_prefix_are_the_drivers_by_other_records_or_by_their_metadata(
    driver: CephFSDriver,
) -> None:
    driver.prefix = "of-a-class-"
    lost = driver.create_volume("pvc-1")
    driver.forget_record(lost)
    assert told(driver) == []

    driver.note_claim(lost, "data")
    assert told(driver) == [("subvolume-without-record", lost.uuid)]
    other = driver.create_volume("pvc-2")
    driver.forget_record(other)
    driver.create_volume("pvc-3")
    findings, _ = look(driver)
    severities = {finding.uuid: finding.severity for finding in findings}
    assert severities == {lost.uuid: Severity.ERROR, other.uuid: Severity.WARNING}


def test_a_retained_subvolume_needs_a_snapshot_that_has_a_record(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    first = driver.create_snapshot("snapshot-1", volume)
    second = driver.create_snapshot("snapshot-2", volume)
    driver.delete_volume(volume)
    put_back = driver.forget_record(second)

    assert told(driver, full=False) == [("snapshot-without-record", second.uuid)]
    driver.forget_record(first)
    finding = only(driver)
    assert (finding.kind, finding.uuid) == (FindingKind.SUBVOLUME_WITHOUT_RECORD, volume.uuid)
    assert "state snapshot-retained, 2 snapshots, 0 with a record" in finding.found

    put_back()
    driver.remove_snapshot(volume.name, first.name)
    assert told(driver) == []


def test_a_volume_whose_subvolume_is_only_retained_is_found_in_a_full_check(
    driver: CephFSDriver,
) -> None:
    volume = driver.create_volume("pvc-1")
    driver.create_snapshot("snapshot-1", volume)
    driver.delete_volume(volume, stop_before="record")

    assert told(driver, full=False) == []
    finding = only(driver)
    assert (finding.kind, finding.uuid) == (FindingKind.SUBVOLUME_MISSING, volume.uuid)
    assert "deleted, and is only kept for its snapshots" in finding.found

    driver.forget_record(volume)
    assert told(driver) == []


# Snapshots


def test_a_snapshot_without_its_subvolume_snapshot_is_found_once_it_is_old(
    driver: CephFSDriver,
) -> None:
    volume = driver.create_volume("pvc-1")
    driver.create_snapshot("snapshot-1", volume)
    snapshot = driver.create_snapshot("snapshot-2", volume, stop_before="snapshot")

    findings, summary = look(driver, grace_seconds=HOUR)
    assert (findings, summary.pending) == ([], 1)
    finding = only(driver, full=False)
    assert (finding.kind, finding.uuid) == (FindingKind.SNAPSHOT_MISSING, snapshot.uuid)
    assert finding.found == f"subvolume '{volume.name}' has no such snapshot"

    driver.make_snapshot(volume.name, snapshot.name)
    assert told(driver) == []


def test_a_snapshot_of_nothing_is_told_as_one_whose_source_is_missing(
    driver: CephFSDriver,
) -> None:
    volume = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    driver.remove_snapshot(volume.name, snapshot.name)
    driver.delete_volume(volume)

    assert told(driver, full=False) == [("source-missing", snapshot.uuid)]
    driver.forget_record(snapshot)
    assert told(driver) == []


def test_snapshots_of_subvolumes_that_no_record_names_are_looked_at_in_a_full_check(
    driver: CephFSDriver,
) -> None:
    volume = driver.create_volume("pvc-1")
    snapshot = driver.create_snapshot("snapshot-1", volume)
    driver.forget_record(snapshot)

    assert told(driver, full=False) == []
    finding = only(driver)
    assert (finding.kind, finding.uuid) == (FindingKind.SNAPSHOT_WITHOUT_RECORD, snapshot.uuid)
    assert finding.found.startswith(f"in group {driver.group} of filesystem files; no record in")


def test_what_is_left_of_a_clone_that_never_came_to_be_is_found(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1")
    clone = driver.clone("pvc-2", volume, stop_before="clone")

    assert told(driver) == [("subvolume-missing", clone.uuid)]  # a retry clones from the snapshot
    driver.forget_record(clone)
    assert told(driver) == [("snapshot-without-record", clone.uuid)]
    driver.remove_snapshot(volume.name, clone.name)
    assert told(driver) == []


# References of shallow volumes


@pytest.fixture
def used(driver: CephFSDriver) -> tuple[Made, Made]:
    """A snapshot, and a shallow volume that reads it."""
    snapshot = driver.create_snapshot("snapshot-1", driver.create_volume("pvc-1"))
    return snapshot, driver.create_shallow_volume("pvc-2", snapshot)


def test_a_shallow_volume_that_is_not_counted_can_lose_its_snapshot(
    driver: CephFSDriver, used: tuple[Made, Made]
) -> None:
    snapshot, _ = used
    volume = driver.create_shallow_volume("pvc-3", snapshot, stop_before="reference")

    findings, summary = look(driver, grace_seconds=HOUR)
    assert (findings, summary.pending) == ([], 1)
    finding = only(driver, full=False)
    assert (finding.kind, finding.uuid) == (FindingKind.BACKING_REFERENCES, snapshot.uuid)
    assert f"it does not count 1 volume ({volume.uuid})" in finding.found

    driver.add_reference(volume)
    assert told(driver) == []


def test_a_snapshot_without_an_object_of_references_is_told(driver: CephFSDriver) -> None:
    snapshot = driver.create_snapshot("snapshot-1", driver.create_volume("pvc-1"))
    volume = driver.create_shallow_volume("pvc-2", snapshot, stop_before="reference")

    assert "there is no such object" in only(driver, full=False).found
    driver.add_reference(volume)
    assert told(driver) == []


def test_an_object_that_contradicts_itself_is_found(
    driver: CephFSDriver, used: tuple[Made, Made]
) -> None:
    snapshot, volume = used
    driver.write_references(snapshot, 5, {snapshot.handle: NORMAL, volume.name: NORMAL})

    assert only(driver, full=False).found == "it counts 5 references and has 2"
    driver.write_references(snapshot, 1, {snapshot.handle: MASKED})
    assert told(driver) == []


def test_references_of_volumes_that_are_gone_are_found(
    driver: CephFSDriver, used: tuple[Made, Made]
) -> None:
    _, volume = used
    put_back = driver.forget_record(volume)

    assert told(driver, full=False) == []  # no record names the object
    assert f"it counts 1 volume ({volume.uuid}), of which no record" in only(driver).found
    put_back()
    assert told(driver) == []


def test_a_snapshot_without_a_record_that_volumes_read_is_not_called_leaked(
    driver: CephFSDriver, used: tuple[Made, Made]
) -> None:
    snapshot, volume = used
    put_back = driver.forget_record(snapshot)

    for full in (False, True):
        finding = only(driver, full=full)
        assert (finding.kind, finding.uuid) == (FindingKind.BACKING_REFERENCES, snapshot.uuid)
        assert finding.found == "the snapshot has no record"
    put_back()
    assert told(driver) == []
    assert volume.backing == snapshot.handle


def test_a_volume_that_names_no_snapshot_at_all_is_found(driver: CephFSDriver) -> None:
    nothing = Made("?", "?", "?")
    volume = driver.create_shallow_volume("pvc-1", nothing)

    finding = only(driver)
    assert (finding.journal, finding.uuid) == ("volumes", volume.uuid)
    assert "what the volumes name is not the handle of a snapshot" in finding.found


# What cannot be looked at


READ_POOL = f"allow r pool={METADATA_POOL}"
LISTING = ", ".join(f'allow command "fs {what} ls"' for what in ("subvolume", "subvolumegroup"))
LESSER_USERS = {
    "no-manager": (
        {"osd": READ_POOL},
        ["backing-references"],
        ["CephFS subvolumes and their snapshots"],
    ),
    "one-command": (
        {"osd": READ_POOL, "mgr": LISTING},
        ["backing-references", "subvolume-missing"],
        ["details of CephFS subvolumes", "snapshots of CephFS subvolumes"],
    ),
    "one-namespace": (
        {"osd": f"{READ_POOL} namespace=NAMESPACE", "mgr": "allow module volumes r"},
        [
            "backing-references",
            "snapshot-without-record",
            "subvolume-missing",
            "subvolume-without-record",
        ],
        [],
    ),
}
"""What a user may do beside asking the monitors, what it finds, and what is not compared."""


@pytest.mark.parametrize("user", LESSER_USERS)
def test_what_a_user_may_not_look_at_is_told_and_the_rest_is_compared(
    driver: CephFSDriver, used: tuple[Made, Made], user: str
) -> None:
    caps, kinds, not_compared = LESSER_USERS[user]
    snapshot, _ = used
    driver.create_shallow_volume("pvc-3", snapshot, stop_before="reference")
    driver.create_volume("pvc-4", stop_before="subvolume")
    driver.make_subvolume(f"csi-vol-{uuid4()}")
    driver.forget_record(driver.create_snapshot("snapshot-2", Made("", snapshot.source, "")))
    words = [text for cap in ({"mon": "allow r"} | caps).items() for text in cap]
    words = [word.replace("NAMESPACE", driver.namespace) for word in words]
    keyring = driver.cluster.folder / f"ceph.client.{user}.keyring"
    driver.cluster.run("auth", "get-or-create", f"client.{user}", *words, "-o", str(keyring))

    findings, summary = look(driver, user=user)

    assert sorted(finding.kind.value for finding in findings) == kinds
    told = sorted(problem.partition(" not compared: ")[0] for problem in summary.not_looked_at)
    assert told == not_compared


def test_without_a_manager_nothing_is_called_missing(driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1", stop_before="subvolume")
    driver.cluster.kill_manager()
    try:
        findings, summary = look(driver)
    finally:
        driver.cluster.start_manager()

    assert findings == []
    assert summary.pending == 0
    (problem,) = summary.not_looked_at
    assert "snapshots not compared: the cluster has no active manager" in problem
    assert told(driver) == [("subvolume-missing", volume.uuid)]
