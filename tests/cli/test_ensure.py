from __future__ import annotations

import pytest

from cli.conftest import CLI, DIRECTORY, UUID


def test_the_first_call_makes_the_reservation_and_the_second_finds_it(cli: CLI) -> None:
    first = cli("ensure", "snap-1", "--prefix", "mine-", "-o", "json").json
    second = cli("ensure", "snap-1", "-o", "json").json

    assert first.pop("created") is True
    assert second.pop("created") is False
    assert first == second
    assert first["group_name"] == "mine-" + first["group_uuid"]


def test_the_table_says_whether_the_reservation_was_made(cli: CLI) -> None:
    assert cli("ensure", "snap-1").lines[-1] == "created        yes"
    assert cli("ensure", "snap-1").lines[-1] == "created        no, it was there"


def test_a_name_that_the_rules_forbid_is_refused(cli: CLI) -> None:
    assert "must not be empty" in cli.refused("ensure", "")


@pytest.mark.parametrize("command", ["ensure", "reserve"])
def test_beside_shards_of_a_newer_driver_nothing_is_reserved(cli: CLI, command: str) -> None:
    cli.put(f"{DIRECTORY}.3", **{"csi.volume.group.snap-1": UUID})
    before = cli.dump()

    assert "csi.groups.default.3" in cli.refused(command, "snap-1", code=17)
    assert cli.dump() == before
