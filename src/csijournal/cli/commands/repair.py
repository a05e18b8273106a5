"""csijournal repair."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import click

from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.kinds import UNPOPULATED, WITHOUT_ENTRY_ALONE
from csijournal.check.scan import Depth
from csijournal.check.standing import standing
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
from csijournal.cli.kubernetes_options import KubernetesOptions, kubernetes_options
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import note, print_json, print_line, print_lines
from csijournal.cli.render import finding_lines
from csijournal.cli.saved_findings import saved_findings
from csijournal.cli.scan import ScanOptions, look, scan_options
from csijournal.cli.shell import command_line
from csijournal.errors import UnreadableContent, printable
from csijournal.repair.apply import Repairer, Tally, left_alone
from csijournal.repair.plan import Outcome, Plan
from csijournal.store import Store
from csijournal.wire.text import number_of


@dataclass
class _Sorted:
    """How many findings there are by what is to become of them.

    Those that are left are listed at once.  `to_repair` keeps the others for
    --apply, on the disk and not in memory: a pool may have any number.
    """

    to_repair: IO[str]
    planned: int = 0
    for_people: int = 0
    warnings: int = 0
    healed: int = 0
    elsewhere: int = 0

    def keep(self, finding: Finding) -> None:
        """Keep a finding that is to be repaired."""
        self.planned += 1
        self.to_repair.write(json.dumps(finding.to_json()) + "\n")

    def kept(self) -> Iterator[Finding]:
        """Those that were kept."""
        self.to_repair.seek(0)
        return map(Finding.from_json, self.to_repair)


@dataclass(frozen=True)
class _Asked:
    """The options of the command."""

    scan: ScanOptions
    kubernetes: KubernetesOptions
    findings_file: str | None
    kinds: tuple[str, ...]
    backup_file: Path | None

    def words(self) -> list[str]:
        """The words of a command line that carries this out."""
        words = ["repair", *self.scan.words(), *self.kubernetes.words]
        words += ["--findings", self.findings_file] if self.findings_file else []
        words += [word for kind in self.kinds for word in ("--kind", kind)]
        words += ["--backup", str(self.backup_file)] if self.backup_file else []
        return [*words, "--apply"]


@click.command(
    "repair",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd repair",
        "csijournal -p rbd repair --full --apply",
        "csijournal -p rbd verify -o json | csijournal -p rbd repair --findings - --apply",
    ],
)
@click.option(
    "--findings",
    "findings_file",
    metavar="FILE",
    help="Take what `verify -o json` printed, and look for nothing else; - is standard input.",
)
@click.option(
    "--kind",
    "kinds",
    metavar="KIND",
    multiple=True,
    type=click.Choice([kind.value for kind in FindingKind]),
    help="Only findings of this kind, as verify names it; may be given again.",
)
@journal_option
@scan_options
@kubernetes_options
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    scan: ScanOptions,
    kubernetes: KubernetesOptions,
    findings_file: str | None,
    kinds: Sequence[str],
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Repair what verify finds: say how, and with --apply do it.

    With --apply, what it will touch first goes to a backup, some hundred findings
    at a time, and `csijournal restore` puts that back.  What others change in
    the meantime is skipped.  Repair may be interrupted at any time, and run again.
    Where its output cannot be written any more it stops, and says on standard
    error what was done.

    What only a person may decide is listed with the commands to choose from.
    Exit code 0: no errors are left; 1: there are, and without --apply those
    that it would repair count too.
    """
    if scan.depth is not Depth.LIMITED and findings_file is not None:
        raise click.UsageError(
            f"--{scan.depth.value} looks for findings, and --findings brings them: give one."
        )
    _run(settings, _Asked(scan, kubernetes, findings_file, tuple(kinds), backup_file), apply=apply)


def _run(settings: Settings, asked: _Asked, *, apply: bool) -> None:
    """Find, and repair or say how."""
    scan = asked.scan
    with (
        open_place(settings) as store,
        closing(scan.inventory(store, settings)) as inventory,
        tempfile.TemporaryFile("w+") as to_repair,
    ):
        repairer = Repairer(store, inventory=inventory, grace_seconds=scan.grace_seconds)
        found = _Sorted(to_repair)
        with changing_nothing(settings, apply=apply):
            findings = _findings(settings, store, asked, repairer, found)
            _sort(settings, found, asked.scan, findings, repairer if not apply else None)
        if not apply or not found.planned:
            _print_end(settings, found, asked, Tally(found.planned), None)
            raise click.exceptions.Exit(_exit_code(found, found.planned))
        tally = _repair(settings, repairer, found, asked)
    raise click.exceptions.Exit(_exit_code(found, tally.skipped))


def _repair(settings: Settings, repairer: Repairer, found: _Sorted, asked: _Asked) -> Tally:
    """Carry out what was found, and print what became of it."""
    tally = Tally(found.planned)
    path = backup_path(asked.backup_file)
    tell = partial(_tell, settings)
    with working(settings, tally, tell, explicit=asked.backup_file is not None) as work:
        repairer.repair(found.kept(), path, work, tally)
        if not tally.stopped:
            found.healed += tally.healed
            _print_end(settings, found, asked, tally, work.backup)
    return tally


# Finding and planning


