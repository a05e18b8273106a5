"""What verify found, as one HTML page that needs nothing but itself.

For a ticket, a colleague, a printer: no scripts, no fonts, no links outside.
Every text from the journal is escaped; nothing here knows a secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from string import Template

from csijournal import __version__
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.check.scan import Summary
from csijournal.errors import printable
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.timestamps import Timestamp

LISTED_MAX = 1000
"""How many findings of one kind the page lists; all of them are counted."""

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
_MARKS = {Severity.ERROR: "\N{BLACK CIRCLE}", Severity.WARNING: "\N{BLACK UP-POINTING TRIANGLE}"}


@dataclass(slots=True)
class _Listed:
    """The first findings of one kind, each with its place and commands."""

    number: int = 0
    rows: list[tuple[str, Finding, Sequence[str]]] = field(default_factory=list)
    repairs: dict[str, None] = field(default_factory=dict)


class Report:
    """Takes findings as they come; `html` gives the page.

    Memory is bounded by LISTED_MAX for each kind.  `deep` and `grace` say how
    verify looked.
    """

    def __init__(self, *, deep: bool, grace: str) -> None:
        self._deep = deep
        self._grace = grace
        self._created = Timestamp.now()
        self._kinds: dict[FindingKind, _Listed] = {}
        self._summaries: dict[str, Summary] = {}

    def add(self, place: str, finding: Finding, commands: Sequence[str]) -> None:
        """Take a finding with the command lines that mend it."""
        listed = self._kinds.setdefault(finding.kind, _Listed())
        listed.number += 1
        if finding.automatic:
            listed.repairs |= dict.fromkeys(commands)
        if len(listed.rows) < LISTED_MAX:
            listed.rows.append((place, finding, () if finding.automatic else commands))

    def add_summary(self, place: str, summary: Summary) -> None:
        """Take the summary of one place."""
        self._summaries[place] = summary

    def html(self) -> Iterator[str]:
        """The page, part by part."""
        places = ", ".join(self._summaries) if len(self._summaries) <= 1 else self._count_places()
        yield _HEAD.substitute(title=_text(f"csijournal verify: {places}"), style=_STYLE)
        yield from self._header(places)
        yield "<main>\n"
        yield from self._counts()
        if len(self._summaries) > 1:
            yield from self._places()
        yield from self._histograms()
        yield from self._findings()
        yield "</main>\n"
        yield f"<footer><p>Written by csijournal {_text(__version__)}.</p></footer>\n"
        yield "</body>\n</html>\n"

    # Parts of the page

    def _count_places(self) -> str:
        return f"{len(self._summaries):,} places"

    def _header(self, places: str) -> Iterator[str]:
        moment = Timestamp(self._created.nanoseconds // 10**9 * 10**9)
        shown = f"{moment.to_datetime():%Y-%m-%d %H:%M} UTC"
        look = "Deep look" if self._deep else "Quick look (without a list of the objects)"
        yield f"<header>\n<p class='eyebrow'>Journal verification</p>\n<h1>{_text(places)}</h1>\n"
        yield f"<p class='muted'>{look}, <time datetime='{moment}'>{shown}</time>; "
        yield f"what was younger than {_text(self._grace)} counted as in the making.</p>\n"
        yield from self._verdict()
        yield "</header>\n"

    def _verdict(self) -> Iterator[str]:
        errors = self._number(Severity.ERROR)
        warnings = self._number(Severity.WARNING)
        if not errors + warnings:
            yield "<p class='verdict good'><strong>\N{CHECK MARK} Nothing is wrong.</strong></p>\n"
            return
        worst = Severity.ERROR if errors else Severity.WARNING
        said = [
            _counted(number, severity.value)
            for number, severity in ((errors, Severity.ERROR), (warnings, Severity.WARNING))
            if number
        ]
        yield f"<p class='verdict {worst}'><strong>{_MARKS[worst]} {' and '.join(said)}.</strong> "
        yield _VERDICTS[worst] + "</p>\n"

    def _number(self, severity: Severity) -> int:
        return sum(k.number for kind, k in self._kinds.items() if kind.severity is severity)

    def _counts(self) -> Iterator[str]:
        summaries = self._summaries.values()
        counts = {
            "Entries": sum(s.entries for s in summaries),
            "Groups": sum(s.groups for s in summaries),
            "Members": sum(s.members for s in summaries),
            "Leases": sum(s.leases for s in summaries),
            "In the making": sum(s.in_the_making for s in summaries),
        }
        if self._deep:
            counts["Objects listed"] = sum(s.objects_listed for s in summaries)
        yield "<section aria-labelledby='looked'>\n<h2 id='looked'>What was looked at</h2>\n<dl>\n"
        for name, count in counts.items():
            yield f"<div><dt>{name}</dt><dd>{count:,}</dd></div>\n"
        yield "</dl>\n</section>\n"
        if self._kinds:
            yield from self._kinds_table()

    def _kinds_table(self) -> Iterator[str]:
        yield "<section aria-labelledby='kinds'>\n<h2 id='kinds'>What was found</h2>\n"
        yield "<table class='kinds'>\n<thead><tr><th scope='col'>Severity</th>"
        yield "<th scope='col'>FindingKind</th><th scope='col' class='number'>Findings</th>"
        yield "<th scope='col'>What can be done</th></tr></thead>\n<tbody>\n"
        for kind, listed in self._in_order():
            yield f"<tr><td>{_badge(kind.severity)}</td>"
            yield f"<th scope='row'><a href='#{kind}'>{kind}</a></th>"
            yield f"<td class='number'>{listed.number:,}</td><td>{_text(kind.remedy)}</td></tr>\n"
        yield "</tbody>\n</table>\n</section>\n"

    def _places(self) -> Iterator[str]:
        yield "<section aria-labelledby='places'>\n<h2 id='places'>Place by place</h2>\n<table>\n"
        yield "<thead><tr><th scope='col'>Place</th>"
        for name in ("Entries", "Groups", "Members", "Findings"):
            yield f"<th scope='col' class='number'>{name}</th>"
        yield "</tr></thead>\n<tbody>\n"
        for place, summary in self._summaries.items():
            yield f"<tr><th scope='row' class='name'>{_text(place)}</th>"
            for number in (
                summary.entries,
                summary.groups,
                summary.members,
                summary.kinds.total(),
            ):
                yield f"<td class='number'>{number:,}</td>"
            yield "</tr>\n"
        yield "</tbody>\n</table>\n</section>\n"

    def _histograms(self) -> Iterator[str]:
        ages: Counter[int] = Counter()
        sizes: Counter[int] = Counter()
        for summary in self._summaries.values():
            ages.update(summary.ages_days)
            sizes.update(summary.sizes)
        if not sizes:
            return
        yield "<section aria-labelledby='groups'>\n<h2 id='groups'>The groups</h2>\n"
        yield "<div class='charts'>\n"
        yield from _chart("ages", "Groups by age", _buckets(ages, _AGES))
        yield from _chart("sizes", "Groups by number of members", _buckets(sizes, _SIZES))
        yield "</div>\n</section>\n"

    def _findings(self) -> Iterator[str]:
        for kind, listed in self._in_order():
            yield f"<section class='kind' aria-labelledby='{kind}'>\n"
            yield f"<h2 id='{kind}'>{kind} <span class='muted'>({listed.number:,})</span> "
            yield f"{_badge(kind.severity)}</h2>\n"
            yield f"<p>{_text(kind.meaning)}</p>\n"
            yield f"<p><strong>What to do:</strong> {_text(kind.remedy)}</p>\n"
            if listed.repairs:
                yield _commands(listed.repairs)
            yield from self._rows(listed)
            more = listed.number - len(listed.rows)
            if more:
                yield f"<p class='more'>And {more:,} more, which <code>csijournal verify"
                yield " -o json</code> lists.</p>\n"
            yield "</section>\n"

    def _rows(self, listed: _Listed) -> Iterator[str]:
        with_place = len(self._summaries) > 1
        yield "<table>\n<thead><tr>"
        for column in ("Request name", "Where", "What was found"):
            yield f"<th scope='col'>{column}</th>"
        yield "</tr></thead>\n"
        for place, finding, commands in listed.rows:
            yield f"<tbody><tr>{_cells(finding, place if with_place else '')}</tr>\n"
            if commands:
                yield f"<tr class='choice'><td colspan='3'>{_commands(commands)}</td></tr>\n"
            yield "</tbody>\n"
        yield "</table>\n"

    def _in_order(self) -> list[tuple[FindingKind, _Listed]]:
        """The kinds that were found: errors first, then as they are declared."""
        found = [(kind, self._kinds[kind]) for kind in FindingKind if kind in self._kinds]
        return sorted(found, key=lambda item: item[0].severity is Severity.WARNING)


def _cells(finding: Finding, place: str) -> str:
    name = finding.request_name
    shown = f"<code>{_text(name)}</code>" if name else "<span class='muted'>none</span>"
    where = [place] if place else []
    where.append(finding.object_name)
    if finding.instance_id not in {"", DEFAULT_INSTANCE_ID}:
        where.append(f"instance {finding.instance_id}")
    if name is None and finding.key:
        where.append(f"key {finding.key}")
    lines = "<br>".join(f"<code>{_text(line)}</code>" for line in where)
    return (
        f"<td class='name'>{shown}</td><td class='name'>{lines}</td><td>{_text(finding.found)}</td>"
    )


def _badge(severity: Severity) -> str:
    return f"<span class='badge {severity}'>{_MARKS[severity]} {severity}</span>"


def _commands(lines: Iterable[str]) -> str:
    return "<pre>" + "\n".join(escape(printable(line)) for line in lines) + "</pre>\n"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _text(text: str) -> str:
    return escape(printable(text))


# Charts


def _buckets(
    counts: Counter[int], bounds: Sequence[tuple[str, int | None]]
) -> list[tuple[str, int]]:
    """How many fall into each bucket; a bound is the bucket's highest number."""
    totals = [0] * len(bounds)
    for number, count in counts.items():
        index = next(i for i, (_, top) in enumerate(bounds) if top is None or number <= top)
        totals[index] += count
    return [(name, total) for (name, _), total in zip(bounds, totals, strict=True)]


