"""csijournal verify."""

from __future__ import annotations

import io
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from csijournal.check.compare_places import Across
from csijournal.check.elsewhere import namespaces_with_journals
from csijournal.check.findings import Finding, Severity
from csijournal.check.listing import LISTING_SECONDS
from csijournal.check.metrics import Metrics
from csijournal.check.report import Report
from csijournal.check.scan import Depth, Summary
from csijournal.cli import exit_codes
from csijournal.cli.connect import location_of, open_place
from csijournal.cli.durations import in_words
from csijournal.cli.files import replacing
from csijournal.cli.interrupts import exit_code_of
from csijournal.cli.kubernetes_options import KubernetesOptions, kubernetes_options
from csijournal.cli.metrics import metrics_for
from csijournal.cli.namespaces import Namespaces
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import note, print_json, print_line, report_text
from csijournal.cli.render import (
    Explanations,
    finding_lines,
    remedies,
    summary_as_json,
    summary_lines,
    with_apply,
)
from csijournal.cli.scan import ScanOptions, look, scan_options
from csijournal.store import Store

_REQUIRABLE = {
    "full": "not all objects were listed, as --require full demands: give --full",
    "rbd": "not all was compared with RBD's images, as --require rbd demands: what was not looked"
    " at is named above",
    "cephfs": "not all was compared with CephFS's subvolumes, as --require cephfs demands: what was"
    " not looked at is named above",
    "kubernetes": "Kubernetes' lists are missing or not whole, as --require kubernetes demands:"
    " give them with --kubernetes; what is missing is named above",
}
"""What --require can name, and what to do where it was not looked at."""


