"""csijournal restore."""

from __future__ import annotations

import hashlib
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import click

from csijournal.archive import Record, check_archive
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    Backup,
    Interrupt,
    Tally,
    apply_option,
    backup_option,
    finishing_first,
    is_done,
    outcome_lines,
    print_lines,
    saying_how_far,
    tally_as_json,
    unchanged_if_interrupted,
    write_backup,
)
from csijournal.cli.connect import open_place
from csijournal.cli.files import readable
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_json, print_line
from csijournal.cli.progress import Bar, Position
from csijournal.cli.render import number_of
from csijournal.cli.shell import command_line
from csijournal.errors import Conflict
from csijournal.repair import plan as repair
from csijournal.repair.plan import Outcome
from csijournal.store import Store
from csijournal.transfer.transfer import Difference, differences

_SHOWN_MAX = 20
_NOTE = struct.Struct("<Q32s")
"""The number of a difference, and a digest of what was backed up of it."""
_NO_NOTE = (sys.maxsize, b"")


@dataclass
class _Counts:
    """How the place differs from the archive; the sentences are the first few."""

    create: int = 0
    overwrite: int = 0
    sentences: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.create + self.overwrite


@click.command(
    "restore",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd restore journal.jsonl",
        "csijournal -p rbd restore csijournal-backup-20261122T132310Z.jsonl --overwrite --apply",
        "csijournal -p new -N ns restore journal.jsonl --apply",
    ],
)
@click.argument("file")
@click.option("--overwrite", is_flag=True, help="Replace what is different, after a backup of it.")
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings, file: str, overwrite: bool, apply: bool, backup_file: Path | None
) -> None:
    """Put back what an export or a backup holds.

    FILE is read to its end first; one that was cut short or altered is
    refused.  Says what it would do; with --apply does it.  What FILE says
    nothing of stays as it is, and what is there but different stops it with
    exit code 4 unless --overwrite is given.  A FILE of - is standard input.

    Exit code 1: others changed something meanwhile, and it was skipped.
    """
    with unchanged_if_interrupted(), readable(file) as archive:
        kind = check_archive(archive)
        with open_place(settings, create=apply) as store:
            counts = _count(store, archive)
            if not settings.json:
                _print_plan(counts, kind)
            if counts.overwrite and not overwrite:
                raise _in_the_way(counts)
            if not counts.total or not apply:
                _print_end(settings, counts, Tally(counts.total), None)
                if counts.total and not settings.json:
                    words = ["restore", file, *(["--overwrite"] if overwrite else []), "--apply"]
                    print_line(f"to do it  {command_line(settings, words)}")
                return
            backup, tally = _Restoring(settings, store, archive).run(counts, backup_file)
    _print_end(settings, counts, tally, backup)
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


# What is different


def _count(store: Store, archive: Path) -> _Counts:
    counts = _Counts()
    for difference in differences(store, archive):
        sentences = [step.sentence for step in difference.plan.steps]
        if difference.overwrites:
            counts.overwrite += 1
            _note_first(counts.in_the_way, sentences)
        else:
            counts.create += 1
        _note_first(counts.sentences, sentences)
    return counts


def _note_first(noted: list[str], sentences: list[str]) -> None:
    noted.extend(sentences[: _SHOWN_MAX - len(noted)])


def _print_plan(counts: _Counts, kind: str) -> None:
    if not counts.total:
        print_line(f"nothing to do: all that this {kind} holds is there.")
        return
    print_lines([f"    {sentence}" for sentence in counts.sentences])
    more = counts.total - len(counts.sentences)
    if more:
        print_line(f"    and {more:,} more")
    print_line("")
    print_line(f"{counts.create:,} to create or add to, {counts.overwrite:,} to overwrite.")


