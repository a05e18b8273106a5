"""What Python has in 3.10 and 3.11 and the package needs on 3.9: each goes when 3.9 does."""

from __future__ import annotations

import enum


class StrEnum(str, enum.Enum):
    """As enum.StrEnum of 3.11: a member is its text, also in str() and in an f-string."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)
