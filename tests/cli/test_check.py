from __future__ import annotations

from cli.conftest import CLI, DIRECTORY, OTHER_UUID, UUID


def test_a_reservation_is_printed_with_its_members_below(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1", **{"vol-2": "s2", "vol-1": "s1\t"})

    assert cli("check", "snap-1").lines == [
        "request name   snap-1",
        f"group UUID     {UUID}",
        f"group name     csi-vol-group-{UUID}",
        "creation time  -",
        "members        2",
        "",
        "MEMBER  VALUE",
        r"vol-1   s1\t",
        "vol-2   s2",
    ]
    assert cli("check", "snap-1", "--prefix", "p-", "-o", "json").json == {
        "request_name": "snap-1",
        "group_uuid": UUID,
        "group_name": f"p-{UUID}",
        "creation_time": None,
        "volume_map": {"vol-1": "s1\t", "vol-2": "s2"},
    }


def test_no_reservation_is_exit_code_3_and_a_line_on_standard_error(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)

    assert cli.refused("check", "other", code=3) == (
        "csijournal: error: no reservation answers to 'other'\n"
    )


def test_the_rest_of_an_undo_is_cleared_away_and_is_exit_code_3(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)

    cli.refused("check", "snap-1", code=3)

    assert cli.dump() == {DIRECTORY: {}}


def test_a_group_that_somebody_is_making_is_exit_code_5(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    cli.put(f"csi.volume.group.{UUID}", **{"csi.groupname": f"csi-vol-group-{UUID}"})

    assert "hint: Its driver may still be making it" in cli.refused("check", "snap-1", code=5)


def test_a_damaged_reservation_is_exit_code_6_and_names_verify(cli: CLI) -> None:
    cli.put_entry("corrupt", "no UUID")
    cli.put_entry("mismatch", OTHER_UUID)
    cli.put_group(OTHER_UUID, "somebody")
    before = cli.dump()

    assert "csijournal verify" in cli.refused("check", "corrupt", code=6)
    assert "belongs to 'somebody'" in cli.refused("check", "mismatch", code=6)
    assert cli.dump() == before


def test_a_journal_that_does_not_exist_is_exit_code_16_and_is_not_made(cli: CLI) -> None:
    assert "there is no journal at" in cli.refused("check", "snap-1", code=16)
    assert not cli.state.exists()


def test_who_names_no_store_and_has_no_file_is_told_how_to_name_a_pool(cli: CLI) -> None:
    assert "-p POOL" in cli.refused("check", "snap-1", code=16)
    assert "-p POOL" not in cli.refused("check", "x", "--store", "sqlite:missing.db", code=16)
