"""What is to be taken out of use: by request name, UUID, handle or image, or by a finding."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from csijournal.check.behind import role_of
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_view import journal_of
from csijournal.errors import Conflict, NotFound
from csijournal.inventory.contract import Inventory
from csijournal.inventory.names import driver_name
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.schema import SNAPSHOTS, VOLUMES, AnySchema, schema_of
from csijournal.wire.text import shortened
from csijournal.wire.uuids import ending_uuid, require_uuid

RETIRED_KINDS = (
    FindingKind.UNCLAIMED,
    FindingKind.DETACHED_RECORD,
    FindingKind.IMAGE_WITHOUT_RECORD,
    FindingKind.TEMP_IMAGE_LEFT,
)
"""The findings about something that may be out of use."""


@dataclass(frozen=True)
class Target:
    """A volume or snapshot; `temporary` means only the intermediate image of its clone."""

    schema: AnySchema
    uuid: str
    temporary: bool = False

    @property
    def record_object(self) -> str:
        """The object of its record."""
        return self.schema.record_object(self.uuid)

    def __str__(self) -> str:
        what = "intermediate image of the " if self.temporary else ""
        return f"{what}{self.schema.noun} {self.uuid}"


def target_of_finding(finding: Finding) -> Target | None:
    """What a finding is about; None where that is not for retire."""
    schema = schema_of(finding.journal)
    if finding.kind not in RETIRED_KINDS or schema not in (VOLUMES, SNAPSHOTS):
        return None
    temporary = finding.kind is FindingKind.TEMP_IMAGE_LEFT
    return Target(schema, require_uuid(finding.uuid), temporary)


@dataclass(frozen=True)
class TargetFinder:
    """Finds targets in `store`, in the journals `schemas`; names are those of one instance."""

    store: Store
    inventory: Inventory
    instance_id: str
    schemas: Collection[AnySchema]

    def find(self, name: str) -> Target:
        """The one that is meant.  Raises NotFound, and Conflict where several may be."""
        parts = driver_name(name)
        if parts is not None and parts.is_temporary:
            return Target(journal_of(parts), parts.uuid, temporary=True)
        uuid = ending_uuid(name)
        # The request name of a volume ends in a UUID too: that of the claim.
        found = dict.fromkeys(self._reserved(name)) or dict.fromkeys(self._of_uuid(uuid))
        if len(found) > 1:
            raise Conflict(
                f"{shortened(name)} may mean the {' or the '.join(map(str, found))}",
                hint="Give the UUID of the one that is meant, or --journal",
            )
        if not found:
            raise NotFound(
                f"there is neither a record nor an image of {shortened(name)}",
                hint="Give a request name, or the UUID, the handle or the image of a volume or"
                " snapshot",
            )
        return next(iter(found))

    def _reserved(self, name: str) -> Iterator[Target]:
        for schema in self.schemas:
            entry = self._records(schema).look_up(name)
            if entry is not None and entry.uuid:
                yield Target(schema, entry.uuid)

    def _of_uuid(self, uuid: str | None) -> Iterator[Target]:
        if uuid is None:
            return
        recorded = [it for it in self.schemas if self._records(it).read_record(uuid) is not None]
        yield from (Target(schema, uuid) for schema in recorded)
        if not recorded:
            for schema in self.schemas:
                for thing in self.inventory.behind(role_of(schema), uuid).things:
                    parts = driver_name(thing.name)
                    if parts is None or journal_of(parts) is schema:
                        yield Target(schema, uuid)

    def _records(self, schema: AnySchema) -> AnyRecords:
        return Records(self.store, schema, self.instance_id, validate=False)
