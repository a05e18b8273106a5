"""What lies in a journal, read without the journal's own code for reading it."""

from __future__ import annotations

import json

from csijournal import Store
from support.places import dump

_ENTRY = _GROUP = "csi.volume.group."
_LEASE = "csi.lease."


class Inventory:
    """The directory of one instance and all group objects, set against each other.

    `entries` maps names to UUIDs, `groups` maps UUIDs to omaps.  `unreferenced` are
    groups that no entry points at, `dangling` names whose group is missing,
    `leased` the UUIDs that any lease lists.  `contradictions` are entries that
    point at another name's group.
    """

    def __init__(self, store: Store, directory: str = "csi.groups.default") -> None:
        omaps = dump(store)
        listed = omaps.pop(directory, {})
        self.entries = {
            key.removeprefix(_ENTRY): value
            for key, value in listed.items()
            if key.startswith(_ENTRY)
        }
        self.leases = {key: value for key, value in listed.items() if key.startswith(_LEASE)}
        self.leased = {
            group_uuid
            for value in self.leases.values()
            for group_uuid in json.loads(value)["uuids"]
        }
        self.groups = {name.removeprefix(_GROUP): omap for name, omap in omaps.items()}
        self.unreferenced = self.groups.keys() - set(self.entries.values())
        self.dangling = {name for name, uuid in self.entries.items() if uuid not in self.groups}
        self.contradictions = [
            (name, uuid, self.groups[uuid])
            for name, uuid in self.entries.items()
            if uuid in self.groups and self.groups[uuid].get("csi.volname") not in {name, None}
        ]
