"""csijournal attach."""

from __future__ import annotations

from pathlib import Path

import click

from csijournal.cli.apply import apply_option, backup_option
from csijournal.cli.connect import open_place
from csijournal.cli.manual import say_or_do
from csijournal.cli.options import JournalCommand, Settings
from csijournal.journal.steps import Records
from csijournal.repair.manual import plan_attach
from csijournal.wire.schema import GROUPS
from csijournal.wire.uuids import require_uuid


@click.command(
    "attach",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd attach 8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csijournal -p rbd attach 8857a21c-fc4f-4577-98f4-a7b5f055388e groupsnapshot-42 --apply",
    ],
)
@click.argument("group_uuid")
@click.argument("request_name", default="")
@apply_option
@backup_option
@click.pass_obj
def command(
    settings: Settings, group_uuid: str, request_name: str, apply: bool, backup_file: Path | None
) -> None:
    """Make a group and a request name each other's again.

    Without REQUEST_NAME, the name that the group says itself.  Says what it
    would write; with --apply makes a backup and writes it.  Where another
    entry or group stands in the way, the exit code is 4 and nothing is done.
    Exit code 1: others changed the group since.
    """
    require_uuid(group_uuid)
    dashes = ["--"] if request_name.startswith("-") else []
    with open_place(settings) as store:
        plan = plan_attach(Records(store, GROUPS, settings.instance_id), group_uuid, request_name)
        say_or_do(
            settings,
            store,
            plan,
            words=["attach", *dashes, group_uuid, *([request_name] if request_name else [])],
            apply=apply,
            backup_file=backup_file,
        )
