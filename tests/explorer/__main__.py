# ruff: noqa: T201  a command prints
"""The full walk as a command: `python tools/explore.py`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from explorer import report
from explorer.engine import Bounds, Space
from explorer.mutations import MUTATIONS
from explorer.plan import Planned, plan
from explorer.walk import Tally, Walk


def main() -> int:
    """Walk, print what was covered, and fail where an invariant broke."""
    arguments = _arguments()
    if arguments.mutations:
        return _show_mutations()
    walked = [
        _walk(planned, arguments)
        for planned in plan(full=not arguments.bounded)
        if arguments.scenario in planned.scenario.name
    ]
    print("\n".join(report.table(walked)))
    print(report.summary(walked))
    return int(any(tally.findings for tally in walked))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="explore", description=__doc__)
    parser.add_argument("--bounded", action="store_true", help="only what every test run walks")
    parser.add_argument("--faults", type=int, help="faults in one schedule, instead of the plan's")
    parser.add_argument("--crashes", type=int, help="clients stopped for good; default all")
    parser.add_argument("--scenario", default="", help="only scenarios with this in their name")
    parser.add_argument(
        "--mutations", action="store_true", help="the table of mutations and nothing else"
    )
    return parser.parse_args()


def _walk(planned: Planned, arguments: argparse.Namespace) -> Tally:
    bounds = replace(planned.bounds, crashes=arguments.crashes)
    if arguments.faults is not None:
        bounds = Bounds(arguments.faults, arguments.crashes)
    began = time.monotonic()
    tally = Walk(Space(planned.scenario, bounds)).run()
    seconds = time.monotonic() - began
    print(f"{tally.scenario}: {tally.states:,} states, {seconds:.1f} s", file=sys.stderr)
    for finding in tally.findings:
        print(f"VIOLATION {finding.violation}: {finding}")
    return tally


def _show_mutations() -> int:
    print("\n".join(report.mutation_header()))
    survived = 0
    for mutation in MUTATIONS:
        found = mutation.shortest()
        if found is None:
            print(f"NOT FOUND OUT: {mutation.name}")
            survived += 1
        else:
            print(report.mutation_row(mutation, *found))
    return survived


if __name__ == "__main__":
    sys.exit(main())
