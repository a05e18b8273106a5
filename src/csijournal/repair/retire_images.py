"""Taking RBD images out of use and back: whether one may go to the trash, and the moves.

`trash_move` of librbd succeeds whatever has the image open, and a client goes on
writing to an image in the trash.  So an image is looked at twice: before the move,
and in the trash by its id.  If anything appeared in between, it is taken out again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from csijournal.archive import ImageInUse
from csijournal.errors import StoreError, StoreTimeout, printable
from csijournal.inventory.contract import NotCompared, Snapshot, Thing, ThingKind
from csijournal.inventory.rbd import RBDInventory
from csijournal.inventory.rbd_image import ImageDetails, LinkedImage
from csijournal.inventory.rbd_ties import id_of_name, is_in_group, is_in_trash, is_mirrored
from csijournal.repair.plan import ImageMove
from csijournal.repair.rbd_trash import RBDTrash
from csijournal.store.contract import Store
from csijournal.wire.schema import SNAPSHOTS, AnySchema


@dataclass(frozen=True)
class ImageJudge:
    """Tells why an image, live or in the trash, must stay in use.

    Children in the trash are out of use too, and keep the data of their parent
    from any purge.
    """

    store: Store
    inventory: RBDInventory
    schema: AnySchema

    def why_kept(self, thing: Thing, leaving: Collection[str]) -> Iterator[str]:
        """All reasons; `leaving` are the ids of images that go with it.  Raises StoreError."""
        details = self.inventory.details(thing)
        if isinstance(details, NotCompared):
            yield str(details)
        elif not isinstance(details, ImageDetails):
            yield f"{thing} is gone or cannot be opened"
        else:
            yield from self.why_kept_by_itself(thing, details)
            yield from map(str, children_in_use(details, leaving))

    def why_kept_by_itself(self, thing: Thing, details: ImageDetails) -> Iterator[str]:
        """The reasons but for its children.  Raises StoreError."""
        yield from map(str, details.not_compared)
        if details.watchers:
            yield f"{thing} has a watcher: a client at {details.watchers[0]} has it open"
        for snapshot in details.snapshots:
            if not self._goes_with(thing, snapshot):
                yield f"{thing} has the snapshot {printable(snapshot.name)} ({snapshot.purpose})"
        if is_in_group(self.store, thing.thing_id):
            yield f"{thing} is in an RBD group"
        if is_mirrored(self.store, thing.thing_id):
            yield f"{thing} is mirrored"

    def _goes_with(self, thing: Thing, snapshot: Snapshot) -> bool:
        """Whether a snapshot is no reason to keep the image.

        The image of a CSI snapshot has one of its own name, by design.  One in
        the trash namespace is there as long as a child is, and that is judged.
        """
        by_design = self.schema is SNAPSHOTS and snapshot.name == thing.name
        return snapshot.purpose == "trash" or (snapshot.purpose == "user" and by_design)


@dataclass(frozen=True)
class ChildInUse:
    """A clone that is not in the trash, as a reason to keep its parent."""

    parent: Thing
    child: LinkedImage

    def __str__(self) -> str:
        child = self.child
        name = printable(child.name) or f"with the id {child.image_id}"
        return f"{self.parent} has the clone {printable(child.pool)}/{name}"


def children_in_use(details: ImageDetails, leaving: Collection[str]) -> Iterator[ChildInUse]:
    """The children that neither are in the trash nor leave with it."""
    for child in details.children:
        if not child.in_trash and child.image_id not in leaving:
            yield ChildInUse(details.thing, child)


class MoveToTrash(ImageMove):
    """Moves the images of one volume or snapshot to the trash: children come first in `things`.

    `why_not` says why the journal's part cannot follow any more, and is asked
    before and after; `known` are the ids in the trash when this was planned.
    """

    def __init__(
        self,
        judge: ImageJudge,
        trash: RBDTrash,
        things: Collection[Thing],
        *,
        keep_seconds: int,
        why_not: Callable[[], str],
        known: Collection[str] = (),
    ) -> None:
        self._judge = judge
        self._store = judge.store
        self._trash = trash
        self._things = tuple(things)
        self._keep_seconds = keep_seconds
        self._why_not = why_not
        self._known = frozenset(known)
        self.images = tuple(ImageInUse(it.name, it.thing_id, self._store.place) for it in things)
        self.sentences = tuple(
            f"move {thing} (id {thing.thing_id}) to the trash" for thing in things
        )

    def carry_out(self) -> str:
        self._judge.inventory.refresh()
        why = self._reason(in_trash=False)
        if why:
            return why
        moved: list[Thing] = []
        try:
            why = self._move(moved) or self._reason(in_trash=True)
        except StoreError as error:
            why = error.message
        if why and moved:
            self._take_back(moved)
            why = f"{why}; it was taken out of the trash again"
        return why

    def _move(self, moved: list[Thing]) -> str:
        """Move all, and note in `moved` what was moved, or may have been; why not, if so."""
        for thing in self._things:
            try:
                self._trash.move(thing.name, self._keep_seconds)
            except StoreTimeout:
                moved.append(thing)
                raise
            moved.append(thing)
            if not is_in_trash(self._store, thing.thing_id):
                return f"another image was called {printable(thing.name)} by then"
        return ""

    def is_so(self) -> bool:
        return all(is_in_trash(self._store, thing.thing_id) for thing in self._things)

    def _reason(self, *, in_trash: bool) -> str:
        """The first reason to keep the images in use; empty for none."""
        leaving = {thing.thing_id for thing in self._things}
        for thing in self._things:
            if not in_trash and id_of_name(self._store, thing.name) != thing.thing_id:
                return f"{thing} is not there any more, or is another one"
            kind = ThingKind.TRASHED_IMAGE if in_trash else ThingKind.IMAGE
            found = Thing(kind, thing.name, thing.thing_id)
            for reason in self._judge.why_kept(found, leaving):
                return reason
        return self._why_not()

    def _take_back(self, moved: Sequence[Thing]) -> None:
        """Restore what was moved, be it another image that had got the name."""
        for thing in reversed(moved):
            if is_in_trash(self._store, thing.thing_id):
                self._trash.restore(thing.thing_id, thing.name)
                continue
            self._judge.inventory.refresh()
            for entry in self._judge.inventory.trashed(thing.name):
                if entry.image_id not in self._known:
                    self._trash.restore(entry.image_id, thing.name)


class TakeOutOfTrash(ImageMove):
    """Takes one image out of the trash, under the name that it had."""

    def __init__(self, store: Store, trash: RBDTrash, image: ImageInUse) -> None:
        self._store = store
        self._trash = trash
        self._image = image
        name = printable(image.name)
        self.sentences = (f"take image {name} (id {image.image_id}) out of the trash",)

    def carry_out(self) -> str:
        why = self.why_not()
        if not why and not self.is_so():
            self._trash.restore(self._image.image_id, self._image.name)
        return why

    def is_so(self) -> bool:
        return id_of_name(self._store, self._image.name) == self._image.image_id

    def why_not(self) -> str:
        """Why the image cannot come back; empty where it can, or is back.  Raises StoreError."""
        image = self._image
        found = id_of_name(self._store, image.name)
        if found is None and not is_in_trash(self._store, image.image_id):
            return f"image {printable(image.name)} (id {image.image_id}) is not in the trash"
        if found not in {None, image.image_id}:
            return f"another image, with the id {found}, is called {printable(image.name)} by now"
        return ""
