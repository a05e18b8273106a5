"""Attaching volumes and snapshots at the command line: one, or all that Kubernetes holds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import click

from csijournal.check.other_places import OtherPlaces
from csijournal.cli import exit_codes
from csijournal.cli.apply import (
    Backup,
    backup_path,
    changing_nothing,
    outcome_lines,
    plan_lines,
    tally_as_json,
    working,
)
from csijournal.cli.connect import open_place
from csijournal.cli.kubernetes_options import KubernetesOptions
from csijournal.cli.manual import say_or_do
from csijournal.cli.options import Settings
from csijournal.cli.output import print_json, print_line, print_lines
from csijournal.cli.scan import open_inventory
from csijournal.cli.shell import command_line
from csijournal.errors import PlaceUnusable
from csijournal.inventory.contract import Inventory
from csijournal.repair.apply import Engine, Tally
from csijournal.repair.attach import ImageAttacher
from csijournal.repair.attach_image import ImageFinder
from csijournal.repair.attach_lists import KnownImages, attach_known
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome, Plan
from csijournal.repair.told import Told
from csijournal.store import Store
from csijournal.wire.ownership import owner_of
from csijournal.wire.schema import GROUPS, AnySchema
from csijournal.wire.uuids import ending_uuid, is_uuid

_OPTIONS = {
    "owner": "--owner",
    "kms_id": "--kms-id",
    "encryption_type": "--encryption-type",
    "source_name": "--source",
    "backing_snapshot_id": "--backing-snapshot-id",
    "nfs_cluster": "--nfs-cluster",
}


@dataclass(frozen=True)
class Sources:
    """Where to look for what records said: Kubernetes' lists, and CephFS."""

    kubernetes: KubernetesOptions
    filesystem: str = ""
    subvolume_group: str = ""

    def words(self) -> list[str]:
        """The options of a command line that looks there too."""
        words = list(self.kubernetes.words)
        words += ["--fs", self.filesystem] if self.filesystem else []
        words += ["--subvolume-group", self.subvolume_group] if self.subvolume_group else []
        return words

    def inventory(self, settings: Settings, store: Store) -> Inventory:
        """What tells of images and subvolumes; to be closed before the store."""
        return open_inventory(store, settings, self.filesystem, self.subvolume_group)


@dataclass(frozen=True)
class AskedImages:
    """What was asked for: a UUID, handle or image, its request name, and what else was said."""

    what: str
    request_name: str
    given: Mapping[str, str]
    sources: Sources

    def words(self, schema: AnySchema) -> list[str]:
        """The words of the command line, without --apply."""
        options = [word for name, text in self.given.items() for word in (_OPTIONS[name], text)]
        names = [self.what, *([self.request_name] if self.request_name else [])]
        dashes = ["--"] if any(name.startswith("-") for name in names) else []
        asked = [*options, *self.sources.words(), *dashes, *names]
        return ["attach", "--journal", schema.journal, *asked]

    def told(self, schema: AnySchema) -> tuple[str, Told]:
        """The UUID that is meant, and what a person said of it.  Raises InvalidImageName."""
        uuid = ending_uuid(self.what) or schema.uuid_of_image_name(self.what)
        is_name = not is_uuid(self.what) and not self.what.startswith("0001-")
        told = Told(
            "the command line",
            request_name=self.request_name,
            image_name=self.what if is_name else "",
            decides=True,
            **self.given,
        )
        return uuid, told


def attach_one(
    settings: Settings, asked: AskedImages, *, apply: bool, backup_file: Path | None
) -> None:
    """Say how one is attached, or do it."""
    schema = settings.schema
    uuid, told = asked.told(schema)
    with (
        open_place(settings) as store,
        closing(asked.sources.inventory(settings, store)) as inventory,
    ):
        known = _known(settings, schema, store, inventory, asked.sources.kubernetes)
        plan = known.plan(uuid, told)
        say_or_do(
            settings,
            store,
            plan,
            words=asked.words(schema),
            apply=apply,
            backup_file=backup_file,
        )


def attach_all(
    settings: Settings, sources: Sources, *, apply: bool, backup_file: Path | None
) -> None:
    """Say how all are attached whose records are lost, or do it."""
    # Volumes first: snapshots learn from them of what they are.
    schemas = [schema for schema in settings.schemas if schema is not GROUPS]
    if not schemas:
        raise click.UsageError("--all is for volumes and snapshots.")
    with open_place(settings) as store, closing(sources.inventory(settings, store)) as inventory:
        known = [
            _known(settings, schema, store, inventory, sources.kubernetes) for schema in schemas
        ]
        _require_named(store, known[0])
        if apply:
            tally = _do_all(settings, store, inventory, known, backup_file)
        else:
            with changing_nothing(settings):
                tally = _say_all(settings, known, sources, backup_file)
    raise click.exceptions.Exit(exit_codes.FINDINGS if tally.skipped else exit_codes.OK)


