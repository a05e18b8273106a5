"""Images that RBD lists and cannot open."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_view import RBDView, journal_of
from csijournal.errors import printable
from csijournal.inventory.contract import Thing
from csijournal.inventory.names import DriverName


class BrokenImages:
    """Judges images that were found without a header, by whoever looked for one."""

    def __init__(self, view: RBDView) -> None:
        self._view = view
        self._things: dict[Thing, None] = {}

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._things)

    def note(self, thing: Thing) -> None:
        """Take an image whose header is not there."""
        self._things[thing] = None

    def look_again(self) -> Iterator[Finding]:
        """Those that are still listed, and still cannot be opened.  Raises StoreError."""
        for thing in self._things:
            parts = self._view.of_driver(thing.name)
            if parts is not None and self._is_broken(thing):
                yield self._finding(thing, parts)

    def _is_broken(self, thing: Thing) -> bool:
        inventory = self._view.inventory
        is_listed = inventory.image(thing.name) == thing
        if not is_listed or self._view.is_young(inventory.named_ns(thing)):
            return False
        return self._view.opened(thing) is None

    def _finding(self, thing: Thing, parts: DriverName) -> Finding:
        return self._view.context.finding_of(
            FindingKind.IMAGE_BROKEN,
            journal_of(parts),
            parts.uuid,
            f"there is no object rbd_header.{thing.thing_id}",
            thing=f"image {printable(thing.name)} (id {thing.thing_id})",
        )
