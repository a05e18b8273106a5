"""What verify found, for people: each finding, what its kind means, and a summary."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Summary
from csijournal.cli.options import Settings
from csijournal.cli.output import print_line
from csijournal.cli.shell import command_line
from csijournal.errors import printable
from csijournal.wire.names import DEFAULT_INSTANCE_ID

_WIDTH = 96
_INDENT = "    "


def finding_lines(settings: Settings, finding: Finding) -> list[str]:
    """One finding: what lies where, and the commands for what only people may decide."""
    name = "" if finding.request_name is None else f"  {printable(finding.request_name)}"
    rows = {"object": finding.object_name, "found": finding.found}
    if finding.request_name is None and finding.key:
        rows["key"] = finding.key
    if finding.instance_id not in {"", DEFAULT_INSTANCE_ID}:
        rows["instance"] = finding.instance_id
    commands = [] if finding.automatic else remedies(settings, finding)
    return [
        f"{finding.kind.severity.upper():7}  {finding.kind}{name}",
        *(f"{_INDENT}{row:8}  {printable(text)}" for row, text in rows.items() if text),
        *(_INDENT + line for line in commands),
    ]


def remedies(settings: Settings, finding: Finding) -> list[str]:
    """The command that mends the finding, or those that a person must choose from.

    What belongs to no instance can only be found by a deep look.
    """
    if not finding.automatic:
        return [command_line(settings, words, finding.instance_id) for words in finding.commands]
    deep = [] if finding.instance_id else ["--deep"]
    words = ["repair", *deep, "--kind", finding.kind.value]
    return [command_line(settings, words, finding.instance_id)]


@dataclass(slots=True)
class _Found:
    number: int = 0
    for_people: int = 0
    repairs: dict[str, None] = field(default_factory=dict)


class Explanations:
    """What was found of each kind, for an explanation at the end."""

    def __init__(self) -> None:
        self._found: dict[FindingKind, _Found] = {}

    def add(self, settings: Settings, finding: Finding) -> None:
        """Count a finding; where repair mends it, note with which command."""
        found = self._found.setdefault(finding.kind, _Found())
        found.number += 1
        if finding.automatic:
            found.repairs |= dict.fromkeys(remedies(settings, finding))
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
            print_line("repair prints its plan; with --apply it makes a backup and carries it out.")
        if any(found.for_people for found in self._found.values()):
            print_line("attach and drop say what they would do; with --apply they do it.")
        print_line("")


def _print_kind(kind: FindingKind, found: _Found) -> None:
    print_line(f"{kind} ({found.number:,})")
    for text in (kind.meaning, kind.remedy):
        for line in textwrap.wrap(text, _WIDTH - len(_INDENT)):
            print_line(_INDENT + line)
    for line in found.repairs:
        print_line(_INDENT * 2 + line)
    if found.for_people:
        print_line(f"{_INDENT * 2}(the commands are with each finding above)")
    print_line("")


# Summary


def summary_lines(place: str, summary: Summary, *, deep: bool) -> Iterator[str]:
    """What was looked at in one place, and how much was found."""
    yield place
    counts = {
        "entry": summary.entries,
        "group": summary.groups,
        "member": summary.members,
        "lease": summary.leases,
    }
    looked_at = [number_of(count, what) for what, count in counts.items()]
    if summary.in_the_making:
        looked_at.append(f"{summary.in_the_making:,} in the making")
    if deep:
        looked_at.append(number_of(summary.objects_listed, "object") + " listed")
    yield _INDENT + ", ".join(looked_at)
    errors, warnings = severities(summary)
    for severity, count in ((Severity.ERROR, errors), (Severity.WARNING, warnings)):
        if count:
            kinds = [
                f"{number:,} {kind}"
                for kind, number in summary.kinds.most_common()
                if kind.severity is severity
            ]
            yield f"{_INDENT}{number_of(count, severity.value)}: {', '.join(kinds)}"
    if not summary.kinds:
        yield f"{_INDENT}nothing is wrong" + ("" if deep else "; --deep looks for orphans too")


def severities(summary: Summary) -> tuple[int, int]:
    """How many errors and how many warnings were found."""
    errors = sum(n for kind, n in summary.kinds.items() if kind.severity is Severity.ERROR)
    return errors, summary.kinds.total() - errors


def summary_as_json(place: str, summary: Summary, *, deep: bool) -> dict[str, object]:
    """The last line of verify's JSON."""
    errors, warnings = severities(summary)
    return {
        "place": place,
        "deep": deep,
        "instances": summary.instances,
        "keys": summary.keys,
        "entries": summary.entries,
        "groups": summary.groups,
        "members": summary.members,
        "leases": summary.leases,
        "in_the_making": summary.in_the_making,
        "objects_listed": summary.objects_listed,
        "errors": errors,
        "warnings": warnings,
        "findings": {kind.value: number for kind, number in summary.kinds.most_common()},
    }


def number_of(count: int, what: str) -> str:
    """A number with its noun, in the plural where it must be."""
    if count == 1:
        return f"1 {what}"
    return f"{count:,} " + (what[:-1] + "ies" if what.endswith("y") else what + "s")