def _findings(
    settings: Settings, store: Store, asked: _Asked, repairer: Repairer, found: _Sorted
) -> Iterator[Finding]:
    """The findings of the kinds that were asked for, in this place.

    Those of a file were seen at a time that nobody knows: they must stand still.
    """
    if asked.findings_file is None:
        verifier = asked.scan.verifier(
            store,
            settings,
            repairer.inventory,
            comparisons=asked.kubernetes.comparisons(settings),
        )
        yield from _of_kinds(asked, look(verifier))
        return
    saved = _here(found, saved_findings(asked.findings_file, store.place, repairer.check))
    chosen = _of_kinds(asked, saved)
    for finding, stands in standing(store, chosen, settle_seconds=asked.scan.settle_seconds):
        if stands:
            yield _left_to_kubernetes(asked.kubernetes, finding)
        else:
            found.healed += 1


def _left_to_kubernetes(kubernetes: KubernetesOptions, finding: Finding) -> Finding:
    """The finding, which is not repair's where a list names the record that would go."""
    named = kubernetes.holders_of(finding.uuid)
    if not named or finding.kind not in UNPOPULATED | WITHOUT_ENTRY_ALONE:
        return finding
    return replace(finding, automatic=False, left_because=named)


def _here(found: _Sorted, findings: Iterable[Finding | None]) -> Iterator[Finding]:
    """The findings of this place; those of others are only counted."""
    for finding in findings:
        if finding is None:
            found.elsewhere += 1
        else:
            yield finding


def _of_kinds(asked: _Asked, findings: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if not asked.kinds or finding.kind in asked.kinds)


def _sort(
    settings: Settings,
    found: _Sorted,
    scan: ScanOptions,
    findings: Iterator[Finding],
    planner: Repairer | None,
) -> None:
    """Print what is for people; keep the rest, or with a `planner` print its plans."""
    for finding in findings:
        if not finding.automatic:
            _leave(settings, found, scan, finding)
        elif planner is None:
            found.keep(finding)
        else:
            _plan(settings, found, finding, planner)


def _plan(settings: Settings, found: _Sorted, finding: Finding, planner: Repairer) -> None:
    try:
        plan = planner.plan(finding)
    except UnreadableContent as error:
        found.planned += 1
        _tell(settings, left_alone(finding, error), done=False)
        return
    if plan is None:
        found.healed += 1
    else:
        found.planned += 1
        _print_plan(settings, finding, plan)


def _leave(settings: Settings, found: _Sorted, scan: ScanOptions, finding: Finding) -> None:
    if finding.severity is not Severity.ERROR:
        found.warnings += 1
    else:
        found.for_people += 1
    if not finding.commands and finding.severity is not Severity.ERROR:
        return
    if settings.json:
        print_json(_as_json(finding) | {"outcome": "left", "commands": finding.commands})
        return
    print_lines([*finding_lines(settings, scan, finding), ""])


def _print_plan(settings: Settings, finding: Finding, plan: Plan) -> None:
    if settings.json:
        steps = [step.told for step in plan.steps]
        print_json(_as_json(finding) | {"outcome": "planned", "steps": steps})
        return
    print_lines([_title(finding), *plan_lines(plan), ""])


# Acting


def _tell(settings: Settings, outcome: Outcome, done: bool) -> None:
    """Print the outcome of a plan."""
    finding = outcome.plan.finding
    assert finding is not None  # noqa: S101 - every plan of a repair has one
    if settings.json:
        print_json(_as_json(finding) | _outcome_as_json(outcome, done=done))
    else:
        print_lines([_title(finding), *outcome_lines(outcome, done=done), ""])


def _outcome_as_json(outcome: Outcome, *, done: bool) -> dict[str, object]:
    return {
        "outcome": "done" if done else "skipped",
        "steps": [step.told for step in outcome.plan.steps],
        "steps_done": outcome.steps_done,
        "skipped": outcome.skipped or None,
    }


# What is said at the end


def _print_end(
    settings: Settings, found: _Sorted, asked: _Asked, tally: Tally, backup: Backup | None
) -> None:
    if settings.json:
        counts = {
            "for_people": found.for_people,
            "warnings": found.warnings,
            "healed": found.healed,
            "of_other_places": found.elsewhere,
        }
        print_json({"summary": tally_as_json(tally, backup) | counts})
        return
    if tally.done or tally.skipped:
        print_line(f"{tally}.")
        if backup is not None:
            print_line(f"to undo  {backup.undo}")
    elif found.planned > tally.healed:
        print_line(f"{number_of(found.planned, 'finding')} to repair; nothing was changed.")
        if asked.findings_file != "-":
            print_line(f"to do it  {command_line(settings, asked.words(), settings.instance_id)}")
    else:
        print_line("nothing to repair.")
    for line in _left_lines(found):
        print_line(line)
    if found.elsewhere:
        note(settings, f"{number_of(found.elsewhere, 'finding')} of other locations passed over")


def _left_lines(found: _Sorted) -> Iterator[str]:
    if found.for_people:
        yield f"{number_of(found.for_people, 'error')} left for you to decide, with the commands."
    if found.warnings:
        yield f"{number_of(found.warnings, 'warning')} left alone."
    if found.healed:
        yield f"{number_of(found.healed, 'finding')} that needed nothing any more, or not yet."


def _exit_code(found: _Sorted, left: int) -> int:
    return exit_codes.FINDINGS if found.for_people + left else exit_codes.OK


def _title(finding: Finding) -> str:
    subject = finding.object_name if finding.request_name is None else finding.request_name
    return f"{finding.kind}  {printable(subject)}"


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "instance": finding.instance_id,
        "object": finding.object_name,
        "request_name": finding.request_name,
        "group_uuid": finding.group_uuid,
        "uuid": finding.uuid,
        "journal": finding.journal,
    }
