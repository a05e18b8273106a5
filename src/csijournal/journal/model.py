"""What the journals answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from csijournal.wire.entries import Target
from csijournal.wire.timestamps import Timestamp

ReservationT = TypeVar("ReservationT")


@dataclass(frozen=True)
class Reservation:
    """One volume group: a request name, the UUID that it got, and its members.

    `volume_map` maps each member's key to its value: volume handle to snapshot
    handle, or whatever the driver stores.  `creation_time` is None where the
    record has none that can be read.
    """

    request_name: str
    group_uuid: str
    group_name: str
    creation_time: Timestamp | None
    volume_map: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ImageReservation:
    """What the record of a volume or of a snapshot says.

    `image_name` is the name of the RBD image, the subvolume or its snapshot,
    and `image_id` the RBD image's id, once that was put.  `owner` is the
    Kubernetes namespace of the claim.  `source_name` names the image or
    subvolume that a snapshot is of, and `backing_snapshot_id` is the handle of
    the snapshot that a shallow CephFS volume reads.  `journal_pool_id` is the
    id of the pool that the entry lies in, where that is another one; None
    where the record does not say, or not in 16 hex digits.  `attributes` are
    further keys without their `csi.`.  A text that is missing is empty.
    """

    uuid: str
    request_name: str
    image_name: str
    image_id: str = ""
    owner: str = ""
    kms_id: str = ""
    encryption_type: str = ""
    group_id: str = ""
    source_name: str = ""
    backing_snapshot_id: str = ""
    journal_pool_id: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)


class VolumeReservation(ImageReservation):
    """One volume: a request name, the UUID that it got, and what its record says."""

    __slots__ = ()


class SnapshotReservation(ImageReservation):
    """One snapshot: a request name, the UUID that it got, and what its record says."""

    __slots__ = ()


@dataclass(frozen=True)
class EnsureResult(Generic[ReservationT]):
    """A reservation, and whether this call made it."""

    reservation: ReservationT
    created: bool


@dataclass(frozen=True)
class Entry:
    """One line of a directory: a request name and the UUID that it points at.

    `uuid` is None where the entry holds anything else; `value` has what it
    holds, and `target` what that leads to.
    """

    request_name: str
    uuid: str | None
    value: str
    target: Target | None = field(default=None, compare=False)

    @property
    def group_uuid(self) -> str | None:
        """The same UUID, of a group."""
        return self.uuid
