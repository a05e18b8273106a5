"""A connection to a Ceph cluster: made once, shared by threads, shut down in order."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Self

from csijournal.errors import PlaceUnusable
from csijournal.store.rados.binding import Cluster, Completion, Ioctx


class Connection:
    """A connected librados handle and the I/O context of one pool and namespace.

    librados crashes where it is used after its shutdown, so the shutdown waits
    for calls under way.  `reads_under_way` holds the completions of
    asynchronous reads, which write into memory of ours until they complete.
    """

    def __init__(self, cluster: Cluster, ioctx: Ioctx) -> None:
        self.cluster = cluster
        self.ioctx = ioctx
        self.reads_under_way: set[Completion] = set()
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._users = 0
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

    def close(self, patience_seconds: float | None = None) -> None:
        """Shut down when no call is under way any more.

        Calls that take longer than `patience_seconds` (None: for ever) are left
        alone, and the handle with them.  In a forked child this does nothing:
        librados's threads have not followed it there.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._users:
                self._unused.set()
        if not self._unused.wait(patience_seconds):
            return
        deadline = None if patience_seconds is None else time.monotonic() + patience_seconds
        for completion in tuple(self.reads_under_way):
            if not _completed(completion, deadline):
                return
        self.ioctx.close()
        self.cluster.shutdown()


def _completed(completion: Completion, deadline: float | None) -> bool:
    if deadline is None:
        completion.wait_for_complete()
        return True
    while not completion.is_complete():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
