"""Volumes as a driver leaves them, many and cheap: a record, its entry, and an RBD image."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from csijournal.store import Store, Write
from csijournal.wire.records import IMAGE_ID_KEY, NewImage, VolumeRecord, image_attributes
from csijournal.wire.schema import VOLUMES

_IMAGE_BYTES = 1 << 20
_IMAGE_ORDER = 20
"""Objects of 1 MiB, of which none is written: an image is its header alone."""

_THREADS = 16
_ENTRIES_AT_ONCE = 5000
_OWNER = "team-a"

_Item = TypeVar("_Item")


def fill_volumes(store: Store, ioctx: Any, instance_id: str, volumes: int) -> list[str]:  # noqa: ANN401
    """Volumes with an image each; the names of their records' objects."""
    import rbd  # noqa: PLC0415 - only where there is Ceph

    images = rbd.RBD()
    reserved = [(f"pvc-{number:08}", str(uuid.uuid4())) for number in range(volumes)]

    def create_image(name: str) -> None:
        features = rbd.RBD_FEATURE_LAYERING
        try:
            images.create(ioctx, name, _IMAGE_BYTES, order=_IMAGE_ORDER, features=features)
        except rbd.OSError as error:
            if error.errno != errno.EBADF:
                raise
            create_image(name)  # ids are random and short: of 100,000 some come twice

    def make(item: tuple[str, str]) -> None:
        name, volume_uuid = item
        image_name = VOLUMES.make_image_name("", volume_uuid)
        create_image(image_name)
        # The directory has the id; opening the image to ask it costs as much as making it.
        image_id = ioctx.read(f"rbd_id.{image_name}")[4:].decode()
        attributes = image_attributes(VolumeRecord, image_name, NewImage(name, owner=_OWNER))
        puts = {**attributes, IMAGE_ID_KEY: image_id.encode()}
        store.write(Write(VOLUMES.record_object(volume_uuid), puts=puts))

    in_parallel(make, reserved)
    for some in batches(reserved, _ENTRIES_AT_ONCE):
        puts = {VOLUMES.entry_key(name): volume_uuid.encode() for name, volume_uuid in some}
        store.write(Write(VOLUMES.directory_object(instance_id), puts=puts))
    return [VOLUMES.record_object(volume_uuid) for _, volume_uuid in reserved]


def in_parallel(make: Callable[[_Item], None], items: Iterable[_Item]) -> None:
    """Call `make` for each item, by several threads."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(make, items):
            pass


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """`items`, some at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
