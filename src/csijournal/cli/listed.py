"""The rows of list: one reservation each, in the columns of its journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import tee
from typing import Any

from csijournal.check.instances import Instance
from csijournal.cli.output import NOTHING
from csijournal.errors import printable
from csijournal.journal.model import Entry
from csijournal.journal.state import EntryState, classify
from csijournal.store import Store
from csijournal.wire.entries import MappedHandle
from csijournal.wire.records import AnyRecord, GroupRecord, ImageRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, JournalSchema
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
        EntryState.ELSEWHERE: "other-pool",
        EntryState.MAPPING: "mapping",
    },
)

_Column = tuple[str, int, Callable[[Any], str]]
"""The head, the width (negative: to the right), and the text of a record."""

_OF_GROUPS: tuple[_Column, ...] = (
    ("CREATED", 20, lambda record: _time(record.creation_time)),
    ("MEMBERS", -7, lambda record: str(len(record.volume_map))),
)
_OF_IMAGES: tuple[_Column, ...] = (
    ("IMAGE", 45, lambda record: record.image_name or NOTHING),
    ("IMAGE ID", 14, lambda record: record.image_id or NOTHING),
    ("OWNER", 16, lambda record: record.owner or NOTHING),
)
_OF_SNAPSHOTS: tuple[_Column, ...] = (
    *_OF_IMAGES,
    ("SOURCE", 44, lambda record: record.source_name or NOTHING),
)
_STATE_WIDTH = 11
_JOURNAL_WIDTH = 9


@dataclass(frozen=True)
class Row:
    """An entry, what JSON says of its record, and the columns between its UUID and its name."""

    entry: Entry
    fields: dict[str, object]
    columns: str = ""


@dataclass(frozen=True)
class Table:
    """How one journal is listed; `several` where the journal is a column, `long` with records."""

    schema: JournalSchema[Any]
    long: bool
    several: bool

    @property
    def head(self) -> str:
        """The line above the rows."""
        uuid = "UUID" if self.several else f"{self.schema.noun.upper()} UUID"
        columns = [f"{uuid:{UUID_LENGTH}}", *self._journal("JOURNAL")]
        if self.long:
            columns.append(f"{'STATE':{_STATE_WIDTH}}")
            columns += (_padded(head, width) for head, width, _ in self._columns)
        return "  ".join([*columns, "REQUEST NAME"])

    def lines(self, row: Row, *, narrow: bool) -> list[str]:
        """One reservation; where the terminal is narrow, the name on a line of its own."""
        uuid, name = _uuid_column(row.entry), printable(row.entry.request_name)
        columns = [uuid, *self._journal(self.schema.journal), *filter(None, [row.columns])]
        if narrow:
            return [name, "  " + "  ".join(columns)]
        return ["  ".join([*columns, name])]

    def rows(self, store: Store, instance: Instance, entries: Iterator[Entry]) -> Iterator[Row]:
        """Each entry, for a long list with its record; the reads run ahead of what is printed."""
        if not self.long:
            yield from (Row(entry, self._entry_as_json(entry)) for entry in entries)
            return
        schema = self.schema
        ahead, behind = tee(entries)
        names = (schema.record_object(entry.uuid) for entry in ahead if entry.uuid)
        found = store.read_objects(names, sentinel=schema.name_key)
        for entry in behind:
            keys = next(found)[1] if entry.uuid else None
            record = None if keys is None else schema.parse(keys)
            state = _state(entry, record)
            # One that was undone between the two reads is no news.
            if state == _OK or instance.look_up(entry.request_name) == entry:
                yield self._long_row(entry, state, record)

    def _long_row(self, entry: Entry, state: str, record: AnyRecord | None) -> Row:
        texts = (
            _padded(NOTHING if record is None else printable(text(record)), width)
            for _, width, text in self._columns
        )
        said = {"state": state, **_record_as_json(self.schema, record)}
        columns = "  ".join([f"{state:{_STATE_WIDTH}}", *texts])
        return Row(entry, self._entry_as_json(entry) | said, columns)

    @property
    def _columns(self) -> tuple[_Column, ...]:
        if self.schema is GROUPS:
            return _OF_GROUPS
        return _OF_SNAPSHOTS if self.schema is SNAPSHOTS else _OF_IMAGES

    def _journal(self, text: str) -> list[str]:
        return [f"{text:{_JOURNAL_WIDTH}}"] if self.several else []

    def _entry_as_json(self, entry: Entry) -> dict[str, object]:
        of_group = {"group_uuid": entry.uuid} if self.schema is GROUPS else {}
        value = {} if entry.uuid else {"value": entry.value}
        journal = {"journal": self.schema.journal, "uuid": entry.uuid}
        return {"request_name": entry.request_name, **of_group, **value, **journal}


def _record_as_json(schema: JournalSchema[Any], record: AnyRecord | None) -> dict[str, object]:
    if schema is not GROUPS:
        said = record if isinstance(record, ImageRecord) else ImageRecord()
        names = ("image_name", "image_id", "owner", "source_name")
        return {name: getattr(said, name) for name in names}
    group = record if isinstance(record, GroupRecord) else None
    created = group.creation_time if group else None
    return {
        "group_name": group.group_name if group else None,
        "creation_time": None if created is None else str(created),
        "members": len(group.volume_map) if group else None,
    }


def _state(entry: Entry, record: AnyRecord | None) -> str:
    if entry.target is None:
        return _CORRUPT
    return _STATES[classify(entry.request_name, entry.target, record)]


def _uuid_column(entry: Entry) -> str:
    uuid = entry.uuid or getattr(entry.target, "uuid", "")
    other = "(mapping)" if isinstance(entry.target, MappedHandle) else f"({_CORRUPT})"
    return f"{uuid or other:{UUID_LENGTH}}"


def _padded(text: str, width: int) -> str:
    return f"{text:>{-width}}" if width < 0 else f"{text:{width}}"


def _time(created: Timestamp | None) -> str:
    """The time in UTC and whole seconds, so that the column is even."""
    if created is None:
        return NOTHING
    return str(Timestamp(created.nanoseconds // 10**9 * 10**9))
