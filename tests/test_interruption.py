"""An exception from outside at any point of a call ends that call, and nothing else.

Afterwards other threads and another process work on, nothing is half done, no
connection is in a transaction and nobody hangs.  support/interruption.py says
which points there are, and which are left out.
"""

from __future__ import annotations

import ast
import gc
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest

from csijournal import VolumeGroupJournal
from csijournal.errors import OutcomeUnknown
from csijournal.journal import groups, outcomes, steps
from csijournal.journal import leases as leases_module
from csijournal.store import (
    KeyAbsent,
    Store,
    Write,
    coalescing,
    group_commit,
    memory,
    sqlite,
    sqlite_file,
)
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore
from support.faulty import FaultyStore
from support.interruption import (
    Strike,
    Struck,
    by_asynchronous_exception,
    by_signal,
    delays,
    in_thread,
)
from support.other_process import OtherProcess
from support.verified import require_clean
from support.wrapping import WrappingStore

pytestmark = pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
"""A strike between SQLite's opening of a connection and the next step loses it, in no
transaction; Python closes it, and warns of that from 3.13 on."""

SQLITE = (sqlite, sqlite_file)
WAITING = (group_commit, coalescing, memory, *SQLITE)
Opener = Callable[[], Store]
_Result = TypeVar("_Result")

MISSES_MAX = 3
"""How many strikes must miss before a call counts as gone through: waiting takes more or fewer."""


@pytest.fixture(autouse=True)
def no_strangers() -> Iterator[None]:
    """Hypothesis measures the garbage collection of a run: a signal must not be taken there."""
    callbacks = [*gc.callbacks]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


