"""Collecting what listings of `rados` say, from any number of texts, into one journal's records.

What no text says is not made up, but for one thing: must-gather names entries
without their values, and lists the records that they lead to without their
names.  Each record says whose it is, so the two are put together by that.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from csijournal.archive import Record
from csijournal.errors import InvalidObjectName, printable
from csijournal.store.contract import check_name
from csijournal.transfer.listing_commands import GET_VALUE, LIST_VALUES, GatheredEntry, Place
from csijournal.transfer.listing_text import (
    Absent,
    Listed,
    ListedEntry,
    ListedKey,
    ListedObject,
    ListedPlace,
    ListingParser,
    Unreadable,
)
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of, role_of
from csijournal.wire.records import (
    GROUP_NAME_KEY,
    SNAPSHOT_REQUEST_NAME_KEY,
    SOURCE_NAME_KEY,
)
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema
from csijournal.wire.text import decode, shortened
from csijournal.wire.uuids import ending_uuid

LISTING = "listing"
"""The kind of an archive that was made from listings: restored, it is a copy."""

_IN_FILE_NAME = re.compile(
    r"csi\.(?:volume\.group|volume|snap)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|csi\.(?:volumes|snaps|groups)\..+"
)
_ENDINGS = (".txt", ".log", ".out", ".omap")


@dataclass
class Counts:
    """What was left out, or put together, and how much of it there was."""

    leases: int = 0
    foreign_keys: int = 0
    foreign_objects: int = 0
    put_together: int = 0
    without_keys: list[str] = field(default_factory=list)


@dataclass
class _Object:
    """What is listed of one object; `whole` says that all of its keys were."""

    keys: dict[str, bytes] = field(default_factory=dict)
    whole: bool = False


class _PlaceListing:
    """What is listed of one pool and namespace."""

    def __init__(self) -> None:
        self.objects: defaultdict[str, _Object] = defaultdict(_Object)
        self.entries: dict[GatheredEntry, str] = {}


class Listings:
    """All that was read; `problems` are sentences on what the texts say and cannot mean."""

    def __init__(self) -> None:
        self._places: dict[Place, _PlaceListing] = {}
        self.problems: list[str] = []
        self.counts = Counts()

    def add(self, lines: Iterable[str], name: str) -> None:
        """Read one text; `name` is its file's, which may say of which object it is."""
        source = _Source(self, name)
        parser = ListingParser()
        for line in lines:
            for listed in parser.take(line):
                source.take(listed)
        for listed in parser.finish():
            source.take(listed)
        source.finish()

    def places(self) -> list[Place]:
        """The pools and namespaces of which something is listed."""
        return [place for place, listed in self._places.items() if listed.objects]

    def records(self, place: Place) -> Iterator[Record]:
        """What is listed of a place, as the records of an archive, directories first."""
        listed = self._places[place]
        self._put_together(listed)
        for role in (ObjectRole.DIRECTORY, ObjectRole.RECORD):
            for name in sorted(listed.objects):
                owned = owner_of(name)
                if owned is None or owned.role is not role:
                    continue
                one = listed.objects[name]
                kept = self._kept(name, one.keys)
                if role is ObjectRole.DIRECTORY:
                    yield Record(name, {})
                if kept or role is ObjectRole.RECORD:
                    yield Record(name, kept, whole=one.whole and role is ObjectRole.RECORD)

    # For the texts

    def note(self, problem: str) -> None:
        """Tell of something that cannot be taken."""
        self.problems.append(problem)

    def at(self, place: Place) -> _PlaceListing:
        """What is listed of a place."""
        return self._places.setdefault(place, _PlaceListing())

    # Putting together

    def _put_together(self, listed: _PlaceListing) -> None:
        """Give the entries that are named without values those of the records that name them."""
        by_name: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for name, one in listed.objects.items():
            owned = owner_of(name)
            if owned is not None and owned.role is ObjectRole.RECORD:
                said = one.keys.get(owned.schema.name_key)
                if said is not None:
                    by_name[owned.schema.journal, decode(said)].append(owned.name)
        for entry, where in listed.entries.items():
            schema = entry.schema
            request_name = schema.request_name_of_entry(entry.key)
            uuids = by_name.get((schema.journal, request_name or ""), [])
            if len(uuids) == 1:
                directory = schema.directory_object(DEFAULT_INSTANCE_ID)
                listed.objects[directory].keys.setdefault(entry.key, uuids[0].encode())
                self.counts.put_together += 1
            else:
                how_many = f"{len(uuids)} records say" if uuids else "no record says"
                self.note(
                    f"{where}: {shortened(entry.key)} is named without its value, and"
                    f" {how_many} that they are its"
                )
        listed.entries.clear()

    def _kept(self, name: str, keys: Mapping[str, bytes]) -> dict[str, bytes]:
        kept = {}
        for key, value in keys.items():
            role = role_of(name, key)
            self.counts.leases += role is KeyRole.LEASE
            self.counts.foreign_keys += role is KeyRole.FOREIGN
            if role not in {KeyRole.LEASE, KeyRole.FOREIGN}:
                kept[key] = value
        return kept


