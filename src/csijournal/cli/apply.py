"""Carrying out plans at the command line: where the backup goes, signals, and what was done.

Whatever ends the work early, what is said is what was done: how many, where the
backup is, and the command that undoes it.  Where standard output cannot be
written any more, that goes to standard error and the work stops: nobody could
see what else was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from csijournal.cli import exit_codes
from csijournal.cli.interrupts import Interrupt, Interrupted, exit_code_of, finishing_first
from csijournal.cli.options import Settings
from csijournal.cli.output import (
    OutputLost,
    flush_output,
    note,
    print_json,
    report,
    report_text,
)
from csijournal.cli.shell import undo_line
from csijournal.errors import BackupFailed, CSIJournalError, InvalidInput, printable
from csijournal.repair.apply import Tally, Watcher
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome, Plan
from csijournal.wire.timestamps import Timestamp

apply_option = click.option("--apply", is_flag=True, help="Do it; without, only say what.")


def _require_new(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> Path | None:
    if path is not None and path.exists():
        raise InvalidInput(
            f"{printable(str(path))} exists", hint="Name a file for the backup that does not exist"
        )
    return path


backup_option = click.option(
    "--backup",
    "backup_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_require_new,
    help="Where the backup goes.  [csijournal-backup-TIME.jsonl]",
)


@contextmanager
def changing_nothing(settings: Settings, *, apply: bool = False) -> Iterator[None]:
    """A block that only looks: says that nothing was changed where it ends early.

    With `apply` also where the reader of the output goes away.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        report_text("interrupted; nothing was changed")
        raise click.exceptions.Exit(exit_code_of(interrupt)) from None
    except OutputLost as error:
        if error.how_far:
            raise
        raise OutputLost(error.cause, how_far="nothing was changed", hint="") from error
    except BrokenPipeError:
        if apply:
            told = ReaderGone("the reader of the output went away; nothing was changed")
            report(settings, told, exit_codes.READER_GONE, hint="")
        raise


# Backups


@dataclass(frozen=True)
class Backup:
    """A backup, and the command that puts back what it holds."""

    path: Path
    undo: str


def backup_path(given: Path | None) -> Path:
    """The path of a backup: as given, or a name in the current folder that is not taken."""
    if given is not None:
        return given.absolute()
    moment = f"{Timestamp.now().to_datetime():%Y%m%dT%H%M%SZ}"
    path, number = Path(f"csijournal-backup-{moment}.jsonl").absolute(), 1
    while path.exists():
        number += 1
        path = path.with_name(f"csijournal-backup-{moment}-{number}.jsonl")
    return path


# Acting

Tell = Callable[[Outcome, bool], None]


class Work(Watcher):
    """One run of an engine: what it tells is printed at once, and signals stop it in between."""

    def __init__(self, settings: Settings, interrupt: Interrupt, tally: Tally, tell: Tell) -> None:
        self._settings = settings
        self._interrupt = interrupt
        self._tell = tell
        self.tally = tally
        self.backup: Backup | None = None

    def backed_up(self, backup_file: BackupFile) -> None:
        """Say where the backup is, before anything is changed."""
        path = backup_file.path
        undo = undo_line(self._settings, str(path))
        self.backup = Backup(path, undo)
        note(self._settings, f"backup: {path}")
        if self._settings.json:
            print_json({"backup": str(path), "undo": undo})
            flush_output()

    def carried_out(self, outcome: Outcome, *, done: bool) -> None:
        """Print what became of a plan; it has left this process before the next is touched."""
        self._tell(outcome, done)
        flush_output()

    def stop(self) -> bool:
        """Whether a signal asked to stop."""
        return bool(self._interrupt.asked)


