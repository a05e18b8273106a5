"""The removals that Ceph's manager has yet to do: its queue, as it keeps it in each pool."""

from __future__ import annotations

import json
from collections.abc import Iterator

from csijournal.inventory.rbd_objects import read_entries
from csijournal.store.contract import Store

TASK_OBJECT = "rbd_task"
"""Keys count the tasks, values are JSON (the manager's module rbd_support, task.py)."""

_TRASH_REMOVE = "trash remove"


def queued_removals(store: Store) -> Iterator[str]:
    """The ids of the images that are to be removed from the trash.  Raises StoreError."""
    for _, value in read_entries(store, TASK_OBJECT, ""):
        try:
            task = json.loads(value)["refs"]
            if task["action"] == _TRASH_REMOVE:
                yield str(task["image_id"])
        except (ValueError, TypeError, LookupError):  # of another version: it tells us nothing
            continue