def _in_the_way(counts: _Counts) -> Conflict:
    named = ", ".join(name for name in counts.in_the_way)
    more = counts.overwrite - len(counts.in_the_way)
    return Conflict(
        f"{number_of(counts.overwrite, 'object')} would be overwritten; nothing was written:"
        f" {named}" + (f", and {more:,} more" if more else ""),
        hint="Give --overwrite to replace what is there; a backup of it is made first",
    )


def _print_end(settings: Settings, counts: _Counts, tally: Tally, backup: Backup | None) -> None:
    if settings.json:
        changes = {"create": counts.create, "overwrite": counts.overwrite}
        print_json({"summary": tally_as_json(tally, backup) | changes})
        return
    if tally.done or tally.skipped:
        print_line(f"{tally}.")
    elif counts.total:
        print_line("nothing was changed.")
    if backup is not None:
        print_line(f"to undo  {backup.undo}")


# Operation it


class _Restoring:
    """The passes that write: the backup of what is different, and then the differences.

    A note of each thing that is in the backup, on disk as there may be many,
    keeps the second pass from overwriting what the backup does not hold.
    """

    def __init__(self, settings: Settings, store: Store, archive: Path) -> None:
        self._settings = settings
        self._store = store
        self._archive = archive

    def run(self, counts: _Counts, backup_file: Path | None) -> tuple[Backup | None, Tally]:
        """Restore; what changes meanwhile is skipped."""
        tally = Tally(counts.total)
        bar = Bar(lambda: Position("restoring", tally.done + tally.skipped, counts.total))
        with finishing_first() as interrupt, tempfile.TemporaryFile() as notes:
            backup = None
            if counts.overwrite:
                with unchanged_if_interrupted():
                    records = self._backing_up(notes, interrupt)
                    backup = write_backup(self._settings, self._store, backup_file, records)
            notes.seek(0)
            explicit = backup_file is not None and backup is not None
            with saying_how_far(self._settings, tally, backup, explicit=explicit), bar.shown():
                self._restore(_read_notes(notes), tally, interrupt, bar)
        return backup, tally

    def _backing_up(self, notes: IO[bytes], interrupt: Interrupt) -> Iterator[Record]:
        for difference in differences(self._store, self._archive):
            if interrupt.asked:
                raise KeyboardInterrupt
            for record in repair.backup(self._store, difference.plan):
                notes.write(_NOTE.pack(difference.number, _digest(record)))
                yield record

    def _restore(
        self,
        notes: Iterator[tuple[int, bytes]],
        tally: Tally,
        interrupt: Interrupt,
        bar: Bar,
    ) -> None:
        noted, digest = next(notes, _NO_NOTE)
        for difference in differences(self._store, self._archive):
            if interrupt.asked:
                tally.interrupted = True
                return
            while noted < difference.number:
                noted, digest = next(notes, _NO_NOTE)
            backed_up = noted == difference.number and self._is_still(digest, difference)
            outcome = self._carry_out(difference, backed_up=backed_up)
            done = not outcome.skipped or is_done(self._store, difference.plan)
            tally.count(done=done)
            if not done:
                with bar.hidden():
                    self._print_skipped(outcome)
        tally.planned = tally.done + tally.skipped

    def _is_still(self, digest: bytes, difference: Difference) -> bool:
        """Whether what lies there is what went into the backup."""
        return all(_digest(r) == digest for r in repair.backup(self._store, difference.plan))

    def _carry_out(self, difference: Difference, *, backed_up: bool) -> Outcome:
        if difference.overwrites and not backed_up:
            return Outcome(difference.plan, 0, "it has changed since it was looked at")
        return repair.carry_out(self._store, difference.plan)

    def _print_skipped(self, outcome: Outcome) -> None:
        if self._settings.json:
            print_json({"object": outcome.plan.subject, "skipped": outcome.skipped})
        else:
            print_lines(outcome_lines(outcome))


def _read_notes(notes: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    while data := notes.read(_NOTE.size):
        number, digest = _NOTE.unpack(data)
        yield number, digest


def _digest(record: Record) -> bytes:
    return hashlib.sha256(record.to_line().encode()).digest()