@contextmanager
def working(
    settings: Settings, tally: Tally, tell: Tell, *, explicit: bool = False
) -> Iterator[Work]:
    """A block that runs an engine and prints its end; says how far it got where that ends early.

    A signal lets the plan under way finish.  `explicit` says that the user
    named the backup, so that the next run needs another.
    """
    with finishing_first() as interrupt:
        work = Work(settings, interrupt, tally, tell)
        with _telling_where_output_is_lost(settings, work):
            try:
                yield work
            except KeyboardInterrupt as second:
                tally.stopped = True
                _say_how_far(settings, work, explicit=explicit)
                raise click.exceptions.Exit(exit_code_of(second)) from None
            except BackupFailed as error:
                raise _backup_lost(settings, work, error) from error
            except CSIJournalError:
                _say_how_far(settings, work, explicit=explicit)
                raise
            flush_output()
            if tally.stopped:
                _say_how_far(settings, work, explicit=explicit)
                raise click.exceptions.Exit(exit_code_of(Interrupted(interrupt.asked)))


@contextmanager
def _telling_where_output_is_lost(settings: Settings, work: Work) -> Iterator[None]:
    """Say on standard error how far it got where standard output ends the block."""
    try:
        yield
    except OutputLost as error:
        raise OutputLost(error.cause, how_far=_how_far(work), hint=_to_undo(work)) from error
    except BrokenPipeError:
        told = ReaderGone(f"the reader of the output went away; {_how_far(work)}")
        report(settings, told, exit_codes.READER_GONE, hint=_to_undo(work))
        raise click.exceptions.Exit(exit_codes.READER_GONE) from None


def _backup_lost(settings: Settings, work: Work, error: BackupFailed) -> Exception:
    """What to raise where the backup cannot grow; exit code 74 once something was done."""
    if not work.tally.done:
        return error
    told = BackupFailed(f"{error.message}; {_how_far(work)}")
    report(settings, told, exit_codes.OUTPUT_LOST, hint=_to_undo(work))
    return click.exceptions.Exit(exit_codes.OUTPUT_LOST)


class ReaderGone(Exception):
    """The reader of standard output went away."""


def _how_far(work: Work) -> str:
    """How far it got, for one line on standard error."""
    where = f"; backup: {work.backup.path}" if work.backup else ""
    return f"{work.tally}{where}"


def _to_undo(work: Work) -> str:
    again = "Run the same command again for the rest"
    return f"To undo: {work.backup.undo}. {again}" if work.backup else again


def _say_how_far(settings: Settings, work: Work, *, explicit: bool) -> None:
    tally, backup = work.tally, work.backup
    again = " with another --backup" if explicit and backup else ""
    text = f": {tally}; run the same command again{again} for the rest"
    if not (tally.done or backup):
        text = "; nothing was changed"
    if tally.stopped:
        report_text(f"interrupted{text}")
    else:
        note(settings, text.lstrip(":; "))
    if backup is not None:
        note(settings, f"to undo: {backup.undo}")
    if settings.json:
        print_json({"summary": tally_as_json(tally, backup)})
    flush_output()


def tally_as_json(tally: Tally, backup: Backup | None) -> dict[str, object]:
    """How far it got, for the last line of JSON."""
    return {
        "planned": tally.total,
        "done": tally.done,
        "skipped": tally.skipped,
        "interrupted": tally.stopped,
        "backup": str(backup.path) if backup else None,
        "undo": backup.undo if backup else None,
    }


# Plans and outcomes in words


def plan_lines(plan: Plan) -> list[str]:
    """The steps of a plan that is not carried out yet."""
    return [f"    {sentence}" for _, sentence in plan.told]


def outcome_lines(outcome: Outcome, *, done: bool = False) -> list[str]:
    """The steps of a plan, and what became of each; `done` says that others did the rest."""
    rest = "was so" if done else "skipped"
    lines = [
        f"    {'done' if number < outcome.steps_done else rest:7}  {sentence}"
        for number, sentence in outcome.plan.told
    ]
    if outcome.skipped and not done:
        lines.append(f"    {'':7}  {printable(outcome.skipped)}")
    return lines
