"""What a repair is made of: steps in words, each a guarded write, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from csijournal.check.findings import Finding
from csijournal.store.contract import Guard, KeyAbsent, KeyEquals, Store, Write

Recheck = Callable[[], bool]


@dataclass(frozen=True)
class Step:
    """One guarded write, in words, and what must still be so right before it.

    `undoable` is False where a backup cannot bring back what the step takes:
    a lease that has ended must never come back.  Where `act` is given it does
    the step, in several writes of which `write` is the one that counts, and
    returns False where the state no longer allows it.
    """

    sentence: str
    write: Write
    recheck: Recheck = lambda: True
    undoable: bool = True
    act: Callable[[Store], bool] | None = None

    @property
    def told(self) -> str:
        """The sentence, with the warning that belongs to it."""
        return self.sentence if self.undoable else f"{self.sentence} (this cannot be undone)"


@dataclass(frozen=True)
class Plan:
    """What will be done about one thing; `subject` names it.

    `names` are the request names, UUIDs and objects by which a person may ask
    for this plan alone, and `finding` is what it repairs, if anything.

    `confirmations` come after the steps, each whatever became of the others.
    They change nothing but a version, and fail where what a step relies on has
    gone.
    """

    subject: str
    steps: tuple[Step, ...]
    names: tuple[str, ...] = ()
    finding: Finding | None = None
    confirmations: tuple[Write, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one plan; `skipped` says why it was not carried out to its end.

    `unknown` says that the step after the last one done was sent and not
    answered, so that it may have been applied.
    """

    plan: Plan
    steps_done: int
    skipped: str = ""
    unknown: bool = False


def still_holds(key: str, value: bytes | None) -> Guard | None:
    """The guard that a key still has this value; None where no guard can tell."""
    if value is None:
        return KeyAbsent(key)
    try:
        return KeyEquals(key, value) if value.decode() else None
    except UnicodeDecodeError:
        return None
