"""Images that are named like a driver's, and that no record names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from csijournal.check.catalog import Severity
from csijournal.check.claims import lowered_to
from csijournal.check.commands import attach_image, retire
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.rbd_broken import BrokenImages
from csijournal.check.rbd_view import RBDView, batches, journal_of
from csijournal.check.rbd_words import in_words
from csijournal.errors import printable
from csijournal.inventory.contract import NotCompared, Thing, ThingKind
from csijournal.inventory.names import DriverName
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.inventory.rbd_lists import MIRRORING
from csijournal.wire.schema import VOLUMES


class UnrecordedImages:
    """Looks for images without a record, and for what is left of clones that never came to be."""

    def __init__(self, view: RBDView, broken: BrokenImages) -> None:
        self._view = view
        self._broken = broken
        self._names: dict[str, None] = {}
        self.near: set[str] = set()
        """Images in which a driver may have left a snapshot when it died at a clone."""

    @property
    def has_suspects(self) -> bool:
        """Whether anything is to be judged again."""
        return bool(self._names)

    def look_around(self) -> None:
        """Note images without a record, when all records were read."""
        for thing in self._view.inventory.things(ThingKind.IMAGE):
            parts = self._view.of_driver(thing.name)
            if parts is None:
                continue
            if parts.is_temporary:
                if self._view.inventory.id_of(parts.prefix + parts.uuid) is None:
                    self._names[thing.name] = None
                    self.near |= self._parent(thing)
            elif not self._view.is_known(parts.uuid):
                self._names[thing.name] = None

    def note_childless(self, names: Iterable[str]) -> None:
        """Note intermediate images of clones that nothing is cloned from."""
        self._names.update(dict.fromkeys(names))

    def look_again(self) -> Iterator[Finding]:
        """Those that are still there, and still without a record.  Raises StoreError."""
        for batch in batches(self._names):
            things = {
                thing: parts
                for name in batch
                if (thing := self._view.inventory.image(name))
                and (parts := self._view.of_driver(name))
            }
            recorded = self._view.with_record(parts.uuid for parts in things.values())
            for thing, parts in things.items():
                if parts.uuid in recorded and not parts.is_temporary:
                    continue  # got a record since, or has one in a journal that is not checked
                if not self._view.is_young(self._view.inventory.named_ns(thing)):
                    yield from self._judged(thing, parts, recorded)

    def _parent(self, thing: Thing) -> set[str]:
        """The image that a clone was made from, if it is in this pool and can be told."""
        details = self._view.opened(thing)
        parent = details.parent if isinstance(details, ImageDetails) else None
        return {parent.name} if parent else set()

    def _judged(self, thing: Thing, parts: DriverName, recorded: set[str]) -> Iterator[Finding]:
        if parts.is_temporary:
            if not (parts.uuid in recorded and self._is_in_the_making(parts.uuid)):
                yield from self._temporary(thing, parts)
        elif self._view.inventory.has_list_of(MIRRORING):
            yield from self._unrecorded(thing, parts)

    def _temporary(self, thing: Thing, parts: DriverName) -> Iterator[Finding]:
        """A temporary image goes with the volume that is cloned from it; without one it stays."""
        details = self._view.opened(thing)
        if isinstance(details, ImageDetails) and not (details.children or details.not_compared):
            yield self._finding(FindingKind.TEMP_IMAGE_LEFT, thing, parts, details)

    def _is_in_the_making(self, uuid: str) -> bool:
        """Whether a driver has just begun, or begun again, to make this volume."""
        records = self._view.records(VOLUMES)
        record = records.read_record(uuid)
        return record is None or self._view.is_young(records.modified_ns(uuid, record))

    def _unrecorded(self, thing: Thing, parts: DriverName) -> Iterator[Finding]:
        details = self._view.opened(thing)
        if details is None:
            self._broken.note(thing)
            return
        less = self._lowered_to(thing, details)
        kind = FindingKind.IMAGE_WITHOUT_RECORD
        yield self._finding(kind, thing, parts, details, lowered_to=less)

    def _lowered_to(self, thing: Thing, details: ImageDetails | NotCompared) -> Severity | None:
        """How much less it matters where the image may well be in order."""
        if thing.thing_id in self._view.inventory.mirrored():
            return Severity.NOTE
        metadata = details.metadata if isinstance(details, ImageDetails) else {}
        return lowered_to(thing.name, metadata)

    def _finding(
        self,
        kind: FindingKind,
        thing: Thing,
        parts: DriverName,
        details: ImageDetails | NotCompared,
        *,
        lowered_to: Severity | None = None,
    ) -> Finding:
        schema = journal_of(parts)
        attach = (attach_image(schema.journal, parts.uuid),)
        lost = kind is FindingKind.IMAGE_WITHOUT_RECORD
        choices = (*(attach if lost else ()), retire(thing.name))
        return self._view.context.finding_of(
            kind,
            schema,
            parts.uuid,
            in_words(details, self._view.context.grace),
            thing=f"image {printable(thing.name)} (id {thing.thing_id})",
            size_bytes=details.size_bytes if isinstance(details, ImageDetails) else None,
            commands=() if lowered_to is Severity.NOTE else choices,
            lowered_to=lowered_to,
        )
