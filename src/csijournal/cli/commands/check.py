"""csijournal check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from csijournal.check.instances import open_instance
from csijournal.cli.connect import journal_on, open_place
from csijournal.cli.images import (
    AnyImageJournal,
    compared_options,
    is_of_groups,
    open_images,
    print_image,
    said_of,
)
from csijournal.cli.options import JournalCommand, Settings, one_journal_option
from csijournal.cli.output import print_json, print_line, print_reservation
from csijournal.cli.shell import command_line
from csijournal.errors import (
    RecordNotFound,
    ReservationNotFound,
    UnpopulatedRecord,
    printable,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Reservation
from csijournal.store import Store
from csijournal.wire.text import shortened


@click.command(
    "check",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd check groupsnapshot-42",
        "csijournal -p rbd check pvc-2b0ed4e7-6f1c-4f6e-9d0a-3c1b0b3d8a51 --journal volumes",
        "csijournal -p rbd check groupsnapshot-42 --cleanup",
    ],
)
@click.argument("request_name", metavar="NAME")
@click.option("--prefix", default="", help="Name prefix of what has lost its name.")
@click.option("--cleanup", is_flag=True, help="Remove a stale entry, as a driver's call would.")
@one_journal_option
@compared_options
@click.pass_obj
def command(
    settings: Settings, /, request_name: str, prefix: str, cleanup: bool, **options: str | None
) -> None:
    """Print what a driver would find under a request name.

    Changes nothing.  Where there is no reservation the exit code is 3.  An
    entry that is left of one, and the empty record behind it, go with --cleanup,
    which prints what it removed.  Where an image or subvolume stands behind
    those of a volume or snapshot, or nobody can tell, they stay (exit code 6).
    What is given of source and encryption is compared.  `csijournal show` tells
    more.
    """
    settings.schema.require_request_name(request_name)
    said: dict[str, Any] = said_of(settings.schema, options)
    if is_of_groups(settings):
        _check_group(settings, request_name, prefix, cleanup=cleanup)
        return
    with open_images(settings) as journal:
        found = journal.check_reservation(request_name, prefix, cleanup=False, **said)
        if found is not None:
            print_image(settings, found)
            return
        stale = _stale(settings, journal, journal.get_attributes, request_name)
        if stale and cleanup and journal.check_reservation(request_name, prefix, **said) is None:
            _print_removed(settings, stale)
            stale = {}
    raise _not_found(settings, request_name, stale)


def _check_group(settings: Settings, request_name: str, prefix: str, *, cleanup: bool) -> None:
    with open_place(settings) as store, journal_on(store, settings) as journal:
        reservation = journal.check_reservation(request_name, prefix, cleanup=False)
        if reservation is None:
            reservation = _in_shard(store, journal, settings.instance_id, request_name)
        if reservation is not None:
            print_reservation(settings, reservation)
            return
        read = journal.get_volume_group_attributes
        stale = _stale(settings, journal, read, request_name)
        if stale and cleanup and journal.check_reservation(request_name, prefix) is None:
            _print_removed(settings, stale)
            stale = {}
    raise _not_found(settings, request_name, stale)


def _in_shard(
    store: Store, journal: VolumeGroupJournal, instance_id: str, request_name: str
) -> Reservation | None:
    """The reservation of the name in a shard of the directory, which a newer driver makes."""
    for records in open_instance(store, instance_id).shards:
        group_uuid = records.read_entry(request_name)
        if group_uuid is not None:
            return journal.get_volume_group_attributes(group_uuid)
    return None


def _stale(
    settings: Settings,
    journal: AnyImageJournal | VolumeGroupJournal,
    read: Callable[[str], object],
    request_name: str,
) -> dict[str, str]:
    """What check with --cleanup removes: the entry, and the record that it points at if any."""
    entry = journal.look_up(request_name)
    if entry is None or entry.uuid is None:
        return {}
    stale = {"entry": request_name, "value": entry.uuid}
    try:
        read(entry.uuid)
    except UnpopulatedRecord:
        return {**stale, settings.schema.noun: entry.uuid}
    except RecordNotFound:
        return stale
    return {}  # somebody has just made it whole


def _print_removed(settings: Settings, stale: dict[str, str]) -> None:
    if settings.json:
        print_json({"removed": stale})
        return
    noun = settings.schema.noun
    if noun in stale:
        content = "no members" if is_of_groups(settings) else "nothing else"
        print_line(f"removed {noun}  {stale[noun]}  (no request name, {content})")
    print_line(f"removed entry  {printable(stale['entry'])} -> {stale['value']}")


def _not_found(settings: Settings, request_name: str, stale: dict[str, str]) -> ReservationNotFound:
    message = f"there is no reservation of {shortened(request_name)}"
    if not stale:
        return ReservationNotFound(message)
    schema = settings.schema
    what, content = (
        ("group object", "members") if is_of_groups(settings) else ("record", "attributes")
    )
    behind = f"has no request name and no {content}" if schema.noun in stale else "is gone"
    words = ["check", *([] if is_of_groups(settings) else ["--journal", schema.journal])]
    words += ["--cleanup", *(["--"] if request_name.startswith("-") else []), request_name]
    return ReservationNotFound(
        f"{message}, but an entry that points at {stale['value']}, whose {what} {behind}",
        hint="Nothing was changed. To remove the entry:"
        f" {command_line(settings, words, settings.instance_id)}",
    )
