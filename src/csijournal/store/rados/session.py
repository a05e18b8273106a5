"""One login to a Ceph cluster: its connection, and what the monitors know."""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from csijournal.errors import ClientBlocked, PlaceUnusable, StoreError
from csijournal.store.rados.binding import BINDING_ERRORS, Cluster, import_rados
from csijournal.store.rados.connection import Connection
from csijournal.store.rados.errors import ErrorContext, Operation, store_error, translated
from csijournal.store.rados.interruptible import Interruptible
from csijournal.store.rados.login import Login
from csijournal.wire.filesystems import Filesystem, parse_fs_dump

if TYPE_CHECKING:
    from typing_extensions import Self

EXIT_PATIENCE_SECONDS = 5.0
"""How long the end of the process waits for calls under way: they may be writes."""

_POOL_ID_MAX = 2**63 - 1
"""What librados can be asked about; a handle has room for larger numbers, which no pool has."""

_Result = TypeVar("_Result")


class Session:
    """A login: connects at the first use, once for all stores and threads.

    After this client was shut out (ClientBlocked) the next use connects as a
    new client.  A process that was forked must open a login of its own.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self._calls = Interruptible()
        self._process = os.getpid()
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False
        self._erasure_coded: dict[str, bool] = {}

    # What the monitors know

    def fsid(self) -> str:
        """The cluster's own id, a UUID."""
        connection = self.connection()
        return str(self._asked(connection, connection.cluster.get_fsid))

    def pool_name(self, pool_id: int) -> str | None:
        """The name of the pool with this id; None where there is none."""
        if pool_id > _POOL_ID_MAX:
            return None
        connection = self.connection()
        return self._asked(connection, lambda: connection.cluster.pool_reverse_lookup(pool_id))

    def pools(self) -> dict[int, str]:
        """The names of all pools by their ids, as this client's map has them."""
        connection = self.connection()

        def listed() -> dict[int, str]:
            cluster = connection.cluster
            ids = {name: cluster.pool_lookup(name) for name in cluster.list_pools()}
            # One that was removed in between has none.
            return {pool_id: name for name, pool_id in ids.items() if pool_id is not None}

        return self._asked(connection, listed)

    def filesystems(self) -> list[Filesystem]:
        """The cluster's filesystems.  Raises PermissionDenied without mon 'allow r'."""
        dump = self.mon_command("fs dump")
        try:
            return parse_fs_dump(dump)
        except ValueError as error:
            raise StoreError(f"the monitors' answer to `ceph fs dump` is odd: {error}") from error

    def is_erasure_coded(self, pool: str) -> bool:
        """Whether the pool can have no omaps; False where the monitors do not tell."""
        if pool not in self._erasure_coded:
            try:
                self.mon_command("osd pool get", pool=pool, var="erasure_code_profile")
            except StoreError:  # so they say of a replicated pool: not applicable
                self._erasure_coded[pool] = False
            else:
                self._erasure_coded[pool] = True
        return self._erasure_coded[pool]

    def mon_command(self, prefix: str, **arguments: str) -> Any:  # noqa: ANN401 - JSON
        """What the monitors answer to a command, taken from JSON.  Raises StoreError."""
        connection = self.connection()
        words = json.dumps({"prefix": prefix, "format": "json", **arguments})
        # Without a timeout of its own the call has that of rados_mon_op_timeout.
        number, answer, text = self._asked(
            connection, lambda: connection.cluster.mon_command(words, b"")
        )
        if number:
            raise self._refused(number, prefix, text)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise StoreError(f"the monitors' answer to `ceph {prefix}` is not JSON") from error

    def _refused(self, number: int, prefix: str, text: str) -> StoreError:
        error = store_error(number, Operation.ASK, self.context())
        error.message += f" (ceph {prefix}{': ' if text else ''}{text})"
        return error

    def _asked(self, connection: Connection, question: Callable[[], _Result]) -> _Result:
        rados = import_rados()
        try:
            return connection.call(question)
        except (rados.Error, *BINDING_ERRORS) as error:
            meant = translated(error, Operation.ASK, self.context())
            if isinstance(meant, ClientBlocked):
                self.renew(connection)
            raise meant from error

    # The connection

    def connection(self) -> Connection:
        """The connection, made now where there is none.

        Raises PlaceUnusable after `close` and in a forked process, and what
        `Login.connect` does.
        """
        if os.getpid() != self._process:
            raise PlaceUnusable(
                "the store was opened before this process was forked",
                hint="Open the store in the process that uses it",
            )
        connection = self._connection or self._connect()
        if self._closed:
            raise PlaceUnusable("the store is closed")
        return connection

    def renew(self, connection: Connection) -> None:
        """Let the next use connect anew, since `connection` is of no more use."""
        with self._connecting:
            if self._connection is not connection:
                return
            self._connection = None
        # It waits for calls under way, among them the one that found this out.
        threading.Thread(
            target=connection.close, args=(EXIT_PATIENCE_SECONDS,), daemon=True
        ).start()

    def _connect(self) -> Connection:
        with self._connecting:
            if self._closed:
                raise PlaceUnusable("the store is closed")
            if self._connection is None:
                connection = Connection(self._connected(), self._calls)
                # Not `self.close`: what the finalizer holds must not hold the cluster.
                weakref.finalize(self, connection.close, EXIT_PATIENCE_SECONDS)
                self._connection = connection
            return self._connection

    def _connected(self) -> Cluster:
        rados = import_rados()
        login, context = self.login, self.context()
        return self._calls.call(lambda: login.connect(rados, context))

    def context(self, pool: str = "", namespace: str = "") -> ErrorContext:
        """Who works where, for messages."""
        return ErrorContext(self.login.user, pool, namespace, self.login.timeout_seconds)

    def close(self) -> None:
        """End the connection; closing twice is fine."""
        self._closed = True
        if os.getpid() == self._process:
            if self._connection is not None:
                self._connection.close()
            self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
