"""Several writes to one object as one operation.

Guards are judged on the object as it was before, so writes may share an
operation only where none of them changes what another one asks or changes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from csijournal.errors import GuardFailed, StoreError, TooLarge
from csijournal.store.contract import KeyAbsent, KeyEquals, KeyPresent, Write

KEYS_MAX = 4096
"""How many keys one merged operation changes at most, so that none gets too large."""

Result = StoreError | None


def write_merged(apply: Callable[[Write], None], writes: Sequence[Write]) -> list[Result]:
    """Apply the writes, in order as far as they touch each other; what became of each.

    A merged operation that is refused is tried again in halves, so that one
    caller's failed guard costs the others little and harms none.
    """
    results: list[Result] = [None] * len(writes)
    for places in _independent(writes):
        _apply_some(apply, writes, places, results)
    return results


def _apply_some(
    apply: Callable[[Write], None],
    writes: Sequence[Write],
    places: list[int],
    results: list[Result],
) -> None:
    try:
        apply(_merged([writes[place] for place in places]))
    except (GuardFailed, TooLarge) as error:
        if len(places) == 1:
            results[places[0]] = error
            return
        half = len(places) // 2
        _apply_some(apply, writes, places[:half], results)
        _apply_some(apply, writes, places[half:], results)
    except StoreError as error:
        for place in places:
            results[place] = copy.copy(error)


def _independent(writes: Sequence[Write]) -> list[list[int]]:
    """The writes' places in groups that may share an operation, to be applied in order."""
    groups: list[list[int]] = []
    asked: set[str] = set()
    changed: set[str] = set()
    open_object = ""
    for place, write in enumerate(writes):
        asks = {g.key for g in write.guards if isinstance(g, KeyAbsent | KeyPresent | KeyEquals)}
        changes = {*write.puts, *write.deletions}
        fits = (
            write.object_name == open_object
            and _merges(write)
            and changed.isdisjoint(asks | changes)
            and asked.isdisjoint(changes)
            and len(changed) + len(changes) <= KEYS_MAX
        )
        if fits:
            groups[-1].append(place)
            asked |= asks
            changed |= changes
        else:
            groups.append([place])
            asked, changed = asks, changes
            open_object = write.object_name if _merges(write) else ""
    return groups


def _merges(write: Write) -> bool:
    """Whether the write asks and changes single keys only.

    One that only deletes is left alone too: merged, it might create the object.
    """
    return (
        bool(write.puts or write.guards)
        and not write.remove_object
        and all(isinstance(guard, KeyAbsent | KeyPresent | KeyEquals) for guard in write.guards)
    )


def _merged(writes: list[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]
    return Write(
        writes[0].object_name,
        guards=tuple(dict.fromkeys(guard for write in writes for guard in write.guards)),
        puts={key: value for write in writes for key, value in write.puts.items()},
        deletions=tuple(dict.fromkeys(key for write in writes for key in write.deletions)),
    )
