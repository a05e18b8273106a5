"""The explorer finds out every way of spoiling the journal that we could think of."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer import report
from explorer.engine import Bounds, Space
from explorer.mutations import GUARDS, MUTATIONS, NEEDS_MORE_CLIENTS, Mutation
from explorer.plan import plan
from explorer.walk import Walk

CORRECTNESS = Path(__file__).parent.parent / "docs" / "correctness.md"


def test_every_guard_that_the_journal_writes_has_its_mutation() -> None:
    scenarios = {planned.scenario.name: planned.scenario for planned in plan()}
    walks = [Walk(Space(scenario, Bounds())).run() for scenario in scenarios.values()]
    assert set().union(*(tally.guards for tally in walks)) == set(GUARDS) | NEEDS_MORE_CLIENTS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_spoiled_journal_is_found_out(mutation: Mutation) -> None:
    found = mutation.shortest()
    assert found is not None
    report.shown.append(mutation.name)
    row = report.mutation_row(mutation, *found)
    assert row in CORRECTNESS.read_text(), (
        "docs/correctness.md has another table: tools/explore.py --mutations prints this one"
    )
