"""Groups of RBD and of the journal: what one has and the other has not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from csijournal.check.comparing import RecordSeen
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_view import RBDView, batches
from csijournal.check.rbd_words import named
from csijournal.errors import InvalidHandle, printable
from csijournal.inventory.contract import Thing, ThingKind
from csijournal.inventory.rbd_groups import GroupDetails
from csijournal.wire.handles import Handle
from csijournal.wire.records import GROUP_NAME_KEY, GroupRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.uuids import UUID_LENGTH, ending_uuid

_GROUP_SNAPSHOT = re.compile(r"groupsnapshot-[0-9a-f-]{36}")
"""How Kubernetes' snapshotter calls a group snapshot, unless it was told another prefix.

On RBD such a record has no group of RBD's behind it: only while the driver makes
its snapshots there is one, under a record of its own.
"""


class RecordedGroups:
    """Compares the groups of the journal with those of RBD, by name and by their images."""

    def __init__(self, view: RBDView) -> None:
        self._view = view
        self._missing: dict[str, str] = {}
        self._present: dict[str, str] = {}  # both: from UUID to instance id
        self._differing: list[str] = []
        self._unrecorded: list[Thing] = []

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._missing or self._differing or self._unrecorded)

    def look(self, seen: RecordSeen) -> None:
        """Note a group of the journal, and whether RBD has none of its name."""
        record = seen.record
        if not isinstance(record, GroupRecord) or not record.populated:
            return
        self._view.learn(self._view.group_prefixes, record.group_name or "", seen.uuid)
        if not self._view.inventory.has_list_of(ThingKind.RBD_GROUP):
            return
        if self._group(seen.uuid, record) is not None:
            self._present[seen.uuid] = seen.instance_id
        elif seen.entered and _needs_group(record):
            self._missing[seen.uuid] = seen.instance_id

    def look_around(self) -> None:
        """Note groups that differ, and those that no record names.  Raises StoreError."""
        self._differing = [uuid for uuid, _, _, _ in self._differences(self._present)]
        for thing in self._view.inventory.things(ThingKind.RBD_GROUP):
            uuid = ending_uuid(thing.name) or ""
            if not uuid or thing.name[: -len(uuid)] not in self._view.group_prefixes:
                continue
            if not self._view.context.is_known(GROUPS, uuid):
                self._unrecorded.append(thing)

    def look_again(self) -> Iterator[Finding]:
        """What still contradicts.  Raises StoreError."""
        yield from self._missing_again()
        yield from self._differing_again()
        yield from self._unrecorded_again()

    def _group(self, uuid: str, record: GroupRecord) -> Thing | None:
        return self._view.inventory.group(_group_name(uuid, record))

    def _records(self, uuids: Iterable[str]) -> Iterator[tuple[str, GroupRecord]]:
        for batch in batches(uuids):
            for uuid, record in self._view.records(GROUPS).read_records(batch):
                if record is not None and record.populated:
                    yield uuid, record

    def _differences(
        self, uuids: Iterable[str]
    ) -> Iterator[tuple[str, GroupRecord, Thing, _Difference]]:
        """The groups whose images are not the members of the journal's."""
        inventory = self._view.inventory
        if not all(map(inventory.has_list_of, (ThingKind.IMAGE, ThingKind.TRASHED_IMAGE))):
            return  # the names of a group's images are not known
        for batch in batches(self._records(uuids)):
            groups = {
                thing: (uuid, record)
                for uuid, record in batch
                if (thing := self._group(uuid, record)) is not None
            }
            for thing, members in inventory.members(groups):
                uuid, record = groups[thing]
                pool_id = self._view.context.store.pool_id
                difference = _Difference.of(pool_id, record, members) if members else None
                if difference is not None:
                    yield uuid, record, thing, difference

    def _is_young(self, uuid: str, record: GroupRecord, thing: Thing | None = None) -> bool:
        if self._view.is_young(self._view.modified_ns(GROUPS, uuid, record)):
            return True
        return thing is not None and self._view.is_young(self._view.inventory.named_ns(thing))

    def _missing_again(self) -> Iterator[Finding]:
        for uuid, record in self._records(self._missing):
            if self._group(uuid, record) is not None or not _needs_group(record):
                continue
            if not self._is_young(uuid, record):
                found = f"no RBD group of this name; the journal has {record.content_in_words}"
                yield self._finding(FindingKind.RBD_GROUP_MISSING, uuid, record, found)

    def _differing_again(self) -> Iterator[Finding]:
        for uuid, record, thing, difference in self._differences(self._differing):
            if not self._is_young(uuid, record, thing):
                found = difference.in_words
                yield self._finding(FindingKind.RBD_GROUP_DIFFERS, uuid, record, found)

    def _unrecorded_again(self) -> Iterator[Finding]:
        for batch in batches(self._unrecorded):
            inventory = self._view.inventory
            still = (thing for thing in batch if inventory.group(thing.name) == thing)
            uuids = {thing: thing.name[-UUID_LENGTH:] for thing in still}
            known = {
                uuid
                for uuid, record in self._view.records(GROUPS).read_records(uuids.values())
                if record is not None
            }
            left = [thing for thing, uuid in uuids.items() if uuid not in known]
            for thing, members in inventory.members(left):
                if members is not None and not self._view.is_young(inventory.named_ns(thing)):
                    yield self._without_record(thing, uuids[thing], members)

    def _without_record(self, thing: Thing, uuid: str, members: GroupDetails) -> Finding:
        names = [
            member.image.name if member.image else f"id {member.image_id}"
            for member in members.members
        ]
        return self._view.context.finding_of(
            FindingKind.RBD_GROUP_WITHOUT_RECORD,
            GROUPS,
            uuid,
            f"{named('image', names) or 'no images'};"
            f" to remove it: rbd group rm {self._view.spec(thing.name)}",
            thing=f"RBD group {printable(thing.name)} (id {thing.thing_id})",
        )

    def _finding(self, kind: FindingKind, uuid: str, record: GroupRecord, found: str) -> Finding:
        return self._view.context.finding_of(
            kind,
            GROUPS,
            uuid,
            found,
            instance_id=self._missing.get(uuid) or self._present.get(uuid, ""),
            request_name=record.request_name,
            key=GROUP_NAME_KEY,
            thing=f"RBD group {printable(_group_name(uuid, record))}",
        )


