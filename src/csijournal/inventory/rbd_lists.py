"""The whole-pool lists of RBD: images, trash, groups, mirrored images, namespaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, TypeVar

from csijournal.errors import StoreError, printable
from csijournal.inventory.contract import NotCompared, Thing, ThingKind
from csijournal.inventory.names import NameIndex
from csijournal.inventory.rbd_binding import pool_lists
from csijournal.inventory.rbd_groups import group_names
from csijournal.inventory.rbd_image import rbd_errors, utc_ns
from csijournal.store.contract import Store
from csijournal.store.rados.binding import Ioctx
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.pool_tags import pool_tags

RBD_DIRECTORY = "rbd_directory"
"""The object that lists a pool's images; there once RBD was used in the pool and namespace."""

MIRRORING = "mirroring of RBD images"

_LIST_NAMES: dict[ThingKind, str] = {
    ThingKind.IMAGE: "RBD images",
    ThingKind.TRASHED_IMAGE: "RBD trash",
    ThingKind.RBD_GROUP: "RBD groups",
}

_Result = TypeVar("_Result")


class Caller(Protocol):
    """Makes a call that may take long, such as `Connection.call`, which hears Control-C."""

    def __call__(self, job: Callable[[], _Result], /) -> _Result: ...


def call_directly(job: Callable[[], _Result], /) -> _Result:
    """The Caller that adds nothing."""
    return job()


@dataclass(frozen=True)
class TrashEntry:
    """An image in the trash; times in nanoseconds since 1970.

    Before `deferment_end_ns` RBD removes it only by force.  `source` is who
    moved it there: USER, MIRRORING, MIGRATION, USER_PARENT…
    """

    name: str
    image_id: str
    source: str
    deleted_ns: int
    deferment_end_ns: int

    @property
    def thing(self) -> Thing:
        """The entry as a check's answer has it."""
        return Thing(ThingKind.TRASHED_IMAGE, self.name, self.image_id)


@dataclass(frozen=True)
class MirrorState:
    """How an image is mirrored; one that is not primary is a copy that RBD keeps."""

    is_primary: bool
    global_id: str


@dataclass
class PoolLists:
    """What the pool holds, as far as it could be listed.

    `problems` says why a list is missing: by its kind of thing, or `MIRRORING`.
    """

    images: NameIndex = field(default_factory=NameIndex)
    trash: dict[str, list[TrashEntry]] = field(default_factory=dict)
    trash_names: NameIndex = field(default_factory=NameIndex)
    groups: NameIndex = field(default_factory=NameIndex)
    mirrored: dict[str, MirrorState] = field(default_factory=dict)
    problems: dict[ThingKind | str, NotCompared] = field(default_factory=dict)

    def counts(self) -> dict[ThingKind, int]:
        """How many of each kind, of the lists that could be read."""
        counts = {
            ThingKind.IMAGE: len(self.images),
            ThingKind.TRASHED_IMAGE: sum(map(len, self.trash.values())),
            ThingKind.RBD_GROUP: len(self.groups),
        }
        return {kind: count for kind, count in counts.items() if kind not in self.problems}

    def image_of(self, image_id: str) -> Thing | None:
        """The image with this id, be it in the trash."""
        if image_id in self._names_by_id:
            return Thing(ThingKind.IMAGE, self._names_by_id[image_id], image_id)
        return self._trash_by_id.get(image_id)

    @cached_property
    def _names_by_id(self) -> dict[str, str]:
        return {image_id: name for name, image_id in self.images}

    @cached_property
    def _trash_by_id(self) -> dict[str, Thing]:
        return {entry.image_id: entry.thing for same in self.trash.values() for entry in same}


