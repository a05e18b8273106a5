"""One instance's directory with its shards, for reading."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from csijournal.check.reading import read_pages
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store, Unreadable
from csijournal.wire.schema import GROUPS, AnySchema

_SHARDS_PROBED = 11
"""How many shards the proposed driver has: 0 to 10 (ceph-csi pull request 6353)."""


class Instance:
    """The directory of `instance_id`, and the shards of it whose numbers are given.

    One whose directory was `found` in the location counts whatever its id.
    """

    def __init__(
        self,
        store: Store,
        instance_id: str,
        shards: Iterable[str] = (),
        *,
        found: bool,
        schema: AnySchema = GROUPS,
    ) -> None:
        self.instance_id = instance_id
        self.records: AnyRecords = Records(store, schema, instance_id, validate=not found)
        self.shards = [
            Records(store, schema, f"{instance_id}.{shard}", validate=False) for shard in shards
        ]

    @property
    def schema(self) -> AnySchema:
        """The journal."""
        return self.records.schema

    @property
    def directories(self) -> Sequence[AnyRecords]:
        """The directory itself, and its shards."""
        return [self.records, *self.shards]

    def look_up(self, request_name: str) -> Entry | None:
        """The entry of the name in whichever directory has one."""
        found = (records.look_up(request_name) for records in self.directories)
        return next((entry for entry in found if entry is not None), None)

    def entry_matches(self, request_name: str, uuid: str) -> bool:
        """Whether an entry of the name holds this UUID."""
        return any(records.entry_matches(request_name, uuid) for records in self.directories)

    def is_consistent(self, request_name: str) -> bool:
        """Whether an entry of the name points at a record that says it is this name's."""
        return any(records.is_consistent(request_name) for records in self.directories)


def open_instance(store: Store, instance_id: str, schema: AnySchema = GROUPS) -> Instance:
    """The instance in one journal, with those of its shards that exist; lists no objects."""
    shards = probe_shards(store, instance_id, schema)
    return Instance(store, instance_id, shards, found=False, schema=schema)


def entries_of(instance: Instance, prefix: str, unreadable: list[Unreadable]) -> Iterator[Entry]:
    """All entries whose request names start with `prefix`, by request name, of all shards.

    What cannot be read is added to `unreadable` on the way.
    """
    streams = [_entries_in(records, prefix, unreadable) for records in instance.directories]
    return heapq.merge(*streams, key=attrgetter("request_name"))


def _entries_in(records: AnyRecords, prefix: str, unreadable: list[Unreadable]) -> Iterator[Entry]:
    key_prefix = records.schema.entry_prefix + prefix
    for page, unread in read_pages(records.store, records.directory, prefix=key_prefix):
        unreadable += unread
        yield from (entry for item in page.items() if (entry := records.as_entry(*item)))


def directory_id(records: AnyRecords) -> str:
    """By which id commands reach this directory; a shard's number belongs to it."""
    return records.schema.instance_of(records.directory) or ""


def shards_of(instance_id: str, instance_ids: Iterable[str]) -> list[str]:
    """Which of `instance_ids` are shards of this one: `<id>.<number>`, the numbers."""
    parts = (other.rpartition(".") for other in instance_ids)
    return sorted(
        (number for base, _, number in parts if base == instance_id and _is_number(number)),
        key=int,
    )


def without_shards(instance_ids: Iterable[str]) -> Iterator[str]:
    """Those of `instance_ids` that are not a shard of another one of them."""
    known = set(instance_ids)
    for instance_id in known:
        base, _, number = instance_id.rpartition(".")
        if not (base in known and _is_number(number)):
            yield instance_id


def probe_shards(store: Store, instance_id: str, schema: AnySchema) -> list[str]:
    """The shards that exist, where the objects are not listed: by asking for each."""
    numbers = map(str, range(_SHARDS_PROBED))
    names = (f"{schema.directory_prefix}{instance_id}.{number}" for number in numbers)
    return [
        str(number) for number, name in enumerate(names) if store.read_keys(name, ()) is not None
    ]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
