"""What Python has in 3.10 and 3.11 and the package needs on 3.9: each goes when 3.9 does."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TypeVar, cast

_First = TypeVar("_First")
_Second = TypeVar("_Second")

_MISSING = object()


class StrEnum(str, enum.Enum):
    """As enum.StrEnum of 3.11: a member is its text, also in str() and in an f-string."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)


def zip_strict(
    first: Iterable[_First], second: Iterable[_Second]
) -> Iterator[tuple[_First, _Second]]:
    """As zip(strict=True) of 3.10: raises ValueError where one has more items than the other."""
    for pair in zip_longest(first, second, fillvalue=_MISSING):
        if pair[0] is _MISSING or pair[1] is _MISSING:
            raise ValueError("one of two has more items than the other")
        yield cast("tuple[_First, _Second]", pair)
