"""What was explored, in numbers and tables, for the end of a test run and for the documents."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.mutations import Mutation
from explorer.scenarios import Scenario
from explorer.walk import Finding, Tally

COLUMNS = (
    "scenario",
    "faults",
    "states",
    "steps",
    "schedules to the end",
    "schedules with clients stopped",
    "crash points",
    "fault points",
)

tallies: list[Tally] = []
"""The walks of this run so far."""

shown: list[str] = []
"""Mutations that this run found out."""


def lines() -> Iterable[str]:
    """A few lines that sum up this run; none where nothing was walked."""
    if tallies:
        yield summary(tallies)
    if shown:
        yield f"{len(shown)} mutations of the journal, each found out"


def summary(walked: list[Tally]) -> str:
    """All walks in one sentence."""
    total = sum_of(walked)
    return (
        f"{len(walked)} walks: {total.states:,} states, {total.steps:,} steps,"
        f" {rounded(total.schedules)} schedules to the end,"
        f" {rounded(total.cut_schedules)} with clients stopped for good,"
        f" {total.crash_points:,} crash points, {total.fault_points:,} fault points"
    )


def sum_of(walked: list[Tally]) -> Tally:
    """All walks as one."""
    return Tally(
        states=sum(tally.states for tally in walked),
        steps=sum(tally.steps for tally in walked),
        schedules=sum(tally.schedules for tally in walked),
        cut_schedules=sum(tally.cut_schedules for tally in walked),
        crash_points=sum(tally.crash_points for tally in walked),
        fault_points=sum(tally.fault_points for tally in walked),
    )


def table(walked: list[Tally]) -> Iterable[str]:
    """One row for each walk, and the sums, in Markdown."""
    yield _row(COLUMNS)
    yield _row(["---"] + ["---:"] * (len(COLUMNS) - 1))
    for tally in walked:
        yield _row([_cell(tally.scenario), str(tally.faults), *_numbers(tally)])
    yield _row(["all", "", *_numbers(sum_of(walked))])


def mutation_header() -> Iterable[str]:
    """The head of the mutations' table."""
    yield _row(("mutation", "broken", "scenario", "shortest failing schedule"))
    yield _row(["---"] * 4)


def mutation_row(mutation: Mutation, scenario: Scenario, finding: Finding) -> str:
    """One mutation and how it was found out, in Markdown."""
    schedule = f"{finding} ({finding.steps} step{'s' if finding.steps > 1 else ''})"
    return _row((mutation.name, finding.violation.invariant, _cell(scenario.name), schedule))


def rounded(number: int) -> str:
    """A number as it stands, or where it is long its first digits."""
    if number < 1_000_000:
        return f"{number:,}"
    digits, exponent = f"{number:.1e}".split("e")
    return f"{digits} × 10^{int(exponent)}"


def _numbers(tally: Tally) -> list[str]:
    return [
        f"{tally.states:,}",
        f"{tally.steps:,}",
        rounded(tally.schedules),
        rounded(tally.cut_schedules),
        f"{tally.crash_points:,}",
        f"{tally.fault_points:,}",
    ]


def _cell(text: str) -> str:
    return text.replace("|", "‖")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
