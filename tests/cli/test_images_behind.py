"""What has an image, subvolume or snapshot behind it is not removed by `check` and `ensure`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from cli.conftest import CLI, UUID
from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.store import Write
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.schema import SCHEMAS, SNAPSHOTS, VOLUMES, JournalSchema
from support.filesystem import METADATA_POOL, NAMESPACE, Subvolumes
from support.places import fill
from support.rbd_pool import RBDPool
from support.verified import Objects, contents

pytestmark = pytest.mark.ceph

NAME = "pvc-1"
_numbers = itertools.count(1)


@pytest.fixture
def rbd_pool(ceph: ThrowawayCluster) -> RBDPool:
    """An RBD namespace of the test's own, without images."""
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    namespace = f"behind-{next(_numbers)}"
    whole = RBDPool(ceph, POOL)
    whole.rbd("namespace", "create", f"{POOL}/{namespace}")
    return RBDPool(ceph, POOL, namespace)


def damage(store: RADOSStore, schema: JournalSchema[Any]) -> None:
    """An entry whose record is gone."""
    fill(store, {schema.directory_object("default"): {schema.entry_key(NAME): UUID}})


def options(pool: RBDPool, schema: JournalSchema[Any]) -> tuple[str, ...]:
    where = ("-c", str(pool.cluster.conf), "-p", pool.pool, "-N", pool.namespace)
    return (*where, "--journal", schema.journal)


def journal_objects(store: RADOSStore) -> Objects:
    return {name: keys for name, keys in contents(store).items() if name.startswith("csi.")}


@pytest.mark.parametrize("image", [f"csi-vol-{UUID}", f"mine-{UUID}"])
def test_a_stale_entry_with_an_image_of_its_uuid_stays_and_the_image_is_named(
    cli: CLI, rbd_pool: RBDPool, image: str
) -> None:
    rbd_pool.create(image)
    which = options(rbd_pool, VOLUMES)
    with rbd_pool.store() as store:
        damage(store, VOLUMES)
        before = journal_objects(store)

        for words in (("check", NAME), ("check", NAME, "--cleanup"), ("ensure", NAME)):
            said = cli.refused(*words, *which, code=6)
            assert f"hint: Nothing was changed. There is: image {image}\n" in said
        assert journal_objects(store) == before


def test_a_stale_entry_with_an_image_in_the_trash_stays(cli: CLI, rbd_pool: RBDPool) -> None:
    rbd_pool.create(f"csi-vol-{UUID}")
    rbd_pool.rbd("trash", "mv", f"@csi-vol-{UUID}")
    with rbd_pool.store() as store:
        damage(store, VOLUMES)

    said = cli.refused("check", NAME, "--cleanup", *options(rbd_pool, VOLUMES), code=6)

    assert f"There is: image in the trash csi-vol-{UUID}" in said


@pytest.mark.parametrize("schema", [VOLUMES, SNAPSHOTS], ids=lambda schema: schema.journal)
def test_a_stale_entry_without_an_image_is_cleaned_up_beside_other_images(
    cli: CLI, rbd_pool: RBDPool, schema: JournalSchema[Any]
) -> None:
    rbd_pool.create("csi-vol-0f8fad5b-d9cb-469f-a165-70867728950e")
    which = options(rbd_pool, schema)
    with rbd_pool.store() as store:
        damage(store, schema)

        assert cli("check", NAME, *which, "--cleanup", code=3).lines == [
            f"removed entry  {NAME} -> {UUID}"
        ]
        assert journal_objects(store) == {schema.directory_object("default"): {}}


def test_what_cannot_be_looked_at_is_not_taken_for_nothing(
    cli: CLI, rbd_pool: RBDPool, ceph: ThrowawayCluster
) -> None:
    """A user of the journal's objects alone cannot list the images."""
    caps = f"allow rwx pool={POOL} namespace={rbd_pool.namespace} object_prefix csi."
    keyring = ceph.create_user("behind", mon="allow r", osd=caps)
    with rbd_pool.store() as store:
        damage(store, VOLUMES)
    login = ("-n", "client.behind", "-k", str(keyring))

    said = cli.refused("check", NAME, "--cleanup", *options(rbd_pool, VOLUMES), *login, code=6)

    assert "a volume stands behind it, or may" in said
    assert "images not compared: " in said


@pytest.fixture
def metadata_pool(cephfs: ThrowawayCluster) -> Iterator[RBDPool]:
    """The journal's place in the filesystem of the tests; what the test leaves there goes."""
    pool = RBDPool(cephfs, METADATA_POOL, NAMESPACE)
    yield pool
    with pool.store() as store:
        for schema in SCHEMAS:
            for name in list(store.object_names(schema.directory_prefix)):
                store.write(Write(name, remove_object=True))


def test_a_stale_entry_of_a_cephfs_volume_stays_until_its_subvolume_is_gone(
    cli: CLI, metadata_pool: RBDPool
) -> None:
    subvolumes = Subvolumes(metadata_pool.cluster)
    subvolumes.create(f"csi-vol-{UUID}")
    which = options(metadata_pool, VOLUMES)
    with metadata_pool.store() as store:
        damage(store, VOLUMES)

        said = cli.refused("check", NAME, "--cleanup", *which, code=6)
        assert f"There is: subvolume csi-vol-{UUID}" in said
        subvolumes.remove(f"csi-vol-{UUID}")
        said = cli("check", NAME, "--cleanup", *which, code=3).out
        assert said == f"removed entry  {NAME} -> {UUID}\n"
