"""csijournal retire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from csijournal.check.findings import Finding
from csijournal.check.kubernetes_claims import mapped_handles
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    Backup,
    apply_option,
    backup_option,
    backup_path,
    changing_nothing,
    outcome_lines,
    plan_lines,
    tally_as_json,
    working,
)
from csijournal.cli.connect import open_place
from csijournal.cli.durations import duration, in_words
from csijournal.cli.kubernetes_options import KubernetesOptions, kubernetes_options
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import print_json, print_line, print_lines
from csijournal.cli.saved_findings import saved_findings
from csijournal.cli.scan import cephfs_options, grace_option, open_inventory
from csijournal.cli.shell import command_line
from csijournal.errors import printable
from csijournal.inventory.contract import Inventory
from csijournal.inventory.rbd_purge import purge_schedules
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.repair.apply import Engine, Tally
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome
from csijournal.repair.planners import Planner, instances_of
from csijournal.repair.rbd_trash import pool_of
from csijournal.repair.retire import Retirement, Retirer
from csijournal.repair.retire_claims import KubernetesNeeds
from csijournal.repair.retire_targets import Target, TargetFinder, target_of_finding
from csijournal.store import Store
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from csijournal.wire.text import in_bytes
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

_KEEP = "30d"
"""Long enough that somebody misses a volume before a purge may remove its image."""


@dataclass(frozen=True)
class _Asked:
    """The arguments and options of the command."""

    names: tuple[str, ...]
    findings_file: str | None
    kubernetes: KubernetesOptions
    no_kubernetes: bool
    keep_seconds: int
    grace_seconds: float
    filesystem: str
    subvolume_group: str
    backup_file: Path | None

    def words(self) -> list[str]:
        """The words of a command line that carries this out."""
        words = ["retire", "--apply", *self.kubernetes.words]
        words += ["--no-kubernetes"] if self.no_kubernetes else []
        words += ["--keep", in_words(self.keep_seconds)]
        if self.grace_seconds != GRACE_SECONDS:
            words += ["--grace", in_words(self.grace_seconds)]
        words += ["--fs", self.filesystem] if self.filesystem else []
        words += ["--subvolume-group", self.subvolume_group] if self.subvolume_group else []
        words += ["--backup", str(self.backup_file)] if self.backup_file else []
        words += ["--findings", self.findings_file] if self.findings_file else []
        return [*words, *(["--", *self.names] if self.names else [])]


@dataclass(frozen=True)
class _Run:
    """One run of the command, and what it works on."""

    settings: Settings
    store: Store
    inventory: Inventory
    asked: _Asked


@click.command(
    "retire",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd retire pvc-0f8fad5b --kubernetes lists.json",
        "csijournal -p rbd retire 8857a21c-fc4f-4577-98f4-a7b5f055388e --no-kubernetes --apply",
        "csijournal -p rbd retire --findings found.json --kubernetes lists.json --keep 90d",
    ],
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--findings",
    "findings_file",
    metavar="FILE",
    help="Take out of use what `verify -o json` found unclaimed, detached or without a record;"
    " - is standard input.",
)
@kubernetes_options
@click.option(
    "--no-kubernetes",
    is_flag=True,
    help="No Kubernetes uses the place, or you made sure otherwise that none holds these.",
)
@click.option(
    "--keep",
    "keep_seconds",
    metavar="TIME",
    default=_KEEP,
    callback=duration,
    help=f"For so long no purge removes the images from the trash: 12h, 30d.  [{_KEEP}]",
)
@journal_option
@grace_option
@cephfs_options
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    names: tuple[str, ...],
    no_kubernetes: bool,
    kubernetes: KubernetesOptions,
    keep_seconds: float,
    apply: bool,
    **others: Any,  # noqa: ANN401 - click's own
) -> None:
    """Take volumes out of use: say how, and with --apply do it.

    That is for volumes and snapshots that nobody needs: their images go to
    RBD's trash, and the journal follows.  NAME is a request name, or the UUID,
    the handle or the image.  One stays where it has watchers, snapshots or
    clones that do not go with it, is mirrored or in a group, or is named by an
    object in the lists of --kubernetes; what changes in between brings its image
    back.  Nothing is deleted: `csijournal restore BACKUP` brings back image and
    journal, until a purge of the trash.  For CephFS it prints the commands that
    remove a subvolume, and afterwards mends the journal.

    With --apply makes a backup and does it.  Exit code 1: some were left.
    """
    if bool(names) == (others["findings_file"] is not None):
        raise click.UsageError("Retire what? Give names, or --findings FILE.")
    if no_kubernetes and kubernetes.lists is not None:
        raise click.UsageError("--kubernetes and --no-kubernetes contradict each other: give one.")
    asked = _Asked(
        names,
        no_kubernetes=no_kubernetes,
        kubernetes=kubernetes,
        keep_seconds=int(keep_seconds),
        **others,
    )
    with open_place(settings) as store:
        opened = open_inventory(store, settings, asked.filesystem, asked.subvolume_group)
        with closing(opened) as inventory:
            _retire(_Run(settings, store, inventory, asked), apply=apply)


def _retire(run: _Run, *, apply: bool) -> None:
    with changing_nothing(run.settings, apply=apply):
        found = _retirer(run).retirements(list(_targets(run)))
        for one in found:
            if one.plan is None or not apply:
                _say(run.settings, one)
        planned = sum(one.plan is not None for one in found)
        if not (apply and planned):
            _print_end(run, found, Tally(planned), None)
            raise click.exceptions.Exit(exit_codes.FINDINGS if _left(found) else exit_codes.OK)
    skipped = _carry_out(run, found)
    raise click.exceptions.Exit(exit_codes.FINDINGS if skipped + _left(found) else exit_codes.OK)


def _carry_out(run: _Run, found: Sequence[Retirement]) -> int:
    """Do what is planned; how many were skipped."""
    store, given = run.store, run.asked.backup_file
    plans = [one.plan for one in found if one.plan is not None]
    tally, backup_file = Tally(len(plans)), BackupFile(backup_path(given), store.place)
    tell = partial(_tell, run.settings)
    with working(run.settings, tally, tell, explicit=given is not None) as work:
        Engine(store, work, backup_file, tally, run.inventory.refresh).run(plans)
        if not tally.stopped:
            _print_end(run, found, tally, work.backup)
    return tally.skipped


# What is to be retired


def _targets(run: _Run) -> Iterator[Target]:
    schemas = [one for one in (VOLUMES, SNAPSHOTS) if one in run.settings.schemas]
    name = run.asked.findings_file
    if name is None:
        finder = TargetFinder(run.store, run.inventory, run.settings.instance_id, schemas)
        yield from map(finder.find, run.asked.names)
        return
    for finding in saved_findings(name, run.store.place, _check):
        target = None if finding is None else target_of_finding(finding)
        if target is not None and target.schema in schemas:
            yield target


def _check(finding: Finding) -> None:
    """Raise InvalidInput where a finding names no UUID to retire."""
    target_of_finding(finding)


def _retirer(run: _Run) -> Retirer:
    store, inventory, asked = run.store, run.inventory, run.asked
    claims = asked.kubernetes.claims(run.settings, store, inventory)
    return Retirer(
        store,
        Planner(store, inventory=inventory, grace_seconds=asked.grace_seconds),
        KubernetesNeeds(
            Grace.of_seconds(asked.grace_seconds),
            claims,
            mapped_handles(store, instances_of(store, VOLUMES)) if claims else {},
            is_used=not asked.no_kubernetes,
        ),
        keep_seconds=asked.keep_seconds,
    )


def _left(found: Sequence[Retirement]) -> int:
    return sum(one.plan is None for one in found)


# What is said


def _say(settings: Settings, one: Retirement) -> None:
    """Print one that is left as it is, or what would be done."""
    target, plan = one.target, one.plan
    if settings.json:
        print_json(
            {
                "journal": target.schema.journal,
                "uuid": target.uuid,
                "outcome": "planned" if plan else "left",
                "steps": [sentence for _, sentence in plan.told] if plan else [],
                "size_bytes": one.size_bytes,
                "reasons": one.reasons,
                "commands": one.commands,
            }
        )
    elif plan is not None:
        print_lines([plan.subject, *plan_lines(plan), ""])
    else:
        reasons = [f"    {printable(reason)}" for reason in one.reasons]
        commands = [f"    $ {printable(line)}" for line in one.commands]
        print_lines([f"leave the {target} as it is", *reasons, *commands, ""])


def _tell(settings: Settings, outcome: Outcome, done: bool) -> None:
    """Print what became of a plan."""
    if settings.json:
        print_json(
            {
                "retired": outcome.plan.subject,
                "outcome": "done" if done else "skipped",
                "steps": [sentence for _, sentence in outcome.plan.told],
                "steps_done": outcome.steps_done,
                "skipped": outcome.skipped or None,
            }
        )
    else:
        print_lines([outcome.plan.subject, *outcome_lines(outcome, done=done), ""])


def _print_end(run: _Run, found: Sequence[Retirement], tally: Tally, backup: Backup | None) -> None:
    settings, store, asked = run.settings, run.store, run.asked
    size_bytes = sum(one.size_bytes for one in found)
    pool = pool_of(store) if size_bytes else None
    schedules = list(purge_schedules(pool)) if pool else []
    until = str(_from_now(asked.keep_seconds)) if size_bytes else None
    left = _left(found)
    if settings.json:
        more = {"left": left, "size_bytes": size_bytes, "purge_from": until, "purges": schedules}
        print_json({"summary": tally_as_json(tally, backup) | more})
        return
    print_line(f"{tally}." if tally.done or tally.skipped else f"{tally.total} to retire.")
    if left:
        print_line(f"{left} left as they are.")
    if until is not None:
        print_line(f"{in_bytes(size_bytes)} provisioned: no more than that becomes free.")
        print_line(f"From {until} on, a purge of the trash may delete the images:")
        print_lines([f"    {line}" for line in schedules or ["there is no schedule of purges"]])
    if backup is not None:
        print_line(f"to undo  {backup.undo}")
    elif tally.total:
        print_line("nothing was changed.")
        if asked.findings_file != "-" and "-" not in asked.kubernetes.words:
            print_line(f"to do it  {command_line(settings, asked.words(), settings.instance_id)}")


def _from_now(seconds: int) -> Timestamp:
    """The moment in so many seconds, rounded up to the second."""
    whole = Timestamp.now().nanoseconds // NANOSECONDS + 1 + seconds
    return Timestamp(whole * NANOSECONDS)
