from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import DAMAGED, damage, entries, group, uuid
from csijournal.wire.schema import GROUPS


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    other = {"csi.groups.other": {GROUPS.entry_key("theirs"): uuid(50)}}
    return damage(cli, DAMAGED | other | group("theirs", 50))


def parsed(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def objects(lines: list[Any]) -> set[str]:
    return {line["object"] for line in lines if "object" in line}


def test_one_instance_goes_to_standard_output_with_header_and_checksum(damaged: CLI) -> None:
    result = damaged("export")

    lines = parsed(result.out)
    assert lines[0]["csijournal"] == "export"
    assert lines[0]["place"] == f"sqlite://{damaged.file}"
    before_end = result.out.encode().rpartition(b'{"lines"')[0]
    assert lines[-1] == {
        "lines": len(lines) - 1,
        "sha256": hashlib.sha256(before_end).hexdigest(),
    }
    assert objects(lines) == {
        DIRECTORY,
        GROUPS.record_object(uuid(1)),
        GROUPS.record_object(uuid(3)),
    }
    assert "each is as it was at one moment" in result.err


def test_all_has_every_instance_and_what_nothing_points_at(damaged: CLI) -> None:
    lines = parsed(damaged("export", "--all", "-").out)

    assert objects(lines) == set(damaged.dump())


def test_a_file_is_replaced_whole_and_is_for_its_owner_alone(damaged: CLI) -> None:
    file = damaged.folder / "e.jsonl"
    file.write_text("older")

    result = damaged("export", "e.jsonl")

    assert result.out == ""
    assert "exported 3 groups" in result.err
    assert parsed(file.read_text())[-1]["lines"] > 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in damaged.folder.iterdir()} == {"state", "e.jsonl"}


def test_json_says_what_was_written(damaged: CLI) -> None:
    assert damaged("export", "e.jsonl", "-o", "json").json == {
        "file": "e.jsonl",
        "place": f"sqlite://{damaged.file}",
        "volumes": 0,
        "snapshots": 0,
        "groups": 3,
        "left_out": {
            "leases": 1,
            "foreign_keys": 0,
            "foreign_objects": 0,
            "in_other_pools": 0,
            "unreadable_keys": 0,
            "named": [],
        },
    }
    assert parsed(damaged("export", "-o", "json").out)[0]["csijournal"] == "export"


def test_a_link_is_followed(damaged: CLI) -> None:
    (damaged.folder / "link").symlink_to("target")

    damaged("export", "link")

    assert (damaged.folder / "link").is_symlink()
    assert (damaged.folder / "target").is_file()


def test_where_there_is_no_journal_nothing_is_written(damaged: CLI) -> None:
    file = damaged.folder / "e.jsonl"
    file.write_text("older")

    said = damaged.refused("export", "e.jsonl", "--instance", "third", code=3)

    assert "holds no journal of instance third" in said
    assert file.read_text() == "older"
    damaged.refused("export", "--store", "sqlite:nothing.db", code=16)


def test_files_that_cannot_be_written_are_refused(damaged: CLI) -> None:
    assert "cannot be written" in damaged.refused("export", "no/such/file")
    assert "is not a regular file" in damaged.refused("export", "/dev/null")
    assert "is not a regular file" in damaged.refused("export", ".")


def test_a_full_disk_behind_standard_output_is_exit_code_74(damaged: CLI) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "export"],
            env=damaged.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.returncode == 74


def test_an_export_cut_short_leaves_the_older_file(cli: CLI) -> None:
    damage(cli, entries(**{f"n-{n}": uuid(n) for n in range(1, 50)}))
    file = cli.folder / "e.jsonl"
    file.write_text("older")
    script = """
import os, sys
from csijournal.transfer.export import Exporter
from csijournal.cli.run import run
Exporter._records = lambda *_: os.kill(os.getpid(), 9)
run(sys.argv[1:])
"""
    subprocess.run(
        [COMMAND[0], "-c", script, "export", "e.jsonl"],
        env=cli.environment,
        cwd=cli.folder,
        check=False,
    )

    assert file.read_text() == "older"


