"""Images whose records are lost, on a real cluster, attached by the command line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from support.driver_reads import DriverReads, lose_all, omaps
from support.kubernetes_lists import Fields, content, kubectl_list, volume
from support.rbd_driver import RBDDriver
from support.rbd_pool import RBDPool

pytestmark = pytest.mark.ceph

POOL = "attached"
_numbers = itertools.count(1)
_PV = "csi.storage.k8s.io/pv/name"


class Rebuilt:
    """A namespace with a driver's volumes, and the lists of the Kubernetes that uses it."""

    def __init__(self, pool: RBDPool, ioctx: Any, folder: Path) -> None:  # noqa: ANN401
        self.pool = pool
        self.ioctx = ioctx
        self.driver = RBDDriver(ioctx)
        self.reads = DriverReads(ioctx)
        self.items: list[Fields] = []
        self.file = folder / "lists.json"
        self.cli = CLI(folder)
        self.cli.environment.update(pool.cluster.environment())

    def __call__(self, *words: str, code: int = 0) -> str:
        place = ("-p", self.pool.pool, "-N", self.pool.namespace)
        said = self.cli(*place, *words, code=code)
        return said.out + said.err

    def make(self, name: str, *, kms: str = "") -> str:
        made = self.driver.volume(name, kms=kms)
        self.driver.place.set_metadata(f"csi-vol-{made}", {_PV: name})
        return made

    def make_without_metadata(self, name: str, prefix: str) -> str:
        """As a driver without --setmetadata does."""
        made = self.driver.reserve_volume(name, prefix=prefix)
        image_id = self.driver.place.create_image(prefix + made)
        self.driver.place.put(f"csi.volume.{made}", {"csi.imageid": image_id})
        return made

    def claim(self, uuid: str, name: str, **attributes: str) -> None:
        item = volume(self.driver.handle(uuid), name, **attributes)
        item["spec"]["claimRef"]["namespace"] = "team-a"
        self.items.append(item)

    def lists(self) -> str:
        self.file.write_text(json.dumps(kubectl_list(self.items)))
        return str(self.file)


@pytest.fixture(scope="module")
def whole_pool(ceph: ThrowawayCluster) -> RBDPool:
    ceph.create_pool(POOL)
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    return RBDPool(ceph, POOL)


@pytest.fixture
def place(whole_pool: RBDPool, tmp_path: Path) -> Iterator[Rebuilt]:
    """An RBD namespace of the test's own."""
    with a_place(whole_pool, tmp_path) as made:
        yield made


@contextmanager
def a_place(whole_pool: RBDPool, folder: Path) -> Iterator[Rebuilt]:
    namespace = f"ns-{next(_numbers)}"
    whole_pool.rbd("namespace", "create", f"{POOL}/{namespace}")
    pool = RBDPool(whole_pool.cluster, POOL, namespace)
    with pool.ioctx() as ioctx:
        yield Rebuilt(pool, ioctx, folder)


def test_a_cluster_that_lost_all_omaps_gets_500_volumes_back_from_images_and_a_list(
    place: Rebuilt,
) -> None:
    made = {f"pvc-{number:03d}": "" for number in range(500)}
    for number, name in enumerate(made):
        made[name] = place.make_without_metadata(name, "gold-" if number % 5 == 0 else "csi-vol-")
        place.claim(made[name], name)
    before = omaps(place.ioctx)
    assert lose_all(place.ioctx) == 501

    said = place("attach", "--all", "--kubernetes", place.lists(), "--apply")

    assert "500 of 500 done." in said
    assert omaps(place.ioctx) == before
    for name, uuid in made.items():
        found = place.reads.by_request(name)
        assert found == place.reads.by_handle(place.driver.handle(uuid))
        assert (found.uuid, found.owner) == (uuid, "team-a")
    verified = place("verify", "--full", "--kubernetes", place.lists())
    assert "nothing is wrong" in verified


def test_snapshots_come_back_with_their_source_and_encrypted_volumes_with_their_kms(
    place: Rebuilt,
) -> None:
    secret = place.make("pvc-secret", kms="vault")
    plain = place.make("pvc-plain")
    snapshot = place.driver.snapshot(plain, "snapshot-7117aaaa")
    place.claim(secret, "pvc-secret", encrypted="true", encryptionKMSID="vault")
    place.claim(plain, "pvc-plain", imageName=f"csi-vol-{plain}")
    made = content(
        "VolumeSnapshotContent",
        {
            "driver": "rbd.csi.ceph.com",
            "source": {"volumeHandle": place.driver.handle(plain)},
            "volumeSnapshotRef": {"name": "s", "namespace": "team-a", "uid": "7117aaaa"},
        },
        {"snapshotHandle": place.driver.handle(snapshot)},
        "snapcontent-7117aaaa",
    )
    place.items.append(made)
    before = omaps(place.ioctx)
    lose_all(place.ioctx)

    place("attach", "--all", "--kubernetes", place.lists(), "--apply")

    assert omaps(place.ioctx) == before


