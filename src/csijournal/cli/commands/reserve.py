"""csijournal reserve."""

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
    "reserve",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd reserve groupsnapshot-42",
        "csijournal -p rbd reserve pvc-42 --journal volumes --owner shop",
    ],
)
@click.argument("request_name", metavar="NAME")
@click.option("--prefix", default="", help="Name prefix.  [csi-vol-group-, csi-vol-, csi-snap-]")
@one_journal_option
@reserving_options
@click.pass_obj
def command(settings: Settings, /, request_name: str, prefix: str, **options: str | None) -> None:
    """Reserve a request name: a new UUID and name for it.

    A name that is reserved already is exit code 4; `csijournal ensure` takes
    it as it is.
    """
    settings.schema.require_request_name(request_name)
    said = said_of(settings.schema, options)
    if is_of_groups(settings):
        with open_journal(settings, create=True) as groups:
            print_reservation(settings, groups.reserve_name(request_name, prefix, **said))
        return
    with open_images(settings, create=True) as images:
        print_image(settings, images.reserve_name(request_name, prefix, **said))
