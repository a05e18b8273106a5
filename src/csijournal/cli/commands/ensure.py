"""csijournal ensure."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings, request_name_argument
from csijournal.cli.output import print_reservation


@click.command(
    "ensure",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd ensure groupsnapshot-42",
    ],
)
@request_name_argument
@click.option("--prefix", default="", help="Name prefix of a new group.  [csi-vol-group-]")
@click.pass_obj
def command(settings: Settings, request_name: str, prefix: str) -> None:
    """Get the reservation of a request name, or make it.

    However many ask at once, all get the same; "created" says who made it.
    """
    with open_journal(settings, create=True) as journal:
        ensured = journal.ensure_reservation(request_name, prefix)
        print_reservation(settings, ensured.reservation, created=ensured.created)
