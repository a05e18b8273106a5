from __future__ import annotations

from cli.conftest import CLI, DIRECTORY, OTHER_UUID, UUID


def test_a_request_name_is_enough(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1", vol="s")

    assert cli("undo", "snap-1").lines == [
        f"undone: snap-1, csi-vol-group-{UUID}, 1 member",
        "removed member  vol = s",
        f"removed group   {UUID}",
        f"removed entry   snap-1 -> {UUID}",
    ]
    assert cli.dump() == {DIRECTORY: {}}


def test_json_keeps_a_record_of_what_went(cli: CLI) -> None:
    made = cli("reserve", "snap-1", "-o", "json").json
    cli("add", "snap-1", "vol=s")

    gone = cli("undo", "snap-1", "-o", "json").json

    uuid = made["group_uuid"]
    removed = {"entry": uuid, "group": uuid}
    assert gone == made | {"volume_map": {"vol": "s"}, "undone": True, "removed": removed}


def test_a_name_without_reservation_is_exit_code_3(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert "no reservation answers to 'snap'" in cli.refused("undo", "snap", code=3)


def test_with_its_group_name_an_undo_can_be_repeated(cli: CLI) -> None:
    group_name = cli("reserve", "snap-1", "-o", "json").json["group_name"]

    first, again = [cli("undo", "snap-1", "--group-name", group_name).lines for _ in range(2)]

    assert [line.split()[0] for line in first] == ["undone:", "removed", "removed"]
    assert again == [f"undone: snap-1, {group_name}", "nothing of it was there."]
    assert cli.dump() == {DIRECTORY: {}}


def test_the_group_of_another_name_is_not_removed(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1")
    before = cli.dump()

    said = cli.refused("undo", "other", "--group-name", f"csi-vol-group-{UUID}", code=4)

    assert "belongs to 'snap-1'" in said
    assert cli.dump() == before


def test_an_older_group_goes_and_the_newer_reservation_of_the_name_stays(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1")
    cli.put_group(OTHER_UUID, "snap-1")

    said = cli("undo", "snap-1", "--group-name", f"csi-vol-group-{OTHER_UUID}").lines

    assert said[1:] == [f"removed group   {OTHER_UUID}"]
    assert list(cli.dump()) == [DIRECTORY, f"csi.volume.group.{UUID}"]
    assert cli("check", "snap-1", "-o", "json").json["group_uuid"] == UUID


def test_the_rest_of_an_undo_is_finished(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)

    assert cli("undo", "snap-1").lines == [
        f"undone: snap-1, csi-vol-group-{UUID}",
        f"removed entry   snap-1 -> {UUID}",
    ]
    assert cli.dump() == {DIRECTORY: {}}


def test_an_empty_group_name_removes_a_stale_entry_alone(cli: CLI) -> None:
    cli.put_entry("stale", UUID)
    cli.put_entry("alive", OTHER_UUID)
    cli.put_group(OTHER_UUID, "alive")

    assert cli("undo", "stale", "--group-name", "").lines == [
        "undone: stale",
        f"removed entry   stale -> {UUID}",
    ]
    assert "no group name was given" in cli.refused("undo", "alive", "--group-name", "", code=4)


def test_a_group_name_without_uuid_is_refused(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert "does not end in a UUID" in cli.refused("undo", "snap-1", "--group-name", "x")


def test_a_corrupt_entry_is_exit_code_6(cli: CLI) -> None:
    cli.put_entry("snap-1", "no UUID")

    assert "holds 'no UUID'" in cli.refused("undo", "snap-1", code=6)
