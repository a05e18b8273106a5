from __future__ import annotations

from pathlib import Path

from cli.conftest import CLI, DIRECTORY


def test_a_new_name_is_printed_as_a_table_and_lands_in_the_state_folder(cli: CLI) -> None:
    result = cli("reserve", "snap-1")

    labels = [line.rsplit("  ", 1)[0].strip() for line in result.lines]
    assert labels == ["request name", "group UUID", "group name", "creation time", "members"]
    assert result.lines[0].endswith("  snap-1")
    assert result.err == ""
    assert cli.file.stat().st_size
    assert cli.file.parent.stat().st_mode & 0o777 == 0o700


def test_json_has_the_names_of_the_library(cli: CLI) -> None:
    answer = cli("reserve", "snap-1", "--prefix", "mine-", "-o", "json").json

    assert list(answer) == [
        "request_name",
        "group_uuid",
        "group_name",
        "creation_time",
        "volume_map",
    ]
    assert answer["request_name"] == "snap-1"
    assert answer["group_name"] == "mine-" + answer["group_uuid"]
    assert answer["volume_map"] == {}


def test_a_reserved_name_is_exit_code_4_and_leaves_nothing_behind(cli: CLI) -> None:
    held = cli("reserve", "snap-1", "-o", "json").json["group_uuid"]

    said = cli.refused("reserve", "snap-1", code=4)

    assert held in said
    assert f"object {DIRECTORY}, key csi.volume.group.snap-1" in said
    assert "\nhint: Use ensure" in said
    assert list(cli.dump()[DIRECTORY]) == ["csi.volume.group.snap-1"]
    assert len(cli.dump()) == 2


def test_names_that_the_rules_forbid_are_refused_before_anything_is_made(cli: CLI) -> None:
    assert "must not be empty" in cli.refused("reserve", "")
    assert "129 bytes" in cli.refused("reserve", "x" * 129)
    assert "U+0007 at position 2" in cli.refused("reserve", "a\ab")
    assert "U+DCFF at position 3" in cli.refused("reserve", b"ab\xff")
    assert not cli.state.exists()


def test_a_forbidden_prefix_is_refused(cli: CLI) -> None:
    assert "name prefix" in cli.refused("reserve", "snap-1", "--prefix", "a\ab")


def test_tab_and_newline_in_a_name_are_escaped_in_the_table_and_exact_in_json(cli: CLI) -> None:
    name = "tab\tnewline\né"

    assert cli("reserve", name).lines[0] == r"request name   tab\tnewline\né"
    assert cli("check", name, "-o", "json").json["request_name"] == name


def test_a_state_folder_that_cannot_be_made_is_exit_code_15(cli: CLI, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    said = cli.refused(
        "reserve", "snap-1", code=15, environment={"XDG_STATE_HOME": str(tmp_path / "file")}
    )

    assert "cannot be made" in said
    assert "--store" in said


def test_without_xdg_state_home_or_with_a_relative_one_the_journal_is_in_the_home_folder(
    cli: CLI,
) -> None:
    cli("reserve", "snap-1", environment={"XDG_STATE_HOME": "relative"})

    assert (cli.folder / ".local/state/csijournal/journal.db").exists()


def test_a_folder_that_store_names_is_not_made(cli: CLI, tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/missing/journal.db"

    assert "there is no folder" in cli.refused("--store", url, "reserve", "snap-1", code=16)
