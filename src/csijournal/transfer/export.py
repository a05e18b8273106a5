"""Reading the journals out of one location, for a file.

Each record is read as it is at one moment; records that come, go or change while
it runs are in the file as they were when they were read.  Only what a journal
owns is exported, and never a lease: it is true at its moment only, and one that
ended must not come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from csijournal.archive import Record
from csijournal.check.instances import open_instance
from csijournal.journal.model import Entry
from csijournal.journal.steps import Records
from csijournal.store.contract import Store, Unreadable, unreadable_in
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of, role_of
from csijournal.wire.schema import GROUPS, SCHEMAS, JournalSchema
from csijournal.wire.text import shortened
from csijournal.wire.uuids import is_uuid

_NAMED_MAX = 20
"""How many of the things that were left out are told by name."""


@dataclass
class LeftOut:
    """What an export left out, filled while it runs; `named` are the first things, in words.

    `foreign` and `unreadable` count keys, `foreign_objects` objects that are
    called as if they were a journal's, and `elsewhere` records in other pools.
    """

    leases: int = 0
    foreign: int = 0
    unreadable: int = 0
    foreign_objects: int = 0
    elsewhere: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many things were left out, but for leases."""
        return self.foreign + self.unreadable + self.foreign_objects + self.elsewhere

    def add_foreign(self, object_name: str, key: str) -> None:
        """Note a key that no journal writes there."""
        self.foreign += 1
        self._name(f"the key {shortened(key)} of {object_name}")

    def add_foreign_object(self, object_name: str) -> None:
        """Note an object whose name starts as a journal's and does not go on so."""
        self.foreign_objects += 1
        self._name(f"the object {shortened(object_name)}, which is not a journal's")

    def add_unreadable(self, found: Unreadable) -> None:
        """Note a key that the store cannot hand out as it is."""
        self.unreadable += 1
        self._name(f"{found} ({found.object_name})")

    def add_elsewhere(self, entry: Entry, noun: str, target: RecordInPool) -> None:
        """Note a record of an entry that leads to another pool, which is not looked into."""
        self.elsewhere += 1
        name = shortened(entry.request_name)
        self._name(
            f"what the pool with the id {target.pool_id} holds of the {noun} {target.uuid}"
            f" of {name}: export that pool too, with --all"
        )

    def _name(self, text: str) -> None:
        if len(self.named) < _NAMED_MAX:
            self.named.append(text)


