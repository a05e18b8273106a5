"""Which walks make a run: bounded for every test run, or the full ones."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.engine import Bounds
from explorer.scenarios import (
    CHOSEN,
    COLLISION,
    ONE_LEASE_ID,
    PEERS,
    REPAIRS,
    RESTORES,
    THREE,
    TWO,
    Scenario,
)


@dataclass(frozen=True)
class Planned:
    """One walk."""

    scenario: Scenario
    bounds: Bounds

    def __str__(self) -> str:
        return f"{self.scenario.name}, {self.bounds.faults} faults"


_LARGE = {
    "ensure, undo | ensure",
    "ensure, undo | ensure, undo",
    "ensure | ensure on leases of two",
    "reserve twice on one lease | recover",
    "ensure | ensure, undo without leases",
    "Ceph-CSI reserves | ensure, grace over",
}
"""Scenarios of two clients that are walked with one fault less."""

_CHOSEN_WITH_FAULT = {"check a stale entry | the same", "undo, reserve the same UUID | recover"}
"""Those with stale entries that are walked with one fault; the others without."""

_REPAIRS_WITHOUT_FAULT = {
    "repair orphan-group | reserve without a lease",
    "drop | reserve without a lease",
}
"""Without faults alone: where the owner's last write fails, the next caller is not protected."""

_RESTORE_OF_THREE = "restore | check a stale entry | the same"
"""Without faults: where the entry's write fails, who read the old entry is not protected."""

_HUGE = "ensure, undo | ensure | recover"
"""Four million states without any fault: only in the full walk."""


_REPAIR_OF_CHOSEN = "repair dangling-entry | reserve the same UUID"
"""Walked with one fault less: 290,000 states with one."""


def _faults_of_repair(scenario: Scenario, more: int) -> int:
    if scenario.name in _REPAIRS_WITHOUT_FAULT:
        return 0
    return more + (scenario.name != _REPAIR_OF_CHOSEN)


def plan(*, full: bool = False) -> list[Planned]:
    """The walks of a test run, or with `full` those with one more fault each."""
    more = int(full)
    pairs = [
        *((each, more + 1 + (each.name not in _LARGE)) for each in (*TWO, *PEERS)),
        *((each, more + (each.name in _CHOSEN_WITH_FAULT)) for each in CHOSEN),
        *((each, _faults_of_repair(each, more)) for each in REPAIRS),
        *((each, more + (each.name != _RESTORE_OF_THREE)) for each in RESTORES),
        *((each, more) for each in THREE if each.name != _HUGE),
        *((each, 0) for each in THREE if full and each.name == _HUGE),
        (COLLISION, more),
        (ONE_LEASE_ID, more),
    ]
    return [Planned(scenario, Bounds(faults)) for scenario, faults in pairs]
