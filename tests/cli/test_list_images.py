"""`list` on the journals of volumes and of snapshots."""

from __future__ import annotations

import json

import pytest

from cli.conftest import CLI
from cli.damage import damage, entries, group, uuid
from cli.test_show_images import AROUND, GROUP, PV, SHALLOW, SNAPSHOT, VOLUME, volume, volumes
from cluster import ThrowawayCluster
from csijournal import SnapshotJournal, VolumeJournal
from csijournal.store.rados.pool import RADOSStore


def test_several_journals_are_listed_one_after_the_other_with_a_column_that_names_them(
    cli: CLI,
) -> None:
    damage(cli, AROUND)

    assert cli("list").lines == [
        f"{'UUID':36}  JOURNAL    REQUEST NAME",
        f"{VOLUME}  volumes    {PV}",
        f"{SHALLOW}  volumes    pvc-shallow",
        f"{SNAPSHOT}  snapshots  snapshot-1",
        f"{GROUP}  groups     groupsnapshot-1",
    ]


def test_one_journal_has_no_such_column(cli: CLI) -> None:
    damage(cli, AROUND)
    only = {"CSIJOURNAL_JOURNAL": "groups"}

    assert cli("list", environment=only).lines == [
        f"{'GROUP UUID':36}  REQUEST NAME",
        f"{GROUP}  groupsnapshot-1",
    ]
    assert cli("list", "--journal", "snapshots").lines[0] == f"{'SNAPSHOT UUID':36}  REQUEST NAME"


def test_a_long_list_shows_image_id_owner_and_source(cli: CLI) -> None:
    damage(cli, AROUND)

    rows = [line.split() for line in cli("list", "-l").lines]

    image = ["IMAGE", "IMAGE", "ID", "OWNER"]
    start, end = ["UUID", "JOURNAL", "STATE"], ["REQUEST", "NAME"]
    assert rows == [
        [*start, *image, *end],
        [VOLUME, "volumes", "ok", f"csi-vol-{VOLUME}", "10ab12cd34ef", "shop", PV],
        [SHALLOW, "volumes", "ok", f"csi-vol-{SHALLOW}", "-", "-", "pvc-shallow"],
        [*start, *image, "SOURCE", *end],
        [
            *(SNAPSHOT, "snapshots", "ok", f"csi-snap-{SNAPSHOT}", "-"),
            *(rows[4][5], f"csi-vol-{VOLUME}", "snapshot-1"),
        ],
        [*start, "CREATED", "MEMBERS", *end],
        [GROUP, "groups", "ok", rows[6][3], "1", "groupsnapshot-1"],
    ]


def test_each_row_of_json_carries_its_journal_and_uuid(cli: CLI) -> None:
    damage(cli, AROUND)

    rows = [json.loads(line) for line in cli("list", "-l", "-o", "json").lines]

    assert [(row["journal"], row["uuid"]) for row in rows] == [
        ("volumes", VOLUME),
        ("volumes", SHALLOW),
        ("snapshots", SNAPSHOT),
        ("groups", GROUP),
    ]
    assert rows[0] == {
        "request_name": PV,
        "journal": "volumes",
        "uuid": VOLUME,
        "state": "ok",
        "image_name": f"csi-vol-{VOLUME}",
        "image_id": "10ab12cd34ef",
        "owner": "shop",
        "source_name": None,
    }
    assert rows[2]["source_name"] == f"csi-vol-{VOLUME}"
    assert rows[3]["members"] == 1


def test_the_states_of_volumes_tell_other_pools_and_mappings_from_damage(cli: CLI) -> None:
    old, new = (f"0001-0001-c-000000000000000{n}-{uuid(n)}" for n in (1, 2))
    damage(
        cli,
        volumes(
            **{
                "corrupt": "no UUID",
                "dangling": uuid(5),
                "mismatch": uuid(6),
                "ok": uuid(7),
                "pool": f"{7:016x}/{uuid(8)}",
                old: new,
            }
        )
        | volume("other", 6)
        | volume("ok", 7)
        | entries(g=uuid(9))
        | group("g", 9),
    )

    rows = [json.loads(line) for line in cli("list", "-l", "-o", "json").lines]
    assert {row["request_name"]: row["state"] for row in rows} == {
        old: "mapping",
        "corrupt": "corrupt",
        "dangling": "dangling",
        "mismatch": "mismatch",
        "ok": "ok",
        "pool": "other-pool",
        "g": "ok",
    }
    lines = cli("list", "--journal", "volumes").lines
    assert lines[1] == f"{'(mapping)':36}  {old}"
    assert f"{uuid(8)}  pool" in lines


@pytest.mark.ceph
def test_on_a_cluster_the_journals_of_a_pool_are_listed_together(
    cli: CLI, ceph: ThrowawayCluster
) -> None:
    ceph.create_pool("list-images")
    with RADOSStore("list-images", conf=ceph.conf) as store:
        made = VolumeJournal(store).reserve_name(PV)
        cut = SnapshotJournal(store).reserve_name("s", source_name=made.image_name)

    lines = cli("list", "-c", str(ceph.conf), "-p", "list-images").lines

    assert lines[1:] == [f"{made.uuid}  volumes    {PV}", f"{cut.uuid}  snapshots  s"]