class _Difference(NamedTuple):
    """What only RBD's group has, and what only the journal's has."""

    only_in_rbd: list[str]
    only_in_journal: list[str]

    @classmethod
    def of(
        cls, pool_id: int | None, record: GroupRecord, members: GroupDetails
    ) -> _Difference | None:
        """How both differ; None where they do not.

        A handle may name this pool by the id that it has in another cluster, so
        images are told by their UUIDs.  Of other pools nothing is known, and an
        image that is gone may be any of the members.
        """
        here = [member.image for member in members.members if member.pool_id == pool_id]
        in_rbd = {ending_uuid(image.name): image.name for image in here if image}
        in_journal = {ending_uuid(handle): handle for handle in record.volume_map}
        more = [name for uuid, name in in_rbd.items() if uuid not in in_journal]
        less = [
            handle
            for uuid, handle in in_journal.items()
            if uuid not in in_rbd and _pool_of(handle) == pool_id and None not in here
        ]
        return cls(sorted(more), sorted(less)) if more or less else None

    @property
    def in_words(self) -> str:
        """Both lists."""
        return "; ".join(
            f"only in {where}: {named(noun, names)}"
            for where, noun, names in (
                ("RBD's group", "image", self.only_in_rbd),
                ("the journal's", "member", self.only_in_journal),
            )
            if names
        )


def _needs_group(record: GroupRecord) -> bool:
    """Whether this is a group of volumes; members of a group snapshot have values."""
    if any(record.volume_map.values()):
        return False
    return bool(record.volume_map) or not _GROUP_SNAPSHOT.fullmatch(record.request_name or "")


def _group_name(uuid: str, record: GroupRecord) -> str:
    return record.group_name or GROUPS.make_image_name("", uuid)


def _pool_of(handle: str) -> int | None:
    try:
        return Handle.parse(handle).location_id
    except InvalidHandle:
        return None
