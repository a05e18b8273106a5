"""csijournal attach."""

from __future__ import annotations

from pathlib import Path

import click

from csijournal.cli.apply import apply_option, backup_option
from csijournal.cli.attach_images import AskedImages, Sources, attach_all, attach_one
from csijournal.cli.connect import open_place
from csijournal.cli.images import attaching_options, is_of_groups, said_of
from csijournal.cli.kubernetes_options import KubernetesOptions, kubernetes_options
from csijournal.cli.manual import say_or_do
from csijournal.cli.options import JournalCommand, Settings, one_journal_option
from csijournal.cli.scan import cephfs_options
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
        "csijournal -p rbd attach --journal volumes csi-vol-8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csijournal -p rbd attach --all --kubernetes lists.json --apply",
    ],
)
@click.argument("what", metavar="UUID|IMAGE", default="")
@click.argument("request_name", metavar="[NAME]", default="")
@click.option(
    "--all",
    "all_of_them",
    is_flag=True,
    help="Every volume and snapshot that the lists of --kubernetes hold here, and whose record"
    " is missing or has lost its entry.",
)
@one_journal_option
@attaching_options
@kubernetes_options
@cephfs_options
@apply_option
@backup_option
@click.pass_context
def command(
    context: click.Context,
    /,
    what: str,
    request_name: str,
    *,
    all_of_them: bool,
    kubernetes: KubernetesOptions,
    filesystem: str,
    subvolume_group: str,
    apply: bool,
    backup_file: Path | None,
    **said: str | None,
) -> None:
    """Make a record and a request name each other's again.

    Of a group: the object with the UUID, and NAME or what it says itself.  Of a
    volume or snapshot (--journal): record and entry of an image or subvolume
    that exists, by what it, its record and --kubernetes lists say; NAME and the
    options say what nobody else does.

    Says what it would write; with --apply makes a backup and writes it.  Exit
    code 4: another entry or record stands in the way, those contradict each
    other, or the KMS of an encrypted image is not known.  Exit code 1: others
    changed something since, or --all left some alone.
    """
    settings = context.find_object(Settings)
    assert settings is not None  # noqa: S101 - the program makes it
    sources = Sources(kubernetes, filesystem, subvolume_group)
    if all_of_them:
        _require_all_usable(what, kubernetes, said)
        attach_all(settings, sources, apply=apply, backup_file=backup_file)
        return
    if not what:
        raise click.MissingParameter(ctx=context, param_hint="'UUID|IMAGE'", param_type="argument")
    asked = AskedImages(what, request_name, said_of(settings.schema, said, is_new=False), sources)
    attach = _attach_group if is_of_groups(settings) else attach_one
    attach(settings, asked, apply=apply, backup_file=backup_file)


def _require_all_usable(
    what: str, kubernetes: KubernetesOptions, said: dict[str, str | None]
) -> None:
    if what or any(said.values()):
        raise click.UsageError("--all takes all from the lists: give neither a name nor its parts.")
    if kubernetes.lists is None:
        raise click.UsageError("--all needs the lists of Kubernetes: give --kubernetes FILE.")


def _attach_group(
    settings: Settings, asked: AskedImages, *, apply: bool, backup_file: Path | None
) -> None:
    if asked.sources.kubernetes.lists is not None:
        raise click.UsageError("--kubernetes is for volumes and snapshots: give --journal.")
    group_uuid, request_name = require_uuid(asked.what), asked.request_name
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
