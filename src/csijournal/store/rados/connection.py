"""A connection to a Ceph cluster: made once, shared by threads, shut down in order."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from csijournal.errors import PlaceUnusable
from csijournal.store.rados.binding import Cluster, Completion, Ioctx
from csijournal.store.rados.interruptible import Interruptible

if TYPE_CHECKING:
    from typing_extensions import Self

_Result = TypeVar("_Result")


_LOOK_SECONDS = 0.01
_HURRIED_PATIENCE_SECONDS = 0.2


class UnderWay(Protocol):
    """An asynchronous read: librados writes the answer into memory of ours."""

    @property
    def completion(self) -> Completion: ...

    def forget(self) -> None:
        """Give the memory back."""


class Connection:
    """A connected librados handle.

    librados crashes where it is used after its shutdown, so the shutdown waits
    for calls under way.  `ioctxs` are the I/O contexts to close with it, and
    `reads_under_way` the asynchronous reads whose answers were not taken yet;
    nobody will take those of `left_reads`.
    """

    def __init__(self, cluster: Cluster, calls: Interruptible) -> None:
        self.cluster = cluster
        self.ioctxs: list[Ioctx] = []
        self.reads_under_way: set[UnderWay] = set()
        self.left_reads: deque[UnderWay] = deque()
        self._calls = calls
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0
        self._patience_seconds_max = float("inf")
        self._unused = threading.Event()
        self._closed = False

    def __enter__(self) -> Self:
        """Keep the connection open during the block.  Raises PlaceUnusable once it is closed."""
        with self._lock:
            if self._closed:
                raise PlaceUnusable("the connection to Ceph is closed")
            self._users += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._users -= 1
            if self._closed and not self._users:
                self._unused.set()

    def call(self, job: Callable[[], _Result]) -> _Result:
        """Make a call of librados.  The main thread hears Control-C while it waits.

        A call that was left so counts as under way until it ends.
        """
        return self._calls.call(lambda: self._within(job), when_left=self._hurry)

    def _hurry(self) -> None:
        """Somebody wants to stop: closing must not wait for what they did not wait for."""
        self._patience_seconds_max = _HURRIED_PATIENCE_SECONDS

    def _within(self, job: Callable[[], _Result]) -> _Result:
        with self:
            return job()

    def forget_left_reads(self) -> None:
        """Let go of the reads that nobody waits for, as far as they are complete."""
        while self.left_reads and self.left_reads[0].completion.is_complete():
            with suppress(IndexError):
                self.left_reads.popleft().forget()

    def close(self, patience_seconds: float = float("inf")) -> None:
        """Shut down when no call is under way any more.

        Calls that take longer than `patience_seconds` are left alone, and the
        handle with them.  In a forked child this does nothing: librados's
        threads have not followed it there.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._users:
                self._unused.set()
        started = time.monotonic()
        while not self._is_unused():
            patience = min(patience_seconds, self._patience_seconds_max)
            if time.monotonic() - started >= patience:
                return
        for ioctx in self.ioctxs:
            ioctx.close()
        self.cluster.shutdown()

    def _is_unused(self) -> bool:
        """Whether librados has nothing to do for us, after a short wait for it."""
        if not self._unused.wait(_LOOK_SECONDS):
            return False
        under_way = [read for read in tuple(self.reads_under_way) if not _is_complete(read)]
        if under_way:
            time.sleep(_LOOK_SECONDS)
        return not under_way


def _is_complete(read: UnderWay) -> bool:
    return read.completion.is_complete()