_ROW_HEIGHT = 26
_LABEL_WIDTH = 118
_BAR_WIDTH_MAX = 260
_CHART_WIDTH = 470


def _chart(identity: str, title: str, buckets: Sequence[tuple[str, int]]) -> Iterator[str]:
    """A histogram of horizontal bars, each with its number beside it."""
    height = _ROW_HEIGHT * len(buckets)
    highest = max(count for _, count in buckets) or 1
    said = "; ".join(f"{name}: {count:,}" for name, count in buckets)
    yield f"<figure>\n<figcaption>{title}</figcaption>\n"
    yield f"<svg viewBox='0 0 {_CHART_WIDTH} {height}' role='img'"
    yield f" aria-labelledby='{identity}-title {identity}-desc'>\n"
    yield f"<title id='{identity}-title'>{title}</title>\n"
    yield f"<desc id='{identity}-desc'>{said}</desc>\n"
    for number, (name, count) in enumerate(buckets):
        middle = number * _ROW_HEIGHT + _ROW_HEIGHT / 2
        width = max(count * _BAR_WIDTH_MAX / highest, 2) if count else 0
        yield f"<text class='label' x='{_LABEL_WIDTH}' y='{middle}'>{name}</text>"
        if count:
            yield f"<rect class='bar' x='{_LABEL_WIDTH + 10}' y='{middle - 9}'"
            yield f" width='{width:.1f}' height='18' rx='2'/>"
        empty = "" if count else " class='empty'"
        yield f"<text{empty} x='{_LABEL_WIDTH + 18 + width:.1f}' y='{middle}'>{count:,}</text>\n"
    axis = _LABEL_WIDTH + 9.5
    yield f"<line x1='{axis}' x2='{axis}' y1='0' y2='{height}'/>\n</svg>\n</figure>\n"


