"""What RBD has in one pool and namespace: images, trash, groups, mirroring.

The whole lists take a few calls, whatever the number of images (measured on
Ceph 16.2.15: 300 images with ids in 1.5 ms), where opening one image takes
4 ms.  So existence, names and ids are known of all, and an image is opened only
when a finding asks about it.

librbd answers with all images, and with all of the trash, at once and not in
pages.  Memory is therefore bounded by their number: 500 bytes for each image
and for each entry of the trash, half of it librbd's while it lists (measured
with 100,000 images: 53 MB).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from csijournal.errors import PlaceUnusable, StoreError
from csijournal.inventory.contract import (
    Behind,
    Details,
    Inventory,
    NotCompared,
    Role,
    Thing,
    ThingKind,
    UnknownInventory,
)
from csijournal.inventory.rbd_binding import import_rbd
from csijournal.inventory.rbd_groups import (
    GROUP_HEADER_PREFIX,
    GroupDetails,
    has_group,
    read_members,
)
from csijournal.inventory.rbd_headers import ImageHeader, read_headers
from csijournal.inventory.rbd_image import ImageReader
from csijournal.inventory.rbd_lists import (
    Caller,
    MirrorState,
    PoolLister,
    PoolLists,
    TrashEntry,
    call_directly,
)
from csijournal.inventory.rbd_tasks import queued_removals
from csijournal.store.contract import Store
from csijournal.store.rados.access import PoolAccess
from csijournal.store.rados.binding import Ioctx
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES

IMAGE_ID_PREFIX = "rbd_id."
"""What RBD calls the object that holds the id of an image, before the image's name."""

_IMAGE_KINDS = (ThingKind.IMAGE, ThingKind.TRASHED_IMAGE)
_KINDS_OF = {
    Role.VOLUME: _IMAGE_KINDS,
    Role.SNAPSHOT: _IMAGE_KINDS,  # a CSI snapshot on RBD is an image of its own
    Role.GROUP: (ThingKind.RBD_GROUP,),
}

_DEFAULT_PREFIXES = {
    Role.VOLUME: VOLUMES.default_name_prefix,
    Role.SNAPSHOT: SNAPSHOTS.default_name_prefix,
    Role.GROUP: GROUPS.default_name_prefix,
}


def connect_rbd_inventory(
    store: RADOSStore, applications: Collection[str] | None = None
) -> Inventory:
    """The inventory of the pool and namespace of `store`, for as long as its login is open.

    Raises StoreError where the pool cannot be opened.
    """
    access = PoolAccess(store.session, "", store.pool_id, store.namespace, store.place)
    opened = access.using()
    return open_rbd_inventory(
        opened.ioctx,
        store,
        store.context,
        applications=applications,
        call=opened.connection.call,
    )


def open_rbd_inventory(
    ioctx: Ioctx,
    store: Store,
    context: ErrorContext,
    *,
    applications: Collection[str] | None = None,
    call: Caller = call_directly,
) -> Inventory:
    """The RBD inventory, or one that says that the binding of librbd is missing.

    Arguments as for `RBDInventory`.
    """
    try:
        import_rbd()
    except PlaceUnusable as error:
        reason = NotCompared("RBD images, trash and groups", error.message, error.hint)
        return UnknownInventory(reason)
    return RBDInventory(ioctx, store, context, applications=applications, call=call)


