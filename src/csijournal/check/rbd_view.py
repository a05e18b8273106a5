"""What all parts of the comparison with RBD share: the check, the inventory, the prefixes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from csijournal.check.context import Context
from csijournal.errors import printable
from csijournal.inventory.contract import NotCompared, Thing
from csijournal.inventory.names import DriverName, driver_name
from csijournal.inventory.rbd import RBDInventory
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.journal.steps import AnyRecords, Records
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema

BATCH = 1000
"""How many records or images are read at a time: their contents are kept no longer."""

OPENED_MAX = 1000
"""How many images a check opens to describe them, unless it is a full one: 4 s, at 4 ms each."""

_Item = TypeVar("_Item")


class RBDView:
    """One check, and what RBD has.

    `prefixes` are those of a driver's images, `group_prefixes` of its groups.
    A driver's prefix may be anything.  Those that records name are learned while
    they are read; an empty one would make every name a driver's.
    """

    def __init__(self, context: Context, inventory: RBDInventory) -> None:
        self.context = context
        self.inventory = inventory
        self.prefixes = {VOLUMES.default_name_prefix, SNAPSHOTS.default_name_prefix}
        self.group_prefixes = {GROUPS.default_name_prefix}
        self._opened = 0

    def learn(self, prefixes: set[str], name: str, uuid: str) -> None:
        """Take the prefix of a name that a record gives."""
        if name.endswith(uuid) and name != uuid:
            prefixes.add(name[: -len(uuid)])

    # Records

    def records(self, schema: AnySchema) -> AnyRecords:
        """The records of a journal, whatever the instance."""
        return Records(self.context.store, schema, DEFAULT_INSTANCE_ID, validate=False)

    def is_known(self, uuid: str) -> bool:
        """Whether the check met the record of a volume or a snapshot with this UUID."""
        return self.context.is_known(VOLUMES, uuid) or self.context.is_known(SNAPSHOTS, uuid)

    def with_record(self, uuids: Iterable[str]) -> set[str]:
        """Those that have a record of a volume or of a snapshot now.  Raises StoreError."""
        wanted = list(dict.fromkeys(uuids))
        return {
            uuid
            for schema in (VOLUMES, SNAPSHOTS)
            for uuid, record in self.records(schema).read_records(wanted)
            if record is not None
        }

    def is_young(self, moment_ns: int | None) -> bool:
        """Whether a driver may be at work on what happened then; what is gone is young, too."""
        return moment_ns is None or not self.context.grace.is_over(moment_ns)

    def modified_ns(self, schema: AnySchema, uuid: str, record: AnyRecord) -> int | None:
        """When a record last changed; None where it is gone.  Raises StoreError."""
        return self.records(schema).modified_ns(uuid, record)

    # Images

    def of_driver(self, name: str) -> DriverName | None:
        """A driver's name of an image or of a snapshot, taken apart; None for any other."""
        parts = driver_name(name)
        return parts if parts is not None and parts.prefix in self.prefixes else None

    def opened(self, thing: Thing) -> ImageDetails | NotCompared | None:
        """What an image tells when it is opened; None where it cannot be found."""
        if not self.context.full and self._opened >= OPENED_MAX:
            why = f"{OPENED_MAX:,} images were opened already"
            self._tell(f"more than {OPENED_MAX:,} images that are suspect: these were not opened")
            return NotCompared(str(thing), why, "A full check opens all")
        self._opened += 1
        details = self.inventory.details(thing)
        return details if isinstance(details, (ImageDetails, NotCompared)) else None

    def _tell(self, what: str) -> None:
        """Say once what was not looked at."""
        told = self.context.summary.not_looked_at
        if what not in told:
            told.append(what)

    def is_copy(self, image_id: str) -> bool:
        """Whether RBD keeps this image as the copy of another cluster's."""
        state = self.inventory.mirrored().get(image_id)
        return state is not None and not state.is_primary

    def spec(self, name: str) -> str:
        """How the `rbd` tool calls an image or a group of this place, quoted for a shell."""
        context = self.inventory.context
        return quoted("/".join(filter(None, (context.pool, context.namespace, name))))

    def by_id(self, image_id: str) -> str:
        """The options by which the `rbd` tool finds an image in the trash."""
        context = self.inventory.context
        namespace = f" --namespace {quoted(context.namespace)}" if context.namespace else ""
        return f"--pool {quoted(context.pool)}{namespace} --image-id {image_id}"


def journal_of(parts: DriverName) -> AnySchema:
    """The journal in which the record of an image of this name would be."""
    return SNAPSHOTS if parts.prefix == SNAPSHOTS.default_name_prefix else VOLUMES


def quoted(text: str) -> str:
    """`text` as one word for a shell, and harmless for a terminal."""
    return shlex.quote(printable(text))


def batches(items: Iterable[_Item], size: int = BATCH) -> Iterator[list[_Item]]:
    """`items`, some at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
