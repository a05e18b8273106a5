"""What is particular to the store on RADOS; the contract's own tests are for all stores."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.errors import (
    ClientBlocked,
    GuardFailed,
    OutcomeUnknown,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreTimeout,
    TooLarge,
)
from csijournal.repair.apply import Engine, Tally, Watcher
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Plan, Step
from csijournal.store import KeyAbsent, KeyEquals, KeyPresent, ObjectAbsent, ObjectExists, Write
from csijournal.store.contract import Unchanged
from csijournal.store.rados.access import PoolAccess
from csijournal.store.rados.binding import import_rados
from csijournal.store.rados.many import READS_UNDER_WAY_MAX
from csijournal.store.rados.pool import RADOSStore
from support.full import full_cluster

pytestmark = pytest.mark.ceph

PAGE_LIMIT = "osd_max_omap_entries_per_request"
_namespaces = (f"rados-{number}" for number in itertools.count(1))


@pytest.fixture
def namespace() -> str:
    return next(_namespaces)


@pytest.fixture
def store(ceph: ThrowawayCluster, namespace: str) -> Iterator[RADOSStore]:
    with RADOSStore(POOL, namespace, conf=ceph.conf) as store:
        yield store


@contextmanager
def pages_of(ceph: ThrowawayCluster, store: RADOSStore, limit: int) -> Iterator[None]:
    """Let the OSD give `limit` entries at once during the block."""
    store.write(Write("many", puts=entries(10)))
    ceph.run("config", "set", "osd", PAGE_LIMIT, str(limit))
    try:
        until(lambda: len(store.read_page("many") or {}) == limit)
        yield
    finally:
        ceph.run("config", "rm", "osd", PAGE_LIMIT)
        until(lambda: len(store.read_page("many") or {}) == 10)


@contextmanager
def osd_paused(ceph: ThrowawayCluster) -> Iterator[None]:
    """Freeze the OSD during the block.

    It is started anew afterwards: an OSD that slept longer than its read lease
    may take its placement groups for laggy until it is (tracker.ceph.com/issues/80404).
    """
    ceph.pause_osd()
    try:
        yield
    finally:
        ceph.kill_osd()
        ceph.start_osd()


def entries(count: int) -> dict[str, bytes]:
    return {f"key-{number:06}": f"value {number}".encode() for number in range(count)}


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Whole objects


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("sentinel", ["", "key-000000", "missing"])
def test_an_object_of_any_size_is_read_whole(store: RADOSStore, count: int, sentinel: str) -> None:
    store.write(Write("o", guards=(ObjectAbsent(),), puts=entries(count)))
    assert store.read_object("o", sentinel=sentinel) == entries(count)
    assert list(store.read_objects(["o", "no"], sentinel=sentinel)) == [
        ("o", entries(count)),
        ("no", None),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_an_object_is_read_whole_however_short_the_pages_of_the_osd_are(
    ceph: ThrowawayCluster, store: RADOSStore, limit: int
) -> None:
    for count in range(9):
        store.write(Write(f"o{count}", guards=(ObjectAbsent(),), puts=entries(count)))
    with pages_of(ceph, store, limit):
        for sentinel in ["", "a", *entries(9), "z"]:
            read = dict(store.read_objects([f"o{count}" for count in range(9)], sentinel=sentinel))
            for count in range(9):
                assert read[f"o{count}"] == entries(count)
                assert store.read_object(f"o{count}", sentinel=sentinel) == entries(count)
        state = store.read_state("o8")
        assert state is not None
        assert state.entries == entries(8)


def test_a_large_object_that_changes_is_read_as_it_was_at_one_moment(store: RADOSStore) -> None:
    def generation(number: int) -> dict[str, bytes]:
        return dict.fromkeys(entries(2500), str(number).encode())

    store.write(Write("o", puts=generation(0)))
    stop = threading.Event()

    def change() -> None:
        for number in itertools.count(1):
            if stop.wait(0.05):
                return
            store.write(Write("o", puts=generation(number)))

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(20):
            read = store.read_object("o", sentinel="key-000000")
            assert read is not None
            assert len(read) == 2500
            assert len(set(read.values())) == 1
    finally:
        stop.set()
        changer.join()


def test_an_object_that_never_holds_still_is_busy(
    ceph: ThrowawayCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RADOSStore(POOL, namespace, conf=ceph.conf, timeout_seconds=1) as store:
        store.write(Write("o", puts=entries(2000)))
        numbers = itertools.count()
        original = store._reader.ask

        def read_and_change(*args: object) -> object:
            found = original(*args)  # type: ignore[arg-type]
            store.write(Write("o", puts={"key-000000": str(next(numbers)).encode()}))
            return found

        monkeypatch.setattr(store._reader, "ask", read_and_change)
        with pytest.raises(StoreBusy):
            store.read_object("o")


def test_keys_are_read_in_one_round_trip_from_a_huge_directory(
    store: RADOSStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = entries(100_000)
    keys = list(everything)
    for start in range(0, len(keys), 10_000):
        store.write(Write("o", puts={k: everything[k] for k in keys[start : start + 10_000]}))
    wanted = keys[::50]
    asked = mock.Mock(wraps=store._reader.ask)
    monkeypatch.setattr(store._reader, "ask", asked)
    assert store.read_keys("o", [*wanted, "missing"]) == {key: everything[key] for key in wanted}
    assert asked.call_count == 1
    assert store.read_object("o") == everything


def test_many_objects_are_read_in_order_and_lazily(store: RADOSStore) -> None:
    names = [f"o{number}" for number in range(300)]
    for name in names[::2]:
        store.write(Write(name, puts={"k": name.encode()}))
    taken = 0

    def some() -> Iterator[str]:
        nonlocal taken
        for name in names:
            taken += 1
            yield name

    reading = store.read_objects(some(), sentinel="k")
    assert next(reading) == ("o0", {"k": b"o0"})
    assert taken <= READS_UNDER_WAY_MAX
    assert [name for name, _ in reading] == names[1:]


def test_a_reading_of_many_objects_can_be_left_in_the_middle(
    ceph: ThrowawayCluster, namespace: str
) -> None:
    store = RADOSStore(POOL, namespace, conf=ceph.conf)
    store.write(Write("o", puts=entries(500)))
    for _ in range(20):
        reading = store.read_objects(["o"] * 200, sentinel="key-000000")
        assert next(reading)[1] == entries(500)
        del reading
    reading = store.read_objects(["o"] * 200, sentinel="key-000000")
    next(reading)
    store.close()
    with pytest.raises(PlaceUnusable, match="closed"):
        next(reading)


def test_a_listing_can_be_left_in_the_middle(ceph: ThrowawayCluster, namespace: str) -> None:
    store = RADOSStore(POOL, namespace, conf=ceph.conf)
    for number in range(10):
        store.write(Write(f"o{number}", puts={"k": b""}))
    names = store.object_names()
    next(names)
    del names
    names = store.object_names()
    next(names)
    store.close()
    del names


# Guards


@pytest.mark.parametrize("value", ["ü", "日本語", "a\0b", "\U0010ffff", "x" * 4096, "é" * 2000])
def test_guards_compare_text_to_its_last_byte(store: RADOSStore, value: str) -> None:
    store.write(Write("o", puts={"k": value.encode(), "empty": b""}))
    for other in (value + "x", value[:-1] + "y", value[:-1] or "y"):
        with pytest.raises(GuardFailed):
            store.write(Write("o", guards=(KeyEquals("k", other.encode()),), puts={"n": b"1"}))
    empty = (KeyEquals("k", value.encode()), KeyPresent("empty"))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=empty, puts={"n": b"1"}))
    state = store.read_state("o")
    assert state is not None
    stale = (KeyEquals("k", value.encode()), Unchanged(state.version - 1))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=stale, puts={"n": b"1"}))
    good = (KeyEquals("k", value.encode()), Unchanged(state.version), KeyAbsent("empty"))
    store.write(Write("o", guards=good, puts={"n": b"2"}))
    assert store.read_keys("o", ["k", "n"]) == {"k": value.encode(), "n": b"2"}


def test_a_guard_of_other_than_ascii_lets_one_of_many_through(store: RADOSStore) -> None:
    store.write(Write("o", puts={"k": "ü".encode()}))
    outcomes: list[bool] = []

    def take(number: int) -> None:
        try:
            guards = (KeyEquals("k", "ü".encode()),)
            store.write(Write("o", guards=guards, puts={"k": str(number).encode()}))
        except GuardFailed:
            outcomes.append(False)
        else:
            outcomes.append(True)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 15 + [True]


@pytest.mark.parametrize("version", [0, 1, 2**40])
def test_a_version_that_never_was_fails_the_guard(store: RADOSStore, version: int) -> None:
    for name in ("o", "missing"):
        if name == "o":
            for number in range(3):
                store.write(Write("o", puts={"k": str(number).encode()}))
        with pytest.raises(GuardFailed):
            store.write(Write(name, guards=(Unchanged(version),), puts={"k": b"x"}))
    assert store.read_keys("missing", ["k"]) is None


def test_an_object_made_anew_has_another_version(store: RADOSStore) -> None:
    store.write(Write("o", puts={"k": b"1"}))
    state = store.read_state("o")
    assert state is not None
    store.write(Write("o", remove_object=True))
    store.write(Write("o", puts={"k": b"1"}))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(Unchanged(state.version),), remove_object=True))


def test_an_object_without_any_key_exists(store: RADOSStore) -> None:
    store.write(Write("o", guards=(ObjectAbsent(),)))
    store.write(Write("o", guards=(ObjectExists(),), puts={"k": b""}))
    assert store.read_object("o") == {"k": b""}


# What others leave in a pool


def test_other_namespaces_are_not_listed_but_told_of(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("several")
    for namespace in ("", "one", "two"):
        with RADOSStore("several", namespace, conf=ceph.conf) as store:
            store.write(Write(f"in-{namespace}", puts={"k": b""}))
    with RADOSStore("several", "one", conf=ceph.conf) as store:
        assert list(store.object_names()) == ["in-one"]
        assert sorted(set(store.namespaces()) & {"", "one", "two"}) == ["", "one", "two"]


def test_names_that_are_not_utf8_are_left_out(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    create: list[str | bytes] = ["rados", "-p", POOL, "-N", namespace, "create", b"bad\xff"]
    subprocess.run(create, env={"PATH": "/usr/bin:/bin", **ceph.environment()}, check=True)
    store.write(Write("good", puts={"k": b""}))
    assert list(store.object_names()) == ["good"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_time_of_change_does_not_depend_on_the_time_zone(
    ceph: ThrowawayCluster, namespace: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An hour that New York's clocks showed twice.
    changed_ns = 1_699_163_999_123_456_789
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with RADOSStore(POOL, namespace, conf=ceph.conf, clock=lambda: changed_ns) as store:
            store.write(Write("o", puts={"k": b""}))
            assert store.modified_ns("o") == 1_699_163_999_000_000_000
    finally:
        monkeypatch.undo()
        time.tzset()


# Accidents


@pytest.fixture
def hasty(ceph: ThrowawayCluster, namespace: str) -> Iterator[RADOSStore]:
    """A store that waits for one second, with an object `o`."""
    with RADOSStore(POOL, namespace, conf=ceph.conf, timeout_seconds=1) as store:
        store.write(Write("o", puts={"k": b"1"}))
        yield store


def noting_errors(store: RADOSStore, monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """Counts the errors of librados from here on: a call that timed out is one."""
    noted = mock.Mock(wraps=PoolAccess._noted.__get__(store._access))
    monkeypatch.setattr(store._access, "_noted", noted)
    return noted


def test_a_read_that_nobody_answers_times_out(
    ceph: ThrowawayCluster, hasty: RADOSStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: dict[str, Callable[[], object]] = {
        "keys": lambda: hasty.read_keys("o", ["k"]),
        "page": lambda: hasty.read_page("o"),
        "object": lambda: hasty.read_object("o", sentinel="k"),
        "state": lambda: hasty.read_state("o"),
        "objects": lambda: list(hasty.read_objects(["o"] * 100)),
        "time": lambda: hasty.modified_ns("o"),
        "names": lambda: list(hasty.object_names()),
        "namespaces": lambda: list(hasty.namespaces()),
    }
    with osd_paused(ceph):
        for what, read in reads.items():
            noted = noting_errors(hasty, monkeypatch)
            with pytest.raises(StoreTimeout, match="within 1 s"):
                read()
            assert noted.call_count == 1, f"{what} waits once only"
    until(lambda: _answers(hasty))
    assert all(read() for read in reads.values())


def _answers(store: RADOSStore) -> bool:
    try:
        return store.read_keys("o", ["k"]) is not None
    except StoreTimeout:
        return False


def test_a_write_that_nobody_answers_may_have_happened(
    ceph: ThrowawayCluster, hasty: RADOSStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with osd_paused(ceph):
        noted = noting_errors(hasty, monkeypatch)
        with pytest.raises(OutcomeUnknown, match="within 1 s"):
            hasty.write(Write("o", puts={"k": b"2"}))
        assert noted.call_count == 1, "it waits once only"
    until(lambda: _answers(hasty))
    assert hasty.read_keys("o", ["k"]) in ({"k": b"1"}, {"k": b"2"})
    hasty.write(Write("o", puts={"k": b"3"}))
    assert hasty.read_keys("o", ["k"]) == {"k": b"3"}


@pytest.mark.parametrize("timeout_seconds", [1, 4])
def test_a_client_notices_that_its_osd_was_restarted(
    ceph: ThrowawayCluster, namespace: str, timeout_seconds: int
) -> None:
    with RADOSStore(POOL, namespace, conf=ceph.conf, timeout_seconds=timeout_seconds) as store:
        store.write(Write("o", puts={"k": b"1"}))
        ceph.kill_osd()
        ceph.start_osd()
        until(lambda: _answers(store))


def test_a_full_cluster_takes_nothing_new_and_still_lets_go(
    ceph: ThrowawayCluster, hasty: RADOSStore
) -> None:
    with full_cluster(ceph, hasty):
        hasty.write(Write("o", remove_object=True))
        assert hasty.read_object("o") is None


def test_a_client_that_was_blocklisted_is_told_so_and_connects_as_a_new_one(
    ceph: ThrowawayCluster, hasty: RADOSStore
) -> None:
    address = hasty.session.connection().cluster.get_addrs().strip()  # type: ignore[attr-defined]
    ceph.run("osd", "blocklist", "add", address)

    with pytest.raises(ClientBlocked, match="blocklisted"):
        until(lambda: hasty.read_object("o") is None)
    assert hasty.read_object("o") == {"k": b"1"}
    hasty.write(Write("o", puts={"k": b"2"}))


def test_what_is_too_large_is_refused(store: RADOSStore) -> None:
    with pytest.raises(TooLarge):
        store.write(Write("n" * 5000, puts={"k": b""}))
    with pytest.raises(TooLarge):
        store.write(Write("o", puts={str(n): bytes(1_000_000) for n in range(100)}))
    assert store.read_object("o") is None


def test_a_pool_that_was_deleted_is_not_an_empty_journal(ceph: ThrowawayCluster) -> None:
    ceph.create_pool("doomed")
    with RADOSStore("doomed", conf=ceph.conf, timeout_seconds=5) as store:
        store.write(Write("o", puts={"k": b"1"}))
        ceph.run("config", "set", "mon", "mon_allow_pool_delete", "true")
        ceph.run("osd", "pool", "rm", "doomed", "doomed", "--yes-i-really-really-mean-it")
        uses: list[Callable[[], object]] = [
            lambda: store.read_keys("o", ["k"]),
            lambda: store.read_object("o"),
            lambda: store.read_object("o", sentinel="k"),
            lambda: store.modified_ns("o"),
            lambda: list(store.read_objects(["o"])),
            lambda: store.write(Write("o", deletions=["k"])),
            lambda: store.write(Write("o", puts={"k": b"2"})),
            lambda: list(store.object_names()),
        ]

        def gone() -> bool:
            try:
                store.read_keys("o", ["k"])
            except PlaceNotFound:
                return True
            return False

        until(gone)
        for use in uses:
            with pytest.raises(PlaceNotFound, match="there is no pool doomed"):
                use()


# Capabilities


def test_a_user_with_caps_for_one_namespace_can_do_all_there(
    ceph: ThrowawayCluster, namespace: str
) -> None:
    caps = f"allow rw pool={POOL} namespace={namespace}"
    ceph.create_user("limited", mon="allow r", osd=caps)
    with RADOSStore(POOL, namespace, conf=ceph.conf, name="client.limited") as store:
        store.write(Write("o", guards=(ObjectAbsent(),), puts={"k": "ü".encode()}))
        store.write(Write("o", guards=(KeyEquals("k", "ü".encode()),), puts={"k": b"2"}))
        assert list(store.object_names()) == ["o"]
        assert list(store.read_objects(["o"], sentinel="k")) == [("o", {"k": b"2"})]
        assert store.modified_ns("o")
        with pytest.raises(PermissionDenied):
            list(store.namespaces())
    with RADOSStore(POOL, "elsewhere", conf=ceph.conf, name="client.limited") as store:
        for use in (
            lambda: store.read_object("o"),
            lambda: list(store.object_names()),
            lambda: store.write(Write("o", puts={"k": b""})),
        ):
            with pytest.raises(PermissionDenied):
                use()


def test_a_user_that_may_only_read_is_told_what_it_needs_to_write(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    store.write(Write("o", puts={"k": b"1"}))
    ceph.create_user("reader", mon="allow r", osd=f"allow r pool={POOL}")
    with RADOSStore(POOL, namespace, conf=ceph.conf, name="client.reader") as reader:
        assert reader.read_object("o") == {"k": b"1"}
        with pytest.raises(PermissionDenied) as caught:
            reader.write(Write("o", puts={"k": b"2"}))
    assert "client.csijournal-repair" in str(caught.value)


# The life of the connection


def test_a_store_is_closed_for_good(store: RADOSStore) -> None:
    store.connect()
    store.close()
    store.close()
    with pytest.raises(PlaceUnusable, match="closed"):
        store.connect()
    with pytest.raises(PlaceUnusable, match="closed"):
        store.read_object("o")


def test_a_store_that_was_never_used_closes(ceph: ThrowawayCluster) -> None:
    store = RADOSStore(POOL, conf=ceph.conf)
    store.close()
    with pytest.raises(PlaceUnusable):
        store.connect()


def test_threads_share_one_connection(ceph: ThrowawayCluster, namespace: str) -> None:
    with RADOSStore(POOL, namespace, conf=ceph.conf) as store:
        start = threading.Barrier(16)
        troubles: list[BaseException] = []

        def work(number: int) -> None:
            start.wait()
            try:
                for step in range(20):
                    store.write(Write(f"o{number}", puts={f"k{step}": b"1"}))
                    assert len(store.read_object(f"o{number}", sentinel="k0") or {}) == step + 1
            except BaseException as error:  # noqa: BLE001 - handed to the test
                troubles.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert troubles == []


def test_closing_under_work_ends_the_work_cleanly(ceph: ThrowawayCluster, namespace: str) -> None:
    store = RADOSStore(POOL, namespace, conf=ceph.conf)
    store.write(Write("o", puts=entries(100)))
    ends: list[StoreError] = []

    def work() -> None:
        try:
            while True:
                list(store.read_objects(["o"] * 20, sentinel="key-000000"))
                store.write(Write("o", puts={"k": b"1"}))
        except StoreError as error:
            ends.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    store.close()
    for thread in threads:
        thread.join(10)
    assert [type(end) for end in ends] == [PlaceUnusable] * 4


SETUP = """
import os, sys, threading, warnings
from csijournal.errors import PlaceUnusable
from csijournal.store import Write
from csijournal.store.rados.pool import RADOSStore
store = RADOSStore(sys.argv[1], "lives", conf=sys.argv[2], timeout_seconds=5)
store.write(Write("o", puts={"k": b"1"}))
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("", id="forgotten"),
        pytest.param("del store", id="collected"),
        pytest.param("keep = [store, lambda: store]; keep.append(keep)", id="in a cycle"),
        pytest.param("names = store.object_names(); next(names)", id="listing under way"),
        pytest.param("reads = store.read_objects(['o'] * 200); next(reads)", id="reads under way"),
        pytest.param(
            "def work():\n"
            "    try:\n"
            "        while True: store.read_object('o')\n"
            "    except PlaceUnusable: pass\n"
            "threading.Thread(target=work, daemon=True).start()",
            id="daemon thread at work",
        ),
        pytest.param("store.close(); store.close()", id="closed"),
        pytest.param(
            # Python 3.12 and newer warn of a fork beside threads; librados has some.
            "warnings.simplefilter('ignore', DeprecationWarning)\n"
            "pid = os.fork()\n"
            "if not pid:\n"
            "    try: store.read_object('o')\n"
            "    except PlaceUnusable: store.close(); sys.exit(0)\n"
            "    sys.exit(1)\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
            "assert store.read_object('o') == {'k': b'1'}",
            id="forked",
        ),
    ],
)
def test_the_interpreter_ends_cleanly(ceph: ThrowawayCluster, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SETUP + program, POOL, str(ceph.conf)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pool_can_be_named_by_its_id(ceph: ThrowawayCluster, store: RADOSStore) -> None:
    store.write(Write("o", puts={"k": b"1"}))
    namespace = store.place.rpartition("/")[2]
    with RADOSStore(pool_id=store.pool_id, namespace=namespace, conf=ceph.conf) as same:
        assert same.read_object("o") == {"k": b"1"}
        assert same.place == f"rados:///{namespace}?pool-id={store.pool_id}"


@pytest.mark.parametrize("wanted", [{"pool": "no-such-pool"}, {"pool_id": 4711}])
def test_a_missing_pool_is_told_at_the_first_use(
    ceph: ThrowawayCluster, wanted: dict[str, str]
) -> None:
    with RADOSStore(**wanted, conf=ceph.conf) as store:  # type: ignore[arg-type]
        with pytest.raises(PlaceNotFound, match=r"no pool .*(no-such-pool|4711).*ceph osd pool ls"):
            store.read_object("o")
        with pytest.raises(PlaceNotFound):
            store.connect()


def test_a_pool_is_named_once() -> None:
    for wanted in ({}, {"pool": "p", "pool_id": 1}):
        with pytest.raises(ValueError, match="name or its id"):
            RADOSStore(**wanted)  # type: ignore[arg-type]


def test_without_the_binding_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rados", None)
    import_rados.cache_clear()
    with (
        RADOSStore("p", conf=tmp_path / "ceph.conf") as store,
        pytest.raises(PlaceUnusable, match=r"python3-rados .*--system-site-packages"),
    ):
        store.read_object("o")


# What an object holds besides entries


@pytest.mark.parametrize("extra", ["data", "attribute"])
def test_an_object_that_holds_more_than_entries_is_never_removed(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str, tmp_path: Path, extra: str
) -> None:
    """A backup keeps the entries alone."""
    name = "csi.volume.group.0f8fad5b-d9cb-469f-a165-70867728950e"
    store.write(Write(name, puts={"vol-1": b"x"}))
    state = store.read_state(name)
    assert state is not None
    assert not state.has_more
    words = ["append", name, __file__] if extra == "data" else ["setxattr", name, "user", "x"]
    environment = {"PATH": "/usr/bin:/bin", **ceph.environment()}
    rados = ["rados", "-p", POOL, "-N", namespace, *words]
    subprocess.run(rados, env=environment, check=True)
    state = store.read_state(name)
    assert state is not None
    assert state.has_more
    write = Write(name, guards=(Unchanged(state.version),), remove_object=True)
    engine = Engine(store, Watcher(), BackupFile(tmp_path / "b", store.place), Tally())
    tally = engine.run([Plan("remove it", (Step("remove it", write),))])
    assert (tally.done, tally.skipped) == (0, 1)
    assert store.read_object(name) == {"vol-1": b"x"}
    assert not (tmp_path / "b").exists()
