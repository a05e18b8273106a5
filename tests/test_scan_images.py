"""What verify finds in the journals of volumes and snapshots, and between records of all three.

Each row is one state of a pool and all that must be found in it.  What repair
may decide alone is then gone, and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import ThrowawayCluster
from csijournal import Store
from csijournal.check.compare_places import Across
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Depth, Verifier
from csijournal.inventory.contract import NoInventory
from csijournal.repair.apply import Repairer
from csijournal.store.memory import MemoryStore
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.schema import SCHEMAS
from csijournal.wire.timestamps import Timestamp
from support.journals import uuid_number
from support.places import LONG_AGO_NS, MemoryPlace, Omaps, Place, SQLitePlace, dump, fill
from support.verified import look

NOW = Timestamp(LONG_AGO_NS + 10**9 * 24 * 3600)
VOLUME, SNAPSHOT, GROUP = (uuid_number(number) for number in (0xA, 0xB, 0xC))
OTHER, GONE = uuid_number(0xD), uuid_number(0xE)
CLUSTER = "4f1b"


def handle(uuid: str, pool_id: int = 1) -> str:
    return f"0001-{len(CLUSTER):04x}-{CLUSTER}-{pool_id:016x}-{uuid}"


def joined(*parts: Omaps) -> Omaps:
    whole: Omaps = {}
    for part in parts:
        for name, entries in part.items():
            whole.setdefault(name, {}).update(entries)
    return whole


def volume_entry(name: str, value: str) -> Omaps:
    return {"csi.volumes.default": {f"csi.volume.{name}": value}}


def snapshot_entry(name: str, value: str) -> Omaps:
    return {"csi.snaps.default": {f"csi.snap.{name}": value}}


def volume(name: str, uuid: str, **more: str) -> Omaps:
    """A whole record; a `more` of "" takes an attribute away."""
    given = {"csi.volname": name, "csi.imagename": f"csi-vol-{uuid}", **_keys(more)}
    return {f"csi.volume.{uuid}": {key: value for key, value in given.items() if value}}


def snapshot(name: str, uuid: str, source: str = VOLUME, **more: str) -> Omaps:
    given = {
        "csi.snapname": name,
        "csi.imagename": f"csi-snap-{uuid}",
        "csi.source": f"csi-vol-{source}" if source else "",
        **_keys(more),
    }
    return {f"csi.snap.{uuid}": {key: value for key, value in given.items() if value}}


def group(name: str, uuid: str, members: Mapping[str, str]) -> Omaps:
    attributes = {
        "csi.volname": name,
        "csi.groupname": f"csi-vol-group-{uuid}",
        "csi.creationtime": str(Timestamp(LONG_AGO_NS)),
    }
    return {
        "csi.groups.default": {f"csi.volume.group.{name}": uuid},
        f"csi.volume.group.{uuid}": {**attributes, **members},
    }


def _keys(more: Mapping[str, str]) -> dict[str, str]:
    return {f"csi.{key.replace('_', '.')}": value for key, value in more.items()}


HEALTHY = joined(
    volume_entry("pvc-1", VOLUME),
    volume("pvc-1", VOLUME, imageid="10ab", volume_owner="web"),
    snapshot_entry("snapshot-1", SNAPSHOT),
    snapshot("snapshot-1", SNAPSHOT, imageid="10ac"),
    group("group-1", GROUP, {handle(VOLUME): handle(SNAPSHOT)}),
)


class Case(NamedTuple):
    """A state: what is put beside what is healthy, and the findings; True where automatic."""

    omaps: Omaps
    found: dict[FindingKind, bool]


Kind = FindingKind
CASES = {
    "nothing else": Case({}, {}),
    "a volume's entry without a record": Case(
        volume_entry("gone", GONE), {Kind.DANGLING_ENTRY: True}
    ),
    "a snapshot's entry without a record": Case(
        snapshot_entry("gone", GONE), {Kind.DANGLING_ENTRY: True}
    ),
    "an entry and an empty record": Case(
        joined(volume_entry("making", OTHER), {f"csi.volume.{OTHER}": {}}),
        {Kind.UNPOPULATED_RECORD: True},
    ),
    "an entry and a record without its name": Case(
        joined(volume_entry("lost", OTHER), volume("", OTHER, volume_owner="web")),
        {Kind.NAMELESS_RECORD: False},
    ),
    "a snapshot's record without its name": Case(
        joined(snapshot_entry("lost", OTHER), snapshot("", OTHER)), {Kind.NAMELESS_RECORD: False}
    ),
    "a record without an entry": Case(volume("pvc-2", OTHER), {Kind.ORPHAN_RECORD: True}),
    "a snapshot's record without an entry": Case(
        snapshot("snapshot-2", OTHER), {Kind.ORPHAN_RECORD: True}
    ),
    "a record without an entry that a group names": Case(
        joined(volume("pvc-2", OTHER), group("group-2", uuid_number(0x20), {handle(OTHER): ""})),
        {Kind.ORPHAN_RECORD: False},
    ),
    "a record without an entry of which there is a snapshot": Case(
        joined(
            volume("pvc-2", OTHER),
            snapshot_entry("snapshot-2", GONE),
            snapshot("snapshot-2", GONE, OTHER),
        ),
        {Kind.ORPHAN_RECORD: False},
    ),
    "an empty record without an entry": Case({f"csi.snap.{OTHER}": {}}, {Kind.EMPTY_RECORD: True}),
    "a record that a late call made": Case(
        {f"csi.volume.{OTHER}": {"csi.imageid": "10ad"}}, {Kind.PARTIAL_RECORD: True}
    ),
    "a record with an NFS cluster alone": Case(
        {f"csi.volume.{OTHER}": {"csi.nfs.cluster": "nfs"}}, {Kind.PARTIAL_RECORD: True}
    ),
    "a nameless record without an entry": Case(
        volume("", OTHER, volume_owner="web"), {Kind.DETACHED_RECORD: False}
    ),
    "an entry that leads to another name's record": Case(
        joined(
            volume_entry("pvc-2", OTHER),
            volume("pvc-3", OTHER),
        ),
        {Kind.NAME_MISMATCH: False},
    ),
    "two names of one record": Case(volume_entry("taker", VOLUME), {Kind.SHARED_UUID: True}),
    "an entry that holds no UUID": Case(
        volume_entry("odd", "no UUID"), {Kind.CORRUPT_ENTRY: False}
    ),
    "a mapping of handles": Case(
        volume_entry(handle(OTHER, 7), handle(VOLUME)), {Kind.MAPPING: False}
    ),
    "a name that is too long": Case(
        joined(volume_entry("x" * 129, OTHER), volume("x" * 129, OTHER)),
        {Kind.INVALID_REQUEST_NAME: False},
    ),
    "a member's snapshot of CephFS, whose name may be longer": Case(
        joined(snapshot_entry("x" * 179, OTHER), snapshot("x" * 179, OTHER)), {}
    ),
    "an image name without its UUID": Case(
        joined(volume_entry("pvc-2", OTHER), volume("pvc-2", OTHER, imagename="vol-2")),
        {Kind.WRONG_NAME: False},
    ),
    "no image name": Case(
        joined(volume_entry("pvc-2", OTHER), volume("pvc-2", OTHER, imagename="")),
        {Kind.MISSING_ATTRIBUTE: False},
    ),
    "a snapshot without its source": Case(
        joined(snapshot_entry("snapshot-2", OTHER), snapshot("snapshot-2", OTHER, "")),
        {Kind.SOURCE_LOST: False},
    ),
    "a journal pool that is no number": Case(
        joined(volume_entry("pvc-2", OTHER), volume("pvc-2", OTHER, journalpool="rbd")),
        {Kind.SPLIT_RECORD: False},
    ),
    "a member without a record": Case(
        group("group-2", OTHER, {handle(GONE): ""}), {Kind.MEMBER_WITHOUT_RECORD: False}
    ),
    "a member's snapshot without a record": Case(
        group("group-2", OTHER, {handle(VOLUME): handle(GONE)}),
        {Kind.MEMBER_WITHOUT_RECORD: False},
    ),
    "a member that was deleted before its group snapshot": Case(
        group("group-2", OTHER, {handle(GONE): handle(SNAPSHOT)}), {}
    ),
    "a volume of a group that is gone": Case(
        joined(volume_entry("pvc-2", OTHER), volume("pvc-2", OTHER, groupid=handle(GONE))),
        {Kind.RECORD_NAMES_MISSING_GROUP: False},
    ),
    "a source that was deleted before its snapshot": Case(
        joined(snapshot_entry("snapshot-2", OTHER), snapshot("snapshot-2", OTHER, GONE)), {}
    ),
    "a key that is neither an entry nor a lease": Case(
        {"csi.volumes.default": {"note": "x"}}, {Kind.UNKNOWN_KEY: False}
    ),
    "shards of a directory": Case(
        joined(
            {"csi.volumes.default.3": {"csi.volume.pvc-2": OTHER}},
            volume("pvc-2", OTHER),
        ),
        {Kind.SHARDED_DIRECTORY: False},
    ),
}


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place without images: what stands behind records has tests with real ones."""
    return MemoryPlace() if request.param == "memory" else SQLitePlace(tmp_path / "journal.db")


