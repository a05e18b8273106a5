from __future__ import annotations

import shlex

from cli.conftest import CLI, DIRECTORY, OTHER_UUID, UUID
from cli.damage import damage, uuid
from csijournal.store import Write
from csijournal.store.sqlite import SQLiteStore
from csijournal.wire.schema import GROUPS


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
        "csijournal: error: there is no reservation of 'other'\n"
    )


def test_a_stale_entry_is_told_of_and_left_with_the_command_that_removes_it(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    before = cli.dump()

    said = cli.refused("check", "snap-1", code=3)

    assert f"an entry that points at {UUID}, whose group object is gone" in said
    assert "Nothing was changed. To remove the entry: csijournal check --cleanup snap-1\n" in said
    assert cli.dump() == before


def test_the_printed_command_removes_the_entry_and_says_so(cli: CLI) -> None:
    store = ["--store", f"sqlite:{cli.folder}/a b.db", "--instance", "-i"]
    cli("reserve", "other", *store)
    with SQLiteStore(cli.folder / "a b.db") as opened:
        key = GROUPS.entry_key("-snap")
        opened.write(Write("csi.groups.-i", puts={key: UUID.encode()}))

    said = cli.refused("check", *store, "--", "-snap", code=3)
    pasted = shlex.split(said.partition("To remove the entry: csijournal ")[2])
    result = cli(*pasted, code=3)

    assert result.lines == [f"removed entry  -snap -> {UUID}"]
    assert result.err == "csijournal: error: there is no reservation of '-snap'\n"


def test_an_old_empty_group_goes_with_its_entry_only_when_told(cli: CLI) -> None:
    damage(cli)
    before = cli.dump()

    said = cli.refused("check", "unpopulated", code=3)
    assert "whose group object has no request name and no members" in said
    assert cli.dump() == before

    result = cli("check", "unpopulated", "--cleanup", code=3)
    assert result.lines == [
        f"removed group  {uuid(3)}  (no request name, no members)",
        f"removed entry  unpopulated -> {uuid(3)}",
    ]
    assert GROUPS.record_object(uuid(3)) not in cli.dump()


def test_what_cleanup_removed_is_in_the_json(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)

    result = cli("check", "snap-1", "--cleanup", "-o", "json", code=3)

    assert result.json == {"removed": {"entry": "snap-1", "value": UUID}}
    assert cli.dump() == {DIRECTORY: {}}


def test_cleanup_leaves_a_reservation_and_an_empty_journal_as_they_are(cli: CLI) -> None:
    cli("reserve", "snap-1")
    before = cli.dump()

    cli("check", "snap-1", "--cleanup")
    assert cli.refused("check", "snap-2", "--cleanup", code=3)
    assert cli.dump() == before


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


def test_a_reservation_in_a_shard_of_the_directory_is_found(cli: CLI) -> None:
    cli.put(f"{DIRECTORY}.3", **{f"{GROUPS.entry_prefix}snap-1": UUID})
    cli.put_group(UUID, "snap-1")
    cli.put(f"{DIRECTORY}.10", **{f"{GROUPS.entry_prefix}snap-2": OTHER_UUID})

    assert UUID in cli("check", "snap-1").out
    assert OTHER_UUID in cli.refused("check", "snap-2", code=3)
    cli("check", "snap-3", code=3)


def test_a_journal_that_does_not_exist_is_exit_code_16_and_is_not_made(cli: CLI) -> None:
    assert "there is no journal at" in cli.refused("check", "snap-1", code=16)
    assert not cli.state.exists()


def test_who_names_no_store_and_has_no_file_is_told_how_to_name_a_pool(cli: CLI) -> None:
    assert "-p POOL" in cli.refused("check", "snap-1", code=16)
    assert "-p POOL" not in cli.refused("check", "x", "--store", "sqlite:missing.db", code=16)
