"""Reads the objects that count who uses the snapshots behind shallow CephFS volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Protocol, TypeVar, cast

from csijournal.errors import StoreBusy
from csijournal.store.contract import Store
from csijournal.store.rados.binding import BINDING_ERRORS, Ioctx, import_rados
from csijournal.store.rados.errors import ErrorContext, Operation, translated
from csijournal.store.rados.session import Session
from csijournal.wire.backing_references import (
    PREFIX,
    VERSION_ATTRIBUTE,
    BackingReferences,
    object_name,
)

_ATTEMPTS_MAX = 10
"""How often an object is read again that changes between the reads of its parts."""
_DATA_BYTES_MAX = 64
"""The driver writes 4; more than that is shown as unreadable."""

_Result = TypeVar("_Result")


class _DataIoctx(Ioctx, Protocol):
    """An I/O context as it reads an object's data and xattrs."""

    def read(self, key: str, length: int) -> bytes: ...
    def get_xattr(self, key: str, xattr_name: str) -> bytes: ...


class ReferenceReader:
    """Reads the reference objects in one pool and namespace; `store` is on the same."""

    def __init__(self, cluster: Session, store: Store, pool: str, namespace: str) -> None:
        self._cluster = cluster
        self._store = store
        self._pool = pool
        self._namespace = namespace

    @property
    def context(self) -> ErrorContext:
        """Who reads where, for messages."""
        return self._cluster.context(self._pool, self._namespace)

    def handles(self) -> Iterator[str]:
        """The handles of all snapshots that have such an object.  Walks the whole pool."""
        for name in self._store.object_names(PREFIX):
            yield name.removeprefix(PREFIX)

    def read(self, snapshot_handle: str) -> BackingReferences | None:
        """The object of this snapshot, as of one moment; None where there is none.

        Raises StoreBusy where it changed whenever it was read, and other StoreErrors.
        """
        name = object_name(snapshot_handle)
        connection = self._cluster.connection()
        rados = import_rados()
        try:
            opened = connection.call(lambda: connection.cluster.open_ioctx(self._pool))
            with closing(cast("_DataIoctx", opened)) as ioctx:
                ioctx.set_namespace(self._namespace)
                for _ in range(_ATTEMPTS_MAX):
                    parts = connection.call(lambda: _data_and_version(ioctx, name))
                    if parts is None:
                        return None
                    found = self._with_entries(name, *parts)
                    if found is not None:
                        return found
        except (rados.Error, *BINDING_ERRORS) as error:
            raise translated(error, Operation.READ, self.context, name) from error
        raise StoreBusy("the object changed whenever it was read", object_name=name)

    def _with_entries(
        self, name: str, data: bytes, version: bytes | None, object_version: int
    ) -> BackingReferences | None:
        """The whole object; None where its keys are of another moment than the rest."""
        state = self._store.read_state(name)
        if state is None or state.version != object_version:
            return None
        return BackingReferences.parse(name, data, version, state.entries)


class ReferenceIndex:
    """The references that were read, each object once; methods raise StoreError."""

    def __init__(self, reader: ReferenceReader) -> None:
        self._reader = reader
        self._read: dict[str, BackingReferences | None] = {}
        self.is_complete = False

    def of_snapshot(self, handle: str) -> BackingReferences | None:
        """The object of this snapshot; None where there is none."""
        if handle not in self._read:
            self._read[handle] = self._reader.read(handle)
        return self._read[handle]

    def all(self) -> Iterator[BackingReferences]:
        """Every object of the pool and namespace.  Walks the whole pool."""
        for handle in self._reader.handles():
            found = self.of_snapshot(handle)
            if found is not None:
                yield found
        self.is_complete = True

    def known(self) -> Iterator[BackingReferences]:
        """Those that were read."""
        return (found for found in self._read.values() if found is not None)


def _data_and_version(ioctx: _DataIoctx, name: str) -> tuple[bytes, bytes | None, int] | None:
    """Data, xattr and the object's version, all of one moment; None where there is no object."""
    for _ in range(_ATTEMPTS_MAX):
        data = _present(lambda: ioctx.read(name, _DATA_BYTES_MAX))
        if data is None:
            return None
        before = ioctx.get_last_version()
        version = _present(lambda: ioctx.get_xattr(name, VERSION_ATTRIBUTE))
        if version is None or ioctx.get_last_version() == before:
            return data, version, before
    raise StoreBusy("the object changed whenever it was read", object_name=name)


def _present(read: Callable[[], _Result]) -> _Result | None:
    """What `read` gives; None for what is not there."""
    rados = import_rados()
    try:
        return read()
    except (rados.ObjectNotFound, rados.NoData):
        return None