def _require(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> frozenset[str]:
    names = frozenset(filter(None, (text or "").split(",")))
    unknown = sorted(names.difference(_REQUIRABLE))
    if unknown:
        raise click.BadParameter(
            f"this version cannot look at {', '.join(map(repr, unknown))}:"
            f" it knows {', '.join(_REQUIRABLE)}."
        )
    return names


@dataclass(frozen=True)
class _Asked:
    """The options of the command beside those of the check."""

    all_namespaces: bool
    strict: bool
    notes: bool
    quiet: bool
    allow_empty: bool
    require: frozenset[str]


@dataclass
class _Check:
    """One run of the command, over one place or several."""

    settings: Settings
    scan: ScanOptions
    kubernetes: KubernetesOptions
    asked: _Asked
    report: Report | None
    metrics: Metrics | None
    explanations: Explanations = field(default_factory=Explanations)
    summaries: dict[str, Summary] = field(default_factory=dict)
    across: Across = field(default_factory=Across)

    def place(self, settings: Settings, *, unlisted: bool = False) -> None:
        """Check one place; `unlisted` says that a listing of the whole pool was cut short."""
        began = time.monotonic()
        scan = replace(self.scan, depth=Depth.QUICK) if unlisted else self.scan
        with (
            open_place(settings) as store,
            closing(self.scan.inventory(store, settings)) as inventory,
        ):
            across = self.across if self.asked.all_namespaces else None
            verifier = scan.verifier(
                store,
                settings,
                inventory,
                across=across,
                comparisons=self.kubernetes.comparisons(settings),
            )
            for finding in look(verifier):
                self._tell(settings, store.place, finding)
            summary = self.summaries[store.place] = verifier.summary
            self.kubernetes.note_missing(summary)
            if self.asked.all_namespaces and scan.depth is Depth.QUICK:
                summary.not_looked_at.append(
                    "namespaces that only a listing of the pool shows"
                    + (f": it was cut short after {LISTING_SECONDS:g} s" if unlisted else "")
                )
            if not self.asked.all_namespaces:
                _note_other_namespaces(settings, store, summary)
            if self.report is not None:
                self.report.add_summary(store.place, summary)
            told = summary_as_json(store.place, summary, self.scan)
            if self.metrics is not None:
                self.metrics.add_summary(store.place, told, seconds=time.monotonic() - began)
            if settings.json:
                print_json({"summary": told})

    def exit_code(self) -> int:
        """What the command says to a script: the first of these that is so."""
        found = [summary.severities for summary in self.summaries.values()]
        if any(severities[Severity.ERROR] for severities in found):
            return exit_codes.FINDINGS
        if self.asked.strict and any(severities[Severity.WARNING] for severities in found):
            return exit_codes.FINDINGS
        if self.is_empty and not self.asked.allow_empty:
            return exit_codes.NOTHING_CHECKED
        return exit_codes.INCOMPLETE if self.lacking else exit_codes.OK

    @property
    def lacking(self) -> list[str]:
        """What of --require was not looked at everywhere."""
        summaries = self.summaries.values()
        done = {
            "full": all(summary.listing_ended for summary in summaries),
            "rbd": all(_is_compared(summary, "rbd") for summary in summaries),
            "cephfs": all(_is_compared(summary, "cephfs") for summary in summaries),
            "kubernetes": all(
                summary.kubernetes is not None and summary.kubernetes.complete
                for summary in summaries
            ),
        }
        return [name for name in _REQUIRABLE if name in self.asked.require and not done[name]]

    @property
    def is_empty(self) -> bool:
        """Whether no place has a journal of the instance."""
        return not any(summary.journal_found for summary in self.summaries.values())

    def _tell(self, settings: Settings, place: str, finding: Finding) -> None:
        severity = finding.severity
        if self.metrics is not None:
            self.metrics.add(place, finding)
        if severity is Severity.NOTE and not self.asked.notes:
            return
        commands = remedies(settings, self.scan, finding)
        if self.report is not None:
            self.report.add(place, finding, [with_apply(command) for command in commands])
        if severity is not Severity.ERROR and self.asked.quiet and not self.asked.strict:
            return
        self.explanations.add(settings, self.scan, finding)
        if settings.json:
            print_json(finding.to_json() | {"place": place})
            return
        for line in finding_lines(settings, self.scan, finding):
            print_line(line)
        print_line("")


def _is_compared(summary: Summary, inventory: str) -> bool:
    return summary.compared_with == inventory and summary.compared_whole


@click.command(
    "verify",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd verify",
        "csijournal -p rbd verify --full -o json > findings.jsonl",
        "csijournal -p rbd verify --full --all-namespaces --report rbd.html",
        "csijournal -p rbd verify --kubernetes cluster-1.json --kubernetes cluster-2.json",
        "# crontab: mail when something is wrong, or when it could not be looked at",
        "17 3 * * *  csijournal -p rbd verify --full --require full --quiet",
    ],
)
@click.option("--all-namespaces", is_flag=True, help="Each namespace of the RADOS pool in turn.")
@journal_option
@scan_options
@kubernetes_options
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@click.option("--notes", is_flag=True, help="List what is known and harmless too.")
@click.option("--quiet", is_flag=True, help="Print nothing where the exit code is 0.")
@click.option("--allow-empty", is_flag=True, help="A location without a journal is in order.")
@click.option(
    "--require",
    metavar="WHAT",
    callback=_require,
    help="Exit code 8 where this was not looked at.  full: all objects were listed; rbd, cephfs:"
    " all was compared with images or subvolumes; kubernetes: there was a whole list of each kind.",
)
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write an HTML page, for a ticket or a colleague.",
)
@click.option(
    "--metrics",
    "metrics_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write numbers for Prometheus; the node exporter reads a FILE that ends in .prom.",
)
@click.pass_obj
def command(
    settings: Settings,
    *,
    scan: ScanOptions,
    kubernetes: KubernetesOptions,
    all_namespaces: bool,
    strict: bool,
    notes: bool,
    quiet: bool,
    allow_empty: bool,
    require: frozenset[str],
    report_file: Path | None,
    metrics_file: Path | None,
) -> None:
    """Look for everything that can be wrong; change nothing.

    Reads the entries and records of volumes, snapshots and groups, and compares
    them with RBD's images and groups, CephFS's subvolumes, and Kubernetes' lists
    where some are given.  Lists the objects for at most 10 seconds too, to find
    what nothing points at; --full goes on to the end.  The summary says what was
    not looked at.  With -o json there is one finding a line, and a summary at the end, which
    `csijournal repair --findings` takes.

    \b
    Exit codes:
      0      no errors in what was looked at
      1      errors were found (with --strict, or warnings)
      7      there is no journal of the instance: nothing was checked
      8      what --require names was not looked at
      10-22  the store could not be read, so that nothing is known
      2      wrong usage;  130  interrupted
    """  # noqa: D301 - click takes the mark for "do not wrap"
    _print_as_they_come()
    asked = _Asked(all_namespaces, strict, notes, quiet, allow_empty, require)
    report = Report(depth=scan.depth, grace=in_words(scan.grace_seconds)) if report_file else None
    with ExitStack() as stack:
        page = stack.enter_context(replacing(report_file)) if report_file else None
        metrics = stack.enter_context(metrics_for(metrics_file))
        scan = replace(scan, further_words=kubernetes.words)
        check = _Check(settings, scan, kubernetes, asked, report, metrics)
        try:
            namespaces = Namespaces(settings, scan.depth)
            for chosen in namespaces if all_namespaces else [settings]:
                check.place(chosen, unlisted=namespaces.cut_short)
        except KeyboardInterrupt as interrupt:
            report_text("interrupted; nothing was changed")
            raise click.exceptions.Exit(exit_code_of(interrupt)) from None
        if page is not None and report is not None:
            page.writelines(part.encode(errors="backslashreplace") for part in report.html())
    code = check.exit_code()
    if not quiet or code:
        _print_end(check, code)
        if report_file:
            note(settings, f"wrote {report_file}")
    raise click.exceptions.Exit(code)


def _note_other_namespaces(settings: Settings, store: Store, summary: Summary) -> None:
    """Name the usual namespaces of the pool that hold journals and were not looked at."""
    location = location_of(settings)
    if location is None:
        return
    namespace = location.resolved().namespace or ""
    found = namespaces_with_journals(store, summary.instances)
    summary.namespaces += (other for other in found if other != namespace)
    for other in summary.namespaces:
        name = f"-N {other}" if other else "without -N"
        summary.not_looked_at.append(f"the journals in another namespace of the pool ({name})")


def _print_as_they_come() -> None:
    """Let who reads a pipe see each finding at once."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _print_end(check: _Check, code: int) -> None:
    if check.settings.json:
        return
    check.explanations.print()
    for place, summary in check.summaries.items():
        if summary.journal_found or summary.severities or not check.asked.all_namespaces:
            for line in summary_lines(place, summary, check.settings.instance_id):
                print_line(line)
    if code == exit_codes.NOTHING_CHECKED:
        note(check.settings, "for a pool that has no journal yet, give --allow-empty")
    if code == exit_codes.INCOMPLETE:
        for name in check.lacking:
            note(check.settings, _REQUIRABLE[name])
