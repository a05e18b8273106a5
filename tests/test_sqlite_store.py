"""What is the SQLite store's own: the file, its format, other processes, crashes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from csijournal import open_store
from csijournal.errors import (
    Conflict,
    GuardFailed,
    InvalidInput,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    UnreadableContent,
)
from csijournal.store import Guarantee, KeyAbsent, ObjectAbsent, Write
from csijournal.store.contract import unreadable_in
from csijournal.store.sqlite import SQLiteStore
from csijournal.store.sqlite_file import APPLICATION_ID, FORMAT_VERSION
from support import processes

WRITE = Write("o", guards=(KeyAbsent("a"),), puts={"a": b"1"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def execute(path: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def refuses(path: Path, words: str) -> None:
    """The store must not use the file, nor change it, nor leave anything beside it."""
    before = path.read_bytes()
    with SQLiteStore(path) as store:
        uses: tuple[Callable[[], object], ...] = (
            store.connect,
            lambda: store.read_object("o"),
            lambda: store.write(WRITE),
        )
        for use in uses:
            with pytest.raises(PlaceUnusable, match=words) as caught:
                use()
            assert str(path) in str(caught.value)
            assert caught.value.hint
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# The file


def test_the_file_is_marked_as_ours_with_its_format(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nothing_touches_the_disk_before_the_first_use(path: Path) -> None:
    SQLiteStore(path).close()
    assert not path.exists()


def test_it_promises_durability_between_processes_and_not_between_hosts(path: Path) -> None:
    assert SQLiteStore(path).guarantees == Guarantee.DURABLE | Guarantee.BETWEEN_PROCESSES


def test_a_journal_of_a_newer_format_is_refused_and_left_as_it_is(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
    execute(path, f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    refuses(path, f"format {FORMAT_VERSION + 1}")


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE theirs (a)"],
        ["CREATE TABLE theirs (a)", "PRAGMA user_version = 1"],
        ["CREATE TABLE objects (id, name, modified_ns)"],
        ["PRAGMA application_id = 7"],
        ["PRAGMA user_version = 1"],
        ["PRAGMA journal_mode = WAL", "CREATE TABLE theirs (a)"],
    ],
    ids=" ".join,
)
def test_a_sqlite_file_of_another_program_is_refused_and_left_as_it_is(
    path: Path, statements: list[str]
) -> None:
    execute(path, *statements)
    refuses(path, "another program")


@pytest.mark.parametrize(
    "content",
    [b"#!/bin/sh\necho hello\n" * 100, b"xy", b"SQLite format 3\0", b"\0" * 8192],
    ids=["text", "two bytes", "only a header's start", "zeros"],
)
def test_a_file_that_is_not_sqlite_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refuses(path, "not a SQLite file")


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()
    with SQLiteStore(path) as store:
        store.write(WRITE)
        assert store.read_object("o") == {"a": b"1"}


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE entries"],
        ["DROP TABLE objects", "DROP TABLE entries"],
        ["ALTER TABLE objects RENAME COLUMN version TO edition"],
        ["DROP TABLE entries", "CREATE TABLE entries (object_name TEXT, key TEXT, value TEXT)"],
        ["DROP TABLE objects", "CREATE VIEW objects AS SELECT 1 AS name, 2 AS version"],
    ],
    ids="; ".join,
)
def test_a_file_with_our_mark_and_other_tables_is_refused_and_left_as_it_is(
    path: Path, statements: list[str]
) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
    execute(path, *statements)
    refuses(path, "not the tables")


FOREIGN = [
    ("UPDATE entries SET value = 'text' WHERE key = 'b'", b"b", "not bytes"),
    ("UPDATE entries SET value = 7 WHERE key = 'b'", b"b", "not bytes"),
    ("UPDATE entries SET key = x'62ff' WHERE key = 'b'", b"b\xff", "not text"),
    ("UPDATE entries SET key = CAST(x'62ff' AS TEXT) WHERE key = 'b'", b"b\xff", "not UTF-8"),
    ("UPDATE entries SET key = 'b' || char(0) WHERE key = 'b'", b"b\0", "U+0000"),
]


def write_some(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(Write("o", puts=dict.fromkeys("abcdef", b"1")))


@pytest.mark.parametrize(("statement", "key", "problem"), FOREIGN, ids=lambda each: str(each)[:60])
def test_an_entry_of_another_type_stops_nothing_and_is_told(
    path: Path, statement: str, key: bytes, problem: str
) -> None:
    write_some(path)
    execute(path, statement)
    with SQLiteStore(path) as store:
        store.write(Write("p", puts={"a": b"1"}))
        assert store.read_object("p") == {"a": b"1"}
        entries = store.read_object("o")
        assert entries is not None
        assert len(entries) == 5
        (odd,) = unreadable_in(entries)
        assert odd.key == key
        assert problem in str(odd)
        with pytest.raises(UnreadableContent):
            store.read_state("o")


@pytest.mark.parametrize(("statement", "key", "problem"), FOREIGN, ids=lambda each: str(each)[:60])
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pages_go_on_behind_an_entry_of_another_type_and_tell_it_once(
    path: Path, statement: str, key: bytes, problem: str, limit: int
) -> None:
    write_some(path)
    execute(path, statement)
    told, found, after = [], [], ""
    with SQLiteStore(path) as store:
        while (page := store.read_page("o", after=after, limit=limit)) is not None:
            told += [*unreadable_in(page)]
            found += [*page]
            if not page:
                break
            after = max(page)
    assert len(found) == len(set(found)) == 5
    if key:  # an empty key lies before every page
        assert [(odd.key, problem in str(odd)) for odd in told] == [(key, True)]


@pytest.mark.parametrize("value", ["'text'", "7"])
def test_a_key_whose_value_has_another_type_is_neither_read_nor_overwritten(
    path: Path, value: str
) -> None:
    write_some(path)
    execute(path, f"UPDATE entries SET value = {value} WHERE key = 'b'")  # noqa: S608 - ours
    with SQLiteStore(path) as store:
        uses: tuple[Callable[[], object], ...] = (
            lambda: store.read_keys("o", ["b"]),
            lambda: store.write(Write("o", guards=(KeyAbsent("b"),), puts={"b": b"2"})),
        )
        for use in uses:
            with pytest.raises(PlaceUnusable, match="damaged") as caught:
                use()
            assert str(path) in str(caught.value)


@pytest.mark.parametrize("column", ["version = 'new'", "modified_ns = x'00'"])
def test_an_object_whose_version_or_time_is_no_number_is_damage(path: Path, column: str) -> None:
    write_some(path)
    execute(path, f"UPDATE objects SET {column}")  # noqa: S608 - ours
    with SQLiteStore(path) as store, pytest.raises(PlaceUnusable, match="damaged"):
        store.read_object("o")


def test_a_name_that_is_not_text_is_damage(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
    for statement in (
        "UPDATE objects SET name = x'6f'",
        "UPDATE objects SET name = CAST(x'ff' AS TEXT)",
    ):
        execute(path, statement)
        with SQLiteStore(path) as store, pytest.raises(PlaceUnusable, match="damaged"):
            list(store.object_names())


def test_the_file_and_those_beside_it_are_its_owners_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with SQLiteStore(path) as store:
            store.write(WRITE)
            modes = {found.name: found.stat().st_mode & 0o777 for found in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_the_mode_of_a_file_that_is_there_is_left_to_whoever_made_it(path: Path) -> None:
    path.touch()
    path.chmod(0o664)
    with SQLiteStore(path) as store:
        store.write(WRITE)
    assert path.stat().st_mode & 0o777 == 0o664


def test_a_link_to_a_file_that_is_missing_makes_that_file(path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with SQLiteStore(link) as store:
        store.write(WRITE)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("length", [505, 5000])
def test_a_path_that_is_too_long_is_refused_in_words(*, length: int, create: bool) -> None:
    path = "/" + "x/" * (length // 2)
    with (
        SQLiteStore(path[: length - 1] + "x", create=create) as store,
        pytest.raises(PlaceUnusable, match=r"too long.*504 bytes"),
    ):
        store.connect()


def test_a_path_of_as_many_bytes_as_are_said_works(tmp_path: Path) -> None:
    folder = tmp_path
    while len(bytes(folder)) < 300:
        folder /= "f" * 50
    folder.mkdir(parents=True)
    path = folder / ("j" * (503 - len(bytes(folder))))
    assert len(bytes(path)) == 504
    with SQLiteStore(path) as store:
        store.write(WRITE)
        assert store.read_object("o") == {"a": b"1"}


def test_a_path_or_timeout_that_is_none_is_invalid_input(path: Path) -> None:
    for bad in ("a\0b", None, 7):
        with pytest.raises(InvalidInput):
            SQLiteStore(bad)  # type: ignore[arg-type]
    for seconds in (-1, float("nan")):
        with pytest.raises(InvalidInput, match="timeout"):
            SQLiteStore(path, timeout_seconds=seconds)


def test_a_damaged_file_is_called_so(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(Write("o", puts={f"key-{number}": b"x" * 100 for number in range(500)}))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with SQLiteStore(path) as store, pytest.raises(PlaceUnusable, match="damaged"):
        store.read_object("o")


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_no_journal(tmp_path: Path, *, create: bool) -> None:
    with (
        SQLiteStore(tmp_path, create=create) as store,
        pytest.raises(PlaceUnusable, match="is a folder"),
    ):
        store.connect()


def test_a_missing_file_that_is_not_to_be_made_is_not_found_and_not_made(path: Path) -> None:
    with SQLiteStore(path, create=False) as store:
        uses: tuple[Callable[[], object], ...] = (
            store.connect,
            lambda: store.read_object("o"),
            lambda: store.write(WRITE),
        )
        for use in uses:
            with pytest.raises(PlaceNotFound, match=r"journal\.db"):
                use()
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_there_is_used_without_leave_to_make_one(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
    with SQLiteStore(path, create=False) as store:
        assert store.read_object("o") == {"a": b"1"}


def test_a_missing_folder_is_not_found_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "journal.db"
    with SQLiteStore(path) as store, pytest.raises(PlaceNotFound, match="no folder") as caught:
        store.write(WRITE)
    assert str(path.parent) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "journal.db"
    with SQLiteStore(path) as store, pytest.raises(PlaceNotFound, match="no folder"):
        store.write(WRITE)


def test_a_folder_where_nobody_can_make_files_is_a_lack_of_permission() -> None:
    with SQLiteStore("/proc/journal.db") as store, pytest.raises(PermissionDenied, match="/proc"):
        store.write(WRITE)


@pytest.mark.parametrize(
    "name", ["a b.db", "a?mode=memory", "a#b", "100%25", "ü.db", ":memory:", "file:x", "\udcff.db"]
)
def test_any_file_name_is_taken_as_it_is_and_comes_back_from_the_place(
    tmp_path: Path, name: str
) -> None:
    with SQLiteStore(tmp_path / name) as store:
        store.write(WRITE)
        place = store.place
    assert {found.name for found in tmp_path.iterdir()} == {name}
    with open_store(place, create=False) as store:
        assert store.read_object("o") == {"a": b"1"}


def test_a_relative_path_means_the_folder_of_the_moment_of_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SQLiteStore("journal.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.write(WRITE)
    assert (tmp_path / "journal.db").exists()


# Connections


def kept(store: SQLiteStore) -> list[sqlite3.Connection]:
    slots = [store._file._writer, *store._file._readers]
    return [slot.connection for slot in slots if slot.connection is not None]


def test_a_refusal_keeps_the_connection_and_an_error_closes_it(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
        (connection,) = kept(store)
        with pytest.raises(GuardFailed):
            store.write(WRITE)
        assert kept(store) == [connection]

        def fail(_apply: Callable[[Write], None]) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.write_together(fail)
        assert kept(store) == []
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_rollback_that_fails_is_an_error_of_the_store_and_leaves_no_transaction(
    path: Path,
) -> None:
    def no_end(action: int, argument: str | None, *_: object) -> int:
        ends = action == sqlite3.SQLITE_TRANSACTION and argument in {"ROLLBACK", "COMMIT"}
        return sqlite3.SQLITE_DENY if ends else sqlite3.SQLITE_OK

    with SQLiteStore(path, timeout_seconds=0) as store:
        uses: tuple[Callable[[], object], ...] = (
            lambda: store.read_object("o"),
            lambda: store.write(Write("o")),
        )
        for use in uses:
            use()
            (connection,) = kept(store)
            connection.set_authorizer(no_end)
            with pytest.raises(StoreError, match="not authorized"):
                use()
            assert kept(store) == []
        store.write(WRITE)


def test_threads_that_read_at_once_have_a_connection_each_and_all_are_closed(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)
        together = threading.Barrier(4)

        def read() -> None:
            store._file.read(lambda _connection: together.wait(10))

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(read) for _ in range(4)]:
                done.result(10)
        connections = kept(store)
        assert len(connections) == 5
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_store_that_is_closed_during_a_call_closes_its_connection_behind_it(path: Path) -> None:
    store = SQLiteStore(path)
    assert store._file.write(lambda _connection: store.close()) is None
    assert kept(store) == []


# Other processes


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    """Another process is in the middle of a write until the block ends."""
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield


def test_a_write_gives_up_when_others_hold_the_lock_for_longer_than_the_timeout(
    path: Path,
) -> None:
    with SQLiteStore(path, timeout_seconds=0.05) as store:
        store.write(Write("o", puts={"b": b"1"}))
        with locked_by_another_process(path):
            with pytest.raises(StoreBusy, match="locked by others") as caught:
                store.write(WRITE)
            assert store.read_object("o") == {"b": b"1"}
        assert caught.value.object_name == "o"
        assert "longer timeout" in caught.value.hint
        store.write(WRITE)
        assert store.read_object("o") == {"a": b"1", "b": b"1"}


def test_control_c_is_heard_while_a_call_waits_for_another_process(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.connect()
        with locked_by_another_process(path):
            process = processes.start(write_until_interrupted, path)
            while not path.with_name("waiting").exists():
                time.sleep(0.01)
            time.sleep(0.1)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGINT)
            process.join(10)
            assert process.exitcode == 0
        store.write(WRITE)


def write_until_interrupted(path: Path) -> None:
    with SQLiteStore(path, timeout_seconds=3600) as store:
        try:
            path.with_name("waiting").touch()
            store.write(WRITE)
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def test_a_new_file_that_another_process_holds_is_busy_too(path: Path) -> None:
    path.touch()
    with locked_by_another_process(path), SQLiteStore(path, timeout_seconds=0.05) as store:
        with pytest.raises(StoreBusy):
            store.read_object("o")
        with pytest.raises(StoreBusy):
            store.write(WRITE)


def test_a_write_waits_for_another_process_to_let_go(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.connect()
        with locked_by_another_process(path):
            writer = processes.start(write_once, path)
        writer.join()
        assert writer.exitcode == 0
        assert store.read_object("o") == {"a": b"1"}


def write_once(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(WRITE)


def test_a_fork_of_the_process_cannot_use_the_store_and_does_the_parent_no_harm(
    path: Path,
) -> None:
    process = processes.start(fork_and_use, path)
    process.join()
    assert process.exitcode == 0


def fork_and_use(path: Path) -> None:
    store = SQLiteStore(path)
    store.write(WRITE)
    held = (store._file._writer.lock, store._file._lock)  # as by other threads at that moment
    for lock in held:
        lock.acquire()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        uses: tuple[Callable[[], object], ...] = (
            lambda: store.write(Write("o", puts={"a": b"child"})),
            store.connect,
        )
        for use in uses:
            try:
                use()
            except PlaceUnusable as error:
                if "forked" in str(error):
                    continue
            os._exit(2)
        store.close()
        os._exit(0)
    for lock in held:
        lock.release()
    _pid, status = os.waitpid(child, 0)
    store.write(Write("o", puts={"b": b"parent"}))
    assert store.read_object("o") == {"a": b"1", "b": b"parent"}
    store.close()
    raise SystemExit(os.waitstatus_to_exitcode(status))


def test_everything_acknowledged_is_there_after_the_writer_was_killed(path: Path) -> None:
    receiver, sender = Pipe(duplex=False)
    process = processes.start(write_and_report, path, sender)
    acknowledged = [receiver.recv() for _ in range(200)]
    process.kill()
    process.join()
    sender.close()
    while receiver.poll():
        try:
            acknowledged.append(receiver.recv())
        except EOFError:
            break
    receiver.close()
    assert process.exitcode == -signal.SIGKILL
    with SQLiteStore(path) as store:
        for number in acknowledged:
            assert store.read_object(f"o{number}") == {"a": b"%d" % number, "b": b"%d" % number}
        store.write(WRITE)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def write_and_report(path: Path, sender: Connection) -> None:
    store = SQLiteStore(path)
    number = 0
    while True:
        value = b"%d" % number
        store.write(Write(f"o{number}", guards=(ObjectAbsent(),), puts={"a": value, "b": value}))
        sender.send(number)
        number += 1


def test_a_copy_stays_one_and_is_refused_by_who_does_not_know_copies(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.mark_copy()
        store.write(Write("csi.volumes.default", puts={"csi.volume.x": b"1"}))
        store.mark_copy()
        assert not store.stands_alone
    with SQLiteStore(path, create=False) as store:
        assert not store.stands_alone
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] > FORMAT_VERSION


def test_a_file_with_records_of_its_own_is_not_made_a_copy(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.write(Write("csi.volumes.default", puts={"csi.volume.x": b"1"}))
        with pytest.raises(Conflict, match="holds a journal of its own"):
            store.mark_copy()
        assert store.stands_alone
