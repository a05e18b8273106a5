"""Which comparison knows the inventory of a place."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.compare_cephfs import CephFSComparison
from csijournal.check.compare_rbd import RBDComparison
from csijournal.check.comparing import Comparison
from csijournal.check.context import Context
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.rbd import RBDInventory


def comparisons_with_inventory(context: Context) -> Iterator[Comparison]:
    """The comparison of the records with what stands behind them; none where nothing can."""
    if isinstance(context.inventory, RBDInventory):
        yield RBDComparison(context, context.inventory)
    elif isinstance(context.inventory, CephFSInventory):
        yield CephFSComparison(context, context.inventory)
