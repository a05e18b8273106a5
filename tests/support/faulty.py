"""Stores that fail, die, or let somebody else in between, at a call that the test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from csijournal.errors import OutcomeUnknown, StoreTimeout
from csijournal.store import Store
from support.killing import When
from support.wrapping import Call, WrappingStore


class Died(BaseException):
    """The client is gone: nothing of it may run any more."""


class MortalStore(WrappingStore):
    """A client that dies before or after the `nth` call: no later call gets through."""

    def __init__(self, inner: Store, nth: int, when: When = "before") -> None:
        super().__init__(inner)
        self._left = nth
        self._when = when

    @property
    def died(self) -> bool:
        return self._left < 1

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        del call
        self._left -= 1
        if self._left < 0 or (self._left == 0 and self._when == "before"):
            raise Died
        yield
        if self._left == 0:
            raise Died


class FaultyStore(WrappingStore):
    """The outcome of the `nth` write is unknown: `when` it was applied, or it was not.

    With `for_ever` nothing is answered from then on and nothing more is applied.
    """

    def __init__(self, inner: Store, nth: int, when: When, *, for_ever: bool = False) -> None:
        super().__init__(inner)
        self._left = nth
        self._when = when
        self._for_ever = for_ever

    @property
    def struck(self) -> bool:
        return self._left < 1

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        if self.struck and self._for_ever:
            raise OutcomeUnknown("not answered") if call.write else StoreTimeout("not answered")
        if call.write is None:
            yield
            return
        self._left -= 1
        if self._left == 0 and self._when == "before":
            raise OutcomeUnknown("not answered")
        yield
        if self._left == 0:
            raise OutcomeUnknown("not answered")


class MeddlingStore(WrappingStore):
    """Somebody else does `action` right before the `nth` call."""

    def __init__(self, inner: Store, nth: int, action: Callable[[], object]) -> None:
        super().__init__(inner)
        self._left = nth
        self._action = action

    @property
    def meddled(self) -> bool:
        return self._left < 1

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        del call
        self._left -= 1
        if self._left == 0:
            self._action()
        yield
