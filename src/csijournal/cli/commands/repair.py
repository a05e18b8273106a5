"""csijournal repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Verifier
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    Backup,
    Tally,
    apply_option,
    backup_option,
    carry_out,
    outcome_lines,
    plan_lines,
    print_lines,
    tally_as_json,
    unchanged_if_interrupted,
)
from csijournal.cli.connect import open_place
from csijournal.cli.durations import in_words
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json, print_line
from csijournal.cli.render import finding_lines, number_of
from csijournal.cli.saved_findings import saved_findings
from csijournal.cli.scan import grace_option, look
from csijournal.cli.shell import command_line
from csijournal.errors import printable
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.repair.plan import Outcome, Plan, Repairer
from csijournal.store import Store


@dataclass
class _Sorted:
    """Findings by what is to become of them; those that are listed at once are only counted."""

    planned: list[tuple[Finding, Plan]] = field(default_factory=list)
    for_people: int = 0
    warnings: int = 0
    healed: int = 0
    elsewhere: int = 0


@dataclass(frozen=True)
class _Asked:
    """The options of the command."""

    deep: bool
    findings_file: str | None
    kinds: tuple[str, ...]
    grace_seconds: float

    def words(self) -> list[str]:
        """The words of a command line that carries this out."""
        words = ["repair", *(["--deep"] if self.deep else [])]
        words += ["--findings", self.findings_file] if self.findings_file else []
        words += [word for kind in self.kinds for word in ("--kind", kind)]
        if self.grace_seconds != GRACE_SECONDS:
            words += ["--grace", in_words(self.grace_seconds)]
        return [*words, "--apply"]


@click.command(
    "repair",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd repair",
        "csijournal -p rbd repair --deep --apply",
        "csijournal -p rbd verify -o json | csijournal -p rbd repair --findings - --apply",
    ],
)
@click.option("--deep", is_flag=True, help="Look as verify --deep does.")
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
@grace_option
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    deep: bool,
    findings_file: str | None,
    kinds: Sequence[str],
    grace_seconds: float,
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Mend what verify finds: say how, and with --apply do it.

    With --apply, all that it will touch first goes to a backup, which
    `csijournal restore` puts back.  What others change meanwhile is skipped.
    Repair may be interrupted at any time, and run again.

    What only a person may decide is listed with the commands to choose from.
    Exit code 0: no errors are left; 1: there are, and without --apply those
    that it would mend count too.
    """
    if deep and findings_file is not None:
        raise click.UsageError("--deep looks for findings, and --findings brings them: give one.")
    asked = _Asked(deep, findings_file, tuple(kinds), grace_seconds)
    with open_place(settings) as store:
        repairer = Repairer(store, grace_seconds=grace_seconds)
        with unchanged_if_interrupted():
            found = _sort(settings, repairer, _findings(settings, store, asked), apply=apply)
        if not apply or not found.planned:
            _print_end(settings, found, asked, Tally(len(found.planned)), None)
            raise click.exceptions.Exit(_exit_code(found, len(found.planned)))
        backup, tally = carry_out(
            settings,
            store,
            [plan for _, plan in found.planned],
            backup_file,
            _teller(settings, found),
        )
    _print_end(settings, found, asked, tally, backup)
    raise click.exceptions.Exit(_exit_code(found, tally.skipped))


# Finding and planning


def _findings(settings: Settings, store: Store, asked: _Asked) -> Iterator[Finding | None]:
    """The findings of the kinds that were asked for; None for one of another place."""
    if asked.findings_file is not None:
        findings: Iterator[Finding | None] = saved_findings(asked.findings_file, store.place)
    else:
        verifier = Verifier(
            store,
            instance_id=settings.instance_id,
            deep=asked.deep,
            grace_seconds=asked.grace_seconds,
        )
        findings = iter(look(verifier, deep=asked.deep))
    for finding in findings:
        if finding is None or not asked.kinds or finding.kind in asked.kinds:
            yield finding


def _sort(
    settings: Settings, repairer: Repairer, findings: Iterator[Finding | None], *, apply: bool
) -> _Sorted:
    """Plan for each finding that has a plan, and print the plans and what is for people."""
    found = _Sorted()
    for finding in findings:
        if finding is None:
            found.elsewhere += 1
        elif not finding.automatic:
            _leave(settings, found, finding)
        elif plan := repairer.plan(finding):
            found.planned.append((finding, plan))
            if not apply:
                _print_plan(settings, finding, plan)
        else:
            found.healed += 1
    return found


def _leave(settings: Settings, found: _Sorted, finding: Finding) -> None:
    if finding.kind.severity is Severity.WARNING:
        found.warnings += 1
    else:
        found.for_people += 1
    if not finding.commands:
        return
    if settings.json:
        print_json(_as_json(finding) | {"outcome": "left", "commands": finding.commands})
        return
    print_lines([*finding_lines(settings, finding), ""])


def _print_plan(settings: Settings, finding: Finding, plan: Plan) -> None:
    if settings.json:
        steps = [step.sentence for step in plan.steps]
        print_json(_as_json(finding) | {"outcome": "planned", "steps": steps})
        return
    print_lines([_title(finding), *plan_lines(plan), ""])


# Acting


def _teller(settings: Settings, found: _Sorted) -> Callable[[int, Outcome, bool], None]:
    """What prints the outcome of a plan."""

    def tell(number: int, outcome: Outcome, done: bool) -> None:
        finding = found.planned[number][0]
        if settings.json:
            print_json(_as_json(finding) | _outcome_as_json(outcome, done=done))
        else:
            print_lines([_title(finding), *outcome_lines(outcome, done=done), ""])

    return tell


def _outcome_as_json(outcome: Outcome, *, done: bool) -> dict[str, object]:
    return {
        "outcome": "done" if done else "skipped",
        "steps": [step.sentence for step in outcome.plan.steps],
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
    if backup is not None:
        print_line(f"{tally}.")
        print_line(f"to undo  {backup.undo}")
    elif found.planned:
        print_line(f"{number_of(len(found.planned), 'finding')} to repair; nothing was changed.")
        if asked.findings_file != "-":
            print_line(f"to do it  {command_line(settings, asked.words(), settings.instance_id)}")
    else:
        print_line("nothing to repair.")
    for line in _left_lines(found):
        print_line(line)
    if found.elsewhere:
        note(settings, f"{number_of(found.elsewhere, 'finding')} of other places passed over")


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
    }
