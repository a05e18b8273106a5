"""Which of SQLite's result codes an error stands for, on any Python.

The errors carry their code since Python 3.11.  Before, only their class and
their text tell: the class as CPython's Modules/_sqlite/util.c chooses it, the
text as SQLite's sqlite3ErrStr has it.
"""

from __future__ import annotations

import enum
import sqlite3


class Code(enum.IntEnum):
    """SQLite's primary result codes, as sqlite3.h numbers them, as far as they are told apart."""

    ERROR = 1
    PERM = 3
    BUSY = 5
    LOCKED = 6
    READONLY = 8
    IOERR = 10
    CORRUPT = 11
    FULL = 13
    CANTOPEN = 14
    PROTOCOL = 15
    TOOBIG = 18
    CONSTRAINT = 19
    MISMATCH = 20
    FORMAT = 24
    NOTADB = 26


_BY_TEXT = {
    "access permission denied": Code.PERM,
    "database is locked": Code.BUSY,
    "database table is locked": Code.LOCKED,
    "database schema is locked": Code.LOCKED,
    "attempt to write a readonly database": Code.READONLY,
    "disk I/O error": Code.IOERR,
    "database or disk is full": Code.FULL,
    "unable to open database": Code.CANTOPEN,
    "locking protocol": Code.PROTOCOL,
    "datatype mismatch": Code.MISMATCH,
    "auxiliary database format error": Code.FORMAT,
    "file is not a database": Code.NOTADB,
}
"""How the texts begin; some go on with what it is about."""

_BY_CLASS: dict[type[BaseException], Code] = {
    sqlite3.DatabaseError: Code.CORRUPT,
    sqlite3.DataError: Code.TOOBIG,
    sqlite3.IntegrityError: Code.CONSTRAINT,
}
"""What is left of each class once the texts are known."""


class Damaged(sqlite3.DatabaseError):
    """Content that SQLite takes and csijournal never wrote."""

    sqlite_errorcode = int(Code.CORRUPT)


def code_of(error: BaseException) -> int:
    """SQLite's primary result code, without the details above its low byte."""
    if is_undecodable(error):
        return Code.CORRUPT
    found = getattr(error, "sqlite_errorcode", None)
    return code_by_text(error) if found is None else found & 0xFF


def code_by_text(error: BaseException) -> Code:
    """The code of an error that does not carry it."""
    text = str(error)
    for beginning, code in _BY_TEXT.items():
        if text.startswith(beginning):
            return code
    return _BY_CLASS.get(type(error), Code.ERROR)


def is_undecodable(error: BaseException) -> bool:
    """Whether a text in the file is not UTF-8.

    Python raises an OperationalError of its own then, which has never a code, or
    UnicodeDecodeError where the text is part of a message.
    """
    if type(error) is sqlite3.OperationalError:
        return str(error).startswith("Could not decode to UTF-8")
    return isinstance(error, UnicodeDecodeError)
