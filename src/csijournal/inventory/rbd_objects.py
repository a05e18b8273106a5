"""RBD's own objects, read where librbd does not tell, or asks for more rights than that takes.

Ceph's encoding: numbers are little-endian, a text is a 32-bit length and its
bytes, and a structure starts with its version, the oldest version that can read
it, and a 32-bit length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from csijournal.errors import StoreError
from csijournal.store.contract import Store

HEADER_PREFIX = "rbd_header."
CHILDREN_PREFIX = "snap_children_"
"""Keys of an image's header; behind it the snapshot's id, as 16 hex digits."""

ID_BYTES = 8
"""How long ids of pools and snapshots are, and sizes."""

_LENGTH_BYTES = 4

_Result = TypeVar("_Result")


class ChildImage(NamedTuple):
    """A clone (of format 2) of a snapshot, as the snapshot's image notes it."""

    pool_id: int
    image_id: str
    namespace: str


def read_entries(store: Store, object_name: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    """The entries whose keys start with `prefix`; none where there is no object.

    Raises StoreError.
    """
    page: Mapping[str, bytes] = store.read_page(object_name, prefix=prefix) or {}
    while page:
        yield from page.items()
        page = store.read_page(object_name, prefix=prefix, after=max(page)) or {}


def read_children(store: Store, image_id: str) -> Iterator[ChildImage]:
    """The clones of format 2 of all snapshots of an image.  Raises StoreError."""
    header = HEADER_PREFIX + image_id
    for key, value in read_entries(store, header, CHILDREN_PREFIX):
        yield from children_in(value, header, key)


def children_in(value: bytes, header: str, key: str) -> list[ChildImage]:
    """The clones that one key of a header names.  Raises StoreError."""
    return decoded(value, _children, header, key)


def decoded(
    value: bytes, decode: Callable[[Decoder], _Result], object_name: str, key: str
) -> _Result:
    """What `decode` makes of a value.  Raises StoreError where that is not as RBD writes it."""
    try:
        return decode(Decoder(value))
    except ValueError as error:
        raise StoreError(
            f"the value is not as RBD writes it: {error}", object_name=object_name, key=key
        ) from error


class Structure(NamedTuple):
    """A structure: its version, the oldest version that can read it, and what it holds."""

    version: int
    oldest: int
    content: Decoder


class Decoder:
    """Takes a value apart from its start.  Raises ValueError where it ends too early."""

    def __init__(self, value: bytes) -> None:
        self._rest = memoryview(value)

    def take(self, length: int) -> bytes:
        """The next bytes."""
        if length > len(self._rest):
            raise ValueError(f"{length} bytes should follow, and {len(self._rest)} do")
        taken, self._rest = bytes(self._rest[:length]), self._rest[length:]
        return taken

    def number(self, length: int) -> int:
        """An unsigned number of this many bytes."""
        return int.from_bytes(self.take(length), "little")

    def text(self) -> str:
        """A text; raises UnicodeDecodeError, a ValueError, where it is none."""
        return self.take(self.number(_LENGTH_BYTES)).decode()

    def structure(self) -> Structure:
        """A structure of its own, with the versions that it starts with."""
        version, oldest = self.number(1), self.number(1)
        return Structure(version, oldest, Decoder(self.take(self.number(_LENGTH_BYTES))))


def _children(decoder: Decoder) -> list[ChildImage]:
    return [_child(decoder.structure()) for _ in range(decoder.number(_LENGTH_BYTES))]


def _child(structure: Structure) -> ChildImage:
    content = structure.content
    pool_id, image_id = content.number(ID_BYTES), content.text()
    return ChildImage(pool_id, image_id, content.text() if structure.version > 1 else "")
