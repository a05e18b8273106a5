"""csijournal verify."""

from __future__ import annotations

import io
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from csijournal.check.findings import Finding
from csijournal.check.report import Report
from csijournal.check.scan import Summary, Verifier
from csijournal.cli import exit_codes
from csijournal.cli.connect import open_place
from csijournal.cli.durations import in_words
from csijournal.cli.files import replacing
from csijournal.cli.interrupts import exit_code_of
from csijournal.cli.namespaces import each_namespace
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json, print_line, report_text
from csijournal.cli.render import (
    Explanations,
    finding_lines,
    remedies,
    severities,
    summary_as_json,
    summary_lines,
)
from csijournal.cli.scan import grace_option, look


@dataclass(frozen=True)
class _Listeners:
    """Who is told of each finding besides standard output."""

    explanations: Explanations
    report: Report | None


@click.command(
    "verify",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd verify",
        "csijournal -p rbd verify --deep -o json > findings.jsonl",
        "csijournal -p rbd verify --deep --all-namespaces --report rbd.html",
    ],
)
@click.option("--deep", is_flag=True, help="List the pool's objects too: finds what is orphaned.")
@click.option("--all-namespaces", is_flag=True, help="Each namespace of the RADOS pool in turn.")
@grace_option
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write an HTML page, for a ticket or a colleague.",
)
@click.pass_obj
def command(
    settings: Settings,
    *,
    deep: bool,
    all_namespaces: bool,
    grace_seconds: float,
    strict: bool,
    report_file: Path | None,
) -> None:
    """Look for everything that can be wrong; change nothing.

    Walks the directory and reads each group.  With --deep also lists the pool,
    and counts every instance's directory before it calls a group orphaned.
    With -o json there is one finding a line, and a summary at the end, which
    `csijournal repair --findings` takes.

    Exit code 0: no errors; 1: errors were found.  Warnings, for which nobody
    needs to get up at night, count with --strict only.
    """
    _print_as_they_come()
    report = Report(deep=deep, grace=in_words(grace_seconds)) if report_file else None
    told = _Listeners(Explanations(), report)
    summaries: dict[str, Summary] = {}
    with ExitStack() as stack:
        page = stack.enter_context(replacing(report_file)) if report_file else None
        try:
            for chosen in each_namespace(settings, deep=deep) if all_namespaces else [settings]:
                place, summary = _verify(chosen, told, grace_seconds, deep=deep)
                summaries[place] = summary
        except KeyboardInterrupt as interrupt:
            report_text("interrupted; nothing was changed")
            raise click.exceptions.Exit(exit_code_of(interrupt)) from None
        if page is not None and report is not None:
            page.writelines(part.encode(errors="backslashreplace") for part in report.html())
    if not settings.json:
        _print_end(told.explanations, summaries, deep=deep)
    if not all_namespaces and not summary.keys:
        note(settings, f"{place} holds no journal of instance {settings.instance_id}")
    if report_file:
        note(settings, f"wrote {report_file}")
    raise click.exceptions.Exit(_exit_code(summaries, strict=strict))


def _verify(
    settings: Settings, told: _Listeners, grace_seconds: float, *, deep: bool
) -> tuple[str, Summary]:
    """Verify one place, and say where that was."""
    with open_place(settings) as store:
        verifier = Verifier(
            store, instance_id=settings.instance_id, deep=deep, grace_seconds=grace_seconds
        )
        for finding in look(verifier, deep=deep):
            _print_finding(settings, finding, store.place)
            told.explanations.add(settings, finding)
            if told.report is not None:
                told.report.add(store.place, finding, remedies(settings, finding))
        summary = verifier.summary
        if told.report is not None:
            told.report.add_summary(store.place, summary)
        if settings.json:
            print_json({"summary": summary_as_json(store.place, summary, deep=deep)})
        return store.place, summary


def _print_as_they_come() -> None:
    """Let who reads a pipe see each finding at once."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _print_finding(settings: Settings, finding: Finding, place: str) -> None:
    if settings.json:
        print_json(finding.to_json() | {"place": place})
        return
    for line in finding_lines(settings, finding):
        print_line(line)
    print_line("")


def _print_end(explanations: Explanations, summaries: dict[str, Summary], *, deep: bool) -> None:
    explanations.print()
    for place, summary in summaries.items():
        for line in summary_lines(place, summary, deep=deep):
            print_line(line)


def _exit_code(summaries: dict[str, Summary], *, strict: bool) -> int:
    counts = [severities(summary) for summary in summaries.values()]
    bad = sum(errors + (warnings if strict else 0) for errors, warnings in counts)
    return exit_codes.FINDINGS if bad else exit_codes.OK
