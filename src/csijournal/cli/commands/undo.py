"""csijournal undo."""

from __future__ import annotations

from contextlib import suppress

import click

from csijournal.cli.connect import open_journal
from csijournal.cli.images import AnyImageJournal, is_of_groups, open_images
from csijournal.cli.options import JournalCommand, Settings, one_journal_option
from csijournal.cli.output import print_json, print_line, reservation_as_json
from csijournal.cli.resolve import require_entry_uuid
from csijournal.errors import (
    GroupNotFound,
    InvalidGroupName,
    RecordNotFound,
    ReservationNotFound,
    UnpopulatedGroup,
    UnpopulatedRecord,
    printable,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Reservation
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import number_of, shortened
from csijournal.wire.uuids import is_uuid


@click.command(
    "undo",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd undo groupsnapshot-42",
    ],
)
@click.argument("request_name", metavar="NAME")
@click.option(
    "--group-name",
    "--image-name",
    "group_name",
    metavar="GROUP",
    help="Undo this group (image, snapshot) of the name and no newer one; that nothing is left"
    " of it is fine.",
)
@one_journal_option
@click.pass_obj
def command(settings: Settings, request_name: str, group_name: str | None) -> None:
    """Remove the reservation of a request name, at once.

    Takes the group and its members away without asking, as a driver's call
    would, and prints all that it removed.  The image of a volume or snapshot
    must be gone by then: nobody looks.  Without --group-name the journal is
    asked which group the name has, and a name that has none is exit code 3.  An
    empty --group-name removes a stale entry alone.
    """
    settings.schema.require_request_name(request_name)
    if is_of_groups(settings):
        _undo_group(settings, request_name, group_name)
    else:
        _undo_image(settings, request_name, group_name)


def _undo_image(settings: Settings, request_name: str, image_name: str | None) -> None:
    schema = settings.schema
    with open_images(settings) as journal:
        if image_name is None:
            image_name = _image_name_of(journal, request_name)
        uuid = schema.uuid_of_image_name(image_name) if image_name else ""
        before = _what_stands_of_image(journal, request_name, uuid)
        journal.undo_reservation(image_name, request_name)
        after = _what_stands_of_image(journal, request_name, uuid)
    removed = {what: value for what, value in before.items() if what not in after}
    if settings.json:
        gone = {"journal": schema.journal, "request_name": request_name, "uuid": uuid}
        print_json(gone | {"image_name": image_name, "undone": True, "removed": removed})
        return
    print_line(f"undone: {printable(request_name)}" + (f", {printable(image_name)}" * bool(uuid)))
    for what, value in removed.items():
        entry = f"{printable(request_name)} -> " if what == "entry" else ""
        print_line(f"removed {what:8}  {entry}{printable(value)}")
    if not removed:
        print_line("nothing of it was there.")


def _image_name_of(journal: AnyImageJournal, request_name: str) -> str:
    """A name that holds the UUID of the entry; undo asks for no more than that."""
    entry = journal.look_up(request_name)
    if entry is None:
        raise ReservationNotFound(f"no reservation answers to {shortened(request_name)}")
    return journal.schema.make_image_name("", entry.uuid) if entry.uuid else ""


def _what_stands_of_image(journal: AnyImageJournal, request_name: str, uuid: str) -> dict[str, str]:
    """The record's UUID and the entry's value, each where it is there."""
    standing = {}
    if uuid:
        with suppress(RecordNotFound):
            with suppress(UnpopulatedRecord):
                journal.get_attributes(uuid)
            standing[journal.schema.noun] = uuid
    entry = journal.look_up(request_name)
    return standing if entry is None else standing | {"entry": entry.value}


def _undo_group(settings: Settings, request_name: str, group_name: str | None) -> None:
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
        + (f", {number_of(len(gone.volume_map), 'member')}" if gone.volume_map else "")
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
