"""The objects by which Ceph-CSI counts who uses the snapshot behind shallow CephFS volumes.

    rt-backingsnapshot-<snapshot handle>
        data    4 bytes, big-endian: how many references are normal
        xattr   csi.ceph.com/rt-version: 4 bytes, big-endian, 1
        omap    the snapshot's handle, and the name of each shallow volume,
                each with one byte: 1 normal, 2 masked

The driver deletes the snapshot when the count reaches 0.  It masks the
snapshot's own key when a user deletes a snapshot that volumes still read
(Ceph-CSI, internal/cephfs/store and internal/util/reftracker).  These objects
are not a journal's; csijournal only reads them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "rt-backingsnapshot-"
VERSION_ATTRIBUTE = "csi.ceph.com/rt-version"
KNOWN_VERSION = 1

_NUMBER_BYTES = 4


class ReferenceType(enum.IntEnum):
    """What the value of a key says."""

    NORMAL = 1
    MASKED = 2


@dataclass(frozen=True)
class BackingReferences:
    """One such object: who refers to the snapshot with this handle.

    `count` and `version` are None where their bytes are not such a number;
    `references` has those keys whose value is known, `unreadable` the others.
    """

    snapshot_handle: str
    count: int | None
    version: int | None
    references: Mapping[str, ReferenceType] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls, object_name: str, data: bytes, version: bytes | None, entries: Mapping[str, bytes]
    ) -> BackingReferences:
        """What the object holds; `version` None where it has no such xattr.

        Raises ValueError for the name of another object.
        """
        handle = object_name.removeprefix(PREFIX)
        if handle == object_name:
            raise ValueError(f"{object_name!r} does not start with {PREFIX}")
        known = {bytes([kind]): kind for kind in ReferenceType}
        return cls(
            handle,
            _number(data),
            _number(version or b""),
            {key: known[value] for key, value in entries.items() if value in known},
            tuple(sorted(key for key, value in entries.items() if value not in known)),
        )

    @property
    def volumes(self) -> list[str]:
        """The names of the shallow volumes that are counted."""
        return sorted(self._keys(ReferenceType.NORMAL) - {self.snapshot_handle})

    @property
    def normal(self) -> int:
        """How many references are normal, which is what `count` should say."""
        return len(self._keys(ReferenceType.NORMAL))

    @property
    def is_snapshot_deleted(self) -> bool:
        """Whether a user deleted the snapshot, which stays for its volumes."""
        return self.references.get(self.snapshot_handle) is ReferenceType.MASKED

    @property
    def disagreements(self) -> list[str]:
        """What contradicts itself, one sentence each; [] where the object is consistent.

        Whether the records agree with it is for the caller to compare.
        """
        found = []
        if self.version != KNOWN_VERSION:
            found.append(f"its version is {_shown(self.version)}, and {KNOWN_VERSION} is known")
        if self.count != self.normal:
            found.append(f"it counts {_shown(self.count)} references and has {self.normal}")
        if self.snapshot_handle not in self.references:
            found.append("it has no key for the snapshot itself")
        if self.unreadable:
            found.append(f"{len(self.unreadable)} of its keys have a value that is not known")
        return found

    def _keys(self, kind: ReferenceType) -> set[str]:
        return {key for key, found in self.references.items() if found is kind}


def object_name(snapshot_handle: str) -> str:
    """The object that counts the references to this snapshot."""
    return PREFIX + snapshot_handle


def _number(data: bytes) -> int | None:
    return int.from_bytes(data, "big") if len(data) == _NUMBER_BYTES else None


def _shown(number: int | None) -> str:
    return "unreadable" if number is None else str(number)
