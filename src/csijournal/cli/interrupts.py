"""Signals that ask a command to stop: what is under way is finished, or taken back.

Control-C, SIGTERM (kill, systemd, a pod that is moved) and SIGHUP (a terminal
that is closed) mean the same.  As with any program, the exit code is 128 and the
signal's number.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_Handler = Callable[[int, Optional[FrameType]], Any]


class Interrupted(KeyboardInterrupt):
    """A signal asked to stop, and which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_code_of(interrupt: BaseException) -> int:
    """The exit code of a command that a signal ended."""
    number = interrupt.number if isinstance(interrupt, Interrupted) else signal.SIGINT
    return 128 + number


@contextmanager
def raising() -> Iterator[None]:
    """Let each of the signals raise Interrupted, so that temporary files are removed."""
    with _handled(_raise):
        yield


class Interrupt:
    """The signal by which the user has asked to stop; 0 for none."""

    asked = 0


@contextmanager
def finishing_first() -> Iterator[Interrupt]:
    """Let a signal only ask to stop, so that what is under way is finished; a second interrupts."""
    interrupt = Interrupt()

    def ask(number: int, frame: FrameType | None) -> None:
        if interrupt.asked:
            _raise(number, frame)
        interrupt.asked = number

    with _handled(ask):
        yield interrupt


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def _handled(handler: _Handler) -> Iterator[None]:
    """Handle the signals so; one that is ignored (nohup) stays ignored.

    Only the main thread may do this; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = [number for number, known in before.items() if known is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number] or signal.SIG_DFL)
