"""What attach and drop share: one plan, said or carried out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from csijournal.cli import exit_codes
from csijournal.cli.apply import carry_out, outcome_lines, plan_lines, print_lines
from csijournal.cli.options import Settings
from csijournal.cli.output import print_json, print_line
from csijournal.cli.shell import command_line
from csijournal.repair.plan import Outcome, Plan
from csijournal.store import Store


def say_or_do(
    settings: Settings,
    store: Store,
    plan: Plan | None,
    *,
    words: Sequence[str],
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Print the plan, or back up and carry it out; `words` are the command line without --apply.

    None is a plan that has nothing to do.  Ends with exit code 1 where a step
    was skipped.
    """
    if plan is None or not apply:
        _say(settings, plan, words)
        return
    told: list[Outcome] = []

    def tell(_number: int, outcome: Outcome, _done: bool) -> None:
        told.append(outcome)

    backup, tally = carry_out(settings, store, [plan], backup_file, tell)
    if settings.json:
        extra = {"backup": str(backup.path), "undo": backup.undo}
        print_json(_as_json(plan, done=told[0].steps_done, skipped=told[0].skipped) | extra)
    else:
        print_lines([plan.subject, *outcome_lines(told[0], done=not tally.skipped), ""])
        print_line(f"to undo  {backup.undo}")
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


def _say(settings: Settings, plan: Plan | None, words: Sequence[str]) -> None:
    if settings.json:
        print_json(_as_json(plan, done=0, skipped=""))
    elif plan is None:
        print_line("nothing to do: it is so already.")
    else:
        print_lines([plan.subject, *plan_lines(plan), "", "nothing was changed."])
        line = command_line(settings, [words[0], "--apply", *words[1:]], settings.instance_id)
        print_line(f"to do it  {line}")


def _as_json(plan: Plan | None, *, done: int, skipped: str) -> dict[str, object]:
    steps = plan.steps if plan else ()
    return {
        "steps": [step.sentence for step in steps],
        "steps_done": done,
        "skipped": skipped or None,
    }
