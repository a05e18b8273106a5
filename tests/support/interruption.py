"""An exception from outside, at a chosen point of one thread.

A point is what CPython can be interrupted at, and more: the start of every
line, the start of every Python function, and the return from every C function,
which is where CPython hears a signal.  These points are left out:

- The exit of a `with`: CPython gives it a line event of its own, between the
  body and `__exit__`.  An exception that a trace function raises there skips
  `__exit__`, in CPython 3.10 to 3.13; 3.9 has no such event, and there nothing
  is left out.  A signal or an asynchronous exception
  is not heard there from 3.11 on where `__exit__` is C: it is heard at calls,
  at the starts of functions and at backward jumps alone.
- The call of a C function, before it: CPython hears nothing there.
- The event "call" of a generator that goes on: a trace function's exception
  ends the generator without its `finally`.  A signal is heard behind that, and
  the line event that follows stands for it.
"""

from __future__ import annotations

import ctypes
import dis
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import CodeType, FrameType, ModuleType
from typing import Any

DEADLINE_SECONDS = 5.0
"""How long a thread may take to end before it counts as hanging."""


class Struck(BaseException):
    """What reaches the caller from outside; nothing of ours may take it for an error."""


class Strike:
    """Raises Struck at the `nth` point that the thread reaches in the `modules`."""

    def __init__(self, modules: tuple[ModuleType, ...], nth: int) -> None:
        self._files = {module.__file__ for module in modules}
        self._left = nth
        self.where = ""

    @property
    def struck(self) -> bool:
        return bool(self.where)

    @contextmanager
    def armed(self) -> Iterator[None]:
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(None)
            sys.setprofile(None)

    def run(self, action: Callable[[], object]) -> BaseException | None:
        """Run `action`; what it raised, Struck or another error."""
        try:
            with self.armed():
                action()
        except (Exception, Struck) as error:  # noqa: BLE001 - what the caller was told
            return error
        return None

    def _trace(self, frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - itself
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line" and not _leaves_with(frame.f_code, frame.f_lasti):
            self._reach(frame, "line")
        elif event == "call" and not _goes_on(frame):
            self._reach(frame, "call")
        return self._trace

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:  # noqa: ANN401 - C's
        if event == "c_return" and frame.f_code.co_filename in self._files:
            self._reach(frame, f"return of {function.__name__}")

    def _reach(self, frame: FrameType, what: str) -> None:
        self._left -= 1
        if self._left == 0:
            self.where = f"{frame.f_code.co_name}:{frame.f_lineno}, {what}"
            raise Struck(self.where)


def in_thread(action: Callable[[], object]) -> BaseException | None:
    """Run `action` in a thread that must end; what it raised."""
    told: list[BaseException | None] = [None]

    def run() -> None:
        with suppress(Struck):
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - what the caller was told
                told[0] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "a caller hangs"
    return told[0]


def by_signal(action: Callable[[], object], delay_seconds: float) -> BaseException | None:
    """Run `action` in the main thread, with a signal whose handler raises; what it raised."""
    armed = [True]

    def strike(*_: object) -> None:
        if armed[0]:
            armed[0] = False
            raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    told: BaseException | None = None
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, delay_seconds)
            action()
        finally:
            armed[0] = False
    except (Exception, Struck) as error:  # noqa: BLE001 - what the caller was told
        told = error
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    return told


def by_asynchronous_exception(
    action: Callable[[], object], delay_seconds: float
) -> BaseException | None:
    """Run `action` in a thread of its own, and raise in it; what it raised."""

    armed = [True]

    def strike(thread_id: int) -> None:
        if armed[0]:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread_id), ctypes.py_object(Struck)
            )

    def run() -> None:
        timer = threading.Timer(delay_seconds, strike, [threading.get_ident()])
        timer.start()
        try:
            action()
        finally:
            armed[0] = False
            timer.join()  # what is on its way arrives here, and not in the thread's end

    return in_thread(run)


def delays(seed: int, number: int, seconds_max: float) -> list[float]:
    """Moments for a signal: the same in each run, more of them early."""
    chance = random.Random(seed)  # noqa: S311 - no secret, but the same each time
    return [0.00001 + seconds_max * chance.random() ** 2 for _ in range(number)]


def _goes_on(frame: FrameType) -> bool:
    """Whether the call is a generator's that was begun before."""
    if frame.f_lasti < 0:
        return False
    if "RESUME" not in dis.opmap:  # before 3.11: whoever has been somewhere goes on
        return True
    opcode, operand = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2]
    return dis.opname[opcode] == "RESUME" and operand != 0


@cache
def _leaves_with(code: CodeType, offset: int) -> bool:
    """Whether what begins at the offset is the exit of a `with`."""
    following = [each for each in dis.get_instructions(code) if each.offset >= offset][:6]
    names = [each.opname for each in following]
    if names[0] in {"PUSH_EXC_INFO", "WITH_EXCEPT_START"}:
        return "WITH_EXCEPT_START" in names[:2]
    nones = [each.opname == "LOAD_CONST" and each.argval is None for each in following]
    if "DUP_TOP" in dis.opmap:  # 3.10: what is returned goes below one None, doubled twice
        begin = next((n for n, name in enumerate(names) if name not in {"POP_BLOCK", "ROT_TWO"}), 0)
        return nones[begin] and names[begin + 1 : begin + 3] == ["DUP_TOP", "DUP_TOP"]
    return nones[:3] == [True] * 3 or nones[1:4] == [True] * 3
