"""csijournal list."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee

import click

from csijournal.cli.connect import journal_on, open_place
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import NOTHING, note, print_json, print_line
from csijournal.errors import InvalidRequestName, printable
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Entry
from csijournal.store import Store
from csijournal.wire.records import REQUEST_NAME_KEY, GroupRecord, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import UUID_LENGTH

_CORRUPT = "corrupt"
_STATE_WIDTH = 11
_TIME_WIDTH = 20
_COUNT_WIDTH = 7


@click.command(
    "list",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd list -l groupsnapshot-",
        "csijournal -p rbd list -o json | jq -r .group_uuid",
    ],
)
@click.argument("prefix", default="")
@click.option("-l", "--long", is_flag=True, help="Read each group too: state, time, members.")
@click.pass_obj
def command(settings: Settings, prefix: str, long: bool) -> None:
    """List the reservations by request name.

    Those whose request name starts with PREFIX, or all.  The states of -l are
    ok; corrupt: no UUID in the entry; dangling: there is no such group;
    unpopulated: the group has no request name; mismatch: it has another.
    """
    if prefix:
        GROUPS.require_request_name(prefix)
    with open_place(settings) as store:
        journal = journal_on(store, settings)
        entries = journal.list_reservations(prefix)
        if long:
            count = _print_long(settings, _with_groups(store, journal, entries))
        else:
            count = _print_short(settings, entries)
        if not count:
            named = f" that start with {shortened(prefix)}" if prefix else ""
            note(settings, f"{store.place}, {settings.instance_id}: no reservations{named}")


def _print_short(settings: Settings, entries: Iterator[Entry]) -> int:
    if not settings.json:
        print_line(f"{'GROUP UUID':{UUID_LENGTH}}  REQUEST NAME")
    count = 0
    for count, entry in enumerate(entries, 1):  # noqa: B007 - the count outlives the loop
        if settings.json:
            print_json(_entry_as_json(entry))
        else:
            print_line(f"{_uuid_column(entry)}  {printable(entry.request_name)}")
    return count


def _print_long(settings: Settings, groups: Iterator[tuple[Entry, str, GroupRecord | None]]) -> int:
    if not settings.json:
        print_line(_long_line("GROUP UUID", "STATE", "CREATED", "MEMBERS", "REQUEST NAME"))
    count = 0
    for count, (entry, state, record) in enumerate(groups, 1):  # noqa: B007 - as above
        if settings.json:
            print_json(_entry_as_json(entry) | _group_as_json(state, record))
        else:
            print_line(
                _long_line(
                    _uuid_column(entry),
                    state,
                    _time_column(record.creation_time if record else None),
                    str(len(record.volume_map)) if record else NOTHING,
                    printable(entry.request_name),
                )
            )
    return count


def _with_groups(
    store: Store, journal: VolumeGroupJournal, entries: Iterator[Entry]
) -> Iterator[tuple[Entry, str, GroupRecord | None]]:
    """Each entry with its state and its group; the reads run ahead of what is printed."""
    ahead, behind = tee(entries)
    names = (GROUPS.record_object(entry.group_uuid) for entry in ahead if entry.group_uuid)
    groups = store.read_objects(names, sentinel=REQUEST_NAME_KEY)
    for entry in behind:
        found = next(groups)[1] if entry.group_uuid else None
        record = None if found is None else parse_group(found)
        state = _state(entry, record)
        if state == "ok" or _still_there(journal, entry):
            yield entry, state, record


def _still_there(journal: VolumeGroupJournal, entry: Entry) -> bool:
    """Whether the entry was not undone between the two reads, which is no news."""
    try:
        return journal.look_up(entry.request_name) == entry
    except InvalidRequestName:  # Ceph-CSI takes names that we do not
        return True


def _state(entry: Entry, record: GroupRecord | None) -> str:
    if entry.group_uuid is None:
        return _CORRUPT
    if record is None:
        return "dangling"
    if not record.populated:
        return "unpopulated"
    return "ok" if record.request_name == entry.request_name else "mismatch"


def _entry_as_json(entry: Entry) -> dict[str, object]:
    value = {} if entry.group_uuid else {"value": entry.value}
    return {"request_name": entry.request_name, "group_uuid": entry.group_uuid, **value}


def _group_as_json(state: str, record: GroupRecord | None) -> dict[str, object]:
    created = record.creation_time if record else None
    return {
        "state": state,
        "group_name": record.group_name if record else None,
        "creation_time": None if created is None else str(created),
        "members": len(record.volume_map) if record else None,
    }


def _uuid_column(entry: Entry) -> str:
    return f"{entry.group_uuid or f'({_CORRUPT})':{UUID_LENGTH}}"


def _time_column(created: Timestamp | None) -> str:
    """The time in UTC and whole seconds, so that the column is even."""
    if created is None:
        return NOTHING
    return str(Timestamp(created.nanoseconds // 10**9 * 10**9))


def _long_line(group_uuid: str, state: str, created: str, members: str, name: str) -> str:
    return (
        f"{group_uuid:{UUID_LENGTH}}  {state:{_STATE_WIDTH}}  {created:{_TIME_WIDTH}}"
        f"  {members:>{_COUNT_WIDTH}}  {name}"
    )
