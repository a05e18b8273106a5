"""Walking through a journal for findings, for verify and repair."""

from __future__ import annotations

from collections.abc import Iterator

import click

from csijournal.check.findings import Finding
from csijournal.check.scan import Summary, Verifier
from csijournal.cli.durations import duration, in_words
from csijournal.cli.progress import Bar, Position, watched
from csijournal.journal.grace import GRACE_SECONDS

grace_option = click.option(
    "--grace",
    "grace_seconds",
    metavar="TIME",
    default=in_words(GRACE_SECONDS),
    callback=duration,
    help=f"What is younger may be in the making: 90s, 15m, 2h, 1d.  [{in_words(GRACE_SECONDS)}]",
)


def look(verifier: Verifier, *, deep: bool) -> Iterator[Finding]:
    """What `verifier` finds, with a progress bar that is away while a finding is handled."""
    total = verifier.count_keys() if watched() and not deep else None
    bar = Bar(lambda: _position(verifier.summary, total))
    with bar.shown():
        for finding in verifier.findings():
            with bar.hidden():
                yield finding


def _position(summary: Summary, total: int | None) -> Position:
    """How far the verifier is.

    Where the keys were not counted, the look is a deep one, which lists all
    objects first; there are about as many groups as keys.
    """
    if not summary.instances:
        return Position("listing objects", summary.objects_listed, None)
    expected = summary.group_objects if total is None else total
    return Position("reading groups", summary.keys, max(summary.keys, expected))