def found_in(store: Store) -> list[Finding]:
    return look(store, journals=SCHEMAS, clock=lambda: NOW)[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_state_has_its_finding_and_repair_ends_what_is_certain(
    place: Place, case: Case, tmp_path: Path
) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, joined(HEALTHY, case.omaps))
    found = found_in(store)
    assert {one.kind: one.automatic for one in found} == case.found
    assert len(found) == len(case.found)

    Repairer(store, clock=lambda: NOW).repair(found, tmp_path / "backup")

    left = {one.kind for one in found_in(store)}
    assert left == {kind for kind, automatic in case.found.items() if not automatic}
    after = dump(store)
    for name, entries in HEALTHY.items():
        assert entries.items() <= after[name].items()
    if not any(case.found.values()):
        assert after == joined(HEALTHY, case.omaps)


def test_a_volume_in_two_groups_is_told_of_both() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    groups = [group(f"group-{n}", uuid_number(n), {handle(VOLUME): ""}) for n in (0x21, 0x22)]
    fill(store, joined(HEALTHY, *groups))
    found = found_in(store)
    assert [one.kind for one in found] == [FindingKind.IN_TWO_GROUPS] * 2
    assert {one.uuid for one in found} == {uuid_number(0x21), uuid_number(0x22)}


def test_a_snapshots_dangling_entry_is_a_warning_and_a_volumes_an_error() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    fill(store, joined(volume_entry("v", GONE), snapshot_entry("s", GONE)))
    grave = {one.journal: one.severity for one in found_in(store)}
    assert grave == {"volumes": Severity.ERROR, "snapshots": Severity.WARNING}


