"""A store whose process dies at a chosen call."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from csijournal.store import Store
from support.wrapping import Call, WrappingStore

When = Literal["before", "after"]


class KillingStore(WrappingStore):
    """Kills its own process, with no chance to clean up, before or after the `nth` call.

    A call that fails counts too."""

    def __init__(self, inner: Store, nth: int, when: When) -> None:
        super().__init__(inner)
        self._left = nth
        self._when = when

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        del call
        self._left -= 1
        if self._left == 0 and self._when == "before":
            _die()
        try:
            yield
        finally:
            if self._left == 0:
                _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