def _known(
    settings: Settings,
    schema: AnySchema,
    store: Store,
    inventory: Inventory,
    kubernetes: KubernetesOptions,
) -> KnownImages:
    return KnownImages(
        ImageAttacher(store, schema, settings.instance_id, inventory=inventory),
        ImageFinder(store, schema, inventory),
        OtherPlaces(store, kubernetes.namespaces(settings)),
        kubernetes.claims(settings, store, inventory),
    )


def _require_named(store: Store, known: KnownImages) -> None:
    if known.claims is None or known.claims.location is None:
        raise PlaceUnusable(
            f"no handle of Kubernetes can name {store.place}",
            hint="--all needs the pool that the handles name: -p POOL",
        )


def _say_all(
    settings: Settings,
    known: list[KnownImages],
    sources: Sources,
    backup_file: Path | None,
) -> Tally:
    tally, planned = Tally(), 0
    for one in chain.from_iterable(each.plans() for each in known):
        if isinstance(one, Outcome):
            tally.count(done=False)
            _tell(settings, one, done=False)
        else:
            planned += 1
            _print_plan(settings, one)
    tally.planned = planned + tally.skipped
    _print_end(settings, known, tally, None)
    if planned and not settings.json and "-" not in sources.words():
        journal = ["--journal", known[0].attacher.schema.journal] if len(known) == 1 else []
        backup = ["--backup", str(backup_file)] if backup_file else []
        words = ["attach", "--all", *journal, *sources.words(), *backup, "--apply"]
        print_line(f"to do it  {command_line(settings, words, settings.instance_id)}")
    return tally


def _do_all(
    settings: Settings,
    store: Store,
    inventory: Inventory,
    known: list[KnownImages],
    backup_file: Path | None,
) -> Tally:
    tally = Tally()
    tell = partial(_tell, settings)
    with working(settings, tally, tell, explicit=backup_file is not None) as work:
        backup = BackupFile(backup_path(backup_file), store.place)
        engine = Engine(store, work, backup, tally, inventory.refresh)
        attach_known(known, engine, work)
        if not tally.stopped:
            _print_end(settings, known, tally, work.backup)
    return tally


# What is printed


def _print_plan(settings: Settings, plan: Plan) -> None:
    if settings.json:
        print_json(_as_json(plan) | {"outcome": "planned"})
    else:
        print_lines([plan.subject, *plan_lines(plan), ""])


def _tell(settings: Settings, outcome: Outcome, done: bool) -> None:
    if settings.json:
        became = {
            "outcome": "done" if done else "skipped",
            "steps_done": outcome.steps_done,
            "skipped": outcome.skipped or None,
        }
        print_json(_as_json(outcome.plan) | became)
    else:
        print_lines([outcome.plan.subject, *outcome_lines(outcome, done=done), ""])


def _as_json(plan: Plan) -> dict[str, object]:
    *names, uuid, record_object = plan.names
    owned = owner_of(record_object)
    return {
        "journal": owned.schema.journal if owned else "",
        "uuid": uuid,
        "request_name": names[0] if names else None,
        "steps": [step.told for step in plan.steps],
    }


def _print_end(
    settings: Settings, known: list[KnownImages], tally: Tally, backup: Backup | None
) -> None:
    passed = {
        "in_order": sum(one.passed.in_order for one in known),
        "being_deleted": sum(one.passed.ending for one in known),
        "in_other_namespaces": sum(one.passed.elsewhere for one in known),
        **_passed_over(known),
    }
    if settings.json:
        print_json({"summary": tally_as_json(tally, backup) | passed})
        return
    if tally.done or backup is not None:
        print_line(f"{tally}.")
    else:
        print_line(f"{tally.total - tally.skipped:,} to attach; nothing was changed.")
    if tally.skipped:
        print_line(f"{tally.skipped:,} left alone, with the reasons above.")
    words = [f"{count:,} {what.replace('_', ' ')}" for what, count in passed.items() if count]
    if words:
        print_line(f"passed over: {', '.join(words)}.")
    if backup is not None:
        print_line(f"to undo  {backup.undo}")


def _passed_over(known: list[KnownImages]) -> dict[str, int]:
    """What has no record at all, and that in order."""
    claims = known[0].claims
    if claims is None:
        return {}
    over = claims.lists.passed_over
    return {
        "static": over.static,
        "migrated": over.migrated,
        "of_other_drivers": over.other_drivers,
        "without_a_handle": len(over.pending),
        "unreadable": len(over.unreadable),
    }
