"""Reading the text that `rados listomapvals` and `rados getomapval` print.

    csi.volname
    value (8 bytes) :
    00000000  70 76 63 2d 37 31 31 37                           |pvc-7117|
    00000008

A key that is not printable comes as `key (5 bytes):` and such a dump, and rows
that repeat the one before as `*` (Ceph, src/tools/rados/rados.cc and
src/common/buffer.cc).  Text of tickets is indented, quoted with `>`, has lost
its runs of spaces, or ends in the middle: what does not come to the length that
it says is told, and not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

from csijournal.transfer.listing_commands import (
    GET_VALUE,
    Command,
    GatheredEntry,
    Place,
    command_in,
    gathered_entry,
    gathered_place,
    is_other_command,
)
from csijournal.wire.text import shortened

VALUE_BYTES_MAX = 1 << 20
"""A longer value is none of a journal's, and a wrong length must not take the memory."""

_HEADER = re.compile(r"^([\s>]*)(value|key) \((\d{1,30}) bytes\) ?:\s*$")
_ABSENT = re.compile(r"error getting omap|^\W*No such key:")
_OFFSET = re.compile(r"^[0-9a-f]{8,}$")
_BYTE = re.compile(r"^[0-9a-f]{2}$")
_ROW_BYTES = 16
_QUOTING = " \t>"


@dataclass(frozen=True)
class ListedKey:
    """A key of an object, with its value; `command` is what printed it, if the text says so."""

    key: bytes
    value: bytes
    line: int
    command: Command | None


@dataclass(frozen=True)
class ListedObject:
    """A command line: what follows is of this object."""

    command: Command
    line: int


@dataclass(frozen=True)
class ListedPlace:
    """A line that says that what follows is of another pool."""

    place: Place
    line: int


@dataclass(frozen=True)
class ListedEntry:
    """An entry that is named without its value."""

    entry: GatheredEntry
    line: int


@dataclass(frozen=True)
class Unreadable:
    """Something in the text that is not what it says, in words."""

    problem: str
    line: int


@dataclass(frozen=True)
class Absent:
    """An answer that there is no such object or key."""

    line: int


Listed = Union[ListedKey, ListedObject, ListedPlace, ListedEntry, Absent, Unreadable]
"""What a text may say."""


class _Dump:
    """A hexdump under way: `length` bytes are promised."""

    def __init__(self, length: int, line: int) -> None:
        self.length = length
        self.line = line
        self.data = bytearray()
        self._repeats = False

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.length

    def take(self, line: str) -> bool:
        """Take a line of the dump; False where it is not one."""
        words = line.split()
        if not words:
            return not self.is_whole  # a blank line in between is the mail program's
        if words == ["*"] and self.data:
            self._repeats = True
            return True
        if not _OFFSET.match(words[0]):
            return False
        offset = int(words[0], 16)
        if self._repeats:
            self._repeat_to(offset)
        if offset != len(self.data):
            return False
        self.data += bytes(_bytes_of(words[1:]))
        return len(words) > 1 or self.is_whole

    def _repeat_to(self, offset: int) -> None:
        self._repeats = False
        row = bytes(self.data[-_ROW_BYTES:])
        missing = min(offset, self.length) - len(self.data)
        if missing > 0:
            self.data += (row * (missing // len(row) + 1))[:missing]


def _bytes_of(words: Iterable[str]) -> Iterator[int]:
    """The bytes of a row; the characters begin with `|`."""
    for number, word in enumerate(words):
        if number == _ROW_BYTES or not _BYTE.match(word):
            return
        yield int(word, 16)


class ListingParser:
    """Reads one text, line by line; `finish` at its end."""

    def __init__(self) -> None:
        self._line = 0
        self._before = ""
        """The last line that is none of the known ones: a key comes before its value."""
        self._command: Command | None = None
        self._dump: _Dump | None = None
        self._dumps_key = False
        self._key: bytes | None = None

    def take(self, line: str) -> Iterator[Listed]:
        """What one more line completes."""
        self._line += 1
        line = line.rstrip("\r\n")
        if self._dump is not None:
            if self._dump.take(line.lstrip(_QUOTING)):
                return
            yield from self._end_dump()
        header = _HEADER.match(line)
        if header is not None:
            yield from self._begin_dump(header)
        elif line.strip(_QUOTING):
            yield from self._take_other(line)

    def finish(self) -> Iterator[Listed]:
        """What the end of the text completes."""
        if self._dump is not None:
            yield from self._end_dump()

    def _take_other(self, line: str) -> Iterator[Listed]:
        command = command_in(line)
        place = gathered_place(line.strip(_QUOTING))
        entry = gathered_entry(line.strip(_QUOTING))
        self._before = ""
        if command is not None:
            self._command, self._key = command, None
            yield ListedObject(command, self._line)
        elif is_other_command(line):
            self._command, self._key = None, None
        elif place is not None:
            self._command = None
            yield ListedPlace(place, self._line)
        elif entry is not None:
            self._command = None
            yield ListedEntry(entry, self._line)
        elif _ABSENT.search(line):
            yield Absent(self._line)
        else:
            self._before = line

    def _begin_dump(self, header: re.Match[str]) -> Iterator[Listed]:
        length = int(header[3])
        self._dumps_key = header[2] == "key"
        if not self._dumps_key and self._key is None:
            self._key = self._named_key(header[1])
        if length > VALUE_BYTES_MAX:
            yield Unreadable(f"{length:,} bytes are more than a journal's value has", self._line)
            self._key, self._before = None, ""
            return
        self._dump = _Dump(length, self._line)

    def _named_key(self, quoting: str) -> bytes | None:
        """The key that stands before its value, or in the command line."""
        if self._command is not None and self._command.name == GET_VALUE:
            return (self._command.key or "").encode(errors="surrogateescape")
        if not self._before:
            return None
        unquoted = self._before.startswith(quoting)
        text = self._before[len(quoting) :] if unquoted else self._before.lstrip(_QUOTING)
        return text.encode(errors="surrogateescape")

    def _end_dump(self) -> Iterator[Listed]:
        dump, self._dump = self._dump, None
        assert dump is not None  # noqa: S101 - both callers looked
        whole, data = dump.is_whole, bytes(dump.data)
        if self._dumps_key:
            self._key = data if whole else None
        key, self._before = self._key, ""
        if not whole:
            yield Unreadable(f"{len(data):,} of {dump.length:,} bytes are there", dump.line)
        elif key is None:
            yield Unreadable("no key stands before this value", dump.line)
        elif not self._dumps_key:
            yield ListedKey(key, data, dump.line, self._command)
        if self._dumps_key and whole:
            return
        self._key = None
        if self._command is not None and self._command.name == GET_VALUE:
            self._command = None  # it prints one value


def in_words(key: bytes) -> str:
    """A key for a message."""
    return shortened(key.decode(errors="surrogateescape"))
