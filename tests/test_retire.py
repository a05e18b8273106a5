"""retire beside others, and ended in the middle: an image in use comes back, and so does a backup.

Everything on a real cluster: the trash is librbd's, and so are watchers.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.archive import Archive
from csijournal.errors import StoreUnreachable
from csijournal.journal.grace import Grace
from csijournal.repair.apply import Engine, Tally, Watcher
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome
from csijournal.repair.planners import Planner
from csijournal.repair.rbd_trash import RBDTrash
from csijournal.repair.retire import Retirer
from csijournal.repair.retire_claims import KubernetesNeeds
from csijournal.repair.retire_targets import Target
from csijournal.store.contract import Write
from csijournal.store.rados.pool import RADOSStore
from csijournal.transfer.restore import Restorer, check_archive
from csijournal.wire.ownership import KeyRole, role_of
from csijournal.wire.schema import VOLUMES
from support.rbd_driver import RBDDriver
from support.rbd_pool import RBDPool
from support.verified import contents

pytestmark = pytest.mark.ceph

_numbers = itertools.count(1)
KEEP_SECONDS = 3600


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Driven:
    """A namespace of its own, and the driver that works there."""

    pool: RBDPool
    driver: RBDDriver
    backup: Path

    def state(self) -> tuple[Any, ...]:
        """The journal without leases, the images with their data, and the ids in the trash.

        A killed process leaves its lease, which no backup has.
        """
        with self.pool.store() as store:
            journal = {
                name: {k: v for k, v in keys.items() if role_of(name, k) is not KeyRole.LEASE}
                for name, keys in contents(store).items()
                if name.startswith("csi.")
            }
        place = self.driver.place
        images = {}
        for name in place.rbd.list(place.ioctx):
            with place.image(name, read_only=True) as image:
                data = image.read(0, image.size())
                images[name] = (image.id(), hashlib.sha256(data).hexdigest())
        return journal, images, sorted(it["id"] for it in place.rbd.trash_list(place.ioctx))

    def retire(self, *uuids: str) -> list[Outcome]:
        """Take volumes out of use; what became of each."""
        told: list[Outcome] = []

        class Told(Watcher):
            def carried_out(self, outcome: Outcome, *, done: bool) -> None:  # noqa: ARG002
                told.append(outcome)

        with self.pool.store() as store, self.pool.inventory() as inventory:
            planner = Planner(store, inventory=inventory, grace_seconds=0)
            retirer = Retirer(
                store,
                planner,
                KubernetesNeeds(Grace.of_seconds(0), is_used=False),
                keep_seconds=KEEP_SECONDS,
            )
            found = retirer.retirements([Target(VOLUMES, uuid) for uuid in uuids])
            plans = [one.plan for one in found if one.plan]
            assert len(plans) == len(uuids), found
            backup = BackupFile(self.backup, store.place)
            Engine(store, Told(), backup, Tally(), inventory.refresh).run(plans)
        return told

    def restore(self) -> None:
        with self.backup.open("rb") as file, self.pool.store() as store:
            archive = Archive(file, "backup")
            check_archive(archive)
            Restorer(store, archive).restore(self.backup.with_suffix(".before"))


@pytest.fixture
def driven(ceph: ThrowawayCluster, tmp_path: Path) -> Iterator[Driven]:
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    namespace = f"retired-{next(_numbers)}"
    RBDPool(ceph, POOL).rbd("namespace", "create", f"{POOL}/{namespace}")
    pool = RBDPool(ceph, POOL, namespace)
    with pool.ioctx() as ioctx:
        yield Driven(pool, RBDDriver(ioctx), tmp_path / "backup.jsonl")


def at_the_move(
    monkeypatch: pytest.MonkeyPatch,
    *,
    before: Callable[[str], None] = lambda _name: None,
    after: Callable[[str], None] = lambda _name: None,
) -> None:
    """Do something right before or after an image is moved to the trash."""
    move = RBDTrash.move

    def moved(self: RBDTrash, name: str, keep_seconds: int) -> None:
        before(name)
        move(self, name, keep_seconds)
        after(name)

    monkeypatch.setattr(RBDTrash, "move", moved)


def test_a_client_that_opens_the_image_between_look_and_move_gets_it_back(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    before = driven.state()
    opened: list[Any] = []
    at_the_move(monkeypatch, before=lambda name: opened.append(driven.driver.place.image(name)))
    (outcome,) = driven.retire(made)
    try:
        assert outcome.steps_done == 0
        assert "has a watcher" in outcome.skipped
        assert "taken out of the trash again" in outcome.skipped
        opened[0].write(b"still in use", 0)
    finally:
        opened[0].close()
    after = driven.state()
    assert (after[0], after[1].keys(), after[2]) == (before[0], before[1].keys(), before[2])


def test_a_snapshot_that_a_person_takes_between_look_and_move_brings_the_image_back(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    before = driven.state()
    at_the_move(monkeypatch, before=lambda name: driven.driver.place.create_snapshot(name, "mine"))
    (outcome,) = driven.retire(made)
    assert "has the snapshot mine" in outcome.skipped
    assert driven.state() == before


def test_a_clone_that_is_made_between_look_and_move_brings_both_images_back(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.clone(driven.driver.volume("pvc-1"), "pvc-2")
    before = driven.state()

    def clone(name: str) -> None:
        if name.endswith("-temp"):
            driven.driver._clone_by_snapshot(name, "somebodys")

    at_the_move(monkeypatch, before=clone)
    (outcome,) = driven.retire(made)
    assert "somebodys" in outcome.skipped
    after = driven.state()
    assert (after[0], after[2]) == (before[0], [])
    assert after[1].keys() == before[1].keys() | {"somebodys"}


def test_a_group_that_takes_the_image_between_look_and_move_brings_it_back(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    driven.driver.place.create_group("mine")
    before = driven.state()
    at_the_move(monkeypatch, before=lambda name: driven.driver.place.add_to_group("mine", name))
    (outcome,) = driven.retire(made)
    assert "is in an RBD group" in outcome.skipped
    assert driven.state() == before


def test_a_driver_that_writes_the_record_between_look_and_move_gets_the_image_back(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    at_the_move(
        monkeypatch,
        after=lambda _: driven.driver.place.put(f"csi.volume.{made}", {"csi.nfs.cluster": "nfs"}),
    )
    (outcome,) = driven.retire(made)
    assert "has changed since the plan was made" in outcome.skipped
    journal, images, trash = driven.state()
    assert (f"csi-vol-{made}" in images, trash) == (True, [])
    assert f"csi.volume.{made}" in journal


def test_an_image_that_another_took_the_name_of_stays_and_so_does_the_other(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    place = driven.driver.place
    mine = place.image_id(f"csi-vol-{made}")

    def swap(name: str) -> None:
        place.rbd.rename(place.ioctx, name, "renamed")
        place.create_image(name)

    at_the_move(monkeypatch, before=swap)
    (outcome,) = driven.retire(made)
    assert "another image was called" in outcome.skipped
    assert place.image_id("renamed") == mine
    assert driven.state()[2] == []


@pytest.mark.parametrize("writes", range(9))
def test_killed_at_any_write_the_backup_brings_back_what_there_was(
    driven: Driven, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The moves of a volume and of its intermediate image count as writes, as the journal's do."""
    made = driven.driver.clone(driven.driver.volume("pvc-1"), "pvc-2")
    before = driven.state()
    left = itertools.count(writes, -1)

    def one_less(*_: object) -> None:
        if next(left) == 0:
            raise Killed

    write = RADOSStore.write

    def written(self: RADOSStore, change: Write) -> None:
        one_less()
        write(self, change)

    at_the_move(monkeypatch, before=one_less)
    with monkeypatch.context() as patch:
        patch.setattr(RADOSStore, "write", written)
        try:
            driven.retire(made)
        except Killed:
            pass
        else:
            assert writes > 2, "there are two moves, and more"
    driven.restore()
    assert driven.state() == before


