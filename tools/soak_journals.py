"""The three journals as a soak loads them: reservations under names, with members.

Volumes and snapshots have no members.  Further attributes of their records stand for them: a client
puts one at a time, and there is no call that takes one out again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csijournal import (
    Recovery,
    Reservation,
    SnapshotJournal,
    Store,
    VolumeGroupJournal,
    VolumeJournal,
)
from csijournal.journal.model import ImageReservation
from csijournal.wire.schema import GROUPS, SCHEMAS, SNAPSHOTS, VOLUMES, JournalSchema

SOURCE = "csi-vol-source"
"""What every snapshot is of."""

MEMBER_MARK = "/"
"""Every member's id has one, and no attribute of a journal's own."""


@dataclass(frozen=True)
class Seen:
    """A reservation as a client was told of it."""

    uuid: str
    members: Mapping[str, str]


class Driven(ABC):
    """One journal, with the calls that a client makes."""

    members_at_once_max = 4
    removes = True

    @abstractmethod
    def ensure(self, name: str) -> tuple[Seen, bool]: ...
    @abstractmethod
    def reserve(self, name: str) -> Seen: ...
    @abstractmethod
    def check(self, name: str) -> Seen | None: ...
    @abstractmethod
    def add(self, name: str, uuid: str, members: Mapping[str, str]) -> None: ...
    @abstractmethod
    def remove(self, uuid: str, member: str) -> None: ...
    @abstractmethod
    def undo(self, name: str, uuid: str) -> None: ...
    @abstractmethod
    def recover(self, older_than_seconds: float) -> Recovery: ...
    @abstractmethod
    def close(self) -> None: ...


class Groups(Driven):
    """The journal of groups."""

    def __init__(self, store: Store, **options: Any) -> None:  # noqa: ANN401 - the journal's own
        self._journal = VolumeGroupJournal(store, **options)

    def ensure(self, name: str) -> tuple[Seen, bool]:
        ensured = self._journal.ensure_reservation(name)
        return _of_group(ensured.reservation), ensured.created

    def reserve(self, name: str) -> Seen:
        return _of_group(self._journal.reserve_name(name))

    def check(self, name: str) -> Seen | None:
        found = self._journal.check_reservation(name)
        return None if found is None else _of_group(found)

    def add(self, name: str, uuid: str, members: Mapping[str, str]) -> None:
        del name
        self._journal.add_volumes_mapping(uuid, dict(members))

    def remove(self, uuid: str, member: str) -> None:
        self._journal.remove_volumes_mapping(uuid, [member])

    def undo(self, name: str, uuid: str) -> None:
        self._journal.undo_reservation(f"csi-vol-group-{uuid}", name)

    def recover(self, older_than_seconds: float) -> Recovery:
        return self._journal.recover(older_than_seconds)

    def close(self) -> None:
        self._journal.close()


class Images(Driven):
    """The journal of volumes or of snapshots, of a driver behind whose records nothing is."""

    members_at_once_max = 1
    removes = False

    def __init__(
        self,
        store: Store,
        kind: type[VolumeJournal | SnapshotJournal],
        **options: Any,  # noqa: ANN401 - the journal's own
    ) -> None:
        self._journal: Any = kind(store, stands_behind=lambda *_: False, **options)
        self._source = {"source_name": SOURCE} if kind is SnapshotJournal else {}

    def ensure(self, name: str) -> tuple[Seen, bool]:
        ensured = self._journal.ensure_reservation(name, **self._source)
        return _of_image(ensured.reservation), ensured.created

    def reserve(self, name: str) -> Seen:
        return _of_image(self._journal.reserve_name(name, **self._source))

    def check(self, name: str) -> Seen | None:
        found = self._journal.check_reservation(name, **self._source)
        return None if found is None else _of_image(found)

    def add(self, name: str, uuid: str, members: Mapping[str, str]) -> None:
        ((member, value),) = members.items()
        self._journal.put_attribute(uuid, name, member, value)

    def remove(self, uuid: str, member: str) -> None:
        raise NotImplementedError

    def undo(self, name: str, uuid: str) -> None:
        self._journal.undo_reservation(f"csi-vol-{uuid}", name)

    def recover(self, older_than_seconds: float) -> Recovery:
        found: Recovery = self._journal.recover(older_than_seconds)
        return found

    def close(self) -> None:
        self._journal.close()


def drive(journal: str, store: Store, **options: Any) -> Driven:  # noqa: ANN401 - the journal's own
    """The journal of this name on `store`."""
    if journal == GROUPS.journal:
        return Groups(store, **options)
    kinds = {VOLUMES.journal: VolumeJournal, SNAPSHOTS.journal: SnapshotJournal}
    return Images(store, kinds[journal], **options)


def schema_of(journal: str) -> JournalSchema[Any]:
    """What the journal of this name calls its objects and keys."""
    return next(schema for schema in SCHEMAS if schema.journal == journal)


def as_group(schema: JournalSchema[Any], omap: Mapping[str, str]) -> dict[str, str]:
    """A record's omap in the form of a group's: its request name, members by their own ids."""
    names = {schema.name_key: GROUPS.name_key}
    return {
        key.removeprefix("csi.") if MEMBER_MARK in key else names.get(key, key): value
        for key, value in omap.items()
    }


def _of_group(reservation: Reservation) -> Seen:
    return Seen(reservation.group_uuid, reservation.volume_map)


def _of_image(reservation: ImageReservation) -> Seen:
    attributes = reservation.attributes.items()
    members = {member: value for member, value in attributes if MEMBER_MARK in member}
    return Seen(reservation.uuid, members)
