from __future__ import annotations

import json
import subprocess

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import damage, entries, group, uuid
from csijournal.wire.schema import GROUPS

GROUP = GROUPS.record_object(uuid(1))


@pytest.fixture
def detached(cli: CLI) -> CLI:
    return damage(cli, entries() | group("snap-1", 1, vol="snap"))


def test_without_apply_it_only_says_what_it_would_write(detached: CLI) -> None:
    before = detached.dump()

    said = detached("attach", uuid(1)).out

    steps = [
        f"write csi.volname = 'snap-1' to the group object {uuid(1)}",
        f"put the entry 'snap-1' -> {uuid(1)}",
        (
            f"write the request name to the group object {uuid(1)} once more,"
            " now that its entry stands"
        ),
    ]
    assert said == (
        f"attach {uuid(1)} to 'snap-1'\n"
        f"    {steps[0]}\n"
        f"    {steps[1]}\n"
        f"    {steps[2]}\n"
        "\n"
        "nothing was changed.\n"
        f"to do it  csijournal attach --apply {uuid(1)}\n"
    )
    assert detached.dump() == before
    assert detached("attach", uuid(1), "-o", "json").json == {
        "steps": steps,
        "steps_done": 0,
        "skipped": None,
    }


def test_apply_attaches_and_the_backup_undoes_it(detached: CLI) -> None:
    before = detached.dump()

    result = detached("attach", uuid(1), "--apply", "--backup", "b.jsonl")

    assert f"    done     put the entry 'snap-1' -> {uuid(1)}\n" in result.out
    assert (
        f"to undo  csijournal restore {detached.folder / 'b.jsonl'} --overwrite --apply"
        in result.out
    )
    assert detached("show", "snap-1", "-o", "json").json["volume_map"] == {"vol": "snap"}
    detached("restore", "b.jsonl", "--overwrite", "--apply")
    assert detached.dump() == before


def test_another_name_is_written_to_the_group_and_to_the_directory(detached: CLI) -> None:
    lines = detached("attach", uuid(1), "snap-2", "--apply", "-o", "json").lines

    assert json.loads(lines[-1])["steps_done"] == 3
    assert json.loads(lines[-1])["backup"] == json.loads(lines[0])["backup"]
    assert detached.dump()[GROUP]["csi.volname"] == b"snap-2"
    detached("check", "snap-2")
    detached("verify", "--deep")


def test_a_name_that_looks_like_an_option_is_fine_behind_two_dashes(detached: CLI) -> None:
    line = detached("attach", "--", uuid(1), "-x").lines[-1]

    assert line == f"to do it  csijournal attach --apply -- {uuid(1)} -x"
    detached("attach", "--apply", "--", uuid(1), "-x")
    assert GROUPS.entry_key("-x") in detached.dump()[DIRECTORY]


def test_what_is_so_already_needs_nothing(detached: CLI) -> None:
    detached("attach", uuid(1), "--apply")

    assert detached("attach", uuid(1), "--apply").lines == ["nothing to do: it is so already."]
    assert detached("attach", uuid(1), "-o", "json").json["steps"] == []


def test_a_name_that_another_group_has_is_exit_code_4(detached: CLI) -> None:
    detached("reserve", "taken")

    said = detached.refused("attach", uuid(1), "taken", "--apply", code=4)

    assert "csijournal drop --entry 'taken'" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([uuid(9)], 3, "there is no group"),
        (["nonsense"], 2, "'nonsense' is not a UUID"),
        ([uuid(1), "a\ab"], 2, "U+0007 at position 2"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_attached_is_refused(
    detached: CLI, arguments: list[str], code: int, said: str
) -> None:
    assert said in detached.refused("attach", *arguments, code=code)


def test_what_changed_meanwhile_is_exit_code_1(detached: CLI) -> None:
    script = f"""
import sys
from csijournal.repair import apply as repair
from csijournal.cli.run import run
from csijournal.store import Write
carry_out = repair.carry_out
def late(store, plan):
    store.write(Write("{DIRECTORY}", puts={{"csi.volume.group.snap-1": b"{uuid(2)}"}}))
    return carry_out(store, plan)
repair.carry_out = late
sys.exit(run(sys.argv[1:]))
"""
    done = subprocess.run(
        [COMMAND[0], "-c", script, "attach", uuid(1), "--apply"],
        env=detached.environment,
        cwd=detached.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert f"    skipped  put the entry 'snap-1' -> {uuid(1)}\n" in done.stdout
    assert detached.dump()[DIRECTORY][GROUPS.entry_key("snap-1")] == uuid(2).encode()


# Volumes and snapshots of a driver that keeps no images


def test_the_record_of_a_volume_is_made_again_by_what_a_person_says(cli: CLI) -> None:
    words = ("--journal", "volumes", "--owner", "team-a", "--kms-id", "vault")
    cli.store().close()
    cli("reserve", "other", "--journal", "volumes")

    line = cli("attach", *words, "--nfs-cluster", "nfs-1", uuid(1), "pvc-1").lines[-1]
    assert line == (
        "to do it  csijournal attach --apply --journal volumes --owner team-a --kms-id vault"
        f" --nfs-cluster nfs-1 {uuid(1)} pvc-1"
    )
    cli("attach", *words, "--nfs-cluster", "nfs-1", uuid(1), "pvc-1", "--apply")

    assert cli.dump()[f"csi.volume.{uuid(1)}"] == {
        "csi.imagename": f"csi-vol-{uuid(1)}".encode(),
        "csi.nfs.cluster": b"nfs-1",
        "csi.volname": b"pvc-1",
        "csi.volume.encryptKMS": b"vault",
        "csi.volume.encryptionType": b"block",
        "csi.volume.owner": b"team-a",
    }
    assert cli("check", "--journal", "volumes", "pvc-1", "-o", "json").json["uuid"] == uuid(1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--journal", "volumes", uuid(1)], 2, "nothing says for which request"),
        (["--journal", "snapshots", uuid(1), "s"], 2, "nothing says of which volume"),
        (["--journal", "volumes", "nonsense"], 2, "does not end in a UUID"),
        (["--owner", "x", uuid(1)], 2, "--owner is not for the journal of groups"),
        (["--all"], 2, "--all needs the lists of Kubernetes"),
        (["--all", uuid(1)], 2, "--all takes all from the lists"),
    ],
)
def test_a_volume_that_cannot_be_attached_is_refused(
    detached: CLI, arguments: list[str], code: int, said: str
) -> None:
    before = detached.dump()

    assert said in detached.refused("attach", *arguments, code=code)
    assert detached.dump() == before


def test_no_list_can_name_a_file(detached: CLI) -> None:
    lists = detached.folder / "lists.json"
    lists.write_text('{"kind": "PersistentVolumeList", "items": []}')

    said = detached.refused("attach", "--all", "--kubernetes", str(lists), code=17)

    assert "no handle of Kubernetes can name sqlite://" in said