class RBDInventory(Inventory):
    """RBD in the pool and namespace of `ioctx`, which stays the caller's to close.

    `store` is on the same pool and namespace.  `applications` are those that
    the pool is tagged with (`pool_applications`); None where they are not known.
    """

    name = "rbd"

    def __init__(
        self,
        ioctx: Ioctx,
        store: Store,
        context: ErrorContext,
        *,
        applications: Collection[str] | None = None,
        call: Caller = call_directly,
    ) -> None:
        self._lister = PoolLister(ioctx, store, context, applications, call)
        self._read: PoolLists | None = None

    @property
    def _lists(self) -> PoolLists:
        if self._read is None:
            self._read = self._lister.lists()
        return self._read

    def refresh(self) -> None:
        self._read = None

    def behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> Behind:  # noqa: ARG002 - names are unique in the pool
        kinds = _KINDS_OF[role]
        things = [thing for kind in kinds for thing in self._matching(kind, name, uuid)]
        problems = self._lists.problems
        missing = (problems[kind] for kind in kinds if kind in problems)
        return Behind(tuple(things), tuple(dict.fromkeys(missing)))

    def look_up_now(self, role: Role, uuid: str, name: str = "") -> None:
        """Read all lists anew where they lack the image or group of the record's names."""
        store, lists = self._lister.store, self._lists
        if not lists.problems.keys().isdisjoint(_KINDS_OF[role]):
            return  # what stands behind it is not known, whatever there is
        index = lists.groups if role is Role.GROUP else lists.images
        for each in dict.fromkeys(filter(None, (name, _DEFAULT_PREFIXES[role] + uuid))):
            if index.id_of(each) is not None:
                continue
            if role is Role.GROUP:
                is_there = has_group(store, each)
            else:
                is_there = store.modified_ns(IMAGE_ID_PREFIX + each) is not None
            if is_there:
                self.refresh()
                return

    def _matching(self, kind: ThingKind, name: str, uuid: str) -> Iterator[Thing]:
        lists = self._lists
        if kind is ThingKind.TRASHED_IMAGE:
            for found in lists.trash_names.matching(name, uuid):
                yield from (entry.thing for entry in lists.trash[found])
            return
        index = lists.images if kind is ThingKind.IMAGE else lists.groups
        for found in index.matching(name, uuid):
            yield Thing(kind, found, index.id_of(found) or "")

    def things(self, kind: ThingKind) -> Iterator[Thing]:
        if kind is ThingKind.TRASHED_IMAGE:
            return (entry.thing for entry in self.trash())
        lists = self._lists
        index = {ThingKind.IMAGE: lists.images, ThingKind.RBD_GROUP: lists.groups}.get(kind)
        return (Thing(kind, name, thing_id) for name, thing_id in index or ())

    def details(self, thing: Thing) -> Details | NotCompared | None:
        """An ImageDetails, or for an RBD group a GroupDetails."""
        lister = self._lister
        try:
            if thing.kind is ThingKind.RBD_GROUP:
                ((_, group),) = read_members(lister.store, [thing], self._image_of)
                return group
            reader = ImageReader(lister.ioctx, lister.store, lister.context, self._image_of)
            return lister.call(lambda: reader.read(thing))
        except StoreError as error:
            return NotCompared(str(thing), error.message, error.hint)

    def _image_of(self, image_id: str) -> Thing | None:
        return self._lists.image_of(image_id)

    def compared(self) -> Mapping[ThingKind, int]:
        return self._lists.counts()

    def not_compared(self) -> tuple[NotCompared, ...]:
        return tuple(dict.fromkeys(self._lists.problems.values()))

    # What only RBD has

    @property
    def context(self) -> ErrorContext:
        """The pool and namespace, and the user who looks."""
        return self._lister.context

    def id_of(self, name: str) -> str | None:
        """The id of the image of exactly this name; None where there is none outside the trash."""
        return self._lists.images.id_of(name)

    def named_ns(self, thing: Thing) -> int | None:
        """When an image or a group got its name, in nanoseconds since 1970; None where it is gone.

        Later than that it was made only where it was renamed or came back from
        the trash.  A group changes with its images, too.  Raises StoreError.
        """
        if thing.kind is ThingKind.RBD_GROUP:
            return self._lister.store.modified_ns(GROUP_HEADER_PREFIX + thing.thing_id)
        return self._lister.store.modified_ns(IMAGE_ID_PREFIX + thing.name)

    def headers(self, things: Iterable[Thing]) -> Iterator[tuple[Thing, ImageHeader | None]]:
        """Snapshots and clones of many images; None for one without a header.

        Raises StoreError.
        """
        by_id = {thing.thing_id: thing for thing in things}
        for image_id, header in read_headers(self._lister.store, by_id):
            yield by_id[image_id], header

    def members(self, groups: Iterable[Thing]) -> Iterator[tuple[Thing, GroupDetails | None]]:
        """The images of many groups; None for a group that is gone.  Raises StoreError."""
        return read_members(self._lister.store, groups, self._image_of)

    def queued_removals(self) -> set[str]:
        """The ids of images that the manager has yet to remove from the trash.

        Raises StoreError.
        """
        return set(queued_removals(self._lister.store))

    def trash(self) -> Iterator[TrashEntry]:
        """Everything in the trash; a name may be there several times."""
        return (entry for entries in self._lists.trash.values() for entry in entries)

    def group(self, name: str) -> Thing | None:
        """The RBD group of exactly this name."""
        group_id = self._lists.groups.id_of(name)
        return None if group_id is None else Thing(ThingKind.RBD_GROUP, name, group_id)

    def image(self, name: str) -> Thing | None:
        """The image of exactly this name, outside the trash."""
        image_id = self.id_of(name)
        return None if image_id is None else Thing(ThingKind.IMAGE, name, image_id)

    def trashed(self, name: str) -> list[TrashEntry]:
        """What is in the trash under this name."""
        return self._lists.trash.get(name, [])

    def has_list_of(self, what: ThingKind | str) -> bool:
        """Whether the list of these things, or of what is mirrored (`MIRRORING`), could be read."""
        return what not in self._lists.problems

    def mirrored(self) -> Mapping[str, MirrorState]:
        """The images that are mirrored, by image id."""
        return self._lists.mirrored
