from __future__ import annotations

import shlex

import pytest

from cli.conftest import CLI, DIRECTORY, UUID
from cli.damage import damage, entries, group, uuid
from csijournal.wire.schema import GROUPS

GROUP = GROUPS.record_object(uuid(1))


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    return damage(
        cli,
        entries(right=uuid(2), corrupt="no UUID")
        | group("right", 2)
        | group("detached", 1, vol="snap"),
    )


def test_without_apply_it_only_says_what_it_would_remove(damaged: CLI) -> None:
    before = damaged.dump()

    assert damaged("drop", "--entry", "corrupt").lines == [
        "drop the entry 'corrupt'",
        "    remove the entry 'corrupt' -> 'no UUID'",
        "",
        "nothing was changed.",
        "to do it  csijournal drop --apply --entry corrupt",
    ]
    assert damaged("drop", "--group", uuid(1)).lines[1] == (
        f"    remove the group object {uuid(1)} of 'detached' with 1 member"
    )
    assert damaged.dump() == before


def test_an_entry_is_dropped_and_the_backup_undoes_it(damaged: CLI) -> None:
    before = damaged.dump()

    damaged("drop", "--entry", "corrupt", "--apply", "--backup", "b.jsonl")

    assert set(damaged.dump()[DIRECTORY]) == {GROUPS.entry_key("right")}
    damaged("restore", "b.jsonl", "--overwrite", "--apply")
    assert damaged.dump() == before


def test_a_group_is_dropped_and_the_backup_undoes_it(damaged: CLI) -> None:
    before = damaged.dump()

    answer = damaged("drop", "--group", uuid(1), "--apply", "--backup", "b.jsonl", "-ojson")

    assert '"steps_done": 1' in answer.lines[-1]
    assert GROUP not in damaged.dump()
    damaged("restore", "b.jsonl", "--apply")
    assert damaged.dump() == before


def test_a_right_entry_can_be_dropped_and_the_plan_says_what_that_means(damaged: CLI) -> None:
    assert "its group stays, with nothing that points at it" in damaged("drop", "--entry=right").out


def test_a_group_in_use_is_exit_code_4(damaged: CLI) -> None:
    assert "Use undo" in damaged.refused("drop", "--group", uuid(2), "--apply", code=4)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Drop what? Give --entry NAME or --group UUID."),
        (["--entry", "a", "--group", uuid(1)], 2, "Drop what?"),
        (["--entry", "nothing"], 3, "there is no entry 'nothing'"),
        (["--entry", "a\ab"], 3, "there is no entry"),
        (["--group", uuid(9)], 3, "there is no group"),
        (["--group", "x"], 2, "'x' is not a UUID"),
    ],
)
def test_what_cannot_be_dropped_is_refused(
    damaged: CLI, arguments: list[str], code: int, said: str
) -> None:
    assert said in damaged.refused("drop", *arguments, code=code)


def test_a_group_that_another_names_entry_points_at_is_not_dropped(cli: CLI) -> None:
    cli.put_group(UUID, "snap-1")
    cli.put_entry("it's another", UUID)

    said = cli.refused("drop", "--group", UUID, "--apply", code=4)

    assert "the entry 'it's another' points at this group" in said
    hint = next(line for line in said.splitlines() if line.startswith("hint: "))
    command = hint.partition("csijournal ")[2]
    cli(*shlex.split(command), "--apply")
    cli("drop", "--group", UUID, "--apply")
    assert cli.dump() == {DIRECTORY: {}}
