"""Telling what stands still from what other clients are changing at this moment.

A client that undoes a reservation removes the record first and the entry after
that.  Between the two the entry points at nothing, and nothing tells it from one
that does so forever: only that it is still there some time later.  So whatever
contradicts itself is kept, and read again when it has had time to go.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

SETTLE_SECONDS = 30.0
"""How long a contradiction must stand unless the caller says otherwise.

Ceph-CSI's undo is two writes in a row; what is between them after this time has
been held up for longer than an OSD that fails over takes.
"""

HELD_MAX = 10_000
"""How many things are held back at once: some megabytes of memory."""

_BATCH = 200

_Thing = TypeVar("_Thing")


class Settling(Generic[_Thing]):
    """Things that were seen once, in the order in which they were, until they have settled.

    `monotonic` and `sleep` are time's.
    """

    def __init__(
        self,
        settle_seconds: float = SETTLE_SECONDS,
        *,
        held_max: int = HELD_MAX,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settle_seconds = settle_seconds
        self._held_max = held_max
        self._monotonic = monotonic
        self._sleep = sleep
        self._held: deque[tuple[float, _Thing]] = deque()

    @property
    def wait_seconds(self) -> float:
        """How long it is until the oldest thing has settled; 0 where none is held."""
        if not self._held:
            return 0.0
        return max(0.0, self._held[0][0] + self._settle_seconds - self._monotonic())

    def add(self, thing: _Thing) -> None:
        """Take a thing that was seen just now."""
        self._held.append((self._monotonic(), thing))

    def settled(self) -> Iterator[list[_Thing]]:
        """Things that have settled, some at a time.  Waits only where too many are held."""
        while self._held and (not self.wait_seconds or len(self._held) > self._held_max):
            yield self._take()

    def rest(self) -> Iterator[list[_Thing]]:
        """All that are held, also those added during the wait; waits until they have settled."""
        while self._held:
            yield self._take()

    def _take(self) -> list[_Thing]:
        """Wait for the oldest; it, and others that have settled with it."""
        if self.wait_seconds:
            self._sleep(self.wait_seconds)
        now = self._monotonic()
        taken = [self._held.popleft()[1]]
        while self._held and len(taken) < _BATCH and self._held[0][0] + self._settle_seconds <= now:
            taken.append(self._held.popleft()[1])
        return taken
