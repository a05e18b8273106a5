"""The RBD inventory on a real cluster, against images that the `rbd` tool made."""

from __future__ import annotations

import itertools
import json
import os
import struct
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cluster import ThrowawayCluster
from csijournal.errors import PermissionDenied, PlaceNotFound
from csijournal.inventory import rbd_binding
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import NotCompared, Role, Snapshot, Thing, ThingKind
from csijournal.inventory.rbd import RBDInventory, connect_rbd_inventory, open_rbd_inventory
from csijournal.inventory.rbd_binding import OpenImage
from csijournal.inventory.rbd_groups import GroupDetails
from csijournal.inventory.rbd_headers import DatedSnapshot, ImageHeader, read_headers
from csijournal.inventory.rbd_image import ImageDetails, LinkedImage
from csijournal.inventory.rbd_lists import pool_applications, rbd_namespaces
from csijournal.store.contract import Write
from csijournal.store.memory import MemoryStore
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.location import RADOSLocation
from support.rbd_pool import RBDPool

pytestmark = pytest.mark.ceph

POOL = "rbd-inventory"
U1 = "11111111-1111-4111-8111-111111111111"
U2 = "22222222-2222-4222-8222-222222222222"
U3 = "33333333-3333-4333-8333-333333333333"
VOLUME = f"csi-vol-{U1}"
SNAPSHOT = f"csi-snap-{U2}"

_numbers = itertools.count(1)
_Result = TypeVar("_Result")


@pytest.fixture(scope="module")
def whole_pool(ceph: ThrowawayCluster) -> RBDPool:
    """A pool whose default namespace has no image, enabled for RBD."""
    ceph.create_pool(POOL)
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    return RBDPool(ceph, POOL)


@pytest.fixture
def pool(whole_pool: RBDPool) -> RBDPool:
    """An RBD namespace of the test's own, without images."""
    namespace = f"ns-{next(_numbers)}"
    whole_pool.rbd("namespace", "create", f"{POOL}/{namespace}")
    return RBDPool(whole_pool.cluster, POOL, namespace)


@pytest.fixture
def inventory(pool: RBDPool) -> Iterator[RBDInventory]:
    with pool.inventory() as opened:
        yield opened


def image(inventory: RBDInventory, name: str) -> Thing:
    return next(thing for thing in inventory.things(ThingKind.IMAGE) if thing.name == name)


def opened(inventory: RBDInventory, thing: Thing) -> ImageDetails:
    details = inventory.details(thing)
    assert isinstance(details, ImageDetails)
    assert details.not_compared == ()
    return details


# Lists


