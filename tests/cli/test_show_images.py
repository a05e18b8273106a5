"""`show` on volumes and snapshots, and on what lies around them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.conftest import CLI
from cli.damage import damage, entries, group, uuid
from cluster import ThrowawayCluster
from csijournal import Handle, SnapshotJournal, VolumeGroupJournal, VolumeJournal
from csijournal.check.referrers import Search
from csijournal.cli.following import tell_all
from csijournal.cli.options import Settings
from csijournal.cli.told import told_as_json
from csijournal.store.memory import MemoryStore
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from support.counting import CountingStore
from support.places import Omaps, fill
from support.rbd_pool import RBDPool

PV = "pvc-2b0ed4e7-6f1c-4f6e-9d0a-3c1b0b3d8a51"
VOLUME, SNAPSHOT, GROUP, SHALLOW = uuid(1), uuid(2), uuid(3), uuid(4)


def handle(object_uuid: str) -> str:
    return f"0001-0009-rook-ceph-0000000000000002-{object_uuid}"


def volume(request_name: str, number: int, **keys: str) -> Omaps:
    """The record of a volume."""
    keys = {"csi.volname": request_name, "csi.imagename": f"csi-vol-{uuid(number)}"} | keys
    return {VOLUMES.record_object(uuid(number)): keys}


def snapshot(request_name: str, number: int, source: str, **keys: str) -> Omaps:
    """The record of a snapshot."""
    keys = {
        "csi.snapname": request_name,
        "csi.imagename": f"csi-snap-{uuid(number)}",
        "csi.source": source,
    } | keys
    return {SNAPSHOTS.record_object(uuid(number)): keys}


def volumes(**uuids: str) -> Omaps:
    """The directory of volumes."""
    return {
        VOLUMES.directory_object("default"): {
            VOLUMES.entry_key(name): value for name, value in uuids.items()
        }
    }


def snapshots(**uuids: str) -> Omaps:
    """The directory of snapshots."""
    return {
        SNAPSHOTS.directory_object("default"): {
            SNAPSHOTS.entry_key(name): value for name, value in uuids.items()
        }
    }


AROUND: Omaps = (
    volumes(**{PV: VOLUME, "pvc-shallow": SHALLOW})
    | snapshots(**{"snapshot-1": SNAPSHOT})
    | entries(**{"groupsnapshot-1": GROUP})
    | volume(
        PV,
        1,
        **{
            "csi.imageid": "10ab12cd34ef",
            "csi.volume.owner": "shop",
            "csi.volume.encryptKMS": "vault",
            "csi.volume.encryptionType": "block",
            "csi.nfs.cluster": "nfs-a",
        },
    )
    | volume("pvc-shallow", 4, **{"csi.volume.backingsnapshotid": handle(SNAPSHOT)})
    | snapshot("snapshot-1", 2, f"csi-vol-{VOLUME}", **{"": "shop"})
    | group("groupsnapshot-1", 3, **{handle(VOLUME): handle(SNAPSHOT)})
)
"""A volume, a snapshot of it, the group that holds both, and a volume that reads the snapshot."""


def shown(cli: CLI, *arguments: str, code: int = 0) -> list[Any]:
    return [json.loads(line) for line in cli("show", *arguments, "-o", "json", code=code).lines]


def related(answer: Any, field: str) -> list[tuple[str, str, str, bool]]:  # noqa: ANN401 - JSON
    return [(one["how"], one["journal"], one["uuid"], one["found"]) for one in answer[field]]


# Finding it


@pytest.mark.parametrize(
    ("what", "how"),
    [
        (PV, "request name"),
        (VOLUME, "volume UUID"),
        (f"csi-vol-{VOLUME}", "image name"),
        (f"csi.volume.{VOLUME}", "name of a volume object"),
        (handle(VOLUME), "CSI handle"),
    ],
)
def test_a_volume_is_found_by_each_of_its_names_with_the_group_and_snapshots_around_it(
    cli: CLI, what: str, how: str
) -> None:
    damage(cli, AROUND)

    (answer,) = shown(cli, what)

    assert answer.pop("age_seconds") > 10**6
    assert related(answer, "refers_to") == []
    assert related(answer, "referred_to_by") == [
        ("member", "groups", GROUP, True),
        ("source", "snapshots", SNAPSHOT, True),
    ]
    del answer["refers_to"], answer["referred_to_by"]
    assert answer == {
        "journal": "volumes",
        "uuid": VOLUME,
        "request_name": PV,
        "image_name": f"csi-vol-{VOLUME}",
        "image_id": "10ab12cd34ef",
        "owner": "shop",
        "kms_id": "vault",
        "encryption_type": "block",
        "group_id": None,
        "source_name": None,
        "backing_snapshot_id": None,
        "journal_pool_id": None,
        "pool_id": None,
        "attributes": {"nfs.cluster": "nfs-a"},
        "instance": "default",
        "found_as": [how],
        "entries": [PV],
        "unreadable": [],
        "state": ["ok"],
        "judgements": [],
        "searched": {"journals": ["groups", "snapshots"], "complete": True},
    }


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("snapshot-1", "request name"),
        (SNAPSHOT, "snapshot UUID"),
        (f"csi-snap-{SNAPSHOT}", "snapshot name"),
        (f"csi.snap.{SNAPSHOT}", "name of a snapshot object"),
        (handle(SNAPSHOT), "CSI handle"),
    ],
)
def test_a_snapshot_is_found_by_each_of_its_names_with_its_source_and_its_group(
    cli: CLI, what: str, how: str
) -> None:
    damage(cli, AROUND)

    (answer,) = shown(cli, what)

    assert (answer["journal"], answer["uuid"], answer["found_as"]) == ("snapshots", SNAPSHOT, [how])
    assert related(answer, "refers_to") == [("source", "volumes", VOLUME, True)]
    assert related(answer, "referred_to_by") == [("member", "groups", GROUP, True)]


def test_a_volume_is_told_to_people_with_all_that_its_record_says(cli: CLI) -> None:
    damage(cli, AROUND)

    result = cli("show", PV)

    changed = [line for line in result.lines if line.startswith("last change")]
    assert len(changed) == 1
    assert [line for line in result.lines if line not in changed] == [
        "found as       request name",
        f"request name   {PV}",
        f"volume UUID    {VOLUME}",
        f"image name     csi-vol-{VOLUME}",
        "image id       10ab12cd34ef",
        "owner          shop",
        "KMS            vault",
        "encryption     block",
        "attribute      csi.nfs.cluster = nfs-a",
        f"entries        {PV}",
        "state          in order",
        "",
        "REFERRED TO BY",
        f"  member  group csi-vol-group-{GROUP}, request name groupsnapshot-1",
        f"  source  snapshot csi-snap-{SNAPSHOT}, request name snapshot-1",
    ]
    assert result.err == ""


def test_a_group_names_the_volumes_and_snapshots_that_it_holds(cli: CLI) -> None:
    gone = handle(uuid(9))
    damage(
        cli, AROUND | group("groupsnapshot-1", 3, **{handle(VOLUME): handle(SNAPSHOT), gone: ""})
    )

    (answer,) = shown(cli, GROUP)
    assert related(answer, "refers_to") == [
        ("member", "volumes", VOLUME, True),
        ("member's snapshot", "snapshots", SNAPSHOT, True),
        ("member", "volumes", uuid(9), False),
    ]
    result = cli("show", "groupsnapshot-1")
    assert f"  member             volume csi-vol-{VOLUME}, request name {PV}" in result.lines
    assert f"  member             {gone}, and this pool or file has no record of it" in result.lines


def test_the_group_of_a_cephfs_member_snapshot_is_known_by_its_name_alone(cli: CLI) -> None:
    name = f"csi-vol-group-{GROUP}-{handle(VOLUME)}"
    damage(
        cli,
        AROUND
        | snapshots(**{name: SNAPSHOT})
        | snapshot(name, 2, f"csi-vol-{VOLUME}")
        | entries(**{"groupsnapshot-1": GROUP})
        | group("groupsnapshot-1", 3),
    )

    (answer,) = shown(cli, handle(SNAPSHOT))

    assert related(answer, "refers_to") == [
        ("source", "volumes", VOLUME, True),
        ("group", "groups", GROUP, True),
    ]
    assert answer["searched"]["journals"] == [], "no group needs to be searched for"


def test_what_was_not_searched_is_said_and_the_printed_command_searches_it(cli: CLI) -> None:
    damage(cli, AROUND)

    said = cli("show", "snapshot-1").err
    assert "not searched for what refers to it: the journal of volumes" in said
    assert "csijournal show --referrers snapshot-1" in said

    result = cli("show", "--referrers", "snapshot-1")
    assert f"  backing snapshot  volume csi-vol-{SHALLOW}, request name pvc-shallow" in result.lines
    assert result.err == ""


def test_a_name_that_two_journals_know_is_told_of_both(cli: CLI) -> None:
    damage(
        cli,
        volumes(same=VOLUME)
        | volume("same", 1)
        | snapshots(same=SNAPSHOT)
        | snapshot("same", 2, "csi-vol-x"),
    )

    assert [answer["journal"] for answer in shown(cli, "same")] == ["volumes", "snapshots"]
    assert [answer["uuid"] for answer in shown(cli, "same", "--journal", "snapshots")] == [SNAPSHOT]


def test_a_deleted_source_leads_to_the_snapshots_and_groups_that_name_it(cli: CLI) -> None:
    damage(
        cli,
        snapshots(s=SNAPSHOT)
        | snapshot("s", 2, f"csi-vol-{VOLUME}")
        | entries(g=GROUP)
        | group("g", 3, **{handle(VOLUME): ""}),
    )

    first, second = shown(cli, handle(VOLUME))

    assert (first["uuid"], first["found_as"]) == (GROUP, [f"member {handle(VOLUME)}"])
    assert (second["uuid"], second["found_as"]) == (SNAPSHOT, [f"source csi-vol-{VOLUME}"])
    assert related(second, "refers_to") == [("source", "volumes", VOLUME, False)]


def test_an_entry_whose_volume_is_gone_is_told_of_by_the_name_of_its_image(cli: CLI) -> None:
    damage(cli, {name: keys for name, keys in AROUND.items() if name != f"csi.volume.{VOLUME}"})

    (answer,) = shown(cli, f"csi-vol-{VOLUME}", code=3)

    assert answer["state"] == ["dangling-entry"]
    assert answer["entries"] == [PV]


# The choice of journals


def test_with_the_variable_groups_are_all_that_is_looked_at(cli: CLI) -> None:
    damage(cli, AROUND)
    only = {"CSIJOURNAL_JOURNAL": "groups"}

    assert cli.refused("show", PV, code=3, environment=only)
    found = cli("show", handle(VOLUME), "-o", "json", environment=only).json
    assert found["found_as"] == [f"member {handle(VOLUME)}"]
    assert found["refers_to"] == []
    named = cli("show", PV, "--journal", "all", "-o", "json", environment=only)
    assert named.json["uuid"] == VOLUME, "the option goes before the variable"


def test_a_journal_that_does_not_exist_is_refused_by_option_and_by_variable(cli: CLI) -> None:
    damage(cli, AROUND)

    assert "'nfs' is not one of" in cli.refused("show", PV, "--journal", "nfs")
    said = cli.refused("show", PV, environment={"CSIJOURNAL_JOURNAL": "nfs"})
    assert "CSIJOURNAL_JOURNAL is 'nfs': it may be volumes, snapshots, groups, all" in said


# What is wrong with it


@pytest.mark.parametrize(
    ("omaps", "state", "code"),
    [
        (volumes(n=uuid(5)), "dangling-entry", 3),
        (volumes(n=uuid(5)) | {f"csi.volume.{uuid(5)}": {}}, "unpopulated-record", 6),
        (
            volumes(n=uuid(5)) | {f"csi.volume.{uuid(5)}": {"csi.imageid": "1"}},
            "nameless-record",
            6,
        ),
        (volumes(n=uuid(5)) | volume("other", 5), "name-mismatch", 6),
        (volumes(n=uuid(5), other=uuid(5)) | volume("other", 5), "shared-uuid", 6),
        (volumes(n="no UUID"), "corrupt-entry", 6),
        (volumes(n=f"{7:016x}/{uuid(5)}"), "split-record", 6),
        (
            volumes(n=uuid(5)) | volume("n", 5, **{"csi.imagename": "data"}),
            "wrong-name",
            0,
        ),
        (
            snapshots(n=uuid(5))
            | {f"csi.snap.{uuid(5)}": {"csi.snapname": "n", "csi.imageid": "1"}},
            "source-lost",
            0,
        ),
    ],
)
def test_each_thing_that_is_wrong_has_a_state_and_an_exit_code(
    cli: CLI, omaps: Omaps, state: str, code: int
) -> None:
    damage(cli, omaps)
    before = cli.dump()

    (answer,) = shown(cli, "n", code=code)

    assert answer["state"] == [state]
    assert cli("show", "n", code=code).out
    assert cli.dump() == before


def test_a_record_without_an_entry_is_found_by_its_uuid(cli: CLI) -> None:
    damage(cli, volume("lost", 5) | {f"csi.snap.{uuid(6)}": {}})

    assert shown(cli, uuid(5))[0]["state"] == ["detached-record"]
    assert shown(cli, uuid(6), code=6)[0]["state"] == ["empty-record"]


def test_a_volume_whose_attributes_lie_beside_its_split_entry_is_read(cli: CLI) -> None:
    damage(cli, volumes(n=f"{7:016x}/{uuid(5)}") | volume("n", 5, **{"csi.journalpool": "07"}))

    (answer,) = shown(cli, uuid(5))
    assert (answer["entries"], answer["state"]) == (["n"], ["ok"])


def test_a_handle_that_stands_for_another_since_a_failover_is_told_with_what_it_leads_to(
    cli: CLI,
) -> None:
    new = f"0001-0005-siteB-0000000000000007-{VOLUME}"
    damage(cli, AROUND | volumes(**{PV: VOLUME, handle(uuid(8)): new}))

    first, second = shown(cli, handle(uuid(8)))

    assert (first["state"], first["mapped_to"]) == (["mapping"], new)
    assert (second["uuid"], second["found_as"]) == (VOLUME, ["the handle that stands for it now"])
    assert f"stands for     {new}" in cli("show", handle(uuid(8))).lines


# Its cost


@pytest.fixture(scope="module")
def large() -> CountingStore:
    """A pool with 100,000 volumes, one of which has a snapshot and a group around it."""
    store = MemoryStore()
    numbers = range(1000, 101_000)
    directory = VOLUMES.directory_object("default")
    names = {VOLUMES.entry_key(f"pvc-{n:06}"): uuid(n) for n in numbers}
    many: Omaps = {}
    for n in numbers:
        many.update(volume(f"pvc-{n:06}", n))
    fill(store, AROUND | many | {directory: AROUND[directory] | names})
    return CountingStore(store)


@pytest.mark.parametrize("what", [PV, VOLUME, f"csi-vol-{VOLUME}", handle(VOLUME)])
def test_among_100_000_volumes_one_is_found_with_all_around_it_without_a_listing(
    large: CountingStore, what: str
) -> None:
    large.take()

    told, search = tell_all(large, Settings(), what, referrers=False)

    assert [one.story.uuid for one in told if one.story] == [VOLUME]
    assert [one.schema.journal for one in told[0].referred_to_by] == ["groups", "snapshots"]
    assert isinstance(search, Search)
    paged = [call.object_name for call in large.calls if call.verb == "read_page"]
    assert "object_names" not in [call.verb for call in large.calls]
    assert VOLUMES.directory_object("default") not in paged
    assert len(large.calls) < 40


def test_the_owner_of_a_cephfs_snapshot_is_read_from_under_the_empty_key(
    large: CountingStore,
) -> None:
    ((answer,), _search) = tell_all(large, Settings(), SNAPSHOT, referrers=False)

    assert told_as_json(answer)["owner"] == "shop"


def test_among_100_000_volumes_a_name_that_is_not_there_is_searched_for(
    large: CountingStore,
) -> None:
    told, search = tell_all(large, Settings(), "no-such-name", referrers=False)

    assert told == []
    assert search.records > 1000


# On a cluster


@pytest.mark.ceph
def test_on_a_cluster_a_volume_is_found_by_its_handle_alone_with_all_around_it(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    ceph.create_pool("show-images")
    conf = ["-c", str(ceph.conf)]
    with RADOSStore("show-images", conf=ceph.conf) as store:
        made = VolumeJournal(store).reserve_name(PV, owner="shop")
        VolumeJournal(store).put_image_id(made.uuid, PV, "10ab12cd34ef")
        cut = SnapshotJournal(store, owner_key="").reserve_name(
            "snapshot-1", source_name=made.image_name, owner="shop"
        )
        volume_handle = str(Handle("c", store.pool_id, made.uuid))
        snapshot_handle = str(Handle("c", store.pool_id, cut.uuid))
        groups = VolumeGroupJournal(store)
        held = groups.reserve_name("groupsnapshot-1")
        groups.add_volumes_mapping(held.group_uuid, {volume_handle: snapshot_handle})

    (answer,) = shown(cli, volume_handle, *conf)

    assert (answer["request_name"], answer["image_id"], answer["owner"]) == (
        *(PV, "10ab12cd34ef"),
        "shop",
    )
    assert answer["looked_in"]["pool"] == "show-images"
    assert related(answer, "referred_to_by") == [
        ("member", "groups", held.group_uuid, True),
        ("source", "snapshots", cut.uuid, True),
    ]
    for what in (PV, made.image_name, made.uuid):
        (again,) = shown(cli, what, *conf, "-p", "show-images", "--referrers")
        assert related(again, "referred_to_by") == related(answer, "referred_to_by")
    (answer,) = shown(cli, snapshot_handle, *conf)
    assert answer["owner"] == "shop", "it lies under the empty key"


@pytest.mark.ceph
def test_a_volume_whose_record_lies_in_another_pool_is_shown_with_that_pool(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    ceph.create_pool("show-journal")
    ceph.create_pool("show-data")
    where = ["-c", str(ceph.conf), "-p", "show-journal"]
    with (
        RADOSStore("show-journal", conf=ceph.conf) as journal,
        RADOSStore("show-data", conf=ceph.conf) as data,
    ):
        pool_id = data.pool_id
        fill(journal, volumes(n=f"{pool_id:016x}/{VOLUME}", gone=f"{pool_id:016x}/{SNAPSHOT}"))
        fill(data, volume("n", 1, **{"csi.journalpool": f"{journal.pool_id:016x}"}))

    (answer,) = shown(cli, "n", *where)
    assert (answer["uuid"], answer["pool_id"], answer["state"]) == (VOLUME, pool_id, ["ok"])
    assert f"record in      pool id {pool_id}" in cli("show", "n", *where).lines
    assert shown(cli, "gone", *where, code=6)[0]["state"] == ["split-record"]
    (answer,) = shown(cli, VOLUME, "-c", str(ceph.conf), "-p", "show-data")
    assert (answer["journal_pool_id"], answer["state"]) == (int(answer["journal_pool_id"]), ["ok"])


@pytest.mark.ceph
def test_a_volume_in_two_pools_is_shown_whole_from_either_by_its_uuid_and_image_name(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    ceph.create_pool("show-entries")
    ceph.create_pool("show-records")
    with (
        RADOSStore("show-entries", conf=ceph.conf) as journal,
        RADOSStore("show-records", conf=ceph.conf) as data,
    ):
        fill(journal, volumes(n=f"{data.pool_id:016x}/{VOLUME}"))
        fill(data, volume("n", 1, **{"csi.journalpool": f"{journal.pool_id:016x}"}))

    for pool in ("show-entries", "show-records"):
        for what in (VOLUME, f"csi-vol-{VOLUME}"):
            (answer,) = shown(cli, what, "-c", str(ceph.conf), "-p", pool)
            assert (answer["uuid"], answer["entries"]) == (VOLUME, ["n"]), (pool, what)
            assert (answer["request_name"], answer["state"]) == ("n", ["ok"])


@pytest.mark.ceph
def test_what_is_not_there_is_told_with_the_namespaces_that_hold_journals(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    ceph.create_pool("show-spaces")
    RBDPool(ceph, "show-spaces").rbd("namespace", "create", "show-spaces/tenant")
    RBDPool(ceph, "show-spaces").rbd("namespace", "create", "show-spaces/empty")
    for namespace in ("tenant", "of-config", "hidden"):
        with RADOSStore("show-spaces", namespace, conf=ceph.conf) as store:
            VolumeJournal(store).reserve_name(PV)
    entry = {"clusterID": "c", "monitors": ceph.monitors, "rbd": {"radosNamespace": "of-config"}}
    (cli.folder / "config.json").write_text(json.dumps([entry]))
    with RADOSStore("show-spaces", conf=ceph.conf) as store:
        pool_id = store.pool_id
    login = ["--csi-config", "config.json", "--cluster-id", "c", "--keyring", str(ceph.keyring)]

    said = cli.refused("show", PV, *login, "-p", "show-spaces", "-N", "empty", code=3)

    assert f"Looked in rados://show-spaces/empty (pool id {pool_id}), instance default" in said
    assert "in the journals of volumes, snapshots, groups" in said
    assert "Namespaces of this pool that hold journals: 'tenant', 'of-config'." in said
    said = cli.refused("show", PV, "-c", str(ceph.conf), "-p", "show-spaces", code=3)
    assert f"rados://show-spaces (pool id {pool_id}, default namespace)" in said
    assert "hold journals: 'tenant'." in said
