"""Callers that wait to write the same thing share one write of the store.

While one write is under way, those who come queue up behind it.  When it is
done, the first of them takes all that wait, as one batch, and so on: a lone
caller waits for nobody, and the busier the store, the larger the batches.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from csijournal.errors import OutcomeUnknown, StoreError
from csijournal.store.contract import (
    PAGE_ENTRIES_MAX,
    ObjectState,
    Store,
    Write,
)

BATCH_WRITES_MAX = 128
"""How many callers share one write at most, which bounds how long each of them waits."""


@dataclass(eq=False, slots=True)
class _Caller:
    """One caller and its write; `woken` is set when it is done, or is to lead."""

    write: Write
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    error: StoreError | None = None


class GroupCommitStore(Store):
    """`inner`, with the writes of callers that wait for the same lane combined."""

    def __init__(self, inner: Store, *, batch_writes_max: int = BATCH_WRITES_MAX) -> None:
        self._inner = inner
        self.guarantees = inner.guarantees
        self._batch_writes_max = batch_writes_max
        self._lock = threading.Lock()
        self._queues: dict[str, deque[_Caller]] = {}

    def write(self, write: Write) -> None:
        lane = self._inner.lane(write.object_name)
        caller = _Caller(write)
        with self._lock:
            queue = self._queues.get(lane)
            if queue is None:
                self._queues[lane] = deque()
                caller.leads = True
            else:
                queue.append(caller)
        if not caller.leads:
            self._wait(lane, caller)
        if caller.leads:
            self._lead(lane, caller)
        if caller.error is not None:
            raise caller.error

    def _wait(self, lane: str, caller: _Caller) -> None:
        try:
            caller.woken.wait()
        except BaseException:
            self._give_up(lane, caller)
            raise

    def _give_up(self, lane: str, caller: _Caller) -> None:
        """Leave the queue, or hand on the lead, when the caller was interrupted."""
        with self._lock:
            queue = self._queues.get(lane)
            if queue is not None and caller in queue:
                queue.remove(caller)
            leads = caller.leads
        if leads:
            self._hand_on(lane)

    def _lead(self, lane: str, caller: _Caller) -> None:
        batch = self._take(lane, caller)
        try:
            self._apply(batch)
        finally:
            self._hand_on(lane)
            for other in batch[1:]:
                other.woken.set()

    def _take(self, lane: str, caller: _Caller) -> list[_Caller]:
        with self._lock:
            queue = self._queues[lane]
            others = [queue.popleft() for _ in range(min(len(queue), self._batch_writes_max - 1))]
        return [caller, *others]

    def _apply(self, batch: list[_Caller]) -> None:
        if len(batch) == 1:
            self._inner.write(batch[0].write)
            return
        errors: list[StoreError | None]
        try:
            errors = self._inner.write_together([caller.write for caller in batch])
        except StoreError as shared:
            errors = [copy.copy(shared) for _ in batch]
        except BaseException:
            for caller in batch:
                caller.error = OutcomeUnknown("the write that this one shared was interrupted")
            raise
        for caller, error in zip(batch, errors, strict=True):
            caller.error = error

    def _hand_on(self, lane: str) -> None:
        """Let the first that waits lead, or close the lane."""
        with self._lock:
            queue = self._queues[lane]
            if not queue:
                del self._queues[lane]
                return
            following = queue.popleft()
            following.leads = True
        following.woken.set()

    # All else is the inner store's

    @property
    def place(self) -> str:
        return self._inner.place

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

    def object_names(self, prefix: str = "") -> Iterator[str]:
        return self._inner.object_names(prefix)

    def modified_ns(self, object_name: str) -> int | None:
        return self._inner.modified_ns(object_name)

    def lane(self, object_name: str) -> str:
        return self._inner.lane(object_name)

    def write_together(self, writes: list[Write]) -> list[StoreError | None]:
        return self._inner.write_together(writes)

    def close(self) -> None:
        self._inner.close()
