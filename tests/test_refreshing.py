"""How often repair has the lists of an inventory read anew."""

from __future__ import annotations

from collections.abc import Mapping

from csijournal.inventory.contract import NoInventory, ThingKind
from csijournal.repair.refreshing import LISTS_SECONDS_MAX, READING_SHARE, Refreshing


class _Slow(NoInventory):
    """An inventory whose lists take so many seconds, on a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.reads = 0
        self._seconds = seconds
        self._is_read = False

    def refresh(self) -> None:
        self._is_read = False

    def compared(self) -> Mapping[ThingKind, int]:
        if not self._is_read:
            self._is_read = True
            self.reads += 1
            self.now += self._seconds
        return {}


def test_lists_are_read_before_the_first_batch_and_again_when_they_are_old() -> None:
    inventory = _Slow(seconds=0.5)
    refresh = Refreshing(inventory, monotonic=lambda: inventory.now)
    refresh()
    assert inventory.reads == 1
    inventory.now += LISTS_SECONDS_MAX - 0.1
    refresh()
    assert inventory.reads == 1
    inventory.now += 0.1
    refresh()
    assert inventory.reads == 2


def test_lists_that_take_long_serve_for_longer() -> None:
    inventory = _Slow(seconds=60)
    refresh = Refreshing(inventory, monotonic=lambda: inventory.now)
    refresh()
    inventory.now += READING_SHARE * 60 - 1
    refresh()
    assert inventory.reads == 1
    inventory.now += 1
    refresh()
    assert inventory.reads == 2
