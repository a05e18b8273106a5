"""A store in one SQLite file: durable, shared by processes, nothing to install.

Each write is one transaction in a write-ahead log that is synced before it
returns.  Writers of one process queue for a lock of ours and only one of them
competes for SQLite's, whose waiting is a poll.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from csijournal.errors import (
    OutcomeUnknown,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreFull,
)
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    Guarantee,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectState,
    Store,
    Write,
    check_keys,
    check_name,
    check_range,
    creates_object,
    require_guards,
)
from csijournal.store.merging import write_merged

APPLICATION_ID = 0x43534A31
"""Marks a SQLite file as ours ("CSJ1"), in the header field made for that."""
FORMAT_VERSION = 1

_SCHEMA = f"""
    CREATE TABLE objects (
        name TEXT PRIMARY KEY,
        modified_ns INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE entries (
        object_name TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (object_name, key)
    ) WITHOUT ROWID;
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {FORMAT_VERSION};
"""
_KEYS_AT_ONCE = 500
_CHECKPOINT_PAGES = 4000
"""How far the log may grow (16 MiB) before it is copied into the file, which syncs twice."""


class SQLiteStore(Store):
    """Objects in the SQLite file at `path`.

    `timeout_seconds` bounds how long a call waits for other processes before it
    raises StoreBusy.  With `create`, a file that is missing is made at the
    first use; without, that is PlaceNotFound.  `clock` gives nanoseconds since
    1970 and dates the changes.
    """

    guarantees = Guarantee.DURABLE | Guarantee.BETWEEN_PROCESSES

    def __init__(
        self,
        path: str | Path,
        *,
        timeout_seconds: float = 30.0,
        create: bool = True,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = Path(path).absolute()
        self._timeout_seconds = timeout_seconds
        self._create = create
        self._clock = clock
        self._process = os.getpid()
        self._writing = threading.Lock()
        self._pool_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @property
    def place(self) -> str:
        return f"sqlite://{quote(os.fsencode(self._path))}"

    def connect(self) -> None:
        with self._connection():
            pass

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        check_keys(object_name, keys)
        with self._snapshot() as connection:
            if not _exists(connection, object_name):
                return None
            return _select_keys(connection, object_name, list(keys))

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        check_range(object_name, after, prefix)
        with self._snapshot() as connection:
            if not _exists(connection, object_name):
                return None
            within, bounds = _within("key", after, prefix)
            rows = connection.execute(
                f"SELECT key, value FROM entries WHERE object_name = ? AND {within}"  # noqa: S608 - fixed texts
                " ORDER BY key LIMIT ?",
                (object_name, *bounds, limit),
            )
            return dict(rows.fetchall())

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        del sentinel
        check_name(object_name)
        with self._snapshot() as connection:
            if not _exists(connection, object_name):
                return None
            return _select_all(connection, object_name)

    def read_state(self, object_name: str) -> ObjectState | None:
        check_name(object_name)
        with self._snapshot() as connection:
            row = connection.execute(
                "SELECT version, modified_ns FROM objects WHERE name = ?", (object_name,)
            ).fetchone()
            if row is None:
                return None
            version, modified_ns = row
            return ObjectState(_select_all(connection, object_name), version, modified_ns)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        check_name(prefix or "-")
        last = ""
        while True:
            within, bounds = _within("name", last, prefix)
            with self._snapshot() as connection:
                names = connection.execute(
                    f"SELECT name FROM objects WHERE {within} ORDER BY name LIMIT ?",  # noqa: S608 - fixed texts
                    (*bounds, PAGE_ENTRIES_MAX),
                ).fetchall()
            if not names:
                return
            for (last,) in names:
                yield last

    def modified_ns(self, object_name: str) -> int | None:
        check_name(object_name)
        with self._snapshot() as connection:
            row = connection.execute(
                "SELECT modified_ns FROM objects WHERE name = ?", (object_name,)
            ).fetchone()
            return None if row is None else int(row[0])

    def write(self, write: Write) -> None:
        (error,) = self.write_together([write])
        if error is not None:
            raise error

    def lane(self, object_name: str) -> str:
        """The whole file: its transactions run one after the other."""
        del object_name
        return ""

    def write_together(self, writes: list[Write]) -> list[StoreError | None]:
        """All in one transaction, so that they share the sync."""
        name = writes[0].object_name if len(writes) == 1 else ""
        with self._writing, self._connection() as connection:
            with self._errors(name):
                connection.execute("BEGIN IMMEDIATE")
            try:
                with self._errors(name):
                    results = write_merged(lambda write: self._apply(connection, write), writes)
            except BaseException:
                connection.rollback()
                raise
            self._commit(connection, name)
            return results

    def close(self) -> None:
        with self._pool_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        if os.getpid() == self._process:
            for connection in idle:
                connection.close()

    def _apply(self, connection: sqlite3.Connection, write: Write) -> None:
        """Apply a write within a transaction; its guards come before its first change."""
        name = write.object_name
        row = connection.execute("SELECT version FROM objects WHERE name = ?", (name,)).fetchone()
        guarded = [
            guard.key
            for guard in write.guards
            if isinstance(guard, KeyAbsent | KeyPresent | KeyEquals)
        ]
        require_guards(
            write,
            None if row is None else _select_keys(connection, name, guarded),
            row[0] if row else 0,
        )
        if write.remove_object:
            connection.execute("DELETE FROM entries WHERE object_name = ?", (name,))
            connection.execute("DELETE FROM objects WHERE name = ?", (name,))
            return
        if row is None and not creates_object(write):
            return
        connection.execute(
            "INSERT OR REPLACE INTO objects (name, modified_ns, version) VALUES (?, ?, ?)",
            (name, self._clock(), random.getrandbits(62)),
        )
        if write.deletions:
            connection.executemany(
                "DELETE FROM entries WHERE object_name = ? AND key = ?",
                [(name, key) for key in write.deletions],
            )
        connection.executemany(
            "INSERT OR REPLACE INTO entries (object_name, key, value) VALUES (?, ?, ?)",
            [(name, key, value) for key, value in write.puts.items()],
        )

    def _commit(self, connection: sqlite3.Connection, object_name: str) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            connection.rollback()
            if _code(error) != sqlite3.SQLITE_IOERR:
                raise self._translated(error, object_name) from error
            raise OutcomeUnknown(
                f"{self._path} could not be synced: {error}", object_name=object_name
            ) from error

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection on which all reads see the same moment."""
        with self._connection() as connection, self._errors():
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to one caller at a time."""
        connection = self._borrow()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _borrow(self) -> sqlite3.Connection:
        if os.getpid() != self._process:
            raise PlaceUnusable(
                f"{self._path} was opened before this process was forked",
                hint="Open the store in the process that uses it",
            )
        with self._pool_lock:
            if self._closed:
                raise PlaceUnusable(f"the store on {self._path} is closed")
            if self._idle:
                return self._idle.pop()
        with self._errors():
            return self._open()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _open(self) -> sqlite3.Connection:
        self._require_file()
        mode = "rwc" if self._create else "rw"
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?mode={mode}",
            uri=True,
            timeout=self._timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _require_file(self) -> None:
        """Say plainly what SQLite calls "unable to open database file"."""
        if self._path.is_dir():
            raise PlaceUnusable(f"{self._path} is a folder, not a file", hint="Name a file in it")
        if self._path.exists():
            return
        folder = self._path.parent
        if not self._create:
            raise PlaceNotFound(
                f"there is no journal at {self._path}",
                hint="Check the path; reserve, ensure and restore --apply make the file",
            )
        if not folder.is_dir():
            raise PlaceNotFound(f"there is no folder {folder}", hint="Make the folder first")
        if not os.access(folder, os.W_OK):
            raise PermissionDenied(
                f"the folder {folder} is not writable for this user",
                hint="Choose a folder that is, or change its mode",
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if _header(connection) == (0, 0):
            self._create_schema(connection)
        application_id, version = _header(connection)
        if application_id != APPLICATION_ID:
            raise PlaceUnusable(
                f"{self._path} is a SQLite file of another program",
                hint="Name another file; this one was left as it is",
            )
        if version > FORMAT_VERSION:
            raise PlaceUnusable(
                f"{self._path} has format {version}; this csijournal knows up to {FORMAT_VERSION}",
                hint="Use the newer csijournal that wrote it",
            )
        self._until_free(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    def _create_schema(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if _header(connection) == (0, 0) and tables == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def _until_free(self, action: Callable[[], object]) -> None:
        """Repeat what SQLite gives up at once instead of waiting: changing the journal mode."""
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            try:
                action()
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _errors(self, object_name: str = "") -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error, object_name) from error

    def _translated(self, error: sqlite3.Error, object_name: str) -> StoreError:
        kind, message, hint = _MEANINGS.get(_code(error), (StoreError, "failed", ""))
        return kind(f"{self._path} {message}: {error}", object_name=object_name, hint=hint)


_MEANINGS: dict[int, tuple[type[StoreError], str, str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "was kept locked by others for too long", ""),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "was kept locked by others for too long", ""),
    sqlite3.SQLITE_FULL: (StoreFull, "has no room to grow", "Free space on its disk"),
    sqlite3.SQLITE_READONLY: (
        PermissionDenied,
        "is read-only for this user",
        "The file, its folder and its -wal and -shm files must be writable",
    ),
    sqlite3.SQLITE_PERM: (PermissionDenied, "may not be opened", "Check the mode of the file"),
    sqlite3.SQLITE_CANTOPEN: (
        PermissionDenied,
        "cannot be opened",
        "The file, its folder and its -wal and -shm files must be readable and writable",
    ),
    sqlite3.SQLITE_NOTADB: (
        PlaceUnusable,
        "is not a SQLite file",
        "Name another file; this one was left as it is",
    ),
    sqlite3.SQLITE_CORRUPT: (
        PlaceUnusable,
        "is damaged",
        "Keep a copy, then restore an export or try SQLite's own .recover",
    ),
}


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, without the details above its low byte."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(application_id), int(version)


def _exists(connection: sqlite3.Connection, object_name: str) -> bool:
    row = connection.execute("SELECT 1 FROM objects WHERE name = ?", (object_name,)).fetchone()
    return row is not None


def _within(column: str, after: str, prefix: str) -> tuple[str, tuple[str, ...]]:
    """The condition, and its values, for texts behind `after` that start with `prefix`."""
    condition, bounds = f"{column} > ? AND {column} >= ?", (after, prefix)
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return condition, bounds
    following = 0xE000 if head[-1] == "\ud7ff" else ord(head[-1]) + 1
    return f"{condition} AND {column} < ?", (*bounds, head[:-1] + chr(following))


def _select_all(connection: sqlite3.Connection, object_name: str) -> dict[str, bytes]:
    rows = connection.execute(
        "SELECT key, value FROM entries WHERE object_name = ? ORDER BY key", (object_name,)
    )
    return dict(rows.fetchall())


def _select_keys(
    connection: sqlite3.Connection, object_name: str, keys: list[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        marks = ", ".join("?" * len(some))
        found |= connection.execute(
            f"SELECT key, value FROM entries WHERE object_name = ? AND key IN ({marks})",  # noqa: S608 - only question marks
            (object_name, *some),
        ).fetchall()
    return found
