"""`reserve`, `ensure`, `check` and `undo` on the journals of volumes and of snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from cli.conftest import CLI, DIRECTORY, OTHER_UUID, UUID
from cli.damage import damage
from csijournal import SnapshotJournal, VolumeJournal
from csijournal.wire.schema import SNAPSHOTS, VOLUMES, JournalSchema

PV = "pvc-2b0ed4e7-6f1c-4f6e-9d0a-3c1b0b3d8a51"
ENCRYPTED = ("--kms-id", "vault", "--encryption-type", "block")


def test_a_volume_is_reserved_found_and_undone_as_the_library_does_it(cli: CLI) -> None:
    volumes = ("--journal", "volumes")
    made = cli(
        *("reserve", PV, *volumes, "--owner", "shop", *ENCRYPTED, "--uuid", UUID),
        *("--backing-snapshot-id", "0001-x", "--prefix", "mine-", "-o", "json"),
    ).json

    assert made == {
        "journal": "volumes",
        "uuid": UUID,
        "request_name": PV,
        "image_name": f"mine-{UUID}",
        "image_id": "",
        "owner": "shop",
        "kms_id": "vault",
        "encryption_type": "block",
        "group_id": "",
        "source_name": "",
        "backing_snapshot_id": "0001-x",
        "journal_pool_id": None,
        "attributes": {},
    }
    with cli.store() as store:
        found = VolumeJournal(store).check_reservation(PV)
    assert found is not None
    assert (found.uuid, found.owner, found.kms_id) == (UUID, "shop", "vault")
    assert cli("check", PV, *volumes, *ENCRYPTED, "-o", "json").json == made
    again = cli("ensure", PV, *volumes, "-o", "json").json
    assert again == made | {"created": False}
    assert UUID in cli.refused("reserve", PV, *volumes, code=4)
    assert cli("undo", PV, *volumes).lines == [
        f"undone: {PV}, csi-vol-{UUID}",
        f"removed volume    {UUID}",
        f"removed entry     {PV} -> {UUID}",
    ]
    assert cli.dump() == {VOLUMES.directory_object("default"): {}}
    cli.refused("check", PV, *volumes, code=3)
    cli.refused("undo", PV, *volumes, code=3)
    named = ("--image-name", f"csi-vol-{UUID}")
    assert cli("undo", PV, *volumes, *named).lines[-1] == "nothing of it was there."


def test_a_snapshot_needs_its_source_and_is_compared_with_it(cli: CLI) -> None:
    snapshots = ("--journal", "snapshots")
    assert "give --source" in cli.refused("reserve", "s", *snapshots)
    assert not cli.state.exists()

    made = cli("ensure", "s", *snapshots, "--source", "csi-vol-x", "-o", "json").json

    assert (made["source_name"], made["created"]) == ("csi-vol-x", True)
    assert made["image_name"] == f"csi-snap-{made['uuid']}"
    with cli.store() as store:
        assert SnapshotJournal(store).get_attributes(made["uuid"]).source_name == "csi-vol-x"
    assert cli("check", "s", *snapshots).lines == [
        "request name   s",
        f"snapshot UUID  {made['uuid']}",
        f"snapshot name  csi-snap-{made['uuid']}",
        "source         csi-vol-x",
    ]
    before = cli.dump()
    cli.refused("check", "s", *snapshots, "--source", "csi-vol-y", code=4)
    cli.refused("ensure", "s", *snapshots, "--source", "csi-vol-y", code=4)
    assert cli.dump() == before
    gone = cli("undo", "s", *snapshots, "-o", "json").json
    assert gone["removed"] == {"snapshot": made["uuid"], "entry": made["uuid"]}


def test_a_member_snapshot_s_long_name_is_taken_by_the_journal_of_snapshots_alone(cli: CLI) -> None:
    name = f"csi-vol-group-{UUID}-{'x' * 128}"

    cli("reserve", name, "--journal", "snapshots", "--source", "csi-vol-x")

    assert "179 bytes" in cli.refused("reserve", name, "--journal", "volumes")
    assert "179 bytes" in cli.refused("reserve", name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--owner", "shop"), "--owner is not for the journal of groups: give --journal snapshots"),
        (("--source", "x", "--journal", "volumes"), "--source is not for the journal of volumes"),
        (
            ("--backing-snapshot-id", "x", "--journal", "snapshots", "--source", "y"),
            "--backing-snapshot-id is not for the journal of snapshots: give --journal volumes",
        ),
        (("--journal", "all"), "'all' is not one of"),
        (("--encryption-type", "block", "--journal", "volumes"), "without a KMS id"),
    ],
)
def test_what_a_journal_has_no_place_for_is_refused_before_anything_is_made(
    cli: CLI, arguments: tuple[str, ...], said: str
) -> None:
    assert said in " ".join(cli.refused("reserve", "n", *arguments).split())
    assert cli.refused("check", "n", "--journal", "volumes", code=16) or not cli.dump()


def test_groups_are_meant_unless_the_variable_or_the_option_says_otherwise(cli: CLI) -> None:
    cli("reserve", "n")
    cli("reserve", "n", environment={"CSIJOURNAL_JOURNAL": "all"}, code=4)
    cli("reserve", "n", environment={"CSIJOURNAL_JOURNAL": "volumes"})
    cli(
        "reserve", "n", "--journal", "groups", environment={"CSIJOURNAL_JOURNAL": "volumes"}, code=4
    )

    assert set(cli.dump()) >= {DIRECTORY, VOLUMES.directory_object("default")}
    assert SNAPSHOTS.directory_object("default") not in cli.dump()


def test_a_group_gets_the_uuid_that_the_caller_chose_and_no_other_caller_does(cli: CLI) -> None:
    assert cli("reserve", "n", "--uuid", UUID, "-o", "json").json["group_uuid"] == UUID
    before = cli.dump()
    assert "UUID" in cli.refused("reserve", "m", "--uuid", UUID, code=4)
    assert cli.dump() == before


@pytest.mark.parametrize("record", [None, {}], ids=["no record", "an empty record"])
@pytest.mark.parametrize("schema", [VOLUMES, SNAPSHOTS], ids=lambda schema: schema.journal)
def test_a_stale_entry_behind_which_nothing_can_stand_is_told_of_and_goes_with_cleanup(
    cli: CLI, schema: JournalSchema[Any], record: dict[str, str] | None
) -> None:
    """A driver whose journal is a file has no images."""
    directory, which = schema.directory_object("default"), ("--journal", schema.journal)
    damage(
        cli,
        {
            directory: {schema.entry_key(PV): UUID},
            **({} if record is None else {schema.record_object(UUID): record}),
        },
    )
    before = cli.dump()

    said = cli.refused("check", PV, *which, code=3)
    assert f"an entry that points at {UUID}, whose record " in said
    assert f"csijournal check --journal {schema.journal} --cleanup {PV}" in said
    assert cli.dump() == before
    removed = cli("check", PV, *which, "--cleanup", "-o", "json", code=3).json["removed"]

    whole = {} if record is None else {schema.noun: UUID}
    assert removed == {"entry": PV, "value": UUID, **whole}
    assert cli.dump() == {directory: {}}


def test_a_printed_command_for_a_group_never_follows_the_variable_to_another_journal(
    cli: CLI,
) -> None:
    cli.put_entry("n", UUID)
    other = {"CSIJOURNAL_JOURNAL": "volumes"}

    said = cli.refused("check", "n", "--journal", "groups", code=3, environment=other)
    assert "csijournal check --journal groups --cleanup n" in said
    assert "csijournal check --cleanup n" in cli.refused("check", "n", code=3)


def test_an_undo_of_another_name_s_volume_is_refused_and_changes_nothing(cli: CLI) -> None:
    volumes = ("--journal", "volumes")
    cli("reserve", "a", *volumes, "--uuid", UUID)
    cli("reserve", "b", *volumes, "--uuid", OTHER_UUID)
    before = cli.dump()

    cli.refused("undo", "a", *volumes, "--image-name", f"csi-vol-{OTHER_UUID}", code=4)

    assert cli.dump() == before
