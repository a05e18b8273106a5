"""Group commit: callers that wait to write the same thing share one write of the store.

While one write is under way, those who come queue up behind it.  When it is
done, the first of them takes all that wait, as one batch, and so on: a lone
caller waits for nobody, and the busier the store, the larger the batches.

An exception can reach a caller at any line (Control-C, a signal handler's, a
caller's timeout), and the others must go on.  So nothing depends on a message
from one caller to the next.  Whoever leads holds the queue's lock, by a `with`
that no exception can leave locked; what it has begun is written down in the
queue, where the next leader finds it.  Waking a caller is only the fast way:
one that was not woken looks for itself, after `LOOK_AGAIN_SECONDS`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from csijournal.compat import zip_strict
from csijournal.errors import OutcomeUnknown, StoreError
from csijournal.store.coalescing import own_copy, write_coalesced
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    ObjectState,
    Store,
    Unreadable,
    Write,
)

_Result = TypeVar("_Result")

BATCH_WRITES_MAX = 128
"""How many callers share one write at most, which bounds how long each of them waits."""

LOOK_AGAIN_SECONDS = 0.1
"""How long a caller waits to be woken before it looks whether anybody leads.

Only an interrupted leader makes callers wait for that long.  Looking costs a
caller next to nothing ten times a second, however long the store takes.
"""


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Caller:
    """One caller and its write.

    `woken` is locked until then: an event that costs next to nothing.
    `done` once its write has an outcome: `error`, or None for applied.
    `left` once the caller is gone without one, by an exception from outside.
    """

    write: Write
    woken: threading.Lock = field(default_factory=_locked)
    done: bool = False
    left: bool = False
    error: StoreError | None = None

    def wait(self, seconds: float) -> bool:
        """Wait to be woken; whether that was so."""
        return self.woken.acquire(timeout=seconds)

    def wake(self) -> None:
        with suppress(RuntimeError):  # it is awake
            self.woken.release()


@dataclass(eq=False)
class _Queue:
    """Callers that wait for one conflict key, in the order they came.

    `leading` is held by whoever writes.  The callers of the batch that is
    `under_way` stay in `waiting` until each of them has its outcome.
    """

    leading: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[_Caller] = field(default_factory=deque)
    under_way: list[_Caller] = field(default_factory=list)

    def end_batch(self) -> None:
        """Give each caller of the batch an outcome, whatever became of its leader."""
        for caller in self.under_way:
            if not caller.done:
                caller.error = OutcomeUnknown(
                    "the write that this one shared was interrupted",
                    object_name=caller.write.object_name,
                )
                caller.done = True
        self.under_way = []

    def first(self, number: int) -> list[_Caller]:
        """The callers at the head whose writes are to be done."""
        self.drop_past()
        some = islice(self.waiting, number)
        return [caller for caller in some if not (caller.done or caller.left)]

    def drop_past(self) -> None:
        """Drop the first callers, as far as nothing is to be done for them."""
        while self.waiting and (self.waiting[0].done or self.waiting[0].left):
            self.waiting.popleft()


class GroupCommitStore(Store):
    """`inner`, with one write for the callers that wait for the same conflict key."""

    def __init__(self, inner: Store, *, batch_writes_max: int = BATCH_WRITES_MAX) -> None:
        self._inner = inner
        self.guarantees = inner.guarantees
        self._batch_writes_max = batch_writes_max
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}

    def write(self, write: Write) -> None:
        caller = _Caller(write)
        try:
            self._write(caller)
        except BaseException:
            caller.left = True
            raise
        if caller.error is not None:
            raise caller.error

    def _write(self, caller: _Caller) -> None:
        """Return when the caller's write has an outcome."""
        key = self._inner.conflict_key(caller.write.object_name)
        queue, is_first = self._join(key, caller)
        if not is_first:
            _wait(queue, caller)
        while not caller.done:
            self._lead(key, queue, caller)

    def _join(self, key: str, caller: _Caller) -> tuple[_Queue, bool]:
        with self._lock:
            queue = self._queues.get(key)
            is_first = queue is None
            if queue is None:
                queue = self._queues[key] = _Queue()
            queue.waiting.append(caller)
            return queue, is_first

    def _lead(self, key: str, queue: _Queue, caller: _Caller) -> None:
        """Write the next batch, unless another leader did so for this caller before."""
        batch: list[_Caller] = []
        try:
            with queue.leading:
                queue.end_batch()  # that of a leader who was interrupted
                if not caller.done:
                    batch = queue.under_way = self._next_batch(queue)
                    self._apply(batch)
                    queue.end_batch()
        finally:
            self._hand_on(key, queue)
            for other in batch:
                if other is not caller:
                    other.wake()

    def _next_batch(self, queue: _Queue) -> list[_Caller]:
        with self._lock:
            return queue.first(self._batch_writes_max)

    def _apply(self, batch: list[_Caller]) -> None:
        """Write; each caller's outcome, unless an exception from outside comes in between."""
        writes = [caller.write for caller in batch]
        errors: list[StoreError | None]
        try:
            if len(writes) == 1:
                self._inner.write(writes[0])
                errors = [None]
            else:
                errors = self._inner.write_together(lambda apply: write_coalesced(apply, writes))
        except StoreError as shared:
            errors = [shared, *(own_copy(shared) for _ in batch[1:])]
        for caller, error in zip_strict(batch, errors):
            caller.error = error
            caller.done = True

    def _hand_on(self, key: str, queue: _Queue) -> None:
        """Wake the first that waits, to lead; without any, forget the queue."""
        with self._lock:
            queue.drop_past()
            following = queue.waiting[0] if queue.waiting else None
            if following is None and self._queues.get(key) is queue:
                del self._queues[key]
        if following is not None:
            following.wake()

    # All else is the inner store's

    @property
    def stands_alone(self) -> bool:
        return self._inner.stands_alone

    def mark_copy(self) -> None:
        self._inner.mark_copy()

    @property
    def place(self) -> str:
        return self._inner.place

    @property
    def pool_id(self) -> int | None:
        return self._inner.pool_id

    def connect(self) -> None:
        self._inner.connect()

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        return self._inner.read_keys(object_name, keys)

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        return self._inner.read_page(object_name, after=after, prefix=prefix, limit=limit)

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        return self._inner.read_object(object_name, sentinel=sentinel)

    def read_objects(
        self, object_names: Iterable[str], *, sentinel: str = ""
    ) -> Iterator[tuple[str, dict[str, bytes] | None]]:
        return self._inner.read_objects(object_names, sentinel=sentinel)

    def read_state(self, object_name: str) -> ObjectState | None:
        return self._inner.read_state(object_name)

    def namespaces(self) -> Iterator[str]:
        return self._inner.namespaces()

    def advice(self, unreadable: Unreadable) -> str:
        return self._inner.advice(unreadable)

    @property
    def namespace(self) -> str:
        return self._inner.namespace

    def beside(self, pool_id: int, namespace: str) -> Store | None:
        return self._inner.beside(pool_id, namespace)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        return self._inner.object_names(prefix)

    def walk(self, prefix: str) -> Iterator[str | None]:
        return self._inner.walk(prefix)

    def modified_ns(self, object_name: str) -> int | None:
        return self._inner.modified_ns(object_name)

    def conflict_key(self, object_name: str) -> str:
        return self._inner.conflict_key(object_name)

    def write_together(self, work: Callable[[Callable[[Write], None]], _Result]) -> _Result:
        return self._inner.write_together(work)

    def close(self) -> None:
        self._inner.close()


def _wait(queue: _Queue, caller: _Caller) -> None:
    """Return when the caller is done, or was woken to lead, or nobody leads."""
    while not (caller.done or caller.wait(LOOK_AGAIN_SECONDS)):
        if not queue.leading.locked():
            return
