"""What verify found, as one HTML page that needs nothing but itself.

For a ticket, a colleague, a printer: no scripts, no fonts, no links outside.
The page is templates/report.html; Jinja2 escapes every text in it, and nothing
here knows a secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from csijournal import __version__
from csijournal.check.catalog import Concern
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.listing import Depth
from csijournal.check.summary import Counts, Summary
from csijournal.errors import InvalidInput, printable
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.text import in_bytes, number_of
from csijournal.wire.timestamps import Timestamp

if TYPE_CHECKING:
    from jinja2 import Template

LISTED_MAX = 1000
"""How many findings of one kind the page lists; all of them are counted."""

_GOOD = "good"

_AGES = (
    ("unknown", -1),
    ("under a day", 0),
    ("1 to 6 days", 6),
    ("7 to 29 days", 29),
    ("30 to 89 days", 89),
    ("90 to 364 days", 364),
    ("1 to 2 years", 729),
    ("2 years and more", None),
)
_SIZES = (
    ("none", 0),
    ("1", 1),
    ("2", 2),
    ("3 to 5", 5),
    ("6 to 10", 10),
    ("11 to 20", 20),
    ("21 to 50", 50),
    ("51 to 100", 100),
    ("more than 100", None),
)
_MARKS = {
    Severity.ERROR.value: "\N{BLACK CIRCLE}",
    Severity.WARNING.value: "\N{BLACK UP-POINTING TRIANGLE}",
    Severity.NOTE.value: "\N{WHITE CIRCLE}",
    _GOOD: "\N{CHECK MARK}",
}
_MEANINGS = {
    Severity.ERROR.value: (
        "Request names are stuck, or something lies there that nothing will remove."
    ),
    Severity.WARNING.value: "Everything works; somebody should know.",
    _GOOD: "",
}
_DEPTHS = {
    Depth.QUICK: "Quick check (without a list of the objects)",
    Depth.LIMITED: "Default check (objects listed for some seconds at most)",
    Depth.FULL: "Full check",
}


@dataclass(frozen=True)
class _Row:
    """One finding that the page lists."""

    place: str
    finding: Finding
    commands: Sequence[str]

    def where(self, with_place: bool) -> Iterator[str]:
        """The lines that say where it is."""
        if with_place:
            yield self.place
        yield self.finding.object_name
        if self.finding.thing:
            yield self.finding.thing
        if self.finding.instance_id not in {"", DEFAULT_INSTANCE_ID}:
            yield f"instance {self.finding.instance_id}"
        if self.finding.request_name is None and self.finding.key:
            yield f"key {self.finding.key}"


@dataclass
class _Listed:
    """The first findings of one kind and severity."""

    kind: FindingKind
    severity: Severity
    number: int = 0
    leaked_bytes: int = 0
    rows: list[_Row] = field(default_factory=list)
    repairs: dict[str, None] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What links on the page lead to."""
        note = self.severity is not self.kind.severity
        return f"{self.kind}-{self.severity}" if note else str(self.kind)

    @property
    def leaked(self) -> str:
        """The space that these take and nobody uses, in words; empty for none."""
        return in_bytes(self.leaked_bytes) if self.leaked_bytes else ""

    @property
    def more(self) -> int:
        """How many the page does not list."""
        return self.number - len(self.rows)


