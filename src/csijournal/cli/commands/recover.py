"""csijournal recover."""

from __future__ import annotations

from dataclasses import asdict

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.durations import duration, in_words
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json, print_line
from csijournal.cli.shell import command_line
from csijournal.errors import printable
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.journal.recover import Recovery
from csijournal.store.contract import Unreadable
from csijournal.wire.text import number_of


@click.command(
    "recover",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd recover",
        "csijournal -p rbd recover --older-than 1h --apply",
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
@click.option("--apply", is_flag=True, help="Do it; without, only say what would be done.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, as without --apply.")
@click.pass_obj
def command(settings: Settings, older_than_seconds: float, apply: bool, dry_run: bool) -> None:
    """Roll back what dead clients left: say how; --apply does it.

    Looks at old leases and at every entry, and never lists the pool.  Says what
    it would do; with --apply it does that, and prints each thing that it
    removed: entries that lead nowhere, groups without members; and each key
    that it could not read.  Clients at work are not harmed, so it can run from
    cron or when a driver starts.
    """
    if apply and dry_run:
        raise click.UsageError("--apply and --dry-run contradict each other: give one.")
    with open_journal(settings) as journal:
        recovery = journal.recover(older_than_seconds, dry_run=not apply)
    if settings.json:
        fields = asdict(recovery) | {
            "groups_removed": recovery.records_removed,
            "unreadable": [_as_json(unreadable) for unreadable in recovery.unreadable],
        }
        print_json(fields | {"dry_run": not apply})
        return
    _print_recovery(recovery, dry_run=not apply)
    if not apply and _does_something(recovery):
        print_line("")
        print_line("nothing was changed.")
        words = ["recover", "--older-than", in_words(older_than_seconds), "--apply"]
        print_line(f"to do it  {command_line(settings, words, settings.instance_id)}")
    left = []
    if recovery.damaged:
        left.append(number_of(recovery.damaged, "damaged entry"))
    if recovery.unreadable:
        left.append(number_of(len(recovery.unreadable), "unreadable key"))
    if left:
        note(
            settings,
            f"{' and '.join(left)} left alone; to see what is wrong:"
            f" {command_line(settings, ['verify'], settings.instance_id)}",
        )


def _as_json(unreadable: Unreadable) -> dict[str, str]:
    return {
        "object": unreadable.object_name,
        "key": unreadable.shown,
        "problem": unreadable.problem,
    }


def _does_something(recovery: Recovery) -> bool:
    return bool(
        recovery.leases_revoked
        or recovery.leases_removed
        or recovery.records_removed
        or recovery.entries_removed
    )


def _print_recovery(recovery: Recovery, *, dry_run: bool) -> None:
    would = "would " if dry_run else ""
    done = "" if dry_run else "d"
    for what, names in (
        (f"{would}revoke{done} lease", recovery.leases_revoked),
        (f"{would}remove{done} lease", recovery.leases_removed),
        (f"{would}remove{done} group", recovery.records_removed),
        (f"{would}remove{done} entry", recovery.entries_removed),
    ):
        for name in names:
            print_line(f"{what}  {printable(name)}")
    for unreadable in recovery.unreadable:
        print_line(f"cannot read  {unreadable}  ({printable(unreadable.object_name)})")
    if recovery.pending:
        waiting = number_of(recovery.pending, "pending entry")
        print_line(f"{waiting} left alone: a driver may be making the group now.")
    if recovery.is_empty:
        print_line("nothing to recover.")
