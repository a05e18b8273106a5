"""RBD groups and their images, read from the objects that RBD keeps them in.

The binding's `Group.list_images` is not used: librbd ignores the error of its
own read there.  It answers "no images" without a word where permission is
missing, where there is no such group, and as soon as one image of the group lies
in the trash (Ceph 16.2.15).

Layout (librbd, cls_rbd): `rbd_group_directory` has `name_<group>` -> id;
`rbd_group_header.<id>` has `image_<16 hex pool id>_<image id>` -> one byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from csijournal.inventory.contract import Details, Thing
from csijournal.inventory.rbd_objects import Decoder, decoded, read_entries
from csijournal.store.contract import Store

GROUP_DIRECTORY = "rbd_group_directory"
GROUP_HEADER_PREFIX = "rbd_group_header."

_NAME_PREFIX = "name_"
_IMAGE_KEY = re.compile(r"image_([0-9a-f]{16})_(.+)", re.DOTALL)


@dataclass(frozen=True)
class GroupMember:
    """An image of an RBD group.

    `image` is None where no image and no trash entry of this pool and namespace
    has this id: it lies in another pool, or is gone.
    """

    pool_id: int
    image_id: str
    image: Thing | None


@dataclass(frozen=True)
class GroupDetails(Details):
    """What an RBD group holds."""

    members: tuple[GroupMember, ...] = ()


def group_names(store: Store) -> Iterator[tuple[str, str]]:
    """Name and id of every RBD group of the store's pool and namespace.  Raises StoreError."""
    for key, value in read_entries(store, GROUP_DIRECTORY, _NAME_PREFIX):
        yield key.removeprefix(_NAME_PREFIX), decoded(value, Decoder.text, GROUP_DIRECTORY, key)


def has_group(store: Store, name: str) -> bool:
    """Whether there is an RBD group of exactly this name.  Raises StoreError."""
    return bool(store.read_keys(GROUP_DIRECTORY, [_NAME_PREFIX + name]))


def read_members(
    store: Store, groups: Iterable[Thing], find: Callable[[str], Thing | None]
) -> Iterator[tuple[Thing, GroupDetails | None]]:
    """The groups with their images, in order; `find` names an image by its id.

    None where there is no such group any more.  Raises StoreError.
    """
    by_header = {GROUP_HEADER_PREFIX + group.thing_id: group for group in groups}
    for header, entries in store.read_objects(by_header):
        group = by_header[header]
        if entries is None:
            yield group, None
            continue
        members = (_member(key, find) for key in entries)
        yield group, GroupDetails(thing=group, members=tuple(filter(None, members)))


def _member(key: str, find: Callable[[str], Thing | None]) -> GroupMember | None:
    match = _IMAGE_KEY.fullmatch(key)
    return GroupMember(int(match[1], 16), match[2], find(match[2])) if match else None
