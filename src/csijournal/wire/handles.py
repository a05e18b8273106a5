"""CSI handles: the names by which Kubernetes knows a driver's volumes and groups.

    0001-LLLL-<cluster id>-<16 hex>-<UUID>

version, byte length of the cluster id, the cluster id, pool or filesystem id,
object UUID (docs/wire-format.md, "Handles").  A cluster id may hold dashes, so
a handle is cut by length and never by splitting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from csijournal.errors import InvalidHandle
from csijournal.wire.names import NAME_BYTES_MAX
from csijournal.wire.text import shortened
from csijournal.wire.uuids import UUID_LENGTH, is_uuid

HANDLE_VERSION = 1

MIGRATED_PREFIX = "mig_"
"""How Kubernetes names a volume of its former RBD driver to Ceph-CSI:

    mig_mons-<md5 of the monitors>_image-<UUID>_<hex of the pool's name>

Such a volume has no record in any journal.
"""

_HEAD = re.compile(rb"([0-9a-fA-F]{4})-([0-9a-fA-F]{4})-")
_TAIL = re.compile(rb"-([0-9a-fA-F]{16})-(.{36})", re.DOTALL)
_TAIL_BYTES = 1 + 16 + 1 + UUID_LENGTH
_FIXED_BYTES = 10 + _TAIL_BYTES
CLUSTER_ID_BYTES_MAX = NAME_BYTES_MAX - _FIXED_BYTES
_LOCATION_ID_MAX = 2**64 - 1


@dataclass(frozen=True)
class Handle:
    """One handle taken apart.

    `location_id` is the pool id for RBD and the filesystem id for CephFS.
    Raises InvalidHandle where the parts cannot make a handle.
    """

    cluster_id: str
    location_id: int
    object_uuid: str

    def __post_init__(self) -> None:
        try:
            length = len(self.cluster_id.encode())
        except UnicodeEncodeError as error:
            raise InvalidHandle(
                f"cluster id {shortened(self.cluster_id)} is not text that UTF-8 can hold"
            ) from error
        if not 1 <= length <= CLUSTER_ID_BYTES_MAX:
            raise InvalidHandle(
                f"cluster id {shortened(self.cluster_id)} is {length} bytes;"
                f" a handle has room for 1 to {CLUSTER_ID_BYTES_MAX}"
            )
        if not 0 <= self.location_id <= _LOCATION_ID_MAX:
            raise InvalidHandle(f"pool or filesystem id {self.location_id} is not a 64-bit number")
        if not is_uuid(self.object_uuid):
            raise InvalidHandle(f"{shortened(self.object_uuid)} is not a UUID in lower case")

    @classmethod
    def parse(cls, text: str) -> Handle:
        """Take a handle apart.  Raises InvalidHandle, saying which part is off."""
        raw = text.encode(errors="surrogatepass")
        head = _HEAD.match(raw)
        if head is None:
            raise _malformed(text, "it does not start with two groups of four hex digits")
        if int(head[1], 16) != HANDLE_VERSION:
            raise _malformed(text, f"version {head[1].decode()} is not known")
        end = head.end() + int(head[2], 16)
        tail = _TAIL.fullmatch(raw, end)
        if tail is None:
            raise _malformed(
                text,
                f"after a cluster id of {int(head[2], 16)} bytes there must follow a dash,"
                " 16 hex digits, a dash and a UUID",
            )
        try:
            return cls(raw[head.end() : end].decode(), int(tail[1], 16), tail[2].decode())
        except UnicodeDecodeError as error:
            raise _malformed(text, "it is cut in the middle of a character") from error

    def moved_to(self, cluster_id: str, location_id: int) -> Handle:
        """The handle of the same object in another cluster, pool or filesystem."""
        return Handle(cluster_id, location_id, self.object_uuid)

    def __str__(self) -> str:
        length = len(self.cluster_id.encode())
        return (
            f"{HANDLE_VERSION:04x}-{length:04x}-{self.cluster_id}"
            f"-{self.location_id:016x}-{self.object_uuid}"
        )


def is_migrated_handle(text: str) -> bool:
    """Whether this names a volume of the former in-tree driver, which no journal holds."""
    return text.startswith(MIGRATED_PREFIX)


def _malformed(text: str, why: str) -> InvalidHandle:
    return InvalidHandle(
        f"{shortened(text)} is not a CSI handle: {why}",
        hint="A handle looks like"
        " 0001-0009-rook-ceph-0000000000000002-8857a21c-fc4f-4577-98f4-a7b5f055388e",
    )
