"""One SQLite file: its format, its connections, and transactions that end whatever happens.

An exception can reach a caller at any line (Control-C, a signal handler's, a
caller's timeout).  What must end then is ended by a `with` on an object of C, a
lock or a connection, because no signal is heard between its body and its exit:
a transaction is committed or rolled back, and a lock is free.  The body has no
loop and no `try` of its own, whose jumps CPython leaves uncovered.  A connection
is used again only after a transaction that went well.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from csijournal.errors import (
    InvalidInput,
    OutcomeUnknown,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreFull,
    TooLarge,
)
from csijournal.store.sqlite_codes import Code, code_of, is_undecodable

APPLICATION_ID = 0x43534A31
"""Marks a SQLite file as ours ("CSJ1"), in the header field made for that."""
FORMAT_VERSION = 1
COPY_VERSION = 1001
"""Format 1; what stands behind the records is not known here.

A csijournal that does not know this refuses the file, which it would else take
for a journal of its own, and remove things from.
"""

_TABLES = {
    "objects": """
    CREATE TABLE objects (
        name TEXT PRIMARY KEY,
        modified_ns INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "entries": """
    CREATE TABLE entries (
        object_name TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (object_name, key)
    ) WITHOUT ROWID""",
}
_MARKS = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {FORMAT_VERSION}")

_CHECKPOINT_PAGES = 4000
"""How far the log may grow (16 MiB) before it is copied into the file, which syncs twice."""

_PATH_BYTES_MAX = 504
"""SQLite takes 512 bytes, with room for the ending `-journal`."""

_DEAF_SECONDS = 0.2
"""How long SQLite waits by itself for another process: Python hears no Control-C then."""

_PAUSE_SECONDS = 0.01
"""How long to wait where SQLite does not, as for the journal mode of a new file."""

_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}
"""What Linux says of a folder that nobody can make a file in; ENOENT is that of /proc."""

_Result = TypeVar("_Result")
Work = Callable[[sqlite3.Connection], _Result]


@dataclass(eq=False)
class _Slot:
    """Room for one connection; whoever uses it holds `lock`.

    It is `prepared` once the file was checked by it and its settings are made.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: sqlite3.Connection | None = None
    prepared: bool = False

    def drop(self) -> None:
        """Close the connection, if there is one; the next to come opens another."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
            self.prepared = False


def _free(slots: list[_Slot]) -> _Slot:
    """The first slot that nobody uses, or one more."""
    for slot in slots:
        if not slot.lock.locked():
            return slot
    slots.append(_Slot())
    return slots[-1]


