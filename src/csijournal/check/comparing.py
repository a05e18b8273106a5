"""What the comparisons of a check have in common: with images, subvolumes, Kubernetes.

The scan hands each comparison every record that it reads.  A comparison keeps
what contradicts what it knows from outside, and judges that some time later,
from what it then reads anew: others may be at work on both sides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from csijournal.check.findings import Finding
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import AnySchema


class RecordSeen(NamedTuple):
    """A record as the scan read it.

    `instance_id` is that of the directory whose entry led to it, and `entered`
    whether one did: a record that no entry points at is handed over too.
    """

    schema: AnySchema
    uuid: str
    record: AnyRecord
    instance_id: str = ""
    entered: bool = True


class Comparison(ABC):
    """One comparison, for one check.  Reads only, and never keeps whole records.

    The scan calls `look` for each record, `look_around` when it has read them
    all, and `look_again` when what `has_suspects` told of has had time to
    settle; inventories have been refreshed then.
    """

    @abstractmethod
    def look(self, seen: RecordSeen) -> None:
        """Note a record, and whether it contradicts what is known from outside.

        Asks nobody but lists that were read already: it is called for every record.
        """

    def look_around(self) -> None:  # noqa: B027 - not every comparison has two sides
        """All records were read: note what no record names."""

    def why_kept(self, schema: AnySchema, uuid: str) -> str:  # noqa: ARG002 - most keep nothing
        """Why a record must stay though nothing is behind it, in a sentence; "" for no reason."""
        return ""

    @property
    @abstractmethod
    def has_suspects(self) -> bool:
        """Whether anything was noted that `look_again` has to judge."""

    @abstractmethod
    def look_again(self) -> Iterator[Finding]:
        """What still contradicts, read anew.  Raises StoreError."""
