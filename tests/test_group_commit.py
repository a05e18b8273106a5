"""Group commit: who shares a write with whom, and what each of them is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pytest

from csijournal.errors import GuardFailed, OutcomeUnknown, StoreError, StoreFull
from csijournal.store import KeyAbsent, Write
from csijournal.store.group_commit import GroupCommitStore, _Queue
from csijournal.store.memory import MemoryStore
from support.wrapping import WrappingStore

_Result = TypeVar("_Result")


class GatedStore(WrappingStore):
    """Lets a write through when told to, and notes what came in which batch."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.error: BaseException | None = None

    def write(self, write: Write) -> None:
        self._pass(write.puts)
        self.inner.write(write)

    def write_together(self, work: Callable[[Callable[[Write], None]], _Result]) -> _Result:
        self._pass()
        return work(self._apply)

    def _apply(self, write: Write) -> None:
        self.batches[-1].extend(write.puts)
        self.inner.write(write)

    def _pass(self, keys: Iterable[str] = ()) -> None:
        self.batches.append([*keys])
        self.arrived.release()
        assert self.gate.acquire(timeout=10)
        if self.error is not None:
            raise self.error


def _behind(queue: _Queue) -> int:
    return len(queue.waiting) - len(queue.under_way)


class Callers:
    """Threads that each write one key, and what became of them."""

    def __init__(self, store: GroupCommitStore) -> None:
        self.store = store
        self.threads: list[threading.Thread] = []
        self.told: dict[str, BaseException | None] = {}

    def start(self, key: str, object_name: str = "dir") -> None:
        thread = threading.Thread(target=self._write, args=(key, object_name))
        self.threads.append(thread)
        thread.start()

    def _write(self, key: str, object_name: str) -> None:
        write = Write(object_name, guards=(KeyAbsent(key),), puts={key: b"1"})
        try:
            self.store.write(write)
        except BaseException as error:  # noqa: BLE001 - what the caller was told
            self.told[key] = error
        else:
            self.told[key] = None

    def wait_until_queued(self, number: int) -> None:
        """Wait until so many wait behind those whose write is under way."""
        while sum(map(_behind, self.store._queues.values())) < number:
            threading.Event().wait(0.001)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def gated() -> GatedStore:
    return GatedStore()


@pytest.fixture
def callers(gated: GatedStore) -> Iterator[Callers]:
    callers = Callers(GroupCommitStore(gated, batch_writes_max=4))
    yield callers
    gated.gate.release(100)
    callers.join()


def queue_behind_first(gated: GatedStore, callers: Callers, keys: list[str]) -> None:
    """One write under way, and the writes of `keys` waiting behind it in this order."""
    callers.start("first")
    assert gated.arrived.acquire(timeout=10)
    for number, key in enumerate(keys, 1):
        callers.start(key)
        callers.wait_until_queued(number)


def test_a_lone_caller_writes_at_once_and_alone(gated: GatedStore, callers: Callers) -> None:
    gated.gate.release()
    callers.start("a")
    callers.join()
    assert gated.batches == [["a"]]
    assert callers.store._queues == {}


def test_callers_that_wait_share_the_next_write_in_the_order_they_came(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b", "c"])
    gated.gate.release(2)
    callers.join()
    assert gated.batches == [["first"], ["a", "b", "c"]]


def test_a_batch_is_bounded_and_the_rest_goes_next(gated: GatedStore, callers: Callers) -> None:
    queue_behind_first(gated, callers, ["a", "b", "c", "d", "e", "f"])
    gated.gate.release(3)
    callers.join()
    assert gated.batches == [["first"], ["a", "b", "c", "d"], ["e", "f"]]


def test_writes_to_different_objects_do_not_wait_for_each_other(
    gated: GatedStore, callers: Callers
) -> None:
    callers.start("a", "one")
    callers.start("b", "two")
    assert gated.arrived.acquire(timeout=10)
    assert gated.arrived.acquire(timeout=10)
    assert sorted(gated.batches) == [["a"], ["b"]]


def test_a_failed_guard_is_told_to_its_own_caller_only(gated: GatedStore, callers: Callers) -> None:
    gated.inner.write(Write("dir", puts={"b": b"taken"}))
    queue_behind_first(gated, callers, ["a", "b", "c"])
    gated.gate.release(2)
    callers.join()
    assert isinstance(callers.told.pop("b"), GuardFailed)
    assert callers.told == {"first": None, "a": None, "c": None}


def test_an_error_of_the_store_is_told_to_all_that_shared_the_write(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b"])
    gated.gate.release()
    assert gated.arrived.acquire(timeout=10)
    gated.error = StoreFull("no space")
    gated.gate.release()
    callers.join()
    assert isinstance(callers.told["a"], StoreFull)
    assert isinstance(callers.told["b"], StoreFull)
    assert callers.told["a"] is not callers.told["b"]


def test_an_error_that_several_are_told_says_its_cause_to_each(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b", "c"])
    gated.gate.release()
    assert gated.arrived.acquire(timeout=10)
    gated.error = StoreFull("no space")
    gated.error.__cause__ = cause = OSError("the disk is full")
    gated.gate.release()
    callers.join()
    for key in ("a", "b", "c"):
        told = callers.told[key]
        assert told is not None
        assert told.__cause__ is cause
        assert told.__suppress_context__


def test_an_unknown_outcome_is_unknown_to_all_that_shared_the_write(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b"])
    gated.gate.release()
    assert gated.arrived.acquire(timeout=10)
    gated.error = OutcomeUnknown("no answer")
    gated.gate.release()
    callers.join()
    assert isinstance(callers.told["a"], OutcomeUnknown)
    assert isinstance(callers.told["b"], OutcomeUnknown)


def test_a_leader_that_is_interrupted_leaves_the_others_an_unknown_outcome_and_the_queue_free(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b"])
    gated.gate.release()
    assert gated.arrived.acquire(timeout=10)
    gated.error = KeyboardInterrupt()
    gated.gate.release()
    callers.join()
    assert isinstance(callers.told["a"], KeyboardInterrupt)
    assert isinstance(callers.told["b"], OutcomeUnknown)
    gated.error = None
    gated.gate.release()
    callers.start("later")
    callers.join()
    assert callers.told["later"] is None


def test_callers_that_wait_when_the_store_closes_are_told_so(
    gated: GatedStore, callers: Callers
) -> None:
    queue_behind_first(gated, callers, ["a", "b"])
    callers.store.close()
    gated.gate.release(2)
    callers.join()
    assert all(isinstance(error, StoreError) for error in callers.told.values())
