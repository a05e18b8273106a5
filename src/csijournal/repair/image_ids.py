"""Writing the id of an image into the record that lacks it, from RBD's own directory."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.behind import behind_record
from csijournal.inventory.contract import Inventory, ThingKind
from csijournal.journal.steps import AnyRecords
from csijournal.repair.plan import Step, still_holds
from csijournal.store.contract import KeyEquals, Write
from csijournal.wire.records import IMAGE_ID_KEY, ImageRecord
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import encode


def find_image_id(inventory: Inventory, schema: AnySchema, uuid: str, record: ImageRecord) -> str:
    """The id of the image that bears the record's name; "" where there is none."""
    name = record.image_name or schema.make_image_name("", uuid)
    things = behind_record(inventory, schema, uuid, record).things
    ids = (it.thing_id for it in things if it.kind is ThingKind.IMAGE and it.name == name)
    return next(ids, "")


def put_image_id(records: AnyRecords, inventory: Inventory, uuid: str) -> Iterator[Step]:
    """The step that does so; none where the record has an id, or there is no image of its name.

    Held to the record's request name: it may be removed and made anew meanwhile.
    """
    schema = records.schema
    record = records.read_record(uuid)
    if not isinstance(record, ImageRecord) or record.request_name is None or record.image_id:
        return

    found = find_image_id(inventory, schema, uuid, record)
    if found:
        lost = None if record.image_id is None else b""
        guards = (
            KeyEquals(schema.name_key, encode(record.request_name)),
            still_holds(IMAGE_ID_KEY, lost),
        )
        yield Step(
            f"put {IMAGE_ID_KEY} {found} into the {schema.noun} record {uuid}",
            Write(
                schema.record_object(uuid),
                guards=tuple(filter(None, guards)),
                puts={IMAGE_ID_KEY: encode(found)},
            ),
            recheck=lambda: find_image_id(inventory, schema, uuid, record) == found,
        )
