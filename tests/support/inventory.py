"""What lies in a journal, read without the journal's own code for reading it."""

from __future__ import annotations

import json

from csijournal import Store
from support.places import dump

_LEASE = "csi.lease."


class Inventory:
    """The directory of one instance and all records, set against each other.

    `prefix` starts the names of records and the keys of entries.  `entries` maps
    names to UUIDs, `groups` (be they volumes or snapshots) UUIDs to omaps.
    `unreferenced` are groups that no entry points at, `dangling` names whose
    group is missing, `leased` the UUIDs that any lease lists.  `contradictions`
    are entries that point at another name's group.
    """

    def __init__(
        self,
        store: Store,
        directory: str = "csi.groups.default",
        prefix: str = "csi.volume.group.",
        name_key: str = "csi.volname",
    ) -> None:
        self._name_key = name_key
        omaps = dump(store)
        listed = omaps.pop(directory, {})
        self.entries = {
            key.removeprefix(prefix): value
            for key, value in listed.items()
            if key.startswith(prefix)
        }
        self.leases = {key: value for key, value in listed.items() if key.startswith(_LEASE)}
        self.leased = {
            group_uuid
            for value in self.leases.values()
            for group_uuid in json.loads(value)["uuids"]
        }
        self.groups = {name.removeprefix(prefix): omap for name, omap in omaps.items()}
        self.unreferenced = self.groups.keys() - set(self.entries.values())
        self.dangling = {name for name, uuid in self.entries.items() if uuid not in self.groups}
        self.contradictions = [
            (name, uuid, self.groups[uuid])
            for name, uuid in self.entries.items()
            if uuid in self.groups and self.name_of(uuid) not in {name, None}
        ]

    def name_of(self, uuid: str) -> str | None:
        """The request name that a record says; None for none."""
        return self.groups[uuid].get(self._name_key)
