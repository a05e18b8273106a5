"""Volumes and snapshots on the command line: their options, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from typing import Any, TypeVar, Union

import click

from csijournal.cli.behind import ImagesBehind
from csijournal.cli.connect import open_place
from csijournal.cli.options import Settings
from csijournal.cli.output import print_columns, print_json
from csijournal.cli.resolve import IMAGE_NAMES
from csijournal.errors import StaleEntry
from csijournal.journal.model import ImageReservation
from csijournal.journal.snapshots import SnapshotJournal
from csijournal.journal.volumes import VolumeJournal
from csijournal.store import Store
from csijournal.wire.names import ENCRYPTION_TYPES
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, JournalSchema

AnyImageJournal = Union[VolumeJournal, SnapshotJournal]
_JOURNALS: dict[str, type[VolumeJournal | SnapshotJournal]] = {
    VOLUMES.journal: VolumeJournal,
    SNAPSHOTS.journal: SnapshotJournal,
}

_Command = TypeVar("_Command", bound=Callable[..., object])

_OF_JOURNALS = {
    "uuid": {"volumes", "snapshots", "groups"},
    "nfs_cluster": {"volumes"},
    "owner": {"volumes", "snapshots"},
    "kms_id": {"volumes", "snapshots"},
    "encryption_type": {"volumes", "snapshots"},
    "backing_snapshot_id": {"volumes"},
    "source_name": {"snapshots"},
}
"""What can be said of a reservation, and in which journals."""

_COMPARED = (
    click.option("--source", "source_name", help="Image or subvolume that a snapshot is of."),
    click.option("--kms-id", help="KMS of an encrypted volume or snapshot."),
    click.option(
        "--encryption-type", type=click.Choice(ENCRYPTION_TYPES), help="How it is encrypted."
    ),
)
_CHOSEN = (
    click.option("--uuid", help="UUID of the caller's choice, which was never used before."),
)
_GIVEN = (
    click.option("--owner", help="Kubernetes namespace of the claim."),
    click.option("--backing-snapshot-id", help="Handle of the snapshot that a volume reads."),
)


def compared_options(function: _Command) -> _Command:
    """The options that check compares with a volume's or snapshot's record."""
    return _with_options(function, _COMPARED)


def reserving_options(function: _Command) -> _Command:
    """The options of a new reservation."""
    return _with_options(function, (*_COMPARED, *_CHOSEN, *_GIVEN))


def attaching_options(function: _Command) -> _Command:
    """The options that say what a lost record said."""
    nfs = click.option("--nfs-cluster", help="NFS cluster that exports a volume.")
    return _with_options(function, (*_COMPARED, *_GIVEN, nfs))


def said_of(
    schema: JournalSchema[Any], options: dict[str, str | None], *, is_new: bool = True
) -> dict[str, str]:
    """Those of `options` that were given, as arguments of the journal's calls.

    Raises UsageError for one that this journal has no place for, and where it
    `is_new` for a snapshot without a source.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if schema.journal not in _OF_JOURNALS[name]:
            option = "source" if name == "source_name" else name.replace("_", "-")
            known = " or ".join(sorted(_OF_JOURNALS[name]))
            raise click.UsageError(
                f"--{option} is not for the journal of {schema.journal}: give --journal {known}."
            )
    if is_new and schema is SNAPSHOTS and "owner" in options and "source_name" not in given:
        raise click.UsageError("A snapshot has a source: give --source, its image or subvolume.")
    return given


@contextmanager
def open_images(settings: Settings, *, create: bool = False) -> Iterator[AnyImageJournal]:
    """The journal of volumes or of snapshots that the options name, until the block ends.

    What it would remove as stale stays where the store's inventory finds an
    image behind it, or cannot tell; StaleEntry then says what or why.
    """
    with open_place(settings, create=create) as store:
        behind = ImagesBehind(store, settings.schema)
        with closing(behind), _journal_on(store, settings, behind) as journal:
            try:
                yield journal
            except StaleEntry as error:
                behind.explain(error)
                raise


def _journal_on(store: Store, settings: Settings, behind: ImagesBehind) -> AnyImageJournal:
    made: AnyImageJournal = _JOURNALS[settings.schema.journal](
        store, instance_id=settings.instance_id, lease_size=1, stands_behind=behind
    )
    return made


def is_of_groups(settings: Settings) -> bool:
    """Whether the command works on groups, as it does unless told."""
    return settings.schema is GROUPS


def print_image(
    settings: Settings, reservation: ImageReservation, *, created: bool | None = None
) -> None:
    """Write what a record says; `created` says whether this command made it."""
    if settings.json:
        extra = {} if created is None else {"created": created}
        print_json(image_as_json(settings, reservation) | extra)
        return
    pool_id = reservation.journal_pool_id
    rows = {
        "request name": reservation.request_name,
        f"{settings.schema.noun} UUID": reservation.uuid,
        IMAGE_NAMES[settings.schema.journal]: reservation.image_name,
        "image id": reservation.image_id,
        "owner": reservation.owner,
        "source": reservation.source_name,
        "KMS": reservation.kms_id,
        "encryption": reservation.encryption_type,
        "backed by": reservation.backing_snapshot_id,
        "group": reservation.group_id,
        "journal pool": "" if pool_id is None else f"id {pool_id}",
        **{f"csi.{name}": value for name, value in sorted(reservation.attributes.items())},
    }
    if created is not None:
        rows["created"] = "yes" if created else "no, it was there"
    print_columns((label, text) for label, text in rows.items() if text)


def image_as_json(settings: Settings, reservation: ImageReservation) -> dict[str, object]:
    """A reservation under the names that its fields have in the library, and its journal."""
    said = {field.name: getattr(reservation, field.name) for field in fields(reservation)}
    attributes = dict(sorted(reservation.attributes.items()))
    return {"journal": settings.schema.journal} | said | {"attributes": attributes}


def _with_options(
    function: _Command, options: tuple[Callable[[_Command], _Command], ...]
) -> _Command:
    for option in reversed(options):
        function = option(function)
    return function
