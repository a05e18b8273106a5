"""Who names a thing: entries that hold a UUID, groups that say a name or have a member.

No store can be asked that, so this goes through all entries and records.  The
usual search stays with one instance's directory and stops after some seconds;
a full one lists the objects of the place, and takes as long as it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from csijournal.journal.model import Entry
from csijournal.journal.steps import GroupRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.records import GroupRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.uuids import ending_uuid

SECONDS_MAX = 10.0
"""How long the usual search may take: somebody waits for the answer at a terminal."""

_BATCH_GROUPS = 200


@dataclass(frozen=True, slots=True)
class Referrer:
    """What names the thing that was searched for.

    `how` is "entry" (of `request_name`, which holds the UUID), "request name" (of
    the group), or "member" (of the group: `member` is its key).  `pointer` is the
    request name of the entry that led to the group, where one did, and
    `instance_id` tells in which directory.
    """

    how: str
    group_uuid: str
    instance_id: str = ""
    request_name: str = ""
    member: str = ""
    pointer: str = ""


class Search:
    """One search for `what` in `store`, through the directory of `instance_id`.

    `what` is a request name, or what a group may have as a member: a volume or
    snapshot handle.  Where it ends in a UUID, entries that hold that UUID and
    members that end in it are found too.  With `full`, through every instance's directory
    and every group object of the place, with some 250 bytes of memory for each
    group.  `entries` and `groups` count what was gone through; `complete` says
    afterwards whether the search came to its end.
    """

    def __init__(
        self,
        store: Store,
        instance_id: str,
        what: str,
        *,
        full: bool = False,
        seconds_max: float = SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._instance_id = instance_id
        self._what = what
        self._uuid = ending_uuid(what)
        self.full = full
        self._clock = clock
        self._give_up_at = float("inf") if full else clock() + seconds_max
        self._seen: set[str] = set()
        self.entries = 0
        self.groups = 0
        self.complete = True

    def run(self) -> Iterator[Referrer]:
        """All referrers, as they are found.  Raises StoreError."""
        instances: list[str] = [self._instance_id]
        listed: list[str] = []
        if self.full:
            instances, listed = self._list_objects()
        for instance_id in instances:
            yield from self._directory(instance_id)
        yield from self._groups(listed)

    def entries_holding_it(self) -> Iterator[str]:
        """Request names of the instance whose entries hold the UUID, without reading a group."""
        for page in self._records(self._instance_id).entry_pages():
            if self._is_late():
                return
            self.entries += len(page)
            yield from (entry.request_name for entry in page if self._is_held(entry))

    def _list_objects(self) -> tuple[list[str], list[str]]:
        instances: dict[str, None] = {self._instance_id: None}
        groups: list[str] = []
        for object_name in self._store.object_names("csi."):
            instance_id = GROUPS.instance_of(object_name)
            group_uuid = GROUPS.uuid_of_record(object_name)
            if instance_id is not None:
                instances[instance_id] = None
            elif group_uuid is not None:
                groups.append(group_uuid)
        return list(instances), groups

    def _directory(self, instance_id: str) -> Iterator[Referrer]:
        for page in self._records(instance_id).entry_pages():
            if self._is_late():
                return
            self.entries += len(page)
            for entry in page:
                if self._is_held(entry):
                    yield Referrer("entry", entry.group_uuid or "", instance_id, entry.request_name)
            pointers = {entry.group_uuid: entry.request_name for entry in page if entry.group_uuid}
            for found in self._groups(pointers):
                pointer = pointers[found.group_uuid]
                yield replace(found, instance_id=instance_id, pointer=pointer)

    def _groups(self, group_uuids: Iterable[str]) -> Iterator[Referrer]:
        fresh = (uuid for uuid in group_uuids if uuid not in self._seen)
        while batch := list(islice(fresh, _BATCH_GROUPS)):
            if self._is_late():
                return
            self._seen.update(batch)
            for group_uuid, record in self._records(self._instance_id).read_records(batch):
                self.groups += 1
                if record is not None:
                    yield from self._group(group_uuid, record)

    def _group(self, group_uuid: str, record: GroupRecord) -> Iterator[Referrer]:
        name = record.request_name or ""
        if name and name == self._what:
            yield Referrer("request name", group_uuid, request_name=name)
        for member, value in record.volume_map.items():
            if self._is_meant(member) or self._is_meant(value):
                yield Referrer("member", group_uuid, request_name=name, member=member)

    def _is_held(self, entry: Entry) -> bool:
        return self._uuid is not None and entry.group_uuid == self._uuid

    def _is_meant(self, text: str) -> bool:
        return text == self._what or (self._uuid is not None and text.endswith(self._uuid))

    def _records(self, instance_id: str) -> GroupRecords:
        return Records(self._store, GROUPS, instance_id, validate=False)

    def _is_late(self) -> bool:
        if self._clock() >= self._give_up_at:
            self.complete = False
        return not self.complete