@dataclass(frozen=True)
class PoolLister:
    """Lists what RBD has in the pool and namespace of `ioctx` and `store`."""

    ioctx: Ioctx
    store: Store
    context: ErrorContext
    applications: Collection[str] | None
    call: Caller

    def lists(self) -> PoolLists:
        """Read everything; what cannot be read is among the `problems`."""
        lists = PoolLists()
        reason = self._why_not()
        if reason is not None:
            lists.problems = dict.fromkeys(_LIST_NAMES, reason)
            return lists
        # First the images, then the trash: one that is moved between the two
        # reads is in both lists rather than in neither.
        for kind, fill in (
            (ThingKind.IMAGE, self._images),
            (ThingKind.TRASHED_IMAGE, self._trash),
            (ThingKind.RBD_GROUP, self._groups),
            (MIRRORING, self._mirrored),
        ):
            try:
                fill(lists)
            except StoreError as error:
                what = _LIST_NAMES[kind] if isinstance(kind, ThingKind) else kind
                lists.problems[kind] = NotCompared(what, error.message, error.hint)
        return lists

    def _why_not(self) -> NotCompared | None:
        """Why there is nothing to list: RBD is not used here.  None where it may be."""
        if "rbd" in (self.applications or ()):
            return None
        try:
            used = self.store.modified_ns(RBD_DIRECTORY) is not None
        except StoreError:
            return None  # the lists fail in the same way, and say why
        if used:
            return None
        pool = printable(self.context.pool)
        return NotCompared(
            "RBD images, trash and groups",
            f"RBD is not enabled for pool {pool}, and no image was ever made here",
            f"If images belong here, enable it: ceph osd pool application enable {pool} rbd",
        )

    def _images(self, lists: PoolLists) -> None:
        lists.images = self._listed(
            "list the RBD images",
            lambda: NameIndex((it["name"], it["id"]) for it in pool_lists().list2(self.ioctx)),
        )

    def _trash(self, lists: PoolLists) -> None:
        trash = defaultdict(list)
        for entry in self._listed(
            "list the RBD trash",
            lambda: [_trash_entry(fields) for fields in pool_lists().trash_list(self.ioctx)],
        ):
            trash[entry.name].append(entry)
        lists.trash = dict(trash)
        lists.trash_names = NameIndex((name, "") for name in trash)

    def _groups(self, lists: PoolLists) -> None:
        lists.groups = NameIndex(group_names(self.store))

    def _mirrored(self, lists: PoolLists) -> None:
        lists.mirrored = self._listed(
            "list the mirrored RBD images",
            lambda: {
                image_id: MirrorState(state["primary"], state["global_id"])
                for image_id, state in pool_lists().mirror_image_info_list(self.ioctx)
            },
        )

    def _listed(self, doing: str, listing: Callable[[], _Result]) -> _Result:
        """One list, made into what is kept of it while it is read: it may be long."""
        with rbd_errors(doing, self.context):
            return self.call(listing)


def rbd_namespaces(ioctx: Ioctx, context: ErrorContext) -> list[str] | NotCompared:
    """RBD's own list of the pool's namespaces, without the default one.

    `ioctx` is on the pool's default namespace, where the list is kept.  Raises
    PlaceUnusable where the binding is missing.
    """
    lists = pool_lists()
    try:
        with rbd_errors("list RBD's namespaces", context):
            return list(lists.namespace_list(ioctx))
    except StoreError as error:
        return NotCompared("RBD's namespaces", error.message, error.hint)


def pool_applications(mon_command: Callable[..., Any], pool: str) -> frozenset[str] | None:
    """What the pool is tagged with, such as "rbd" or "cephfs"; None where nobody tells.

    `mon_command` takes a command and its arguments and returns the answer from
    JSON, as `RADOSCluster.mon_command` does.
    """
    tags = pool_tags(mon_command, pool)
    return None if tags is None else frozenset(tags)


def _trash_entry(fields: Mapping[str, Any]) -> TrashEntry:
    deleted: datetime = fields["deletion_time"]
    deferred: datetime = fields["deferment_end_time"]
    return TrashEntry(
        fields["name"], fields["id"], fields["source"], utc_ns(deleted), utc_ns(deferred)
    )
