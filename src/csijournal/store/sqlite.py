"""A store in one SQLite file: durable, shared by processes, nothing to install.

Each write is one transaction in a write-ahead log that is synced before it
returns.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from csijournal.errors import GuardFailed
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    Entries,
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
    records_in_the_way,
    require_guards,
    require_readable,
)
from csijournal.store.sqlite_codes import Damaged
from csijournal.store.sqlite_file import SQLiteFile, is_copy, mark_copy
from csijournal.store.sqlite_rows import are_readable, is_name, page_of, sort_out

_KEYS_AT_ONCE = 500
_NO_LIMIT = -1
_Result = TypeVar("_Result")


class SQLiteStore(Store):
    """Objects in the SQLite file at `path`.

    `timeout_seconds` bounds how long a call waits for other processes before it
    raises StoreBusy.  With `create`, a file that is missing is made at the
    first use, for its owner alone; without, that is PlaceNotFound.  `clock`
    gives nanoseconds since 1970 and dates the changes.
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
        self._file = SQLiteFile(path, timeout_seconds=timeout_seconds, create=create)
        self._clock = clock

    @property
    def stands_alone(self) -> bool:
        return not self._file.read(is_copy)

    def mark_copy(self) -> None:
        def work(connection: sqlite3.Connection) -> bool:
            """Whether it is a copy, now or before."""
            if not is_copy(connection):
                if _select_names(connection, after="", prefix=""):
                    return False
                mark_copy(connection)
            return True

        if not self._file.write(work):
            raise records_in_the_way(self)

    @property
    def place(self) -> str:
        return f"sqlite://{quote(os.fsencode(self._file.path))}"

    def connect(self) -> None:
        self._file.read(lambda _connection: None)

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        check_keys(object_name, keys)
        return self._read_existing(object_name, partial(_select_keys, keys=list(keys)))

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        check_range(object_name, after, prefix)
        return self._read_existing(
            object_name, partial(_select_page, after=after, prefix=prefix, limit=limit)
        )

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        del sentinel
        check_name(object_name)
        return self._read_existing(object_name, _select_all)

    def read_state(self, object_name: str) -> ObjectState | None:
        check_name(object_name)
        return self._file.read(partial(_select_state, object_name=object_name), object_name)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        check_name(prefix or "-")
        last = ""
        while names := self._file.read(partial(_select_names, after=last, prefix=prefix)):
            yield from names
            last = names[-1]

    def modified_ns(self, object_name: str) -> int | None:
        check_name(object_name)
        row = self._file.read(partial(_object_row, object_name=object_name), object_name)
        return None if row is None else row[1]

    def write(self, write: Write) -> None:
        def work(connection: sqlite3.Connection) -> GuardFailed | None:
            try:
                self._apply(connection, write)
            except GuardFailed as refused:
                return refused  # nothing went wrong: the connection is still good
            return None

        refused = self._file.write(work, write.object_name)
        if refused is not None:
            raise refused

    def conflict_key(self, object_name: str) -> str:
        """The whole file: its transactions run one after the other."""
        del object_name
        return ""

    def write_together(self, work: Callable[[Callable[[Write], None]], _Result]) -> _Result:
        """All in one transaction, so that they share the sync; if this raises, none is applied."""
        return self._file.write(lambda connection: work(partial(self._apply, connection)))

    def close(self) -> None:
        self._file.close()

    def _read_existing(
        self,
        object_name: str,
        select: Callable[[sqlite3.Connection, str], dict[str, bytes]],
    ) -> dict[str, bytes] | None:
        """What `select` finds of an object; None where there is no object."""

        def work(connection: sqlite3.Connection) -> dict[str, bytes] | None:
            if _object_row(connection, object_name) is None:
                return None
            return select(connection, object_name)

        return self._file.read(work, object_name)

    def _apply(self, connection: sqlite3.Connection, write: Write) -> None:
        """Apply a write within a transaction; its guards come before its first change."""
        name = write.object_name
        row = _object_row(connection, name)
        guarded = [
            guard.key
            for guard in write.guards
            if isinstance(guard, (KeyAbsent, KeyPresent, KeyEquals))
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


def _object_row(connection: sqlite3.Connection, object_name: str) -> tuple[int, int] | None:
    """The object's version and when it last changed; None for no object."""
    row = connection.execute(
        "SELECT version, modified_ns FROM objects WHERE name = ?", (object_name,)
    ).fetchone()
    if row is None:
        return None
    version, modified_ns = row
    if not (isinstance(version, int) and isinstance(modified_ns, int)):
        raise Damaged("an object's version and time are not numbers")
    return version, modified_ns


def _select_names(connection: sqlite3.Connection, *, after: str, prefix: str) -> list[str]:
    within, bounds = _within("name", after, prefix)
    rows = connection.execute(
        f"SELECT name FROM objects WHERE {within} ORDER BY name LIMIT ?",  # noqa: S608 - fixed texts
        (*bounds, PAGE_ENTRIES_MAX),
    )
    names = [name for (name,) in rows.fetchall()]
    _require_order(after, names)
    return names


def _select_state(connection: sqlite3.Connection, object_name: str) -> ObjectState | None:
    row = _object_row(connection, object_name)
    if row is None:
        return None
    entries = _select_all(connection, object_name)
    require_readable(object_name, entries)
    return ObjectState(entries, *row)


def _select_all(connection: sqlite3.Connection, object_name: str) -> dict[str, bytes]:
    rows = connection.execute(
        "SELECT key, value FROM entries WHERE object_name = ? ORDER BY key", (object_name,)
    ).fetchall()
    if are_readable(rows):
        return dict(rows)
    return Entries(*sort_out(object_name, rows))


def _select_page(
    connection: sqlite3.Connection, object_name: str, *, after: str, prefix: str, limit: int
) -> dict[str, bytes]:
    within, bounds = _within("key", after, prefix)
    query = (
        f"SELECT key, value FROM entries WHERE object_name = ? AND {within}"  # noqa: S608 - fixed texts
        " ORDER BY key LIMIT ?"
    )
    rows = connection.execute(query, (object_name, *bounds, limit)).fetchall()
    if are_readable(rows):
        page = dict(rows)
    else:
        all_rows = connection.execute(query, (object_name, *bounds, _NO_LIMIT))
        page = page_of(object_name, all_rows, limit)
    _require_order(after, page)
    return page


def _select_keys(
    connection: sqlite3.Connection, object_name: str, keys: list[str]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"SELECT key, value FROM entries WHERE object_name = ? AND key IN ({marks})",  # noqa: S608 - only question marks
            (object_name, *some),
        ).fetchall()
        if not are_readable(rows):
            raise Damaged("an entry is not text with bytes")
        found |= rows
    return found


def _require_order(after: str, names: Iterable[str]) -> None:
    """Refuse what a damaged index gives out of order: who goes on from it would go in circles."""
    for name in names:
        if not (is_name(name) and name > after):
            raise Damaged("its names are out of order, or not text")
        after = name


def _within(column: str, after: str, prefix: str) -> tuple[str, tuple[str, ...]]:
    """The condition, and its values, for texts behind `after` that start with `prefix`."""
    condition, bounds = f"{column} > ? AND {column} >= ?", (after, prefix)
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return condition, bounds
    following = 0xE000 if head[-1] == "\ud7ff" else ord(head[-1]) + 1
    return f"{condition} AND {column} < ?", (*bounds, head[:-1] + chr(following))
