"""What attach and drop share: one plan, said or carried out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from csijournal.cli import exit_codes
from csijournal.cli.apply import Work, backup_path, outcome_lines, plan_lines, working
from csijournal.cli.options import Settings
from csijournal.cli.output import print_json, print_line, print_lines
from csijournal.cli.shell import command_line
from csijournal.repair.apply import Engine, Tally
from csijournal.repair.backup import BackupFile
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
        _say(settings, plan, words, backup_file)
        return
    told: list[Outcome] = []
    tally = Tally(1)
    path = backup_path(backup_file)
    with working(
        settings,
        tally,
        lambda outcome, _done: told.append(outcome),
        explicit=backup_file is not None,
    ) as work:
        Engine(store, work, BackupFile(path, store.place), tally).run([plan])
        if told:
            _print_end(settings, told[0], work)
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


def _print_end(settings: Settings, outcome: Outcome, work: Work) -> None:
    backup = work.backup
    if settings.json:
        extra = {
            "backup": str(backup.path) if backup else None,
            "undo": backup.undo if backup else None,
        }
        done = _as_json(outcome.plan, done=outcome.steps_done, skipped=outcome.skipped)
        print_json(done | extra)
        return
    lines = outcome_lines(outcome, done=not work.tally.skipped)
    print_lines([outcome.plan.subject, *lines, ""])
    if backup is not None:
        print_line(f"to undo  {backup.undo}")


def _say(
    settings: Settings, plan: Plan | None, words: Sequence[str], backup_file: Path | None
) -> None:
    if settings.json:
        print_json(_as_json(plan, done=0, skipped=""))
    elif plan is None:
        print_line("nothing to do: it is so already.")
    else:
        print_lines([plan.subject, *plan_lines(plan), "", "nothing was changed."])
        options = ["--apply", *(["--backup", str(backup_file)] if backup_file else [])]
        line = command_line(settings, [words[0], *options, *words[1:]], settings.instance_id)
        print_line(f"to do it  {line}")


def _as_json(plan: Plan | None, *, done: int, skipped: str) -> dict[str, object]:
    told = plan.told if plan else ()
    return {
        "steps": [sentence for _, sentence in told],
        "steps_done": done,
        "skipped": skipped or None,
    }
