"""Comparing the records of a pool with its RBD images, trash, snapshots and groups.

Existence, names and ids are known of all images from RBD's lists, so that a
record costs no round trip.  What only an image's header tells is read of all the
driver's images while they are not too many, else in a full check or where
something is suspect.  An image is opened where a finding tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.rbd_broken import BrokenImages
from csijournal.check.rbd_groups import RecordedGroups
from csijournal.check.rbd_images import UnrecordedImages
from csijournal.check.rbd_records import RecordedImages
from csijournal.check.rbd_snapshots import LeftSnapshots
from csijournal.check.rbd_trash import StuckTrash
from csijournal.check.rbd_view import RBDView
from csijournal.inventory.rbd import RBDInventory
from csijournal.wire.schema import GROUPS


class _Part(Protocol):
    @property
    def has_suspects(self) -> bool: ...
    def look_again(self) -> Iterator[Finding]: ...


class RBDComparison(Comparison):
    """The records of one pool and namespace, and what RBD has there."""

    def __init__(self, context: Context, inventory: RBDInventory) -> None:
        view = RBDView(context, inventory)
        self._records = RecordedImages(view)
        self._broken = BrokenImages(view)
        self._images = UnrecordedImages(view, self._broken)
        self._trash = StuckTrash(view)
        self._snapshots = LeftSnapshots(view, self._broken)
        self._groups = RecordedGroups(view)

    def look(self, seen: RecordSeen) -> None:
        (self._groups if seen.schema is GROUPS else self._records).look(seen)

    def look_around(self) -> None:
        self._images.look_around()
        self._trash.look_around()
        self._snapshots.look_around(self._records.near | self._images.near)
        self._images.note_childless(self._snapshots.childless)
        self._groups.look_around()

    @property
    def has_suspects(self) -> bool:
        return any(part.has_suspects for part in self._parts)

    def look_again(self) -> Iterator[Finding]:
        for part in self._parts:
            yield from part.look_again()

    @property
    def _parts(self) -> tuple[_Part, ...]:
        """In the order in which they judge; the broken ones are noted by those before them."""
        return (
            self._records,
            self._images,
            self._trash,
            self._snapshots,
            self._groups,
            self._broken,
        )
