"""The objects of a location: all of them, or as many as a limited time allows."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator, Sequence

from csijournal.check.elsewhere import journals_in
from csijournal.check.known import KnownRecords
from csijournal.check.summary import Summary
from csijournal.store.contract import Store
from csijournal.wire.schema import GROUPS, SCHEMAS, AnySchema
from csijournal.wire.uuids import packed_uuid, unpacked_uuid

LISTING_SECONDS = 10.0
"""How long a check lists objects unless it is told to go on to the end.

Somebody waits for the answer, and a pool holds millions of objects that are no
journal's.
"""

GROUP_WITHOUT_UUID = GROUPS.record_prefix
"""The object that Ceph-CSI's CephFS code makes for a group whose UUID it does not know."""


class Depth(enum.Enum):
    """How much of a location a check looks at."""

    QUICK = "quick"
    """The directory of one instance, and what it points at.  Lists no objects."""
    LIMITED = "default"
    """As FULL where the objects can be listed in LISTING_SECONDS, else as QUICK."""
    FULL = "full"
    """All instances, and what nothing points at, however long that takes."""


class Listing:
    """What a walk through the objects of a location has met, of the journals that are checked.

    `records` holds each listed record's UUID in 16 bytes, and whether an entry is
    known to point at it.
    """

    def __init__(
        self, store: Store, summary: Summary, schemas: Sequence[AnySchema], instance_id: str
    ) -> None:
        self._store = store
        self._summary = summary
        self._schemas = schemas
        self._others = tuple(schema.directory_prefix for schema in SCHEMAS if schema not in schemas)
        self.instance_ids = {schema.journal: {instance_id} for schema in schemas}
        self.records: dict[str, dict[bytes, bool]] = {schema.journal: {} for schema in schemas}
        self._read = {schema.journal: KnownRecords() for schema in schemas}

    def run(
        self,
        depth: Depth,
        *,
        seconds_max: float = LISTING_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Walk as far as `depth` says; `summary.listing_ended` says whether that was the end."""
        if depth is Depth.QUICK:
            return
        stop_at = float("inf") if depth is Depth.FULL else monotonic() + seconds_max
        for object_name in self._store.walk("csi."):
            self._summary.objects_walked += 1
            if object_name is not None:
                self._note(object_name)
            if monotonic() >= stop_at:
                for records in self.records.values():
                    records.clear()
                return
        self._summary.listing_ended = True

    def point_at(self, schema: AnySchema, uuid: str, *, keep: bool) -> bool:
        """Note that an entry points at the record; whether another one did already.

        A record that was not listed is noted with `keep` only.
        """
        records, packed = self.records[schema.journal], packed_uuid(uuid)
        before = records.get(packed)
        if keep or before is not None:
            records[packed] = True
        return bool(before)

    def read(self, schema: AnySchema, uuid: str) -> None:
        """Note that the record was read."""
        if not self._summary.listing_ended:  # else it is among those that were listed
            self._read[schema.journal].add(uuid)

    def knows(self, schema: AnySchema, uuid: str) -> bool:
        """Whether a record of this UUID was listed or read, when all were."""
        if schema.journal not in self.records:
            return False
        if self._summary.listing_ended:
            return packed_uuid(uuid) in self.records[schema.journal]
        return uuid in self._read[schema.journal]

    def unpointed(self, schema: AnySchema) -> Iterator[str]:
        """UUIDs of records at which no entry was seen to point."""
        records = self.records[schema.journal]
        return (unpacked_uuid(packed) for packed, pointed in records.items() if not pointed)

    def other_directories(self) -> None:
        """Where the objects were not listed, ask for the usual directories of other journals."""
        if self._summary.listing_ended:
            return
        ids = {instance_id for ids in self.instance_ids.values() for instance_id in ids}
        found = journals_in(self._store, ids)
        known = self._summary.other_journals
        known += [name for name in found if name.startswith(self._others) and name not in known]

    def _note(self, object_name: str) -> None:
        self._summary.objects_listed += 1
        for schema in self._schemas:
            uuid = schema.uuid_of_record(object_name)
            if uuid is not None:
                self._summary.journals[schema.journal].listed += 1
                self.records[schema.journal][packed_uuid(uuid)] = False
                return
            instance_id = schema.instance_of(object_name)
            if instance_id is not None:
                self.instance_ids[schema.journal].add(instance_id)
                return
        if object_name.startswith(self._others):
            self._summary.other_journals.append(object_name)
