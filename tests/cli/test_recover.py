from __future__ import annotations

import pytest

from cli.conftest import CLI, DIRECTORY
from cli.damage import STALE_LEASE, damage, uuid


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    return damage(cli)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(damaged: CLI) -> None:
    before = damaged.dump()

    assert damaged("recover", "--dry-run").lines == [
        f"would revoke lease  {STALE_LEASE.lease_id}",
        f"would remove group  {uuid(90)}",
        "would remove entry  dangling",
        "would remove entry  unpopulated",
    ]
    assert damaged.dump() == before


def test_recover_finishes_what_crashed_clients_left(damaged: CLI) -> None:
    result = damaged("recover")

    assert result.lines == [
        f"revoked lease  {STALE_LEASE.lease_id}",
        f"removed group  {uuid(90)}",
        "removed entry  dangling",
        "removed entry  unpopulated",
    ]
    assert "2 damaged entries left alone: `csijournal verify` tells" in result.err
    assert f"csi.lease.revoked.{STALE_LEASE.lease_id}" in damaged.dump()[DIRECTORY]


def test_json_has_the_names_of_the_library(damaged: CLI) -> None:
    assert damaged("recover", "-o", "json").json == {
        "leases_revoked": [STALE_LEASE.lease_id],
        "leases_removed": [],
        "groups_removed": [uuid(90)],
        "entries_removed": ["dangling", "unpopulated"],
        "pending": 0,
        "damaged": 2,
        "dry_run": False,
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


def test_an_entry_in_the_making_is_left_alone(cli: CLI) -> None:
    cli.put_entry("young", uuid(1))
    cli.put(f"csi.volume.group.{uuid(1)}", **{"csi.creationtime": "x"})

    assert cli("recover").lines == ["1 entry may be in the making, left alone."]


def test_what_cannot_be_is_refused(cli: CLI) -> None:
    assert "is not a duration" in cli.refused("recover", "--older-than", "15")
    cli.refused("recover", code=16)
