"""csijournal restore."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from csijournal.archive import Archive
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    Backup,
    apply_option,
    backup_option,
    backup_path,
    changing_nothing,
    outcome_lines,
    tally_as_json,
    working,
)
from csijournal.cli.connect import open_place
from csijournal.cli.files import STANDARD, readable
from csijournal.cli.mapping_options import MappingOptions, mapper_of, mapping_options
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json, print_line, print_lines
from csijournal.cli.progress import Bar, Position
from csijournal.cli.shell import command_line
from csijournal.errors import Conflict, NotFound, printable
from csijournal.repair.apply import Tally
from csijournal.repair.plan import Outcome
from csijournal.store import Store
from csijournal.transfer.listings import LISTING
from csijournal.transfer.restore import LeftOut, Restorer, Survey, check_archive
from csijournal.wire.text import number_of


@dataclass(frozen=True)
class _Asked:
    """The arguments of the command."""

    file: str
    only: str
    overwrite: bool
    apply: bool
    backup_file: Path | None
    mapping: MappingOptions

    def words(self) -> list[str]:
        """The words of a command line that carries this out."""
        words = ["restore", self.file]
        words += ["--only", self.only] if self.only else []
        words += ["--overwrite"] if self.overwrite else []
        words += self.mapping.words()
        words += ["--backup", str(self.backup_file)] if self.backup_file else []
        return [*words, "--apply"]


@click.command(
    "restore",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd restore journal.jsonl",
        "csijournal -p rbd restore csijournal-backup-20261122T132310Z.jsonl --overwrite --apply",
        "csijournal -p rbd restore backup.jsonl --only groupsnapshot-42 --overwrite --apply",
        "csijournal -p new -N ns restore journal.jsonl --apply",
        "csijournal -p new restore journal.jsonl --map-pool 2=5 --map-cluster site1=site2",
    ],
)
@click.argument("file")
@click.option("--overwrite", is_flag=True, help="Replace what is different, after a backup of it.")
@click.option(
    "--only",
    metavar="NAME",
    default="",
    help="Only what is about this request name, UUID or object.",
)
@mapping_options
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    file: str,
    overwrite: bool,
    only: str,
    mapping: MappingOptions,
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Put back what an export or a backup holds.

    FILE (- is standard input) is read to its end first; one that was cut short or
    altered, or that names what is not a journal's, is refused.  Says what it would
    do; with --apply does it.  What FILE says nothing of stays as it is, and what is
    there but different stops it with exit code 4 unless --overwrite is given.

    After a failover to other pools, --map-pool and its like (or --cluster-mapping)
    exchange the ids in handles and entries, and those of images for those here.
    What cannot be mapped is named, and nothing is written, with exit code 4.

    Leases in old files are left out.  A listing's archive (import-listing) goes into
    a new file, marked as a copy.  Exit code 1: others changed something meanwhile.
    """
    asked = _Asked(file, only, overwrite, apply, backup_file, mapping)
    with changing_nothing(settings, apply=apply), readable(file) as opened:
        archive = Archive(opened, _shown(file))
        kind, left_out = check_archive(archive)
        with (
            open_place(settings, create=apply) as store,
            mapper_of(mapping.ids(settings, store), store) as mapper,
        ):
            restorer = Restorer(
                store, archive, only=only, instance_id=settings.instance_id, mapper=mapper
            )
            survey = _survey(settings, restorer, asked)
            _print_plan(settings, survey, kind, archive)
            _note_left_out(settings, left_out)
            tally = _act(settings, restorer, survey, asked, store if kind == LISTING else None)
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


def _survey(settings: Settings, restorer: Restorer, asked: _Asked) -> Survey:
    """What restore would do.  Raises where something cannot be mapped, or nothing is there."""
    asked.mapping.require_mapped(settings, restorer.cannot_map())
    survey = restorer.survey()
    _require_selected(asked, survey)
    return survey


