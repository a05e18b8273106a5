"""UUIDs as the journals write them: 36 characters, lower case."""

from __future__ import annotations

import re

from csijournal.errors import InvalidUUID, printable

UUID_LENGTH = 36

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as the journal writes it."""
    return _UUID.fullmatch(text) is not None


def ending_uuid(text: str) -> str | None:
    """The UUID that `text` ends in, as names of groups, objects and handles do; None for none."""
    ending = text[-UUID_LENGTH:]
    return ending if is_uuid(ending) else None


def require_uuid(text: str) -> str:
    """`text` itself.  Raises InvalidUUID where it is not a UUID."""
    if not isinstance(text, str) or not is_uuid(text):
        raise InvalidUUID(
            f"{printable(str(text))!r} is not a UUID",
            hint="A UUID is 36 characters, lower case, such as"
            " 0f8fad5b-d9cb-469f-a165-70867728950e",
        )
    return text


def packed_uuid(uuid: str) -> bytes:
    """The UUID in 16 bytes, for keeping many."""
    return bytes.fromhex(uuid.replace("-", ""))


def unpacked_uuid(packed: bytes) -> str:
    """The UUID of `packed_uuid`, as text."""
    text = packed.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
