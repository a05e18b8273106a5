"""A store in a RADOS pool: durable, and shared by any number of hosts.

The Python binding of librados is imported at the first use; nothing here needs
it before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator

from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    Guarantee,
    ObjectState,
    Store,
    Unreadable,
    Write,
    check_keys,
    check_name,
    check_range,
)
from csijournal.store.rados.access import PoolAccess
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.listing import Lister, ObjectID
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.login import Login
from csijournal.store.rados.many import ReaderOfMany
from csijournal.store.rados.reading import Reader
from csijournal.store.rados.session import Session
from csijournal.store.rados.writing import Writer

JOURNAL_OBJECTS_PREFIX = "csi."
"""With which the names of all objects of all journals start (Ceph-CSI, internal/journal)."""


class RADOSStore(Store):
    """Objects in the namespace `namespace` of a pool, known by name or else by `pool_id`.

    Without `monitors`, addresses and settings come from the Ceph configuration
    file `conf`, by default from where librados looks for one (CEPH_CONF,
    /etc/ceph/ceph.conf), and from CEPH_ARGS.  `name` is the full name of the
    user (client.admin); its key is `key` itself or lies in the file `keyring`.
    With `session` the store uses that login, leaves it open, and takes none of
    these.  `listing` are the journals' objects of the namespace (`csi.…`), where a
    walk through the pool found them already: `object_names` then walks no more.

    `timeout_seconds` bounds connecting and each operation; 0 waits forever.
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
        session: Session | None = None,
        listing: Collection[str] | None = None,
    ) -> None:
        if bool(pool) == (pool_id is not None):
            raise ValueError("give the pool's name or its id, one of the two")
        self._place = RADOSLocation(pool, pool_id, namespace or None).url
        self.closes_login = session is None
        self._listing = listing
        self._session = session or Session(
            Login(
                conf=None if conf is None else os.fspath(conf),
                name=name,
                keyring=None if keyring is None else os.fspath(keyring),
                monitors=monitors
                if monitors is None or isinstance(monitors, str)
                else ",".join(monitors),
                key=key,
                timeout_seconds=timeout_seconds,
            )
        )
        self._access = PoolAccess(self._session, pool, pool_id, namespace, self._place)
        self._reader = Reader(self._access)
        self._reader_of_many = ReaderOfMany(self._access, self._reader)
        self._writer = Writer(self._access, self._reader, clock)
        self._lister = Lister(self._access)

    @classmethod
    def from_location(
        cls, location: RADOSLocation, *, clock: Callable[[], int] = time.time_ns
    ) -> RADOSStore:
        """The store at `location`, over a login of its own.

        Raises what `RADOSLocation.resolved` does.
        """
        found = location.resolved()
        store = cls(
            found.pool,
            found.namespace or "",
            pool_id=found.pool_id,
            clock=clock,
            session=Session(found.login),
        )
        store.closes_login = True
        return store

    @property
    def place(self) -> str:
        return self._place

    @property
    def session(self) -> Session:
        """The login that the store uses."""
        return self._session

    @property
    def context(self) -> ErrorContext:
        """Who works where, for messages."""
        return self._access.context

    @property
    def pool_id(self) -> int:
        """The number by which CSI handles name the pool.  Connects."""
        with self._access.using() as opened:
            return int(opened.ioctx.get_pool_id())

    def connect(self) -> None:
        self._access.using()

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        check_keys(object_name, keys)
        return self._reader.keys(object_name, keys)

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        check_range(object_name, after, prefix)
        return self._reader.page(object_name, after, prefix, limit)

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        check_name(object_name)
        return self._reader.whole(object_name, sentinel)

    def read_objects(
        self, object_names: Iterable[str], *, sentinel: str = ""
    ) -> Iterator[tuple[str, dict[str, bytes] | None]]:
        return self._reader_of_many.read(map(check_name, object_names), sentinel)

    def read_state(self, object_name: str) -> ObjectState | None:
        check_name(object_name)
        return self._reader.state(object_name)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        """Names of all objects in the namespace that start with `prefix`.

        The whole pool is walked, unless its listing was given.  Names that are
        not UTF-8, and those with a locator key, are left out: no journal makes
        them.
        """
        check_name(prefix or "-")
        if self._listing is not None and prefix.startswith(JOURNAL_OBJECTS_PREFIX):
            return (name for name in self._listing if name.startswith(prefix))
        return self._lister.names(prefix)

    def walk(self, prefix: str) -> Iterator[str | None]:
        """The names of the listing, where one was given: what it passed over is not known."""
        if self._listing is not None and prefix.startswith(JOURNAL_OBJECTS_PREFIX):
            return iter(self.object_names(prefix))
        return super().walk(prefix)

    def namespaces(self) -> Iterator[str]:
        """The namespaces of the pool that hold an object, each once, as they are met.

        The whole pool is walked.
        """
        return self._lister.namespaces()

    def advice(self, unreadable: Unreadable) -> str:
        return self._reader.advice(unreadable)

    @property
    def namespace(self) -> str:
        return self._access.namespace

    def beside(self, pool_id: int, namespace: str) -> RADOSStore:
        return RADOSStore(namespace=namespace, pool_id=pool_id, session=self._session)

    def objects_everywhere(self) -> Iterator[ObjectID]:
        """All objects of all namespaces of the pool, in one walk."""
        return self._lister.everywhere()

    def modified_ns(self, object_name: str) -> int | None:
        check_name(object_name)
        return self._reader.modified_ns(object_name)

    def write(self, write: Write) -> None:
        self._writer.write(write)

    def close(self) -> None:
        self._access.close()
        if self.closes_login:
            self._session.close()
