"""Which other record a request name leads to by now.

A driver may have reserved a name again since an archive was made.  Its older
record, put back, would be one that nothing points at, and that a later repair
of the entry could take for the right one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from csijournal.archive import Archive, Record
from csijournal.journal.steps import Records
from csijournal.store.contract import Store
from csijournal.transfer.words import request_name_of
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.ownership import ObjectRole, owner_of
from csijournal.wire.schema import SCHEMAS


class Holders:
    """Asks the directories that an archive names, and those of one instance, who holds a name.

    No record says whose instance it belongs to.
    """

    def __init__(self, store: Store, archive: Archive, instance_id: str) -> None:
        self._store = store
        self._archive = archive
        self._instance_id = instance_id

    def of(self, record: Record) -> str:
        """The UUID of the other record that this one's request name leads to; "" for none."""
        owned = owner_of(record.object_name)
        name = request_name_of(record)
        if owned is None or name is None:
            return ""
        for records in self._directories.get(owned.schema.journal, ()):
            entry = records.look_up(name)
            target = None if entry is None else entry.target
            if isinstance(target, (RecordHere, RecordInPool)) and target.uuid != owned.name:
                return target.uuid
        return ""

    @cached_property
    def _directories(self) -> dict[str, list[Records[Any]]]:
        """The directories by journal: one for each instance, so few."""
        names = {schema.journal: {schema.directory_object(self._instance_id)} for schema in SCHEMAS}
        for record in self._archive.records():
            owned = owner_of(record.object_name)
            if owned is not None and owned.role is ObjectRole.DIRECTORY:
                names[owned.schema.journal].add(record.object_name)
        return {
            schema.journal: [
                Records(self._store, schema, schema.instance_of(name) or "", validate=False)
                for name in sorted(names[schema.journal])
            ]
            for schema in SCHEMAS
        }
