"""The journals of volumes and of snapshots, on every kind of store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

import csijournal
from csijournal import (
    EnsureResult,
    Handle,
    SnapshotJournal,
    SnapshotReservation,
    Store,
    VolumeGroupJournal,
    VolumeJournal,
    VolumeReservation,
)
from csijournal.errors import (
    AlreadyReserved,
    EncryptionMismatch,
    InvalidAttribute,
    InvalidHandle,
    InvalidImageName,
    InvalidInput,
    InvalidRequestName,
    InvalidUUID,
    NotAReservation,
    RecordNotFound,
    RequestMismatch,
    ReservationPending,
    SourceMismatch,
    SplitReservation,
    StaleEntry,
    UndoRefused,
    UUIDInUse,
)
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.store import Write
from csijournal.wire.entries import MappedHandle
from support.journals import LONG_AGO, seconds_later, uuid_number
from support.places import LONG_AGO_NS, Place, dump, fill

NAME = "pvc-4a1b"
SOURCE = "csi-vol-0f8fad5b-d9cb-469f-a165-70867728950e"
CHOSEN = uuid_number(0xC)
OLD = Handle("old-cluster", 7, CHOSEN)
NEW = Handle("new-cluster", 9, CHOSEN)


@pytest.fixture
def store(place: Place) -> Store:
    return place.open(lambda: LONG_AGO_NS)


@pytest.fixture
def volumes(store: Store) -> VolumeJournal:
    return VolumeJournal(store, lease_size=0, settle_seconds=0)


@pytest.fixture
def snapshots(store: Store) -> SnapshotJournal:
    return SnapshotJournal(store, lease_size=0, settle_seconds=0)


# Reserve, check, undo


def test_a_volume_is_reserved_found_and_undone(volumes: VolumeJournal, store: Store) -> None:
    made = volumes.reserve_name(
        NAME,
        "team-a-",
        owner="ns-1",
        kms_id="vault-1",
        encryption_type="block",
        backing_snapshot_id=str(OLD),
    )
    assert made == VolumeReservation(
        uuid=made.uuid,
        request_name=NAME,
        image_name=f"team-a-{made.uuid}",
        owner="ns-1",
        kms_id="vault-1",
        encryption_type="block",
        backing_snapshot_id=str(OLD),
    )
    assert volumes.check_reservation(NAME) == made
    assert volumes.get_attributes(made.uuid) == made
    assert [entry.uuid for entry in volumes.list_reservations()] == [made.uuid]
    volumes.undo_reservation(made.image_name, NAME)
    assert volumes.check_reservation(NAME) is None
    assert dump(store) == {"csi.volumes.default": {}}


def test_a_snapshot_is_reserved_found_and_undone(snapshots: SnapshotJournal, store: Store) -> None:
    made = snapshots.reserve_name(NAME, source_name=SOURCE, owner="ns-1")
    assert made == SnapshotReservation(
        uuid=made.uuid,
        request_name=NAME,
        image_name=f"csi-snap-{made.uuid}",
        owner="ns-1",
        source_name=SOURCE,
    )
    assert snapshots.check_reservation(NAME, source_name=SOURCE) == made
    assert snapshots.look_up(NAME) is not None
    snapshots.undo_reservation(made.image_name, NAME)
    snapshots.undo_reservation(made.image_name, NAME)
    assert dump(store) == {"csi.snaps.default": {}}


def test_whoever_asks_again_gets_the_same_reservation(
    volumes: VolumeJournal, snapshots: SnapshotJournal
) -> None:
    volume = volumes.ensure_reservation(NAME)
    assert volume.created
    assert volumes.ensure_reservation(NAME) == EnsureResult(volume.reservation, created=False)
    snapshot = snapshots.ensure_reservation(NAME, source_name=SOURCE)
    again = snapshots.ensure_reservation(NAME, source_name=SOURCE)
    assert again == EnsureResult(snapshot.reservation, created=False)
    with pytest.raises(AlreadyReserved) as refused:
        volumes.reserve_name(NAME, kms_id="another")
    assert refused.value.uuid == volume.reservation.uuid


def test_the_three_journals_of_one_store_do_not_see_each_other(
    store: Store, volumes: VolumeJournal, snapshots: SnapshotJournal
) -> None:
    groups = VolumeGroupJournal(store, lease_size=0, settle_seconds=0)
    group = groups.reserve_name(NAME)
    volume = volumes.reserve_name("group." + NAME, uuid=group.group_uuid)
    snapshot = snapshots.reserve_name(NAME, source_name=SOURCE, uuid=group.group_uuid)
    assert groups.check_reservation(NAME) == group
    assert volumes.check_reservation("group." + NAME) == volume
    assert volumes.check_reservation(NAME) is None
    assert [entry.request_name for entry in volumes.list_reservations()] == ["group." + NAME]
    volumes.undo_reservation(volume.image_name, "group." + NAME)
    assert groups.check_reservation(NAME) == group
    assert snapshots.get_attributes(group.group_uuid) == snapshot


def test_an_answer_is_frozen_and_can_be_a_key(volumes: VolumeJournal) -> None:
    made = volumes.reserve_name(NAME)
    assert {made: 1}[made] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.owner = "x"  # type: ignore[misc]


# What is given is compared


def test_other_encryption_than_what_was_asked_for_is_told_and_nothing_is_removed(
    volumes: VolumeJournal, store: Store
) -> None:
    volumes.reserve_name(NAME, kms_id="vault-1", encryption_type="block")
    before = dump(store)
    for kms_id, encryption_type in (("vault-2", "block"), ("vault-1", "file"), ("vault-2", "")):
        given = {"kms_id": kms_id, "encryption_type": encryption_type}
        with pytest.raises(EncryptionMismatch, match=r"vault-1|block"):
            volumes.check_reservation(NAME, "", **given)  # type: ignore[arg-type]
        with pytest.raises(EncryptionMismatch):
            volumes.ensure_reservation(NAME, **given)
    assert volumes.check_reservation(NAME, kms_id="vault-1", encryption_type="block")
    assert volumes.check_reservation(NAME, kms_id="vault-1")
    assert dump(store) == before


def test_another_source_is_told_and_a_lost_one_removes_nothing(
    snapshots: SnapshotJournal, store: Store
) -> None:
    made = snapshots.reserve_name(NAME, source_name=SOURCE)
    with pytest.raises(SourceMismatch, match="csi-vol-other"):
        snapshots.check_reservation(NAME, source_name="csi-vol-other")
    with pytest.raises(SourceMismatch):
        snapshots.ensure_reservation(NAME, source_name="csi-vol-other")
    store.write(Write(f"csi.snap.{made.uuid}", deletions=["csi.source"]))
    before = dump(store)
    asked = SnapshotJournal(store, settle_seconds=0, stands_behind=lambda *_: False)
    with pytest.raises(StaleEntry, match="has lost its source"):
        asked.ensure_reservation(NAME, source_name=SOURCE)
    assert snapshots.check_reservation(NAME) is not None
    assert dump(store) == before


@pytest.mark.parametrize(
    ("kms_id", "encryption_type"), [("", "block"), ("vault-1", "luks"), ("\ud800", "")]
)
def test_encryption_that_cannot_be_is_refused_before_anything_is_written(
    volumes: VolumeJournal, store: Store, kms_id: str, encryption_type: str
) -> None:
    with pytest.raises(InvalidAttribute):
        volumes.reserve_name(NAME, kms_id=kms_id, encryption_type=encryption_type)
    assert dump(store) == {}


def test_a_kms_without_a_type_is_written_with_an_empty_one(
    volumes: VolumeJournal, store: Store
) -> None:
    made = volumes.reserve_name(NAME, kms_id="vault-1")
    record = dump(store)[f"csi.volume.{made.uuid}"]
    assert record["csi.volume.encryptKMS"] == "vault-1"
    assert record["csi.volume.encryptionType"] == ""


# Chosen UUIDs


def test_a_chosen_uuid_is_taken_once(volumes: VolumeJournal, store: Store) -> None:
    made = volumes.reserve_name(NAME, uuid=CHOSEN)
    assert made.uuid == CHOSEN
    before = dump(store)
    with pytest.raises(UUIDInUse, match=CHOSEN):
        volumes.reserve_name("another", uuid=CHOSEN)
    with pytest.raises(AlreadyReserved):
        volumes.ensure_reservation(NAME, uuid=uuid_number(1))
    with pytest.raises(InvalidUUID):
        volumes.reserve_name("another", uuid="not-a-uuid")
    assert volumes.ensure_reservation(NAME, uuid=CHOSEN).created is False
    assert dump(store) == before


def test_a_chosen_uuid_can_be_reserved_again_after_an_undo(snapshots: SnapshotJournal) -> None:
    for _ in range(3):
        made = snapshots.reserve_name(NAME, source_name=SOURCE, uuid=CHOSEN)
        snapshots.undo_reservation(made.image_name, NAME)
    assert snapshots.check_reservation(NAME) is None


# Puts


def test_what_is_put_is_read_again(volumes: VolumeJournal, store: Store) -> None:
    made = volumes.reserve_name(NAME)
    volumes.put_image_id(made.uuid, NAME, "10ab12cd34ef")
    volumes.put_owner(made.uuid, NAME, "ns-2")
    volumes.put_group_id(made.uuid, NAME, str(OLD))
    volumes.put_attribute(made.uuid, NAME, "nfs.cluster", "")
    volumes.put_attribute(made.uuid, NAME, "nfs.cluster", "my-nfs")
    assert volumes.check_reservation(NAME) == dataclasses.replace(
        made,
        image_id="10ab12cd34ef",
        owner="ns-2",
        group_id=str(OLD),
        attributes={"nfs.cluster": "my-nfs"},
    )
    assert volumes.get_attribute(made.uuid, "nfs.cluster") == "my-nfs"
    assert volumes.get_attribute(made.uuid, "nope") is None
    assert dump(store)[f"csi.volume.{made.uuid}"] == {
        "csi.groupid": str(OLD),
        "csi.imageid": "10ab12cd34ef",
        "csi.imagename": made.image_name,
        "csi.nfs.cluster": "my-nfs",
        "csi.volname": NAME,
        "csi.volume.owner": "ns-2",
    }


@pytest.mark.parametrize("misspelt", ["csi.csi.groupid", "csi."])
def test_a_misspelt_group_id_is_read_and_cleaned_up_by_the_next_put(
    volumes: VolumeJournal, store: Store, misspelt: str
) -> None:
    made = volumes.reserve_name(NAME)
    record = f"csi.volume.{made.uuid}"
    store.write(Write(record, puts={misspelt: b"old"}))
    assert volumes.get_attributes(made.uuid).group_id == "old"
    volumes.put_group_id(made.uuid, NAME, "new")
    assert volumes.get_attributes(made.uuid).group_id == "new"
    assert misspelt not in dump(store)[record]
    store.write(Write(record, puts={misspelt: b"old"}))
    volumes.put_group_id(made.uuid, NAME, "")
    assert volumes.get_attributes(made.uuid) == made


PUTS: dict[str, Callable[[VolumeJournal, str, str], None]] = {
    "image id": lambda journal, uuid, name: journal.put_image_id(uuid, name, "1"),
    "owner": lambda journal, uuid, name: journal.put_owner(uuid, name, "1"),
    "group id": lambda journal, uuid, name: journal.put_group_id(uuid, name, "1"),
    "attribute": lambda journal, uuid, name: journal.put_attribute(uuid, name, "nfs.cluster", "1"),
}


@pytest.mark.parametrize("put", PUTS)
def test_a_put_brings_no_record_back_and_changes_no_other_names(
    volumes: VolumeJournal, store: Store, put: str
) -> None:
    made = volumes.reserve_name(NAME, uuid=CHOSEN)
    before = dump(store)
    with pytest.raises(RequestMismatch, match="another"):
        PUTS[put](volumes, CHOSEN, "another")
    for uuid, name in (("x", NAME), (CHOSEN, "")):
        with pytest.raises((InvalidUUID, InvalidRequestName)):
            PUTS[put](volumes, uuid, name)
    assert dump(store) == before
    volumes.undo_reservation(made.image_name, NAME)
    with pytest.raises(RecordNotFound):
        PUTS[put](volumes, CHOSEN, NAME)
    assert dump(store) == {"csi.volumes.default": {}}
    volumes.reserve_name("newer", uuid=CHOSEN)
    with pytest.raises(RequestMismatch):
        PUTS[put](volumes, CHOSEN, NAME)
    assert volumes.get_attributes(CHOSEN).request_name == "newer"


@pytest.mark.parametrize(
    "attribute",
    ["", "volname", "snapname", "imagename", "imageid", "source", "groupid", "csi.groupid",
     "journalpool", "volume.owner", "volume.encryptKMS", "volume.encryptionType",
     "volume.backingsnapshotid", "a\0b", "\ud800"],
    ids=ascii,
)  # fmt: skip
def test_no_attribute_can_be_put_in_the_place_of_a_key_with_a_meaning(
    volumes: VolumeJournal, store: Store, attribute: str
) -> None:
    made = volumes.reserve_name(NAME)
    before = dump(store)
    with pytest.raises(InvalidAttribute):
        volumes.put_attribute(made.uuid, NAME, attribute, "x")
    assert dump(store) == before


# The owner of snapshots


def test_the_owner_goes_where_the_driver_puts_it_and_is_read_from_either(store: Store) -> None:
    cephfs = SnapshotJournal(store, lease_size=0, owner_key="")
    made = cephfs.reserve_name(NAME, source_name=SOURCE, owner="ns-1")
    record = f"csi.snap.{made.uuid}"
    assert dump(store)[record][""] == "ns-1"
    assert "csi.volume.owner" not in dump(store)[record]
    rbd = SnapshotJournal(store, lease_size=0)
    assert rbd.get_attributes(made.uuid) == made
    cephfs.put_owner(made.uuid, NAME, "ns-2")
    assert rbd.get_attributes(made.uuid).owner == "ns-2"
    with pytest.raises(InvalidInput, match=r"csi\.volume\.owner"):
        SnapshotJournal(store, owner_key="csi.owner")


def test_a_snapshot_needs_a_source(snapshots: SnapshotJournal, store: Store) -> None:
    for call in (snapshots.reserve_name, snapshots.ensure_reservation):
        with pytest.raises(InvalidAttribute, match="source"):
            call(NAME, source_name="")
    assert dump(store) == {}


def test_a_snapshot_of_a_group_may_have_a_name_longer_than_csi_allows(
    volumes: VolumeJournal, snapshots: SnapshotJournal
) -> None:
    name = f"csi-vol-group-{CHOSEN}-{Handle('c' * 64, 1, CHOSEN)}"
    assert len(name) == 179
    assert snapshots.reserve_name(name, source_name=SOURCE).request_name == name
    with pytest.raises(InvalidRequestName):
        volumes.reserve_name(name)
    with pytest.raises(InvalidRequestName):
        snapshots.reserve_name("x" * 256, source_name=SOURCE)


# Mappings, and entries that lead elsewhere


def test_a_mapping_is_looked_up_listed_and_left(volumes: VolumeJournal, store: Store) -> None:
    fill(store, {"csi.volumes.default": {f"csi.volume.{OLD}": str(NEW)}})
    before = dump(store)
    assert volumes.look_up_mapping(str(OLD)) == NEW
    assert volumes.look_up_mapping(OLD) == NEW
    assert volumes.look_up_mapping(NEW) is None
    with pytest.raises(InvalidHandle):
        volumes.look_up_mapping(NAME)
    assert [entry.target for entry in volumes.list_reservations()] == [MappedHandle(NEW)]
    for refused in (
        lambda: volumes.check_reservation(str(OLD)),
        lambda: volumes.reserve_name(str(OLD)),
        lambda: volumes.ensure_reservation(str(OLD)),
        lambda: volumes.undo_reservation(f"csi-vol-{CHOSEN}", str(OLD)),
    ):
        with pytest.raises(NotAReservation, match="stands for"):
            refused()
    assert volumes.recover(0).is_empty
    assert dump(store) == before


def test_a_reservation_in_two_pools_is_not_undone_nor_made_again(
    volumes: VolumeJournal, store: Store
) -> None:
    made = volumes.reserve_name(NAME, uuid=CHOSEN)
    split = f"00000000ffffffff/{CHOSEN}".encode()
    store.write(Write("csi.volumes.default", puts={f"csi.volume.{NAME}": split}))
    before = dump(store)
    with pytest.raises(SplitReservation, match="cannot read back what it writes"):
        volumes.undo_reservation(made.image_name, NAME)
    for again in (volumes.reserve_name, volumes.ensure_reservation, volumes.check_reservation):
        with pytest.raises(SplitReservation):
            again(NAME)
    volumes.recover(0)
    assert dump(store) == before


# What is stale


def test_an_empty_record_is_pending_while_it_is_young_and_stale_after_that(
    store: Store,
) -> None:
    fill(
        store,
        {
            "csi.volumes.default": {f"csi.volume.{NAME}": CHOSEN},
            f"csi.volume.{CHOSEN}": {},
        },
    )
    before = dump(store)
    young = VolumeJournal(store, settle_seconds=0, clock=lambda: LONG_AGO)
    later = seconds_later(int(GRACE_SECONDS) + 1)
    old = VolumeJournal(store, settle_seconds=0, clock=lambda: later)
    for ask in (young.check_reservation, young.ensure_reservation, young.reserve_name):
        with pytest.raises(ReservationPending):
            ask(NAME)
    for ask in (old.check_reservation, old.ensure_reservation, old.reserve_name):
        with pytest.raises(StaleEntry, match="may stand behind"):
            ask(NAME)
    young.close()
    old.close()
    assert old.recover(0).damaged == 1
    assert without_leases(dump(store)) == before
    sure = VolumeJournal(
        store, settle_seconds=0, clock=lambda: later, stands_behind=lambda *_: False
    )
    assert sure.ensure_reservation(NAME).created


def test_an_undo_that_was_cut_short_is_finished_by_undoing_again(
    volumes: VolumeJournal, store: Store
) -> None:
    made = volumes.reserve_name(NAME)
    store.write(Write(f"csi.volume.{made.uuid}", remove_object=True))
    with pytest.raises(StaleEntry):
        volumes.ensure_reservation(NAME)
    assert volumes.recover(0).damaged == 1
    volumes.undo_reservation(made.image_name, NAME)
    assert dump(store) == {"csi.volumes.default": {}}
    assert volumes.ensure_reservation(NAME).created


def test_a_check_without_cleanup_answers_the_same_and_removes_nothing(store: Store) -> None:
    fill(store, {"csi.snaps.default": {f"csi.snap.{NAME}": CHOSEN}})
    before = dump(store)
    journal = SnapshotJournal(store, settle_seconds=0, stands_behind=lambda *_: False)
    assert journal.check_reservation(NAME, source_name=SOURCE, cleanup=False) is None
    assert dump(store) == before
    assert journal.check_reservation(NAME, source_name=SOURCE) is None
    assert dump(store) == {"csi.snaps.default": {}}


def test_the_name_that_may_stand_behind_has_the_prefix_that_was_asked_for(store: Store) -> None:
    fill(store, {"csi.volumes.default": {f"csi.volume.{NAME}": CHOSEN}})
    asked: list[tuple[str, str]] = []

    def stands_behind(uuid: str, image_name: str) -> bool:
        asked.append((uuid, image_name))
        return True

    journal = VolumeJournal(store, stands_behind=stands_behind)
    with pytest.raises(StaleEntry, match="stands behind"):
        journal.check_reservation(NAME, "team-a-")
    assert asked == [(CHOSEN, f"team-a-{CHOSEN}")]


def test_undo_by_a_name_without_a_uuid_or_without_a_name_removes_nothing(
    volumes: VolumeJournal, store: Store
) -> None:
    volumes.reserve_name(NAME)
    before = dump(store)
    with pytest.raises(InvalidImageName):
        volumes.undo_reservation("my-image", NAME)
    with pytest.raises(UndoRefused):
        volumes.undo_reservation("", NAME)
    assert dump(store) == before


def test_a_record_without_an_image_name_is_called_after_the_prefix_that_is_asked_for(
    volumes: VolumeJournal, snapshots: SnapshotJournal, store: Store
) -> None:
    fill(
        store,
        {
            "csi.volumes.default": {f"csi.volume.{NAME}": CHOSEN},
            f"csi.volume.{CHOSEN}": {"csi.volname": NAME},
            "csi.snaps.default": {f"csi.snap.{NAME}": CHOSEN},
            f"csi.snap.{CHOSEN}": {"csi.snapname": NAME, "csi.source": SOURCE},
        },
    )
    found = volumes.check_reservation(NAME, "team-a-")
    assert found is not None
    assert found.image_name == f"team-a-{CHOSEN}"
    assert volumes.get_attributes(CHOSEN).image_name == f"csi-vol-{CHOSEN}"
    assert snapshots.get_attributes(CHOSEN).image_name == f"csi-snap-{CHOSEN}"


def test_the_names_of_both_journals_are_public() -> None:
    for name in ("VolumeJournal", "VolumeReservation", "SnapshotJournal", "SnapshotReservation"):
        assert name in csijournal.__all__


def without_leases(omaps: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {
        name: {key: value for key, value in omap.items() if not key.startswith("csi.lease.")}
        for name, omap in omaps.items()
    }
