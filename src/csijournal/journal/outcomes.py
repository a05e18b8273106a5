"""Getting the truth out of a write whose outcome is unknown.

A write that timed out may have been applied, may be applied later, or never.
The journal's writes can be sent again: their guards hold once at most, since a
UUID is never used twice.  So reading back and sending again ends in certainty,
or in OutcomeUnknown while the store cannot be reached.
"""

from __future__ import annotations

from collections.abc import Callable

from csijournal.errors import GuardFailed, OutcomeUnknown, StoreError
from csijournal.store.contract import Store, Write

_TRIES = 2


def write_and_resolve(store: Store, write: Write, applied: Callable[[], bool]) -> None:
    """Apply `write`; where its outcome is unknown, find out.

    `applied` reads back whether the store is as `write` leaves it.  Raises
    GuardFailed only where `write` did not happen, and OutcomeUnknown where the
    store still gives no answer.
    """
    try:
        store.write(write)
    except OutcomeUnknown as error:
        _resolve(store, write, applied, error)


def _resolve(
    store: Store, write: Write, applied: Callable[[], bool], unknown: OutcomeUnknown
) -> None:
    """Read back and send again.  No error of the store resolves anything, whatever it is."""
    for _ in range(_TRIES):
        try:
            happened = applied() or _sent(store, write) or applied()
        except StoreError:
            continue
        if not happened:
            raise GuardFailed("a guard does not hold", object_name=write.object_name)
        return
    raise unknown


def _sent(store: Store, write: Write) -> bool:
    try:
        store.write(write)
    except GuardFailed:
        return False
    return True
