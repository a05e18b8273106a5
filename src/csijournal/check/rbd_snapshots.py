"""RBD snapshots that a driver left when it died."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_broken import BrokenImages
from csijournal.check.rbd_view import RBDView, batches, journal_of
from csijournal.check.rbd_words import moment
from csijournal.errors import printable
from csijournal.inventory.contract import Thing, ThingKind
from csijournal.inventory.names import TEMPORARY_SUFFIX, DriverName
from csijournal.inventory.rbd_headers import DatedSnapshot, ImageHeader

HEADERS_MAX = 5000
"""Into how many images a check looks unless it is a full one: 1 s, at 0.2 ms each."""


class LeftSnapshots:
    """Looks into all images of the driver, or where those are too many near suspects.

    To clone a volume, or to make a snapshot of it, the driver takes an RBD
    snapshot named after what it makes, and removes it right afterwards.  The
    one that is meant to stay is that of a snapshot's image with its own name.
    """

    def __init__(self, view: RBDView, broken: BrokenImages) -> None:
        self._view = view
        self._broken = broken
        self._suspects: list[tuple[str, int]] = []
        self.childless: list[str] = []
        """Intermediate images of clones that nothing was cloned from, or is not any more."""

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._suspects)

    def look_around(self, near: Iterable[str]) -> None:
        """Note what is left in all images; where they are too many, in those named.

        Raises StoreError.
        """
        for batch in batches(self._all() if self._may_look_into_all() else self._named(near)):
            for thing, header in self._view.inventory.headers(batch):
                if header is None:
                    self._broken.note(thing)
                elif header.problem:
                    self._view.context.summary.not_looked_at.append(f"{thing}: {header.problem}")
                else:
                    self._look_into(thing, header)

    def look_again(self) -> Iterator[Finding]:
        """What is still there.  Raises StoreError."""
        suspects = set(self._suspects)
        for batch in batches(self._named(dict(self._suspects))):
            for thing, header in self._view.inventory.headers(batch):
                if header is None:
                    continue
                for snapshot, parts in self._left(thing, header):
                    if (thing.name, snapshot.snapshot_id) in suspects:
                        yield self._finding(thing, snapshot, parts)

    def _may_look_into_all(self) -> bool:
        context = self._view.context
        if context.full:
            return True
        count = sum(1 for _ in islice(self._all(), HEADERS_MAX + 1))
        if count > HEADERS_MAX:
            context.summary.not_looked_at.append(
                f"RBD snapshots of more than {HEADERS_MAX:,} images, of which a driver may have"
                " left some, and whether each image can be opened"
            )
        return count <= HEADERS_MAX

    def _look_into(self, thing: Thing, header: ImageHeader) -> None:
        for snapshot, _ in self._left(thing, header):
            self._suspects.append((thing.name, snapshot.snapshot_id))
        if thing.name.endswith(TEMPORARY_SUFFIX) and not header.children:
            self.childless.append(thing.name)

    def _all(self) -> Iterator[Thing]:
        for thing in self._view.inventory.things(ThingKind.IMAGE):
            if self._view.of_driver(thing.name) and not self._view.is_copy(thing.thing_id):
                yield thing  # a copy has its snapshots from the image that it is of

    def _named(self, names: Iterable[str]) -> Iterator[Thing]:
        for name in names:
            thing = self._view.inventory.image(name)
            if thing is not None:
                yield thing

    def _left(
        self, thing: Thing, header: ImageHeader
    ) -> Iterator[tuple[DatedSnapshot, DriverName]]:
        for snapshot in header.snapshots:
            parts = self._view.of_driver(snapshot.name)
            if (
                parts is not None
                and snapshot.purpose == "user"
                and snapshot.name != thing.name
                and not snapshot.is_protected  # drivers of long ago kept their snapshots so
                and not self._view.is_young(snapshot.created_ns)
            ):
                yield snapshot, parts

    def _finding(self, thing: Thing, snapshot: DatedSnapshot, parts: DriverName) -> Finding:
        both = f"{thing.name}@{snapshot.name}"
        return self._view.context.finding_of(
            FindingKind.SNAPSHOT_LEFT,
            journal_of(parts),
            parts.uuid,
            f"made {moment(snapshot.created_ns)};"
            f" to remove it: rbd snap rm {self._view.spec(both)}",
            thing=f"snapshot {printable(both)}",
        )
