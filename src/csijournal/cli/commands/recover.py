"""csijournal recover."""

from __future__ import annotations

from dataclasses import asdict

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.durations import duration, in_words
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json, print_line
from csijournal.cli.render import number_of
from csijournal.errors import printable
from csijournal.journal.groups import GRACE_SECONDS
from csijournal.journal.recover import Recovery


@click.command(
    "recover",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd recover --dry-run",
        "csijournal -p rbd recover --older-than 1h",
    ],
)
@click.option(
    "--older-than",
    "older_than_seconds",
    metavar="TIME",
    default=in_words(GRACE_SECONDS),
    callback=duration,
    help=f"Leases older than this: 90s, 15m, 2h, 1d.  [{in_words(GRACE_SECONDS)}]",
)
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@click.pass_obj
def command(settings: Settings, older_than_seconds: float, dry_run: bool) -> None:
    """Finish or roll back what clients left when they died.

    Looks at old leases and at every entry, and never lists the pool.  Does no
    harm to clients at work, so it can run from cron or when a driver starts.
    """
    with open_journal(settings) as journal:
        recovery = journal.recover(older_than_seconds, dry_run=dry_run)
    if settings.json:
        print_json(asdict(recovery) | {"dry_run": dry_run})
        return
    _print_recovery(recovery, dry_run=dry_run)
    if recovery.damaged:
        note(
            settings,
            f"{number_of(recovery.damaged, 'damaged entry')} left alone:"
            " `csijournal verify` tells what is wrong",
        )


def _print_recovery(recovery: Recovery, *, dry_run: bool) -> None:
    would = "would " if dry_run else ""
    done = "" if dry_run else "d"
    for what, names in (
        (f"{would}revoke{done} lease", recovery.leases_revoked),
        (f"{would}remove{done} lease", recovery.leases_removed),
        (f"{would}remove{done} group", recovery.groups_removed),
        (f"{would}remove{done} entry", recovery.entries_removed),
    ):
        for name in names:
            print_line(f"{what}  {printable(name)}")
    if recovery.pending:
        print_line(f"{number_of(recovery.pending, 'entry')} may be in the making, left alone.")
    if not any(value for value in asdict(recovery).values()):
        print_line("nothing to recover.")
