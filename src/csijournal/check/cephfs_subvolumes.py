"""CephFS volumes beside the subvolumes of their group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from csijournal.check.catalog import FindingKind
from csijournal.check.cephfs_references import SnapshotOwners
from csijournal.check.claims import has_driver_keys, lowered_to, made_for
from csijournal.check.commands import attach_image
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.record_lookup import DriverNames, RecordLookup
from csijournal.errors import printable
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.cephfs_details import SubvolumeDetails
from csijournal.inventory.contract import Role, Thing, ThingKind
from csijournal.inventory.names import driver_name
from csijournal.wire.records import ImageRecord, VolumeRecord
from csijournal.wire.schema import VOLUMES
from csijournal.wire.text import number_of
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import packed_uuid, unpacked_uuid


class SubvolumeComparison(Comparison):
    """Volumes without a subvolume, and subvolumes without a volume.

    The names of all subvolumes come at once; only those without a record are
    asked about.  Of a record nobody points at the journal's own check tells
    whether anything stands behind it.
    """

    def __init__(
        self,
        context: Context,
        inventory: CephFSInventory,
        records: RecordLookup,
        owners: SnapshotOwners,
    ) -> None:
        self._context = context
        self._inventory = inventory
        self._records = records
        self._owners = owners
        self._names = DriverNames(VOLUMES)
        self._missing: dict[bytes, str] = {}
        self._unrecorded: dict[str, Thing] = {}

    def look(self, seen: RecordSeen) -> None:
        record = seen.record
        if not isinstance(record, VolumeRecord):
            return
        self._names.learn(seen.uuid, record)
        if seen.entered and self._is_missing(seen.uuid, record):
            self._missing[packed_uuid(seen.uuid)] = seen.instance_id

    def look_around(self) -> None:
        if self._context.full:
            for packed in self._retained_under_record():
                self._missing.setdefault(packed, "")
        standing = self._standing_missing(self._missing)
        self._missing = {
            packed_uuid(uuid): self._missing[packed_uuid(uuid)] for uuid, _ in standing
        }
        things = self._inventory.things(ThingKind.SUBVOLUME)
        self._unrecorded = {found.thing.name: found.thing for _, found in self._left(things)}

    @property
    def has_suspects(self) -> bool:
        return bool(self._missing or self._unrecorded)

    def is_unrecorded(self, name: str) -> bool:
        """Whether this subvolume has no record; its snapshots are told with it."""
        return name in self._unrecorded

    def look_again(self) -> Iterator[Finding]:
        for uuid, record in self._standing_missing(self._missing):
            yield self._context.finding_of(
                FindingKind.SUBVOLUME_MISSING,
                VOLUMES,
                uuid,
                self._told_missing(uuid, record),
                instance_id=self._missing[packed_uuid(uuid)],
                request_name=record.request_name,
                thing=f"subvolume {printable(_name_of(uuid, record))}",
            )
        for uuid, details in self._left(self._unrecorded.values()):
            yield self._context.finding_of(
                FindingKind.SUBVOLUME_WITHOUT_RECORD,
                VOLUMES,
                uuid,
                self._told(details),
                thing=f"subvolume {printable(details.thing.name)}",
                size_bytes=details.size_bytes,
                lowered_to=lowered_to(details.thing.name, details.metadata),
                commands=(attach_image(VOLUMES.journal, uuid),),
            )

    # Records without a subvolume

    def _is_missing(self, uuid: str, record: ImageRecord) -> bool:
        """Whether it is certain that the record's subvolume is not there.

        A shallow volume has none, and a record that does not say whose it is
        was never finished.
        """
        if not record.populated or record.backing_snapshot_id:
            return False
        return self._inventory.behind(Role.VOLUME, uuid, _name_of(uuid, record)).is_nothing

    def _retained_under_record(self) -> Iterator[bytes]:
        """Volumes whose subvolume was deleted, and stays for its snapshots: UUIDs, packed.

        One that has no snapshot is not retained, so that only the others are asked.
        """
        for thing in self._inventory.things(ThingKind.SUBVOLUME):
            parts = driver_name(thing.name)
            if parts is None or not self._context.is_known(VOLUMES, parts.uuid):
                continue
            if self._inventory.snapshots_of(thing.name).things and self._is_retained(thing):
                yield packed_uuid(parts.uuid)

    def _is_retained(self, thing: Thing) -> bool:
        details = self._inventory.details(thing)
        return isinstance(details, SubvolumeDetails) and details.is_retained

    def _is_gone(self, uuid: str, record: ImageRecord) -> bool:
        """Whether the record's subvolume is not there, or was deleted and retained."""
        if self._is_missing(uuid, record):
            return True
        if not record.populated or record.backing_snapshot_id:
            return False
        found = self._inventory.behind(Role.VOLUME, uuid, _name_of(uuid, record)).things
        return bool(found) and all(map(self._is_retained, found))

    def _told_missing(self, uuid: str, record: ImageRecord) -> str:
        if self._is_missing(uuid, record):
            return f"no subvolume of this name in filesystem {self._inventory.filesystem}"
        return "the subvolume was deleted, and is only kept for its snapshots"

    def _standing_missing(
        self, suspects: Mapping[bytes, str]
    ) -> Iterator[tuple[str, VolumeRecord]]:
        """Those suspects that are so still, and old."""
        for uuid, record in self._records.read(VOLUMES, map(unpacked_uuid, list(suspects))):
            if record is None or not self._is_gone(uuid, record):
                continue
            if not self._records.is_young(VOLUMES, uuid, record, suspects[packed_uuid(uuid)]):
                yield uuid, record

    # Subvolumes without a record

    def _left(self, things: Iterable[Thing]) -> Iterator[tuple[str, SubvolumeDetails]]:
        """Those that have no record, nor any other reason to be there."""
        named = [(uuid, thing) for thing in things if (uuid := self._unknown_uuid(thing.name))]
        without = self._records.without(VOLUMES, (uuid for uuid, _ in named))
        for uuid, thing in named:
            if uuid in without:
                details = self._inventory.details(thing)
                if isinstance(details, SubvolumeDetails) and self._is_left(details):
                    yield uuid, details

    def _unknown_uuid(self, name: str) -> str | None:
        """The UUID in the name, unless its record was read, or it may be anybody's name."""
        parts = driver_name(name)
        if parts is None or not parts.prefix or parts.is_temporary:
            return None
        return None if self._context.is_known(VOLUMES, parts.uuid) else parts.uuid

    def _is_left(self, details: SubvolumeDetails) -> bool:
        """Whether it is the driver's, old, and not kept for anything.

        A clone that is being made is left out: it does not tell its age.
        """
        created_ns = details.created_ns
        if details.is_pending or (created_ns and not self._context.grace.is_over(created_ns)):
            return False
        if details.is_retained and self._owners.count(details.snapshots):
            return False
        return self._names.is_one(details.thing.name) or has_driver_keys(details.metadata)

    def _told(self, details: SubvolumeDetails) -> str:
        where = f"group {details.thing.within} of filesystem {self._inventory.filesystem}"
        parts = [f"in {where}, state {details.state}"]
        if details.created_ns:
            parts.append(f"made {Timestamp(details.created_ns)}")
        if details.used_bytes is not None:
            parts.append(f"{details.used_bytes:,} bytes in it")
        if details.snapshots:
            needed = self._owners.count(details.snapshots)
            count = len(details.snapshots)
            parts.append(f"{number_of(count, 'snapshot')}, {needed} with a record")
        parts.append(made_for(details.metadata))
        return f"{', '.join(filter(None, parts))}; no record in {self._records.namespaces}"


def _name_of(uuid: str, record: ImageRecord) -> str:
    return record.image_name or VOLUMES.make_image_name("", uuid)
