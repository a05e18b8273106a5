"""What the journals answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from csijournal.wire.entries import Target
from csijournal.wire.timestamps import Timestamp

ReservationT = TypeVar("ReservationT")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class EnsureResult(Generic[ReservationT]):
    """A reservation, and whether this call made it."""

    reservation: ReservationT
    created: bool


@dataclass(frozen=True, slots=True)
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
