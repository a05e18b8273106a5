"""Records whose image is missing, is another one, or is not named by its id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from csijournal.check.behind import behind_record
from csijournal.check.comparing import RecordSeen
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_view import RBDView, batches
from csijournal.check.rbd_words import moment
from csijournal.check.summary import Pending
from csijournal.errors import printable
from csijournal.inventory.contract import Behind, ThingKind
from csijournal.inventory.names import TEMPORARY_SUFFIX
from csijournal.inventory.rbd_lists import TrashEntry
from csijournal.wire.records import IMAGE_ID_KEY, IMAGE_NAME_KEY, ImageRecord
from csijournal.wire.schema import SNAPSHOTS, AnySchema
from csijournal.wire.text import shortened
from csijournal.wire.timestamps import NANOSECONDS, Timestamp
from csijournal.wire.uuids import packed_uuid, unpacked_uuid

_Suspect = tuple[bytes, str, bool, FindingKind]
"""UUID, instance id, whether an entry led to it, and what was wrong."""


class _Recorded(NamedTuple):
    """A record that says whose it is."""

    schema: AnySchema
    uuid: str
    record: ImageRecord
    instance_id: str
    entered: bool

    @property
    def image_name(self) -> str:
        """The image's name; records of very old drivers leave out the default one."""
        return self.record.image_name or self.schema.make_image_name("", self.uuid)

    @property
    def worked_on(self) -> str:
        """The image of which a driver takes a snapshot of its own while it makes this one."""
        if self.schema is SNAPSHOTS:
            return self.record.source_name or ""
        return self.image_name + TEMPORARY_SUFFIX


