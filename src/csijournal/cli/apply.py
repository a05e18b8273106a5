"""Carrying out plans: a backup first, then one after the other, stopped by Ctrl-C in between."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from csijournal.archive import ArchiveWriter, Record
from csijournal.cli import exit_codes
from csijournal.cli.files import new_file
from csijournal.cli.options import Settings
from csijournal.cli.output import note, print_json, print_line, report_text
from csijournal.cli.shell import command_line
from csijournal.errors import CSIJournalError, InvalidInput, printable
from csijournal.repair import plan as repair
from csijournal.repair.plan import Outcome, Plan
from csijournal.store import Store, Write
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


class Interrupt:
    """Whether the user has asked to stop."""

    asked = False


@contextmanager
def finishing_first() -> Iterator[Interrupt]:
    """Let Ctrl-C only ask to stop, so that what is under way is finished; twice interrupts it."""
    interrupt = Interrupt()

    def ask(number: int, frame: FrameType | None) -> None:
        if interrupt.asked:
            signal.default_int_handler(number, frame)
        interrupt.asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


# Backups


@dataclass(frozen=True)
class Backup:
    """A complete backup, and the command that puts back what it holds."""

    path: Path
    undo: str


def write_backup(
    settings: Settings, store: Store, path: Path | None, records: Iterator[Record]
) -> Backup:
    """Write a backup that is on disk before anything is changed, and say where it is."""
    path = path or _new_name()
    with new_file(path) as file, ArchiveWriter(file, kind="backup", place=store.place) as archive:
        for record in records:
            archive.write(record)
    undo = command_line(settings, ["restore", str(path), "--overwrite", "--apply"])
    note(settings, f"backup: {path}")
    if settings.json:
        print_json({"backup": str(path), "undo": undo})
    return Backup(path, undo)


def _new_name() -> Path:
    """A name for a backup in the current folder that is not taken."""
    moment = f"{Timestamp.now().to_datetime():%Y%m%dT%H%M%SZ}"
    path, number = Path(f"csijournal-backup-{moment}.jsonl"), 1
    while path.exists():
        number += 1
        path = Path(f"csijournal-backup-{moment}-{number}.jsonl")
    return path


# Acting


@dataclass
class Tally:
    """How many of `planned` are done, and how many were skipped."""

    planned: int
    done: int = 0
    skipped: int = 0
    interrupted: bool = False

    def count(self, *, done: bool) -> None:
        """Note what became of one more plan."""
        if done:
            self.done += 1
        else:
            self.skipped += 1

    def __str__(self) -> str:
        return f"{self.done} of {self.planned} done" + (
            f", {self.skipped} skipped" if self.skipped else ""
        )


def carry_out(
    settings: Settings,
    store: Store,
    plans: Sequence[Plan],
    backup_file: Path | None,
    tell: Callable[[int, Outcome, bool], None],
) -> tuple[Backup, Tally]:
    """Back up what `plans` touch, then carry them out.

    `tell` is called for each with its number, what became of it, and whether
    it is done.  Ctrl-C lets the plan under way finish and ends the command with
    exit code 130.
    """
    with finishing_first() as interrupt:
        with unchanged_if_interrupted():
            records = _until(interrupt, (r for plan in plans for r in repair.backup(store, plan)))
            backup = write_backup(settings, store, backup_file, records)
        tally = Tally(len(plans))
        with saying_how_far(settings, tally, backup, explicit=backup_file is not None):
            for number, plan in enumerate(plans):
                if interrupt.asked:
                    tally.interrupted = True
                    break
                outcome = repair.carry_out(store, plan)
                done = not outcome.skipped or is_done(store, plan)
                tally.count(done=done)
                tell(number, outcome, done)
    return backup, tally


def is_done(store: Store, plan: Plan) -> bool:
    """Whether all that the plan wanted is so, whoever did it."""
    return all(_is_so(store, step.write) for step in plan.steps)


def _is_so(store: Store, write: Write) -> bool:
    found = repair.before(store, write).keys
    if write.remove_object:
        return found is None
    present = found or {}
    return all(present.get(key) is None for key in write.deletions) and all(
        present.get(key) == value for key, value in write.puts.items()
    )


def _until(interrupt: Interrupt, records: Iterator[Record]) -> Iterator[Record]:
    """`records`; KeyboardInterrupt once the user asked to stop, as nothing is changed yet."""
    for record in records:
        if interrupt.asked:
            raise KeyboardInterrupt
        yield record


@contextmanager
def unchanged_if_interrupted() -> Iterator[None]:
    """Say that nothing was changed where Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        report_text("interrupted; nothing was changed")
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None


@contextmanager
def saying_how_far(
    settings: Settings, tally: Tally, backup: Backup | None, *, explicit: bool
) -> Iterator[None]:
    """Say how far it got where the block ends early, by Ctrl-C or an error."""
    try:
        yield
    except KeyboardInterrupt:
        tally.interrupted = True
        _say_how_far(settings, tally, backup, explicit=explicit)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None
    except CSIJournalError:
        _say_how_far(settings, tally, backup, explicit=explicit)
        raise
    if tally.interrupted:
        _say_how_far(settings, tally, backup, explicit=explicit)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED)


def _say_how_far(
    settings: Settings, tally: Tally, backup: Backup | None, *, explicit: bool
) -> None:
    again = " with another --backup" if explicit else ""
    text = f"{tally}; run the same command again{again} for the rest"
    if tally.interrupted:
        report_text(f"interrupted: {text}")
    else:
        note(settings, text)
    if backup is not None:
        note(settings, f"to undo: {backup.undo}")
    if settings.json:
        print_json({"summary": tally_as_json(tally, backup)})


def tally_as_json(tally: Tally, backup: Backup | None) -> dict[str, object]:
    """How far it got, for the last line of JSON."""
    return {
        "planned": tally.planned,
        "done": tally.done,
        "skipped": tally.skipped,
        "interrupted": tally.interrupted,
        "backup": str(backup.path) if backup else None,
        "undo": backup.undo if backup else None,
    }


# Plans and outcomes in words


def plan_lines(plan: Plan) -> list[str]:
    """The steps of a plan that is not carried out yet."""
    return [f"    {step.sentence}" for step in plan.steps]


def outcome_lines(outcome: Outcome, *, done: bool = False) -> list[str]:
    """The steps of a plan, and what became of each; `done` says that others did the rest."""
    rest = "was so" if done else "skipped"
    lines = [
        f"    {'done' if number < outcome.steps_done else rest:7}  {step.sentence}"
        for number, step in enumerate(outcome.plan.steps)
    ]
    if outcome.skipped and not done:
        lines.append(f"    {'':7}  {printable(outcome.skipped)}")
    return lines


def print_lines(lines: list[str]) -> None:
    """Print each line."""
    for line in lines:
        print_line(line)