class Report:
    """Takes findings as they come; `html` gives the page.

    Memory is bounded by LISTED_MAX for each kind.  `depth` and `grace` say how
    verify looked.  Raises InvalidInput where Jinja2 is not installed.
    """

    def __init__(self, *, depth: Depth, grace: str) -> None:
        self._template = _template()
        self._depth = depth
        self._grace = grace
        self._created = Timestamp.now()
        self._kinds: dict[tuple[FindingKind, Severity], _Listed] = {}
        self._summaries: dict[str, Summary] = {}

    def add(self, place: str, finding: Finding, commands: Sequence[str]) -> None:
        """Take a finding with the command lines that repair it, or of which one is to be chosen."""
        kind, severity = finding.kind, finding.severity
        listed = self._kinds.setdefault((kind, severity), _Listed(kind, severity))
        listed.number += 1
        listed.leaked_bytes += finding.leaked_bytes
        if finding.automatic:
            listed.repairs |= dict.fromkeys(commands)
        if len(listed.rows) < LISTED_MAX:
            listed.rows.append(_Row(place, finding, () if finding.automatic else commands))

    def add_summary(self, place: str, summary: Summary) -> None:
        """Take the summary of one place."""
        self._summaries[place] = summary

    def html(self) -> Iterator[str]:
        """The page, part by part."""
        moment = Timestamp(self._created.nanoseconds // 10**9 * 10**9)
        kinds = self._in_order()
        leaked = sum(summary.leaked_bytes for summary in self._summaries.values())
        return self._template.generate(
            **self._verdict(),
            version=__version__,
            marks=_MARKS,
            title=self._title(),
            depth=_DEPTHS[self._depth],
            grace=self._grace,
            moment=str(moment),
            moment_shown=f"{moment.to_datetime():%Y-%m-%d %H:%M} UTC",
            leaked=in_bytes(leaked) if leaked else "",
            left_out=self._left_out(),
            kinds=kinds,
            concerns=_by_concern(kinds),
            repairs=list(dict.fromkeys(line for listed in kinds for line in listed.repairs)),
            counts=self._counts(),
            journals=self._journals(),
            pending=[one for s in self._summaries.values() for one in s.pending_named],
            several_places=len(self._summaries) > 1,
            summaries=self._summaries,
            charts=self._charts(),
        )

    # What the page says

    def _title(self) -> str:
        places = list(self._summaries)
        return f"{len(places):,} locations" if len(places) > 1 else "".join(places)

    def _verdict(self) -> dict[str, str]:
        numbers = {severity: self._number(severity) for severity in Severity}
        said = " and ".join(
            number_of(numbers[severity], severity.value)
            for severity in (Severity.ERROR, Severity.WARNING)
            if numbers[severity]
        )
        worst = next((s.value for s in (Severity.ERROR, Severity.WARNING) if numbers[s]), _GOOD)
        if not said:
            said = "Nothing is wrong" + (" in what was looked at" if self._left_out() else "")
        return {"verdict": worst, "verdict_said": said, "verdict_means": _MEANINGS[worst]}

    def _number(self, severity: Severity) -> int:
        return sum(k.number for k in self._kinds.values() if k.severity is severity)

    def _left_out(self) -> list[str]:
        """Each thing that was not looked at once, whatever the number of locations."""
        return list(dict.fromkeys(t for s in self._summaries.values() for t in s.left_out))

    def _counts(self) -> dict[str, int]:
        summaries = self._summaries.values()
        return {
            "Entries": sum(s.entries for s in summaries),
            "Records in order": sum(s.records for s in summaries),
            "Members": sum(s.members for s in summaries),
            "Leases": sum(s.leases for s in summaries),
            "Pending": sum(s.pending for s in summaries),
            "Journal objects listed": sum(s.objects_listed for s in summaries),
            "Objects listed": sum(s.objects_walked for s in summaries),
        }

    def _journals(self) -> dict[str, Counts]:
        """What was seen of each journal, in all locations."""
        total = Summary().journals
        for summary in self._summaries.values():
            for journal, counts in summary.journals.items():
                total[journal] += counts
        return total

    def _charts(self) -> list[tuple[str, str, list[tuple[str, int]]]]:
        ages: Counter[int] = Counter()
        sizes: Counter[int] = Counter()
        for summary in self._summaries.values():
            ages.update(summary.ages_days)
            sizes.update(summary.sizes)
        if not sizes:
            return []
        return [
            ("ages", "Groups by age", _buckets(ages, _AGES)),
            ("sizes", "Groups by number of members", _buckets(sizes, _SIZES)),
        ]

    def _in_order(self) -> list[_Listed]:
        """What was found: by concern, errors first, then as the catalogue has the kinds."""
        concerns, severities, kinds = list(Concern), list(Severity), list(FindingKind)
        return sorted(
            self._kinds.values(),
            key=lambda listed: (
                concerns.index(listed.kind.concern),
                severities.index(listed.severity),
                kinds.index(listed.kind),
            ),
        )


def _by_concern(kinds: list[_Listed]) -> dict[Concern, list[_Listed]]:
    """The kinds that were found, for one table a concern."""
    found: dict[Concern, list[_Listed]] = {}
    for listed in kinds:
        found.setdefault(listed.kind.concern, []).append(listed)
    return found


def _template() -> Template:
    try:
        # Only a report needs it: an extra, and slow to import.
        from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415
    except ImportError as error:
        raise InvalidInput(
            "the HTML report needs Jinja2, which is not installed",
            hint="Install csijournal[report], or python3-jinja2 of the distribution",
        ) from error
    folder = resources.files("csijournal.check") / "templates"
    parts = {name: (folder / name).read_text() for name in ("report.html", "report.css")}
    environment = Environment(
        loader=DictLoader(parts), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    environment.filters["shown"] = printable
    return environment.get_template("report.html")


def _buckets(
    counts: Counter[int], bounds: Sequence[tuple[str, int | None]]
) -> list[tuple[str, int]]:
    """How many fall into each bucket; a bound is the bucket's highest number."""
    totals = [0] * len(bounds)
    for number, count in counts.items():
        index = next(i for i, (_, top) in enumerate(bounds) if top is None or number <= top)
        totals[index] += count
    return [(name, total) for (name, _), total in zip(bounds, totals)]
