"""A store that remembers which calls reached it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from csijournal.store import Store
from support.wrapping import Call, WrappingStore


class CountingStore(WrappingStore):
    """`calls` are those since the beginning, or since `take`."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.calls: list[Call] = []

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        self.calls.append(call)
        yield

    def take(self) -> list[str]:
        """The verbs of the calls so far, which are forgotten with that."""
        verbs = [call.verb for call in self.calls]
        self.calls.clear()
        return verbs