class _Source:
    """One text: of which place and object its lines are."""

    def __init__(self, listings: Listings, name: str) -> None:
        self._listings = listings
        self._name = name
        self._place = Place()
        self._object = _object_in(name)
        self._unnamed: dict[str, bytes] = {}
        self._unnamed_line = 0
        self._emptied = ""

    def take(self, listed: Listed) -> None:
        """Take what one or more lines say."""
        if isinstance(listed, ListedKey):
            self._take_key(listed)
            return
        if isinstance(listed, Unreadable):
            self._listings.note(f"{self._at(listed.line)}: {listed.problem}; it is left out")
            self._emptied = ""
            return
        if isinstance(listed, Absent):
            self._emptied = ""
            return
        if isinstance(listed, ListedEntry):
            where = self._at(listed.line)
            self._listings.at(self._place).entries.setdefault(listed.entry, where)
            return
        self._end_object()
        if isinstance(listed, ListedPlace):
            self._place, self._object = listed.place, ""
        elif isinstance(listed, ListedObject):
            self._take_command(listed)

    def finish(self) -> None:
        """The text has ended."""
        self._end_object()

    def _take_command(self, listed: ListedObject) -> None:
        command = listed.command
        said = command.place
        if said.pool is not None or said.namespace is not None:
            self._place = said
        self._object = ""
        if command.name in {LIST_VALUES, GET_VALUE}:
            self._object = self._owned(command.object_name)
        if command.name == LIST_VALUES and self._object:
            self._emptied = self._object

    def _owned(self, name: str) -> str:
        if owner_of(name) is not None:
            return name
        self._listings.counts.foreign_objects += 1
        return ""

    def _take_key(self, listed: ListedKey) -> None:
        self._emptied = ""
        command = listed.command
        if command is not None and not self._object:
            return  # of an object that is not a journal's
        try:
            key = check_name(listed.key.decode(), "-")
        except (UnicodeDecodeError, InvalidObjectName):
            key_text = printable(listed.key.decode(errors="backslashreplace"))
            where = self._at(listed.line)
            self._listings.note(f"{where}: the key {key_text} is not text; it is left out")
            return
        if self._object:
            one = self._listings.at(self._place).objects[self._object]
            one.whole |= command is None or command.name == LIST_VALUES
            self._put(one, key, listed)
            if command is not None and command.name == GET_VALUE:
                self._object = ""  # it prints one value; what follows is something else
            return
        if self._unnamed and key <= next(reversed(self._unnamed)):
            self._end_unnamed()  # a listing is in order, so another one begins
        self._unnamed_line = self._unnamed_line or listed.line
        self._unnamed[key] = listed.value

    def _put(self, one: _Object, key: str, listed: ListedKey) -> None:
        if one.keys.get(key, listed.value) != listed.value:
            self._listings.note(
                f"{self._at(listed.line)}: {shortened(key)} of {self._object} is listed a second"
                " time, with another value; the last one counts"
            )
        one.keys[key] = listed.value

    def _end_object(self) -> None:
        self._end_unnamed()
        if self._emptied:
            one = self._listings.at(self._place).objects[self._emptied]
            one.whole = True
            if not one.keys:
                self._listings.counts.without_keys.append(self._emptied)
        self._emptied = ""

    def _end_unnamed(self) -> None:
        """Keys that no line names an object for: a record that says its UUID names itself."""
        keys, self._unnamed = self._unnamed, {}
        line, self._unnamed_line = self._unnamed_line, 0
        if not keys:
            return
        name = _object_of(keys)
        if not name:
            first = shortened(next(iter(keys)))
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            self._listings.note(
                f"{self._at(line)}: nothing says of which object {first}{more} is; left out"
            )
            return
        one = self._listings.at(self._place).objects[name]
        one.keys.update(keys)
        one.whole = True

    def _at(self, line: int) -> str:
        return f"{printable(self._name)}, line {line}"


def _object_in(file_name: str) -> str:
    """The object that a file's name names; "" for none."""
    found = _IN_FILE_NAME.search(PurePath(file_name).name)
    if found is None:
        return ""
    name = found[0]
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name if owner_of(name) is not None else ""


def _object_of(keys: Mapping[str, bytes]) -> str:
    """The record that these keys say they are; "" where they do not."""
    schema: AnySchema = VOLUMES
    if SNAPSHOT_REQUEST_NAME_KEY in keys or SOURCE_NAME_KEY in keys:
        schema = SNAPSHOTS
    elif GROUP_NAME_KEY in keys:
        schema = GROUPS
    uuid = ending_uuid(decode(keys.get(schema.image_key, b"")))
    return schema.record_object(uuid) if uuid else ""