def test_a_link_of_another_user_in_a_shared_folder_is_not_followed(damaged: CLI) -> None:
    """As the kernel would do it (proc(5), protected_symlinks)."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a link for another user")
    shared = damaged.folder / "shared"
    shared.mkdir()
    os.chown(shared, 1234, 1234)
    shared.chmod(0o1777)
    (shared / "e.jsonl").symlink_to("theirs")
    os.chown(shared / "e.jsonl", 4321, 4321, follow_symlinks=False)

    said = damaged.refused("export", "shared/e.jsonl")

    assert "shared/e.jsonl is a link of another user in a folder that all may write to" in said
    assert not (shared / "theirs").exists()


def test_a_link_to_a_file_of_another_user_is_not_followed(damaged: CLI) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a file for another user")
    theirs = damaged.folder / "theirs"
    theirs.write_text("precious")
    os.chown(theirs, 1234, 1234)
    (damaged.folder / "link").symlink_to("theirs")

    assert "link is a link to a file of another user" in damaged.refused("export", "link")
    assert "of another user" in damaged.refused("verify", "--report", "link")
    assert theirs.read_text() == "precious"


def test_links_that_lead_in_a_circle_are_refused(damaged: CLI) -> None:
    (damaged.folder / "a").symlink_to("b")
    (damaged.folder / "b").symlink_to("a")

    assert "cannot be written: Too many levels of symbolic links" in damaged.refused("export", "a")


# The three journals


@pytest.fixture
def three(cli: CLI) -> CLI:
    """A volume, a snapshot of it and a group, on the command line."""
    cli("reserve", "pvc-1", "--journal", "volumes", "--uuid", uuid(1), "--owner", "ns")
    cli("reserve", "snap-1", "--journal", "snapshots", "--uuid", uuid(1), "--source", "csi-vol-1")
    cli("reserve", "group-1", "--uuid", uuid(1))
    return cli


def test_all_three_journals_are_exported_unless_told(three: CLI) -> None:
    result = three("export")

    assert {line["journal"] for line in parsed(result.out)[1:-1]} == {
        "volumes",
        "snapshots",
        "groups",
    }
    assert "exported 1 volume and 1 snapshot and 1 group; " in result.err


def test_one_journal_is_exported_where_option_or_environment_names_it(three: CLI) -> None:
    told = three("export", "--journal", "volumes")
    three.environment["CSIJOURNAL_JOURNAL"] = "snapshots"
    by_environment = three("export", "--all")

    assert {line["journal"] for line in parsed(told.out)[1:-1]} == {"volumes"}
    assert {line["journal"] for line in parsed(by_environment.out)[1:-1]} == {"snapshots"}


def test_only_what_is_about_some_names_is_exported(three: CLI) -> None:
    three("reserve", "pvc-2", "--journal", "volumes", "--uuid", uuid(2))

    lines = parsed(three("export", "--only", "pvc-2", "--only", "snap-1").out)

    assert objects(lines) == {
        "csi.volumes.default",
        f"csi.volume.{uuid(2)}",
        "csi.snaps.default",
        f"csi.snap.{uuid(1)}",
    }
    entries = {key for line in lines[1:-1] if "s.default" in line["object"] for key in line["keys"]}
    assert entries == {"csi.volume.pvc-2", "csi.snap.snap-1"}


def test_a_name_that_nothing_answers_to_leaves_the_older_file(three: CLI) -> None:
    file = three.folder / "e.jsonl"
    file.write_text("older")

    said = three.refused("export", "e.jsonl", "--only", "pvc-1", "--only", "pvc-9", code=3)

    assert "holds nothing of 'pvc-9', instance default" in said
    assert file.read_text() == "older"
    assert "give one of them" in three.refused("export", "--all", "--only", "pvc-1")