class RecordedImages:
    """Compares the records of volumes and snapshots with the images that they name."""

    def __init__(self, view: RBDView) -> None:
        self._view = view
        self._suspects: dict[AnySchema, list[_Suspect]] = {}
        self.near: set[str] = set()
        """Images in which a driver may have left a snapshot when it died at a suspect record."""

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._suspects)

    def look(self, seen: RecordSeen) -> None:
        """Note a record whose image is not as it says."""
        record = seen.record
        if not isinstance(record, ImageRecord) or not record.populated:
            return  # what says not whose it is says nothing of an image either
        one = _Recorded(seen.schema, seen.uuid, record, seen.instance_id, seen.entered)
        self._view.learn(self._view.prefixes, one.image_name, one.uuid)
        kind = self._contradiction(one)
        if kind is not None:
            suspect = (packed_uuid(one.uuid), one.instance_id, one.entered, kind)
            self._suspects.setdefault(one.schema, []).append(suspect)
            if self._view.inventory.id_of(one.worked_on) is not None:
                self.near.add(one.worked_on)

    def look_again(self) -> Iterator[Finding]:
        """What still contradicts.  Raises StoreError."""
        for schema, suspects in self._suspects.items():
            for batch in batches(suspects):
                yield from self._again(schema, batch)

    def _contradiction(self, one: _Recorded) -> FindingKind | None:
        inventory = self._view.inventory
        if not inventory.has_list_of(ThingKind.IMAGE) or self._is_elsewhere(one):
            return None
        image_id = inventory.id_of(one.image_name)
        if image_id is None:
            behind = self._behind(one)
            if behind.is_unknown or (behind.is_nothing and not one.entered):
                return None  # without an entry and an image it is an orphan, which the scan says
            return FindingKind.IMAGE_MISSING
        if not one.record.image_id:  # to Ceph-CSI an empty one is the same
            return FindingKind.MISSING_ATTRIBUTE
        if one.record.image_id == image_id or self._view.is_copy(image_id):
            return None  # a copy gets another id whenever it is synchronized anew
        return FindingKind.IMAGE_ID_DIFFERS

    def _is_elsewhere(self, one: _Recorded) -> bool:
        """Whether this pool holds the journal alone, and the images lie in another."""
        if one.record.journal_pool is None:
            return False
        pool_id = one.record.journal_pool_id
        return pool_id is not None and pool_id == self._view.context.store.pool_id

    def _behind(self, one: _Recorded) -> Behind:
        return behind_record(self._view.inventory, one.schema, one.uuid, one.record)

    def _again(self, schema: AnySchema, suspects: list[_Suspect]) -> Iterator[Finding]:
        by_uuid = {unpacked_uuid(suspect[0]): suspect for suspect in suspects}
        for uuid, record in self._view.records(schema).read_records(by_uuid):
            _, instance_id, entered, kind = by_uuid[uuid]
            if not isinstance(record, ImageRecord) or not record.populated:
                continue
            one = _Recorded(schema, uuid, record, instance_id, entered)
            if self._contradiction(one) is not kind:
                continue
            since_ns = self._changed_ns(one)
            if since_ns is None or not self._view.is_young(since_ns):
                yield self._finding(one, kind)
            elif entered:
                self._count_pending(one, kind, since_ns)

    def _changed_ns(self, one: _Recorded) -> int | None:
        """When somebody last worked on the record, its image or what is left of that."""
        inventory = self._view.inventory
        image = inventory.image(one.image_name)
        moments = [
            self._view.modified_ns(one.schema, one.uuid, one.record),
            inventory.named_ns(image) if image else None,
            *(entry.deleted_ns for entry in inventory.trashed(one.image_name)),
        ]
        return max((each for each in moments if each is not None), default=None)

    def _count_pending(self, one: _Recorded, kind: FindingKind, since_ns: int) -> None:
        grace = self._view.context.grace
        self._view.context.summary.count_pending(
            Pending(
                one.schema.record_object(one.uuid),
                one.instance_id,
                one.record.request_name,
                one.uuid,
                "no image" if kind is FindingKind.IMAGE_MISSING else "a new image",
                age_seconds=max(0, grace.age_ns(since_ns)) / NANOSECONDS,
                look_again=Timestamp(since_ns + grace.grace_ns),
                journal=one.schema.journal,
            )
        )

    def _finding(self, one: _Recorded, kind: FindingKind) -> Finding:
        image_id = self._view.inventory.id_of(one.image_name)
        thing = f"image {printable(one.image_name)}"
        if kind is FindingKind.IMAGE_MISSING:
            key, found = IMAGE_NAME_KEY, self._where_it_is(one)
        elif kind is FindingKind.IMAGE_ID_DIFFERS:
            key = IMAGE_ID_KEY
            found = f"is {shortened(one.record.image_id or '')}, and the image's id is {image_id}"
        else:
            key, found = IMAGE_ID_KEY, f"missing; RBD's directory says {image_id}"
        return self._view.context.finding_of(
            kind,
            one.schema,
            one.uuid,
            found,
            instance_id=one.instance_id,
            request_name=one.record.request_name,
            key=key,
            thing=f"{thing} (id {image_id})" if image_id else thing,
            certain=kind is FindingKind.MISSING_ATTRIBUTE,
        )

    def _where_it_is(self, one: _Recorded) -> str:
        """What became of the image of this name, with what brings it back."""
        trashed = self._view.inventory.trashed(one.image_name)
        told = [self._in_trash(entry) for entry in _likeliest(trashed, one.record.image_id)]
        others = (it.name for it in self._behind(one).things if it.name != one.image_name)
        told += [
            f"a clone that was not finished left {name}"
            if name == one.image_name + TEMPORARY_SUFFIX
            else f"image {printable(name)} ends in its UUID"
            for name in others
        ]
        return "; ".join(told) or "no such image, and none in the trash"

    def _in_trash(self, entry: TrashEntry) -> str:
        return (
            f"it is in the trash since {moment(entry.deleted_ns)};"
            f" to restore it: rbd trash restore {self._view.by_id(entry.image_id)}"
        )


def _likeliest(entries: Iterable[TrashEntry], image_id: str | None) -> list[TrashEntry]:
    """The one with the record's id, where there is one; else all, the latest first."""
    ordered = sorted(entries, key=lambda entry: -entry.deleted_ns)
    return [entry for entry in ordered if entry.image_id == image_id] or ordered