def test_what_was_killed_in_the_middle_can_be_ended_by_the_same_command(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = driven.driver.volume("pvc-1")
    with monkeypatch.context() as patch:

        def unreachable(*_: object) -> None:
            raise StoreUnreachable("the cluster went away")

        patch.setattr(RADOSStore, "write", unreachable)
        with pytest.raises(StoreUnreachable):
            driven.retire(made)
    assert len(driven.state()[2]) == 1
    driven.backup = driven.backup.with_name("second.jsonl")
    (outcome,) = driven.retire(made)
    assert not outcome.skipped
    assert driven.state()[0] == {"csi.volumes.default": {}}


def test_an_image_that_a_purge_removed_leaves_its_records_away_too(driven: Driven) -> None:
    first, second = driven.driver.volume("pvc-1"), driven.driver.volume("pvc-2")
    driven.retire(first, second)
    place = driven.driver.place
    (purged,) = [it for it in place.rbd.trash_list(place.ioctx) if first in it["name"]]
    place.rbd.trash_remove(place.ioctx, purged["id"], force=True)
    driven.restore()
    journal, images, trash = driven.state()
    assert (list(images), trash) == ([f"csi-vol-{second}"], [])
    assert journal.keys() == {"csi.volumes.default", f"csi.volume.{second}"}
    assert journal["csi.volumes.default"].keys() == {"csi.volume.pvc-2"}
