"""csijournal check."""

from __future__ import annotations

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.images import (
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
    GroupNotFound,
    ReservationNotFound,
    UnpopulatedGroup,
    printable,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.wire.text import shortened


@click.command(
    "check",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd check groupsnapshot-42",
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
    entry that is left of one, and the empty group behind it, go with --cleanup,
    which prints what it removed.  Behind those of a volume or snapshot an image
    may stand: they are told of (exit code 6) and stay.  What is given of
    source and encryption is compared.  `csijournal show` tells more.
    """
    settings.schema.require_request_name(request_name)
    said = said_of(settings.schema, options)
    if is_of_groups(settings):
        _check_group(settings, request_name, prefix, cleanup=cleanup)
        return
    with open_images(settings) as images:
        found = images.check_reservation(request_name, prefix, cleanup=cleanup, **said)
    if found is None:
        raise _not_found(settings, request_name, {})
    print_image(settings, found)


def _check_group(settings: Settings, request_name: str, prefix: str, *, cleanup: bool) -> None:
    with open_journal(settings) as journal:
        reservation = journal.check_reservation(request_name, prefix, cleanup=False)
        if reservation is not None:
            print_reservation(settings, reservation)
            return
        stale = _stale(journal, request_name)
        if stale and cleanup and journal.check_reservation(request_name, prefix) is None:
            _print_removed(settings, stale)
            stale = {}
    raise _not_found(settings, request_name, stale)


def _stale(journal: VolumeGroupJournal, request_name: str) -> dict[str, str]:
    """What check with --cleanup removes: the entry, and the object that it points at if any."""
    entry = journal.look_up(request_name)
    if entry is None or entry.group_uuid is None:
        return {}
    stale = {"entry": request_name, "value": entry.group_uuid}
    try:
        journal.get_volume_group_attributes(entry.group_uuid)
    except UnpopulatedGroup:
        return stale | {"group": entry.group_uuid}
    except GroupNotFound:
        return stale
    return {}  # somebody has just made it whole


def _print_removed(settings: Settings, stale: dict[str, str]) -> None:
    if settings.json:
        print_json({"removed": stale})
        return
    if "group" in stale:
        print_line(f"removed group  {stale['group']}  (no request name, no members)")
    print_line(f"removed entry  {printable(stale['entry'])} -> {stale['value']}")


def _not_found(settings: Settings, request_name: str, stale: dict[str, str]) -> ReservationNotFound:
    message = f"there is no reservation of {shortened(request_name)}"
    if not stale:
        return ReservationNotFound(message)
    behind = "has no request name and no members" if "group" in stale else "is gone"
    words = ["check", "--cleanup", *(["--"] if request_name.startswith("-") else []), request_name]
    return ReservationNotFound(
        f"{message}, but an entry that points at {stale['value']}, whose group object {behind}",
        hint="Nothing was changed. To remove the entry:"
        f" {command_line(settings, words, settings.instance_id)}",
    )
