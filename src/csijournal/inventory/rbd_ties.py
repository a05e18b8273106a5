"""What RBD notes of one image by its id: its name, whether it is in the trash, group, mirroring.

Some reads of keys, whatever the pool holds, and the same for an image in the
trash.  They ask for the moment in which an image is about to be moved, or was,
and for which a list of the whole pool is too old.

Layout (librbd, cls_rbd): `rbd_directory` has `name_<name>` -> id; `rbd_trash` has
`id_<id>`; `rbd_mirroring` has `image_<id>`; the header of an image in a group has
`rbd_group_ref`.
"""

from __future__ import annotations

from csijournal.inventory.rbd_lists import RBD_DIRECTORY
from csijournal.inventory.rbd_objects import HEADER_PREFIX, Decoder, decoded
from csijournal.store.contract import Store

_TRASH = "rbd_trash"
_MIRRORING = "rbd_mirroring"
_GROUP_KEY = "rbd_group_ref"


def id_of_name(store: Store, name: str) -> str | None:
    """The id of the image of this name; None where there is none outside the trash.

    Raises StoreError.
    """
    key = f"name_{name}"
    value = (store.read_keys(RBD_DIRECTORY, (key,)) or {}).get(key)
    return None if value is None else decoded(value, Decoder.text, RBD_DIRECTORY, key)


def is_in_trash(store: Store, image_id: str) -> bool:
    """Whether the image is in the trash.  Raises StoreError."""
    return bool(store.read_keys(_TRASH, (f"id_{image_id}",)))


def is_in_group(store: Store, image_id: str) -> bool:
    """Whether the image is in an RBD group.  Raises StoreError."""
    return bool(store.read_keys(HEADER_PREFIX + image_id, (_GROUP_KEY,)))


def is_mirrored(store: Store, image_id: str) -> bool:
    """Whether the image is mirrored, or mirroring was begun or is being ended.

    Raises StoreError.
    """
    return bool(store.read_keys(_MIRRORING, (f"image_{image_id}",)))
