"""Text as stores hold it, and as messages show it."""

from __future__ import annotations

from csijournal.errors import printable
from csijournal.wire.uuids import ending_uuid

SHORTENED_CHARACTERS_MAX = 60
"""The longest text that a message shows whole: more would push the message's own words away."""


def encode(text: str) -> bytes:
    """Text as the store holds it; undoes `decode` for every value."""
    return text.encode(errors="surrogateescape")


def decode(value: bytes) -> str:
    """A stored value as text; bytes that are not UTF-8 become lone surrogates."""
    return value.decode(errors="surrogateescape")


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold `text`: it has no lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def shortened(text: str) -> str:
    """`text` in quotes for a message, cut where it is long, but never the UUID that it ends in."""
    limit = SHORTENED_CHARACTERS_MAX
    if len(text) > limit:
        end = ending_uuid(text) or ""
        text = f"{text[: limit - len(end)]}…{end}"
    return f"'{printable(text)}'"


def in_bytes(number: int) -> str:
    """A number of bytes in the largest unit that keeps it above 1."""
    size, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:  # noqa: PLR2004 - as the units have it
        size, units = size / 1024, units[1:]
    return f"{size:,.0f} {units[0]}" if size == int(size) else f"{size:,.1f} {units[0]}"


def number_of(count: int, what: str) -> str:
    """A number with its noun, in the plural where it must be."""
    if count == 1:
        return f"1 {what}"
    entry_to_entries = what.endswith("y") and what[-2] not in "aeiou"
    return f"{count:,} " + (what[:-1] + "ies" if entry_to_entries else what + "s")