class SQLiteFile:
    """The file at `path`, shared by the threads of one process.

    `timeout_seconds` bounds how long a transaction waits for other processes;
    `create` says whether a missing file is made.  Writers of one process queue
    for a lock of ours, and only one of them competes for SQLite's, whose
    waiting is a poll.
    """

    def __init__(self, path: str | Path, *, timeout_seconds: float, create: bool) -> None:
        if not timeout_seconds >= 0:
            raise InvalidInput(f"{timeout_seconds!r} is not a timeout in seconds")
        self.path = _absolute(path)
        self._timeout_seconds = timeout_seconds
        self._create = create
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._writer = _Slot()
        self._readers: list[_Slot] = []
        self._closed = False
        self._decode: Callable[[bytes], str] = str

    def read(self, work: Work[_Result], object_name: str = "") -> _Result:
        """What `work` returns; all that it reads is of one moment."""
        self._require_usable()
        slot = self._reader()
        with slot.lock:
            return self._run(slot, "BEGIN", work, object_name)

    def write(self, work: Work[_Result], object_name: str = "") -> _Result:
        """What `work` returns; what it wrote is durable, or if it raises is gone.

        Raises OutcomeUnknown where the disk failed at the last step.
        """
        self._require_usable()
        with self._writer.lock:
            return self._run(self._writer, "BEGIN IMMEDIATE", work, object_name)

    def close(self) -> None:
        """Close all connections; one that is in use is closed by its user."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._closed = True
            slots = [self._writer, *self._readers]
        for slot in slots:
            if not slot.lock.locked():
                with slot.lock:
                    slot.drop()

    def _require_usable(self) -> None:
        """Refuse before any lock: in a fork, one may be held by a thread that is not there."""
        if os.getpid() != self._process:
            raise PlaceUnusable(
                f"{self.path} was opened before this process was forked",
                hint="Open the store in the process that uses it",
            )
        if self._closed:
            raise PlaceUnusable(f"the store on {self.path} is closed")

    def _reader(self) -> _Slot:
        """A slot that nobody uses; should another come first, one waits for its read to end."""
        with self._lock:
            return _free(self._readers)

    # Transactions

    def _run(self, slot: _Slot, begin: str, work: Work[_Result], object_name: str) -> _Result:
        """One transaction, tried again while others lock the file; errors in our words."""
        deadline = time.monotonic() + self._timeout_seconds
        decoded_before = False
        while True:
            try:
                return self._try(slot, begin, work, object_name)
            except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
                if is_undecodable(error) and not decoded_before:
                    self._decode = _decode  # slower: only for a file that needs it
                    decoded_before = True
                    continue
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise self._translated(error, object_name) from error
            time.sleep(_PAUSE_SECONDS)

    def _try(self, slot: _Slot, begin: str, work: Work[_Result], object_name: str) -> _Result:
        connection = self._connection(slot)
        at_commit = False
        try:
            with connection:  # commits, or rolls back
                connection.execute(begin)
                result = work(connection)
                at_commit = True
        except BaseException as error:
            if not _is_busy(error):
                slot.drop()
            if at_commit and code_of(error) == Code.IOERR:
                raise OutcomeUnknown(
                    f"{self.path} could not be synced: {error}", object_name=object_name
                ) from error
            raise
        if self._closed:
            slot.drop()
        return result

    def _connection(self, slot: _Slot) -> sqlite3.Connection:
        """The slot's connection, which is in no transaction."""
        self._require_usable()
        if slot.connection is None or not slot.prepared or slot.connection.in_transaction:
            return self._open(slot)
        return slot.connection

    def _open(self, slot: _Slot) -> sqlite3.Connection:
        """A new connection for the slot, which has it before anything can go wrong."""
        slot.drop()
        self._require_file()
        connection = slot.connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode=rw",
            uri=True,
            timeout=min(self._timeout_seconds, _DEAF_SECONDS),
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = self._decode
        try:
            self._prepare(connection)
            slot.prepared = True
        except BaseException:
            slot.drop()
            raise
        return connection

    # The file

    def _require_file(self) -> None:
        """Say plainly what SQLite calls "unable to open database file"; make a missing file."""
        try:
            mode = self._mode()
            if mode is None and self._create:
                self._make()
        except OSError as error:
            raise self._from_system(error) from error
        if mode is not None and stat.S_ISDIR(mode):
            raise PlaceUnusable(f"{self.path} is a folder, not a file", hint="Name a file in it")
        if mode is None and not self._create:
            raise PlaceNotFound(
                f"there is no journal at {self.path}",
                hint="Check the path; reserve, ensure and restore --apply make the file",
            )

    def _mode(self) -> int | None:
        """The file's type and mode; None for no file."""
        if len(os.fsencode(self.path)) > _PATH_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        try:
            return self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _make(self) -> None:
        """Make an empty file for its owner alone; SQLite gives those beside it the same mode.

        Without opening it: to close any file descriptor of a file frees all
        locks that SQLite has on it in this process.
        """
        folder = self.path.parent
        if not folder.is_dir():
            raise PlaceNotFound(f"there is no folder {folder}", hint="Make the folder first")
        try:
            os.mknod(self.path.resolve(), stat.S_IFREG | 0o600)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            raise PermissionDenied(
                f"the folder {folder} is not writable for this user",
                hint="Choose a folder that is, or change its mode",
            ) from error

    def _from_system(self, error: OSError) -> StoreError:
        if error.errno == errno.ENAMETOOLONG:
            return PlaceUnusable(
                f"the path of {len(os.fsencode(self.path))} bytes that begins with"
                f" {str(self.path)[:60]!r} is too long",
                hint=f"SQLite takes at most {_PATH_BYTES_MAX} bytes: choose a shorter path",
            )
        kinds = {errno.EACCES: PermissionDenied, errno.ENOSPC: StoreFull, errno.EDQUOT: StoreFull}
        kind = kinds.get(error.errno or 0, PlaceUnusable)
        return kind(f"{self.path} cannot be opened: {error.strerror or error}")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if _header(connection) == (0, 0):
            _create_tables(connection)
        application_id, version = _header(connection)
        if application_id != APPLICATION_ID:
            raise PlaceUnusable(
                f"{self.path} is a SQLite file of another program",
                hint="Name another file; this one was left as it is",
            )
        if version > FORMAT_VERSION and version != COPY_VERSION:
            raise PlaceUnusable(
                f"{self.path} has format {version}; this csijournal knows up to {FORMAT_VERSION}",
                hint="Use the newer csijournal that wrote it",
            )
        if not _has_tables(connection):
            raise PlaceUnusable(
                f"{self.path} is marked as a journal and has not the tables of one",
                hint="It was left as it is; restore an export into a new file",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    def _translated(self, error: Exception, object_name: str) -> StoreError:
        kind, message, hint = _MEANINGS.get(code_of(error), (StoreError, "failed", ""))
        return kind(f"{self.path} {message}: {error}", object_name=object_name, hint=hint)


_DAMAGED = "Keep a copy, then restore an export or try SQLite's own .recover"
_MEANINGS: dict[int, tuple[type[StoreError], str, str]] = {
    Code.BUSY: (StoreBusy, "was kept locked by others for too long", ""),
    Code.LOCKED: (StoreBusy, "was kept locked by others for too long", ""),
    Code.PROTOCOL: (StoreBusy, "was kept locked by others for too long", ""),
    Code.FULL: (StoreFull, "has no room to grow", "Free space on its disk"),
    Code.TOOBIG: (TooLarge, "cannot take a value of this size", ""),
    Code.READONLY: (
        PermissionDenied,
        "is read-only for this user",
        "The file, its folder and its -wal and -shm files must be writable",
    ),
    Code.PERM: (PermissionDenied, "may not be opened", "Check the mode of the file"),
    Code.CANTOPEN: (
        PermissionDenied,
        "cannot be opened",
        "The file, its folder and its -wal and -shm files must be readable and writable",
    ),
    Code.NOTADB: (
        PlaceUnusable,
        "is not a SQLite file",
        "Name another file; this one was left as it is",
    ),
    Code.CORRUPT: (PlaceUnusable, "is damaged", _DAMAGED),
    Code.FORMAT: (PlaceUnusable, "is damaged", _DAMAGED),
    Code.CONSTRAINT: (PlaceUnusable, "is damaged", _DAMAGED),
    Code.MISMATCH: (PlaceUnusable, "is damaged", _DAMAGED),
}


def _decode(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def _is_busy(error: BaseException) -> bool:
    return code_of(error) == Code.BUSY


def _absolute(path: str | Path) -> Path:
    """The path from the root, with one slash at its start: two would name a host to SQLite."""
    try:
        text = os.fspath(path)
        if "\0" in text:
            raise InvalidInput(f"the path {text!r} holds U+0000")
        absolute = str(Path(text).absolute())
    except TypeError as error:
        raise InvalidInput(f"{path!r} is not a path") from error
    return Path("/" + absolute.lstrip("/"))


def is_copy(connection: sqlite3.Connection) -> bool:
    """Whether the file is marked as a copy."""
    return _header(connection)[1] == COPY_VERSION


def mark_copy(connection: sqlite3.Connection) -> None:
    """Mark the file as a copy, with the transaction."""
    connection.execute(f"PRAGMA user_version = {COPY_VERSION}")


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return int(application_id), int(version)


def _create_tables(connection: sqlite3.Connection) -> None:
    """Make our tables and mark the file, unless it is not empty."""
    with connection:  # commits, or rolls back
        connection.execute("BEGIN IMMEDIATE")
        if _header(connection) == (0, 0) and _is_empty(connection):
            _run_all(connection, (*_TABLES.values(), *_MARKS))


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def _run_all(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Whether our tables are as we make them: the primary keys and types matter."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    made = {name: sql for name, sql in found.fetchall() if name in _TABLES}
    return {name: str(sql).split() for name, sql in made.items()} == {
        name: sql.split() for name, sql in _TABLES.items()
    }
