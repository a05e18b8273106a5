"""The cases on a SQLite file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

from figures import Case, Target
from rounds import fresh_name, rate_of, seconds_each, take_turns

from csijournal import VolumeGroupJournal
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.sqlite import SQLiteStore
from csijournal.wire.records import group_attributes
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp

_VERIFY = r"""
import json, re, sys, time
from pathlib import Path
from csijournal import open_store
from csijournal.check.scan import Depth, Verifier
start = time.perf_counter()
with open_store(sys.argv[1]) as store:
    depth = Depth.FULL if sys.argv[2] == "deep" else Depth.QUICK
    found = sum(1 for _ in Verifier(store, depth=depth, settle_seconds=0).findings())
seconds = time.perf_counter() - start
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps({"seconds": round(seconds, 2), "peak_kib": int(peak), "findings": found}))
"""


def reserve_alone(folder: Path, rounds: int) -> Case:
    """One caller's reservation beside two bare durable transactions."""
    with SQLiteStore(folder / "alone.db") as store:
        journal = VolumeGroupJournal(GroupCommitStore(store))
        bare = _bare(folder / "bare.db")

        def two_transactions() -> None:
            for _ in range(2):
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO t VALUES (?, ?)", (str(uuid.uuid4()), "x" * 100))
                bare.execute("COMMIT")

        figures = take_turns(
            {
                "csijournal": seconds_each(lambda: journal.reserve_name(fresh_name()), 64),
                "floor": seconds_each(two_transactions, 64),
            },
            rounds,
        )
        bare.close()
    return Case(
        "reserve on SQLite, one caller",
        "seconds",
        figures,
        [Target("csijournal", "floor", 1.3, at_most=True, quick_bound=2.5)],
    )


def reserve_together(folder: Path, rounds: int, seconds: float) -> Case:
    """Reservations a second by 8 threads."""
    with (
        SQLiteStore(folder / "shared.db") as first,
        SQLiteStore(folder / "single.db") as second,
    ):
        shared = VolumeGroupJournal(GroupCommitStore(first))
        single = VolumeGroupJournal(second)
        figures = take_turns(
            {
                "csijournal": rate_of(lambda: shared.reserve_name(fresh_name()), 8, seconds),
                "without group commit": rate_of(
                    lambda: single.reserve_name(fresh_name()), 8, seconds
                ),
            },
            rounds,
        )
    return Case(
        "reserve on SQLite, 8 threads",
        "reservations a second",
        figures,
        [Target("csijournal", "without group commit", 3, at_most=False, quick_bound=1.3)],
    )


def verify(folder: Path, sizes: tuple[int, ...]) -> dict[str, object]:
    """Time and peak memory of verify in a process of its own, by number of groups."""
    found: dict[str, object] = {}
    for size in sizes:
        path = folder / f"groups-{size}.db"
        _fill(path, size)
        for depth in ("quick", "deep"):
            done = subprocess.run(
                [sys.executable, "-c", _VERIFY, f"sqlite://{path}", depth],
                check=True,
                capture_output=True,
                text=True,
            )
            found[f"{size:,} groups, {depth}"] = json.loads(done.stdout)
        path.unlink()
    return found


def _bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
    return connection


def _fill(path: Path, groups: int) -> None:
    """Healthy reservations, straight into the tables: the store syncs each of its writes."""
    with SQLiteStore(path) as store:
        store.connect()
    created = Timestamp.now()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    insert_object, insert_entry = (
        f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608 - fixed names
        for table in ("objects", "entries")
    )
    directory = GROUPS.directory_object("default")
    connection.execute(insert_object, (directory, 0, 0))
    for number in range(1, groups + 1):
        name, group_uuid = f"groupsnapshot-{number:08}", str(uuid.uuid4())
        group_object = GROUPS.record_object(group_uuid)
        connection.execute(insert_object, (group_object, 0, 0))
        attributes = group_attributes(name, GROUPS.make_image_name("", group_uuid), created)
        connection.executemany(
            insert_entry,
            [
                (directory, GROUPS.entry_key(name), group_uuid.encode()),
                *((group_object, key, value) for key, value in attributes.items()),
            ],
        )
    connection.commit()
    connection.close()
