"""csijournal list."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from csijournal.check.instances import Instance, entries_of, open_instance
from csijournal.cli.connect import open_place
from csijournal.cli.listed import Row, Table
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import note, print_json, print_line, print_lines, terminal_width
from csijournal.store import Store
from csijournal.store.contract import Unreadable
from csijournal.wire.names import require_request_name
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import number_of, shortened


@click.command(
    "list",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd list -l groupsnapshot-",
        "csijournal -p rbd list -l pvc- --journal volumes",
        "csijournal -p rbd list -o json | jq -r .uuid",
    ],
)
@click.argument("prefix", default="")
@click.option("-l", "--long", is_flag=True, help="Read each record too: state, image, members.")
@journal_option
@click.pass_obj
def command(settings: Settings, prefix: str, long: bool) -> None:
    """List the reservations by request name.

    Those whose request name starts with PREFIX, or all, one journal after the
    other.  The states of -l are ok; corrupt: no UUID in the entry; dangling:
    there is no such record; unpopulated: the record has no request name;
    mismatch: it has another; other-pool: it lies in another pool; mapping: a
    handle that stands for another.
    """
    if prefix:
        require_request_name(prefix, max(schema.name_bytes_max for schema in settings.schemas))
    with open_place(settings) as store:
        instances = _instances(store, settings)
        unreadable: list[Unreadable] = []
        count = 0
        for number, instance in enumerate(instances):
            several = len(instances) > 1
            table = Table(instance.records.schema, long=long, several=several)
            rows = table.rows(store, instance, entries_of(instance, prefix, unreadable))
            count += print_all(settings, table, rows, headed=long or number == 0)
        if not count:
            named = f" that start with {shortened(prefix)}" if prefix else ""
            note(settings, f"{store.place}, {settings.instance_id}: no reservations{named}")
        if unreadable:
            counted = number_of(len(unreadable), "key")
            note(settings, f"{counted} of the directory cannot be read; verify names them")


def _instances(store: Store, settings: Settings) -> list[Instance]:
    """The instance in each chosen journal that it has; where it has none, in that of groups.

    One journal that was chosen is listed whether it is there or not.
    """
    instances = [open_instance(store, settings.instance_id, schema) for schema in settings.schemas]
    there = [
        instance
        for instance in instances
        if any(
            store.read_keys(records.directory, ()) is not None for records in instance.directories
        )
    ]
    return there or [
        instance
        for instance in instances
        if len(instances) == 1 or instance.records.schema is GROUPS
    ]


_MARGIN = 16
"""How much wider than the head of the long table a terminal must be for one line a reservation."""


def print_all(settings: Settings, table: Table, rows: Iterable[Row], *, headed: bool = True) -> int:
    """Print all rows, the head with the first of them; how many there were."""
    head = table.head if headed and not settings.json else ""
    narrow = table.long and sys.stdout.isatty() and terminal_width() < len(table.head) + _MARGIN
    count = 0
    for row in rows:
        if head and not narrow and not count:
            print_line(head)
        count += 1
        if settings.json:
            print_json(row.fields)
        else:
            print_lines(table.lines(row, narrow=narrow))
    if head and not count:
        print_line(head)
    return count
