"""From URLs to stores of memory and SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from csijournal import open_store
from csijournal.errors import InvalidStoreURL, PlaceNotFound
from csijournal.store import Write
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore


@pytest.mark.parametrize("url", ["memory:", "memory://", "MEMORY:"])
def test_memory_opens_a_store_of_its_own_each_time(url: str) -> None:
    with open_store(url) as one, open_store(url) as two:
        assert isinstance(one, MemoryStore)
        one.write(Write("o", puts={"a": b"1"}))
        assert two.read_object("o") is None


@pytest.mark.parametrize("create", [True, False])
def test_sqlite_opens_the_file_of_an_absolute_path(tmp_path: Path, *, create: bool) -> None:
    path = tmp_path / "journal.db"
    with SQLiteStore(path) as store:
        store.connect()
    with open_store(f"sqlite://{path}", create=create) as store:
        assert isinstance(store, GroupCommitStore)
        assert store.place == f"sqlite://{path}"
        store.connect()


@pytest.mark.parametrize("slashes", ["//", "///", "////"])
def test_more_slashes_before_an_absolute_path_name_the_same_file(
    tmp_path: Path, slashes: str
) -> None:
    """SQLAlchemy writes four slashes in all."""
    path = tmp_path / "journal.db"
    with open_store(f"sqlite:{slashes}{path}") as store:
        store.write(Write("o", puts={"a": b"1"}))
        assert store.place == f"sqlite://{path}"
    with SQLiteStore(path, create=False) as store:
        assert store.read_object("o") == {"a": b"1"}


def test_sqlite_opens_the_file_of_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with open_store("sqlite:folder/journal.db") as store:
        store.connect()
    assert (tmp_path / "folder" / "journal.db").exists()


def test_a_path_is_unquoted(tmp_path: Path) -> None:
    with open_store(f"sqlite://{tmp_path}/a%20%3F%23%25.db") as store:
        store.connect()
    assert (tmp_path / "a ?#%.db").exists()


def test_a_place_that_is_not_to_be_made_is_not_found_at_the_first_use(tmp_path: Path) -> None:
    with open_store(f"sqlite://{tmp_path}/journal.db", create=False) as store:
        with pytest.raises(PlaceNotFound):
            store.read_object("o")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("timeout", ["0", "0.5", "12", "1e3", "1e6"])
def test_the_timeout_of_sqlite_is_in_seconds(tmp_path: Path, timeout: str) -> None:
    with open_store(f"sqlite://{tmp_path}/journal.db?timeout={timeout}") as store:
        assert isinstance(store, GroupCommitStore)
        assert isinstance(store._inner, SQLiteStore)
        assert store._inner._file._timeout_seconds == float(timeout)
        store.connect()


@pytest.mark.parametrize("timeout", ["1e300", "1000001", "-1", "nan", "inf", "soon", ""])
@pytest.mark.parametrize("url", ["sqlite:journal.db", "rados://pool"])
def test_a_timeout_that_no_store_can_count_is_refused(url: str, timeout: str) -> None:
    if (url, timeout) == ("rados://pool", ""):  # empty values count as missing there
        return
    with pytest.raises(InvalidStoreURL, match="0 to 1,000,000 seconds"):
        open_store(f"{url}?timeout={timeout}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no scheme"),
        ("journal.db", "no scheme"),
        ("/var/lib/journal.db", "no scheme"),
        ("://x", "no scheme"),
        ("etcd://host", "unknown scheme 'etcd'"),
        ("sqlite3:///x", "unknown scheme 'sqlite3'"),
        ("memory:x", "more than memory:"),
        ("memory://host", "more than memory:"),
        ("memory:?timeout=1", "unknown option 'timeout'"),
        ("memory:#x", "fragment"),
        ("sqlite:", "names no file"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:?timeout=1", "names no file"),
        ("sqlite:///a%00b", "names no file"),
        ("sqlite://host/x", "names a host, 'host'"),
        ("sqlite://journal.db", "names a host, 'journal.db'"),
        ("sqlite://[x/y", "cannot be read"),
        ("sqlite:///x#y", "fragment, 'y'"),
        ("sqlite:///x?mode=rw", "unknown option 'mode'"),
        ("sqlite:///x?timeout", "cannot be read"),
        ("sqlite:///x?timeout=1&", "cannot be read"),
        ("sqlite:///x?timeout=", "not a timeout"),
        ("sqlite:///x?timeout=-1", "not a timeout"),
        ("sqlite:///x?timeout=nan", "not a timeout"),
        ("sqlite:///x?timeout=inf", "not a timeout"),
        ("sqlite:///x?timeout=1e999", "not a timeout"),
        ("sqlite:///x?timeout=soon", "'soon' is not a timeout"),
    ],
)
def test_a_url_that_is_off_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(InvalidStoreURL, match=words.replace("?", r"\?")):
        open_store(url)


def test_an_unknown_scheme_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(InvalidStoreURL, match="Known are memory:, sqlite:"):
        open_store("etcd://host")


def test_an_unknown_option_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(InvalidStoreURL, match="Known for sqlite: timeout"):
        open_store("sqlite:///x?timeuot=1")
