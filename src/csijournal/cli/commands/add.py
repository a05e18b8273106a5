"""csijournal add."""

from __future__ import annotations

from collections.abc import Sequence

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.members import members_from_file, members_from_json, members_from_pairs
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_json, print_line
from csijournal.cli.resolve import find_group, handle_or_none
from csijournal.errors import printable
from csijournal.wire.text import number_of


@click.command(
    "add",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd add groupsnapshot-42 vol-1=snap-1 vol-2=snap-2",
        "csijournal -p rbd show old -o json | jq .volume_map |",
        "  csijournal -p rbd add new --from-file -",
    ],
)
@click.argument("group")
@click.argument("pairs", nargs=-1, metavar="[MEMBER[=VALUE]]...")
@click.option("--json", "text", metavar="JSON", help="Members as a JSON object of texts.")
@click.option("--from-file", metavar="FILE", help="File with such an object; - is standard input.")
@click.pass_obj
def command(
    settings: Settings,
    group: str,
    pairs: Sequence[str],
    text: str | None,
    from_file: str | None,
) -> None:
    """Add members to a group.

    GROUP is any name that `csijournal show` takes.  All members are added, or
    none; one that is there already gets the new value.
    """
    if not pairs and text is None and from_file is None:
        raise click.UsageError("No members: give MEMBER=VALUE, --json or --from-file.")
    members = members_from_pairs(pairs)
    members |= {} if text is None else members_from_json(text, "--json")
    members |= {} if from_file is None else members_from_file(from_file)
    with open_journal(settings, handle=handle_or_none(group)) as journal:
        found = find_group(journal, group)
        journal.add_volumes_mapping(found.group_uuid, members)
    if settings.json:
        print_json({"group_uuid": found.group_uuid, "added": members})
    else:
        print_line(f"added: {number_of(len(members), 'member')} to {printable(found.group_name)}")
