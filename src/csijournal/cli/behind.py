"""What stands behind records of volumes and snapshots, asked while a command runs."""

from __future__ import annotations

from csijournal.check.behind import role_of
from csijournal.errors import StaleEntry
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import Inventory
from csijournal.store import Store
from csijournal.wire.schema import AnySchema


class ImagesBehind:
    """The answer of a store's inventory, as `stands_behind` of a journal.

    The inventory is opened at the first question, since few commands have one,
    and its lists are read anew for each: something is removed where it finds
    nothing.
    """

    def __init__(self, store: Store, schema: AnySchema) -> None:
        self._store = store
        self._role = role_of(schema)
        self._inventory: Inventory | None = None
        self._asked = ("", "")

    def __call__(self, uuid: str, image_name: str) -> bool:
        """Whether an image of this UUID or name is there, or might be."""
        if self._inventory is None:
            self._inventory = inventory_of(self._store)
        self._inventory.refresh()
        self._asked = (uuid, image_name)
        return self._inventory.stands_behind(self._role, uuid, image_name)

    def explain(self, error: StaleEntry) -> None:
        """Say in the hint of `error` what was found at the last question, or why nothing was."""
        if self._inventory is None:
            return
        behind = self._inventory.behind(self._role, *self._asked)
        found = [f"There is: {', '.join(map(str, behind.things))}"] if behind.things else []
        error.hint = ". ".join(["Nothing was changed", *found, *map(str, behind.not_compared)])

    def close(self) -> None:
        """Let go of the inventory, before the store is closed."""
        if self._inventory is not None:
            self._inventory.close()
