"""Reading a journal out of one place, for a file.

Each record is read as it is at one moment; groups that come, go or change while
it runs are in the file as they were when they were read.  Only what a journal
owns is exported, and never a lease: it is true at its moment only, and one that
ended must not come back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from csijournal.archive import Record
from csijournal.journal.steps import GroupRecords, Records
from csijournal.store.contract import Store, Unreadable, unreadable_in
from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of, role_of
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened

_NAMED_MAX = 20
"""How many keys that were left out are told by name."""


@dataclass
class LeftOut:
    """What an export left out, filled while it runs; `named` are the first keys, in words."""

    leases: int = 0
    foreign: int = 0
    unreadable: int = 0
    named: list[str] = field(default_factory=list)

    def add_foreign(self, object_name: str, key: str) -> None:
        """Note a key that no journal writes there."""
        self.foreign += 1
        self._name(f"the key {shortened(key)} of {object_name}")

    def add_unreadable(self, found: Unreadable) -> None:
        """Note a key that the store cannot hand out as it is."""
        self.unreadable += 1
        self._name(f"{found} ({found.object_name})")

    def _name(self, text: str) -> None:
        if len(self.named) < _NAMED_MAX:
            self.named.append(text)


class Exporter:
    """Reads the group journal of one place; `left_out` says what it did not take along."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left_out = LeftOut()

    def instance(self, instance_id: str) -> Iterator[Record]:
        """One instance's directory and every group that it points at, by request name.

        Nothing is yielded where there is no directory.  Raises StoreError.
        """
        records = Records(self._store, GROUPS, instance_id)
        if self._store.read_page(records.directory, limit=1) is None:
            return
        yield Record(records.directory, {})
        for page in self._directory(records):
            yield page
            entries = (records.as_entry(k, v or b"") for k, v in (page.keys or {}).items())
            uuids = [entry.group_uuid for entry in entries if entry and entry.group_uuid]
            yield from self._groups(map(GROUPS.record_object, uuids))

    def everything(self) -> Iterator[Record]:
        """Every instance's directory and every group object of the place, by name.

        Lists the objects of the place and keeps their names in memory.
        """
        directories: list[str] = []
        groups: list[str] = []
        for name in self._store.object_names("csi."):
            owned = owner_of(name)
            if owned is not None and owned.schema is GROUPS:
                (directories if owned.role is ObjectRole.DIRECTORY else groups).append(name)
        for name in sorted(directories):
            yield Record(name, {})
            yield from self._directory(
                Records(self._store, GROUPS, GROUPS.instance_of(name) or "", validate=False)
            )
        yield from self._groups(iter(sorted(groups)))

    def _directory(self, records: GroupRecords) -> Iterator[Record]:
        """What a directory holds, page by page."""
        after: str | None = ""
        while after is not None:
            page = self._store.read_page(records.directory, after=after)
            # An empty page may still tell of keys that cannot be read.
            kept = {} if page is None else self._kept(records.directory, page)
            if kept:
                yield Record(records.directory, kept)
            after = max(page) if page else None

    def _groups(self, names: Iterator[str]) -> Iterator[Record]:
        for name, entries in self._store.read_objects(names, sentinel=REQUEST_NAME_KEY):
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