# The page around it

_VERDICTS = {
    Severity.ERROR: "Request names are stuck, or something lies there that nothing will remove.",
    Severity.WARNING: "Everything works; somebody should know.",
}

_HEAD = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
$style</style>
</head>
<body>
""")

_STYLE = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c2128; --muted: #59636e; --line: #d5dae1; --panel: #f5f7f9;
  --bar: #3b6ea5; --link: #1f5fa8;
  --error: #a3261b; --error-panel: #fdf0ee; --warning: #7a5200; --warning-panel: #fdf6e3;
  --good: #1c6b3a; --good-panel: #edf8f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --text: #dfe4ea; --muted: #98a3b0; --line: #323a44; --panel: #1d232a;
    --bar: #6f9fd4; --link: #8cb8ec;
    --error: #ff9a8f; --error-panel: #351b18; --warning: #ecc069; --warning-panel: #2f2613;
    --good: #7fd29b; --good-panel: #16291c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 72rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
}
h1 { margin: 0 0 .4rem; font-size: 1.65rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.6rem 0 .7rem; font-size: 1.2rem; line-height: 1.3; }
p { margin: 0 0 .6rem; max-width: 46rem; }
a { color: var(--link); }
.eyebrow { margin: 0; color: var(--muted); font-size: .85rem; letter-spacing: .04em; }
.muted, .empty { color: var(--muted); font-weight: 400; }
.verdict {
  margin: 1.2rem 0 0; padding: .75rem 1rem; max-width: none;
  border-left: .3rem solid; border-radius: .2rem;
}
.verdict.error { color: var(--error); background: var(--error-panel); }
.verdict.warning { color: var(--warning); background: var(--warning-panel); }
.verdict.good { color: var(--good); background: var(--good-panel); }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0; }
dl div { flex: 1 1 8rem; padding: .6rem .9rem; border-radius: .3rem; background: var(--panel); }
dt { color: var(--muted); font-size: .85rem; }
dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td {
  padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top;
}
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 1.6rem; }
.kinds tbody th, .badge { white-space: nowrap; }
.name { overflow-wrap: anywhere; }
.badge { font-size: .85rem; font-weight: 600; }
.badge.error { color: var(--error); }
.badge.warning { color: var(--warning); }
code, pre { font: .85rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre {
  margin: .2rem 0 .8rem; padding: .5rem .75rem; border-radius: .3rem;
  background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere;
}
.kind table { table-layout: fixed; }
.kind thead th:nth-child(1) { width: 38.5%; }
.kind thead th:nth-child(2) { width: 41%; }
.kind tbody td { border: 0; }
.kind tbody { border-bottom: 1px solid var(--line); }
.choice td { padding-top: 0; padding-right: 0; }
.choice pre { margin: 0; }
.more { margin-top: .7rem; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; }
figure { flex: 1 1 24rem; margin: 0; max-width: 34rem; }
figcaption { margin-bottom: .5rem; font-weight: 600; font-size: .95rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font-size: 13px; dominant-baseline: central; }
svg .label { fill: var(--muted); text-anchor: end; }
svg .empty { fill: var(--muted); }
svg .bar { fill: var(--bar); }
svg line { stroke: var(--line); }
footer { margin-top: 3rem; color: var(--muted); font-size: .85rem; }
@media (max-width: 40rem) {
  .kind table, .kind tbody, .kind tr, .kind td { display: block; }
  .kind thead { position: absolute; clip-path: inset(50%); }
  .kind td { padding: .1rem 0; }
  .kind tbody { padding: .5rem 0; }
  .kinds td:last-child, .kinds th:last-child { display: none; }
  .number { padding-right: 0; }
}
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --text: #000; --muted: #444; --line: #bbb; --panel: #fff; --link: #000;
    --bar: #555; --error: #000; --warning: #000; --good: #000;
    --error-panel: #fff; --warning-panel: #fff; --good-panel: #fff;
  }
  @page { margin: 16mm 14mm; }
  html { font-size: 8.5pt; }
  body { max-width: none; padding: 0; }
  h2, .kind > p, .kind > pre { break-after: avoid; }
  figure { flex-basis: 18rem; }
  p, tr, .kind tbody, figure, dl div { break-inside: avoid; }
  thead { display: table-header-group; }
  a { text-decoration: none; }
  pre, dl div { border: 1px solid var(--line); }
  svg .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
