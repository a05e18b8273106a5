"""The result code of an error of SQLite: the same with and without Python 3.11's attribute."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from csijournal.store.sqlite_codes import Code, Damaged, code_by_text, code_of, is_undecodable


def made(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, text TEXT)")
    return connection


def lock(folder: Path) -> None:
    with closing(made(folder / "db")) as one, closing(sqlite3.connect(folder / "db")) as other:
        one.execute("BEGIN IMMEDIATE")
        other.execute("PRAGMA busy_timeout = 0")
        other.execute("INSERT INTO t VALUES (1, '')")


def lock_a_table(_: Path) -> None:
    uri = "file:shared?mode=memory&cache=shared"
    with (
        closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as one,
        closing(sqlite3.connect(uri, uri=True)) as other,
    ):
        one.execute("CREATE TABLE t (number)")
        one.execute("BEGIN IMMEDIATE")
        one.execute("INSERT INTO t VALUES (1)")
        other.execute("SELECT * FROM t")


def write_to_what_is_read_only(folder: Path) -> None:
    made(folder / "db").close()
    uri = f"file:{folder / 'db'}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("INSERT INTO t VALUES (1, '')")


def open_a_folder(folder: Path) -> None:
    with closing(sqlite3.connect(folder)) as connection:
        connection.execute("SELECT 1")


def open_another_file(folder: Path) -> None:
    (folder / "db").write_bytes(b"nothing that SQLite wrote" * 1000)
    with closing(sqlite3.connect(folder / "db")) as connection:
        connection.execute("SELECT * FROM sqlite_master")


def read_a_file_that_was_cut(folder: Path) -> None:
    with closing(made(folder / "db")) as connection:
        connection.execute("INSERT INTO t VALUES (1, ?)", ("x" * 100_000,))
    (folder / "db").write_bytes((folder / "db").read_bytes()[:50_000])
    with closing(sqlite3.connect(folder / "db")) as connection:
        connection.execute("SELECT text FROM t").fetchall()


def read_a_schema_without_sense(folder: Path) -> None:
    with closing(made(folder / "db")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE nonsense'")
    with closing(sqlite3.connect(folder / "db")) as connection:
        connection.execute("SELECT * FROM t")


def fill(folder: Path) -> None:
    with closing(made(folder / "db")) as connection:
        connection.execute("PRAGMA max_page_count = 3")
        connection.execute("INSERT INTO t VALUES (1, ?)", ("x" * 100_000,))


def make_a_value_too_big(_: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("SELECT zeroblob(3000000000)").fetchall()


def put_twice(folder: Path) -> None:
    with closing(made(folder / "db")) as connection:
        connection.execute("INSERT INTO t VALUES (1, ''), (1, '')")


def put_a_text_for_a_number(folder: Path) -> None:
    with closing(made(folder / "db")) as connection:
        connection.execute("INSERT INTO t VALUES ('one', '')")


def ask_nonsense(_: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("nonsense")


@pytest.mark.parametrize(
    ("do", "code"),
    [
        (lock, Code.BUSY),
        (lock_a_table, Code.LOCKED),
        (write_to_what_is_read_only, Code.READONLY),
        (open_a_folder, Code.CANTOPEN),
        (open_another_file, Code.NOTADB),
        (read_a_file_that_was_cut, Code.CORRUPT),
        (read_a_schema_without_sense, Code.CORRUPT),
        (fill, Code.FULL),
        (make_a_value_too_big, Code.TOOBIG),
        (put_twice, Code.CONSTRAINT),
        (put_a_text_for_a_number, Code.MISMATCH),
        (ask_nonsense, Code.ERROR),
    ],
)
def test_an_error_s_class_and_text_tell_its_code(
    do: Callable[[Path], None], code: Code, tmp_path: Path
) -> None:
    with pytest.raises(sqlite3.Error) as caught:
        do(tmp_path)
    assert code_by_text(caught.value) == code_of(caught.value) == code


def test_text_that_is_not_utf_8_counts_as_damage() -> None:
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(sqlite3.Error) as caught:
        connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchall()
    assert is_undecodable(caught.value)
    assert code_of(caught.value) == Code.CORRUPT


def test_damage_that_only_we_see_has_sqlite_s_code_for_it() -> None:
    assert code_of(Damaged("odd")) == Code.CORRUPT
