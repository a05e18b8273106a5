"""A whole check of a pool, of which the comparison with RBD is a part."""

from __future__ import annotations

from collections.abc import Callable

from csijournal.check.findings import Finding
from csijournal.check.scan import Depth, Summary, Verifier
from csijournal.inventory.rbd import RBDInventory
from csijournal.store.contract import Store

_SETTLE_SECONDS = 30.0


def check_rbd(
    store: Store,
    inventory: RBDInventory,
    *,
    full: bool = False,
    grace_seconds: float = 0,
    between: Callable[[], None] = lambda: None,
) -> tuple[list[Finding], Summary]:
    """`between` happens while what contradicted has time to settle."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        between()

    verifier = Verifier(
        store,
        inventory=inventory,
        depth=Depth.FULL if full else Depth.LIMITED,
        grace_seconds=grace_seconds,
        settle_seconds=_SETTLE_SECONDS,
        monotonic=lambda: now,
        sleep=sleep,
    )
    return [*verifier.findings()], verifier.summary
