"""What the headers of RBD images say of snapshots and clones: of many images at a time.

librbd takes 4 ms to open an image.  A header is one object, and dozens of them
are asked for at once, so that a check can look at every image of a pool.
Layout of a snapshot: cls_rbd_snap in Ceph's cls_rbd.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from csijournal.errors import StoreError
from csijournal.inventory.contract import Snapshot
from csijournal.inventory.rbd_objects import (
    CHILDREN_PREFIX,
    HEADER_PREFIX,
    ID_BYTES,
    ChildImage,
    Decoder,
    children_in,
    decoded,
)
from csijournal.store.contract import Store
from csijournal.wire.timestamps import NANOSECONDS

SNAPSHOT_PREFIX = "snapshot_"
"""Keys of an image's header; behind it the snapshot's id, as 16 hex digits."""

PURPOSES = {0: "user", 1: "group", 2: "trash", 3: "mirror"}
"""librbd's rbd_snap_namespace_type_t, in the words of `Snapshot.purpose`."""

_TRASH = 2
_SIZE_KEY = "size"
_DATED = 6
"""The first version with a time, of Ceph 12; before it there were only snapshots of users."""

_WITHOUT_PARENT = 8
"""The first version that leaves out the features and the parent: Ceph 14 and later."""


@dataclass(frozen=True)
class DatedSnapshot(Snapshot):
    """A snapshot with the time of its creation, in nanoseconds since 1970.

    One that `is_protected` may have clones of format 1, of which the image does not know.
    """

    created_ns: int = 0
    is_protected: bool = False


@dataclass(frozen=True)
class ImageHeader:
    """The snapshots of an image, and its clones of format 2; `problem` is why some are missing."""

    snapshots: tuple[DatedSnapshot, ...] = ()
    children: tuple[ChildImage, ...] = ()
    problem: str = ""

    @property
    def kept_snapshots(self) -> tuple[DatedSnapshot, ...]:
        """Those that nobody has removed, so that the image cannot be removed."""
        return tuple(snapshot for snapshot in self.snapshots if snapshot.purpose != "trash")


def read_headers(
    store: Store, image_ids: Iterable[str]
) -> Iterator[tuple[str, ImageHeader | None]]:
    """The headers of these images, in the order given; None for one that is not there.

    Raises StoreError.
    """
    names = (HEADER_PREFIX + image_id for image_id in image_ids)
    for name, entries in store.read_objects(names, sentinel=_SIZE_KEY):
        yield name[len(HEADER_PREFIX) :], None if entries is None else _header(name, entries)


def _header(name: str, entries: Mapping[str, bytes]) -> ImageHeader:
    snapshots = []
    children: list[ChildImage] = []
    problem = ""
    for key, value in entries.items():
        try:
            if key.startswith(SNAPSHOT_PREFIX):
                snapshots.append(decoded(value, _snapshot, name, key))
            elif key.startswith(CHILDREN_PREFIX):
                children += children_in(value, name, key)
        except StoreError as error:  # one bad value must not hide all other images
            problem = str(error)
    return ImageHeader(tuple(snapshots), tuple(children), problem)


def _snapshot(decoder: Decoder) -> DatedSnapshot:
    version, oldest, content = decoder.structure()
    snapshot_id, name = content.number(ID_BYTES), content.text()
    if version < _DATED:
        return DatedSnapshot(name, "user", snapshot_id)
    content.number(ID_BYTES)  # the size
    if oldest < _WITHOUT_PARENT:
        content.number(ID_BYTES)  # the features
        content.structure()  # the parent
    is_protected = content.number(1) != 0
    content.number(ID_BYTES)  # flags
    kind, original = _namespace(content.structure().content)
    seconds, nanoseconds = content.number(4), content.number(4)
    return DatedSnapshot(
        original or name,
        PURPOSES.get(kind, "other"),
        snapshot_id,
        seconds * NANOSECONDS + nanoseconds,
        is_protected,
    )


def _namespace(content: Decoder) -> tuple[int, str]:
    """What keeps a snapshot, and the name that it had before it went to the trash."""
    kind = content.number(4)
    return kind, content.text() if kind == _TRASH else ""
