"""Every interleaving, crash and fault of a few clients, within bounds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from csijournal.check.findings import FindingKind
from csijournal.check.scan import Depth, Verifier
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from explorer import report
from explorer.clients import ENDED, Run
from explorer.contents import NOW, Contents
from explorer.engine import LANDS, UNANSWERED, Bounds, Space, State, Step
from explorer.operations import Answer
from explorer.plan import Planned, plan
from explorer.scenarios import DOUBLE_FAULT, TWO, Scenario
from explorer.walk import Walk, shortest

CORRECTNESS = Path(__file__).parent.parent / "docs" / "correctness.md"


@pytest.mark.parametrize("planned", plan(), ids=str)
def test_every_schedule_keeps_every_promise(planned: Planned) -> None:
    tally = Walk(Space(planned.scenario, planned.bounds)).run()
    report.tallies.append(tally)
    if tally.findings:
        worst = shortest(Space(planned.scenario, planned.bounds))
        assert worst is not None
        pytest.fail(f"{worst.violation}: {worst}")


def test_the_document_states_how_much_was_explored() -> None:
    if len(report.tallies) != len(plan()):
        pytest.skip("only where all walks have run")
    assert report.summary(report.tallies) in CORRECTNESS.read_text(), (
        "docs/correctness.md has other numbers: tools/explore.py --bounded prints these"
    )


# What the protocol does not promise, and nothing beyond it


def test_two_recoveries_and_a_crash_can_strand_one_object_and_do_nothing_else() -> None:
    space = Space(DOUBLE_FAULT, Bounds())
    tally = Walk(space).run()
    assert [finding.violation.what for finding in tally.findings] == [
        "a group that nothing points at is left at rest"
    ]
    for state in tally.bad_ends:
        assert state.nodes[0] is not ENDED
        assert {kind for store in space.recovered(state) for kind in _seen_by_verify(store)} == {
            FindingKind.ORPHAN_GROUP
        }


def test_two_recoveries_strand_nothing_while_the_owner_lives() -> None:
    assert Walk(Space(DOUBLE_FAULT, Bounds(crashes=0))).run().findings == []


def test_late_writes_that_overtake_revive_a_group_or_change_a_member_and_do_nothing_else() -> None:
    """What the store's promise of order is for: without it, exactly this goes wrong."""
    bounds = Bounds(faults=1, in_order=False)
    findings = [finding for each in TWO for finding in Walk(Space(each, bounds)).run().findings]
    overtaking = ("group (no answer, not", "members (no answer, not")
    assert {finding.violation.invariant for finding in findings} == {"a", "d", "g"}
    for finding in findings:
        assert any(late in str(finding) for late in overtaking), finding
        assert finding.violation.invariant != "a" or "member" in finding.violation.what


def _seen_by_verify(store: MemoryStore) -> set[FindingKind]:
    verifier = Verifier(
        store,
        journals=(GROUPS,),
        depth=Depth.FULL,
        grace_seconds=0,
        settle_seconds=0,
        clock=lambda: NOW,
    )
    return {finding.kind for finding in verifier.findings()}


# The explorer itself


@pytest.mark.parametrize("scenario", TWO, ids=lambda scenario: scenario.name)
def test_schedules_run_for_real_end_as_the_walk_says(scenario: Scenario) -> None:
    chance = random.Random(scenario.name)  # noqa: S311  no secret, but the same each time
    space = Space(scenario, Bounds(faults=2))
    for _ in range(20):
        steps, state = _some_schedule(space, chance)
        assert _run_for_real(scenario, steps) == space.objects(state)


@pytest.mark.parametrize("name", ["ensure | ensure", "check | undo", "reserve | recover"])
def test_schedules_are_counted_as_if_each_were_run(name: str) -> None:
    space = Space(next(each for each in TWO if each.name == name), Bounds())
    tally = Walk(space).run()
    assert _count_one_by_one(space, space.start) == (
        tally.schedules,
        tally.schedules + tally.cut_schedules,
    )


def _some_schedule(space: Space, chance: random.Random) -> tuple[list[Step], State]:
    steps, state = [], space.start
    while moves := list(space.moves(state)):
        step, following = chance.choice(moves)
        assert isinstance(following, State)
        steps.append(step)
        state = following
    return steps, state


def _run_for_real(scenario: Scenario, steps: list[Step]) -> object:
    """The schedule on one store, with all clients as greenlets at once."""
    store, _ = scenario.start(len(scenario.clients))
    runs = [Run(client.script(scenario.grace_seconds)) for client in scenario.clients]
    for step in steps:
        answer = step.fault
        if answer is None or step.remark == UNANSWERED:
            answer = Answer.to(step.operation, store)
        if step.remark != LANDS:
            assert runs[step.client].operation == step.operation
            runs[step.client].go_on(step.fault or answer)
    contents = Contents()
    return contents.objects(contents.number(store))


def _count_one_by_one(space: Space, state: State) -> tuple[int, int]:
    ends, cuts = int(state.finished), 1
    for _, following in space.moves(state):
        assert isinstance(following, State)
        more_ends, more_cuts = _count_one_by_one(space, following)
        ends, cuts = ends + more_ends, cuts + more_cuts
    return ends, cuts
