"""A driver as Ceph-CSI's for RBD: what it writes for each request, in the order in which it does.

Written with plain librados and librbd, and without the code under test.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import rados
import rbd

# ruff: noqa: ANN401 - the bindings have no types

MIB = 1024**2
DEFAULT_SIZE = 4 * MIB
CLUSTER_ID = "ceph-1"

PLAIN = rbd.RBD_FEATURE_LAYERING
CLONED = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_DEEP_FLATTEN

VOLUME_METADATA = {
    "csi.ceph.com/cluster/name": "k8s-1",
    "csi.storage.k8s.io/pv/name": "pvc-0f8fad5b",
    "csi.storage.k8s.io/pvc/name": "data",
    "csi.storage.k8s.io/pvc/namespace": "team-a",
}
SNAPSHOT_METADATA = {
    "csi.ceph.com/cluster/name": "k8s-1",
    "csi.storage.k8s.io/volumesnapshot/name": "before-upgrade",
    "csi.storage.k8s.io/volumesnapshot/namespace": "team-a",
}

Omap = Mapping[str, str]


class RBDPlace:
    """RBD and omaps of the pool and namespace of `ioctx`, one plain operation a method.

    Clones are of format 2 if the login says so (`rbd_default_clone_format`), as
    that of `RBDPool` does: the binding of Ceph 16 has no argument for it.
    """

    def __init__(self, ioctx: Any) -> None:
        self.ioctx = ioctx
        self.rbd: Any = rbd.RBD()

    # The journal

    def create_object(self, name: str) -> None:
        with rados.WriteOpCtx() as operation:
            operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
            self._operate(operation, name)

    def put(self, name: str, omap: Omap) -> None:
        with rados.WriteOpCtx() as operation:
            operation.new(rados.LIBRADOS_CREATE_IDEMPOTENT)
            values = tuple(value.encode() for value in omap.values())
            self.ioctx.set_omap(operation, tuple(omap), values)
            self._operate(operation, name)

    def delete(self, name: str, *keys: str) -> None:
        with rados.WriteOpCtx() as operation:
            self.ioctx.remove_omap_keys(operation, keys)
            self._operate(operation, name)

    def _operate(self, operation: Any, name: str) -> None:
        self.ioctx.operate_write_op(operation, name, int(time.time()))  # else it is of 1970

    def remove_object(self, name: str) -> None:
        self.ioctx.remove_object(name)

    # Images

    def image(self, name: str, **options: Any) -> Any:
        return rbd.Image(self.ioctx, name, **options)

    def create_image(self, name: str, size: int = DEFAULT_SIZE) -> str:
        self.rbd.create(self.ioctx, name, size, old_format=False, features=PLAIN)
        return self.image_id(name)

    def image_id(self, name: str) -> str:
        with self.image(name, read_only=True) as image:
            return str(image.id())

    def create_snapshot(self, name: str, snapshot: str) -> None:
        with self.image(name) as image:
            image.create_snap(snapshot)

    def remove_snapshot(self, name: str, snapshot: str) -> None:
        """Into the trash namespace of the image, where clones of it live."""
        with self.image(name) as image:
            image.remove_snap(snapshot)

    def clone_image(self, source: str, snapshot: str, name: str) -> str:
        self.rbd.clone(self.ioctx, source, snapshot, self.ioctx, name, features=CLONED)
        return self.image_id(name)

    def flatten(self, name: str) -> None:
        with self.image(name) as image:
            image.flatten()

    def set_metadata(self, name: str, metadata: Omap) -> None:
        with self.image(name) as image:
            for key, value in metadata.items():
                image.metadata_set(key, value)

    def remove_metadata(self, name: str, metadata: Omap) -> None:
        with self.image(name) as image:
            for key in metadata:
                with suppress(KeyError, rbd.ImageNotFound):
                    image.metadata_remove(key)

    def move_to_trash(self, name: str, delay: int = 0) -> str:
        image_id = self.image_id(name)
        self.rbd.trash_move(self.ioctx, name, delay)
        return image_id

    def remove_from_trash(self, name: str) -> None:
        for entry in [*self.rbd.trash_list(self.ioctx)]:
            if entry["name"] == name:
                self.rbd.trash_remove(self.ioctx, entry["id"])

    # Groups

    def create_group(self, name: str) -> None:
        self.rbd.group_create(self.ioctx, name)

    def remove_group(self, name: str) -> None:
        self.rbd.group_remove(self.ioctx, name)

    def add_to_group(self, group: str, image: str) -> None:
        rbd.Group(self.ioctx, group).add_image(self.ioctx, image)

    def remove_from_group(self, group: str, image: str) -> None:
        rbd.Group(self.ioctx, group).remove_image(self.ioctx, image)


class RBDDriver:
    """Answers the requests of one instance of the driver; UUIDs are what it tells its caller."""

    def __init__(self, ioctx: Any, instance: str = "default") -> None:
        self.place = RBDPlace(ioctx)
        self.instance = instance
        self._to_remove: list[str] = []

    def handle(self, of: str) -> str:
        pool_id = self.place.ioctx.get_pool_id()
        return f"0001-{len(CLUSTER_ID):04x}-{CLUSTER_ID}-{pool_id:016x}-{of}"

    # Volumes

    def volume(
        self, name: str, *, prefix: str = "csi-vol-", size: int = DEFAULT_SIZE, kms: str = ""
    ) -> str:
        made = self.reserve_volume(name, prefix=prefix, kms=kms)
        self.place.create_image(prefix + made, size)
        if kms:
            self.place.set_metadata(prefix + made, {"rbd.csi.ceph.com/encrypted": "encrypted"})
        self._finish_volume(made, prefix)
        return made

    def clone(self, source: str, name: str, *, prefix: str = "csi-vol-") -> str:
        """A volume from a volume: by an intermediate image, which stays."""
        made = self.reserve_volume(name, prefix=prefix)
        image, temporary, parent = prefix + made, f"{prefix}{made}-temp", prefix + source
        self._clone_by_snapshot(parent, temporary)
        self.place.remove_metadata(temporary, VOLUME_METADATA)
        self._clone_by_snapshot(temporary, image)
        self._finish_volume(made, prefix)
        return made

    def restore(self, snapshot: str, name: str, *, prefix: str = "csi-vol-") -> str:
        """A volume from a snapshot."""
        made = self.reserve_volume(name, prefix=prefix)
        source = f"csi-snap-{snapshot}"
        self.place.clone_image(source, source, prefix + made)
        self.place.remove_metadata(prefix + made, SNAPSHOT_METADATA)
        self._finish_volume(made, prefix)
        return made

    def delete_volume(self, of: str, name: str, *, prefix: str = "csi-vol-") -> None:
        with suppress(rbd.ImageNotFound):
            self._delete_image(f"{prefix}{of}-temp")
        self._delete_image(prefix + of)
        self.place.remove_object(f"csi.volume.{of}")
        self.place.delete(f"csi.volumes.{self.instance}", f"csi.volume.{name}")

    # Snapshots

    def snapshot(self, source: str, name: str, *, prefix: str = "csi-vol-") -> str:
        made = self.reserve_snapshot(name, prefix + source)
        image = f"csi-snap-{made}"
        self._clone_by_snapshot(prefix + source, image)
        self.place.create_snapshot(image, image)
        self.place.put(f"csi.snap.{made}", {"csi.imageid": self.place.image_id(image)})
        self.place.remove_metadata(image, VOLUME_METADATA)
        self.place.set_metadata(image, SNAPSHOT_METADATA)
        return made

    def delete_snapshot(self, of: str, name: str) -> None:
        image = f"csi-snap-{of}"
        self.place.remove_snapshot(image, image)
        self._delete_image(image)
        self.place.remove_object(f"csi.snap.{of}")
        self.place.delete(f"csi.snaps.{self.instance}", f"csi.snap.{name}")

    # Groups of volumes

    def group(self, name: str, *volumes: str) -> str:
        made = self.reserve_group(name)
        self.place.create_group(f"csi-vol-group-{made}")
        for volume in volumes:
            self.add_to_group(made, volume)
        return made

    def add_to_group(self, of: str, volume: str) -> None:
        self.place.add_to_group(f"csi-vol-group-{of}", f"csi-vol-{volume}")
        self.place.put(f"csi.volume.group.{of}", {self.handle(volume): ""})

    def remove_from_group(self, of: str, volume: str) -> None:
        self.place.remove_from_group(f"csi-vol-group-{of}", f"csi-vol-{volume}")
        self.place.delete(f"csi.volume.group.{of}", self.handle(volume))

    # Reservations: a record, its entry, and then what the record says

    def reserve_volume(self, name: str, *, prefix: str = "csi-vol-", kms: str = "") -> str:
        made = str(uuid.uuid4())
        encryption = {"csi.volume.encryptKMS": kms, "csi.volume.encryptionType": "block"}
        self._reserve(
            *(f"csi.volume.{made}", f"csi.volumes.{self.instance}", f"csi.volume.{name}", made),
            {
                "csi.volname": name,
                "csi.imagename": prefix + made,
                "csi.volume.owner": "team-a",
                **(encryption if kms else {}),
            },
        )
        return made

    def reserve_snapshot(self, name: str, source: str) -> str:
        made = str(uuid.uuid4())
        self._reserve(
            *(f"csi.snap.{made}", f"csi.snaps.{self.instance}", f"csi.snap.{name}", made),
            {
                "csi.snapname": name,
                "csi.imagename": f"csi-snap-{made}",
                "csi.source": source,
                "csi.volume.owner": "team-a",
            },
        )
        return made

    def reserve_group(self, name: str) -> str:
        made = str(uuid.uuid4())
        directory, key = f"csi.groups.{self.instance}", f"csi.volume.group.{name}"
        self._reserve(
            *(f"csi.volume.group.{made}", directory, key, made),
            {
                "csi.volname": name,
                "csi.groupname": f"csi-vol-group-{made}",
                "csi.creationtime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        )
        return made

    def _reserve(self, record: str, directory: str, key: str, made: str, says: Omap) -> None:
        self.place.create_object(record)
        self.place.put(directory, {key: made})
        self.place.put(record, says)

    # Underneath

    def _finish_volume(self, made: str, prefix: str) -> None:
        image = prefix + made
        self.place.put(f"csi.volume.{made}", {"csi.imageid": self.place.image_id(image)})
        self.place.set_metadata(image, VOLUME_METADATA)

    def _clone_by_snapshot(self, source: str, name: str) -> None:
        self.place.create_snapshot(source, name)
        self.place.clone_image(source, name, name)
        self.place.remove_snapshot(source, name)

    def _delete_image(self, name: str) -> None:
        """To the trash, and from there as soon as nothing hangs on it, as the manager does."""
        self._to_remove.append(self.place.move_to_trash(name))
        for image_id in reversed(self._to_remove.copy()):
            with suppress(rbd.ImageBusy, rbd.ImageHasSnapshots):
                self.place.rbd.trash_remove(self.place.ioctx, image_id)
                self._to_remove.remove(image_id)