def test_a_missing_member_comes_with_the_command_that_removes_it() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    fill(store, joined(HEALTHY, group("group-2", OTHER, {handle(GONE): ""})))
    (finding,) = found_in(store)
    assert finding.commands == (("remove", f"csi-vol-group-{OTHER}", handle(GONE)),)


def test_a_name_that_two_instances_hold_for_two_records_is_told() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    theirs = {"csi.volumes.other": {"csi.volume.pvc-1": OTHER}}
    fill(store, joined(HEALTHY, theirs, volume("pvc-1", OTHER)))
    (finding,) = found_in(store)
    assert (finding.kind, finding.uuid) == (FindingKind.TWICE_RESERVED, OTHER)
    assert "'default' holds this name for another record" in finding.found


@pytest.mark.ceph
def test_one_uuid_in_two_namespaces_and_an_nfs_drivers_attribute_are_told(
    ceph: ThrowawayCluster,
) -> None:
    pool = "two-namespaces"
    ceph.create_pool(pool, application="rbd")
    own, theirs = volume_entry("pvc-1", VOLUME), volume_entry("pvc-2", OTHER)
    nfs = {f"csi.volume.{OTHER}": {"csi.nfs.cluster": "nfs"}}
    omaps = {
        "": joined(own, volume("pvc-1", VOLUME), theirs, volume("pvc-2", OTHER)),
        "csi": joined(own, volume("pvc-1", VOLUME), nfs),
    }
    across, found = Across(), []
    for namespace, filled in omaps.items():
        with RADOSStore(pool, namespace, conf=str(ceph.conf), clock=lambda: LONG_AGO_NS) as store:
            fill(store, filled)
            verifier = Verifier(
                store,
                inventory=NoInventory(),
                across=across,
                depth=Depth.FULL,
                settle_seconds=0,
                clock=lambda: NOW,
            )
            found.append([(one.kind, one.uuid) for one in verifier.findings()])
    assert found[0] == []
    assert sorted(found[1]) == [
        (FindingKind.NFS_ATTRIBUTE_ELSEWHERE, OTHER),
        (FindingKind.TWICE_RESERVED, VOLUME),
    ]


_DAMAGES = [name for name, case in CASES.items() if case.found]


