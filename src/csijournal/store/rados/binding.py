"""The Python binding of librados, as far as it is used here.

It has no type hints and is not on PyPI.  This is the one module that imports
it; what it hands out has the types below.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Optional, Protocol

from csijournal.errors import PlaceUnusable

OmapAnswer = Iterable[tuple[str, Optional[bytes]]]
"""Entries that are there once the operation is through; an empty value comes as None."""


BINDING_ERRORS = (TypeError, ValueError, OverflowError, AttributeError, AssertionError)
"""What the binding raises besides its own errors where it dislikes an argument."""


class WriteOp(Protocol):
    """Steps that are applied to one object together."""

    def new(self, exclusive: int) -> None: ...
    def remove(self) -> None: ...
    def omap_cmp(self, key: str, val: str, cmp_op: int) -> None: ...
    def assert_version(self, version: int) -> None: ...


class ReadOp(Protocol):
    """Reads of one object at one moment."""

    def release(self) -> None: ...


class Completion(Protocol):
    """An asynchronous operation under way."""

    def is_complete(self) -> bool: ...
    def wait_for_complete(self) -> None: ...
    def get_return_value(self) -> int: ...


class Listed(Protocol):
    """An object as a listing tells of it."""

    key: str
    locator_key: str | None
    nspace: str


class Ioctx(Protocol):
    """Access to one pool and namespace."""

    def close(self) -> None: ...
    def dup(self) -> Ioctx: ...
    def get_pool_id(self) -> int: ...
    def get_last_version(self) -> int: ...
    def set_namespace(self, nspace: str) -> None: ...
    def set_osdmap_full_try(self) -> None: ...
    def list_objects(self) -> Iterator[Listed]: ...
    def get_xattrs(self, key: str) -> Iterator[tuple[str, bytes]]: ...
    def stat(self, key: str) -> tuple[int, time.struct_time]: ...
    def get_omap_vals(
        self, read_op: ReadOp, start_after: str, filter_prefix: str, max_return: int
    ) -> tuple[OmapAnswer, int]: ...
    def get_omap_vals_by_keys(
        self, read_op: ReadOp, keys: tuple[str, ...]
    ) -> tuple[OmapAnswer, int]: ...
    def operate_read_op(self, read_op: ReadOp, oid: str) -> None: ...
    def operate_aio_read_op(self, read_op: ReadOp, oid: str) -> Completion: ...
    def set_omap(
        self, write_op: WriteOp, keys: tuple[str, ...], values: tuple[bytes, ...]
    ) -> None: ...
    def remove_omap_keys(self, write_op: WriteOp, keys: tuple[str, ...]) -> None: ...
    def operate_write_op(self, write_op: WriteOp, oid: str, mtime: int) -> None: ...


class Cluster(Protocol):
    """A handle of librados."""

    def conf_read_file(self, path: str | None) -> None: ...
    def conf_parse_env(self) -> None: ...
    def conf_set(self, option: str, val: str) -> None: ...
    def conf_get(self, option: str) -> str | None: ...
    def connect(self) -> None: ...
    def shutdown(self) -> None: ...
    def open_ioctx(self, ioctx_name: str) -> Ioctx: ...
    def open_ioctx2(self, pool_id: int) -> Ioctx: ...
    def pool_reverse_lookup(self, pool_id: int) -> str | None: ...
    def get_fsid(self) -> str: ...
    def mon_command(self, cmd: str, inbuf: bytes) -> tuple[int, bytes, str]: ...


@cache
def import_rados() -> ModuleType:
    """The binding.  Raises PlaceUnusable with advice where it is missing or too old."""
    try:
        import rados  # noqa: PLC0415 - only who uses Ceph needs it
    except ImportError as error:
        raise PlaceUnusable(
            f"Python's binding of librados cannot be imported ({error})",
            hint="Install the distribution's package python3-rados (PyPI has none); a virtual"
            " environment sees it if made by the distribution's own Python:"
            " /usr/bin/python3 -m venv --clear --system-site-packages DIR",
        ) from error
    module: ModuleType = rados
    if not hasattr(module.WriteOp, "omap_cmp"):
        raise PlaceUnusable(
            "Python's binding of librados is too old to compare omap keys",
            hint="Use the package python3-rados of Ceph 16.2.11 or later",
        )
    return module
