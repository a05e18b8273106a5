"""Pools with damage that is known to the last key.

A DamagedPool starts out healthy: groups of several instances, and what other journals
and RBD keep in the same pool.  Each function of DAMAGES adds one damage to one
instance and says what verify must find, what repair must take away, and what
is left for people to decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from itertools import takewhile
from typing import NamedTuple

from hypothesis import strategies as st

from csijournal import Store, Timestamp
from csijournal.check.findings import FindingKind
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.store import ObjectAbsent, Write
from csijournal.wire.leases import Lease
from csijournal.wire.records import group_attributes
from csijournal.wire.schema import GROUPS
from support.journals import LONG_AGO, seconds_later, uuid_number
from support.places import LONG_AGO_NS, Place
from support.verified import Objects, Told

GRACE = int(GRACE_SECONDS)
NOW = seconds_later(10 * GRACE)
INSTANCES = ("default", "b", "größer", "x" * 140)
"""The last one breaks the rules for ids, and its groups count all the same."""

OTHER_INSTANCE = "other"
MEMBERS = {"vol-1": b"snap-1", "vol-2": b"", "vol-3": b"\xff\xfe"}

FOREIGN: Objects = {
    "csi.volumes.default": {"csi.volume.req-1": uuid_number(0xF001).encode()},
    f"csi.volume.{uuid_number(0xF001)}": {"csi.volname": b"req-1", "csi.imageid": b"\x00\xff"},
    f"csi.volume.{uuid_number(0xF002)}": {},
    "csi.snaps.default": {"csi.snap.snap-1": uuid_number(0xF003).encode()},
    f"csi.snap.{uuid_number(0xF003)}": {"csi.snapname": b"snap-1", "csi.source": b"req-1"},
    "csi.volume.group.not-a-uuid": {},
    f"csi.volume.group.{uuid_number(0xF004)}.bak": {"csi.volname": b"req-1"},
    f"csi.volume.group.{uuid_number(0xABCDEF).upper()}": {},
    "csi.groups": {"csi.volume.group.req-1": b"garbage"},
    "rbd_directory": {"name_x": b"\x04\x00\x00\x00abcd"},
    "rbd_header.x": {"size": b"\x00\x10"},
    "rbd_info": {},
}
"""What others keep in the same pool; nobody may ever touch it."""


GROUP_KINDS = frozenset(takewhile(lambda kind: kind != "unpopulated-record", FindingKind))
"""The kinds of the journal of groups stand first in the catalogue."""


class _Removal(NamedTuple):
    object_name: str
    key: str = ""


class _Unpointed(NamedTuple):
    """A group that nothing points at, where repair may decide alone about it."""

    told: Told
    hidden: bool
    """Whether an entry points at it until a repair."""


class DamagedPool:
    """What is to lie in a place: `old` and `young` objects, and what must come of them.

    `found` is what a full check finds and `left` what it finds after a repair;
    where the store does not stand alone, repair leaves what nothing points at.
    `pending` and `pending_quick` count what is young.
    """

    def __init__(self) -> None:
        self.old: Objects = {name: dict(entries) for name, entries in FOREIGN.items()}
        self.young: Objects = {}
        self._found: list[Told] = []
        self.left_always: list[Told] = []
        self._unpointed: list[_Unpointed] = []
        self.pending = 0
        self.pending_quick = 0
        self.instance = "default"
        self._deep_only: set[Told] = set()
        self._removals: list[_Removal] = []
        self._revoked: list[tuple[str, Lease]] = []
        self._numbers = itertools.count(1)
        for self.instance in INSTANCES:
            self.healthy()
            self.healthy(members=MEMBERS)

    def add(self, damage: str, instance_id: str = "default") -> None:
        """Add one damage of DAMAGES to an instance."""
        self.instance = instance_id
        DAMAGES[damage](self)

    # What damage is made of

    @property
    def directory(self) -> str:
        return self.directory_of(self.instance)

    @staticmethod
    def directory_of(instance_id: str) -> str:
        return GROUPS.directory_prefix + instance_id

    def uuid(self) -> str:
        return uuid_number(next(self._numbers))

    def name(self) -> str:
        return f"reqüest {next(self._numbers)}"

    def put(self, key: str, value: bytes, instance_id: str = "") -> None:
        """A key of the directory."""
        directory = self.directory_of(instance_id or self.instance)
        self.old.setdefault(directory, {})[key] = value

    def entry(self, request_name: str, group_uuid: str, instance_id: str = "") -> None:
        self.put(GROUPS.entry_key(request_name), group_uuid.encode(), instance_id)

    def group(
        self,
        group_uuid: str,
        request_name: str,
        *,
        members: dict[str, bytes] | None = None,
        young: bool = False,
        without: tuple[str, ...] = (),
        **changed: bytes,
    ) -> None:
        """A group object; `without` some attributes, and with others `changed`."""
        group_name = GROUPS.make_image_name("", group_uuid)
        attributes = group_attributes(request_name, group_name, LONG_AGO)
        attributes |= {f"csi.{key}": value for key, value in changed.items()}
        kept = {key: value for key, value in attributes.items() if key not in without}
        self.object(group_uuid, kept | (members or {}), young=young)

    def object(self, group_uuid: str, entries: dict[str, bytes], *, young: bool = False) -> None:
        (self.young if young else self.old)[GROUPS.record_object(group_uuid)] = dict(entries)

    def healthy(self, request_name: str = "", members: dict[str, bytes] | None = None) -> str:
        """A group as it should be; its UUID."""
        group_uuid, name = self.uuid(), request_name or self.name()
        self.entry(name, group_uuid)
        self.group(group_uuid, name, members=members)
        return group_uuid

    def lease(self, *group_uuids: str, since: Timestamp = LONG_AGO, revoked: bool = False) -> Lease:
        lease = Lease(group_uuids, since=since, revoked=revoked)
        self.put(lease.key, lease.value)
        return lease

    # What must come of it

    def expect(
        self,
        kind: FindingKind,
        group_uuid: str = "",
        *,
        key: str = "",
        request_name: str | None = None,
        of_entry: bool = True,
        automatic: bool = False,
        instance_id: str | None = None,
        in_directory: bool = False,
        object_name: str = "",
        deep_only: bool = False,
    ) -> None:
        """A finding; one that is not automatic is there after a repair too."""
        instance = self.instance if instance_id is None else instance_id
        if request_name is not None and of_entry:
            key = GROUPS.entry_key(request_name)
        finding = Told(
            kind,
            instance,
            object_name
            or (self.directory_of(instance) if in_directory else GROUPS.record_object(group_uuid)),
            key,
            request_name or "",
            group_uuid,
            automatic,
        )
        self._found.append(finding)
        if not automatic:
            self.left_always.append(finding)
        if deep_only:
            self._deep_only.add(finding)

    def expect_unentered(
        self,
        kind: FindingKind,
        group_uuid: str,
        request_name: str | None = None,
        *,
        hidden: bool = False,
    ) -> None:
        """A finding about a group that nothing points at; `hidden` until a repair."""
        self.expect(
            kind,
            group_uuid,
            request_name=request_name,
            of_entry=False,
            instance_id="",
            deep_only=True,
        )
        if kind in {FindingKind.ORPHAN_GROUP, FindingKind.EMPTY_OBJECT}:
            self._found.pop()
            self._unpointed.append(_Unpointed(self.left_always.pop(), hidden))
        elif hidden:
            self._found.pop()

    def goes(self, group_uuid: str) -> None:
        """Repair removes the group object."""
        self._removals.append(_Removal(GROUPS.record_object(group_uuid)))

    def loses(self, key: str, instance_id: str = "") -> None:
        """Repair removes the key from the directory."""
        self._removals.append(_Removal(self.directory_of(instance_id or self.instance), key))

    def loses_entry(self, request_name: str) -> None:
        self.loses(GROUPS.entry_key(request_name))

    def is_revoked(self, lease: Lease) -> None:
        """Repair revokes the lease."""
        self.loses(lease.key)
        self._revoked.append((self.directory, Lease(lease.uuids, since=NOW, revoked=True)))

    def is_pending(self, *, deep_only: bool = False) -> None:
        self.pending += 1
        if not deep_only and self.instance == "default":
            self.pending_quick += 1

    # For tests

    def build(self, place: Place) -> Store:
        """Make it in a place; a store on it whose clock stands at NOW."""
        for clock_ns, objects in ((LONG_AGO_NS, self.old), (NOW.nanoseconds, self.young)):
            store = place.open(lambda clock_ns=clock_ns: clock_ns)  # type: ignore[misc]
            for name, entries in objects.items():
                store.write(Write(name, guards=(ObjectAbsent(),), puts=entries))
        return store

    @property
    def found(self) -> list[Told]:
        """What a full check finds."""
        unpointed = [one.told for one in self._unpointed if not one.hidden]
        return [*self._found, *(told._replace(automatic=True) for told in unpointed)]

    @property
    def left(self) -> list[Told]:
        """What a full check finds after a repair."""
        return list(self.left_always)

    def found_quickly(self) -> list[Told]:
        """What a quick check of the default instance finds."""
        quick = [finding for finding in self._found if finding not in self._deep_only]
        return [f for f in quick if f.instance_id.partition(".")[0] in {"default", ""}]

    def before(self) -> Objects:
        return {**self.old, **self.young}

    def after(self) -> Objects:
        """What must lie there when repair has done all it may."""
        objects = {name: dict(entries) for name, entries in self.before().items()}
        for one in self._unpointed:
            objects.pop(one.told.object_name, None)
        for object_name, key in self._removals:
            if key:
                objects[object_name].pop(key, None)
            else:
                objects.pop(object_name, None)
        for directory, lease in self._revoked:
            objects[directory][lease.key] = lease.value
        return objects


# Each damage; the name of the function tells it


def dangling_entry(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
    pool.loses_entry(name)


def dangling_twins(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    for name in (pool.name(), pool.name()):
        pool.entry(name, group_uuid)
        pool.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
        pool.loses_entry(name)


def _unpopulated(pool: DamagedPool, entries: dict[str, bytes], names: int = 1) -> None:
    group_uuid = pool.uuid()
    pool.object(group_uuid, entries)
    for _ in range(names):
        name = pool.name()
        pool.entry(name, group_uuid)
        pool.expect(FindingKind.UNPOPULATED_GROUP, group_uuid, request_name=name, automatic=True)
        pool.loses_entry(name)
    pool.goes(group_uuid)


def unpopulated_group(pool: DamagedPool) -> None:
    _unpopulated(pool, {})


def unpopulated_group_with_attributes(pool: DamagedPool) -> None:
    _unpopulated(pool, {"csi.creationtime": b"2020-01-01T00:00:00Z", "csi.groupname": b"x"})


def unpopulated_twins(pool: DamagedPool) -> None:
    _unpopulated(pool, {}, names=2)


def young_unpopulated_group(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.entry(pool.name(), group_uuid)
    pool.object(group_uuid, {}, young=True)
    pool.is_pending()


def unpopulated_group_of_young_creation_time(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.entry(pool.name(), group_uuid)
    pool.object(group_uuid, {"csi.creationtime": str(NOW).encode()})
    pool.is_pending()


def nameless_group(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.object(group_uuid, MEMBERS)
    pool.expect(FindingKind.NAMELESS_GROUP, group_uuid, request_name=name)


def orphan_group(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.group(group_uuid, name)
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def orphan_group_of_a_reserved_name(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.healthy(name, MEMBERS)
    pool.group(group_uuid, name)
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def orphan_group_with_an_empty_name(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.group(group_uuid, "")
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, "")


def orphan_group_whose_name_is_no_text(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.group(group_uuid, "", volname=b"\xff")
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, "\udcff")


def young_orphan_group(pool: DamagedPool) -> None:
    pool.group(pool.uuid(), pool.name(), young=True)
    pool.is_pending(deep_only=True)


def orphan_group_of_young_creation_time(pool: DamagedPool) -> None:
    pool.group(pool.uuid(), pool.name(), creationtime=str(NOW).encode())
    pool.is_pending(deep_only=True)


def detached_group(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.group(group_uuid, name, members=MEMBERS)
    pool.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, name)


def young_detached_group(pool: DamagedPool) -> None:
    pool.group(pool.uuid(), pool.name(), members=MEMBERS, young=True)
    pool.is_pending(deep_only=True)


def empty_object(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.object(group_uuid, {})
    pool.expect_unentered(FindingKind.EMPTY_OBJECT, group_uuid)


def young_empty_object(pool: DamagedPool) -> None:
    pool.object(pool.uuid(), {}, young=True)
    pool.is_pending(deep_only=True)


def members_elsewhere(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    pool.object(group_uuid, MEMBERS)
    pool.expect_unentered(FindingKind.MEMBERS_ELSEWHERE, group_uuid)


def young_members_elsewhere(pool: DamagedPool) -> None:
    pool.object(pool.uuid(), MEMBERS, young=True)
    pool.is_pending(deep_only=True)


def entry_of_another_names_leftover(pool: DamagedPool) -> None:
    """Once the wrong entry is gone, nothing points at the leftover, which goes too."""
    name, owner, group_uuid = pool.name(), pool.name(), pool.uuid()
    pool.healthy(owner)
    pool.entry(name, group_uuid)
    pool.group(group_uuid, owner)
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
    pool.loses_entry(name)
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, owner, hidden=True)


def entries_of_another_names_leftover(pool: DamagedPool) -> None:
    owner, group_uuid = pool.name(), pool.uuid()
    pool.healthy(owner)
    pool.group(group_uuid, owner)
    for name in (pool.name(), pool.name()):
        pool.entry(name, group_uuid)
        pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
        pool.loses_entry(name)
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, owner, hidden=True)


def entry_of_another_names_leftover_with_members(pool: DamagedPool) -> None:
    name, owner, group_uuid = pool.name(), pool.name(), pool.uuid()
    pool.healthy(owner)
    pool.entry(name, group_uuid)
    pool.group(group_uuid, owner, members=MEMBERS)
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
    pool.loses_entry(name)
    pool.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, owner, hidden=True)


def entry_of_a_group_whose_name_has_no_entry(pool: DamagedPool) -> None:
    name, owner, group_uuid = pool.name(), pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, owner, members=MEMBERS)
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def entry_of_a_group_whose_name_dangles(pool: DamagedPool) -> None:
    name, owner = pool.name(), pool.name()
    group_uuid, missing = pool.uuid(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, owner)
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)
    pool.entry(owner, missing)
    pool.expect(FindingKind.DANGLING_ENTRY, missing, request_name=owner, automatic=True)
    pool.loses_entry(owner)


def entry_of_a_group_whose_name_is_no_text(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, "", volname=b"\xff")
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def two_entries_of_one_group(pool: DamagedPool) -> None:
    name = pool.name()
    group_uuid = pool.healthy(members=MEMBERS)
    pool.entry(name, group_uuid)
    pool.expect(FindingKind.SHARED_UUID, group_uuid, request_name=name, automatic=True)
    pool.loses_entry(name)


def two_instances_of_one_group(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    for instance_id in (pool.instance, OTHER_INSTANCE):
        pool.entry(name, group_uuid, instance_id)
    pool.group(group_uuid, name)
    pool.expect(
        FindingKind.SHARED_UUID,
        group_uuid,
        request_name=name,
        instance_id=max(pool.instance, OTHER_INSTANCE),
        deep_only=True,
    )


def entry_of_another_instances_group(pool: DamagedPool) -> None:
    name, owner, group_uuid = pool.name(), pool.name(), pool.uuid()
    pool.entry(owner, group_uuid, OTHER_INSTANCE)
    pool.group(group_uuid, owner)
    pool.entry(name, group_uuid)
    pool.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def corrupt_entries(pool: DamagedPool) -> None:
    group_uuid = pool.uuid()
    for value in (b"", b"garbage", b"\xff", group_uuid.encode() + b"\n", b"a" * 36):
        name = pool.name()
        pool.put(GROUPS.entry_key(name), value)
        pool.expect(FindingKind.CORRUPT_ENTRY, request_name=name, in_directory=True)


def unfinished_group(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, creationtime=str(seconds_later(-2 * 24 * 3600)).encode())
    _expect_attribute(pool, FindingKind.UNFINISHED_GROUP, group_uuid, name, "")


def group_without_uuid(pool: DamagedPool) -> None:
    if GROUPS.record_prefix not in pool.old:
        pool.old[GROUPS.record_prefix] = {"vol-1": b"snap-1"}
        pool.expect(
            FindingKind.GROUP_WITHOUT_UUID, object_name=GROUPS.record_prefix, instance_id=""
        )


def sharded_directory(pool: DamagedPool) -> None:
    """The entries of the shard count, and one whose group is missing is found in it."""
    shard = f"{pool.instance}.3"
    if pool.directory_of(shard) not in pool.old:
        pool.expect(FindingKind.SHARDED_DIRECTORY, in_directory=True)
    name, group_uuid, missing = pool.name(), pool.uuid(), pool.uuid()
    pool.entry(name, group_uuid, shard)
    pool.group(group_uuid, name, members=MEMBERS)
    pool.entry(f"{name} dangles", missing, shard)
    pool.expect(
        FindingKind.DANGLING_ENTRY,
        missing,
        request_name=f"{name} dangles",
        instance_id=shard,
        automatic=True,
    )
    pool.loses(GROUPS.entry_key(f"{name} dangles"), shard)


def wrong_group_name(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, groupname=b"csi-vol-group-" + pool.uuid().encode())
    _expect_attribute(pool, FindingKind.WRONG_GROUP_NAME, group_uuid, name, "csi.groupname")


def missing_group_name(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, without=("csi.groupname",))
    _expect_attribute(pool, FindingKind.MISSING_ATTRIBUTE, group_uuid, name, "csi.groupname")


def no_creation_time(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, without=("csi.creationtime",))
    _expect_attribute(pool, FindingKind.UNREADABLE_TIME, group_uuid, name, "csi.creationtime")


def unreadable_attributes(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, creationtime=b"\xff yesterday", groupname=b"")
    _expect_attribute(pool, FindingKind.MISSING_ATTRIBUTE, group_uuid, name, "csi.groupname")
    _expect_attribute(pool, FindingKind.UNREADABLE_TIME, group_uuid, name, "csi.creationtime")


def _expect_attribute(
    pool: DamagedPool, kind: FindingKind, group_uuid: str, name: str, key: str
) -> None:
    pool.expect(kind, group_uuid, key=key, request_name=name, of_entry=False)


def invalid_request_names(pool: DamagedPool) -> None:
    for name in (f"\x01{pool.name()}", pool.name() + "x" * 128):
        group_uuid = pool.healthy(name)
        pool.expect(
            FindingKind.INVALID_REQUEST_NAME, group_uuid, request_name=name, in_directory=True
        )


def invalid_request_name_that_dangles(pool: DamagedPool) -> None:
    name, group_uuid = f"{pool.name()}\x7f", pool.uuid()
    pool.entry(name, group_uuid)
    pool.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
    pool.loses_entry(name)
    pool.expect(FindingKind.INVALID_REQUEST_NAME, group_uuid, request_name=name, in_directory=True)
    pool.left_always.pop()


def unknown_keys(pool: DamagedPool) -> None:
    lease = Lease((pool.uuid(),), since=LONG_AGO)
    unknown = {
        f"note {pool.name()}": b"\xff",
        f"csi.lease.{pool.uuid()}": lease.value,
        f"csi.lease.revoked.{pool.uuid()}": b"[" * 100_000,
        lease.key: b'{"since": 7, "uuids": []}',
    }
    for key, value in unknown.items():
        pool.put(key, value)
        pool.expect(FindingKind.UNKNOWN_KEY, key=key, in_directory=True)


def stale_lease(pool: DamagedPool) -> None:
    used = pool.healthy(members=MEMBERS)
    _expect_stale(pool, pool.lease(pool.uuid(), used, pool.uuid()))


def stale_lease_of_a_client_that_died_in_reserve(pool: DamagedPool) -> None:
    name, group_uuid, used = pool.name(), pool.uuid(), pool.healthy()
    pool.group(group_uuid, name)
    _expect_stale(pool, pool.lease(used, group_uuid, pool.uuid()))
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def stale_lease_of_a_young_group(pool: DamagedPool) -> None:
    """Whoever makes it is refused once the lease is revoked: so it goes whatever its age."""
    name, group_uuid = pool.name(), pool.uuid()
    pool.group(group_uuid, name, young=True)
    _expect_stale(pool, pool.lease(group_uuid))
    pool.is_pending(deep_only=True)
    pool.goes(group_uuid)


def stale_lease_of_a_group_with_members(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.group(group_uuid, name, members=MEMBERS)
    _expect_stale(pool, pool.lease(group_uuid))
    pool.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, name)


def lease_revoked_long_ago(pool: DamagedPool) -> None:
    name, group_uuid = pool.name(), pool.uuid()
    pool.group(group_uuid, name)
    lease = pool.lease(pool.uuid(), group_uuid, revoked=True)
    pool.expect(FindingKind.STALE_LEASE, key=lease.key, in_directory=True, automatic=True)
    pool.loses(lease.key)
    pool.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def leases_in_use(pool: DamagedPool) -> None:
    pool.lease(pool.uuid(), pool.healthy(), since=NOW)
    pool.lease(pool.uuid(), since=NOW, revoked=True)


def _expect_stale(pool: DamagedPool, lease: Lease) -> None:
    pool.expect(FindingKind.STALE_LEASE, key=lease.key, in_directory=True, automatic=True)
    pool.is_revoked(lease)


DAMAGES: dict[str, Callable[[DamagedPool], None]] = {
    damage.__name__: damage
    for damage in (
        dangling_entry,
        dangling_twins,
        unpopulated_group,
        unpopulated_group_with_attributes,
        unpopulated_twins,
        young_unpopulated_group,
        unpopulated_group_of_young_creation_time,
        nameless_group,
        orphan_group,
        orphan_group_of_a_reserved_name,
        orphan_group_with_an_empty_name,
        orphan_group_whose_name_is_no_text,
        young_orphan_group,
        orphan_group_of_young_creation_time,
        detached_group,
        young_detached_group,
        empty_object,
        young_empty_object,
        members_elsewhere,
        young_members_elsewhere,
        entry_of_another_names_leftover,
        entries_of_another_names_leftover,
        entry_of_another_names_leftover_with_members,
        entry_of_a_group_whose_name_has_no_entry,
        entry_of_a_group_whose_name_dangles,
        entry_of_a_group_whose_name_is_no_text,
        two_entries_of_one_group,
        two_instances_of_one_group,
        entry_of_another_instances_group,
        corrupt_entries,
        unfinished_group,
        group_without_uuid,
        sharded_directory,
        wrong_group_name,
        missing_group_name,
        no_creation_time,
        unreadable_attributes,
        invalid_request_names,
        invalid_request_name_that_dangles,
        unknown_keys,
        stale_lease,
        stale_lease_of_a_client_that_died_in_reserve,
        stale_lease_of_a_young_group,
        stale_lease_of_a_group_with_members,
        lease_revoked_long_ago,
        leases_in_use,
    )
}


def every_damage() -> DamagedPool:
    """One pool that has all damage, in two instances."""
    pool = DamagedPool()
    for damage in DAMAGES:
        pool.add(damage, "default")
        pool.add(damage, INSTANCES[-1])
    return pool


def damaged_pools() -> st.SearchStrategy[DamagedPool]:
    """Damage in any mixture, in any of the instances."""
    damage = st.tuples(st.sampled_from(sorted(DAMAGES)), st.sampled_from(INSTANCES))
    return st.lists(damage, max_size=12).map(_pool_with)


def _pool_with(damages: list[tuple[str, str]]) -> DamagedPool:
    pool = DamagedPool()
    for damage, instance_id in damages:
        pool.add(damage, instance_id)
    return pool
