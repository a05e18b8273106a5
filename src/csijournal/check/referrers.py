"""Who names a thing: entries that hold a UUID, records that say a name, a source, a member.

No store can be asked that, so this goes through all entries and records.  The
usual search stays with one instance's directories and stops after some seconds;
a full one lists the objects of the place, and takes as long as it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from csijournal.check.story import leads_to
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.records import AnyRecord, GroupRecord, ImageRecord
from csijournal.wire.schema import GROUPS, SCHEMAS, AnySchema
from csijournal.wire.uuids import ending_uuid

SECONDS_MAX = 10.0
"""How long the usual search may take: somebody waits for the answer at a terminal."""

_BATCH_RECORDS = 200


@dataclass(frozen=True)
class Sought:
    """What is searched for: texts as they stand, and UUIDs that a name or handle ends in."""

    texts: frozenset[str]
    uuids: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Sought:
        """All of `texts`, and the UUIDs that they end in."""
        known = frozenset(texts)
        return cls(known, frozenset(filter(None, map(ending_uuid, known))))

    def is_meant(self, text: str | None) -> bool:
        """Whether `text` is one of the texts, or ends in one of the UUIDs."""
        return text is not None and (text in self.texts or ending_uuid(text) in self.uuids)


@dataclass(frozen=True)
class Referrer:
    """What names the thing that was searched for.

    `how` is "entry" (of `request_name`, which leads to the UUID), "request name"
    (of the record), "member" (of the group: `member` is its key), "source" (of
    the snapshot), "backing snapshot" (of the volume) or "group" (that the record
    says it belongs to).  `pointer` is the request name of the entry that led to
    the record, where one did, and `instance_id` tells in which directory.
    `texts` are what the record says, in the words of which it was found.
    """

    how: str
    uuid: str
    instance_id: str = ""
    request_name: str = ""
    member: str = ""
    pointer: str = ""
    schema: AnySchema = field(default=GROUPS, repr=False)
    image_name: str = field(default="", compare=False)
    texts: tuple[str, ...] = field(default=(), compare=False)


class Search:
    """One search for `sought` in `store`, through the directories of `instance_id`.

    With `full`, through every instance's directories and every record of the
    place, with some 250 bytes of memory for each.  `schemas` are the journals,
    searched in this order.  `entries` and `records` count what was gone through;
    `complete` says afterwards whether the search came to its end.
    """

    def __init__(
        self,
        store: Store,
        instance_id: str,
        sought: Sought,
        *,
        schemas: Collection[AnySchema] = SCHEMAS,
        full: bool = False,
        seconds_max: float = SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._instance_id = instance_id
        self._sought = sought
        self.schemas = tuple(schemas)
        self.full = full
        self._clock = clock
        self._give_up_at = float("inf") if full else clock() + seconds_max
        self._seen: set[tuple[str, str]] = set()
        self.entries = 0
        self.records = 0
        self.complete = True

    def run(self) -> Iterator[Referrer]:
        """All referrers, as they are found.  Raises StoreError."""
        instances, listed = self._list_objects() if self.full else ({}, {})
        for schema in self.schemas:
            for instance_id in dict.fromkeys([self._instance_id, *instances.get(schema, ())]):
                yield from self._directory(schema, instance_id)
            yield from self._records(schema, listed.get(schema, ()))

    def entries_leading_to_it(self, schema: AnySchema) -> Iterator[str]:
        """Request names of the instance whose entries lead to the UUID, without reading records."""
        for page in Records(self._store, schema, self._instance_id, validate=False).entry_pages():
            if self._is_late():
                return
            self.entries += len(page)
            yield from (entry.request_name for entry in page if self._is_held(entry))

    def _list_objects(self) -> tuple[dict[AnySchema, list[str]], dict[AnySchema, list[str]]]:
        """The instances and the UUIDs of each journal."""
        instances: dict[AnySchema, list[str]] = {schema: [] for schema in self.schemas}
        listed: dict[AnySchema, list[str]] = {schema: [] for schema in self.schemas}
        for object_name in self._store.object_names("csi."):
            for schema in self.schemas:
                instance_id = schema.instance_of(object_name)
                uuid = schema.uuid_of_record(object_name)
                if instance_id is not None:
                    instances[schema].append(instance_id)
                elif uuid is not None:
                    listed[schema].append(uuid)
        return instances, listed

    def _directory(self, schema: AnySchema, instance_id: str) -> Iterator[Referrer]:
        for page in Records(self._store, schema, instance_id, validate=False).entry_pages():
            if self._is_late():
                return
            self.entries += len(page)
            for entry in page:
                if self._is_held(entry):
                    name = entry.request_name
                    uuid = getattr(entry.target, "uuid", "")
                    yield Referrer("entry", uuid, instance_id, name, schema=schema)
            pointers = {entry.uuid: entry.request_name for entry in page if entry.uuid}
            for found in self._records(schema, pointers):
                pointer = pointers[found.uuid]
                yield replace(found, instance_id=instance_id, pointer=pointer)

    def _records(self, schema: AnySchema, uuids: Iterable[str]) -> Iterator[Referrer]:
        records: AnyRecords = Records(self._store, schema, self._instance_id, validate=False)
        fresh = (uuid for uuid in uuids if (schema.journal, uuid) not in self._seen)
        while batch := list(islice(fresh, _BATCH_RECORDS)):
            if self._is_late():
                return
            self._seen.update((schema.journal, uuid) for uuid in batch)
            for uuid, record in records.read_records(batch):
                self.records += 1
                if record is not None:
                    yield from self._record(schema, uuid, record)

    def _record(self, schema: AnySchema, uuid: str, record: AnyRecord) -> Iterator[Referrer]:
        found = Referrer(
            "request name",
            uuid,
            request_name=record.request_name or "",
            schema=schema,
            image_name=record.image_name or schema.make_image_name("", uuid),
        )
        if found.request_name and found.request_name in self._sought.texts:
            yield replace(found, texts=(found.request_name,))
        for how, member, texts in _named_by(record):
            meant = tuple(filter(self._sought.is_meant, texts))
            if meant:
                yield replace(found, how=how, member=member, texts=meant)

    def _is_held(self, entry: Entry) -> bool:
        return any(leads_to(entry, uuid) for uuid in self._sought.uuids)

    def _is_late(self) -> bool:
        if self._clock() >= self._give_up_at:
            self.complete = False
        return not self.complete


def _named_by(record: AnyRecord) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What a record names beside itself: how, under which member, and the texts."""
    if isinstance(record, GroupRecord):
        for member, value in record.volume_map.items():
            yield "member", member, (member, value)
    elif isinstance(record, ImageRecord):
        yield "source", "", (record.source_name or "",)
        yield "backing snapshot", "", (record.backing_snapshot_id or "",)
        yield "group", "", (record.group_id or "",)
