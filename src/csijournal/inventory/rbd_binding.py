"""The Python binding of librbd, as far as it is used here: reading only.

It has no type hints and is not on PyPI.  This is the one module that imports
it; what it hands out has the types below.  Nothing here can change an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from types import ModuleType
from typing import Any, Protocol

from csijournal.errors import PlaceUnusable
from csijournal.store.rados.binding import Ioctx


class OpenImage(Protocol):
    """An image that was opened for reading."""

    def id(self) -> str: ...
    def size(self) -> int: ...
    def create_timestamp(self) -> datetime: ...
    def metadata_list(self) -> Iterable[tuple[str, str]]: ...
    def watchers_list(self) -> Iterable[Mapping[str, Any]]: ...
    def list_snaps(self) -> Iterable[Mapping[str, Any]]: ...
    def is_protected_snap(self, name: str) -> bool: ...
    def list_children2(self) -> Iterable[Mapping[str, Any]]: ...
    def get_parent_image_spec(self) -> Mapping[str, str]: ...
    def parent_id(self) -> str: ...


class RBD(Protocol):
    """The lists of a pool and namespace."""

    def list2(self, ioctx: Ioctx) -> Iterable[Mapping[str, str]]: ...
    def trash_list(self, ioctx: Ioctx) -> Iterable[Mapping[str, Any]]: ...
    def mirror_image_info_list(self, ioctx: Ioctx) -> Iterable[tuple[str, Mapping[str, Any]]]: ...
    def namespace_list(self, ioctx: Ioctx) -> list[str]: ...


@cache
def import_rbd() -> ModuleType:
    """The binding.  Raises PlaceUnusable with advice where it is missing."""
    try:
        import rbd  # noqa: PLC0415 - only who compares images needs it
    except ImportError as error:
        raise PlaceUnusable(
            f"Python's binding of librbd cannot be imported ({error})",
            hint="Install the distribution's package python3-rbd (PyPI has none); a virtual"
            " environment sees it if made by the distribution's own Python:"
            " /usr/bin/python3 -m venv --system-site-packages DIR",
        ) from error
    module: ModuleType = rbd
    return module


def pool_lists() -> RBD:
    """What lists images, trash and namespaces.  Raises as `import_rbd` does."""
    lists: RBD = import_rbd().RBD()
    return lists


def open_for_reading(
    ioctx: Ioctx, *, name: str | None = None, image_id: str | None = None
) -> AbstractContextManager[OpenImage]:
    """Open an image by name, or by id where it is in the trash; leaving the block closes it.

    Without `read_only` librbd registers a watcher, and Ceph-CSI refuses to
    delete a volume that has one.
    """
    image: AbstractContextManager[OpenImage] = import_rbd().Image(
        ioctx, name=name, image_id=image_id, read_only=True
    )
    return image