def test_what_has_its_record_is_left_and_the_backup_takes_all_back(place: Rebuilt) -> None:
    kept, lost, unentered = (place.make(f"pvc-{name}") for name in ("kept", "lost", "unentered"))
    for uuid, name in ((kept, "kept"), (lost, "lost"), (unentered, "unentered")):
        place.claim(uuid, f"pvc-{name}")
    before = omaps(place.ioctx)
    place.ioctx.remove_object(f"csi.volume.{lost}")
    place.driver.place.delete("csi.volumes.default", "csi.volume.pvc-unentered")
    damaged = omaps(place.ioctx)

    dry = place("attach", "--all", "--kubernetes", place.lists())
    assert omaps(place.ioctx) == damaged
    assert "2 to attach; nothing was changed." in dry
    assert f"in the namespace '{place.pool.namespace}' of the pool" in dry
    assert "passed over: 1 in order." in dry
    place("attach", "--all", "--kubernetes", place.lists(), "--apply", "--backup", "b.jsonl")
    assert omaps(place.ioctx) == before

    place("restore", "b.jsonl", "--overwrite", "--apply")
    assert omaps(place.ioctx) == damaged


def test_one_volume_is_attached_by_the_metadata_of_its_image_alone(place: Rebuilt) -> None:
    made = place.make("pvc-1")
    before = omaps(place.ioctx)
    lose_all(place.ioctx)

    place("attach", "--journal", "volumes", f"csi-vol-{made}", "--apply")

    assert omaps(place.ioctx) == before
    again = place("attach", "--journal", "volumes", made, "--apply")
    assert "nothing to do: it is so already." in again


def test_a_person_names_what_nothing_else_does(place: Rebuilt) -> None:
    made = place.driver.volume("pvc-1")
    place.driver.place.remove_metadata(f"csi-vol-{made}", {_PV: ""})
    before = omaps(place.ioctx)
    lose_all(place.ioctx)

    said = place("attach", "--journal", "volumes", made, code=2)
    assert "nothing says for which request" in said
    place("attach", "--journal", "volumes", made, "pvc-1", "--apply")

    assert omaps(place.ioctx) == before


def test_what_contradicts_itself_is_refused_and_nothing_is_written(place: Rebuilt) -> None:
    made = place.make("pvc-1")
    place.claim(made, "pvc-2")
    lose_all(place.ioctx)
    words = ("attach", "--journal", "volumes", made, "--kubernetes", place.lists(), "--apply")

    said = place(*words, code=4)
    assert "says that the request name is 'pvc-2'" in said
    assert "image csi-vol-" in said
    assert omaps(place.ioctx) == {}

    said = place("attach", "--all", "--kubernetes", place.lists(), "--apply", code=1)
    assert "1 left alone" in said
    assert omaps(place.ioctx) == {}


def test_the_name_and_the_uuid_of_another_are_in_the_way(place: Rebuilt) -> None:
    lost, other = place.make("pvc-1"), place.make("pvc-2")
    place.ioctx.remove_object(f"csi.volume.{lost}")
    place.driver.place.put("csi.volumes.default", {"csi.volume.pvc-1": other})
    before = omaps(place.ioctx)

    said = place("attach", "--journal", "volumes", lost, "--apply", code=4)
    assert f"holds '{other}'" in said
    place.driver.place.put("csi.volumes.default", {"csi.volume.pvc-3": lost})
    place.driver.place.delete("csi.volumes.default", "csi.volume.pvc-1")
    said = place("attach", "--journal", "volumes", lost, "--apply", code=4)

    assert "the entry 'pvc-3' of the instance 'default' leads to the volume" in said
    assert f"csi.volume.{lost}" not in omaps(place.ioctx)
    assert before.keys() == omaps(place.ioctx).keys()


def test_another_image_id_than_the_records_is_refused(place: Rebuilt) -> None:
    made = place.make("pvc-1")
    place.driver.place.put(f"csi.volume.{made}", {"csi.imageid": "abc123"})
    place.driver.place.delete("csi.volumes.default", "csi.volume.pvc-1")

    said = place("attach", "--journal", "volumes", made, "--apply", code=4)

    assert "says that the image's id is 'abc123', and RBD says" in said


def test_an_encrypted_image_without_a_known_kms_is_refused(place: Rebuilt) -> None:
    made = place.make("pvc-1", kms="vault")
    before = omaps(place.ioctx)
    lose_all(place.ioctx)
    words = ("attach", "--journal", "volumes", made, "--apply")

    assert "says that it is encrypted" in place(*words, code=4)
    assert omaps(place.ioctx) == {}
    place(*words, "--kms-id", "vault")
    assert omaps(place.ioctx) == before


