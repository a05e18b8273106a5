"""retire: images in a real cluster go to the trash with their journal, and come back whole."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from conftest import POOL
from support.cephfs_driver import CephFSDriver
from support.filesystem import METADATA_POOL
from support.kubernetes_lists import Fields, kubectl_list, raw, volume
from support.rbd_driver import CLUSTER_ID, RBDDriver
from support.rbd_pool import RBDPool
from support.verified import Objects, contents

pytestmark = pytest.mark.ceph

LATER = "2999-01-01T00:00:00Z"
OTHER = "0f8fad5b-d9cb-469f-a165-70867728950e"
_numbers = itertools.count(1)


@dataclass
class Driven:
    """A namespace of its own, the driver that works there, and the command line beside it."""

    cli: CLI
    pool: RBDPool
    driver: RBDDriver

    @property
    def where(self) -> tuple[str, ...]:
        return ("-c", str(self.pool.cluster.conf), "-p", self.pool.pool, "-N", self.pool.namespace)

    def retire(self, *words: str, code: int = 0, kubernetes: bool = False) -> str:
        """What is said, in one line; without Kubernetes unless `words` have the lists."""
        without = [] if kubernetes else ["--no-kubernetes"]
        said = self.cli(*self.where, "retire", "--grace", "0s", *without, *words, code=code)
        return " ".join(said.out.split())

    def kept(self, name: str, *words: str, kubernetes: bool = False) -> str:
        """What is said of one that stays as it is: nothing is changed then."""
        before = self.state()
        said = self.retire(name, "--apply", *words, code=1, kubernetes=kubernetes)
        assert self.state() == before
        return said

    def state(self) -> tuple[Objects, dict[str, str], list[str]]:
        """The journal, the data of each image, and the names in the trash."""
        with self.pool.store() as store:
            journal = {k: v for k, v in contents(store).items() if k.startswith("csi.")}
        place = self.driver.place
        images = {name: self.checksum(name) for name in place.rbd.list(place.ioctx)}
        return journal, images, self.trash()

    def checksum(self, name: str) -> str:
        with self.driver.place.image(name, read_only=True) as image:
            return hashlib.sha256(image.read(0, image.size())).hexdigest()

    def trash(self) -> list[str]:
        place = self.driver.place
        return sorted(entry["name"] for entry in place.rbd.trash_list(place.ioctx))

    def write(self, name: str, data: bytes) -> None:
        with self.driver.place.image(name) as image:
            image.write(data, 0)

    def lists(self, *items: Fields) -> tuple[str, ...]:
        """The options that give a list of PersistentVolumes."""
        empty: Fields = {"apiVersion": "v1", "kind": "PersistentVolumeList", "items": []}
        (self.cli.folder / "lists.json").write_bytes(raw(kubectl_list(items), empty))
        return ("--kubernetes", "lists.json", "--listed-at", LATER)

    def restore(self, *login: str) -> str:
        (backup,) = self.cli.folder.glob("csijournal-backup-*.jsonl")
        return self.cli(*self.where, *login, "restore", str(backup), "--overwrite", "--apply").out


@pytest.fixture
def driven(ceph: ThrowawayCluster, cli: CLI) -> Iterator[Driven]:
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    namespace = f"retire-{next(_numbers)}"
    RBDPool(ceph, POOL).rbd("namespace", "create", f"{POOL}/{namespace}")
    pool = RBDPool(ceph, POOL, namespace)
    with pool.ioctx() as ioctx:
        yield Driven(cli, pool, RBDDriver(ioctx))


# What goes, and comes back


def test_a_volume_goes_to_the_trash_with_its_journal_and_comes_back_byte_for_byte(
    driven: Driven,
) -> None:
    made = driven.driver.volume("pvc-1")
    driven.driver.volume("pvc-2")
    driven.write(f"csi-vol-{made}", b"precious" * 1000)
    before = driven.state()

    said = driven.retire("pvc-1")
    assert f"move image csi-vol-{made} (id " in said
    assert "remove the entry 'pvc-1'" in said
    assert "4 MiB provisioned: no more than that becomes free" in said
    assert "nothing was changed" in said
    assert driven.state() == before

    driven.retire("pvc-1", "--apply")
    journal, images, trash = driven.state()
    assert trash == [f"csi-vol-{made}"]
    assert f"csi.volume.{made}" not in journal
    assert f"csi-vol-{made}" not in images
    assert journal["csi.volumes.default"].keys() == {"csi.volume.pvc-2"}

    driven.restore()
    assert driven.state() == before


def test_an_image_in_the_trash_is_kept_from_purges_for_as_long_as_was_said(driven: Driven) -> None:
    driven.driver.volume("pvc-1")
    driven.retire("pvc-1", "--keep", "90d", "--apply")
    place = driven.driver.place
    (entry,) = place.rbd.trash_list(place.ioctx)
    assert (entry["deferment_end_time"] - entry["deletion_time"]).days in {89, 90}


def test_an_image_without_a_record_is_found_by_its_name(driven: Driven) -> None:
    driven.driver.place.create_image(f"csi-vol-{OTHER}")
    before = driven.state()
    driven.retire(f"csi-vol-{OTHER}", "--apply")
    assert driven.trash() == [f"csi-vol-{OTHER}"]
    driven.restore()
    assert driven.state() == before


def test_a_record_that_has_lost_its_entry_is_found_by_its_uuid(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.driver.place.delete("csi.volumes.default", "csi.volume.pvc-1")
    before = driven.state()
    driven.retire(made, "--apply")
    assert driven.state()[0].keys() <= {"csi.volumes.default"}
    driven.restore()
    assert driven.state() == before


def test_a_cloned_volume_takes_its_intermediate_image_with_it(driven: Driven) -> None:
    source = driven.driver.volume("pvc-1")
    made = driven.driver.clone(source, "pvc-2")
    before = driven.state()
    driven.retire("pvc-2", "--apply")
    assert driven.trash() == [f"csi-vol-{made}", f"csi-vol-{made}-temp"]
    driven.restore()
    assert driven.state() == before


def test_an_intermediate_image_that_was_left_goes_alone(driven: Driven) -> None:
    source = driven.driver.volume("pvc-1")
    made = driven.driver.clone(source, "pvc-2")
    driven.driver.place.flatten(f"csi-vol-{made}")
    before = driven.state()
    driven.retire(f"csi-vol-{made}-temp", "--apply")
    assert driven.trash() == [f"csi-vol-{made}-temp"]
    assert driven.state()[0] == before[0]
    driven.restore()
    assert driven.state() == before


def test_a_volume_and_its_snapshot_go_together_the_snapshot_first(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    snapshot = driven.driver.snapshot(made, "snapshot-1")
    before = driven.state()
    assert f"has the clone {POOL}/csi-snap-{snapshot}" in driven.kept("pvc-1")
    driven.retire("pvc-1", "snapshot-1", "--apply")
    assert driven.trash() == [f"csi-snap-{snapshot}", f"csi-vol-{made}"]
    driven.restore()
    assert driven.state() == before


def test_it_is_said_when_a_purge_will_empty_the_trash(driven: Driven) -> None:
    driven.driver.volume("pvc-1")
    assert "there is no schedule of purges" in driven.retire("pvc-1")
    schedule = '[{"interval": "1d", "start_time": null}]'  # as the manager keeps it
    with RBDPool(driven.pool.cluster, POOL).ioctx() as ioctx:
        whole = RBDDriver(ioctx).place
        whole.put("rbd_trash_purge_schedule", {str(ioctx.get_pool_id()): schedule})
        try:
            assert "the schedule of the pool: every 1d" in driven.retire("pvc-1")
        finally:
            whole.remove_object("rbd_trash_purge_schedule")
    option = ("mgr", "mgr/rbd_support/trash_purge_schedule")
    driven.pool.cluster.run("config", "set", *option, schedule, "--force")
    try:
        assert "the schedule of all pools: every 1d" in driven.retire("pvc-1")
    finally:
        driven.pool.cluster.run("config", "rm", *option)


# What stays


def test_a_volume_that_a_client_has_open_stays(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    with driven.driver.place.image(f"csi-vol-{made}"):
        assert "has a watcher: a client at " in driven.kept("pvc-1")


def test_a_volume_with_a_snapshot_of_a_person_stays(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    driven.driver.place.create_snapshot(f"csi-vol-{made}", "before-upgrade")
    assert "has the snapshot before-upgrade (user)" in driven.kept("pvc-1")


def test_a_volume_in_a_group_stays(driven: Driven) -> None:
    made = driven.driver.volume("pvc-1")
    group = driven.driver.group("group-1", made)
    said = driven.kept("pvc-1")
    assert "is in an RBD group" in said
    assert f"the group {group} names it (member)" in said


def test_a_mirrored_volume_stays(ceph: ThrowawayCluster, cli: CLI) -> None:
    name = "retire-mirrored"  # a pool: Ceph 16 mirrors none of a namespace's images
    ceph.create_pool(name)
    ceph.run("osd", "pool", "application", "enable", name, "rbd")
    pool = RBDPool(ceph, name)
    pool.rbd("mirror", "pool", "enable", name, "image")
    with pool.ioctx() as ioctx:
        driven = Driven(cli, pool, RBDDriver(ioctx))
        made = driven.driver.volume("pvc-1")
        pool.rbd("mirror", "image", "enable", f"@csi-vol-{made}", "snapshot")
        assert "is mirrored" in driven.kept("pvc-1")


def test_a_volume_that_kubernetes_names_stays_and_one_that_it_does_not_goes(
    driven: Driven,
) -> None:
    first, second = driven.driver.volume("pvc-1"), driven.driver.volume("pvc-2")
    given = driven.lists(volume(driven.driver.handle(first)))
    assert "in Kubernetes names it" in driven.kept("pvc-1", *given, kubernetes=True)
    driven.retire("pvc-2", "--apply", *given, kubernetes=True)
    assert driven.trash() == [f"csi-vol-{second}"]


def test_lists_that_name_nothing_of_the_place_or_are_older_than_the_image_let_nothing_go(
    driven: Driven,
) -> None:
    made = driven.driver.volume("pvc-1")
    driven.driver.volume("pvc-2")
    elsewhere = driven.lists(volume(f"0001-0006-{CLUSTER_ID}-00000000000000ff-{OTHER}"))
    assert "name no handle of this place" in driven.kept("pvc-1", *elsewhere, kubernetes=True)
    old = (*driven.lists(volume(driven.driver.handle(made)))[:3], "2020-01-01T00:00:00Z")
    assert "it is newer than the lists" in driven.kept("pvc-2", *old, kubernetes=True)


def test_without_lists_it_must_be_said_that_there_are_none(driven: Driven) -> None:
    driven.driver.volume("pvc-1")
    assert "no list of Kubernetes was given" in driven.kept("pvc-1", kubernetes=True)


def test_a_volume_that_is_being_made_stays(driven: Driven) -> None:
    driven.driver.volume("pvc-1")
    said = driven.cli(*driven.where, "retire", "pvc-1", "--no-kubernetes", "--apply", code=1).out
    assert "a driver may be making it" in said
    assert driven.trash() == []


# From verify


def test_what_verify_finds_is_taken_from_its_findings(driven: Driven) -> None:
    driven.driver.volume("pvc-1")
    driven.driver.place.create_image(f"csi-vol-{OTHER}")
    said = driven.cli(*driven.where, "-o", "json", "verify", "--grace", "0s", code=1)
    (driven.cli.folder / "found.json").write_text(said.out)
    found = [json.loads(line) for line in said.lines]
    commands: Any = next(one for one in found if one.get("kind") == "image-without-record")
    assert ["retire", f"csi-vol-{OTHER}"] in commands["commands"]
    driven.retire("--findings", "found.json", "--apply")
    assert driven.trash() == [f"csi-vol-{OTHER}"]


# With which user


def test_the_user_of_the_runbook_may_retire_and_restore(driven: Driven) -> None:
    ceph = driven.pool.cluster
    keyring = ceph.create_user("retirer", mon="profile rbd", osd=f"profile rbd pool={POOL}")
    driven.driver.volume("pvc-1")
    before = driven.state()
    login = ("-n", "client.retirer", "-k", str(keyring))
    driven.retire("pvc-1", "--apply", *login)
    assert len(driven.trash()) == 1
    driven.restore(*login)
    assert driven.state() == before


def test_a_user_who_may_only_read_changes_nothing(driven: Driven) -> None:
    ceph = driven.pool.cluster
    keyring = ceph.create_user(
        "retire-reader", mon="profile rbd-read-only", osd=f"profile rbd-read-only pool={POOL}"
    )
    driven.driver.volume("pvc-1")
    said = driven.kept("pvc-1", "-n", "client.retire-reader", "-k", str(keyring))
    assert "client.retire-reader could not move csi-vol-" in said


# Where there are no images


def test_a_subvolume_is_for_a_person_to_remove_and_then_the_journal_follows(
    cli: CLI, cephfs: ThrowawayCluster
) -> None:
    name = f"retired-{next(_numbers)}"
    driver = CephFSDriver(cephfs, namespace=name, group=name)
    made = driver.create_volume("pvc-1")
    where = ("-c", str(cephfs.conf), "-p", METADATA_POOL, "-N", name)
    group = ("--subvolume-group", name)
    words = ("retire", "pvc-1", "--grace", "0s", "--no-kubernetes", "--apply", *group)

    said = " ".join(cli(*where, *words, code=1).out.split())
    (command,) = re.findall(r"\$ ceph (fs subvolume rm \S+ \S+ --group_name \S+) --retain", said)
    assert made.name in command
    cephfs.run(*command.split(), "--retain-snapshots")

    cli(*where, *words)
    with RBDPool(cephfs, METADATA_POOL, name).store() as store:
        assert {k: v for k, v in contents(store).items() if k.startswith("csi.")} == {
            "csi.volumes.default": {}
        }
    driver.close()


def test_in_a_file_only_the_journal_is_there_to_be_removed(cli: CLI) -> None:
    cli("ensure", "pvc-1", "--journal", "volumes")
    before = cli.dump()
    cli("retire", "pvc-1", "--grace", "0s", "--no-kubernetes", "--apply")
    assert [name for name in cli.dump() if name.startswith("csi.volume.")] == []
    (backup,) = cli.folder.glob("csijournal-backup-*.jsonl")
    cli("restore", str(backup), "--overwrite", "--apply")
    assert cli.dump() == before
