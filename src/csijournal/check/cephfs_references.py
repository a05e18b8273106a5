"""Shallow CephFS volumes, beside the objects that count who uses the snapshots behind them.

The driver writes the volume's record first and the reference after that, and
removes them in the opposite order; a call for a volume that exists never adds a
missing reference.  Without it the snapshot can be deleted under the volume.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from csijournal.check.catalog import FindingKind
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.record_lookup import RecordLookup
from csijournal.errors import StoreError, printable
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.contract import NotCompared, Snapshot
from csijournal.wire.backing_references import BackingReferences, object_name
from csijournal.wire.records import VolumeRecord
from csijournal.wire.schema import SNAPSHOTS, VOLUMES, AnySchema
from csijournal.wire.text import number_of, shortened
from csijournal.wire.uuids import ending_uuid, packed_uuid, unpacked_uuid

_NAMED_MAX = 3
"""How many volumes a finding names; their number is told."""

_PACKED_BYTES = 16
"""Of a UUID."""


class _Problems(NamedTuple):
    """What contradicts itself: about the object, and which volumes it misses or should not have."""

    of_object: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    stray: frozenset[str] = frozenset()

    def and_still(self, now: _Problems) -> _Problems:
        """What stood before and stands now."""
        return _Problems(
            self.of_object & now.of_object, self.missing & now.missing, self.stray & now.stray
        )


class ReferenceComparison(Comparison):
    """Whether records, references and the snapshot agree, for each snapshot that is used.

    At full depth all reference objects are looked at, else those that a record
    names.  Memory is 16 bytes for each shallow volume.
    """

    def __init__(self, context: Context, inventory: CephFSInventory, records: RecordLookup) -> None:
        self._context = context
        self._inventory = inventory
        self._records = records
        self._volumes: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._used: set[str] = set()
        self._suspects: dict[str, _Problems] = {}

    def look(self, seen: RecordSeen) -> None:
        record = seen.record
        if isinstance(record, VolumeRecord) and record.backing_snapshot_id:
            handle = record.backing_snapshot_id
            self._volumes[handle] += packed_uuid(seen.uuid)
            self._used.add(ending_uuid(handle) or "")

    def uses(self, snapshot_uuid: str) -> bool:
        """Whether shallow volumes, or the object that counts them, name this snapshot."""
        return snapshot_uuid in self._used

    def look_around(self) -> None:
        for handle in self._all_handles():
            self._used.add(ending_uuid(handle) or "")
            volumes = {unpacked_uuid(packed) for packed in _cut(self._volumes.get(handle, b""))}
            references = self._inventory.references_of(handle)
            if isinstance(references, NotCompared):
                continue
            counted = _counted(references)
            if volumes != counted or self._of_object(handle, references):
                problems = self._problems(handle, volumes | counted)
                if any(problems):
                    self._suspects[handle] = problems

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def look_again(self) -> Iterator[Finding]:
        for handle, before in self._suspects.items():
            now = self._problems(handle, before.missing | before.stray)
            standing = before.and_still(now)
            if any(standing):
                yield self._finding(handle, standing)

    def _all_handles(self) -> Iterator[str]:
        """Those that records name, and at full depth those that have an object."""
        yield from self._volumes
        if not self._context.full:
            return
        try:
            for references in self._inventory.references():
                handle = references.snapshot_handle
                if handle not in self._volumes and ending_uuid(handle):
                    yield handle
        except StoreError as error:
            what = f"references of shallow CephFS volumes not compared: {error.message}"
            self._context.summary.note_not_looked_at(what)

    def _problems(self, handle: str, uuids: Collection[str]) -> _Problems:
        """How the object of the snapshot and the records of these volumes disagree, read anew."""
        references = self._inventory.references_of(handle)
        if isinstance(references, NotCompared):
            return _Problems()
        counted = _counted(references)
        naming = {
            uuid
            for uuid, record in self._records.read(VOLUMES, sorted({*uuids, *counted}))
            if record is not None
            and record.backing_snapshot_id == handle
            and (uuid in counted or not self._records.is_young(VOLUMES, uuid, record))
        }
        if references is None and not naming:
            return _Problems()  # the last volume was deleted
        of_object = self._of_object(handle, references)
        return _Problems(of_object, frozenset(naming - counted), frozenset(counted - naming))

    def _of_object(self, handle: str, references: BackingReferences | None) -> frozenset[str]:
        """What is wrong with the object and the snapshot, whatever the volumes say."""
        problems = ["there is no such object"]
        if references is not None:
            problems = references.disagreements
            others = [name for name in references.volumes if not ending_uuid(name)]
            problems += [f"it counts {shortened(name)}, not a volume" for name in others[:1]]
        snapshot_uuid = ending_uuid(handle)
        if snapshot_uuid is None:
            problems.append("what the volumes name is not the handle of a snapshot")
        elif self._records.without(SNAPSHOTS, [snapshot_uuid]):
            problems.append("the snapshot has no record")
        return frozenset(problems)

    def _finding(self, handle: str, problems: _Problems) -> Finding:
        found = sorted(problems.of_object)
        if problems.missing:
            found.append(
                f"it does not count {_named(problems.missing)}, by whose records it should"
            )
        if problems.stray:
            found.append(f"it counts {_named(problems.stray)}, of which no record says so")
        uuid = ending_uuid(handle)
        schema: AnySchema = SNAPSHOTS
        if uuid is None:  # records name it, and one of them has to stand for it
            schema, uuid = VOLUMES, unpacked_uuid(next(_cut(self._volumes[handle])))
        return self._context.finding_of(
            FindingKind.BACKING_REFERENCES,
            schema,
            uuid,
            "; ".join(found),
            thing=f"reference object {printable(object_name(handle))}",
        )


class SnapshotOwners:
    """Which snapshots of subvolumes are needed: those with a record, and those that are used."""

    def __init__(self, records: RecordLookup, references: ReferenceComparison) -> None:
        self._records = records
        self._references = references

    def without(self, uuids: Iterable[str]) -> set[str]:
        """Those of `uuids` that neither a record nor a shallow volume names.  Raises StoreError."""
        unused = (uuid for uuid in uuids if not self._references.uses(uuid))
        return self._records.without(SNAPSHOTS, unused)

    def count(self, snapshots: Iterable[Snapshot]) -> int:
        """How many of these are needed.  Raises StoreError."""
        uuids = {uuid for one in snapshots if (uuid := ending_uuid(one.name))}
        return len(uuids - self.without(uuids))


def _counted(references: BackingReferences | None) -> set[str]:
    """The UUIDs of the volumes that the object counts."""
    names = [] if references is None else references.volumes
    return {uuid for uuid in map(ending_uuid, names) if uuid}


def _cut(packed: bytes | bytearray) -> Iterator[bytes]:
    return (
        bytes(packed[start : start + _PACKED_BYTES])
        for start in range(0, len(packed), _PACKED_BYTES)
    )


def _named(uuids: Collection[str]) -> str:
    """How many volumes, and some of them by name."""
    names = sorted(uuids)
    text = ", ".join(names[:_NAMED_MAX]) + (", …" if len(names) > _NAMED_MAX else "")
    return f"{number_of(len(names), 'volume')} ({text})"
