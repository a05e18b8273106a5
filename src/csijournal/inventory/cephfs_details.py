"""What the manager tells of one subvolume or one snapshot of a subvolume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

from csijournal.errors import StoreBusy, StoreError
from csijournal.inventory.cephfs_manager import Manager, NotInFilesystem
from csijournal.inventory.contract import Details, NotCompared, Snapshot, Thing
from csijournal.wire.backing_references import BackingReferences
from csijournal.wire.timestamps import NANOSECONDS

COMPLETE = "complete"
RETAINED = "snapshot-retained"
PENDING_STATES = frozenset({"init", "pending", "in-progress"})
"""A clone that the manager has yet to copy, for hours if it is large."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class CloneSource:
    """The snapshot that a pending clone is copied from."""

    subvolume: str
    snapshot: str
    group: str = ""


@dataclass(frozen=True)
class SubvolumeDetails(Details):
    """What a subvolume tells.

    `size_bytes` is its quota, None for no limit; `used_bytes` what lies in it.
    `changed_ns` is when its topmost directory last changed, as it does at the
    end of a clone, in nanoseconds since 1970.
    `state` is the manager's word: complete, snapshot-retained (deleted, and
    kept for its snapshots), pending, in-progress, failed, canceled.
    """

    used_bytes: int | None = None
    changed_ns: int | None = None
    path: str = ""
    data_pool: str = ""
    clone_source: CloneSource | None = None

    @property
    def is_retained(self) -> bool:
        """Whether it was deleted and stays for its snapshots: it needs no record."""
        return self.state == RETAINED

    @property
    def is_pending(self) -> bool:
        """Whether it is a clone that is not complete yet."""
        return self.state in PENDING_STATES


@dataclass(frozen=True)
class SubvolumeSnapshotDetails(Details):
    """What a snapshot tells.

    `created_ns` stays None: the manager writes the time by its own clock's
    zone, which it does not name.
    """

    has_pending_clones: bool = False


_NO_REFERENCES = BackingReferences("", None, None)
"""For a ReferenceDetails, which is always made with its own: defaults must follow defaults."""


@dataclass(frozen=True)
class ReferenceDetails(Details):
    """A reference of a shallow volume, with the object that it is in."""

    references: BackingReferences = _NO_REFERENCES


class DetailsReader:
    """Asks the manager about one thing at a time; what it cannot read it notes."""

    def __init__(self, manager: Manager, filesystem: str, thing: Thing) -> None:
        self._manager = manager
        self._thing = thing
        self._filesystem = filesystem
        self._not_compared: list[NotCompared] = []

    def subvolume(self, group: str) -> SubvolumeDetails | None:
        """The subvolume; None where it does not exist.  Raises StoreError."""
        place = _place(self._filesystem, group) | {"sub_name": self._thing.name}
        try:
            return self._known(place, self._manager.ask("fs subvolume info", **place))
        except NotInFilesystem:
            return None
        except StoreBusy:  # "not ready for operation info": a clone under way
            return self._pending(place)

    def snapshot(self, group: str) -> SubvolumeSnapshotDetails | None:
        """The snapshot of the subvolume `thing.within`; None where it does not exist."""
        place = _place(self._filesystem, group) | {
            "sub_name": self._thing.within,
            "snap_name": self._thing.name,
        }
        try:
            info = self._manager.ask("fs subvolume snapshot info", **place)
        except NotInFilesystem:
            return None
        return SubvolumeSnapshotDetails(
            thing=self._thing,
            has_pending_clones=info.get("has_pending_clones") == "yes",
            metadata=self._metadata("fs subvolume snapshot metadata ls", place),
            not_compared=tuple(self._not_compared),
        )

    def _known(self, place: dict[str, str], info: Mapping[str, Any]) -> SubvolumeDetails:
        state = str(info.get("state", ""))
        return SubvolumeDetails(
            thing=self._thing,
            state=state,
            size_bytes=_number(info.get("bytes_quota")),
            used_bytes=_number(info.get("bytes_used")),
            created_ns=_utc_ns(info.get("created_at")),
            changed_ns=_utc_ns(info.get("ctime")),
            path=str(info.get("path", "")),
            data_pool=str(info.get("data_pool", "")),
            metadata=self._metadata("fs subvolume metadata ls", place) if state == COMPLETE else {},
            snapshots=self._snapshots(place),
            not_compared=tuple(self._not_compared),
        )

    def _pending(self, place: dict[str, str]) -> SubvolumeDetails:
        """The manager tells nothing of a clone but how far it is."""
        words = {"vol_name": self._filesystem, "clone_name": self._thing.name}
        if "group_name" in place:
            words["group_name"] = place["group_name"]
        status = self._manager.ask("fs clone status", **words)["status"]
        source = status.get("source") or {}
        return SubvolumeDetails(
            thing=self._thing,
            state=str(status["state"]),
            clone_source=CloneSource(
                str(source.get("subvolume", "")),
                str(source.get("snapshot", "")),
                str(source.get("group", "")),
            )
            if source
            else None,
        )

    def _snapshots(self, place: dict[str, str]) -> tuple[Snapshot, ...]:
        return self._read(
            "snapshots",
            lambda: tuple(
                Snapshot(found["name"])
                for found in self._manager.ask("fs subvolume snapshot ls", **place)
            ),
            (),
        )

    def _metadata(self, prefix: str, place: dict[str, str]) -> Mapping[str, str]:
        return self._read("metadata", lambda: dict(self._manager.ask(prefix, **place)), {})

    def _read(self, what: str, read: Callable[[], _Result], otherwise: _Result) -> _Result:
        try:
            return read()
        except NotInFilesystem:
            return otherwise
        except StoreError as error:
            what = f"{what} of {self._thing}"
            self._not_compared.append(NotCompared(what, error.message, error.hint))
            return otherwise


def _place(filesystem: str, group: str) -> dict[str, str]:
    return {"vol_name": filesystem} | ({"group_name": group} if group else {})


def _number(value: object) -> int | None:
    """A number of bytes; None for "infinite" and what is missing."""
    return value if isinstance(value, int) else None


def _utc_ns(text: object) -> int | None:
    """Nanoseconds since 1970 for what the manager prints: UTC, without saying so."""
    try:
        moment = datetime.fromisoformat(str(text)).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(moment.timestamp()) * NANOSECONDS