def test_images_are_listed_with_the_ids_that_the_rbd_tool_shows(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    names = [VOLUME, SNAPSHOT, f"{VOLUME}-temp", "by-hand", "ü-グループ"]
    for name in names:
        pool.create(name)
    listed = {thing.name: thing.thing_id for thing in inventory.things(ThingKind.IMAGE)}
    assert sorted(listed) == sorted(names)
    for name in names:
        assert listed[name] == json.loads(pool.rbd("info", "--format", "json", f"@{name}"))["id"]
    assert inventory.compared()[ThingKind.IMAGE] == 5
    assert inventory.not_compared() == ()


def test_a_record_finds_its_image_by_name_and_by_uuid_whatever_the_prefix(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    for name in (VOLUME, f"{VOLUME}-temp", f"gold-{U3}", "by-hand"):
        pool.create(name)
    behind = inventory.behind(Role.VOLUME, U1, VOLUME)
    assert [thing.name for thing in behind.things] == [VOLUME, f"{VOLUME}-temp"]
    assert [thing.name for thing in inventory.behind(Role.VOLUME, U3).things] == [f"gold-{U3}"]
    assert [thing.name for thing in inventory.behind(Role.SNAPSHOT, U2, "by-hand").things] == [
        "by-hand"
    ]
    assert inventory.behind(Role.VOLUME, U2, f"csi-vol-{U2}").is_nothing
    assert inventory.behind(Role.GROUP, U1, VOLUME).is_nothing


def test_an_image_in_the_trash_still_stands_behind_its_record(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    pool.create(VOLUME)
    pool.rbd("trash", "mv", "--expires-at", "tomorrow", f"@{VOLUME}")
    pool.create(VOLUME)
    pool.rbd("trash", "mv", f"@{VOLUME}")
    behind = inventory.behind(Role.VOLUME, U1, VOLUME)
    assert [thing.kind for thing in behind.things] == [ThingKind.TRASHED_IMAGE] * 2
    assert {thing.thing_id for thing in behind.things} == {
        entry["id"] for entry in json.loads(pool.rbd("trash", "ls", "--format", "json", "@"))
    }
    assert inventory.compared()[ThingKind.TRASHED_IMAGE] == 2
    day_ns = 86_400 * 10**9
    deferred = sorted(entry.deferment_end_ns - entry.deleted_ns for entry in inventory.trash())
    assert deferred[0] == 0
    assert 0 < deferred[1] <= 2 * day_ns
    assert all(abs(entry.deleted_ns - time.time_ns()) < day_ns for entry in inventory.trash())
    assert {entry.source for entry in inventory.trash()} == {"USER"}


def test_what_changed_since_the_lists_were_read_shows_after_a_refresh(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    assert inventory.behind(Role.VOLUME, U1).is_nothing
    pool.create(VOLUME)
    assert inventory.behind(Role.VOLUME, U1).is_nothing
    inventory.refresh()
    assert inventory.stands_behind(Role.VOLUME, U1)


@pytest.mark.parametrize("name", ["", VOLUME, f"other-{U1}"])
def test_an_image_made_since_is_there_once_it_is_asked_for_by_name(
    pool: RBDPool, inventory: RBDInventory, name: str
) -> None:
    inventory.look_up_now(Role.VOLUME, U1, name)
    assert inventory.behind(Role.VOLUME, U1).is_nothing
    pool.create(name or VOLUME)
    assert inventory.behind(Role.VOLUME, U1).is_nothing
    inventory.look_up_now(Role.VOLUME, U1, name)
    assert inventory.stands_behind(Role.VOLUME, U1)


def test_a_group_made_since_is_there_once_it_is_asked_for_by_name(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    inventory.look_up_now(Role.GROUP, U3)
    assert inventory.behind(Role.GROUP, U3).is_nothing
    pool.rbd("group", "create", f"@csi-vol-group-{U3}")
    inventory.look_up_now(Role.GROUP, U3)
    assert inventory.stands_behind(Role.GROUP, U3)


def test_a_namespace_shows_its_own_images_and_nobody_else_s(
    pool: RBDPool, inventory: RBDInventory, whole_pool: RBDPool
) -> None:
    other = f"ns-{next(_numbers)}"
    whole_pool.rbd("namespace", "create", f"{POOL}/{other}")
    RBDPool(pool.cluster, POOL, other).create(VOLUME)
    pool.create(SNAPSHOT)
    assert [thing.name for thing in inventory.things(ThingKind.IMAGE)] == [SNAPSHOT]
    context = ErrorContext("client.admin", POOL, "", 30)
    with whole_pool.ioctx() as ioctx:
        namespaces = rbd_namespaces(ioctx, context)
    assert isinstance(namespaces, list)
    assert {pool.namespace, other} <= set(namespaces)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def note_images(pool: RBDPool, names: list[str]) -> None:
    """Enter names into RBD's directory, without images: that is all that a list reads."""
    import rados  # noqa: PLC0415 - only where there is Ceph

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value)) + value.encode()

    with pool.ioctx() as ioctx:
        for start in range(0, len(names), 2000):
            entries: dict[str, bytes] = {}
            for number, name in enumerate(names[start : start + 2000], start):
                image_id = f"10{number:010x}"
                entries |= {f"name_{name}": text(image_id), f"id_{image_id}": text(name)}
            with rados.WriteOpCtx() as operation:
                ioctx.set_omap(operation, tuple(entries), tuple(entries.values()))
                ioctx.operate_write_op(operation, "rbd_directory")


def test_50_000_images_are_listed_within_the_memory_that_the_module_names(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    uuids = [str(uuid.UUID(int=number + 2**100, version=4)) for number in range(50_000)]
    note_images(pool, [f"csi-vol-{it}" for it in uuids])
    before = resident_bytes()
    assert inventory.compared()[ThingKind.IMAGE] == 50_000
    assert resident_bytes() - before < 50_000 * 800
    assert all(inventory.stands_behind(Role.VOLUME, it) for it in uuids)


def test_kinds_of_other_drivers_are_not_there(inventory: RBDInventory, pool: RBDPool) -> None:
    pool.create(VOLUME)
    assert list(inventory.things(ThingKind.SUBVOLUME)) == []


# Groups


def test_a_group_is_found_with_its_images(pool: RBDPool, inventory: RBDInventory) -> None:
    group = f"csi-vol-group-{U3}"
    pool.create(VOLUME)
    pool.create(f"csi-vol-{U2}")
    pool.rbd("group", "create", f"@{group}")
    pool.rbd("group", "create", "@empty")
    for name in (VOLUME, f"csi-vol-{U2}"):
        pool.rbd("group", "image", "add", f"@{group}", f"@{name}")
    (thing,) = inventory.behind(Role.GROUP, U3, group).things
    assert thing.kind is ThingKind.RBD_GROUP
    assert {name.name for name in inventory.things(ThingKind.RBD_GROUP)} == {group, "empty"}
    details = inventory.details(thing)
    assert isinstance(details, GroupDetails)
    assert {member.image for member in details.members} == {
        image(inventory, VOLUME),
        image(inventory, f"csi-vol-{U2}"),
    }
    empty = next(it for it in inventory.things(ThingKind.RBD_GROUP) if it.name == "empty")
    assert getattr(inventory.details(empty), "members", None) == ()
    pool.rbd("group", "rm", "@empty")
    assert inventory.details(empty) is None


def test_a_group_with_one_image_in_the_trash_still_shows_the_others(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    pool.rbd("group", "create", "@g")
    for name in (VOLUME, SNAPSHOT):
        pool.create(name)
        pool.rbd("group", "image", "add", "@g", f"@{name}")
    pool.rbd("trash", "mv", f"@{VOLUME}")
    assert pool.rbd("group", "image", "list", "@g") == "", "the tool itself shows none"
    (group,) = inventory.things(ThingKind.RBD_GROUP)
    details = inventory.details(group)
    assert isinstance(details, GroupDetails)
    kinds = {member.image.name: member.image.kind for member in details.members if member.image}
    assert kinds == {VOLUME: ThingKind.TRASHED_IMAGE, SNAPSHOT: ThingKind.IMAGE}


def test_an_image_of_another_pool_in_a_group_is_told_by_pool_and_id(
    ceph: ThrowawayCluster,
) -> None:
    for name in ("rbd-groups", "rbd-elsewhere"):
        ceph.create_pool(name)
    pool, other = RBDPool(ceph, "rbd-groups"), RBDPool(ceph, "rbd-elsewhere")
    other.create(VOLUME)
    pool.rbd("group", "create", "@g")
    pool.rbd("group", "image", "add", "@g", f"rbd-elsewhere/{VOLUME}")
    with pool.inventory(applications=["rbd"]) as inventory, other.ioctx() as ioctx:
        (group,) = inventory.things(ThingKind.RBD_GROUP)
        details = inventory.details(group)
        assert isinstance(details, GroupDetails)
        (member,) = details.members
        assert member.pool_id == ioctx.get_pool_id()
    assert member.image_id == json.loads(other.rbd("info", "--format", "json", f"@{VOLUME}"))["id"]
    assert member.image is None


# One image


def test_an_image_tells_size_time_and_metadata(pool: RBDPool, inventory: RBDInventory) -> None:
    began_ns = time.time_ns() - 2 * 10**9
    pool.create(VOLUME, size="12M")
    pool.rbd("image-meta", "set", f"@{VOLUME}", "csi.storage.k8s.io/pvc/name", "daten-ü")
    details = opened(inventory, image(inventory, VOLUME))
    assert details.size_bytes == 12 * 1024**2
    assert details.created_ns is not None
    assert began_ns < details.created_ns < time.time_ns()
    assert details.metadata == {"csi.storage.k8s.io/pvc/name": "daten-ü"}
    assert (details.snapshots, details.watchers, details.children) == ((), (), ())
    assert details.parent is None


def test_a_clone_whose_parent_is_in_the_trash_leads_to_it_and_back(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    pool.create(VOLUME)
    pool.clone(VOLUME, SNAPSHOT)
    pool.rbd("trash", "mv", f"@{VOLUME}")
    child = opened(inventory, image(inventory, SNAPSHOT))
    (trashed,) = (entry.thing for entry in inventory.trash())
    assert child.parent is not None
    assert (child.parent.name, child.parent.image_id) == (VOLUME, trashed.thing_id)
    parent = opened(inventory, trashed)
    assert parent.children == (
        LinkedImage(POOL, pool.namespace, SNAPSHOT, image(inventory, SNAPSHOT).thing_id),
    )
    assert [(it.name, it.purpose) for it in parent.snapshots] == [(SNAPSHOT, "trash")]


def test_a_child_in_the_trash_is_told_as_such(pool: RBDPool, inventory: RBDInventory) -> None:
    pool.create(VOLUME)
    pool.clone(VOLUME, SNAPSHOT)
    pool.rbd("trash", "mv", f"@{SNAPSHOT}")
    (child,) = opened(inventory, image(inventory, VOLUME)).children
    assert (child.name, child.in_trash) == (SNAPSHOT, True)


def test_snapshots_say_what_keeps_them(pool: RBDPool, inventory: RBDInventory) -> None:
    pool.create(VOLUME)
    pool.rbd("snap", "create", "--no-progress", f"@{VOLUME}@csi-snap-{U2}")
    pool.rbd("group", "create", "@g")
    pool.rbd("group", "image", "add", "@g", f"@{VOLUME}")
    pool.rbd("group", "snap", "create", "@g@now")
    by_purpose = {it.purpose: it for it in opened(inventory, image(inventory, VOLUME)).snapshots}
    assert set(by_purpose) == {"user", "group"}
    user = by_purpose["user"]
    assert user == Snapshot(f"csi-snap-{U2}", "user", user.snapshot_id)
    assert user.snapshot_id > 0


def test_a_client_that_has_the_image_open_is_seen(pool: RBDPool, inventory: RBDInventory) -> None:
    import rbd  # noqa: PLC0415 - only where there is Ceph

    pool.create(VOLUME)
    with pool.ioctx() as ioctx, rbd.Image(ioctx, VOLUME):
        watchers = opened(inventory, image(inventory, VOLUME)).watchers
        assert len(watchers) == 1
        assert watchers[0].startswith("127.0.0.1:0/")
    assert opened(inventory, image(inventory, VOLUME)).watchers == ()


def test_looking_at_an_image_never_makes_a_watcher_and_closes_it(
    pool: RBDPool, inventory: RBDInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.create(VOLUME)
    pool.create(SNAPSHOT)
    seen: list[list[Any]] = []
    open_now = 0
    usual = rbd_binding.open_for_reading

    def watchers(name: str) -> list[Any]:
        status = json.loads(pool.rbd("status", "--format", "json", f"@{name}"))
        return list(status["watchers"])

    class Counted:
        def __init__(self, inner: AbstractContextManager[OpenImage]) -> None:
            self.inner = inner

        def __enter__(self) -> OpenImage:
            nonlocal open_now
            open_now += 1
            assert open_now == 1, "one image at a time"
            image = self.inner.__enter__()
            seen.append(watchers(VOLUME) + watchers(SNAPSHOT))
            return image

        def __exit__(self, *error: object) -> None:
            nonlocal open_now
            open_now -= 1
            self.inner.__exit__(None, None, None)

    monkeypatch.setattr(
        "csijournal.inventory.rbd_image.open_for_reading",
        lambda ioctx, **chosen: Counted(usual(ioctx, **chosen)),
    )
    for name in (VOLUME, SNAPSHOT, VOLUME):
        opened(inventory, image(inventory, name))
    assert seen == [[], [], []]
    assert open_now == 0
    pool.rbd("rm", "--no-progress", f"@{VOLUME}")  # a watcher would forbid it


def test_an_image_that_is_gone_is_told_as_gone(pool: RBDPool, inventory: RBDInventory) -> None:
    pool.create(VOLUME)
    thing = image(inventory, VOLUME)
    pool.rbd("rm", "--no-progress", f"@{VOLUME}")
    assert inventory.details(thing) is None
    assert inventory.details(Thing(ThingKind.TRASHED_IMAGE, VOLUME, thing.thing_id)) is None


def test_a_mirrored_image_is_known_by_its_id(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("rbd-mirrored")
    pool = RBDPool(ceph, "rbd-mirrored")
    pool.create(VOLUME)
    pool.create(SNAPSHOT)
    pool.rbd("mirror", "pool", "enable", "rbd-mirrored", "image")
    pool.rbd("mirror", "image", "enable", f"@{VOLUME}", "snapshot")
    with pool.inventory() as inventory:
        mirrored = inventory.mirrored()
        assert list(mirrored) == [image(inventory, VOLUME).thing_id]
        assert next(iter(mirrored.values())).is_primary


# Many images at a time


def test_headers_tell_the_snapshots_and_clones_that_the_images_tell(
    pool: RBDPool, inventory: RBDInventory
) -> None:
    pool.create(VOLUME)
    pool.create("without")
    pool.clone(VOLUME, SNAPSHOT)
    began_ns = time.time_ns()
    pool.rbd("snap", "create", "--no-progress", f"@{VOLUME}@mine")
    pool.rbd("group", "create", "@g")
    pool.rbd("group", "image", "add", "@g", f"@{VOLUME}")
    pool.rbd("group", "snap", "create", "@g@now")
    things = [*inventory.things(ThingKind.IMAGE), Thing(ThingKind.IMAGE, "gone", "10ab12cd34ef")]
    headers = dict(inventory.headers(things))
    assert list(headers) == things
    assert headers.pop(things[-1]) is None
    for thing, header in headers.items():
        assert header is not None
        told = opened(inventory, thing)
        assert {(it.name, it.purpose, it.snapshot_id) for it in header.snapshots} == {
            (it.name, it.purpose, it.snapshot_id) for it in told.snapshots
        }
        assert [it.image_id for it in header.children] == [it.image_id for it in told.children]
    header = headers[image(inventory, VOLUME)]
    assert header is not None
    assert {it.purpose for it in header.snapshots} == {"trash", "user", "group"}
    assert {it.purpose for it in header.kept_snapshots} == {"user", "group"}
    (mine,) = (it for it in header.snapshots if it.name == "mine")
    assert began_ns <= mine.created_ns <= time.time_ns()


def encoded_snapshot(version: int) -> bytes:
    """As Ceph 12 and earlier wrote it; the oldest version that can read it is 1."""
    name = struct.pack("<QI4sQQ", 7, 4, b"mine", 8 * 1024**2, 0)
    parent = b"\x01\x01" + struct.pack("<I", 28) + struct.pack("<qIQQ", -1, 0, 2**64 - 2, 0)
    user = struct.pack("<BQBBII", 0, 0, 1, 1, 4, 0) + struct.pack("<II", 1_500_000_000, 5)
    content = name + parent + (user if version >= 6 else struct.pack("<BQ", 0, 0))
    return struct.pack("<BBI", version, 1, len(content)) + content


@pytest.mark.parametrize(("version", "created_ns"), [(4, 0), (6, 1_500_000_000 * 10**9 + 5)])
def test_snapshots_from_before_ceph_14_are_read(version: int, created_ns: int) -> None:
    store = MemoryStore()
    puts = {"size": bytes(8), "snapshot_0000000000000007": encoded_snapshot(version)}
    store.write(Write("rbd_header.10ab", puts=puts))
    ((image_id, header),) = read_headers(store, ["10ab"])
    assert image_id == "10ab"
    assert header == ImageHeader((DatedSnapshot("mine", "user", 7, created_ns),))


def test_a_header_that_cannot_be_read_says_so_and_hides_no_other() -> None:
    store = MemoryStore()
    name = "rbd_header.10ab"
    store.write(Write(name, puts={"size": bytes(8), "snapshot_0000000000000007": b"?"}))
    store.write(Write("rbd_header.10cd", puts={"snapshot_0000000000000007": encoded_snapshot(6)}))
    (_, bad), (_, good) = read_headers(store, ["10ab", "10cd"])
    assert bad is not None
    assert good is not None
    assert "the value is not as RBD writes it" in bad.problem
    assert len(good.snapshots) == 1
    assert good.problem == ""


def test_an_image_is_as_old_as_its_name(pool: RBDPool, inventory: RBDInventory) -> None:
    began_ns = (time.time_ns() // 10**9 - 1) * 10**9
    pool.create(VOLUME)
    pool.rbd("group", "create", "@g")
    (group,) = inventory.things(ThingKind.RBD_GROUP)
    thing = image(inventory, VOLUME)
    for one in (thing, group):
        named_ns = inventory.named_ns(one)
        assert named_ns is not None
        assert began_ns <= named_ns <= time.time_ns()
    pool.rbd("mv", f"@{VOLUME}", "@renamed")
    assert inventory.named_ns(thing) is None


# What cannot be looked at


def test_a_pool_that_rbd_does_not_use_is_not_compared(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("no-rbd")
    with RBDPool(ceph, "no-rbd").inventory(applications=["cephfs"]) as inventory:
        behind = inventory.behind(Role.VOLUME, U1)
        assert behind.is_unknown
        (reason,) = inventory.not_compared()
        assert "RBD is not enabled for pool no-rbd" in reason.why
        assert "ceph osd pool application enable no-rbd rbd" in reason.hint
        assert inventory.compared() == {}
        assert list(inventory.things(ThingKind.IMAGE)) == []


@pytest.mark.usefixtures("whole_pool")
def test_a_pool_enabled_for_rbd_that_never_had_an_image_is_compared(
    ceph: ThrowawayCluster,
) -> None:
    with RADOSCluster.at(RADOSLocation(POOL, conf=str(ceph.conf))) as cluster:
        assert pool_applications(cluster.mon_command, POOL) == frozenset({"rbd"})
        inventory = inventory_of(cluster.store(POOL, "never-made"))
        assert inventory.behind(Role.VOLUME, U1).is_nothing
        assert inventory.compared()[ThingKind.IMAGE] == 0


def test_one_login_is_enough_and_its_end_ends_the_inventory(
    pool: RBDPool, ceph: ThrowawayCluster
) -> None:
    pool.create(VOLUME)
    with RADOSCluster.at(RADOSLocation(POOL, conf=str(ceph.conf))) as cluster:
        inventory = connect_rbd_inventory(cluster.store(POOL, pool.namespace))
        assert isinstance(inventory, RBDInventory)
        assert opened(inventory, image(inventory, VOLUME)).size_bytes == 8 * 1024**2
        thing = image(inventory, VOLUME)
        with pytest.raises(PlaceNotFound):
            connect_rbd_inventory(cluster.store("no-such-pool"))
    inventory.refresh()
    assert inventory.behind(Role.VOLUME, U1).is_unknown
    assert isinstance(inventory.details(thing), NotCompared)


def test_monitors_that_do_not_tell_a_pool_s_applications_leave_them_unknown() -> None:
    def refuses(prefix: str, **arguments: str) -> object:
        raise PermissionDenied(prefix + str(arguments))

    assert pool_applications(refuses, POOL) is None


def test_rbd_that_was_used_without_a_tag_is_compared(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("untagged")
    pool = RBDPool(ceph, "untagged")
    pool.create(VOLUME)
    with pool.inventory(applications=[]) as inventory:
        assert inventory.stands_behind(Role.VOLUME, U1)


@pytest.mark.parametrize("osd", ["allow r pool={pool}", "allow rw pool={pool}"])
def test_a_user_who_may_read_objects_and_not_rbd_is_told_what_to_allow(
    pool: RBDPool, ceph: ThrowawayCluster, osd: str
) -> None:
    user = f"lesser-{next(_numbers)}"
    ceph.create_user(user, mon="allow r", osd=osd.format(pool=POOL))
    pool.create(VOLUME)
    with pool.inventory(user) as inventory:
        behind = inventory.behind(Role.VOLUME, U1, VOLUME)
        assert behind.is_unknown
        assert inventory.stands_behind(Role.VOLUME, U1, VOLUME)
        whats = [reason.what for reason in inventory.not_compared()]
        assert whats == ["RBD images", "RBD trash", "mirroring of RBD images"]
        reason = inventory.not_compared()[0]
        assert f"client.{user} could not list the RBD images" in reason.why
        assert f"mon 'allow r' osd 'profile rbd-read-only pool={POOL}'" in reason.hint
        # Groups are read from objects that this user may read.
        assert inventory.compared() == {ThingKind.RBD_GROUP: 0}
        details = inventory.details(Thing(ThingKind.IMAGE, VOLUME))
        assert details is None or isinstance(details, NotCompared)
        assert details is not None


def test_a_user_without_any_right_to_the_pool_compares_nothing(
    pool: RBDPool, ceph: ThrowawayCluster
) -> None:
    ceph.create_user("stranger", mon="allow r", osd="allow r pool=another")
    pool.create(VOLUME)
    with pool.inventory("stranger") as inventory:
        assert inventory.behind(Role.GROUP, U1).is_unknown
        assert inventory.behind(Role.VOLUME, U1).is_unknown
        assert inventory.compared() == {}


@pytest.mark.parametrize("scope", ["pool={pool}", "pool={pool} namespace={namespace}"])
def test_the_capabilities_that_the_hint_names_are_enough_for_everything(
    pool: RBDPool, ceph: ThrowawayCluster, scope: str
) -> None:
    caps = scope.format(pool=POOL, namespace=pool.namespace)
    user = f"reader-{next(_numbers)}"
    ceph.create_user(user, mon="allow r", osd=f"profile rbd-read-only {caps}")
    pool.create(VOLUME)
    pool.clone(VOLUME, SNAPSHOT)
    pool.rbd("group", "create", "@g")
    pool.rbd("group", "image", "add", "@g", f"@{SNAPSHOT}")
    pool.rbd("trash", "mv", f"@{VOLUME}")
    with pool.inventory(user) as inventory:
        assert inventory.not_compared() == ()
        assert inventory.stands_behind(Role.VOLUME, U1)
        (trashed,) = (entry.thing for entry in inventory.trash())
        assert len(opened(inventory, trashed).children) == 1
        assert opened(inventory, image(inventory, SNAPSHOT)).parent is not None
        (group,) = inventory.things(ThingKind.RBD_GROUP)
        assert isinstance(inventory.details(group), GroupDetails)


def clone_elsewhere(pool: RBDPool, user: str, clone_format: str) -> None:
    """A volume with a child in a pool that the user may not read."""
    other = f"rbd-hidden-{next(_numbers)}"
    pool.cluster.create_pool(other)
    pool.cluster.create_user(user, mon="allow r", osd=f"profile rbd-read-only pool={pool.pool}")
    pool.create(VOLUME)
    pool.rbd("snap", "create", "--no-progress", f"@{VOLUME}@s")
    if clone_format == "1":
        pool.rbd("snap", "protect", f"@{VOLUME}@s")
    pool.rbd(
        *("clone", "--rbd-default-clone-format", clone_format, "--image-feature", "layering"),
        *(f"@{VOLUME}@s", f"{other}/{SNAPSHOT}"),
    )


def test_a_child_in_a_pool_that_the_user_may_not_read_is_still_seen(pool: RBDPool) -> None:
    clone_elsewhere(pool, "half", "2")
    with pool.inventory("half") as inventory:
        (child,) = opened(inventory, image(inventory, VOLUME)).children
    with pool.inventory() as inventory:
        (all_of_it,) = opened(inventory, image(inventory, VOLUME)).children
    assert child.image_id == all_of_it.image_id
    assert (child.pool[0], child.namespace, child.name) == ("#", "", "")
    assert all_of_it.pool.startswith("rbd-hidden")


def test_a_snapshot_that_may_have_children_out_of_sight_is_not_called_childless(
    ceph: ThrowawayCluster,
) -> None:
    ceph.create_pool("rbd-old-clones")
    pool = RBDPool(ceph, "rbd-old-clones")
    clone_elsewhere(pool, "half-too", "1")
    with pool.inventory("half-too") as inventory:
        details = inventory.details(image(inventory, VOLUME))
    assert isinstance(details, ImageDetails)
    assert [it.what for it in details.not_compared] == [f"children of image {VOLUME}"]
    assert details.size_bytes == 8 * 1024**2


def test_an_osd_that_does_not_answer_is_a_part_not_compared_and_no_crash(
    pool: RBDPool, ceph: ThrowawayCluster
) -> None:
    pool.create(VOLUME)
    with pool.inventory(timeout_seconds=1) as inventory:
        assert inventory.stands_behind(Role.VOLUME, U1)
        thing = image(inventory, VOLUME)
        inventory.refresh()
        ceph.kill_osd()
        try:
            assert inventory.behind(Role.VOLUME, U1).is_unknown
            assert isinstance(inventory.details(thing), NotCompared)
            reasons = inventory.not_compared()
        finally:
            ceph.start_osd()
        assert [reason.what for reason in reasons][:2] == ["RBD images", "RBD trash"]
        assert "did not answer" in reasons[0].why
    with pool.inventory() as inventory:
        assert inventory.not_compared() == ()


def test_without_the_binding_everything_else_is_checked(
    pool: RBDPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rbd", None)
    rbd_binding.import_rbd.cache_clear()
    try:
        context = ErrorContext("client.admin", POOL, pool.namespace, 30)
        with pool.ioctx() as ioctx, pool.store() as store:
            inventory = open_rbd_inventory(ioctx, store, context)
        assert inventory.behind(Role.VOLUME, U1).is_unknown
        (reason,) = inventory.not_compared()
        assert "binding of librbd" in reason.why
        assert "python3-rbd" in reason.hint
    finally:
        rbd_binding.import_rbd.cache_clear()


def test_the_inventory_opens_over_a_caller_that_hears_control_c(pool: RBDPool) -> None:
    calls: list[object] = []

    def call(job: Callable[[], _Result], /) -> _Result:
        calls.append(job)
        return job()

    pool.create(VOLUME)
    context = ErrorContext("client.admin", POOL, pool.namespace, 30)
    with pool.ioctx() as ioctx, pool.store() as store:
        inventory = open_rbd_inventory(ioctx, store, context, call=call)
        assert inventory.stands_behind(Role.VOLUME, U1)
        assert isinstance(inventory, RBDInventory)
        opened(inventory, image(inventory, VOLUME))
    assert len(calls) == 4, "three lists and one image"
