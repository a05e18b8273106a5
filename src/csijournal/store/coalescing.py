"""Coalescing: several writes to one object as one operation.

Guards are judged on the object as it was before, so writes may share an
operation only where none of them changes what another one asks or changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Optional

from csijournal.errors import GuardFailed, StoreError, TooLarge
from csijournal.store.contract import KeyAbsent, KeyEquals, KeyPresent, Write

KEYS_MAX = 4096
"""How many keys one coalesced operation changes at most, so that none gets too large."""

Result = Optional[StoreError]


def write_coalesced(apply: Callable[[Write], None], writes: Sequence[Write]) -> list[Result]:
    """Apply the writes, in order as far as they touch each other; what became of each.

    A coalesced operation that is refused is tried again in halves, so that one
    caller's failed guard costs the others little and harms none.
    """
    results: list[Result] = [None] * len(writes)
    for places in _independent(writes):
        _apply_some(apply, writes, places, results)
    return results


def own_copy(error: StoreError) -> StoreError:
    """`error` for one more caller: each raises an object of its own, with the same cause."""
    own = copy(error)
    own.__cause__, own.__context__ = error.__cause__, error.__context__
    own.__suppress_context__ = error.__suppress_context__
    return own


def _apply_some(
    apply: Callable[[Write], None],
    writes: Sequence[Write],
    places: list[int],
    results: list[Result],
) -> None:
    try:
        apply(_coalesced([writes[place] for place in places]))
    except (GuardFailed, TooLarge) as error:
        if len(places) == 1:
            results[places[0]] = error
            return
        half = len(places) // 2
        _apply_some(apply, writes, places[:half], results)
        _apply_some(apply, writes, places[half:], results)
    except StoreError as error:
        for place in places:
            results[place] = own_copy(error)


@dataclass
class _Group:
    """Places of writes to one object that may share an operation."""

    places: list[int]
    asked: set[str]
    changed: set[str]


def _independent(writes: Sequence[Write]) -> list[list[int]]:
    """The writes' places in groups that may share an operation, to be applied in order.

    Writes to different objects do not touch each other, so a write may join
    the last group of its object past those of others.
    """
    groups: list[_Group] = []
    last: dict[str, _Group] = {}
    for place, write in enumerate(writes):
        asks = {g.key for g in write.guards if isinstance(g, (KeyAbsent, KeyPresent, KeyEquals))}
        changes = {*write.puts, *write.deletions}
        group = last.get(write.object_name)
        if group is not None and _coalesces(write) and _fits(group, asks, changes):
            group.places.append(place)
            group.asked |= asks
            group.changed |= changes
            continue
        group = _Group([place], asks, changes)
        groups.append(group)
        if _coalesces(write):
            last[write.object_name] = group
        else:
            last.pop(write.object_name, None)
    return [group.places for group in groups]


def _fits(group: _Group, asks: set[str], changes: set[str]) -> bool:
    return (
        group.changed.isdisjoint(asks | changes)
        and group.asked.isdisjoint(changes)
        and len(group.changed) + len(changes) <= KEYS_MAX
    )


def _coalesces(write: Write) -> bool:
    """Whether the write asks and changes single keys only.

    One that only deletes is left alone too: coalesced, it might create the object.
    """
    return (
        bool(write.puts or write.guards)
        and not write.remove_object
        and all(isinstance(guard, (KeyAbsent, KeyPresent, KeyEquals)) for guard in write.guards)
    )


def _coalesced(writes: list[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]
    return Write(
        writes[0].object_name,
        guards=tuple(dict.fromkeys(guard for write in writes for guard in write.guards)),
        puts={key: value for write in writes for key, value in write.puts.items()},
        deletions=tuple(dict.fromkeys(key for write in writes for key in write.deletions)),
    )
