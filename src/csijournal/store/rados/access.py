"""Access to one pool and namespace: what reading, writing and listing have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from csijournal.errors import (
    ClientBlocked,
    PermissionDenied,
    PlaceUnusable,
    StoreError,
    StoreTimeout,
)
from csijournal.store.rados.binding import BINDING_ERRORS, Cluster, Ioctx, import_rados
from csijournal.store.rados.connection import Connection
from csijournal.store.rados.errors import (
    ErrorContext,
    Operation,
    no_omaps,
    no_osd_map,
    pool_not_found,
    store_error,
    translated,
)
from csijournal.store.rados.pool_tags import pool_tags, told_to_the_denied
from csijournal.store.rados.session import Session

if TYPE_CHECKING:
    from typing_extensions import Self


class Opened:
    """The pool's I/O context in one connection, which a block keeps open."""

    __slots__ = ("connection", "ioctx")

    def __init__(self, connection: Connection, ioctx: Ioctx) -> None:
        self.connection = connection
        self.ioctx = ioctx

    def __enter__(self) -> Self:
        self.connection.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.__exit__(kind, error, trace)


class PoolAccess:
    """A pool, known by name or else by id, and a namespace in it, over a login."""

    def __init__(
        self, session: Session, pool: str, pool_id: int | None, namespace: str, url: str
    ) -> None:
        self.session = session
        self.namespace = namespace
        self._pool = pool
        self._pool_id = pool_id
        self._url = url
        self._opened: Opened | None = None
        self._closed = False

    @property
    def timeout_seconds(self) -> float:
        """How long one operation may take; 0 is forever."""
        return self.session.login.timeout_seconds

    @property
    def context(self) -> ErrorContext:
        """Who works where, for messages."""
        return self.session.context(self._pool or f"with the id {self._pool_id}", self.namespace)

    def close(self) -> None:
        """Refuse all further use."""
        self._closed = True

    def using(self) -> Opened:
        """The pool, opened now where it is not; enter a block on it to use it."""
        if self._closed:
            raise PlaceUnusable(f"the store on {self._url} is closed")
        connection = self.session.connection()
        opened = self._opened
        if opened is None or opened.connection is not connection:
            opened = self._opened = self._open(connection)
        return opened

    def own_ioctx(self, opened: Opened) -> Ioctx:
        """An I/O context that no other thread uses: it tells the version of what was read last.

        It is closed when nothing refers to it any more, which a call that was
        left under way may.
        """
        try:
            return opened.ioctx.dup()
        except import_rados().ObjectNotFound as error:
            raise pool_not_found(self.context) from error

    def require_pool(self, opened: Opened) -> None:
        """Raise PlaceNotFound if that is why something was not found; asks nobody."""
        cluster, ioctx = opened.connection.cluster, opened.ioctx
        if cluster.pool_reverse_lookup(ioctx.get_pool_id()) is None:
            raise pool_not_found(self.context)

    @contextmanager
    def errors(
        self, opened: Opened | None, operation: Operation, object_name: str = ""
    ) -> Iterator[None]:
        """Raise what the binding raises in the block as the StoreError that it means."""
        rados = import_rados()
        try:
            yield
        except (rados.Error, *BINDING_ERRORS) as error:
            raise self.translated(error, opened, operation, object_name) from error

    def translated(
        self, error: Exception, opened: Opened | None, operation: Operation, object_name: str = ""
    ) -> StoreError:
        """The StoreError for what the binding raised."""
        return self._noted(translated(error, operation, self.context, object_name), opened)

    def failed(
        self, number: int, opened: Opened, operation: Operation, object_name: str
    ) -> StoreError:
        """The StoreError for an error number of librados."""
        return self._noted(store_error(number, operation, self.context, object_name), opened)

    def _noted(self, error: StoreError, opened: Opened | None) -> StoreError:
        if isinstance(error, ClientBlocked) and opened is not None:
            self.session.renew(opened.connection)
        if isinstance(error, PermissionDenied) and opened is not None:
            told = told_to_the_denied(pool_tags(self.session.mon_command, self._pool))
            error.message += f"; {told}" if told else ""
        return error

    def _open(self, connection: Connection) -> Opened:
        with connection, self._errors_of_opening():
            ioctx = connection.call(lambda: self._ioctx(connection.cluster))
            ioctx.set_namespace(self.namespace)
            # In a full pool, writes are to fail instead of waiting for room.
            ioctx.set_osdmap_full_try()
            connection.ioctxs.append(ioctx)
        if self.session.is_erasure_coded(self._pool):
            raise no_omaps(self.context)
        return Opened(connection, ioctx)

    @contextmanager
    def _errors_of_opening(self) -> Iterator[None]:
        """Opening a pool waits for the map of the OSDs, and asks none of them."""
        try:
            with self.errors(None, Operation.ASK):
                yield
        except StoreTimeout:
            try:
                self.session.mon_command("osd pool ls")
            except PermissionDenied:
                raise no_osd_map(self.context) from None
            raise

    def _ioctx(self, cluster: Cluster) -> Ioctx:
        if self._pool_id is not None:
            # librados opens a context on any number.
            self._pool = cluster.pool_reverse_lookup(self._pool_id) or ""
            if not self._pool:
                raise pool_not_found(self.context)
            return cluster.open_ioctx2(self._pool_id)
        try:
            return cluster.open_ioctx(self._pool)
        except import_rados().ObjectNotFound as error:
            raise pool_not_found(self.context) from error
