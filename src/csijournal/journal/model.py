"""What the journal answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from csijournal.wire.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class Reservation:
    """One volume group: a request name, the UUID that it got, and its members.

    `volume_map` maps each member's key to its value: volume handle to snapshot
    handle, or whatever the driver stores.  `creation_time` is None where the
    group object has none that can be read.
    """

    request_name: str
    group_uuid: str
    group_name: str
    creation_time: Timestamp | None
    volume_map: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnsureResult:
    """A reservation, and whether this call made it."""

    reservation: Reservation
    created: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a directory: a request name and the UUID that it points at.

    `group_uuid` is None where the entry holds no UUID; `value` has what it
    holds instead.
    """

    request_name: str
    group_uuid: str | None
    value: str
