"""csijournal check."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings, request_name_argument
from csijournal.cli.output import print_reservation
from csijournal.errors import ReservationNotFound
from csijournal.wire.layout import shortened


@click.command(
    "check",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd check groupsnapshot-42",
    ],
)
@request_name_argument
@click.option("--prefix", default="", help="Name prefix of a group that has lost its name.")
@click.pass_obj
def command(settings: Settings, request_name: str, prefix: str) -> None:
    """Print the reservation of a request name; clear away a stale one.

    What a crashed driver left under the name is removed on the way, as the
    driver itself would; `csijournal show` changes nothing.  Where there is no
    reservation the exit code is 3.
    """
    with open_journal(settings) as journal:
        reservation = journal.check_reservation(request_name, prefix)
    if reservation is None:
        raise ReservationNotFound(f"no reservation answers to {shortened(request_name)}")
    print_reservation(settings, reservation)
