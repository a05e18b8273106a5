"""What Ceph-CSI's journal does on the wire, over the same binding, to compare with.

A lookup reads the whole directory, 512 keys at a time; a reservation is three
writes without guards: create exclusively, put the entry, set the attributes.
"""

from __future__ import annotations

import uuid
from typing import Any

from csijournal.wire.records import ATTRIBUTE_KEYS, group_attributes
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp

PAGE_KEYS = 512


class Predecessor:
    """The predecessor's protocol on a python3-rados I/O context."""

    def __init__(self, ioctx: Any, rados: Any, instance_id: str) -> None:  # noqa: ANN401 - no stubs
        self._ioctx = ioctx
        self._rados = rados
        self._directory = GROUPS.directory_object(instance_id)

    def check(self, request_name: str) -> dict[str, bytes]:
        """Look a request name up."""
        key = GROUPS.entry_key(request_name)
        entries: dict[str, bytes] = {}
        after = ""
        while page := self._page(self._directory, after):
            entries |= page
            after = max(page)
        return self._page(GROUPS.record_object(entries[key].decode()), "")

    def reserve(self, request_name: str) -> None:
        """Reserve a request name."""
        group_uuid = str(uuid.uuid4())
        group_object = GROUPS.record_object(group_uuid)
        group_name = GROUPS.make_image_name("", group_uuid)
        with self._rados.WriteOpCtx() as operation:
            operation.new(self._rados.LIBRADOS_CREATE_EXCLUSIVE)
            self._ioctx.operate_write_op(operation, group_object)
        self._set(self._directory, {GROUPS.entry_key(request_name): group_uuid.encode()})
        attributes = group_attributes(request_name, group_name, Timestamp.now())
        self._set(group_object, attributes)

    def _set(self, object_name: str, entries: dict[str, bytes]) -> None:
        with self._rados.WriteOpCtx() as operation:
            self._ioctx.set_omap(operation, tuple(entries), tuple(entries.values()))
            self._ioctx.operate_write_op(operation, object_name)

    def _page(self, object_name: str, after: str) -> dict[str, bytes]:
        with self._rados.ReadOpCtx() as operation:
            answer, _ = self._ioctx.get_omap_vals(operation, after, "", PAGE_KEYS)
            self._ioctx.operate_read_op(operation, object_name)
            return dict(answer)


class Floor:
    """The least that the store can be asked for: raw operations through the binding."""

    def __init__(self, ioctx: Any, rados: Any, instance_id: str) -> None:  # noqa: ANN401
        self._ioctx = ioctx
        self._rados = rados
        self._directory = GROUPS.directory_object(instance_id)

    def two_keyed_reads(self, request_name: str, group_uuid: str) -> None:
        """Read one key of the directory, then the attributes of a group object."""
        self.read(self._directory, (GROUPS.entry_key(request_name),))
        self.read(GROUPS.record_object(group_uuid), tuple(sorted(ATTRIBUTE_KEYS)))

    def read(self, object_name: str, keys: tuple[str, ...]) -> None:
        """One keyed read."""
        with self._rados.ReadOpCtx() as operation:
            answer, _ = self._ioctx.get_omap_vals_by_keys(operation, keys)
            self._ioctx.operate_read_op(operation, object_name)
            dict(answer)

    def create_group_object(self) -> str:
        """Create an object with three keys; its UUID."""
        group_uuid = str(uuid.uuid4())
        keys = tuple(sorted(ATTRIBUTE_KEYS))
        with self._rados.WriteOpCtx() as operation:
            operation.new(self._rados.LIBRADOS_CREATE_EXCLUSIVE)
            self._ioctx.set_omap(operation, keys, (b"x" * 50,) * 3)
            self._ioctx.operate_write_op(operation, GROUPS.record_object(group_uuid))
        return group_uuid

    def two_guarded_writes(self, request_name: str) -> None:
        """Create an object with three keys; put a key that must be absent into another."""
        group_uuid = self.create_group_object()
        key = GROUPS.entry_key(request_name)
        with self._rados.WriteOpCtx() as operation:
            operation.new(self._rados.LIBRADOS_CREATE_IDEMPOTENT)
            operation.omap_cmp(key, "", self._rados.LIBRADOS_CMPXATTR_OP_EQ)
            self._ioctx.set_omap(operation, (key,), (group_uuid.encode(),))
            self._ioctx.operate_write_op(operation, self._directory)
