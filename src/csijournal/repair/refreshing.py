"""How old the lists of an inventory may be while plans are carried out.

A list is of the whole pool: 100,000 images take a second or two, and a batch of
plans not much longer.  What a step is about is asked for by its names at the
step (`Inventory.look_up_now`), so that the lists are there for what has another
name: an image with a prefix that no record gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from csijournal.inventory.contract import Inventory

LISTS_SECONDS_MAX = 5.0
"""How old lists may be: of records that are left behind, nobody makes an image in that time."""

READING_SHARE = 3
"""Where reading takes long, lists serve for so many times as long: it must not become all."""


class Refreshing:
    """Has the lists read anew whenever it is called and they are old."""

    def __init__(
        self, inventory: Inventory, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._inventory = inventory
        self._monotonic = monotonic
        self._fresh_until = float("-inf")

    def __call__(self) -> None:
        """Drop the lists that are too old, and read them."""
        start = self._monotonic()
        if start < self._fresh_until:
            return
        self._inventory.refresh()
        self._inventory.compared()  # has them read
        took = self._monotonic() - start
        self._fresh_until = start + took + max(LISTS_SECONDS_MAX, READING_SHARE * took)
