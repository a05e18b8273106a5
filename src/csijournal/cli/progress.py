"""How far a long command is, on a terminal that somebody watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.progress import Progress

_REFRESH_SECONDS = 0.1

SILENT_SECONDS = 2.0
"""After how long without any progress the bar says that the store does not answer."""


class Position(NamedTuple):
    """Where a command is; `total` is None where nobody knows yet.

    `waiting` says that the command itself waits, and no store is silent.
    """

    doing: str
    done: int
    total: int | None
    waiting: bool = False


class Bar:
    """A progress bar on standard error; one that is not shown costs nothing.

    A thread of its own asks `position` and draws, so that the work need not.
    Whatever else is printed during that time is printed inside `hidden`.
    """

    def __init__(self, position: Callable[[], Position]) -> None:
        self._position = position
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._progress: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the block ends, where standard error is a terminal."""
        if not watched():
            yield
            return
        self._progress = _make_progress()
        thread = threading.Thread(target=self._draw, args=(self._progress,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()
            self._progress.stop()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Keep the bar off the terminal while others print."""
        if self._progress is None:
            yield
            return
        with self._lock:
            self._progress.stop()
            yield
            sys.stdout.flush()

    def _draw(self, progress: Progress) -> None:
        task = progress.add_task("")
        silence = Silence()
        while not self._ending.wait(_REFRESH_SECONDS):
            doing, done, total, _ = silence.told(self._position())
            with self._lock:
                if progress.tasks[0].description != doing:
                    progress.reset(task)
                progress.update(task, description=doing, completed=done, total=total)
                progress.start()
                progress.refresh()


class Silence:
    """Notices that nothing moves, and says so instead of showing a bar that stands still."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: Position | None = None
        self._moved_at = monotonic()

    def told(self, position: Position) -> Position:
        """The position, or how long the store has been silent."""
        if position != self._last:
            self._last, self._moved_at = position, self._monotonic()
        seconds = self._monotonic() - self._moved_at
        if position.waiting or seconds < SILENT_SECONDS:
            return position
        doing = f"{position.doing}: waiting for the store, {seconds:.0f} s"
        return position._replace(doing=doing, total=None)


def watched() -> bool:
    """Whether anybody would see a bar."""
    return sys.stderr is not None and sys.stderr.isatty()


def _make_progress() -> Progress:
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import, and seldom needed
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            done = f"{task.completed:.0f}" if task.completed else ""
            return Text(done if task.total is None else f"{done or 0}/{task.total:.0f}")

    class Remaining(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            return Text("") if task.total is None else super().render(task)

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        Count(),
        Rate(),
        Remaining(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
