"""What a repair is made of: steps in words, each a guarded write, and what became of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from csijournal.archive import ImageInUse
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


class ImageMove(ABC):
    """What a plan does to images before its steps: into RBD's trash, or out of it.

    `sentences` say it.  `images` are what a backup keeps of it.
    """

    sentences: tuple[str, ...]
    images: tuple[ImageInUse, ...] = ()

    @abstractmethod
    def carry_out(self) -> str:
        """Do all of it; else say why not, and leave all as it was.  Raises StoreError."""

    @abstractmethod
    def is_so(self) -> bool:
        """Whether it is so already, whoever did it.  Raises StoreError."""


@dataclass(frozen=True)
class Plan:
    """What will be done about one thing; `subject` names it.

    `names` are the request names, UUIDs and objects by which a person may ask
    for this plan alone, and `finding` is what it repairs, if anything.

    `confirmations` come after the steps, each whatever became of the others.
    They change nothing but a version, and fail where what a step relies on has
    gone.

    `move` comes before the steps, none of which is done without it, and counts
    as one of them.
    """

    subject: str
    steps: tuple[Step, ...]
    names: tuple[str, ...] = ()
    finding: Finding | None = None
    confirmations: tuple[Write, ...] = ()
    move: ImageMove | None = None

    @property
    def steps_in_all(self) -> int:
        """How many steps there are, with the move."""
        return len(self.steps) + (self.move is not None)

    @property
    def told(self) -> tuple[tuple[int, str], ...]:
        """All that is done, in words, each with the number of its step."""
        moved = [(0, sentence) for sentence in self.move.sentences] if self.move else []
        first = self.steps_in_all - len(self.steps)
        return (*moved, *((first + i, step.told) for i, step in enumerate(self.steps)))


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
