"""csijournal remove."""

from __future__ import annotations

from collections.abc import Sequence

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_json, print_line
from csijournal.cli.resolve import find_group, handle_or_none
from csijournal.errors import printable
from csijournal.wire.text import number_of


@click.command(
    "remove",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd remove groupsnapshot-42 vol-1 vol-2",
    ],
)
@click.argument("group")
@click.argument("members", nargs=-1, required=True, metavar="MEMBER...")
@click.pass_obj
def command(settings: Settings, group: str, members: Sequence[str]) -> None:
    """Remove members from a group.

    GROUP is any name that `csijournal show` takes.  All members are removed,
    or none; one that is not there is fine.
    """
    with open_journal(settings, handle=handle_or_none(group)) as journal:
        found = find_group(journal, group)
        journal.remove_volumes_mapping(found.group_uuid, members)
    removed = {name: found.volume_map[name] for name in members if name in found.volume_map}
    if settings.json:
        print_json({"group_uuid": found.group_uuid, "removed": removed})
    else:
        print_line(
            f"removed: {number_of(len(removed), 'member')} from {printable(found.group_name)}"
        )
