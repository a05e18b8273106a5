"""How Ceph-CSI's RBD driver finds a volume: by a request's name, and by a handle.

Its order of reads, with plain librados and librbd, and without the code under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rados
import rbd

# ruff: noqa: ANN401 - the bindings have no types


@dataclass(frozen=True)
class FoundVolume:
    uuid: str
    image_name: str
    image_id: str
    owner: str


class DriverReads:
    """The reads of one driver instance in the pool and namespace of `ioctx`."""

    def __init__(self, ioctx: Any, instance: str = "default") -> None:
        self._ioctx = ioctx
        self._instance = instance

    def by_request(self, request_name: str) -> FoundVolume:
        """What CreateVolume finds: the entry, the record that must name the request, the image."""
        listed = self._omap(f"csi.volumes.{self._instance}")
        uuid = listed[f"csi.volume.{request_name}"]
        assert len(uuid) == 36, "of another length the driver takes it for a pool's id and a UUID"
        record = self._omap(f"csi.volume.{uuid}")
        assert record["csi.volname"] == request_name, "omap names mismatch"
        return self._with_image(uuid, record)

    def by_handle(self, handle: str) -> FoundVolume:
        """What all other calls find: the record of the handle's UUID, and its image."""
        uuid = handle[-36:]
        return self._with_image(uuid, self._omap(f"csi.volume.{uuid}"))

    def _with_image(self, uuid: str, record: dict[str, str]) -> FoundVolume:
        name = record.get("csi.imagename", f"csi-vol-{uuid}")
        with rbd.Image(self._ioctx, name, read_only=True) as image:
            assert image.id() == record["csi.imageid"]
        owner = record.get("csi.volume.owner", "")
        return FoundVolume(uuid, name, record["csi.imageid"], owner)

    def _omap(self, name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        after = ""
        while True:
            with rados.ReadOpCtx() as operation:
                values, _ = self._ioctx.get_omap_vals(operation, after, "csi.", 512)
                self._ioctx.operate_read_op(operation, name)
                page = {key: value.decode() for key, value in values}
            if not page:
                return found
            found |= page
            after = max(page)


def lose_all(ioctx: Any, prefix: str = "csi.") -> int:
    """Remove all objects of the journals; how many there were."""
    names = [one.key for one in ioctx.list_objects() if one.key.startswith(prefix)]
    for name in names:
        ioctx.remove_object(name)
    return len(names)


def omaps(ioctx: Any) -> dict[str, dict[str, str]]:
    """All objects of the journals, with all that they hold, but for leases."""
    found = {}
    for one in ioctx.list_objects():
        if one.key.startswith("csi."):
            with rados.ReadOpCtx() as operation:
                values, _ = ioctx.get_omap_vals(operation, "", "", 100_000)
                ioctx.operate_read_op(operation, one.key)
                found[one.key] = {key: value.decode() for key, value in values}
    return found
