"""csijournal ensure."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.images import (
    is_of_groups,
    open_images,
    print_image,
    reserving_options,
    said_of,
)
from csijournal.cli.options import JournalCommand, Settings, one_journal_option
from csijournal.cli.output import print_reservation


@click.command(
    "ensure",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd ensure groupsnapshot-42",
        "csijournal -p rbd ensure snapshot-42 --journal snapshots --source csi-vol-UUID",
    ],
)
@click.argument("request_name", metavar="NAME")
@click.option("--prefix", default="", help="Name prefix.  [csi-vol-group-, csi-vol-, csi-snap-]")
@one_journal_option
@reserving_options
@click.pass_obj
def command(settings: Settings, /, request_name: str, prefix: str, **options: str | None) -> None:
    """Get the reservation of a request name, or make it.

    However many ask at once, all get the same; "created" says who made it.
    """
    settings.schema.require_request_name(request_name)
    said = said_of(settings.schema, options)
    if is_of_groups(settings):
        with open_journal(settings, create=True) as groups:
            ensured = groups.ensure_reservation(request_name, prefix, **said)
            print_reservation(settings, ensured.reservation, created=ensured.created)
        return
    with open_images(settings, create=True) as images:
        found = images.ensure_reservation(request_name, prefix, **said)
        print_image(settings, found.reservation, created=found.created)
