"""A store in a RADOS pool: durable, and shared by any number of hosts.

Each write is one operation on one object, with its guards as compares in it.
The Python binding of librados is imported at the first use; nothing here needs
it before.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from calendar import timegm
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import NamedTuple, TypeGuard, TypeVar

from csijournal.errors import (
    GuardFailed,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreTimeout,
)
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    Guarantee,
    Guard,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    ObjectState,
    Store,
    Unchanged,
    Write,
    check_keys,
    check_name,
    check_range,
    require_guards,
)
from csijournal.store.rados.binding import (
    Cluster,
    Completion,
    Ioctx,
    Listed,
    OmapAnswer,
    ReadOp,
    WriteOp,
    import_rados,
)
from csijournal.store.rados.connection import Connection
from csijournal.store.rados.errors import (
    ErrorContext,
    Operation,
    pool_not_found,
    store_error,
    translated,
)
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.login import Login

READS_UNDER_WAY_MAX = 64
"""How many objects `read_objects` asks for at a time."""

_EXIT_PATIENCE_SECONDS = 5.0
_NAMES_AT_ONCE = 1000
_NS = 1_000_000_000
_BINDING_ERRORS = (TypeError, ValueError, OverflowError, AttributeError, AssertionError)
"""What the binding raises besides its own errors where it dislikes an argument."""

Entries = dict[str, bytes]
_Result = TypeVar("_Result")


class RADOSStore(Store):
    """Objects in the namespace `namespace` of a pool, known by name or else by `pool_id`.

    Without `monitors`, addresses and settings come from the Ceph configuration
    file `conf`, by default from where librados looks for one (CEPH_CONF,
    /etc/ceph/ceph.conf), and from CEPH_ARGS.  `name` is the full name of the
    user (client.admin); its key is `key` itself or lies in the file `keyring`.

    `timeout_seconds` bounds connecting and each operation; 0 waits for ever.
    `clock` gives nanoseconds since 1970 and dates the changes, which RADOS
    keeps in whole seconds.
    """

    guarantees = Guarantee.DURABLE | Guarantee.BETWEEN_PROCESSES | Guarantee.BETWEEN_HOSTS

    def __init__(
        self,
        pool: str = "",
        namespace: str = "",
        *,
        pool_id: int | None = None,
        conf: str | os.PathLike[str] | None = None,
        name: str | None = None,
        keyring: str | os.PathLike[str] | None = None,
        monitors: str | Iterable[str] | None = None,
        key: str | None = None,
        timeout_seconds: float = 30.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if bool(pool) == (pool_id is not None):
            raise ValueError("give the pool's name or its id, one of the two")
        self._given_pool = self._pool = pool
        self._pool_id = pool_id
        self._namespace = namespace
        self._clock = clock
        self._login = Login(
            conf=None if conf is None else os.fspath(conf),
            name=name,
            keyring=None if keyring is None else os.fspath(keyring),
            monitors=monitors if isinstance(monitors, str | None) else ",".join(monitors),
            key=key,
            timeout_seconds=timeout_seconds,
        )
        self._process = os.getpid()
        self._connecting = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False

    @classmethod
    def from_location(
        cls, location: RADOSLocation, *, clock: Callable[[], int] = time.time_ns
    ) -> RADOSStore:
        """The store at `location`, with what files and the environment add to it.

        Raises PlaceNotFound, PermissionDenied and PlaceUnusable for those files.
        """
        found = location.resolved()
        return cls(
            found.pool,
            found.namespace or "",
            pool_id=found.pool_id,
            conf=found.conf,
            name=found.name,
            keyring=found.keyring,
            monitors=found.monitors,
            key=found.key,
            timeout_seconds=found.timeout_seconds,
            clock=clock,
        )

    @property
    def place(self) -> str:
        return RADOSLocation(self._given_pool, self._pool_id, self._namespace or None).url

    @property
    def pool_id(self) -> int:
        """The number by which CSI handles name the pool.  Connects where only the name is known."""
        with self._using() as connection:
            return int(connection.ioctx.get_pool_id())

    def connect(self) -> None:
        with self._using():
            pass

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        check_keys(object_name, keys)
        with self._using() as connection:
            wanted = _Keys(tuple(keys))
            return self._read(connection, connection.ioctx, object_name, wanted)[0]

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        check_range(object_name, after, prefix)
        with self._using() as connection:
            page = _Page(after, prefix, limit)
            return self._read(connection, connection.ioctx, object_name, page)[0]

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        check_name(object_name)
        with self._using() as connection:
            if sentinel:
                pages = self._read(connection, connection.ioctx, object_name, *_whole(sentinel))
                if _is_whole(pages, sentinel):
                    return pages[0]
            return self._read_all_pages(connection, object_name)

    def read_state(self, object_name: str) -> ObjectState | None:
        check_name(object_name)
        with self._using() as connection:
            return self._until_steady(
                connection,
                object_name,
                lambda ioctx: self._try_state(connection, ioctx, object_name),
            )

    def read_objects(
        self, object_names: Iterable[str], *, sentinel: str = ""
    ) -> Iterator[tuple[str, dict[str, bytes] | None]]:
        waiting: deque[_Started] = deque()
        try:
            for object_name in object_names:
                waiting.append(self._start_reading(check_name(object_name), sentinel))
                if len(waiting) >= READS_UNDER_WAY_MAX:
                    yield self._finish_reading(waiting.popleft(), sentinel)
            while waiting:
                yield self._finish_reading(waiting.popleft(), sentinel)
        finally:
            # librados writes into the answers until a read is complete: they must not go before.
            for started in waiting:
                started.completion.wait_for_complete()
                self._forget(started)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        """Names of all objects in the namespace that start with `prefix`.

        The whole pool is walked.  Names that are not UTF-8, and those with a
        locator key, are left out: no journal makes them.
        """
        check_name(prefix or "-")
        for found in self._listed(self._namespace):
            if not found.locator_key and found.key.startswith(prefix):
                yield found.key

    def namespaces(self) -> Iterator[str]:
        """The namespaces of the pool that hold an object, each once, as they are met."""
        seen = set()
        for found in self._listed(import_rados().LIBRADOS_ALL_NSPACES):
            if found.nspace not in seen:
                seen.add(found.nspace)
                yield found.nspace

    def modified_ns(self, object_name: str) -> int | None:
        check_name(object_name)
        with self._using() as connection:
            return self._stat(connection, connection.ioctx, object_name)

    def write(self, write: Write) -> None:
        with self._using() as connection:
            try:
                if _comparable(write):
                    self._operate(connection.ioctx, write)
                else:
                    self._write_pinned(connection, write)
            except _ObjectMissingError:
                self._require_pool(connection)
                require_guards(write, None, version=0)
            except _ObjectChangedError as error:
                raise GuardFailed(
                    "the object has another version", object_name=write.object_name
                ) from error

    def close(self) -> None:
        self._closed = True
        if os.getpid() == self._process and self._connection is not None:
            self._connection.close()

    # Connecting

    def _using(self) -> Connection:
        """The connection, which stays open while a block is entered on it."""
        if os.getpid() != self._process:
            raise PlaceUnusable(
                f"{self.place} was opened before this process was forked",
                hint="Open the store in the process that uses it",
            )
        connection = self._connection or self._connect()
        if self._closed:
            raise PlaceUnusable(f"the store on {self.place} is closed")
        return connection

    def _connect(self) -> Connection:
        with self._connecting:
            if self._closed:
                raise PlaceUnusable(f"the store on {self.place} is closed")
            if self._connection is None:
                connection = self._connected()
                # Not `self.close`: what the finalizer holds must not hold the store.
                weakref.finalize(self, connection.close, _EXIT_PATIENCE_SECONDS)
                self._connection = connection
            return self._connection

    def _connected(self) -> Connection:
        rados = import_rados()
        cluster = self._login.connect(rados, self._context)
        try:
            with self._errors(Operation.READ):
                return Connection(cluster, self._open_pool(rados, cluster))
        except BaseException:
            cluster.shutdown()
            raise

    def _open_pool(self, rados: ModuleType, cluster: Cluster) -> Ioctx:
        try:
            ioctx = self._opened(cluster)
        except rados.ObjectNotFound as error:
            raise pool_not_found(self._context) from error
        ioctx.set_namespace(self._namespace)
        # In a full pool, writes shall fail instead of waiting for room.
        ioctx.set_osdmap_full_try()
        return ioctx

    def _opened(self, cluster: Cluster) -> Ioctx:
        if self._pool_id is None:
            return cluster.open_ioctx(self._pool)
        # librados opens a context on any number.
        self._pool = cluster.pool_reverse_lookup(self._pool_id) or ""
        if not self._pool:
            raise pool_not_found(self._context)
        return cluster.open_ioctx2(self._pool_id)

    @property
    def _context(self) -> ErrorContext:
        return ErrorContext(
            user=self._login.user,
            pool=self._pool or f"with the id {self._pool_id}",
            namespace=self._namespace,
            timeout_seconds=self._login.timeout_seconds,
        )

    def _require_pool(self, connection: Connection) -> None:
        """Raise PlaceNotFound if that is why something was not found; asks nobody."""
        if connection.cluster.pool_reverse_lookup(connection.ioctx.get_pool_id()) is None:
            raise pool_not_found(self._context)

    @contextmanager
    def _errors(self, operation: Operation, object_name: str = "") -> Iterator[None]:
        rados = import_rados()
        try:
            yield
        except (StoreError, _ObjectMissingError):
            raise
        except (rados.Error, *_BINDING_ERRORS) as error:
            raise translated(error, operation, self._context, object_name) from error

    # Writing

    def _operate(self, ioctx: Ioctx, write: Write) -> None:
        """Apply `write`.

        Raises _ObjectMissingError where there is none and the write makes none,
        and _ObjectChangedError for the guard Unchanged.
        """
        rados = import_rados()
        try:
            with rados.WriteOpCtx() as operation:
                _add_guards(rados, operation, write)
                _add_changes(ioctx, operation, write)
                ioctx.operate_write_op(operation, write.object_name, self._clock() // _NS)
        except (rados.Error, *_BINDING_ERRORS) as error:
            raise _failed_guard(error, write) or translated(
                error, Operation.WRITE, self._context, write.object_name
            ) from error

    def _write_pinned(self, connection: Connection, write: Write) -> None:
        """Apply `write` with guards that the binding cannot pass on.

        Those are judged here, and the write is bound to the version of the
        object for which they held.
        """

        def attempt(ioctx: Ioctx) -> None:
            keys = _Keys(tuple(guard.key for guard in write.guards if _incomparable(guard)))
            entries = self._read(connection, ioctx, write.object_name, keys)[0]
            version = ioctx.get_last_version()
            judged = [guard for guard in write.guards if _judged_here(guard)]
            require_guards(replace(write, guards=tuple(judged)), entries, version)
            others = [guard for guard in write.guards if not _judged_here(guard)]
            self._operate(ioctx, replace(write, guards=(Unchanged(version), *others)))

        self._until_steady(connection, write.object_name, attempt)

    # Reading

    def _read(
        self, connection: Connection, ioctx: Ioctx, object_name: str, *requests: _Request
    ) -> list[Entries | None]:
        """The answers to `requests`, all of one moment; None for each where there is no object."""
        rados = import_rados()
        try:
            with rados.ReadOpCtx() as operation:
                answers = [request.add(ioctx, operation) for request in requests]
                ioctx.operate_read_op(operation, object_name)
            return [_entries(answer, object_name) for answer in answers]
        except rados.ObjectNotFound:
            self._require_pool(connection)
            return [None for _ in requests]
        except (rados.Error, *_BINDING_ERRORS) as error:
            raise translated(error, Operation.READ, self._context, object_name) from error

    def _read_all_pages(self, connection: Connection, object_name: str) -> Entries | None:
        """Page until the end, and again where the object changed meanwhile."""
        return self._until_steady(
            connection,
            object_name,
            lambda ioctx: self._try_pages(connection, ioctx, object_name),
        )

    def _until_steady(
        self, connection: Connection, object_name: str, attempt: Callable[[Ioctx], _Result]
    ) -> _Result:
        """Repeat `attempt` until the object keeps its version throughout.

        Raises StoreBusy when it never did within the timeout.
        """
        deadline = time.monotonic() + (self._login.timeout_seconds or float("inf"))
        # An I/O context tells the version of the last object that was read in
        # it, so this one must not be shared.
        with self._errors(Operation.READ, object_name):
            ioctx = self._ioctx_of_its_own(connection)
        try:
            while True:
                try:
                    return attempt(ioctx)
                except _ObjectChangedError:
                    if time.monotonic() > deadline:
                        raise StoreBusy(
                            "the object changed whenever it was read", object_name=object_name
                        ) from None
        finally:
            ioctx.close()

    def _ioctx_of_its_own(self, connection: Connection) -> Ioctx:
        try:
            return connection.ioctx.dup()
        except import_rados().ObjectNotFound as error:
            raise pool_not_found(self._context) from error

    def _try_state(
        self, connection: Connection, ioctx: Ioctx, object_name: str
    ) -> ObjectState | None:
        modified_ns = self._stat(connection, ioctx, object_name)
        if modified_ns is None:
            return None
        version = ioctx.get_last_version()
        entries = self._try_pages(connection, ioctx, object_name, version)
        return None if entries is None else ObjectState(entries, version, modified_ns)

    def _try_pages(
        self, connection: Connection, ioctx: Ioctx, object_name: str, version: int | None = None
    ) -> Entries | None:
        """All entries.  Raises _ObjectChangedError unless they are all of one `version`."""
        entries: Entries = {}
        last = ""
        while True:
            page = self._read(connection, ioctx, object_name, _Page(last))[0]
            if page is None and version is None:
                return None
            if page is None or version not in (None, ioctx.get_last_version()):
                raise _ObjectChangedError
            if not page:
                return entries
            version = ioctx.get_last_version()
            entries |= page
            if max(page) <= last:
                raise PlaceUnusable(
                    "a key holds U+0000, which the Python binding of librados cuts off",
                    object_name=object_name,
                    key=last,
                )
            last = max(page)

    def _stat(self, connection: Connection, ioctx: Ioctx, object_name: str) -> int | None:
        """The time of the last change in nanoseconds since 1970; None for no object."""
        rados = import_rados()
        with self._errors(Operation.READ, object_name):
            try:
                local = ioctx.stat(object_name)[1]
            except rados.ObjectNotFound:
                self._require_pool(connection)
                return None
        # The binding tells local time, which its offset alone makes unambiguous.
        return int(timegm(local) - local.tm_gmtoff) * _NS

    def _start_reading(self, object_name: str, sentinel: str) -> _Started:
        rados = import_rados()
        with self._using() as connection, self._errors(Operation.READ, object_name):
            ioctx = connection.ioctx
            operation = rados.ReadOpCtx().create()
            try:
                answers = [request.add(ioctx, operation) for request in _whole(sentinel)]
                completion = ioctx.operate_aio_read_op(operation, object_name)
            except BaseException:
                operation.release()
                raise
            started = _Started(object_name, connection, operation, answers, completion)
            connection.reads_under_way.add(completion)
            return started

    def _finish_reading(self, started: _Started, sentinel: str) -> tuple[str, Entries | None]:
        object_name = started.object_name
        started.completion.wait_for_complete()
        self._forget(started)
        with self._using() as connection, self._errors(Operation.READ, object_name):
            result = started.completion.get_return_value()
            if result == -errno.ENOENT:
                self._require_pool(connection)
                return object_name, None
            if result < 0:
                raise store_error(result, Operation.READ, self._context, object_name)
            pages = [_entries(answer, object_name) for answer in started.answers]
        if _is_whole(pages, sentinel):
            return object_name, pages[0]
        with self._using() as connection:
            return object_name, self._read_all_pages(connection, object_name)

    def _forget(self, started: _Started) -> None:
        started.operation.release()
        started.connection.reads_under_way.discard(started.completion)

    # Listing

    def _listed(self, namespace: str) -> Iterator[Listed]:
        with self._using() as connection, self._errors(Operation.READ):
            ioctx = self._ioctx_of_its_own(connection)
            ioctx.set_namespace(namespace)
            listing = ioctx.list_objects()
        more = True
        while more:
            with self._using() as connection, self._errors(Operation.READ):
                found, more = self._next_listed(connection, ioctx, listing)
            yield from found

    def _next_listed(
        self, connection: Connection, ioctx: Ioctx, listing: Iterator[Listed]
    ) -> tuple[list[Listed], bool]:
        """Some objects, and whether there may be more."""
        found: list[Listed] = []
        while len(found) < _NAMES_AT_ONCE:
            try:
                found.append(next(listing))
            except UnicodeDecodeError:
                continue
            except StopIteration:
                self._require_end(connection, ioctx, listing)
                return found, False
        return found, True

    def _require_end(self, connection: Connection, ioctx: Ioctx, listing: Iterator[Listed]) -> None:
        """Raise what cut the listing short, if something did.

        The binding ends a listing the same way at its end and at any error.  An
        empty name passes the OSD's checks of who may list and is then refused;
        and behind the true end the binding says so again at once, asking nobody.
        """
        rados = import_rados()
        try:
            ioctx.stat("")
        except (rados.InvalidArgumentError, rados.ObjectNotFound):
            self._require_pool(connection)
        started = time.monotonic()
        more = next(listing, None) is not None
        seconds = time.monotonic() - started
        limit = self._login.timeout_seconds
        if more or (limit and seconds > 0.9 * limit):
            raise StoreTimeout("the listing of the pool was interrupted", hint="Try again")


class _ObjectMissingError(Exception):
    """A write found no object."""


class _ObjectChangedError(Exception):
    """An object changed between the reads of its parts."""


class _Keys(NamedTuple):
    """Asks for these keys."""

    keys: tuple[str, ...]

    def add(self, ioctx: Ioctx, operation: ReadOp) -> OmapAnswer:
        return ioctx.get_omap_vals_by_keys(operation, self.keys)[0]


class _Page(NamedTuple):
    """Asks for the entries behind a key, as many as the OSD gives at once."""

    after: str
    prefix: str = ""
    limit: int = PAGE_ENTRIES_MAX

    def add(self, ioctx: Ioctx, operation: ReadOp) -> OmapAnswer:
        return ioctx.get_omap_vals(operation, self.after, self.prefix, self.limit)[0]


_Request = _Keys | _Page


class _Started(NamedTuple):
    """An asynchronous read; librados fills `answers` until `completion` is complete."""

    object_name: str
    connection: Connection
    operation: ReadOp
    answers: list[OmapAnswer]
    completion: Completion


@lru_cache(maxsize=8)
def _whole(sentinel: str) -> tuple[_Page, _Page]:
    """What to ask for in one operation so that `_is_whole` can judge the answer."""
    return _Page(""), _Page(sentinel)


def _is_whole(pages: Sequence[Entries | None], sentinel: str) -> bool:
    """Whether the first page holds the whole object, or there is no object.

    OSDs cut pages at a limit of their own and the binding does not tell.  But
    both pages are of one moment and have one limit: had the first been cut
    somewhere behind the sentinel, then the second, which starts behind the
    sentinel, would reach further.
    """
    first, second = pages
    if first is None or second is None:
        return True
    return sentinel in first and second.keys() <= first.keys()


def _entries(answer: OmapAnswer, object_name: str) -> Entries:
    try:
        return {key: value or b"" for key, value in answer}
    except UnicodeDecodeError as error:
        raise PlaceUnusable(
            f"a key is not UTF-8 text: {error.object!r}",
            object_name=object_name,
            hint="No journal writes such a key; look at it with: rados listomapvals",
        ) from error


def _add_guards(rados: ModuleType, operation: WriteOp, write: Write) -> None:
    """Turn the guards into compares, each of which fails on a missing object."""
    if _has(write, ObjectExists):
        # Holds wherever there is an object: no object has the key "", and none is less than text.
        operation.omap_cmp("", "x", rados.LIBRADOS_CMPXATTR_OP_LT)
    if _has(write, ObjectAbsent):
        operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
    elif write.puts and all(isinstance(guard, KeyAbsent) for guard in write.guards):
        operation.new(rados.LIBRADOS_CREATE_IDEMPOTENT)
    for guard in write.guards:
        match guard:
            case Unchanged(version):
                if version < 1:  # RADOS counts from 1, and refuses to compare with 0
                    raise _ObjectChangedError
                operation.assert_version(version)
            case KeyAbsent(key):
                operation.omap_cmp(key, "", rados.LIBRADOS_CMPXATTR_OP_EQ)
            case KeyPresent(key):
                operation.omap_cmp(key, "", rados.LIBRADOS_CMPXATTR_OP_GT)
            case KeyEquals(key, value):
                operation.omap_cmp(key, value.decode(), rados.LIBRADOS_CMPXATTR_OP_EQ)


def _add_changes(ioctx: Ioctx, operation: WriteOp, write: Write) -> None:
    if write.remove_object:
        operation.remove()
    if write.deletions:
        ioctx.remove_omap_keys(operation, tuple(write.deletions))
    if write.puts:
        ioctx.set_omap(operation, tuple(write.puts), tuple(write.puts.values()))


def _failed_guard(error: Exception, write: Write) -> Exception | None:
    """What to raise where `error` says that a guard did not hold; None for other troubles."""
    match getattr(error, "errno", None):
        case errno.ENOENT:
            return _ObjectMissingError()
        case errno.ERANGE | errno.EOVERFLOW if _has(write, Unchanged):
            return _ObjectChangedError()
        case errno.EEXIST:
            return GuardFailed("the object exists", object_name=write.object_name)
        case errno.ECANCELED:
            return GuardFailed(
                f"one of these does not hold: {', '.join(map(str, write.guards))}",
                object_name=write.object_name,
            )
    return None


def _has(write: Write, kind: type[Guard]) -> bool:
    return any(isinstance(guard, kind) for guard in write.guards)


def _incomparable(guard: Guard) -> TypeGuard[KeyEquals]:
    """Whether the binding would compare with less: it takes the characters for the bytes."""
    return isinstance(guard, KeyEquals) and not guard.value.isascii()


def _judged_here(guard: Guard) -> bool:
    return isinstance(guard, Unchanged) or _incomparable(guard)


def _comparable(write: Write) -> bool:
    return not any(_incomparable(guard) for guard in write.guards)
