"""Whatever a SQLite file holds, each command ends with an exit code that the help explains."""

from __future__ import annotations

import contextlib
import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csijournal import VolumeGroupJournal
from csijournal.cli import exit_codes
from csijournal.cli.run import run
from csijournal.store.sqlite import SQLiteStore

EXAMPLES = 60

COMMANDS = (
    ("verify", "--deep"),
    ("list", "-l"),
    ("check", "name-3"),
    ("show", "name-3"),
    ("reserve", "new"),
    ("undo", "csi-vol-group-8857a21c-fc4f-4577-98f4-a7b5f055388e", "name-3"),
    ("recover",),
    ("-o", "json", "verify"),
)

VALUES = st.sampled_from(
    ["NULL", "7", "-1.5", "'text'", "x''", "x'ff00'", "CAST(x'ff' AS TEXT)", "'a' || char(0)"]
)
COLUMNS = st.sampled_from(
    [
        ("entries", "object_name"),
        ("entries", "key"),
        ("entries", "value"),
        ("objects", "name"),
        ("objects", "version"),
        ("objects", "modified_ns"),
    ]
)
OTHER_TYPES = st.builds(
    lambda column, value, one_of: (
        f"UPDATE OR IGNORE {column[0]} SET {column[1]} = {value}"  # noqa: S608 - fixed texts
        f" WHERE length({column[1]}) % {one_of} = 0"
    ),
    COLUMNS,
    VALUES,
    st.integers(1, 3),
)
OTHER_SCHEMAS = st.sampled_from(
    [
        "DROP TABLE entries",
        "DROP TABLE objects",
        "ALTER TABLE entries ADD COLUMN more TEXT",
        "ALTER TABLE entries RENAME COLUMN value TO content",
        "ALTER TABLE objects RENAME TO things",
        "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'no'); END",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM objects; END",
        "CREATE UNIQUE INDEX i ON entries (value)",
        "CREATE VIEW more AS SELECT * FROM nothing",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 2",
        "PRAGMA application_id = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA encoding = 'UTF-16'",
        "VACUUM",
        "DELETE FROM objects",
        "DELETE FROM entries",
    ]
)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of some groups with members, in a file of several pages."""
    path = tmp_path_factory.mktemp("healthy") / "journal.db"
    with SQLiteStore(path) as store, VolumeGroupJournal(store, lease_size=2) as journal:
        for number in range(9):
            group = journal.reserve_name(f"name-{number}")
            journal.add_volumes_mapping(
                group.group_uuid, {f"volume-{number}-{n}": "" for n in range(20)}
            )
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "journal.db"


def require_documented_ends(path: Path) -> None:
    """Each command ends with a code of the help, and never with that of a bug."""
    documented = {int(code) for code, _ in exit_codes.exit_code_rows()} - {exit_codes.BUG}
    for command in COMMANDS:
        code, out = run_quietly("--store", f"sqlite://{path}?timeout=0", *command)
        assert code in documented, f"{command}: {out}"
        assert "Traceback" not in out, f"{command}: {out}"


def run_quietly(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(arguments)
    return code, out.getvalue()


@contextlib.contextmanager
def a_copy(healthy: Path, scratch: Path) -> Iterator[Path]:
    for beside in scratch.parent.iterdir():
        beside.unlink()
    shutil.copy(healthy, scratch)
    yield scratch


def change(path: Path, statements: list[str]) -> None:
    """Run what can be run of the statements, as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            with contextlib.suppress(sqlite3.Error):
                connection.execute(statement).fetchall()


def test_a_healthy_file_passes_all_commands(healthy: Path, scratch: Path) -> None:
    with a_copy(healthy, scratch) as path:
        for command in COMMANDS[:5]:
            code, out = run_quietly("--store", f"sqlite://{path}", *command)
            assert code == 0, out
        require_documented_ends(path)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12
    ),
    head=st.booleans(),
)
def test_a_file_with_flipped_bytes(
    healthy: Path, scratch: Path, flips: list[tuple[float, int]], head: bool
) -> None:
    """All over the file, or in the header and the schema alone."""
    with a_copy(healthy, scratch) as path:
        content = bytearray(path.read_bytes())
        for where, value in flips:
            content[int(where * (1200 if head else len(content)))] = value
        path.write_bytes(content)
        require_documented_ends(path)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(start=st.floats(0, 1), length=st.integers(0, 5000), fill=st.binary(max_size=40))
def test_a_file_with_a_part_cut_out_and_something_put_in(
    healthy: Path, scratch: Path, start: float, length: int, fill: bytes
) -> None:
    with a_copy(healthy, scratch) as path:
        content = path.read_bytes()
        at = int(start * len(content))
        path.write_bytes(content[:at] + fill + content[at + length :])
        require_documented_ends(path)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(length=st.floats(0, 1))
def test_a_file_that_was_cut_short(healthy: Path, scratch: Path, length: float) -> None:
    with a_copy(healthy, scratch) as path:
        content = path.read_bytes()
        path.write_bytes(content[: int(length * len(content))])
        require_documented_ends(path)


@settings(max_examples=EXAMPLES, deadline=None)
@given(statements=st.lists(st.one_of(OTHER_TYPES, OTHER_SCHEMAS), min_size=1, max_size=4))
def test_a_file_with_other_types_or_another_schema(
    healthy: Path, scratch: Path, statements: list[str]
) -> None:
    with a_copy(healthy, scratch) as path:
        change(path, statements)
        require_documented_ends(path)
