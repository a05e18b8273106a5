"""Calls that block in C, made so that the main thread hears Control-C during them.

Python runs signal handlers in the main thread, between two of its steps: a
thread that waits inside of librados hears nothing, for as long as an OSD is
silent.  So the main thread lets another one make the call and waits for it in
Python.  Other threads never run signal handlers and call directly.

A call that was left goes on in its thread, and keeps alive what it uses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

_Result = TypeVar("_Result")


class Interruptible:
    """Makes calls; their threads are kept for the next ones."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []

    def call(
        self, job: Callable[[], _Result], *, when_left: Callable[[], None] = lambda: None
    ) -> _Result:
        """What `job` returns or raises; an exception of a signal handler comes at once.

        Then the call is left to go on, which `when_left` is told.
        """
        if threading.current_thread() is not threading.main_thread():
            return job()
        worker = self._worker()
        try:
            result = worker.run(job)
        except BaseException:
            when_left()
            worker.end()
            raise
        self._idle.append(worker)
        return result()

    def close(self) -> None:
        """End the threads that wait for a call."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().end()

    def _worker(self) -> _Worker:
        try:
            return self._idle.pop()
        except IndexError:
            return _Worker()


class _Worker:
    """A thread that makes one call after the other."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(
            target=_work, args=(self._jobs,), name="csijournal librados call", daemon=True
        ).start()

    def run(self, job: Callable[[], _Result]) -> Callable[[], _Result]:
        """Make the call; what is returned returns or raises its outcome."""
        outcomes: SimpleQueue[Callable[[], _Result]] = SimpleQueue()
        self._jobs.put(lambda: outcomes.put(_outcome(job)))
        return outcomes.get()

    def end(self) -> None:
        """Let the thread end after the call that it is at."""
        self._jobs.put(None)


def _work(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # what it holds must not live until the next one comes


def _outcome(job: Callable[[], _Result]) -> Callable[[], _Result]:
    try:
        result = job()
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        failure = error  # `error` itself is gone behind the clause

        def fail() -> _Result:
            raise failure

        return fail
    return lambda: result
