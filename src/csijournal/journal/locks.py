"""One lock per name, kept only while somebody holds it or waits for it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class NamedLocks:
    """Locks between the threads of one process, by name.  They are not reentrant."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._users: Counter[str] = Counter()

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lock of `name` during the block."""
        with self._changing:
            lock = self._locks.setdefault(name, threading.Lock())
            self._users[name] += 1
        try:
            with lock:
                yield
        finally:
            with self._changing:
                self._users[name] -= 1
                if not self._users[name]:
                    del self._users[name], self._locks[name]