class Exporter:
    """Reads journals of one location; `left_out` says what it did not take along.

    `schemas` are those that are exported: all three unless told.
    """

    def __init__(self, store: Store, schemas: Sequence[JournalSchema[Any]] = SCHEMAS) -> None:
        self._store = store
        self._schemas = schemas
        self.left_out = LeftOut()

    def instance(self, instance_id: str) -> Iterator[Record]:
        """One instance's directories and every record that they point at, by request name.

        Nothing is yielded where there is no directory.  Raises InvalidInstanceID
        and StoreError.
        """
        for schema in self._schemas:
            for records in open_instance(self._store, instance_id, schema).directories:
                if self._store.read_keys(records.directory, ()) is not None:
                    yield from self._directory_and_records(records)

    def only(self, instance_id: str, name: str) -> Iterator[Record]:
        """What is about a request name, a UUID or the name of a record's object, by keyed reads.

        That is the entry, and the record that it points at; for a record the
        entry that points at it.  Raises InvalidInstanceID and StoreError.
        """
        for schema in self._schemas:
            uuid = name if is_uuid(name) else schema.uuid_of_record(name)
            directories = open_instance(self._store, instance_id, schema).directories
            uuids = [] if uuid is None else [uuid]
            for records in directories:
                entries = list(_entries_about(records, name, uuid))
                keys = [schema.entry_key(entry.request_name) for entry in entries]
                found = self._store.read_keys(records.directory, keys) if keys else None
                if found:
                    yield Record(records.directory, self._kept(records.directory, found))
                uuids += self._led_to(records, found or {})
            yield from self._records(schema, dict.fromkeys(uuids))

    def everything(self) -> Iterator[Record]:
        """Every instance's directory and every record of the location, by name.

        Lists the objects of the location and keeps their names in memory.
        """
        directories: list[str] = []
        records: dict[str, list[str]] = {schema.journal: [] for schema in self._schemas}
        for name in self._store.object_names("csi."):
            owned = owner_of(name)
            if owned is None:
                self.left_out.add_foreign_object(name)
            elif owned.schema in self._schemas:
                is_directory = owned.role is ObjectRole.DIRECTORY
                (directories if is_directory else records[owned.schema.journal]).append(name)
        for name in sorted(directories):
            yield Record(name, {})
            for page in self._pages(name):
                yield Record(name, page)
        for schema in self._schemas:
            yield from self._objects(schema, sorted(records[schema.journal]))

    def _directory_and_records(self, records: Records[Any]) -> Iterator[Record]:
        yield Record(records.directory, {})
        for page in self._pages(records.directory):
            yield Record(records.directory, page)
            yield from self._records(records.schema, self._led_to(records, page))

    def _pages(self, directory: str) -> Iterator[dict[str, bytes]]:
        """What of a directory goes into the file, page by page."""
        after: str | None = ""
        while after is not None:
            page = self._store.read_page(directory, after=after)
            # An empty page may still tell of keys that cannot be read.
            kept = {} if page is None else self._kept(directory, page)
            if kept:
                yield kept
            after = max(page) if page else None

    def _led_to(self, records: Records[Any], keys: Mapping[str, bytes]) -> Iterator[str]:
        """The UUIDs whose records here the entries lead to.

        Where one leads to another pool, the present drivers' attributes lie
        beside it nevertheless, in a record of the same name.
        """
        for key, value in keys.items():
            entry = records.as_entry(key, value)
            if entry is None:
                continue
            target = entry.target
            if isinstance(target, RecordInPool) and target.pool_id != self._store.pool_id:
                self.left_out.add_elsewhere(entry, records.schema.noun, target)
            uuid = _uuid_of(entry)
            if uuid is not None:
                yield uuid

    def _records(self, schema: JournalSchema[Any], uuids: Iterable[str]) -> Iterator[Record]:
        yield from self._objects(schema, map(schema.record_object, uuids))

    def _objects(self, schema: JournalSchema[Any], names: Iterable[str]) -> Iterator[Record]:
        # A group's members may be called anything, so each of its keys must be proven whole;
        # the other journals' keys are all known, and one round trip for an object is enough.
        sentinel = "" if schema is GROUPS else schema.name_key
        for name, entries in self._store.read_objects(names, sentinel=sentinel):
            if entries is not None:
                # What is not all of an object must not be restored as if it were.
                whole = not unreadable_in(entries)
                yield Record(name, self._kept(name, entries), whole)

    def _kept(self, object_name: str, entries: dict[str, bytes]) -> dict[str, bytes]:
        """Those of `entries` that go into the file; the others are noted."""
        for found in unreadable_in(entries):
            self.left_out.add_unreadable(found)
        return {key: entries[key] for key in entries if self._is_carried(object_name, key)}

    def _is_carried(self, object_name: str, key: str) -> bool:
        role = role_of(object_name, key)
        if role is KeyRole.LEASE:
            self.left_out.leases += 1
        elif role is KeyRole.FOREIGN:
            self.left_out.add_foreign(object_name, key)
        return role not in {KeyRole.LEASE, KeyRole.FOREIGN}


def _entries_about(records: Records[Any], name: str, uuid: str | None) -> Iterator[Entry]:
    """The entries of one directory that are called `name`, or point at the record of `uuid`."""
    entry = records.look_up(name)
    if entry is not None:
        yield entry
    record = None if uuid is None else records.read_record(uuid)
    request_name = record.request_name if record is not None else None
    if request_name not in {None, name}:
        entry = records.look_up(request_name or "")
        if entry is not None and _uuid_of(entry) == uuid:
            yield entry


def _uuid_of(entry: Entry) -> str | None:
    """The UUID of the record that an entry leads to, in whichever pool; None for none."""
    target = entry.target
    return target.uuid if isinstance(target, (RecordHere, RecordInPool)) else None
