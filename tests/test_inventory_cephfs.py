"""The CephFS inventory on a real file system, against what the operator's commands made."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest

from cluster import ThrowawayCluster
from cluster_mgr import MGR
from csijournal.errors import PermissionDenied
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.cephfs_details import (
    CloneSource,
    ReferenceDetails,
    SubvolumeDetails,
    SubvolumeSnapshotDetails,
)
from csijournal.inventory.cephfs_manager import Manager
from csijournal.inventory.contract import NotCompared, Role, Snapshot, Thing, ThingKind
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.login import Login
from support.filesystem import (
    FILESYSTEM,
    GROUP,
    MASKED,
    METADATA_POOL,
    NAMESPACE,
    NORMAL,
    References,
    Subvolumes,
)

pytestmark = pytest.mark.ceph

PATIENCE_SECONDS = 20


@contextmanager
def opened(
    cluster: ThrowawayCluster,
    user: str = "admin",
    *,
    filesystem: str = "",
    group: str = GROUP,
    pool: str = METADATA_POOL,
    timeout_seconds: float = 30,
) -> Iterator[CephFSInventory]:
    login = Login(conf=str(cluster.conf), name=f"client.{user}", timeout_seconds=timeout_seconds)
    with (
        RADOSCluster(login) as asked,
        asked.store(pool, NAMESPACE) as store,
        CephFSInventory(
            asked, store, pool, NAMESPACE, filesystem=filesystem, group=group
        ) as inventory,
    ):
        yield inventory


@pytest.fixture
def inventory(cephfs: ThrowawayCluster) -> Iterator[CephFSInventory]:
    with opened(cephfs) as found:
        yield found


@pytest.fixture
def subvolumes(cephfs: ThrowawayCluster) -> Subvolumes:
    return Subvolumes(cephfs)


@pytest.fixture
def uuid() -> str:
    return str(uuid4())


def volume(uuid: str) -> str:
    return f"csi-vol-{uuid}"


def snapshot(uuid: str) -> str:
    return f"csi-snap-{uuid}"


def handle(uuid: str) -> str:
    return f"0001-0004-ceph-0000000000000001-{uuid}"


def subvolume_details(inventory: CephFSInventory, name: str) -> SubvolumeDetails:
    found = inventory.details(Thing(ThingKind.SUBVOLUME, name, within=GROUP))
    assert isinstance(found, SubvolumeDetails)
    assert found.not_compared == ()
    return found


# Volumes


def test_a_subvolume_stands_behind_the_volume_that_it_is_named_after(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid), size_bytes=2**30)
    before_ns = time.time_ns()

    found = inventory.behind(Role.VOLUME, uuid, volume(uuid))
    details = inventory.details(found.things[0])

    assert found.things == (Thing(ThingKind.SUBVOLUME, volume(uuid), within=GROUP),)
    assert found.not_compared == ()
    assert isinstance(details, SubvolumeDetails)
    assert (details.state, details.size_bytes, details.used_bytes) == ("complete", 2**30, 0)
    assert details.created_ns is not None
    assert abs(details.created_ns - before_ns) < 60e9
    assert details.data_pool == f"{FILESYSTEM}.data"
    assert volume(uuid) in details.path


def test_a_subvolume_is_found_by_its_uuid_where_the_name_is_lost_with_the_record(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(f"of-a-storage-class-{uuid}")

    found = inventory.behind(Role.VOLUME, uuid)

    assert [thing.name for thing in found.things] == [f"of-a-storage-class-{uuid}"]


def test_nothing_stands_behind_a_volume_whose_subvolume_was_never_made(
    inventory: CephFSInventory, uuid: str
) -> None:
    assert inventory.behind(Role.VOLUME, uuid, volume(uuid)).is_nothing


def test_without_its_name_a_volume_may_be_a_shallow_one_until_all_references_are_listed(
    inventory: CephFSInventory, uuid: str
) -> None:
    found = inventory.behind(Role.VOLUME, uuid)
    assert found.is_unknown
    assert "does not tell whether it is one. A full check" in str(found.not_compared[0])

    list(inventory.things(ThingKind.SHALLOW_REFERENCE))
    assert inventory.behind(Role.VOLUME, uuid).is_nothing


@pytest.mark.parametrize("group", ["other-cluster", ""])
def test_a_subvolume_in_another_group_is_found_before_it_counts_as_missing(
    cephfs: ThrowawayCluster, inventory: CephFSInventory, uuid: str, group: str
) -> None:
    cephfs.run("fs", "subvolumegroup", "create", FILESYSTEM, "other-cluster")
    theirs = Subvolumes(cephfs, group)
    theirs.create(volume(uuid))
    theirs.snapshot(volume(uuid), snapshot(uuid))

    found = inventory.behind(Role.VOLUME, uuid, volume(uuid)).things
    snapshots = inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid), within=volume(uuid)).things
    listed = {thing.name for thing in inventory.things(ThingKind.SUBVOLUME)}

    assert found == (Thing(ThingKind.SUBVOLUME, volume(uuid), within=group),)
    assert isinstance(inventory.details(found[0]), SubvolumeDetails)
    assert [thing.name for thing in snapshots] == [snapshot(uuid)]
    assert isinstance(inventory.details(snapshots[0]), SubvolumeSnapshotDetails)
    assert volume(uuid) not in listed


def test_all_subvolumes_are_listed_and_counted(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid))
    subvolumes.create(f"by-hand-{uuid[:8]}")

    listed = {thing.name for thing in inventory.things(ThingKind.SUBVOLUME)}

    assert {volume(uuid), f"by-hand-{uuid[:8]}"} <= listed
    assert inventory.compared() == {ThingKind.SUBVOLUME: len(listed)}
    assert inventory.not_compared() == ()


def test_what_is_made_and_removed_is_seen_after_a_refresh(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    assert inventory.behind(Role.VOLUME, uuid, volume(uuid)).is_nothing
    subvolumes.create(volume(uuid))
    inventory.refresh()
    found = inventory.behind(Role.VOLUME, uuid, volume(uuid))
    assert not found.is_nothing

    subvolumes.remove(volume(uuid))
    assert inventory.details(found.things[0]) is None
    inventory.refresh()
    assert inventory.behind(Role.VOLUME, uuid, volume(uuid)).is_nothing


# Snapshots, retained subvolumes, clones


def test_a_snapshot_is_looked_for_at_the_subvolume_that_its_record_names(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid))
    subvolumes.snapshot(volume(uuid), snapshot(uuid))

    found = inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid), within=volume(uuid))
    details = inventory.details(found.things[0])

    expected = Thing(ThingKind.SUBVOLUME_SNAPSHOT, snapshot(uuid), within=volume(uuid))
    assert found.things == (expected,)
    assert isinstance(details, SubvolumeSnapshotDetails)
    assert not details.has_pending_clones
    other = str(uuid4())
    assert inventory.behind(Role.SNAPSHOT, other, snapshot(other), within=volume(uuid)).is_nothing
    assert inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid), within=volume(other)).is_nothing


def test_a_snapshot_whose_record_names_no_subvolume_is_unknown_until_all_are_listed(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid))
    subvolumes.snapshot(volume(uuid), snapshot(uuid))

    assert inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid)).is_unknown
    listed = list(inventory.things(ThingKind.SUBVOLUME_SNAPSHOT))
    expected = Thing(ThingKind.SUBVOLUME_SNAPSHOT, snapshot(uuid), within=volume(uuid))

    assert expected in listed
    assert inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid)).things == (expected,)
    assert inventory.behind(Role.SNAPSHOT, str(uuid4())).is_nothing
    assert inventory.compared()[ThingKind.SUBVOLUME_SNAPSHOT] == len(listed)


def test_a_subvolume_that_was_deleted_under_its_snapshots_says_that_it_is_retained(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid))
    subvolumes.snapshot(volume(uuid), snapshot(uuid))
    subvolumes.remove(volume(uuid), retaining=True)

    details = subvolume_details(inventory, volume(uuid))

    assert details.is_retained
    assert not details.is_pending
    assert details.snapshots == (Snapshot(snapshot(uuid)),)
    assert inventory.behind(Role.SNAPSHOT, uuid, snapshot(uuid), within=volume(uuid)).things


def test_a_clone_under_way_is_pending_and_names_its_source(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    clone = str(uuid4())
    subvolumes.create(volume(uuid))
    subvolumes.fill(volume(uuid), 256 * 1024**2)
    subvolumes.snapshot(volume(uuid), snapshot(uuid))
    subvolumes.clone(volume(uuid), snapshot(uuid), volume(clone))

    try:
        found = inventory.behind(Role.VOLUME, clone, volume(clone))
        details = subvolume_details(inventory, volume(clone))
        taken = Thing(ThingKind.SUBVOLUME_SNAPSHOT, snapshot(uuid), within=volume(uuid))
        source = inventory.details(taken)
        snapshots = list(inventory.things(ThingKind.SUBVOLUME_SNAPSHOT))
    finally:
        subvolumes.cancel_clone(volume(clone))

    assert [thing.name for thing in found.things] == [volume(clone)]
    assert details.is_pending
    assert details.clone_source == CloneSource(volume(uuid), snapshot(uuid), GROUP)
    assert isinstance(source, SubvolumeSnapshotDetails)
    assert source.has_pending_clones
    assert taken in snapshots
    assert volume(clone) not in {thing.within for thing in snapshots}
    assert inventory.not_compared() == ()


def test_details_have_the_metadata_by_which_the_driver_names_the_claim(
    inventory: CephFSInventory, subvolumes: Subvolumes, uuid: str
) -> None:
    subvolumes.create(volume(uuid))
    subvolumes.run("metadata set", volume(uuid), "csi.storage.k8s.io/pvc/name", "claim")

    details = subvolume_details(inventory, volume(uuid))

    assert details.metadata == {"csi.storage.k8s.io/pvc/name": "claim"}


def test_groups_have_nothing_behind_them(inventory: CephFSInventory, uuid: str) -> None:
    assert inventory.behind(Role.GROUP, uuid, f"csi-vol-group-{uuid}").is_nothing


# References of shallow volumes


def test_a_reference_stands_behind_a_shallow_volume(
    cephfs: ThrowawayCluster, inventory: CephFSInventory, uuid: str
) -> None:
    source = handle(str(uuid4()))
    with References(cephfs) as references:
        references.write(source, 2, {source: NORMAL, volume(uuid): NORMAL})

    found = inventory.behind(Role.VOLUME, uuid, volume(uuid), within=source)
    details = inventory.details(found.things[0])

    assert found.things == (Thing(ThingKind.SHALLOW_REFERENCE, volume(uuid), within=source),)
    assert isinstance(details, ReferenceDetails)
    assert details.references.count == 2
    assert details.references.disagreements == []
    other = str(uuid4())
    assert inventory.behind(Role.VOLUME, other, volume(other), within=source).is_nothing
    assert inventory.behind(Role.VOLUME, uuid, volume(uuid), within=handle(other)).is_nothing


def test_all_references_are_listed_and_a_masked_snapshot_is_told(
    cephfs: ThrowawayCluster, inventory: CephFSInventory, uuid: str
) -> None:
    source = handle(str(uuid4()))
    with References(cephfs) as references:
        references.write(source, 1, {source: MASKED, volume(uuid): NORMAL})

    listed = list(inventory.things(ThingKind.SHALLOW_REFERENCE))
    found = {each.snapshot_handle: each for each in inventory.references()}

    assert Thing(ThingKind.SHALLOW_REFERENCE, volume(uuid), within=source) in listed
    assert found[source].is_snapshot_deleted
    assert inventory.behind(Role.VOLUME, uuid).things
    assert inventory.compared()[ThingKind.SHALLOW_REFERENCE] == len(listed)


def test_an_object_that_changes_while_it_is_read_is_read_as_of_one_moment(
    cephfs: ThrowawayCluster, uuid: str
) -> None:
    source, over = handle(uuid), threading.Event()

    def change() -> None:
        with References(cephfs) as references:
            while not over.wait(0.005):
                references.write(source, 2, {source: NORMAL, volume(uuid): NORMAL})
                over.wait(0.005)
                references.write(source, 1, {source: NORMAL}, removed=[volume(uuid)])

    with References(cephfs) as references:
        references.write(source, 1, {source: NORMAL})
    changing = threading.Thread(target=change)
    changing.start()
    counts = set()
    try:
        with opened(cephfs) as inventory:
            for _ in range(100):
                inventory.refresh()
                details = inventory.details(
                    Thing(ThingKind.SHALLOW_REFERENCE, source, within=source)
                )
                assert isinstance(details, ReferenceDetails)
                assert details.references.disagreements == []
                counts.add(details.references.count)
    finally:
        over.set()
        changing.join()
    assert counts == {1, 2}


# What cannot be looked at


def only_problem(inventory: CephFSInventory) -> NotCompared:
    """The one reason why nothing was compared, which every answer repeats."""
    uuid = str(uuid4())
    (problem,) = inventory.not_compared()
    assert inventory.behind(Role.VOLUME, uuid, volume(uuid)).not_compared == (problem,)
    assert inventory.behind(Role.SNAPSHOT, uuid, within=volume(uuid)).not_compared == (problem,)
    assert list(inventory.things(ThingKind.SUBVOLUME)) == []
    assert list(inventory.things(ThingKind.SUBVOLUME_SNAPSHOT)) == []
    assert inventory.compared() == {}
    return problem


def test_a_group_that_does_not_exist_is_no_proof_that_subvolumes_are_missing(
    cephfs: ThrowawayCluster,
) -> None:
    with opened(cephfs, group="elsewhere") as inventory:
        problem = only_problem(inventory)
    assert "subvolume group 'elsewhere' does not exist" in problem.why
    assert "--subvolume-group" in problem.hint


def test_a_filesystem_that_does_not_exist_is_named(cephfs: ThrowawayCluster) -> None:
    with opened(cephfs, filesystem="elsewhere") as inventory:
        problem = only_problem(inventory)
    assert "'elsewhere' not found" in problem.why
    assert "--fs" in problem.hint


def test_a_pool_that_is_no_metadata_pool_is_named(cephfs: ThrowawayCluster) -> None:
    with opened(cephfs, pool=f"{FILESYSTEM}.data") as inventory:
        problem = only_problem(inventory)
    assert f"pool {FILESYSTEM}.data is not the metadata pool of a filesystem" in problem.why


def test_a_user_who_may_not_ask_the_manager_is_told_which_user_may(
    cephfs: ThrowawayCluster, uuid: str
) -> None:
    cephfs.create_user("no-mgr", mon="allow r", osd=f"allow r pool={METADATA_POOL}")
    source = handle(str(uuid4()))
    with References(cephfs) as references:
        references.write(source, 2, {source: NORMAL, volume(uuid): NORMAL})

    with opened(cephfs, "no-mgr") as inventory:
        problem = only_problem(inventory)
        assert "client.no-mgr may not ask the manager" in problem.why
        # What is in RADOS is compared all the same.
        listed = list(inventory.things(ThingKind.SHALLOW_REFERENCE))
        assert Thing(ThingKind.SHALLOW_REFERENCE, volume(uuid), within=source) in listed

    command = re.search(r"ceph (auth get-or-create .*) -o ", problem.hint)
    assert command is not None
    words = shlex.split(command[1])
    keyring = cephfs.folder / f"ceph.{words[2]}.keyring"
    keyring.write_text(cephfs.run(*words))
    Subvolumes(cephfs).create(volume(uuid))
    Subvolumes(cephfs).snapshot(volume(uuid), snapshot(uuid))
    with opened(cephfs, words[2].removeprefix("client.")) as inventory:
        everything = [thing for kind in ThingKind for thing in inventory.things(kind)]
        details = [inventory.details(thing) for thing in everything]
        assert [each for each in details if isinstance(each, NotCompared)] == []
        expected = Thing(ThingKind.SUBVOLUME_SNAPSHOT, snapshot(uuid), within=volume(uuid))
        assert expected in everything
        assert inventory.not_compared() == ()


def test_the_user_of_the_hint_cannot_change_anything(cephfs: ThrowawayCluster, uuid: str) -> None:
    cephfs.run(
        *("auth", "get-or-create", "client.reader", "mon", "allow r"),
        *("mgr", "allow module volumes r", "osd", f"allow r pool={METADATA_POOL}"),
        *("-o", str(cephfs.folder / "ceph.client.reader.keyring")),
    )
    login = Login(conf=str(cephfs.conf), name="client.reader")
    with RADOSCluster(login) as cluster, closing(Manager(cluster, METADATA_POOL)) as manager:
        where = {"vol_name": FILESYSTEM, "group_name": GROUP}
        assert isinstance(manager.ask("fs subvolume ls", **where), list)
        with pytest.raises(PermissionDenied, match=r"client\.reader may not ask the manager"):
            manager.ask("fs subvolume create", **where, sub_name=volume(uuid))


def test_a_user_who_may_not_ask_the_monitors_needs_the_name_of_the_filesystem(
    cephfs: ThrowawayCluster,
) -> None:
    cephfs.run(
        *("auth", "get-or-create", "client.images-only", "mon", "profile rbd-read-only"),
        *("mgr", "allow r", "osd", "profile rbd-read-only"),
        *("-o", str(cephfs.folder / "ceph.client.images-only.keyring")),
    )
    with opened(cephfs, "images-only") as inventory:
        problem = only_problem(inventory)
        assert "the monitors do not let client.images-only ask this" in problem.why
        assert "mon 'allow r' mgr 'allow module volumes r'" in problem.hint
    with opened(cephfs, "images-only", filesystem=FILESYSTEM) as inventory:
        assert inventory.not_compared() == ()


# A manager that is not there, or does not answer


def test_without_an_active_manager_that_is_said_at_once(cephfs: ThrowawayCluster) -> None:
    cephfs.kill_manager()
    try:
        with opened(cephfs) as inventory:
            began_at = time.monotonic()
            problem = only_problem(inventory)
            seconds = time.monotonic() - began_at
            assert problem.why == "the cluster has no active manager"
            assert seconds < 5  # the time limit is 30

            cephfs.start_manager()
            inventory.refresh()
            assert inventory.not_compared() == ()
    finally:
        if not cephfs.pids(MGR):
            cephfs.start_manager()


def test_a_frozen_manager_is_waited_for_once_and_its_late_answer_harms_nobody(
    cephfs: ThrowawayCluster,
) -> None:
    with opened(cephfs, timeout_seconds=3) as inventory:
        assert inventory.not_compared() == ()
        inventory.refresh()
        cephfs.pause_manager()
        try:
            began_at = time.monotonic()
            problem = only_problem(inventory)
            seconds = time.monotonic() - began_at
        finally:
            cephfs.resume_manager()
        assert "the manager did not answer within 3 s" in problem.why
        assert 2.5 < seconds < 9  # six questions were asked

        wait_until_answered(inventory)
        assert inventory.not_compared() == ()


def wait_until_answered(inventory: CephFSInventory) -> None:
    """Wait until the manager answers again, and the call that was left has its answer, too."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while inventory.not_compared() or threads_of_calls():
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
        inventory.refresh()


