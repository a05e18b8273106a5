"""csijournal show."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_reservation
from csijournal.cli.resolve import find_group, handle_or_none


@click.command(
    "show",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd show groupsnapshot-42",
        "csijournal -p rbd show csi-vol-group-8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csijournal -c /etc/ceph/ceph.conf show \\",
        "  0001-0009-rook-ceph-0000000000000002-8857a21c-fc4f-4577-98f4-a7b5f055388e",
    ],
)
@click.argument("what")
@click.pass_obj
def command(settings: Settings, what: str) -> None:
    """Tell all about a group, a name or a handle; change nothing.

    WHAT is a request name, a group UUID, a group name, the name of a group
    object as `rados ls` prints it, or a CSI handle.  A handle finds its pool
    by itself where RADOS options are given without -p.
    """
    with open_journal(settings, handle=handle_or_none(what)) as journal:
        print_reservation(settings, find_group(journal, what))