def _act(
    settings: Settings, restorer: Restorer, survey: Survey, asked: _Asked, copy: Store | None
) -> Tally:
    """Carry it out if told to, and mark the store `copy`; ends the command where that is all.

    Raises Conflict where something would be overwritten without leave.
    """
    if survey.overwrite and not asked.overwrite:
        raise _in_the_way(survey)
    if not survey.total or not asked.apply:
        _print_dry_end(settings, survey, asked)
        raise click.exceptions.Exit(exit_codes.OK)
    if copy is not None:
        copy.mark_copy()
    return _restore(settings, restorer, survey, asked)


def _shown(file: str) -> str:
    return "standard input" if file == STANDARD else printable(file)


def _require_selected(asked: _Asked, survey: Survey) -> None:
    if asked.only and not survey.selected:
        raise NotFound(
            f"{_shown(asked.file)} holds nothing of {asked.only!r}",
            hint="Give a request name, a UUID or an object's name as the file has it",
        )


def _restore(settings: Settings, restorer: Restorer, survey: Survey, asked: _Asked) -> Tally:
    """Carry it out, and print what was skipped and how much was done."""
    tally = Tally(survey.total)
    path = backup_path(asked.backup_file) if survey.overwrite else None
    bar = Bar(lambda: Position("restoring", tally.done + tally.skipped, tally.total))
    tell = partial(_tell, settings, bar)
    explicit = asked.backup_file is not None
    with working(settings, tally, tell, explicit=explicit) as work, bar.shown():
        restorer.restore(path, work, tally)
        if not tally.stopped:
            tally.planned = None
            _print_end(settings, survey, tally, work.backup)
    return tally


# What is said


def _print_plan(settings: Settings, survey: Survey, kind: str, archive: Archive) -> None:
    if kind == "backup" and not archive.finished:
        note(settings, "the command that made this backup was killed: it may have done less")
    if settings.json:
        return
    if not survey.total:
        print_line(f"nothing to do: all that this {kind} holds is there.")
        return
    print_lines([f"    {sentence}" for sentence in survey.sentences])
    more = survey.total - len(survey.sentences)
    if more:
        print_line(f"    and {more:,} more")
    print_line("")
    print_line(f"{survey.create:,} to create or add to, {survey.overwrite:,} to overwrite.")


def _note_left_out(settings: Settings, left_out: LeftOut) -> None:
    if left_out.leases:
        note(settings, f"{number_of(left_out.leases, 'lease')} left out: they must not come back")


def _in_the_way(survey: Survey) -> Conflict:
    named = ", ".join(survey.in_the_way)
    more = survey.overwrite - len(survey.in_the_way)
    return Conflict(
        f"{number_of(survey.overwrite, 'object')} would be overwritten; nothing was written:"
        f" {named}" + (f", and {more:,} more" if more else ""),
        hint="Give --overwrite to replace what is there; a backup of it is made first",
    )


def _print_dry_end(settings: Settings, survey: Survey, asked: _Asked) -> None:
    _print_end(settings, survey, Tally(survey.total), None)
    if survey.total and not settings.json and asked.file != STANDARD:
        print_line(f"to do it  {command_line(settings, asked.words())}")


def _print_end(settings: Settings, survey: Survey, tally: Tally, backup: Backup | None) -> None:
    if settings.json:
        changes = {"create": survey.create, "overwrite": survey.overwrite}
        print_json({"summary": tally_as_json(tally, backup) | changes})
        return
    if tally.done or tally.skipped:
        print_line(f"{tally}.")
    elif survey.total:
        print_line("nothing was changed.")
    if backup is not None:
        print_line(f"to undo  {backup.undo}")


def _tell(settings: Settings, bar: Bar, outcome: Outcome, done: bool) -> None:
    """Print what was skipped; what was done is only counted, as there may be very many."""
    if done:
        return
    with bar.hidden():
        if settings.json:
            print_json({"object": outcome.plan.subject, "skipped": outcome.skipped})
        else:
            print_lines(outcome_lines(outcome))
