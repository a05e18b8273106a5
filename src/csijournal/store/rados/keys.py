"""Omap keys as the Python binding of librados hands them out, and what can be known beside it.

A key is bytes.  The binding makes text of it: it raises at a key that is not
UTF-8, and hands out a key that holds U+0000 as what stands before that.  Only
C++ clients write the latter; the C, Go and Python bindings cannot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from shlex import quote
from typing import NamedTuple

from csijournal.store.contract import Unreadable
from csijournal.store.rados.binding import OmapAnswer

NOT_TEXT = "is not UTF-8 text"
CUT = "goes on behind a U+0000, where the Python binding of librados cuts it off"

_SURROGATES = range(0xD800, 0xE000)
_CODE_POINTS = 0x110000


class Page(NamedTuple):
    """One answer.

    `doubled` are the keys that came more than once, with any of their values in
    `entries`; `not_text` those that are not UTF-8.  `last` is the last of all
    keys, text or not; None for an answer without any.
    """

    entries: dict[str, bytes]
    doubled: list[str]
    not_text: list[bytes]
    last: bytes | None

    @property
    def is_plain(self) -> bool:
        """Whether it shows no sign of anything unreadable."""
        return not (self.not_text or self.doubled)


def page_of(answer: OmapAnswer) -> Page:
    """What an operation answered, read to its end."""
    pairs, not_text = _taken(iter(answer))
    entries = {key: value or b"" for key, value in pairs}
    doubled = []
    if len(entries) < len(pairs):
        doubled = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    if "" in entries and "" not in doubled:
        doubled.append("")  # a listing starts behind the empty key: this is the rest of another
    lasts = [key.encode() for key, _ in pairs[-1:]] + not_text[-1:]
    return Page(entries, doubled, not_text, max(lasts, default=None))


def _taken(
    answer: Iterator[tuple[str, bytes | None]],
) -> tuple[list[tuple[str, bytes | None]], list[bytes]]:
    """All that the binding can hand out, and the keys at which it raises.

    Its iterator has moved on when it raises, and a list keeps what it was
    extended by before that.
    """
    pairs: list[tuple[str, bytes | None]] = []
    not_text: list[bytes] = []
    while True:
        try:
            pairs.extend(answer)
        except UnicodeDecodeError as error:
            not_text.append(bytes(error.object))
        else:
            return pairs, not_text


def following(key: bytes) -> str | None:
    """The least text that stands behind `key` and all keys that look like it; None for none.

    A key that is text looks like those that have it before a U+0000.
    """
    try:
        return key.decode() + "\x01"
    except UnicodeDecodeError as error:
        text, rest = key[: error.start].decode(), key[error.start :]
    character = _least_above(rest)
    while character is None and text:
        text, rest = text[:-1], text[-1].encode()
        character = _least_above(rest)
    return None if character is None else text + character


def _least_above(rest: bytes) -> str | None:
    """The least character whose bytes sort behind `rest`; None where none does."""
    low, high = 0, _CODE_POINTS
    while low < high:
        middle = (low + high) // 2
        if _encoded(middle) > rest:
            high = middle
        else:
            low = middle + 1
    if low == _CODE_POINTS:
        return None
    return chr(_SURROGATES.stop if low in _SURROGATES else low)


def _encoded(code_point: int) -> bytes:
    return chr(code_point).encode(errors="surrogatepass")


def not_text(object_name: str, key: bytes) -> Unreadable:
    """A key that is not UTF-8."""
    return Unreadable(object_name, key, NOT_TEXT)


def cut(object_name: str, key: str) -> Unreadable:
    """A key of which only what stands before its U+0000 is known."""
    return Unreadable(object_name, key.encode(), CUT)


def advice(unreadable: Unreadable, pool: str, namespace: str) -> str:
    """How to see and remove the key with `rados`, which has its bytes."""
    where = f"-p {quote(pool)}" + (f" -N {quote(namespace)}" if namespace else "")
    name = quote(unreadable.object_name)
    if unreadable.problem == NOT_TEXT:
        return f"To remove it: rados {where} rmomapkey {name} {_in_bash(unreadable.key)}"
    return (
        f"`rados {where} listomapkeys {name} | cat -v` shows it, with ^@ for U+0000."
        f" To remove it, put its bytes into FILE: rados {where} rmomapkey {name}"
        " --omap-key-file FILE"
    )


def _in_bash(key: bytes) -> str:
    """The key as a word of bash, zsh and ksh."""
    return "$'" + "".join(_in_quotes(byte) for byte in key) + "'"


def _in_quotes(byte: int) -> str:
    character = chr(byte)
    # Three octal digits end by themselves; \xff would take in a digit behind it.
    plain = character.isascii() and (character.isalnum() or character in "._-")
    return character if plain else f"\\{byte:03o}"
