from __future__ import annotations

import shlex

import pytest

from cli.conftest import CLI, DIRECTORY
from cli.damage import STALE_LEASE, damage, uuid


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    return damage(cli)


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_recover_says_what_it_would_do_and_does_nothing_unless_told(
    damaged: CLI, options: list[str]
) -> None:
    before = damaged.dump()

    assert damaged("recover", *options).lines == [
        f"would revoke lease  {STALE_LEASE.lease_id}",
        f"would remove group  {uuid(90)}",
        "would remove entry  dangling",
        "would remove entry  unpopulated",
        "",
        "nothing was changed.",
        "to do it  csijournal recover --older-than 15m --apply",
    ]
    assert damaged.dump() == before


def test_the_printed_command_finishes_what_crashed_clients_left(damaged: CLI) -> None:
    said = damaged("recover", "--older-than", "20m").lines[-1]
    result = damaged(*shlex.split(said.removeprefix("to do it  csijournal ")))

    assert result.lines == [
        f"revoked lease  {STALE_LEASE.lease_id}",
        f"removed group  {uuid(90)}",
        "removed entry  dangling",
        "removed entry  unpopulated",
    ]
    assert "2 damaged entries left alone; to see what is wrong: csijournal verify" in result.err
    assert f"csi.lease.revoked.{STALE_LEASE.lease_id}" in damaged.dump()[DIRECTORY]


def test_apply_and_dry_run_contradict_each_other(damaged: CLI) -> None:
    assert "contradict each other" in damaged.refused("recover", "--apply", "--dry-run")


@pytest.mark.parametrize(("options", "dry"), [([], True), (["--apply"], False)])
def test_json_has_the_names_of_the_library(damaged: CLI, options: list[str], dry: bool) -> None:
    assert damaged("recover", "-o", "json", *options).json == {
        "leases_revoked": [STALE_LEASE.lease_id],
        "leases_removed": [],
        "records_removed": [uuid(90)],
        "groups_removed": [uuid(90)],
        "entries_removed": ["dangling", "unpopulated"],
        "pending": 0,
        "damaged": 2,
        "unreadable": [],
        "dry_run": dry,
    }


def test_a_lease_that_is_young_enough_stays(damaged: CLI) -> None:
    assert (
        damaged("recover", "--older-than", "90000d", "--dry-run", "-o", "json").json[
            "leases_revoked"
        ]
        == []
    )


def test_a_clean_journal_needs_nothing(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert cli("recover").lines == ["nothing to recover."]
    assert cli("recover", "--older-than", "0").lines == ["nothing to recover."]


def test_a_pending_entry_is_left_alone(cli: CLI) -> None:
    cli.put_entry("young", uuid(1))
    cli.put(f"csi.volume.group.{uuid(1)}", **{"csi.creationtime": "x"})

    assert cli("recover").lines == [
        "1 pending entry left alone: a driver may be making the group now."
    ]


def test_what_cannot_be_is_refused(cli: CLI) -> None:
    assert "is not a duration" in cli.refused("recover", "--older-than", "15")
    cli.refused("recover", code=16)
