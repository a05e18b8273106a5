"""csijournal reserve."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings, request_name_argument
from csijournal.cli.output import print_reservation


@click.command(
    "reserve",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd reserve groupsnapshot-42",
    ],
)
@request_name_argument
@click.option("--prefix", default="", help="Name prefix of the group.  [csi-vol-group-]")
@click.pass_obj
def command(settings: Settings, request_name: str, prefix: str) -> None:
    """Reserve a request name: a new group UUID and name for it.

    A name that is reserved already is exit code 4; `csijournal ensure` takes
    it as it is.
    """
    with open_journal(settings, create=True) as journal:
        print_reservation(settings, journal.reserve_name(request_name, prefix))
