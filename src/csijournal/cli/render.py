"""What a check found, for people: each finding, what its kind means, and a summary."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Summary
from csijournal.check.story import age_in_words
from csijournal.check.summary import Counts, Pending
from csijournal.cli.options import Settings
from csijournal.cli.output import GREEN, RED, YELLOW, coloured, print_line, wrapped
from csijournal.cli.scan import ScanOptions
from csijournal.cli.shell import command_line
from csijournal.errors import printable
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import GROUPS, SCHEMAS, AnySchema
from csijournal.wire.text import in_bytes, number_of, shortened
from csijournal.wire.timestamps import Timestamp

_INDENT = "    "
_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: ""}

_PENDING_SHOWN = 20
"""How many pending records a summary names on the terminal; JSON names more."""

_DRY_WITHOUT_APPLY = frozenset({"attach", "drop", "recover", "repair", "retire"})
"""The commands that only say what they would do, unless --apply is given."""


def finding_lines(settings: Settings, scan: ScanOptions, finding: Finding) -> list[str]:
    """One finding: what lies where, and the commands for what only people may decide."""
    name = "" if finding.request_name is None else f"  {printable(finding.request_name)}"
    rows = {
        "object": finding.object_name,
        "about": finding.thing,
        "found": finding.found,
        "by hand": finding.left_because,
    }
    if finding.request_name is None and finding.key:
        rows["key"] = finding.key
    if finding.instance_id not in {"", DEFAULT_INSTANCE_ID}:
        rows["instance"] = finding.instance_id
    commands = [] if finding.automatic else remedies(settings, scan, finding)
    severity = finding.severity
    label = coloured(f"{severity.upper():7}", _COLOURS[severity], sys.stdout)
    return [
        f"{label}  {finding.kind}{name}",
        *(line for row, text in rows.items() if text for line in _row(row, text)),
        *(_INDENT + line for line in commands),
    ]


def remedies(settings: Settings, scan: ScanOptions, finding: Finding) -> list[str]:
    """The command that repairs the finding, or those that a person must choose from.

    Pasted, they look where it was found, in the same way.
    """
    if not finding.automatic:
        commands = (_with_lists(scan, words) for words in finding.commands)
        return [command_line(settings, words, finding.instance_id) for words in commands]
    words = ["repair", *scan.words(), "--kind", finding.kind.value]
    return [command_line(settings, words, finding.instance_id)]


def _with_lists(scan: ScanOptions, words: Sequence[str]) -> Sequence[str]:
    """The command, with the lists of Kubernetes that it is held to, where these are known."""
    return [words[0], *scan.further_words, *words[1:]] if words[0] == "retire" else words


def with_apply(command: str) -> str:
    """The command line as it changes something, where without --apply it only says what."""
    words = command.split()
    return f"{command} --apply" if _DRY_WITHOUT_APPLY.intersection(words) else command


def _row(name: str, text: str) -> list[str]:
    first = f"{_INDENT}{name:8}  "
    return wrapped(text, first=first) if name in {"found", "by hand"} else [first + printable(text)]


@dataclass
class _Found:
    number: int = 0
    for_people: int = 0
    repairs: dict[str, None] = field(default_factory=dict)


class Explanations:
    """What was found of each kind, for an explanation at the end."""

    def __init__(self) -> None:
        self._found: dict[FindingKind, _Found] = {}

    def add(self, settings: Settings, scan: ScanOptions, finding: Finding) -> None:
        """Count a finding; where repair may act alone, note with which command."""
        found = self._found.setdefault(finding.kind, _Found())
        found.number += 1
        if finding.automatic:
            found.repairs |= dict.fromkeys(remedies(settings, scan, finding))
        elif finding.commands:
            found.for_people += 1

    def print(self) -> None:
        """Say what each kind means and what to do about it."""
        if not self._found:
            return
        print_line("WHAT IT MEANS AND WHAT TO DO")
        print_line("")
        for kind in FindingKind:
            if kind in self._found:
                _print_kind(kind, self._found[kind])
        if any(found.repairs for found in self._found.values()):
            _print("repair prints its plan; with --apply it makes a backup and carries it out.")
        if any(found.for_people for found in self._found.values()):
            _print("attach, drop and retire say what they would do; with --apply they do it.")
        print_line("")


def _print_kind(kind: FindingKind, found: _Found) -> None:
    print_line(f"{kind} ({found.number:,})")
    for text in (kind.meaning, kind.remedy):
        _print(text, _INDENT)
    for line in found.repairs:
        print_line(_INDENT * 2 + line)
    if found.for_people:
        print_line(f"{_INDENT * 2}(the commands are with each finding above)")
    print_line("")


def _print(text: str, indent: str = "") -> None:
    for line in wrapped(text, first=indent):
        print_line(line)


# Summary


def summary_lines(place: str, summary: Summary, instance_id: str) -> Iterator[str]:
    """What was looked at in one location, what was not, and how much was found."""
    yield printable(place)
    if not summary.journal_found:
        yield from wrapped(_no_journal(summary, instance_id), first=_INDENT)
    if summary.keys or summary.listed or summary.journal_found:
        yield from wrapped(_looked_at(summary), first=_INDENT)
        for schema in SCHEMAS:
            counts = summary.journals[schema.journal]
            if counts.is_there:
                yield from wrapped(_journal_line(schema, counts, summary), first=_INDENT * 2)
    yield from _compared_lines(summary)
    if summary.stands_alone and summary.journal_found:
        yield from wrapped(
            "this store stands for a driver without images: nothing outside of it can depend on"
            " a record",
            first=_INDENT,
        )
    for severity in Severity:
        yield from _severity_lines(summary, severity)
    yield from _pending_lines(summary)
    for text in summary.left_out:
        yield from wrapped(f"not looked at: {text}", first=_INDENT)
    if summary.leaked_bytes:
        leaked = f"{in_bytes(summary.leaked_bytes)} provisioned and used by nobody (an upper bound)"
        yield from wrapped(leaked, first=_INDENT)
    wrong = summary.severities[Severity.ERROR] + summary.severities[Severity.WARNING]
    if summary.journal_found and not wrong:
        said = "nothing is wrong" + (" in what was looked at" if summary.left_out else "")
        yield _INDENT + coloured(said, GREEN, sys.stdout)


def _no_journal(summary: Summary, instance_id: str) -> str:
    said = f"there is no journal of instance {shortened(instance_id)} here: nothing was checked"
    others = [other for other in summary.instances if other != instance_id]
    if others:
        said += f" of it; there are journals of: {', '.join(map(shortened, others))}"
    if summary.namespaces:
        names = ", ".join(map(_namespace, summary.namespaces))
        said += f"; these namespaces hold journals: {names}"
    return said


def _namespace(name: str) -> str:
    return shortened(name) if name else "the default one (without -N)"


def _looked_at(summary: Summary) -> str:
    said = f"{number_of(summary.entries, 'entry')}, {number_of(summary.records, 'record')} in order"
    if len(summary.instances) > 1 and summary.journal_found:
        names = ", ".join(map(shortened, summary.instances))
        said += f" in {number_of(len(summary.instances), 'instance')}: {names}"
    if summary.objects_walked:
        listed = number_of(summary.objects_listed, "journal object")
        among = f" among {summary.objects_walked:,}"
        said += (
            f"; {listed}{among if summary.objects_walked > summary.objects_listed else ''} listed"
        )
    return said


def _journal_line(schema: AnySchema, counts: Counts, summary: Summary) -> str:
    """What was seen of one journal."""
    said = f"{schema.journal}: {number_of(counts.entries, 'entry')}"
    said += f", {number_of(counts.records, schema.noun)} in order"
    if schema is GROUPS:
        said += f" with {number_of(summary.members, 'member')}"
    return said + (f", {number_of(counts.leases, 'lease')}" if counts.leases else "")


def _compared_lines(summary: Summary) -> Iterator[str]:
    """With what the records were compared."""
    if summary.compared_in_words:
        yield from wrapped(f"compared with {summary.compared_in_words}", first=_INDENT)
    for text in summary.kubernetes.lines() if summary.kubernetes else ():
        yield from wrapped(text, first=_INDENT)


def _severity_lines(summary: Summary, severity: Severity) -> Iterator[str]:
    count = summary.severities[severity]
    if count:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in summary.kinds_of(severity))
        shown = " (--notes lists them)" if severity is Severity.NOTE else ""
        label = number_of(count, severity.value)
        first, *rest = wrapped(f"{label}: {kinds}{shown}", first=_INDENT)
        yield first.replace(label, coloured(label, _COLOURS[severity], sys.stdout), 1)
        yield from rest


def _pending_lines(summary: Summary) -> Iterator[str]:
    if not summary.pending:
        return
    yield f"{_INDENT}{summary.pending:,} pending:"
    shown = summary.pending_named[:_PENDING_SHOWN]
    for pending in shown:
        yield from wrapped(pending_in_words(pending), first=_INDENT * 2)
    if len(shown) < summary.pending:
        yield f"{_INDENT * 2}and {summary.pending - len(shown):,} more, which -o json names"


def pending_in_words(pending: Pending) -> str:
    """What is known of a record that a client may be making now."""
    name = pending.object_name if pending.request_name is None else pending.request_name
    return (
        f"{name}: {pending.found}, {age_in_words(pending.age_seconds)} old, a driver may be making"
        f" it; look again after {_clock(pending.look_again)}, or with --grace 0s"
    )


def _clock(moment: Timestamp) -> str:
    """A time of today by its hour, and of another day with its date."""
    when, today = moment.to_datetime(), Timestamp.now().to_datetime().date()
    return f"{when:%H:%M:%S} UTC" if when.date() == today else f"{when:%Y-%m-%d %H:%M} UTC"


def summary_as_json(place: str, summary: Summary, scan: ScanOptions) -> dict[str, object]:
    """The last line of a location in verify's JSON."""
    return {
        "place": place,
        "deep": summary.listing_ended,
        "depth": scan.depth.value,
        "complete": summary.complete,
        "not_looked_at": summary.not_looked_at,
        "journal_found": summary.journal_found,
        "other_journals": summary.other_journals,
        "stands_alone": summary.stands_alone,
        "instances": summary.instances,
        "keys": summary.keys,
        "entries": summary.entries,
        "groups": summary.groups,
        "members": summary.members,
        "leases": summary.leases,
        "journals": {
            journal: _counts_as_json(counts) for journal, counts in summary.journals.items()
        },
        "compared_with": summary.compared_with,
        "compared_whole": summary.compared_whole,
        "compared": summary.compared,
        "kubernetes": summary.kubernetes and summary.kubernetes.to_json(),
        "not_given": summary.not_given,
        "leaked_bytes": summary.leaked_bytes,
        "in_the_making": summary.pending,
        "pending": [pending.to_json() for pending in summary.pending_named],
        "objects_listed": summary.objects_listed,
        "objects_walked": summary.objects_walked,
        "errors": summary.severities[Severity.ERROR],
        "warnings": summary.severities[Severity.WARNING],
        "notes": summary.severities[Severity.NOTE],
        "findings": {kind.value: number for kind, number in summary.kinds.most_common()},
    }


def _counts_as_json(counts: Counts) -> dict[str, int]:
    return {
        "directories": counts.directories,
        "entries": counts.entries,
        "records": counts.records,
        "leases": counts.leases,
        "objects_listed": counts.listed,
    }
