"""Measuring things side by side: all of them in each round, in changing order.

What a machine does besides changes from minute to minute.  So whatever is
compared takes turns, each ratio is taken within one round, and the median of
the rounds is told with the spread from the first to the third quartile.
"""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Times = dict[str, list[float]]

_numbers = itertools.count()
_run = uuid.uuid4()


def fresh_name() -> str:
    """A request name that was not used before; safe between threads."""
    return f"groupsnapshot-{_run}-{next(_numbers)}"


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: list[float]) -> Spread:
        """The spread of at least two figures."""
        low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(median, low, high)


def take_turns(subjects: Mapping[str, Callable[[], float]], rounds: int) -> Times:
    """One figure of each subject in each round; the first round warms up and is dropped."""
    order = list(subjects)
    figures: Times = {name: [] for name in subjects}
    for number in range(rounds + 1):
        random.shuffle(order)
        for name in order:
            figure = subjects[name]()
            if number:
                figures[name].append(figure)
    return figures


def ratio(figures: Times, above: str, below: str) -> Spread:
    """`above` divided by `below`, round by round."""
    return Spread.of([a / b for a, b in zip(figures[above], figures[below])])


def seconds_each(action: Callable[[], object], times: int) -> Callable[[], float]:
    """A subject: how many seconds `action` takes, on average of some times in a row."""

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - start) / times

    return measure


def rate_of(action: Callable[[], object], callers: int, seconds: float) -> Callable[[], float]:
    """A subject: how often a second `callers` threads get `action` done between them."""

    def measure() -> float:
        counts = [0] * callers
        start = time.perf_counter()
        deadline = start + seconds

        def call(number: int) -> None:
            while time.perf_counter() < deadline:
                action()
                counts[number] += 1

        threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.perf_counter() - start)

    return measure