def test_an_image_in_the_trash_or_nowhere_is_not_attached(place: Rebuilt) -> None:
    made = place.make("pvc-1")
    image_id = place.driver.place.move_to_trash(f"csi-vol-{made}")
    lose_all(place.ioctx)
    words = ("attach", "--journal", "volumes", made, "pvc-1", "--apply")

    assert f"rbd trash restore -p POOL {image_id}" in place(*words, code=4)
    place.driver.place.remove_from_trash(f"csi-vol-{made}")
    assert "there is neither an image nor a subvolume" in place(*words, code=3)


def test_static_migrated_and_provided_objects_are_passed_over(place: Rebuilt) -> None:
    made = place.make("pvc-1")
    snapshot = place.driver.snapshot(made, "snapshot-1")
    place.claim(made, "pvc-1")
    static = volume("static-image", "pv-static", staticVolume="true")
    migrated = volume(f"mig_mons-{'0' * 32}_image-{made}_72626400", "pv-migrated")
    provided = content(
        "VolumeSnapshotContent",
        {
            "driver": "rbd.csi.ceph.com",
            "source": {"snapshotHandle": place.driver.handle(snapshot)},
            "volumeSnapshotRef": {"name": "s", "namespace": "team-a", "uid": "1"},
        },
        {"snapshotHandle": place.driver.handle(snapshot)},
    )
    place.items += [static, migrated, provided]
    lose_all(place.ioctx)

    said = place("attach", "--all", "--kubernetes", place.lists(), "--apply", code=1)

    assert "1 static" in said
    assert "1 migrated" in said
    assert f"leave the snapshot {snapshot}" in said
    assert set(omaps(place.ioctx)) == {"csi.volumes.default", f"csi.volume.{made}"}


def test_the_commands_that_verify_offers_bring_everything_back(place: Rebuilt) -> None:
    kept = place.make("pvc-kept")
    lost, unentered, dangling = (place.make(f"pvc-{name}") for name in ("lost", "out", "dangling"))
    snapshot = place.driver.snapshot(kept, "snapshot-1")
    for uuid, name in ((kept, "kept"), (lost, "lost"), (unentered, "out"), (dangling, "dangling")):
        place.claim(uuid, f"pvc-{name}")
    before = omaps(place.ioctx)
    for uuid in (lost, dangling):
        place.ioctx.remove_object(f"csi.volume.{uuid}")
    for name in ("lost", "out"):
        place.driver.place.delete("csi.volumes.default", f"csi.volume.pvc-{name}")
    place.driver.place.delete(f"csi.snap.{snapshot}", "csi.source")
    look = ("verify", "--full", "--grace", "0s", "--kubernetes", place.lists(), "-o", "json")

    offered: dict[tuple[str, ...], set[str]] = {}
    for line in place(*look, code=1).splitlines():
        finding = json.loads(line)
        for words in finding.get("commands", ()):
            if words[0] == "attach":
                offered.setdefault(tuple(words), set()).add(finding["kind"])
    for words in offered:
        place(*words, "--apply")

    assert set().union(*offered.values()) == {
        "dangling-entry",
        "detached-record",
        "image-without-record",
        "missing-in-ceph",
        "source-lost",
    }
    assert omaps(place.ioctx) == before


def test_a_snapshot_of_another_volume_than_kubernetes_says_is_refused(place: Rebuilt) -> None:
    source, other = place.make("pvc-1"), place.make("pvc-2")
    snapshot = place.driver.snapshot(source, "snapshot-1")
    place.items.append(
        content(
            "VolumeSnapshotContent",
            {
                "driver": "rbd.csi.ceph.com",
                "source": {"volumeHandle": place.driver.handle(other)},
                "volumeSnapshotRef": {"name": "s", "namespace": "team-a", "uid": "1"},
            },
            {"snapshotHandle": place.driver.handle(snapshot)},
        )
    )
    place.ioctx.remove_object(f"csi.snap.{snapshot}")
    words = ("attach", "--journal", "snapshots", snapshot, "--kubernetes", place.lists())

    said = place(*words, "--apply", code=4)

    assert f"says that the source is 'csi-vol-{other}'" in said
    assert f"csi.snap.{snapshot}" not in omaps(place.ioctx)


def test_a_record_in_another_namespace_of_the_pool_is_not_made_a_second_time(
    place: Rebuilt,
) -> None:
    made = place.make("pvc-1")
    lose_all(place.ioctx)
    place.ioctx.set_namespace("")
    place.driver.place.put(f"csi.volume.{made}", {"csi.volname": "pvc-1"})
    place.driver.place.put("csi.volumes.default", {"csi.volume.pvc-1": made})
    place.ioctx.set_namespace(place.pool.namespace)

    try:
        said = place("attach", "--journal", "volumes", made, "--apply", code=4)
    finally:
        place.ioctx.set_namespace("")
        lose_all(place.ioctx)
        place.ioctx.set_namespace(place.pool.namespace)

    assert "another namespace of the pool has a record" in said
    assert omaps(place.ioctx) == {}