@given(st.lists(st.sampled_from(_DAMAGES), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_of_any_number_of_damages_each_is_found_and_nothing_else(damages: list[str]) -> None:
    """Each with UUIDs and names of its own, so that none heals or hides another."""
    store = MemoryStore(clock=lambda: LONG_AGO_NS)
    expected: list[FindingKind] = []
    pool: Omaps = HEALTHY
    for number, name in enumerate(damages):
        pool = joined(pool, _renumbered(CASES[name].omaps, number))
        expected += CASES[name].found
    fill(store, pool)
    # All instances have the same shards, which is one finding however often they were made.
    once = {FindingKind.SHARDED_DIRECTORY, FindingKind.UNKNOWN_KEY}
    found = [one.kind for one in found_in(store)]
    wanted = [kind for kind in expected if kind not in once] + list(once & set(expected))
    assert sorted(found) == sorted(wanted)


def _renumbered(omaps: Omaps, number: int) -> Omaps:
    """The same damage with other UUIDs and request names; what is healthy keeps its own."""
    renamed = {
        one: uuid_number(0x1000 + 16 * number + place)
        for place, one in enumerate((OTHER, GONE, uuid_number(0x20)))
    }
    names = {name: f"{name}-{number}" for name in ("pvc-2", "pvc-3", "snapshot-2", "group-2")}
    names |= {name: f"{name}-{number}" for name in ("gone", "making", "lost", "taker", "odd")}

    def changed(text: str) -> str:
        for old, new in {**renamed, **names}.items():
            text = text.replace(old, new)
        return text if len(text) < 100 or "x" * 100 not in text else f"{text}{number}"

    return {
        changed(name): {changed(key): changed(value) for key, value in entries.items()}
        for name, entries in omaps.items()
    }


def _found_in_pool(store: RADOSStore) -> list[tuple[FindingKind, str]]:
    verifier = Verifier(
        store,
        inventory=NoInventory(),
        depth=Depth.FULL,
        settle_seconds=0,
        clock=lambda: NOW,
    )
    return [(one.kind, one.uuid) for one in verifier.findings()]


@pytest.mark.ceph
def test_reservations_in_two_pools_are_in_order_where_the_image_pool_has_the_whole_record(
    ceph: ThrowawayCluster,
) -> None:
    """As older drivers wrote them; the later layout, and a pool that is gone, are not."""
    for pool in ("split-journal", "split-images"):
        ceph.create_pool(pool, application="rbd")
    conf = str(ceph.conf)
    with (
        RADOSStore("split-journal", conf=conf, clock=lambda: LONG_AGO_NS) as journal,
        RADOSStore("split-images", conf=conf, clock=lambda: LONG_AGO_NS) as images,
    ):
        there, here = f"{images.pool_id:016x}", f"{journal.pool_id:016x}"
        fill(
            journal,
            joined(
                volume_entry("whole", f"{there}/{VOLUME}"),
                volume_entry("split", f"{there}/{OTHER}"),
                volume("split", OTHER, journalpool=here),
                volume_entry("gone", f"{there}/{GONE}"),
                volume_entry("no-pool", f"{999:016x}/{SNAPSHOT}"),
            ),
        )
        fill(
            images,
            joined(volume("whole", VOLUME, journalpool=here), {f"csi.volume.{OTHER}": {}}),
        )
        assert sorted(_found_in_pool(journal)) == [
            (FindingKind.DANGLING_ENTRY, GONE),
            (FindingKind.SPLIT_RECORD, SNAPSHOT),
            (FindingKind.SPLIT_RECORD, OTHER),
        ]
        assert _found_in_pool(images) == [(FindingKind.EMPTY_RECORD, OTHER)]


@pytest.mark.ceph
def test_a_group_whose_members_lie_in_another_namespace_is_told(ceph: ThrowawayCluster) -> None:
    pool = "wrong-namespace-of-group"
    ceph.create_pool(pool, application="rbd")
    conf = str(ceph.conf)
    with (
        RADOSStore(pool, "csi", conf=conf, clock=lambda: LONG_AGO_NS) as right,
        RADOSStore(pool, conf=conf, clock=lambda: LONG_AGO_NS) as wrong,
    ):
        fill(right, joined(volume_entry("pvc-1", VOLUME), volume("pvc-1", VOLUME)))
        fill(wrong, group("group-1", GROUP, {handle(VOLUME, wrong.pool_id): ""}))
        assert _found_in_pool(wrong) == [(FindingKind.WRONG_NAMESPACE, GROUP)]
        assert _found_in_pool(right) == []
