"""What stands behind one record, in the words of the inventory."""

from __future__ import annotations

from csijournal.inventory.contract import Behind, Inventory, Role
from csijournal.wire.records import AnyRecord, ImageRecord, SnapshotRecord
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES, AnySchema

_ROLES = {
    VOLUMES.journal: Role.VOLUME,
    SNAPSHOTS.journal: Role.SNAPSHOT,
    GROUPS.journal: Role.GROUP,
}


def role_of(schema: AnySchema) -> Role:
    """What the records of this journal stand for."""
    return _ROLES[schema.journal]


def behind_record(
    inventory: Inventory, schema: AnySchema, uuid: str, record: AnyRecord | None = None
) -> Behind:
    """What stands behind the record of `uuid`, also where the record itself is gone."""
    name = (record.image_name if record else None) or ""
    return inventory.behind(role_of(schema), uuid, name, within=within_of(record))


def is_nothing_now(
    inventory: Inventory, schema: AnySchema, uuid: str, record: AnyRecord | None = None
) -> bool:
    """Whether it is certain at this moment that nothing stands behind the record."""
    name = (record.image_name if record else None) or ""
    inventory.look_up_now(role_of(schema), uuid, name)
    return behind_record(inventory, schema, uuid, record).is_nothing


def within_of(record: AnyRecord | None) -> str:
    """In what the inventory should look: a snapshot's source, a shallow volume's snapshot."""
    if isinstance(record, SnapshotRecord):
        return record.source_name or ""
    return (record.backing_snapshot_id or "") if isinstance(record, ImageRecord) else ""