@pytest.fixture(params=["memory", "sqlite"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "memory":
        return MemoryStore
    return partial(SQLiteStore, tmp_path / "journal.db", timeout_seconds=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def other_process(path: Path) -> Iterator[OtherProcess]:
    """At a file that is a journal already."""
    with SQLiteStore(path) as store:
        store.connect()
    with OtherProcess(path) as other:
        yield other


@pytest.fixture(autouse=True)
def _leave_nothing_to_collect() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short where a test interrupts many of them."""
    monkeypatch.setattr(sqlite_file, "_DEAF_SECONDS", 0.002)
    monkeypatch.setattr(sqlite_file, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(group_commit, "LOOK_AGAIN_SECONDS", 0.005)


def each_point(modules: tuple[object, ...], step: int = 1) -> Iterator[Strike]:
    """Strikes at every point of what the test does with each, until one does not strike."""
    nth, strike = 1, None
    while strike is None or strike.struck:
        strike = Strike(modules, nth)  # type: ignore[arg-type]
        yield strike
        nth += step


def change(number: int) -> Write:
    """A write with all that a write can have, of which a half would show."""
    return Write(
        "o",
        guards=(KeyAbsent(f"never {number}"),),
        puts={f"a{number}": b"1", f"b{number}": b"1"},
        deletions=[f"a{number - 1}", f"b{number - 1}"],
    )


def require_whole(store: Store, number: int) -> None:
    """The write of this number was applied, or was not."""
    found = store.read_object("o") or {}
    assert set(found) in (
        {f"a{number - 1}", f"b{number - 1}"},
        {f"a{number}", f"b{number}"},
        set(),
    )


def in_transaction(store: SQLiteStore) -> bool:
    """Whether a connection that the store keeps is in a transaction, or in use."""
    slots = [store._file._writer, *store._file._readers]
    return any(
        slot.lock.locked() or (slot.connection is not None and slot.connection.in_transaction)
        for slot in slots
    )


# What the rest stands on


@pytest.mark.parametrize("module", [*WAITING, leases_module], ids=lambda module: module.__name__)
def test_no_block_of_a_with_has_a_loop_or_a_try_of_its_own(module: ModuleType) -> None:
    """Their jumps are not covered by the `with` in CPython: a signal there skips its exit.

    In 3.11 it is the first instruction of a `try`, in 3.12 and 3.13 also the
    jump back of a comprehension.  What loops is a function that the block calls.
    """
    loops = (ast.For, ast.While, ast.Try, ast.comprehension)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.With):
            inner = [each for line in node.body for each in ast.walk(line)]
            assert not [each for each in inner if isinstance(each, loops)], node.lineno


# SQLite


@pytest.mark.usefixtures("_impatient")
def test_a_struck_call_of_sqlite_leaves_no_transaction_and_nothing_half_done(
    path: Path, other_process: OtherProcess
) -> None:
    with SQLiteStore(path, timeout_seconds=0) as store:
        for number, strike in enumerate(each_point(SQLITE)):
            told = strike.run(lambda: store.write(change(number)))  # noqa: B023 - called now
            assert told is None or isinstance(told, Struck), strike.where
            assert not in_transaction(store), strike.where
            other_process.require_free()
            require_whole(store, number)
            assert in_thread(lambda: store.write(change(number))) is None  # noqa: B023


@pytest.mark.parametrize("read", ["read_object", "read_state", "read_page", "object_names"])
def test_a_struck_read_of_sqlite_leaves_no_transaction(
    path: Path, other_process: OtherProcess, read: str
) -> None:
    with SQLiteStore(path, timeout_seconds=0) as store:
        store.write(change(1))
        for strike in each_point(SQLITE):
            strike.run(lambda: list(getattr(store, read)("o") or ()))
            assert not in_transaction(store), strike.where
            other_process.require_free()


def test_a_struck_opening_of_a_new_file_leaves_it_usable(tmp_path: Path) -> None:
    for number, strike in enumerate(each_point(SQLITE, step=3)):
        path = tmp_path / f"{number}.db"
        with SQLiteStore(path, timeout_seconds=0) as store:
            strike.run(lambda: store.write(change(1)))
            with SQLiteStore(path, timeout_seconds=0) as another:
                another.write(change(1))
                require_whole(store, 1)


@pytest.mark.usefixtures("_impatient")
def test_a_struck_wait_for_another_process_leaves_no_transaction(
    path: Path, other_process: OtherProcess
) -> None:
    with SQLiteStore(path, timeout_seconds=60) as store:
        store.write(change(0))
        for nth in range(1, 90):
            strike = Strike(SQLITE, nth)
            other_process.lock()
            assert isinstance(strike.run(lambda: store.write(change(1))), Struck)
            other_process.unlock()
            assert not in_transaction(store), strike.where
            other_process.require_free()
            require_whole(store, 1)


def test_real_signals_leave_no_transaction_and_nothing_half_done(
    path: Path, other_process: OtherProcess
) -> None:
    with SQLiteStore(path, timeout_seconds=5) as store:
        for number, delay in enumerate(delays(1, 250, 0.003)):
            by_signal(lambda: store.write(change(number)), delay)  # noqa: B023 - called now
            assert not in_transaction(store)
            other_process.require_free()
            require_whole(store, number)
            store.write(change(number))


def test_real_signals_while_another_process_is_waited_for_leave_no_transaction(
    path: Path, other_process: OtherProcess
) -> None:
    with SQLiteStore(path, timeout_seconds=5) as store:
        store.write(change(0))
        for delay in delays(2, 25, 0.03):
            other_process.lock()
            unlock = threading.Timer(0.02, other_process.unlock)
            unlock.start()
            by_signal(lambda: store.write(change(1)), delay)
            unlock.join()
            assert not in_transaction(store)
            other_process.require_free()
            require_whole(store, 1)


# Group commit


class Gate(WrappingStore):
    """Holds the first write back until told."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.guarantees = inner.guarantees
        self.arrived = threading.Event()
        self.open = threading.Event()

    def conflict_key(self, object_name: str) -> str:
        return self.inner.conflict_key(object_name)

    def write(self, write: Write) -> None:
        if "first" in write.puts:
            self.arrived.set()
            assert self.open.wait(10)
        self.inner.write(write)

    def write_together(self, work: Callable[[Callable[[Write], None]], _Result]) -> _Result:
        return self.inner.write_together(work)


class Crowd:
    """Callers of one queue, each with a key of its own, and what each was told."""

    def __init__(self, inner: Store) -> None:
        self.gate = Gate(inner)
        self.store = GroupCommitStore(self.gate)
        self.told: dict[str, BaseException | None] = {}
        self._threads: dict[str, threading.Thread] = {}

    def start(self, key: str, strike: Strike | None = None) -> None:
        """Start a caller; return when it waits in the queue, writes, or is done."""
        write = Write("o", guards=(KeyAbsent(key),), puts={key: b"1", f"{key}'": b"1"})

        def call() -> None:
            run = strike.run if strike else in_thread
            self.told[key] = run(lambda: self.store.write(write))

        thread = self._threads[key] = threading.Thread(target=call, daemon=True)
        thread.start()
        while thread.is_alive() and not self._knows(key):
            threading.Event().wait(0.0002)

    def end(self) -> None:
        """Let all go on; each must end."""
        self.gate.open.set()
        for thread in self._threads.values():
            thread.join(10)
            assert not thread.is_alive(), "a caller hangs"

    def require_true(self) -> None:
        """What each was told is so, and nothing was done by half."""
        found = self.store.read_object("o") or {}
        for key, told in self.told.items():
            assert (key in found) == (f"{key}'" in found)
            assert told is None or isinstance(told, (OutcomeUnknown, Struck))
            assert told is not None or key in found

    def _knows(self, key: str) -> bool:
        with self.store._lock:
            waiting = [caller for queue in self.store._queues.values() for caller in queue.waiting]
        return any(key in caller.write.puts for caller in waiting)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("order", ["VAB", "FVA", "FAV"], ids=["leads", "leads next", "waits"])
def test_a_struck_caller_of_a_group_commit_harms_no_other(opener: Opener, order: str) -> None:
    """F holds the lead at the gate, V is struck, A and B wait with it."""
    inner = opener()
    missed = 0
    for nth in itertools.count(1, 1 if isinstance(inner, MemoryStore) else 3):
        strike = Strike(WAITING, nth)
        crowd = Crowd(inner)
        for caller in order:
            key = "first" if caller == order[0] else caller
            crowd.start(key, strike if caller == "V" else None)
        crowd.end()
        crowd.require_true()
        assert in_thread(partial(crowd.store.write, Write("o", remove_object=True))) is None
        assert crowd.store._queues == {}, strike.where
        missed += not strike.struck
        if missed == MISSES_MAX:
            break
    inner.close()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("strike", [by_signal, by_asynchronous_exception])
def test_real_interruptions_beside_busy_callers_leave_none_hanging(
    opener: Opener, strike: Callable[[Callable[[], object], float], BaseException | None]
) -> None:
    with GroupCommitStore(opener()) as store:
        stop = threading.Event()
        told: list[BaseException | None] = []

        def work(name: str) -> None:
            for number in itertools.count():
                if stop.is_set():
                    return
                try:
                    store.write(Write("o", puts={name: b"%d" % number}))
                except OutcomeUnknown as error:
                    told.append(error)

        threads = [threading.Thread(target=work, args=(f"t{n}",), daemon=True) for n in range(3)]
        for thread in threads:
            thread.start()
        struck = 0
        for number, delay in enumerate(delays(3, 100, 0.004)):
            write = Write("o", puts={f"a{number}": b"1", f"b{number}": b"1"})
            struck += isinstance(strike(partial(store.write, write), delay), Struck)
            found = store.read_keys("o", [f"a{number}", f"b{number}"]) or {}
            assert len(found) in {0, 2}
        assert struck
        stop.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive(), "a caller hangs"
        assert in_thread(partial(store.write, Write("o", puts={"later": b"1"}))) is None


# Leases and the whole journal


def reserve_struck(store: Store, strike: Strike) -> None:
    """One reservation is struck; other threads, recover and a look find all in order."""
    with VolumeGroupJournal(store, lease_size=2) as journal:
        journal.reserve_name("before")
        strike.run(partial(journal.reserve_name, "a"))
        for name in ("a", "b", "c"):
            assert in_thread(partial(journal.ensure_reservation, name)) is None, strike.where
        made = {name: journal.check_reservation(name) for name in ("before", "a", "b", "c")}
    with VolumeGroupJournal(store) as fresh:
        for _ in range(2):
            fresh.recover(0)
        assert {name: fresh.check_reservation(name) for name in made} == made
        assert None not in made.values()
    require_clean(store)


def test_a_struck_reservation_harms_no_other_at_any_point_of_its_lease() -> None:
    for strike in each_point((leases_module,)):
        reserve_struck(MemoryStore(), strike)


def test_a_strike_beside_an_unknown_outcome_loses_no_lease_that_lists_what_was_left() -> None:
    for strike in each_point((leases_module,)):
        store = MemoryStore()
        silent = FaultyStore(store, 3, "before", for_ever=True)  # from the entry on
        journal = VolumeGroupJournal(silent, lease_size=1)
        strike.run(partial(journal.reserve_name, "a"))
        journal._records.store = store
        journal.close()
        with VolumeGroupJournal(store) as fresh:
            for _ in range(2):
                fresh.recover(0)
        require_clean(store)


def test_a_struck_reservation_harms_no_other_anywhere_in_the_journal(tmp_path: Path) -> None:
    modules = (*WAITING, leases_module, groups, steps, outcomes)
    for number, strike in enumerate(each_point(modules, step=17)):
        with GroupCommitStore(SQLiteStore(tmp_path / f"{number}.db")) as store:
            reserve_struck(store, strike)


@pytest.mark.parametrize("strike", [by_signal, by_asynchronous_exception])
def test_real_interruptions_of_reservations_harm_no_other(
    path: Path, strike: Callable[[Callable[[], object], float], BaseException | None]
) -> None:
    with GroupCommitStore(SQLiteStore(path)) as store:
        with VolumeGroupJournal(store, lease_size=2) as journal:
            for number, delay in enumerate(delays(4, 40, 0.004)):
                strike(partial(journal.reserve_name, f"a{number}"), delay)
                assert in_thread(partial(journal.ensure_reservation, f"a{number}")) is None
        with VolumeGroupJournal(store) as fresh:
            for _ in range(2):
                fresh.recover(0)
        require_clean(store)
