"""Rows of SQLite that are no entries: any type can stand in any column, and any bytes in a text.

Text that is not UTF-8 comes here with its odd bytes as lone surrogates.  An
empty key is an entry: Ceph-CSI's CephFS driver writes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from csijournal.store.contract import Entries, Unreadable

_ODD_TEXT = re.compile("[\0\ud800-\udfff]")

Row = tuple[object, object]


def is_name(name: object) -> bool:
    """Whether it is text that any store can hold."""
    return isinstance(name, str) and bool(name) and not _ODD_TEXT.search(name)


def are_readable(rows: Sequence[Row]) -> bool:
    """Whether all rows are entries; quick, since nearly always they are."""
    if not rows:
        return True
    keys, values = zip(*rows)
    if set(map(type, keys)) != {str} or set(map(type, values)) != {bytes}:
        return False
    return not _ODD_TEXT.search("".join(keys))


def sort_out(object_name: str, rows: Iterable[Row]) -> tuple[dict[str, bytes], list[Unreadable]]:
    """The entries among the rows, and what the others are."""
    entries: dict[str, bytes] = {}
    unreadable: list[Unreadable] = []
    for key, value in rows:
        problem = _problem(key, value)
        if problem:
            unreadable.append(Unreadable(object_name, _as_bytes(key), problem))
        elif isinstance(key, str) and isinstance(value, bytes):
            entries[key] = value
    return entries, unreadable


def page_of(object_name: str, rows: Iterable[Row], limit: int) -> Entries:
    """The first `limit` entries of the rows, and what stands between them.

    What stands behind the last one is told with the next page, whose start it
    is; an empty page tells all that is left.
    """
    entries: dict[str, bytes] = {}
    unreadable: list[Unreadable] = []
    behind: list[Unreadable] = []
    for row in rows:
        found, odd = sort_out(object_name, [row])
        behind += odd
        if found:
            entries |= found
            unreadable, behind = unreadable + behind, []
        if len(entries) == limit:
            break
    return Entries(entries, unreadable if entries else behind)


def _problem(key: object, value: object) -> str:
    """What is wrong with a row, as the end of a sentence that starts with the key."""
    if not isinstance(key, str):
        return "is not text"
    if "\0" in key:
        return "holds U+0000"
    if _ODD_TEXT.search(key):
        return "is not UTF-8"
    return "" if isinstance(value, bytes) else "has a value that is not bytes"


def _as_bytes(key: object) -> bytes:
    return key if isinstance(key, bytes) else str(key).encode(errors="surrogateescape")