def threads_of_calls() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "manager call" in thread.name]


def test_control_c_is_heard_while_a_frozen_manager_is_asked(cephfs: ThrowawayCluster) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    cephfs.pause_manager()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", ASKING, str(cephfs.conf)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "asking\n"
            time.sleep(1)
            assert asking.poll() is None
            interrupted_at = time.monotonic()
            asking.send_signal(signal.SIGINT)
            output, errors = asking.communicate(timeout=PATIENCE_SECONDS)
            seconds = time.monotonic() - interrupted_at
    finally:
        cephfs.resume_manager()

    assert (output, asking.returncode) == ("heard\n", 0), errors
    assert seconds < 3


def test_a_process_that_never_closes_the_inventory_ends_well(cephfs: ThrowawayCluster) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", ASKING, str(cephfs.conf)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "asking\n", "")


ASKING = f"""
import sys
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.login import Login
cluster = RADOSCluster(Login(conf=sys.argv[1]))
store = cluster.store({METADATA_POOL!r}, {NAMESPACE!r})
store.connect()
inventory = CephFSInventory(cluster, store, {METADATA_POOL!r}, {NAMESPACE!r})
print("asking", flush=True)
try:
    inventory.not_compared()
except KeyboardInterrupt:
    print("heard", flush=True)
"""
