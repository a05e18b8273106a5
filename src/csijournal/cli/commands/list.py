"""csijournal list."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import tee

import click

from csijournal.check.instances import Instance, entries_of, open_instance
from csijournal.cli.connect import open_place
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import (
    NOTHING,
    note,
    print_json,
    print_line,
    print_lines,
    terminal_width,
)
from csijournal.cli.render import number_of
from csijournal.errors import printable
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify
from csijournal.store import Store
from csijournal.store.contract import Unreadable
from csijournal.wire.records import REQUEST_NAME_KEY, GroupRecord, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import UUID_LENGTH

_OK = "ok"
_CORRUPT = "corrupt"
_STATES = defaultdict(
    lambda: _CORRUPT,
    {
        EntryState.COMPLETE: _OK,
        EntryState.DANGLING: "dangling",
        EntryState.UNPOPULATED: "unpopulated",
        EntryState.NAMELESS: "unpopulated",
        EntryState.OTHER_NAME: "mismatch",
    },
)
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
        instance = open_instance(store, settings.instance_id)
        unreadable: list[Unreadable] = []
        entries = entries_of(instance, prefix, unreadable)
        if long:
            count = _print_all(settings, _LONG, _long_rows(store, instance, entries))
        else:
            count = _print_all(settings, _SHORT, ((entry, {}, None) for entry in entries))
        if not count:
            named = f" that start with {shortened(prefix)}" if prefix else ""
            note(settings, f"{store.place}, {settings.instance_id}: no reservations{named}")
        if unreadable:
            counted = number_of(len(unreadable), "key")
            note(settings, f"{counted} of the directory cannot be read; verify names them")


_SHORT = f"{'GROUP UUID':{UUID_LENGTH}}  REQUEST NAME"
_LONG = (
    f"{'GROUP UUID':{UUID_LENGTH}}  {'STATE':{_STATE_WIDTH}}  {'CREATED':{_TIME_WIDTH}}"
    f"  {'MEMBERS':>{_COUNT_WIDTH}}  REQUEST NAME"
)
_LONG_LINE_WIDTH = 110
"""The narrowest terminal on which the long table is one line a reservation."""

_Row = tuple[Entry, dict[str, object], str | None]
"""An entry, what JSON says beside it, and the columns between its UUID and its name."""


def _print_all(settings: Settings, header: str, rows: Iterable[_Row]) -> int:
    """Print all rows, the header with the first of them; how many there were."""
    narrow = header is _LONG and sys.stdout.isatty() and terminal_width() < _LONG_LINE_WIDTH
    count = 0
    for entry, fields, columns in rows:
        if not settings.json and not narrow and not count:
            print_line(header)
        count += 1
        if settings.json:
            print_json(_entry_as_json(entry) | fields)
        else:
            print_lines(_lines(entry, columns, narrow=narrow))
    if not settings.json and not count:
        print_line(header)
    return count


def _lines(entry: Entry, columns: str | None, *, narrow: bool) -> list[str]:
    """One reservation; where the terminal is narrow, the name on a line of its own."""
    uuid, name = (
        f"{entry.group_uuid or f'({_CORRUPT})':{UUID_LENGTH}}",
        printable(entry.request_name),
    )
    if narrow:
        return [name, f"  {uuid}  {columns}"]
    return [f"{uuid}  {columns}  {name}" if columns else f"{uuid}  {name}"]


def _long_rows(store: Store, instance: Instance, entries: Iterator[Entry]) -> Iterator[_Row]:
    """Each entry with its state and its group; the reads run ahead of what is printed."""
    ahead, behind = tee(entries)
    names = (GROUPS.record_object(entry.group_uuid) for entry in ahead if entry.group_uuid)
    groups = store.read_objects(names, sentinel=REQUEST_NAME_KEY)
    for entry in behind:
        found = next(groups)[1] if entry.group_uuid else None
        record = None if found is None else parse_group(found)
        state = _state(entry, record)
        # One that was undone between the two reads is no news.
        if state == _OK or instance.look_up(entry.request_name) == entry:
            yield entry, _group_as_json(state, record), _columns(state, record)


def _columns(state: str, record: GroupRecord | None) -> str:
    created = _time_column(record.creation_time if record else None)
    members = str(len(record.volume_map)) if record else NOTHING
    return f"{state:{_STATE_WIDTH}}  {created:{_TIME_WIDTH}}  {members:>{_COUNT_WIDTH}}"


def _state(entry: Entry, record: GroupRecord | None) -> str:
    if entry.target is None:
        return _CORRUPT
    return _STATES[classify(entry.request_name, entry.target, record)]


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


def _time_column(created: Timestamp | None) -> str:
    """The time in UTC and whole seconds, so that the column is even."""
    if created is None:
        return NOTHING
    return str(Timestamp(created.nanoseconds // 10**9 * 10**9))
