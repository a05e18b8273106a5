"""The comparison with RBD: pools made as the driver makes them, damaged with the tools of Ceph."""

from __future__ import annotations

import itertools
import os
import random
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cluster import ThrowawayCluster
from csijournal.check.catalog import Severity
from csijournal.check.findings import Finding
from csijournal.repair.apply import Repairer, carry_out
from csijournal.repair.plan import Plan
from support.compared_rbd import check_rbd
from support.rbd_damage import DAMAGES, Broken
from support.rbd_driver import RBDDriver, RBDPlace
from support.rbd_pool import RBDPool

pytestmark = pytest.mark.ceph

POOL = "rbd-compare"
LOST = "99999999-9999-4999-8999-999999999999"

SETS = int(os.environ.get("CSIJOURNAL_SETS", "5"))
"""How often a healthy pool has each thing that is in order; 1,000 before a release."""

_numbers = itertools.count(1)


@dataclass
class Driven:
    """A namespace of its own, the driver that works there, and the check of both."""

    pool: RBDPool
    driver: RBDDriver

    @property
    def place(self) -> RBDPlace:
        return self.driver.place

    def check(
        self,
        *,
        full: bool = False,
        grace_seconds: float = 0,
        user: str = "admin",
        between: Callable[[], None] = lambda: None,
    ) -> list[Finding]:
        with self.pool.inventory(user) as inventory, self.pool.store() as store:
            findings, self.summary = check_rbd(
                store, inventory, full=full, grace_seconds=grace_seconds, between=between
            )
        return findings

    def plan(self, finding: Finding) -> Plan | None:
        with self.pool.inventory() as inventory, self.pool.store() as store:
            return Repairer(store, inventory=inventory).plan(finding)

    def repair(self, finding: Finding) -> None:
        with self.pool.inventory() as inventory, self.pool.store() as store:
            plan = Repairer(store, inventory=inventory).plan(finding)
            assert plan is not None
            assert carry_out(store, plan).steps_done == len(plan.steps) == 1

    def one(self, kind: str, *, full: bool = False) -> Finding:
        (finding,) = self.check(full=full)
        assert finding.kind == kind
        assert self.check(full=full, grace_seconds=3600) == [], "it may be in the making"
        return finding

    def run_what_it_says(self, finding: Finding) -> None:
        """Run the commands that a finding names, as they stand."""
        commands = re.findall(r"(rbd [^;]+)", finding.found)
        assert commands, finding.found
        environment = os.environ | self.pool.cluster.environment()
        for command in commands:
            subprocess.run(shlex.split(command), env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def whole_pool(ceph: ThrowawayCluster) -> RBDPool:
    ceph.create_pool(POOL)
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    return RBDPool(ceph, POOL)


@pytest.fixture
def driven(whole_pool: RBDPool) -> Iterator[Driven]:
    namespace = f"ns-{next(_numbers)}"
    whole_pool.rbd("namespace", "create", f"{POOL}/{namespace}")
    pool = RBDPool(whole_pool.cluster, POOL, namespace)
    with pool.ioctx() as ioctx:
        yield Driven(pool, RBDDriver(ioctx))


# What must be silent


def fill(driver: RBDDriver, number: str) -> None:
    """One of each thing that is in order, at rest."""
    place = driver.place
    plain = driver.volume(f"pvc-plain-{number}")
    driver.volume(f"pvc-secret-{number}", kms="vault")
    driver.volume(f"pvc-gold-{number}", prefix="gold-")
    clone = driver.clone(plain, f"pvc-clone-{number}")
    flattened = driver.clone(plain, f"pvc-flattened-{number}")
    place.flatten(f"csi-vol-{flattened}")
    driver._delete_image(f"csi-vol-{flattened}-temp")  # so the driver, when it has flattened
    snapshot = driver.snapshot(plain, f"snapshot-{number}")
    flat = driver.snapshot(plain, f"snapshot-flat-{number}")
    place.flatten(f"csi-snap-{flat}")
    driver.restore(snapshot, f"pvc-restored-{number}")
    going = driver.volume(f"pvc-going-{number}")
    driver.snapshot(going, f"snapshot-of-deleted-{number}")
    driver.delete_volume(going, f"pvc-going-{number}")
    used = driver.snapshot(plain, f"snapshot-going-{number}")
    driver.restore(used, f"pvc-of-deleted-{number}")
    driver.delete_snapshot(used, f"snapshot-going-{number}")
    driver.delete_volume(clone, f"pvc-clone-{number}")
    driver.group(f"group-{number}", plain)
    driver.group(f"group-empty-{number}")


def group_snapshot(driver: RBDDriver) -> None:
    """A group of snapshots, which has no group of RBD's behind it."""
    members = {}
    for number in (1, 2):
        source = driver.volume(f"pvc-of-group-{number}")
        snapshot = driver.snapshot(source, f"csi-vol-group-{LOST}-snap-{number}")
        members[driver.handle(snapshot)] = f"csi-vol-group-{LOST}-snap-{number}"
    made = driver.reserve_group("groupsnapshot-ca51faa2-a3e0-4f2c-b2ea-e8930cfd7407")
    driver.place.put(f"csi.volume.group.{made}", members)


def by_hand(driver: RBDDriver) -> None:
    """What is not the driver's, or was made for a PV that somebody wrote."""
    place = driver.place
    for name in ("static", "database-1", f"kubernetes-dynamic-pvc-{LOST}", LOST):
        place.create_image(name)
    place.create_snapshot("database-1", "before-upgrade")
    place.create_image("thrown-away")
    place.move_to_trash("thrown-away")
    place.create_group("my-group")
    volume = driver.volume("pvc-with-snapshot")
    place.create_snapshot(f"csi-vol-{volume}", "by-hand")


def test_a_healthy_pool_is_silent(driven: Driven) -> None:
    for number in range(SETS):
        fill(driven.driver, str(number))
    group_snapshot(driven.driver)
    by_hand(driven.driver)
    assert driven.check() == []
    assert driven.check(full=True) == []
    assert driven.check(full=True, grace_seconds=3600) == []
    assert driven.summary.pending == 0, "all has its image"


def test_a_driver_at_work_is_silent(driven: Driven) -> None:
    """Each moment of its work, be it held up there for some minutes."""
    driver, place = driven.driver, driven.place
    source = driver.volume("pvc-source")
    driver.reserve_volume("pvc-reserved")
    cloning = driver.reserve_volume("pvc-cloning")
    place.create_snapshot(f"csi-vol-{source}", f"csi-vol-{cloning}-temp")
    place.clone_image(f"csi-vol-{source}", f"csi-vol-{cloning}-temp", f"csi-vol-{cloning}-temp")
    image_made = driver.reserve_volume("pvc-image-made")
    place.create_image(f"csi-vol-{image_made}")
    snapping = driver.reserve_snapshot("snapshot-1", f"csi-vol-{source}")
    place.create_snapshot(f"csi-vol-{source}", f"csi-snap-{snapping}")
    grouping = driver.reserve_group("group-1")
    deleting = driver.volume("pvc-deleting")
    place.move_to_trash(f"csi-vol-{deleting}")
    adding = driver.group("group-2")
    place.add_to_group(f"csi-vol-group-{adding}", f"csi-vol-{source}")
    assert driven.check(full=True, grace_seconds=3600) == []
    pending = {(it.uuid, it.found) for it in driven.summary.pending_named}
    assert pending >= {(cloning, "no image"), (image_made, "a new image"), (deleting, "no image")}
    assert grouping not in {it.uuid for it in driven.summary.pending_named}


def test_what_is_put_right_while_it_settles_is_not_a_finding(driven: Driven) -> None:
    """The driver was between two writes when the check read the first time."""
    driver, place = driven.driver, driven.place
    source = driver.volume("pvc-source")
    made = driver.reserve_volume("pvc-1")
    unnamed = driver.reserve_volume("pvc-2")
    place.create_image(f"csi-vol-{unnamed}")
    going = driver.volume("pvc-3")
    place.move_to_trash(f"csi-vol-{going}")
    place.create_snapshot(f"csi-vol-{source}", f"csi-snap-{LOST}")
    group = driver.reserve_group("group-1")
    adding = driver.group("group-2")
    place.add_to_group(f"csi-vol-group-{adding}", f"csi-vol-{source}")

    def goes_on() -> None:
        place.create_image(f"csi-vol-{made}")
        driver._finish_volume(made, "csi-vol-")
        driver._finish_volume(unnamed, "csi-vol-")
        place.remove_object(f"csi.volume.{going}")
        place.remove_from_trash(f"csi-vol-{going}")
        place.remove_snapshot(f"csi-vol-{source}", f"csi-snap-{LOST}")
        place.create_group(f"csi-vol-group-{group}")
        place.put(f"csi.volume.group.{adding}", {driver.handle(source): ""})

    assert driven.check(full=True, between=goes_on) == []


# Records and their images


@pytest.mark.parametrize("role", ["volume", "snapshot"])
def test_a_record_without_its_image_is_found_until_it_is_restored(
    driven: Driven, role: str
) -> None:
    source = driven.driver.volume("pvc-source")
    if role == "volume":
        image = f"csi-vol-{source}"
    else:
        image = f"csi-snap-{driven.driver.snapshot(source, 'snapshot-1')}"
    driven.place.move_to_trash(image)
    finding = driven.one("image-missing")
    assert finding.severity is Severity.ERROR
    assert finding.journal == f"{role}s"
    assert finding.thing == f"image {image}"
    assert finding.key == "csi.imagename"
    assert not finding.automatic
    assert "in the trash since 20" in finding.found
    driven.run_what_it_says(finding)
    assert driven.check() == []


def test_an_image_that_is_gone_altogether_is_said_to_be(driven: Driven) -> None:
    made = driven.driver.reserve_volume("pvc-1")
    finding = driven.one("image-missing")
    assert finding.found == "no such image, and none in the trash"
    assert (finding.request_name, finding.uuid) == ("pvc-1", made)


def test_of_several_trashed_images_that_with_the_record_s_id_is_told(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    image = f"csi-vol-{made}"
    right = driven.place.move_to_trash(image)
    driven.place.create_image(image)
    wrong = driven.place.move_to_trash(image)
    found = driven.one("image-missing").found
    assert right in found
    assert wrong not in found


def test_an_image_under_another_name_is_mentioned(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.pool.rbd("mv", f"@csi-vol-{made}", f"@moved-{made}")
    assert driven.one("image-missing").found == f"image moved-{made} ends in its UUID"


def test_a_record_of_an_old_driver_names_no_image_and_means_the_default_one(
    driven: Driven,
) -> None:
    made = driven.driver.volume("pvc-1")
    driven.place.delete(f"csi.volume.{made}", "csi.imagename")
    assert driven.check() == []
    driven.place.move_to_trash(f"csi-vol-{made}")
    assert driven.one("image-missing").thing == f"image csi-vol-{made}"


def test_a_record_without_an_entry_and_an_image_is_an_orphan_and_nothing_else(
    driven: Driven,
) -> None:
    driven.driver.reserve_volume("pvc-1")
    driven.place.delete("csi.volumes.default", "csi.volume.pvc-1")
    assert driven.one("orphan-record").automatic


def test_a_record_without_an_entry_whose_image_is_in_the_trash_is_both(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.place.delete("csi.volumes.default", "csi.volume.pvc-1")
    driven.place.move_to_trash(f"csi-vol-{made}")
    found = {it.kind.value for it in driven.check()}
    assert found == {"detached-record", "image-missing"}


def test_a_record_beside_the_journal_of_another_image_pool_is_not_looked_for_here(
    driven: Driven,
) -> None:
    """The journal lies in this pool, the images in another: csi.journalpool says so."""
    made = driven.driver.reserve_volume("pvc-1")
    pool_id = driven.place.ioctx.get_pool_id()
    driven.place.put(f"csi.volume.{made}", {"csi.journalpool": f"{pool_id:016x}"})
    assert driven.check() == []


def test_an_image_with_another_id_than_the_record_s_is_found(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.pool.rbd("rm", "--no-progress", f"@csi-vol-{made}")
    new_id = driven.place.create_image(f"csi-vol-{made}")
    finding = driven.one("image-id-differs")
    assert finding.severity is Severity.WARNING
    assert new_id in finding.found
    driven.place.put(f"csi.volume.{made}", {"csi.imageid": new_id})
    assert driven.check() == []


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_record_without_the_image_s_id_is_found_and_may_be_given_it(
    driven: Driven, how: str
) -> None:
    made = driven.driver.volume("pvc-1")
    if how == "missing":
        driven.place.delete(f"csi.volume.{made}", "csi.imageid")
    else:
        driven.place.put(f"csi.volume.{made}", {"csi.imageid": ""})
    finding = driven.one("missing-attribute")
    assert finding.automatic
    assert finding.key == "csi.imageid"
    image_id = driven.place.image_id(f"csi-vol-{made}")
    assert finding.found == f"missing; RBD's directory says {image_id}"
    driven.repair(finding)
    assert driven.check() == []
    assert driven.plan(finding) is None, "it has one now"


# Mirroring


@pytest.fixture
def mirrored(ceph: ThrowawayCluster) -> Iterator[Driven]:
    """A pool of its own: Ceph 16 mirrors none of a namespace's images."""
    name = f"rbd-mirrored-{next(_numbers)}"
    ceph.create_pool(name)
    pool = RBDPool(ceph, name)
    pool.rbd("pool", "init", name)
    pool.rbd("mirror", "pool", "enable", name, "image")
    with pool.ioctx() as ioctx:
        yield Driven(pool, RBDDriver(ioctx))


def test_a_mirrored_image_without_a_record_is_a_note(mirrored: Driven) -> None:
    """Of a volume that is deleted in the other cluster, or not yet known in this one."""
    made = mirrored.driver.volume("pvc-1")
    mirrored.pool.rbd("mirror", "image", "enable", f"@csi-vol-{made}", "snapshot")
    assert mirrored.check(full=True) == []
    lose_record(mirrored, made, "pvc-1")
    assert mirrored.one("image-without-record").severity is Severity.NOTE
    mirrored.pool.rbd("mirror", "image", "demote", f"@csi-vol-{made}")
    assert mirrored.one("image-without-record", full=True).severity is Severity.NOTE


def test_a_copy_that_was_synchronized_anew_has_another_id_and_is_in_order(
    mirrored: Driven,
) -> None:
    made = mirrored.driver.volume("pvc-1")
    mirrored.pool.rbd("mirror", "image", "enable", f"@csi-vol-{made}", "snapshot")
    mirrored.place.create_snapshot(f"csi-vol-{made}", f"csi-snap-{LOST}")
    mirrored.place.put(f"csi.volume.{made}", {"csi.imageid": "10ab12cd34ef"})
    assert {it.kind.value for it in mirrored.check(full=True)} == {
        "image-id-differs",
        "snapshot-left",
    }
    mirrored.pool.rbd("mirror", "image", "demote", f"@csi-vol-{made}")
    assert mirrored.check(full=True) == []


def test_an_image_s_id_is_not_written_where_the_image_or_the_record_is_another(
    driven: Driven,
) -> None:
    made = driven.driver.volume("pvc-1")
    driven.place.delete(f"csi.volume.{made}", "csi.imageid")
    finding = driven.one("missing-attribute")
    plan = driven.plan(finding)
    assert plan is not None
    driven.place.put(f"csi.volume.{made}", {"csi.volname": "pvc-2"})
    with driven.pool.store() as store:
        assert carry_out(store, plan).skipped
    driven.place.put(f"csi.volume.{made}", {"csi.volname": "pvc-1"})
    driven.place.move_to_trash(f"csi-vol-{made}")
    assert driven.plan(finding) is None


# Images without a record


def lose_record(driven: Driven, made: str, name: str) -> None:
    driven.place.remove_object(f"csi.volume.{made}")
    driven.place.delete("csi.volumes.default", f"csi.volume.{name}")


def test_an_image_whose_record_was_lost_is_told_with_what_a_person_needs(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1", size=12 * 1024**2)
    driven.driver.snapshot(made, "snapshot-1")
    lose_record(driven, made, "pvc-1")
    driven.place.create_snapshot(f"csi-vol-{made}", "mine")
    finding = driven.one("image-without-record")
    assert finding.severity is Severity.ERROR
    assert finding.size_bytes == 12 * 1024**2
    assert finding.object_name == f"csi.volume.{made}", "the object that should be there"
    image_id = driven.place.image_id(f"csi-vol-{made}")
    assert finding.thing == f"image csi-vol-{made} (id {image_id})"
    for words in ("12 MiB provisioned", "made for claim team-a/data", "1 snapshot (mine)"):
        assert words in finding.found
    assert "1 clone (csi-snap-" in finding.found
    assert "watcher" not in finding.found
    with driven.place.image(f"csi-vol-{made}"):
        (again,) = driven.check()
    assert "1 watcher" in again.found
    driven.driver._reserve(
        f"csi.volume.{made}",
        "csi.volumes.default",
        "csi.volume.pvc-1",
        made,
        {"csi.volname": "pvc-1", "csi.imagename": f"csi-vol-{made}", "csi.imageid": image_id},
    )
    assert driven.check() == []


def test_a_snapshot_s_image_without_a_record_is_one_of_the_snapshots(driven: Driven) -> None:
    source = driven.driver.volume("pvc-1")
    made = driven.driver.snapshot(source, "snapshot-1")
    driven.place.remove_object(f"csi.snap.{made}")
    driven.place.delete("csi.snaps.default", "csi.snap.snapshot-1")
    finding = driven.one("image-without-record")
    assert (finding.journal, finding.object_name) == ("snapshots", f"csi.snap.{made}")
    assert "made for volume snapshot team-a/before-upgrade" in finding.found


def test_an_image_with_a_prefix_that_records_use_is_a_driver_s_if_its_metadata_say_so(
    driven: Driven,
) -> None:
    driven.driver.volume("pvc-1", prefix="gold-")
    driven.place.create_image(f"gold-{LOST}")
    driven.place.create_image(f"silver-{LOST}")
    finding = driven.one("image-without-record")
    assert finding.thing.startswith(f"image gold-{LOST} ")
    assert finding.severity is Severity.WARNING, "anybody may have named it so"
    driven.place.set_metadata(f"gold-{LOST}", {"csi.storage.k8s.io/pvc/name": "data"})
    assert driven.one("image-without-record").severity is Severity.ERROR


def test_looking_at_images_leaves_no_watcher(driven: Driven) -> None:
    image = f"csi-vol-{LOST}"
    driven.place.create_image(image)
    assert driven.check(full=True)
    with driven.place.image(image, read_only=True) as opened:
        assert list(opened.watchers_list()) == []
    driven.pool.rbd("rm", "--no-progress", f"@{image}")  # a watcher would forbid it


def test_only_so_many_images_are_opened_unless_the_check_is_a_full_one(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("csijournal.check.rbd_view.OPENED_MAX", 2)
    for number in range(4):
        driven.place.create_image(f"csi-vol-{LOST[:-1]}{number}")
    findings = driven.check()
    assert len(findings) == 4
    assert [finding.size_bytes is None for finding in findings] == [False, False, True, True]
    assert "2 images were opened already. A full check opens all" in findings[3].found
    assert driven.summary.not_looked_at == [
        "more than 2 images that are suspect: these were not opened"
    ]
    assert all(finding.size_bytes for finding in driven.check(full=True))


@pytest.mark.parametrize("with_record", [True, False])
def test_an_image_without_a_header_is_broken(driven: Driven, with_record: bool) -> None:
    made = driven.driver.volume("pvc-1")
    image_id = driven.place.image_id(f"csi-vol-{made}")
    driven.place.remove_object(f"rbd_header.{image_id}")
    if not with_record:
        lose_record(driven, made, "pvc-1")
    finding = driven.one("image-broken", full=True)
    assert finding.thing == f"image csi-vol-{made} (id {image_id})"
    assert driven.one("image-broken") == finding
    driven.pool.rbd("rm", "--no-progress", f"@csi-vol-{made}")
    assert "image-broken" not in {it.kind for it in driven.check(full=True)}


# What clones and snapshots leave


def test_a_temporary_image_without_its_volume_is_left(driven: Driven) -> None:
    source = driven.driver.volume("pvc-source")
    driven.driver._clone_by_snapshot(f"csi-vol-{source}", f"csi-vol-{LOST}-temp")
    finding = driven.one("temp-image-left")
    assert finding.severity is Severity.WARNING
    assert finding.size_bytes == 4 * 1024**2
    driven.pool.rbd("rm", "--no-progress", f"@csi-vol-{LOST}-temp")
    assert driven.check(full=True) == []


def test_a_temporary_image_is_left_too_when_somebody_flattens_the_volume(driven: Driven) -> None:
    source = driven.driver.volume("pvc-source")
    made = driven.driver.clone(source, "pvc-clone")
    driven.place.flatten(f"csi-vol-{made}")
    assert driven.one("temp-image-left").thing.startswith(f"image csi-vol-{made}-temp ")
    driven.place.move_to_trash(f"csi-vol-{made}-temp")
    finding = driven.one("trash-stuck")
    driven.run_what_it_says(finding)
    assert driven.check() == []


def test_a_temporary_image_with_a_clone_is_in_order_though_the_volume_is_in_the_trash(
    driven: Driven,
) -> None:
    source = driven.driver.volume("pvc-source")
    made = driven.driver.clone(source, "pvc-clone")
    lose_record(driven, made, "pvc-clone")
    driven.place.move_to_trash(f"csi-vol-{made}")
    assert "temp-image-left" not in {it.kind for it in driven.check(full=True)}


@pytest.mark.parametrize("left", [f"csi-vol-{LOST}-temp", f"csi-snap-{LOST}", f"csi-vol-{LOST}"])
def test_a_snapshot_that_a_driver_left_is_found(
    driven: Driven, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = driven.driver.volume("pvc-source")
    driven.driver.snapshot(source, "snapshot-1")
    driven.place.create_snapshot(f"csi-vol-{source}", left)
    finding = driven.one("snapshot-left")
    assert finding.severity is Severity.WARNING
    assert finding.thing == f"snapshot csi-vol-{source}@{left}"
    assert driven.summary.not_looked_at == []
    monkeypatch.setattr("csijournal.check.rbd_snapshots.HEADERS_MAX", 1)
    assert driven.one("snapshot-left", full=True) == finding
    assert driven.check() == [], "nothing else tells of it"
    assert driven.summary.not_looked_at[0].startswith("RBD snapshots of more than 1 images")
    driven.run_what_it_says(finding)
    assert driven.check(full=True) == []


# The trash


def test_a_trashed_image_with_a_snapshot_is_stuck_until_that_is_removed(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.place.create_snapshot(f"csi-vol-{made}", f"csi-snap-{LOST}")
    image_id = driven.place.move_to_trash(f"csi-vol-{made}")
    lose_record(driven, made, "pvc-1")
    finding = driven.one("trash-stuck")
    assert finding.severity is Severity.WARNING
    assert finding.thing == f"image csi-vol-{made} (id {image_id}) in the trash"
    assert finding.size_bytes == 4 * 1024**2
    assert f"1 snapshot (csi-snap-{LOST}) left in it" in finding.found
    driven.run_what_it_says(finding)
    finding = driven.one("trash-stuck")
    assert "no clone needs it, and the manager has no task that removes it" in finding.found
    driven.run_what_it_says(finding)
    assert driven.check() == []


@pytest.mark.parametrize("where", ["at its place", "in the trash"])
def test_the_protected_snapshot_of_an_old_driver_s_clone_is_in_order(
    driven: Driven, where: str
) -> None:
    """A clone of format 1, of which the image itself does not know."""
    made = driven.driver.volume("pvc-1")
    of_clone = f"csi-vol-{made}@csi-snap-{LOST}"
    driven.pool.rbd("snap", "create", "--no-progress", f"@{of_clone}")
    driven.pool.rbd("snap", "protect", f"@{of_clone}")
    driven.pool.rbd("clone", "--rbd-default-clone-format", "1", f"@{of_clone}", "@by-hand")
    if where == "in the trash":
        driven.place.move_to_trash(f"csi-vol-{made}")
        lose_record(driven, made, "pvc-1")
    assert driven.check(full=True) == []


def test_one_image_with_a_header_that_cannot_be_read_hides_no_other(driven: Driven) -> None:
    made, other = (driven.driver.volume(f"pvc-{number}") for number in (1, 2))
    image_id = driven.place.image_id(f"csi-vol-{made}")
    driven.place.put(f"rbd_header.{image_id}", {"snapshot_00000000000000ff": "?"})
    driven.place.create_snapshot(f"csi-vol-{other}", f"csi-snap-{LOST}")
    assert [it.kind.value for it in driven.check()] == ["snapshot-left"]
    assert f"image csi-vol-{made}: the value is not as" in driven.summary.not_looked_at[0]


def test_a_trashed_image_that_the_manager_is_going_to_remove_is_in_order(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    image_id = driven.place.move_to_trash(f"csi-vol-{made}")
    lose_record(driven, made, "pvc-1")
    driven.place.put(
        "rbd_task",
        {
            "00000000001": '{"refs": {"action": "flatten", "image_id": "other"}}',
            "00000000002": "not JSON",
            "00000000003": f'{{"refs": {{"action": "trash remove", "image_id": "{image_id}"}}}}',
        },
    )
    assert driven.check() == []


def test_the_trash_is_not_stuck_before_the_deferment_ends(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.place.create_snapshot(f"csi-vol-{made}", "mine")
    driven.place.move_to_trash(f"csi-vol-{made}", delay=3600)
    lose_record(driven, made, "pvc-1")
    assert driven.check(full=True) == []


# Groups


def test_a_group_of_rbd_without_a_record_is_found(driven: Driven) -> None:
    volume = driven.driver.volume("pvc-1")
    made = driven.driver.group("group-1", volume)
    driven.place.remove_object(f"csi.volume.group.{made}")
    driven.place.delete("csi.groups.default", "csi.volume.group.group-1")
    finding = driven.one("rbd-group-without-record")
    assert finding.severity is Severity.ERROR
    assert finding.object_name == f"csi.volume.group.{made}"
    assert f"1 image (csi-vol-{volume})" in finding.found
    driven.run_what_it_says(finding)
    assert driven.check() == []


def test_a_group_whose_record_names_another_prefix_teaches_it(driven: Driven) -> None:
    made = driven.driver.reserve_group("group-1")
    driven.place.put(f"csi.volume.group.{made}", {"csi.groupname": f"team-a-{made}"})
    driven.place.create_group(f"team-a-{made}")
    driven.place.create_group(f"team-b-{LOST}")
    assert driven.check() == []
    driven.place.create_group(f"team-a-{LOST}")
    assert driven.one("rbd-group-without-record").uuid == LOST


@pytest.mark.parametrize("members", [0, 1])
def test_a_group_of_volumes_without_a_group_of_rbd_is_found(driven: Driven, members: int) -> None:
    volume = driven.driver.volume("pvc-1")
    made = driven.driver.group("group-1", *[volume] * members)
    driven.place.remove_group(f"csi-vol-group-{made}")
    finding = driven.one("rbd-group-missing")
    assert finding.severity is Severity.WARNING
    assert finding.request_name == "group-1"
    driven.place.create_group(f"csi-vol-group-{made}")
    if members:
        driven.place.add_to_group(f"csi-vol-group-{made}", f"csi-vol-{volume}")
    assert driven.check() == []


def test_groups_that_differ_are_told_with_both_lists(driven: Driven) -> None:
    one, two, three = (driven.driver.volume(f"pvc-{number}") for number in (1, 2, 3))
    made = driven.driver.group("group-1", one, two)
    driven.place.remove_from_group(f"csi-vol-group-{made}", f"csi-vol-{two}")
    driven.place.add_to_group(f"csi-vol-group-{made}", f"csi-vol-{three}")
    finding = driven.one("rbd-group-differs")
    assert finding.severity is Severity.WARNING
    assert f"only in RBD's group: 1 image (csi-vol-{three})" in finding.found
    assert f"only in the journal's: 1 member ({driven.driver.handle(two)})" in finding.found
    driven.place.remove_from_group(f"csi-vol-group-{made}", f"csi-vol-{three}")
    driven.place.add_to_group(f"csi-vol-group-{made}", f"csi-vol-{two}")
    assert driven.check() == []


def test_a_member_whose_image_is_in_the_trash_is_still_in_the_group(driven: Driven) -> None:
    volume = driven.driver.volume("pvc-1")
    driven.driver.group("group-1", volume)
    driven.place.move_to_trash(f"csi-vol-{volume}")
    assert [it.kind.value for it in driven.check()] == ["image-missing"]


def test_members_are_the_same_under_the_pool_id_of_another_cluster(driven: Driven) -> None:
    """After a failover handles name the pool by the id that it had before."""
    volume = driven.driver.volume("pvc-1")
    made = driven.driver.group("group-1", volume)
    handle = driven.driver.handle(volume)
    driven.place.delete(f"csi.volume.group.{made}", handle)
    other = handle.replace(f"{driven.place.ioctx.get_pool_id():016x}", f"{77:016x}")
    driven.place.put(f"csi.volume.group.{made}", {other: ""})
    assert {it.kind.value for it in driven.check()} == {"member-in-unknown-pool"}


# What could not be looked at


def test_who_may_not_list_images_finds_nothing(driven: Driven) -> None:
    user = f"half-{next(_numbers)}"
    driven.pool.cluster.create_user(user, mon="allow r", osd=f"allow r pool={POOL}")
    driven.driver.reserve_volume("pvc-1")
    driven.driver.reserve_group("group-1")
    driven.place.create_image(f"csi-vol-{LOST}")
    assert [it.kind.value for it in driven.check(user=user)] == ["rbd-group-missing"]


def test_who_may_read_rbd_finds_all_that_an_administrator_finds(driven: Driven) -> None:
    user = f"reader-{next(_numbers)}"
    driven.pool.cluster.create_user(user, mon="allow r", osd=f"profile rbd-read-only pool={POOL}")
    source = driven.driver.volume("pvc-1")
    driven.driver.reserve_volume("pvc-2")
    driven.place.create_image(f"csi-vol-{LOST}")
    driven.place.create_snapshot(f"csi-vol-{source}", f"csi-snap-{LOST}")
    made = driven.driver.volume("pvc-3")
    driven.place.move_to_trash(f"csi-vol-{made}")
    lose_record(driven, made, "pvc-3")
    found, same = driven.check(full=True, user=user), driven.check(full=True)
    assert [(it.kind, it.thing, it.size_bytes) for it in found] == [
        (it.kind, it.thing, it.size_bytes) for it in same
    ]
    assert len(found) == 4


# Everything at once


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_pool_that_is_broken_in_many_ways_exactly_those_are_found(
    driven: Driven, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    damages = [*DAMAGES, *chance.choices(DAMAGES, k=10)]
    chance.shuffle(damages)
    fill(driven.driver, "healthy")
    broken: Broken = set()
    for number, damage in enumerate(damages):
        broken |= damage(driven.driver, f"pvc-{number}-{damage.__name__}")
    for full in (False, True):
        found = [(it.kind.value, it.uuid) for it in driven.check(full=full)]
        assert sorted(found) == sorted(broken)
