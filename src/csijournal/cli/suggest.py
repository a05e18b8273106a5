"""What somebody meant who mistyped a command or an option."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS_PER_SLIP = 3
"""One slip in three letters is a typing error; with more it is another word."""


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The words of `known` that are a few slips away from `word`, nearest first."""
    slips_max = max(1, len(word.lstrip("-")) // _LETTERS_PER_SLIP)
    rated = sorted((distance(word, candidate), candidate) for candidate in known)
    return [candidate for slips, candidate in rated if slips <= slips_max]


def no_such(what: str, word: str, known: Iterable[str]) -> str:
    """The message about a `word` that is not known, with those that may be meant."""
    meant = " or ".join(map(repr, nearest(word, known)))
    return f"No such {what} {word!r}." + (f" Did you mean {meant}?" if meant else "")


def distance(left: str, right: str) -> int:
    """How many letters were added, left out, changed or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for at, letter in enumerate(left):
        earlier, before, row = before, row, [at + 1]
        for to, other in enumerate(right):
            slips = min(before[to + 1] + 1, row[to] + 1, before[to] + (letter != other))
            if at and to and letter == right[to - 1] and left[at - 1] == other:
                slips = min(slips, earlier[to - 1] + 1)
            row.append(slips)
    return row[-1]
