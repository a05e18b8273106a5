"""Deleted images that will never leave the trash."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_view import RBDView, batches, journal_of, quoted
from csijournal.check.rbd_words import moment, named
from csijournal.errors import printable
from csijournal.inventory.contract import NotCompared
from csijournal.inventory.names import DriverName
from csijournal.inventory.rbd_headers import ImageHeader
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.inventory.rbd_lists import TrashEntry

_BY_USERS = frozenset({"USER", "USER_PARENT"})
"""Who moved an image to the trash: the others are RBD's own, and RBD's to remove."""


class _Candidate(NamedTuple):
    entry: TrashEntry
    parts: DriverName

    def is_named_by(self, has_record: Callable[[str], bool]) -> bool:
        """Whether a record names it: a finding of its own, with another remedy.

        No record names the intermediate image of a clone.
        """
        return not self.parts.is_temporary and has_record(self.parts.uuid)


class StuckTrash:
    """Looks for images in the trash that snapshots keep there, or that nobody is going to remove.

    A deleted volume stays in the trash as long as its clones and snapshots live,
    and goes with the last of them: that is in order.
    """

    def __init__(self, view: RBDView) -> None:
        self._view = view
        self._image_ids: set[str] = set()

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._image_ids)

    def look_around(self) -> None:
        """Note what is stuck, when all records were read.  Raises StoreError."""
        for batch in batches(self._candidates()):
            stuck = self._stuck(each for each in batch if not each.is_named_by(self._view.is_known))
            self._image_ids |= {candidate.entry.image_id for candidate, _ in stuck}

    def look_again(self) -> Iterator[Finding]:
        """What is still stuck.  Raises StoreError."""
        again = [each for each in self._candidates() if each.entry.image_id in self._image_ids]
        recorded = self._view.with_record(candidate.parts.uuid for candidate in again)
        left = (each for each in again if not each.is_named_by(recorded.__contains__))
        for candidate, header in self._stuck(left):
            details = self._view.opened(candidate.entry.thing)
            if not _may_have_clones(header, details):
                yield self._finding(candidate, header, details)

    def _candidates(self) -> Iterator[_Candidate]:
        """Images of a driver that could have been removed for some time."""
        grace = self._view.context.grace
        for entry in self._view.inventory.trash():
            parts = self._view.of_driver(entry.name)
            if (
                parts is not None
                and entry.source in _BY_USERS
                and grace.is_over(entry.deleted_ns)
                and grace.age_ns(entry.deferment_end_ns) >= 0
            ):
                yield _Candidate(entry, parts)

    def _stuck(self, candidates: Iterable[_Candidate]) -> Iterator[tuple[_Candidate, ImageHeader]]:
        by_thing = {candidate.entry.thing: candidate for candidate in candidates}
        if not by_thing:
            return
        queued = self._view.inventory.queued_removals()
        for thing, header in self._view.inventory.headers(by_thing):
            if header is None or header.problem:
                continue  # it is being removed at this moment, or nobody can tell
            is_waiting = header.children or thing.thing_id in queued
            if header.kept_snapshots or not is_waiting:
                yield by_thing[thing], header

    def _finding(
        self,
        candidate: _Candidate,
        header: ImageHeader,
        details: ImageDetails | NotCompared | None,
    ) -> Finding:
        entry, parts = candidate
        return self._view.context.finding_of(
            FindingKind.TRASH_STUCK,
            journal_of(parts),
            parts.uuid,
            f"deleted {moment(entry.deleted_ns)}; {self._why(entry, header)}",
            thing=f"image {printable(entry.name)} (id {entry.image_id}) in the trash",
            size_bytes=details.size_bytes if isinstance(details, ImageDetails) else None,
        )

    def _why(self, entry: TrashEntry, header: ImageHeader) -> str:
        by_id = self._view.by_id(entry.image_id)
        kept = [snapshot.name for snapshot in header.kept_snapshots]
        if not kept:
            return (
                "no clone needs it, and the manager has no task that removes it;"
                f" to remove it: rbd trash rm {by_id}"
            )
        orders = "; ".join(f"rbd snap rm {by_id} --snap {quoted(name)}" for name in kept)
        return f"{named('snapshot', kept)} left in it; to remove: {orders}"


def _may_have_clones(header: ImageHeader, details: ImageDetails | NotCompared | None) -> bool:
    """Whether clones of format 1 need its snapshots, or that could not be told."""
    if not any(snapshot.is_protected for snapshot in header.snapshots):
        return False
    return not isinstance(details, ImageDetails) or bool(details.children or details.not_compared)
