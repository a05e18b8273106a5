"""CephFS snapshots beside the snapshots of the subvolumes that they are of.

Two kinds of subvolume snapshots are the driver's: that of a CSI snapshot,
called after its record, and the one that it clones a volume from, called after
the new volume and removed when that is complete.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from csijournal.check.catalog import FindingKind
from csijournal.check.cephfs_references import SnapshotOwners
from csijournal.check.cephfs_subvolumes import SubvolumeComparison
from csijournal.check.claims import has_driver_keys, lowered_to, made_for
from csijournal.check.commands import attach_image
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.record_lookup import DriverNames, RecordLookup
from csijournal.errors import printable
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.cephfs_details import (
    COMPLETE,
    SubvolumeDetails,
    SubvolumeSnapshotDetails,
)
from csijournal.inventory.contract import Role, Thing, ThingKind
from csijournal.inventory.names import driver_name
from csijournal.wire.records import ImageRecord, SnapshotRecord, VolumeRecord
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from csijournal.wire.text import shortened
from csijournal.wire.uuids import ending_uuid, packed_uuid, unpacked_uuid


class SnapshotComparison(Comparison):
    """Snapshots without a subvolume snapshot, and subvolume snapshots without a snapshot.

    Asked about are the subvolumes that records name, a question for each; at
    full depth all of the group.
    """

    def __init__(
        self,
        context: Context,
        inventory: CephFSInventory,
        records: RecordLookup,
        owners: SnapshotOwners,
        subvolumes: SubvolumeComparison,
    ) -> None:
        self._context = context
        self._inventory = inventory
        self._records = records
        self._owners = owners
        self._subvolumes = subvolumes
        self._names = DriverNames(SNAPSHOTS)
        self._volume_names = DriverNames(VOLUMES)
        self._by_source: defaultdict[str, list[tuple[bytes, str]]] = defaultdict(list)
        self._missing: dict[bytes, str] = {}
        self._unrecorded: list[Thing] = []

    def look(self, seen: RecordSeen) -> None:
        record = seen.record
        if isinstance(record, VolumeRecord):
            self._volume_names.learn(seen.uuid, record)
        if not isinstance(record, SnapshotRecord):
            return
        self._names.learn(seen.uuid, record)
        if record.source_name and record.populated:
            of_source = self._by_source[record.source_name]
            if seen.entered:
                of_source.append((packed_uuid(seen.uuid), seen.instance_id))

    def look_around(self) -> None:
        for source, snapshots in self._by_source.items():
            for packed, instance_id in snapshots:
                if self._is_missing(unpacked_uuid(packed), source):
                    self._missing[packed] = instance_id
        standing = self._standing_missing()
        self._missing = {
            packed_uuid(uuid): self._missing[packed_uuid(uuid)] for uuid, _ in standing
        }
        if self._context.looks_at(VOLUMES):  # who uses a snapshot is in the volumes' records
            self._unrecorded = [found.thing for _, found in self._left(self._things())]

    @property
    def has_suspects(self) -> bool:
        return bool(self._missing or self._unrecorded)

    def look_again(self) -> Iterator[Finding]:
        for uuid, record in self._standing_missing():
            yield from self._missing_finding(uuid, record)
        for uuid, details in self._left(self._unrecorded):
            yield self._left_finding(uuid, details)

    # Records without a subvolume snapshot

    def _is_missing(self, uuid: str, source: str, name: str = "") -> bool:
        """Whether it is certain that the subvolume `source` has no snapshot of this record."""
        return self._inventory.behind(Role.SNAPSHOT, uuid, name, within=source).is_nothing

    def _standing_missing(self) -> Iterator[tuple[str, SnapshotRecord]]:
        """Those suspects that are so still, and old."""
        for uuid, record in self._records.read(SNAPSHOTS, map(unpacked_uuid, list(self._missing))):
            if record is None or not record.populated or not record.source_name:
                continue
            if not self._is_missing(uuid, record.source_name, record.image_name or ""):
                continue
            if not self._records.is_young(
                SNAPSHOTS, uuid, record, self._missing[packed_uuid(uuid)]
            ):
                yield uuid, record

    def _missing_finding(self, uuid: str, record: SnapshotRecord) -> Iterator[Finding]:
        source = record.source_name or ""
        found = f"subvolume {shortened(source)} has no such snapshot"
        if self._inventory.subvolume(source).is_nothing:
            found = f"its subvolume {shortened(source)} does not exist"
            volumes = self._records.read(VOLUMES, filter(None, [ending_uuid(source)]))
            if any(volume is None for _, volume in volumes):
                return  # the comparison of records says that its source is missing
        yield self._context.finding_of(
            FindingKind.SNAPSHOT_MISSING,
            SNAPSHOTS,
            uuid,
            found,
            instance_id=self._missing[packed_uuid(uuid)],
            request_name=record.request_name,
            thing=f"subvolume snapshot {_name_of(uuid, record)}",
        )

    # Subvolume snapshots without a record

    def _things(self) -> Iterator[Thing]:
        for source in self._by_source:
            yield from self._inventory.snapshots_of(source).things
        if self._context.full:
            for thing in self._inventory.things(ThingKind.SUBVOLUME_SNAPSHOT):
                if thing.within not in self._by_source:
                    yield thing

    def _left(self, things: Iterable[Thing]) -> Iterator[tuple[str, SubvolumeSnapshotDetails]]:
        """Those that neither a snapshot, nor a shallow volume, nor a clone has use for."""
        named = [(uuid, thing) for thing in things if (uuid := self._unknown_uuid(thing))]
        without = self._owners.without(uuid for uuid, _ in named)
        without_volume = self._records.without(VOLUMES, without)
        for uuid, thing in named:
            if uuid not in without:
                continue
            if uuid in without_volume or self._is_cloned(uuid, thing.name):
                details = self._inventory.details(thing)
                if isinstance(details, SubvolumeSnapshotDetails) and self._is_left(details):
                    yield uuid, details

    def _unknown_uuid(self, thing: Thing) -> str | None:
        """The UUID in the name, unless its record was read, or it may be anybody's name.

        What is said of a subvolume without a record tells of its snapshots, too.
        """
        parts = driver_name(thing.name)
        if parts is None or not parts.prefix or parts.is_temporary:
            return None
        if self._context.is_known(SNAPSHOTS, parts.uuid):
            return None
        return None if self._subvolumes.is_unrecorded(thing.within) else parts.uuid

    def _is_cloned(self, uuid: str, name: str) -> bool:
        """Whether the volume that was cloned from a snapshot of its name was complete long ago.

        The driver removes the snapshot at the call after that, minutes later.
        """
        for thing in self._inventory.behind(Role.VOLUME, uuid, name).things:
            details = self._inventory.details(thing)
            if isinstance(details, SubvolumeDetails) and details.state == COMPLETE:
                changed_ns = details.changed_ns
                return changed_ns is not None and self._context.grace.is_over(changed_ns)
        return False

    def _is_left(self, details: SubvolumeSnapshotDetails) -> bool:
        """Whether it is the driver's, and nobody is at work on it."""
        name = details.thing.name
        known = self._names.is_one(name) or self._volume_names.is_one(name)
        if details.has_pending_clones or not (known or has_driver_keys(details.metadata)):
            return False
        # The manager does not tell the age of a snapshot; that of a young subvolume is young.
        for thing in self._inventory.subvolume(details.thing.within).things:
            subvolume = self._inventory.details(thing)
            if isinstance(subvolume, SubvolumeDetails):
                created_ns = subvolume.created_ns
                return created_ns is None or self._context.grace.is_over(created_ns)
        return False

    def _left_finding(self, uuid: str, details: SubvolumeSnapshotDetails) -> Finding:
        thing = details.thing
        is_of_clone = self._volume_names.is_one(thing.name) and not self._names.is_one(thing.name)
        groups = [one.within for one in self._inventory.subvolume(thing.within).things]
        where = "".join(f"group {group} of " for group in groups if group)
        parts = [f"in {where}filesystem {self._inventory.filesystem}"]
        if is_of_clone:
            parts.append(f"made to clone volume {uuid} from, and not removed after that")
        parts.append(made_for(details.metadata))
        found = ", ".join(filter(None, parts))
        if not is_of_clone:
            found += f"; no record in {self._records.namespaces}"
        return self._context.finding_of(
            FindingKind.SNAPSHOT_WITHOUT_RECORD,
            VOLUMES if is_of_clone else SNAPSHOTS,
            uuid,
            found,
            thing=str(thing),
            lowered_to=lowered_to(details.thing.name, details.metadata),
            commands=() if is_of_clone else (attach_image(SNAPSHOTS.journal, uuid),),
        )


def _name_of(uuid: str, record: ImageRecord) -> str:
    return printable(record.image_name or SNAPSHOTS.make_image_name("", uuid))
