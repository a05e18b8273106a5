"""csijournal undo."""

from __future__ import annotations

from contextlib import suppress

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.options import JournalCommand, Settings, request_name_argument
from csijournal.cli.output import counted, print_json, print_line, reservation_as_json
from csijournal.cli.resolve import require_entry_uuid
from csijournal.errors import (
    GroupNotFound,
    InvalidGroupName,
    ReservationNotFound,
    UnpopulatedGroup,
    printable,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Reservation
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened
from csijournal.wire.uuids import is_uuid


@click.command(
    "undo",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd undo groupsnapshot-42",
    ],
)
@request_name_argument
@click.option(
    "--group-name",
    metavar="GROUP",
    help="Undo this group of the name and no newer one; that nothing is left of it is fine.",
)
@click.pass_obj
def command(settings: Settings, request_name: str, group_name: str | None) -> None:
    """Remove the reservation of a request name, at once.

    Takes the group and its members away without asking, as a driver's call
    would, and prints all that it removed.  Without --group-name the journal is
    asked which group the name has, and a name that has none is exit code 3.  An
    empty --group-name removes a stale entry alone.
    """
    with open_journal(settings) as journal:
        if group_name is None:
            group_name = _group_name_of(journal, request_name)
        gone = _as_it_was(journal, group_name, request_name)
        before = _what_stands(journal, request_name, gone.group_uuid)
        journal.undo_reservation(group_name, request_name)
        after = _what_stands(journal, request_name, gone.group_uuid)
    removed = {what: value for what, value in before.items() if what not in after}
    if settings.json:
        print_json(reservation_as_json(gone) | {"undone": True, "removed": removed})
        return
    _print_undone(request_name, gone, removed)


def _print_undone(request_name: str, gone: Reservation, removed: dict[str, str]) -> None:
    print_line(
        f"undone: {printable(request_name)}"
        + (f", {printable(gone.group_name)}" if gone.group_name else "")
        + (f", {counted(len(gone.volume_map))}" if gone.volume_map else "")
    )
    if "group" in removed:
        for member, value in sorted(gone.volume_map.items()):
            print_line(f"removed member  {printable(member)} = {printable(value)}")
        print_line(f"removed group   {removed['group']}")
    if "entry" in removed:
        print_line(f"removed entry   {printable(request_name)} -> {printable(removed['entry'])}")
    if not removed:
        print_line("nothing of it was there.")


def _what_stands(journal: VolumeGroupJournal, request_name: str, group_uuid: str) -> dict[str, str]:
    """The entry's value and the group's UUID, each where it is there."""
    entry = journal.look_up(request_name)
    standing = {} if entry is None else {"entry": entry.value}
    if is_uuid(group_uuid):
        with suppress(GroupNotFound):
            with suppress(UnpopulatedGroup):
                journal.get_volume_group_attributes(group_uuid)
            standing["group"] = group_uuid
    return standing


def _group_name_of(journal: VolumeGroupJournal, request_name: str) -> str:
    """A group name that holds the UUID of the entry; undo asks for no more than that."""
    entry = journal.look_up(request_name)
    if entry is None:
        raise ReservationNotFound(f"no reservation answers to {shortened(request_name)}")
    return GROUPS.make_image_name("", require_entry_uuid(entry))


def _as_it_was(journal: VolumeGroupJournal, group_name: str, request_name: str) -> Reservation:
    """The reservation for the record, as far as it is there."""
    group_uuid = ""
    try:
        group_uuid = GROUPS.uuid_of_image_name(group_name)
        return journal.get_volume_group_attributes(group_uuid)
    except (InvalidGroupName, GroupNotFound, UnpopulatedGroup):
        return Reservation(request_name, group_uuid, group_name, None)
