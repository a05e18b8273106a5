"""One RBD image, opened for reading, asked, and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

from csijournal.errors import PermissionDenied, StoreError
from csijournal.inventory.contract import Details, NotCompared, Snapshot, Thing, ThingKind
from csijournal.inventory.rbd_binding import OpenImage, import_rbd, open_for_reading
from csijournal.inventory.rbd_headers import PURPOSES
from csijournal.inventory.rbd_objects import ChildImage, read_children
from csijournal.store.contract import Store
from csijournal.store.rados.binding import Ioctx
from csijournal.store.rados.errors import ErrorContext, Operation, store_error
from csijournal.wire.timestamps import NANOSECONDS

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class LinkedImage:
    """A parent or a child; `pool` and `namespace` may be other ones than the image's.

    Where this user may not look there, `pool` is `#` and the pool's id, and
    `name` is empty: the id is always known.
    `snapshot` is, of a parent, the snapshot that the image was cloned from: a
    UUID of librbd's own where that is in its trash namespace.
    """

    pool: str
    namespace: str
    name: str
    image_id: str
    snapshot: str = ""
    in_trash: bool = False


@dataclass(frozen=True)
class ImageDetails(Details):
    """What an RBD image tells.

    `watchers` are the addresses of clients that have it open: one stays for 30
    seconds after its client died.  `parent` is None where there is none, or
    where `not_compared` says that it could not be read.
    """

    watchers: tuple[str, ...] = ()
    children: tuple[LinkedImage, ...] = ()
    parent: LinkedImage | None = None


@dataclass(frozen=True)
class ImageReader:
    """Reads images of the pool and namespace of `ioctx` and `store`, one at a time.

    `image_of` names an image by its id.
    """

    ioctx: Ioctx
    store: Store
    context: ErrorContext
    image_of: Callable[[str], Thing | None]

    def read(self, thing: Thing) -> ImageDetails | None:
        """Open the image, read it, and close it; None where it does not exist.

        Raises StoreError where it cannot be opened.  What cannot be read of an
        open image is in its `not_compared`.
        """
        in_trash = thing.kind is ThingKind.TRASHED_IMAGE
        chosen = {"image_id": thing.thing_id} if in_trash else {"name": thing.name}
        rbd = import_rbd()
        with rbd_errors(f"open {thing}", self.context):
            try:
                opened = open_for_reading(self.ioctx, **chosen)
            except rbd.ImageNotFound:
                return None
        with opened as image:
            return self._details(image, thing)

    def _details(self, image: OpenImage, thing: Thing) -> ImageDetails:
        parts = _Parts(thing, self.context)
        return ImageDetails(
            thing=thing,
            size_bytes=parts.read("size", image.size, None),
            created_ns=parts.read("creation time", lambda: _created_ns(image), None),
            metadata=parts.read("metadata", lambda: dict(image.metadata_list()), {}),
            snapshots=parts.read("snapshots", lambda: tuple(_snapshots(image)), ()),
            watchers=parts.read("watchers", lambda: tuple(_watchers(image)), ()),
            children=parts.read("children", lambda: self._children(image), ()),
            parent=parts.read("parent", lambda: _parent(image), None),
            not_compared=tuple(parts.not_compared),
        )

    def _children(self, image: OpenImage) -> tuple[LinkedImage, ...]:
        """All clones.  For those of format 1 librbd looks into every pool of the cluster.

        Where this user may not, the image itself knows its clones of format 2,
        and there are others only of snapshots that are protected.
        """
        try:
            with rbd_errors("list the children", self.context):
                return tuple(_children(image))
        except PermissionDenied:
            if any(_is_protected(image, snapshot) for snapshot in _snapshots(image)):
                raise
        noted = read_children(self.store, image.id())
        return tuple(self._linked(child) for child in noted)

    def _linked(self, child: ChildImage) -> LinkedImage:
        pool_id, image_id, namespace = child
        here = pool_id == self.ioctx.get_pool_id()
        pool = self.context.pool if here else f"#{pool_id}"
        is_ours = here and namespace == self.context.namespace
        thing = self.image_of(image_id) if is_ours else None
        if thing is None:
            return LinkedImage(pool, namespace, "", image_id)
        in_trash = thing.kind is ThingKind.TRASHED_IMAGE
        return LinkedImage(pool, namespace, thing.name, image_id, in_trash=in_trash)


class _Parts:
    """Reads the parts of one image; what cannot be read is noted."""

    def __init__(self, thing: Thing, context: ErrorContext) -> None:
        self._thing = thing
        self._context = context
        self.not_compared: list[NotCompared] = []

    def read(self, what: str, read: Callable[[], _Result], otherwise: _Result) -> _Result:
        try:
            with rbd_errors(f"read the {what} of {self._thing}", self._context):
                return read()
        except StoreError as error:
            what = f"{what} of {self._thing}"
            self.not_compared.append(NotCompared(what, error.message, error.hint))
            return otherwise


@contextmanager
def rbd_errors(doing: str, context: ErrorContext) -> Iterator[None]:
    """Errors of the binding in this block, as StoreErrors that say what could not be done."""
    rbd = import_rbd()
    try:
        yield
    except rbd.Error as error:
        raise _translated(error, doing, context) from error


def _translated(error: Exception, doing: str, context: ErrorContext) -> StoreError:
    number = getattr(error, "errno", None)
    if not number:
        return StoreError(f"librbd could not {doing} ({type(error).__name__}: {error})")
    known = store_error(number, Operation.READ, context)
    known.message = f"{context.user} could not {doing}: {known.message}"
    return known


def utc_ns(moment: datetime) -> int:
    """Nanoseconds since 1970; the binding gives UTC without saying so."""
    return int(moment.replace(tzinfo=timezone.utc).timestamp()) * NANOSECONDS


def _created_ns(image: OpenImage) -> int | None:
    return utc_ns(image.create_timestamp()) or None  # images of before Ceph 13 have 1970


def _is_protected(image: OpenImage, snapshot: Snapshot) -> bool:
    return snapshot.purpose == "user" and image.is_protected_snap(snapshot.name)


def _watchers(image: OpenImage) -> Iterator[str]:
    return (watcher["addr"] for watcher in image.watchers_list())


def _snapshots(image: OpenImage) -> Iterator[Snapshot]:
    for snapshot in image.list_snaps():
        purpose = PURPOSES.get(snapshot["namespace"], "other")
        yield Snapshot(_name_of(snapshot), purpose, snapshot["id"])


def _name_of(snapshot: Mapping[str, Any]) -> str:
    trash = snapshot.get("trash") or {}
    return str(trash.get("original_name") or snapshot["name"])


def _children(image: OpenImage) -> Iterator[LinkedImage]:
    for child in image.list_children2():
        yield LinkedImage(
            child["pool"],
            child["pool_namespace"],
            child["image"],
            child["id"],
            in_trash=child["trash"],
        )


def _parent(image: OpenImage) -> LinkedImage | None:
    try:
        spec = image.get_parent_image_spec()
    except import_rbd().ImageNotFound:  # so it says of an image without a parent
        return None
    return LinkedImage(
        spec["pool_name"],
        spec["pool_namespace"],
        spec["image_name"],
        image.parent_id(),
        spec["snap_name"],
    )
