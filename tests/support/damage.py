"""Places with damage that is known to the last key.

A Wreck starts out healthy: groups of several instances, and what other journals
and RBD keep in the same pool.  Each function of DAMAGES adds one damage to one
instance and says what verify must find, what repair must take away, and what
is left for people to decide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
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


class _Removal(NamedTuple):
    object_name: str
    key: str = ""


class Wreck:
    """What is to lie in a place: `old` and `young` objects, and what must come of them.

    `found` is what a deep verify finds and `left` what it finds after a repair;
    `making` and `making_quick` count what is young.
    """

    def __init__(self) -> None:
        self.old: Objects = {name: dict(entries) for name, entries in FOREIGN.items()}
        self.young: Objects = {}
        self.found: list[Told] = []
        self.left: list[Told] = []
        self.making = 0
        self.making_quick = 0
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
        deep_only: bool = False,
    ) -> None:
        """A finding; one that is not automatic is there after a repair too."""
        instance = self.instance if instance_id is None else instance_id
        if request_name is not None and of_entry:
            key = GROUPS.entry_key(request_name)
        finding = Told(
            kind,
            instance,
            self.directory_of(instance) if in_directory else GROUPS.record_object(group_uuid),
            key,
            request_name or "",
            group_uuid,
            automatic,
        )
        self.found.append(finding)
        if not automatic:
            self.left.append(finding)
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
        automatic = kind is not FindingKind.DETACHED_GROUP
        self.expect(
            kind,
            group_uuid,
            request_name=request_name,
            of_entry=False,
            automatic=automatic,
            instance_id="",
            deep_only=True,
        )
        if hidden:
            self.found.pop()
        if automatic:
            self.goes(group_uuid)

    def goes(self, group_uuid: str) -> None:
        """Repair removes the group object."""
        self._removals.append(_Removal(GROUPS.record_object(group_uuid)))

    def loses(self, key: str) -> None:
        """Repair removes the key from the directory."""
        self._removals.append(_Removal(self.directory, key))

    def loses_entry(self, request_name: str) -> None:
        self.loses(GROUPS.entry_key(request_name))

    def is_revoked(self, lease: Lease) -> None:
        """Repair revokes the lease."""
        self.loses(lease.key)
        self._revoked.append((self.directory, Lease(lease.uuids, since=NOW, revoked=True)))

    def is_in_the_making(self, *, deep_only: bool = False) -> None:
        self.making += 1
        if not deep_only and self.instance == "default":
            self.making_quick += 1

    # For tests

    def build(self, place: Place) -> Store:
        """Make it in a place; a store on it whose clock stands at NOW."""
        for clock_ns, objects in ((LONG_AGO_NS, self.old), (NOW.nanoseconds, self.young)):
            store = place.open(lambda clock_ns=clock_ns: clock_ns)  # type: ignore[misc]
            for name, entries in objects.items():
                store.write(Write(name, guards=(ObjectAbsent(),), puts=entries))
        return store

    def found_quickly(self) -> list[Told]:
        """What a look at the default instance alone finds."""
        return [f for f in self.found if f.instance_id == "default" and f not in self._deep_only]

    def before(self) -> Objects:
        return {**self.old, **self.young}

    def after(self) -> Objects:
        """What must lie there when repair has done all it may."""
        objects = {name: dict(entries) for name, entries in self.before().items()}
        for object_name, key in self._removals:
            if key:
                objects[object_name].pop(key, None)
            else:
                objects.pop(object_name, None)
        for directory, lease in self._revoked:
            objects[directory][lease.key] = lease.value
        return objects


# Each damage; the name of the function tells it


def dangling_entry(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
    wreck.loses_entry(name)


def dangling_twins(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    for name in (wreck.name(), wreck.name()):
        wreck.entry(name, group_uuid)
        wreck.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
        wreck.loses_entry(name)


def _unpopulated(wreck: Wreck, entries: dict[str, bytes], names: int = 1) -> None:
    group_uuid = wreck.uuid()
    wreck.object(group_uuid, entries)
    for _ in range(names):
        name = wreck.name()
        wreck.entry(name, group_uuid)
        wreck.expect(FindingKind.UNPOPULATED_GROUP, group_uuid, request_name=name, automatic=True)
        wreck.loses_entry(name)
    wreck.goes(group_uuid)


def unpopulated_group(wreck: Wreck) -> None:
    _unpopulated(wreck, {})


def unpopulated_group_with_attributes(wreck: Wreck) -> None:
    _unpopulated(wreck, {"csi.creationtime": b"2020-01-01T00:00:00Z", "csi.groupname": b"x"})


def unpopulated_twins(wreck: Wreck) -> None:
    _unpopulated(wreck, {}, names=2)


def young_unpopulated_group(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.entry(wreck.name(), group_uuid)
    wreck.object(group_uuid, {}, young=True)
    wreck.is_in_the_making()


def unpopulated_group_of_young_creation_time(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.entry(wreck.name(), group_uuid)
    wreck.object(group_uuid, {"csi.creationtime": str(NOW).encode()})
    wreck.is_in_the_making()


def nameless_group(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.object(group_uuid, MEMBERS)
    wreck.expect(FindingKind.NAMELESS_GROUP, group_uuid, request_name=name)


def orphan_group(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.group(group_uuid, name)
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def orphan_group_of_a_reserved_name(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.healthy(name, MEMBERS)
    wreck.group(group_uuid, name)
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def orphan_group_with_an_empty_name(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.group(group_uuid, "")
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, "")


def orphan_group_whose_name_is_no_text(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.group(group_uuid, "", volname=b"\xff")
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, "\udcff")


def young_orphan_group(wreck: Wreck) -> None:
    wreck.group(wreck.uuid(), wreck.name(), young=True)
    wreck.is_in_the_making(deep_only=True)


def orphan_group_of_young_creation_time(wreck: Wreck) -> None:
    wreck.group(wreck.uuid(), wreck.name(), creationtime=str(NOW).encode())
    wreck.is_in_the_making(deep_only=True)


def detached_group(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.group(group_uuid, name, members=MEMBERS)
    wreck.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, name)


def young_detached_group(wreck: Wreck) -> None:
    wreck.group(wreck.uuid(), wreck.name(), members=MEMBERS, young=True)
    wreck.is_in_the_making(deep_only=True)


def empty_object(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.object(group_uuid, {})
    wreck.expect_unentered(FindingKind.EMPTY_OBJECT, group_uuid)


def young_empty_object(wreck: Wreck) -> None:
    wreck.object(wreck.uuid(), {}, young=True)
    wreck.is_in_the_making(deep_only=True)


def revived_group(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    wreck.object(group_uuid, MEMBERS)
    wreck.expect_unentered(FindingKind.REVIVED_GROUP, group_uuid)


def young_revived_group(wreck: Wreck) -> None:
    wreck.object(wreck.uuid(), MEMBERS, young=True)
    wreck.is_in_the_making(deep_only=True)


def entry_of_another_names_leftover(wreck: Wreck) -> None:
    """Once the wrong entry is gone, nothing points at the leftover, which goes too."""
    name, owner, group_uuid = wreck.name(), wreck.name(), wreck.uuid()
    wreck.healthy(owner)
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, owner)
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
    wreck.loses_entry(name)
    wreck.goes(group_uuid)


def entries_of_another_names_leftover(wreck: Wreck) -> None:
    owner, group_uuid = wreck.name(), wreck.uuid()
    wreck.healthy(owner)
    wreck.group(group_uuid, owner)
    for name in (wreck.name(), wreck.name()):
        wreck.entry(name, group_uuid)
        wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
        wreck.loses_entry(name)
    wreck.goes(group_uuid)


def entry_of_another_names_leftover_with_members(wreck: Wreck) -> None:
    name, owner, group_uuid = wreck.name(), wreck.name(), wreck.uuid()
    wreck.healthy(owner)
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, owner, members=MEMBERS)
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name, automatic=True)
    wreck.loses_entry(name)
    wreck.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, owner, hidden=True)


def entry_of_a_group_whose_name_has_no_entry(wreck: Wreck) -> None:
    name, owner, group_uuid = wreck.name(), wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, owner, members=MEMBERS)
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def entry_of_a_group_whose_name_dangles(wreck: Wreck) -> None:
    name, owner = wreck.name(), wreck.name()
    group_uuid, missing = wreck.uuid(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, owner)
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)
    wreck.entry(owner, missing)
    wreck.expect(FindingKind.DANGLING_ENTRY, missing, request_name=owner, automatic=True)
    wreck.loses_entry(owner)


def entry_of_a_group_whose_name_is_no_text(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, "", volname=b"\xff")
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def two_entries_of_one_group(wreck: Wreck) -> None:
    name = wreck.name()
    group_uuid = wreck.healthy(members=MEMBERS)
    wreck.entry(name, group_uuid)
    wreck.expect(FindingKind.SHARED_UUID, group_uuid, request_name=name, automatic=True)
    wreck.loses_entry(name)


def two_instances_of_one_group(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    for instance_id in (wreck.instance, OTHER_INSTANCE):
        wreck.entry(name, group_uuid, instance_id)
    wreck.group(group_uuid, name)
    wreck.expect(
        FindingKind.SHARED_UUID,
        group_uuid,
        request_name=name,
        instance_id=max(wreck.instance, OTHER_INSTANCE),
        deep_only=True,
    )


def entry_of_another_instances_group(wreck: Wreck) -> None:
    name, owner, group_uuid = wreck.name(), wreck.name(), wreck.uuid()
    wreck.entry(owner, group_uuid, OTHER_INSTANCE)
    wreck.group(group_uuid, owner)
    wreck.entry(name, group_uuid)
    wreck.expect(FindingKind.NAME_MISMATCH, group_uuid, request_name=name)


def corrupt_entries(wreck: Wreck) -> None:
    group_uuid = wreck.uuid()
    for value in (b"", b"garbage", b"\xff", group_uuid.encode() + b"\n", b"a" * 36):
        name = wreck.name()
        wreck.put(GROUPS.entry_key(name), value)
        wreck.expect(FindingKind.CORRUPT_ENTRY, request_name=name, in_directory=True)


def wrong_group_name(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, name, groupname=b"csi-vol-group-" + wreck.uuid().encode())
    _expect_attribute(wreck, FindingKind.WRONG_GROUP_NAME, group_uuid, name, "csi.groupname")


def missing_group_name(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, name, without=("csi.groupname",))
    _expect_attribute(wreck, FindingKind.MISSING_ATTRIBUTE, group_uuid, name, "csi.groupname")


def no_creation_time(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, name, without=("csi.creationtime",))
    _expect_attribute(wreck, FindingKind.UNREADABLE_TIME, group_uuid, name, "csi.creationtime")


def unreadable_attributes(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.group(group_uuid, name, creationtime=b"\xff yesterday", groupname=b"")
    _expect_attribute(wreck, FindingKind.MISSING_ATTRIBUTE, group_uuid, name, "csi.groupname")
    _expect_attribute(wreck, FindingKind.UNREADABLE_TIME, group_uuid, name, "csi.creationtime")


def _expect_attribute(
    wreck: Wreck, kind: FindingKind, group_uuid: str, name: str, key: str
) -> None:
    wreck.expect(kind, group_uuid, key=key, request_name=name, of_entry=False)


def invalid_request_names(wreck: Wreck) -> None:
    for name in (f"\x01{wreck.name()}", wreck.name() + "x" * 128):
        group_uuid = wreck.healthy(name)
        wreck.expect(
            FindingKind.INVALID_REQUEST_NAME, group_uuid, request_name=name, in_directory=True
        )


def invalid_request_name_that_dangles(wreck: Wreck) -> None:
    name, group_uuid = f"{wreck.name()}\x7f", wreck.uuid()
    wreck.entry(name, group_uuid)
    wreck.expect(FindingKind.DANGLING_ENTRY, group_uuid, request_name=name, automatic=True)
    wreck.loses_entry(name)
    wreck.expect(FindingKind.INVALID_REQUEST_NAME, group_uuid, request_name=name, in_directory=True)
    wreck.left.pop()


def unknown_keys(wreck: Wreck) -> None:
    lease = Lease((wreck.uuid(),), since=LONG_AGO)
    unknown = {
        f"note {wreck.name()}": b"\xff",
        f"csi.lease.{wreck.uuid()}": lease.value,
        f"csi.lease.revoked.{wreck.uuid()}": b"[" * 100_000,
        lease.key: b'{"since": 7, "uuids": []}',
    }
    for key, value in unknown.items():
        wreck.put(key, value)
        wreck.expect(FindingKind.UNKNOWN_KEY, key=key, in_directory=True)


def stale_lease(wreck: Wreck) -> None:
    used = wreck.healthy(members=MEMBERS)
    _expect_stale(wreck, wreck.lease(wreck.uuid(), used, wreck.uuid()))


def stale_lease_of_a_client_that_died_in_reserve(wreck: Wreck) -> None:
    name, group_uuid, used = wreck.name(), wreck.uuid(), wreck.healthy()
    wreck.group(group_uuid, name)
    _expect_stale(wreck, wreck.lease(used, group_uuid, wreck.uuid()))
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def stale_lease_of_a_young_group(wreck: Wreck) -> None:
    """Whoever makes it is refused once the lease is revoked: so it goes whatever its age."""
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.group(group_uuid, name, young=True)
    _expect_stale(wreck, wreck.lease(group_uuid))
    wreck.is_in_the_making(deep_only=True)
    wreck.goes(group_uuid)


def stale_lease_of_a_group_with_members(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.group(group_uuid, name, members=MEMBERS)
    _expect_stale(wreck, wreck.lease(group_uuid))
    wreck.expect_unentered(FindingKind.DETACHED_GROUP, group_uuid, name)


def lease_revoked_long_ago(wreck: Wreck) -> None:
    name, group_uuid = wreck.name(), wreck.uuid()
    wreck.group(group_uuid, name)
    lease = wreck.lease(wreck.uuid(), group_uuid, revoked=True)
    wreck.expect(FindingKind.STALE_LEASE, key=lease.key, in_directory=True, automatic=True)
    wreck.loses(lease.key)
    wreck.expect_unentered(FindingKind.ORPHAN_GROUP, group_uuid, name)


def leases_in_use(wreck: Wreck) -> None:
    wreck.lease(wreck.uuid(), wreck.healthy(), since=NOW)
    wreck.lease(wreck.uuid(), since=NOW, revoked=True)


def _expect_stale(wreck: Wreck, lease: Lease) -> None:
    wreck.expect(FindingKind.STALE_LEASE, key=lease.key, in_directory=True, automatic=True)
    wreck.is_revoked(lease)


DAMAGES: dict[str, Callable[[Wreck], None]] = {
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
        revived_group,
        young_revived_group,
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


def every_damage() -> Wreck:
    """One wreck that has it all, in two instances."""
    wreck = Wreck()
    for damage in DAMAGES:
        wreck.add(damage, "default")
        wreck.add(damage, INSTANCES[-1])
    return wreck


def wrecks() -> st.SearchStrategy[Wreck]:
    """Damage in any mixture, in any of the instances."""
    damage = st.tuples(st.sampled_from(sorted(DAMAGES)), st.sampled_from(INSTANCES))
    return st.lists(damage, max_size=12).map(_wreck_of)


def _wreck_of(damages: list[tuple[str, str]]) -> Wreck:
    wreck = Wreck()
    for damage, instance_id in damages:
        wreck.add(damage, instance_id)
    return wreck
