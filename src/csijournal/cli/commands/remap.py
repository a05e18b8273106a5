"""csijournal remap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from csijournal.check.kubernetes_claims import SCHEMA_OF, Claims
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    apply_option,
    backup_option,
    backup_path,
    changing_nothing,
    outcome_lines,
    tally_as_json,
    working,
)
from csijournal.cli.connect import open_place
from csijournal.cli.kubernetes_options import KubernetesOptions, kubernetes_options
from csijournal.cli.mapping_options import MappingOptions, mapping_options
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_json, print_line, print_lines
from csijournal.cli.shell import command_line
from csijournal.errors import Conflict
from csijournal.inventory.kubernetes import MAKE_HINT, KubernetesLists
from csijournal.repair.apply import Engine, Tally
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome
from csijournal.store import Store
from csijournal.transfer.mapping import IdMapping, RecordMapper
from csijournal.transfer.remap import Remapper, RemapSurvey
from csijournal.wire.text import number_of

_NAMED_MAX = 5
"""How many objects of Kubernetes a refusal names."""


@dataclass(frozen=True)
class _Asked:
    """The options of the command."""

    mapping: MappingOptions
    kubernetes: KubernetesOptions
    apply: bool
    backup_file: Path | None

    def words(self) -> list[str]:
        """The words of a command line that carries this out."""
        words = ["remap", *self.mapping.words()]
        words += self.kubernetes.words
        words += ["--backup", str(self.backup_file)] if self.backup_file else []
        return [*words, "--apply"]


@click.command(
    "remap",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd remap --map-pool 2=5 --kubernetes new.json",
        "csijournal -p rbd remap --map-fs 1=3 --kubernetes new.json --apply",
    ],
)
@mapping_options
@kubernetes_options
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    mapping: MappingOptions,
    kubernetes: KubernetesOptions,
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Exchange ids of another cluster: say how; --apply does it.

    Only for volumes, snapshots and groups that were made again in Kubernetes with
    new handles: the lists of --kubernetes must be whole, and it refuses with exit
    code 4 where they show a handle with an old id.  Where Kubernetes keeps the old
    handles, nothing needs to be exchanged: look with --cluster-mapping.

    Says what it would do; with --apply makes a backup and does it.  What cannot
    be mapped is named, and nothing is written, with exit code 4.  It may be run
    again.  Exit code 1: others changed something since, and it was skipped.
    """
    if kubernetes.lists is None:
        raise click.UsageError(
            "Which handles does Kubernetes have now? Give its lists with --kubernetes FILE."
        )
    asked = _Asked(mapping, kubernetes, apply, backup_file)
    with changing_nothing(settings, apply=apply), open_place(settings) as store:
        ids = mapping.ids(settings, store, in_place=True)
        if ids is None:
            raise click.UsageError(
                "What becomes what? Give --map-pool, --map-cluster or --map-fs OLD=NEW, or"
                " --cluster-mapping FILE."
            )
        _require_new_handles(ids, kubernetes.lists)
        remapper = Remapper(store, RecordMapper(ids))
        survey = remapper.survey()
        mapping.require_mapped(settings, survey.cannot)
        _print_plan(settings, survey, asked)
        tally = _remap(settings, store, remapper, survey, asked) if apply else Tally()
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


def _require_new_handles(ids: IdMapping, lists: KubernetesLists) -> None:
    """Raise Conflict where Kubernetes does not hold the new handles, as far as its lists tell."""
    if ids.repeats:
        raise Conflict(
            "an id would become another, and another would become that id: what is mapped"
            " already could not be told from what is not; nothing was written",
            hint="Export the journal, and restore it with the same mapping into an empty place",
        )
    claims = Claims(lists, None)
    missing = {str(one): one for role in SCHEMA_OF for one in claims.missing_lists(role)}
    if missing:
        raise Conflict(
            f"not all handles are known: {'; '.join(missing)}; nothing was written", hint=MAKE_HINT
        )
    handles = list(lists.handles())
    old = [f"{known.object} ({known.handle})" for known in handles if ids.is_old(known.handle)]
    if old:
        more = len(old) - _NAMED_MAX
        raise Conflict(
            f"Kubernetes holds {number_of(len(old), 'handle')} with old ids; nothing was written:"
            f" {', '.join(old[:_NAMED_MAX])}" + (f", and {more:,} more" if more > 0 else ""),
            hint="While Kubernetes holds them, Ceph-CSI follows them by its cluster-mapping.json:"
            " nothing needs to be exchanged",
        )
    if not any(ids.is_new(known.handle) for known in handles):
        raise Conflict(
            "the lists name no handle with the new ids; nothing was written",
            hint="Are they of the right cluster? remap is for volumes that were made again",
        )


def _remap(
    settings: Settings, store: Store, remapper: Remapper, survey: RemapSurvey, asked: _Asked
) -> Tally:
    """Carry it out, and print what was skipped and how much was done."""
    tally = Tally(survey.total)
    if not survey.total:
        return tally
    path = backup_path(asked.backup_file)
    tell = partial(_tell, settings)
    with working(settings, tally, tell, explicit=asked.backup_file is not None) as work:
        Engine(store, work, BackupFile(path, store.place), tally).run(remapper.plans())
        if not tally.stopped and settings.json:
            print_json({"summary": tally_as_json(tally, work.backup)})
        elif not tally.stopped:
            print_line(f"{tally}.")
            if work.backup is not None:
                print_line(f"to undo  {work.backup.undo}")
    return tally


def _print_plan(settings: Settings, survey: RemapSurvey, asked: _Asked) -> None:
    if settings.json:
        if not asked.apply or not survey.total:
            print_json({"summary": tally_as_json(Tally(survey.total), None)})
        return
    if not survey.total:
        print_line("nothing to do: no handle and no entry has an old id.")
        return
    print_lines([f"    {sentence}" for sentence in survey.sentences])
    more = survey.total - len(survey.sentences)
    if more > 0:
        print_line(f"    and {more:,} objects more")
    print_line("")
    if not asked.apply:
        print_line(f"{number_of(survey.total, 'object')} to change; nothing was changed.")
        print_line(f"to do it  {command_line(settings, asked.words())}")


def _tell(settings: Settings, outcome: Outcome, done: bool) -> None:
    """Print what was skipped; what was done is only counted, as there may be very many."""
    if done:
        return
    if settings.json:
        print_json({"object": outcome.plan.subject, "skipped": outcome.skipped})
    else:
        print_lines(outcome_lines(outcome))
