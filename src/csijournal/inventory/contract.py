"""What a check asks about the things that records stand for: images, subvolumes, groups.

An inventory answers with what it found *and* with what it could not look at.
Nothing is missing, leaked or safe to remove because an answer is empty: it must
be empty and complete (`Behind.is_nothing`).  An inventory reads only.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from csijournal.errors import printable


class Role(enum.Enum):
    """Whose record it is that something should stand behind."""

    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    GROUP = "group"


class ThingKind(enum.Enum):
    """What an inventory can list; the value is how messages call it."""

    IMAGE = "image"
    TRASHED_IMAGE = "image in the trash"
    RBD_GROUP = "RBD group"
    SUBVOLUME = "subvolume"
    SUBVOLUME_SNAPSHOT = "subvolume snapshot"
    SHALLOW_REFERENCE = "reference of a shallow volume"


@dataclass(frozen=True)
class Thing:
    """One image, subvolume, snapshot or group.

    `thing_id` is the driver's id where it has one (RBD's image or group id);
    `within` is what the name is unique in: a snapshot's subvolume.
    """

    kind: ThingKind
    name: str
    thing_id: str = ""
    within: str = ""

    def __str__(self) -> str:
        text = f"{self.kind.value} {printable(self.name)}"
        return f"{text} of {printable(self.within)}" if self.within else text


@dataclass(frozen=True)
class NotCompared:
    """A part that was not looked at: what, why, and how to have it looked at."""

    what: str
    why: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.what} not compared: {self.why}"
        return f"{text}. {self.hint}" if self.hint else text


@dataclass(frozen=True)
class Behind:
    """What stands behind a record, and what was not looked at to tell."""

    things: tuple[Thing, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether it is certain that nothing stands behind the record."""
        return not self.things and not self.not_compared

    @property
    def is_unknown(self) -> bool:
        """Whether nothing was found, and something was not looked at."""
        return not self.things and bool(self.not_compared)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of an image or subvolume.

    `purpose` is "user", or what else keeps it: "trash" (removed by its user,
    held by clones; `name` is then the one that it had), "group", "mirror",
    "other".
    """

    name: str
    purpose: str = "user"
    snapshot_id: int = 0


@dataclass(frozen=True)
class Details:
    """What one thing tells of itself when it is opened.

    What could not be read is None or empty, and named in `not_compared`.
    `size_bytes` is what was promised to the user: an upper bound of the space
    that it takes.  `created_ns` counts nanoseconds since 1970.  `state` is the
    driver's word for it, "" where it has none.
    """

    thing: Thing
    size_bytes: int | None = None
    created_ns: int | None = None
    state: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    snapshots: tuple[Snapshot, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()


class Inventory(ABC):
    """What is there in one location, asked while a check streams the records.

    The lists of the whole location are read at the first question and kept, so
    that a question costs no round trip; `refresh` drops them.  Where a list
    cannot be read, nothing is raised: answers then carry a NotCompared.  Not
    for several threads at once.
    """

    name: ClassVar[str]
    """Short and stable, for options and JSON: "rbd", "cephfs", "none"."""

    @abstractmethod
    def behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> Behind:
        """What is called `name`, or by any name that ends in `uuid`.

        `name` may be "" where the record does not tell it.  `within` names the
        subvolume that a CephFS snapshot belongs to (`csi.source`): without it,
        a snapshot there is unknown.
        """

    @abstractmethod
    def things(self, kind: ThingKind) -> Iterator[Thing]:
        """All things of this kind, in no promised order; nothing for kinds of other drivers.

        Nothing, too, where the list could not be read: see `not_compared`.
        """

    @abstractmethod
    def details(self, thing: Thing) -> Details | NotCompared | None:
        """Open one thing and read it; None where it is gone.

        Costs some round trips, so only for what a finding is about.
        """

    @abstractmethod
    def compared(self) -> Mapping[ThingKind, int]:
        """How many there are of each kind whose whole list was read."""

    @abstractmethod
    def not_compared(self) -> tuple[NotCompared, ...]:
        """What of the whole location could not be looked at; () where everything was."""

    @abstractmethod
    def refresh(self) -> None:
        """Read anew at the next question: before a change, or when two reads disagree."""

    def look_up_now(self, role: Role, uuid: str, name: str = "") -> None:  # noqa: B027
        """See that the lists have what goes by the names that the record gives, at this moment.

        Before a change, where the lists may be some seconds old: a read or two
        of these names alone.  An inventory that cannot do so relies on `refresh`.
        Raises StoreError.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End connections of its own; closing twice is fine."""

    def stands_behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> bool:
        """Whether something stands, or might stand, behind a record: do not remove it then."""
        return not self.behind(role, uuid, name, within=within).is_nothing


class NoInventory(Inventory):
    """For a journal of a driver that has no images, in SQLite or memory: nothing is ever behind."""

    name = "none"

    def behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> Behind:  # noqa: ARG002 - nothing depends on them
        return Behind()

    def things(self, kind: ThingKind) -> Iterator[Thing]:  # noqa: ARG002
        return iter(())

    def details(self, thing: Thing) -> Details | NotCompared | None:  # noqa: ARG002
        return None

    def compared(self) -> Mapping[ThingKind, int]:
        return {}

    def not_compared(self) -> tuple[NotCompared, ...]:
        return ()

    def refresh(self) -> None:
        pass


class UnknownInventory(NoInventory):
    """Where nothing could be looked at: a binding or a manager is missing, or it is a copy.

    Every answer says why.
    """

    name = "unknown"

    def __init__(self, reason: NotCompared) -> None:
        self._reasons = (reason,)

    def behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> Behind:  # noqa: ARG002
        return Behind(not_compared=self._reasons)

    def details(self, thing: Thing) -> Details | NotCompared | None:  # noqa: ARG002
        return self._reasons[0]

    def not_compared(self) -> tuple[NotCompared, ...]:
        return self._reasons
