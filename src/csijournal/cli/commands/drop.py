"""csijournal drop."""

from __future__ import annotations

from pathlib import Path

import click

from csijournal.cli.apply import apply_option, backup_option
from csijournal.cli.connect import open_place
from csijournal.cli.manual import say_or_do
from csijournal.cli.options import JournalCommand, Settings
from csijournal.journal.steps import Records
from csijournal.repair.manual import plan_drop_entry, plan_drop_group
from csijournal.repair.planners import Planner
from csijournal.wire.schema import GROUPS
from csijournal.wire.uuids import require_uuid


@click.command(
    "drop",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd drop --entry groupsnapshot-42",
        "csijournal -p rbd drop --group 8857a21c-fc4f-4577-98f4-a7b5f055388e --apply",
    ],
)
@click.option("--entry", "request_name", metavar="NAME", help="The entry of this request name.")
@click.option("--group", "group_uuid", metavar="UUID", help="This group, with its members.")
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings,
    request_name: str | None,
    group_uuid: str | None,
    apply: bool,
    backup_file: Path | None,
) -> None:
    """Remove one entry, or one group that no entry points at.

    For what undo refuses to touch.  Says what it would remove; with --apply
    makes a backup and removes it.  A group that any entry points at is exit
    code 4: drop that entry first.  Exit code 1: others changed it since.
    """
    with open_place(settings) as store:
        records = Records(store, GROUPS, settings.instance_id)
        if request_name is not None and group_uuid is None:
            plan = plan_drop_entry(records, request_name)
            words = ["drop", "--entry", request_name]
        elif group_uuid is not None and request_name is None:
            plan = plan_drop_group(records, Planner(store), require_uuid(group_uuid))
            words = ["drop", "--group", group_uuid]
        else:
            raise click.UsageError("Drop what? Give --entry NAME or --group UUID.")
        say_or_do(settings, store, plan, words=words, apply=apply, backup_file=backup_file)
