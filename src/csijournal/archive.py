"""Objects as a text file: JSON lines with a header, and a checksum at the end.

    {"csijournal": "export", "format": 1, "created": "…", "place": "…"}
    {"object": "csi.groups.default", "keys": {"csi.volume.group.x": "8857a21c-…"}}
    {"object": "csi.volume.group.8857a21c-…", "keys": {"csi.volname": "x", …}, "whole": true}
    {"lines": 3, "sha256": "…"}

A record with `whole` is all of an object; one without says something of some
keys only, and null means that the key was absent.  A record whose `keys` is
null says that there was no such object.  A value that is not UTF-8 is written
as {"base64": "…"}.  The checksum covers every byte before its own line.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from csijournal.errors import InvalidArchive, InvalidInput
from csijournal.store.contract import check_name
from csijournal.wire.timestamps import Timestamp

FORMAT = 1

_END = b'{"lines": '
_MISREAD = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What comes of reading a line that is something else."""


@dataclass(frozen=True, slots=True)
class Record:
    """What an archive says of one object; see the module for what None means."""

    object_name: str
    keys: Mapping[str, bytes | None] | None
    whole: bool = False

    def to_line(self) -> str:
        """The record as a line of the file."""
        keys = None if self.keys is None else {k: _encoded(v) for k, v in self.keys.items()}
        fields: dict[str, Any] = {"object": self.object_name, "keys": keys}
        if self.whole:
            fields["whole"] = True
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> Record:
        """Read a line of the file.  Raises InvalidInput, or what else comes of another text."""
        fields = json.loads(line)
        name, keys = fields["object"], fields["keys"]
        if not isinstance(name, str):
            raise TypeError(name)
        check_name(name)
        if keys is not None:
            keys = {check_name(key): _decoded(value) for key, value in keys.items()}
        return cls(name, keys, fields.get("whole", False) is True)


class ArchiveWriter:
    """Writes an archive to a binary stream; leaving the block well completes it.

    `kind` is what it is for (export, backup) and `place` where it comes from.
    """

    def __init__(self, stream: IO[bytes], *, kind: str, place: str) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._lines = 0
        header = {
            "csijournal": kind,
            "format": FORMAT,
            "created": str(Timestamp.now()),
            "place": place,
        }
        self._write_line(json.dumps(header, ensure_ascii=False))

    def write(self, record: Record) -> None:
        """Add a record."""
        self._write_line(record.to_line())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._stream.write(_end_line(self._lines, self._hash.hexdigest()))
            self._stream.flush()

    def _write_line(self, line: str) -> None:
        data = line.encode() + b"\n"
        self._hash.update(data)
        self._lines += 1
        self._stream.write(data)


def check_archive(path: Path) -> str:
    """Read all of an archive; what it is for.

    Raises InvalidArchive where a line is missing, altered or not understood.
    """
    digest = hashlib.sha256()
    kind, lines, ended = "", 0, False
    with path.open("rb") as file:
        for line in file:
            if ended:
                raise _broken(path, f"line {lines + 2} comes after its end")
            if line.startswith(_END) and lines:
                if line != _end_line(lines, digest.hexdigest()):
                    raise _broken(path, "its contents do not match its checksum")
                ended = True
                continue
            kind = kind or _check_header(path, line)
            if lines:
                _check_record(path, lines + 1, line)
            digest.update(line)
            lines += 1
    if not ended:
        raise _broken(path, f"it stops after line {lines} without its checksum")
    return kind


def read_archive(path: Path) -> Iterator[Record]:
    """The records of an archive that `check_archive` has passed."""
    with path.open("rb") as file:
        next(file)
        for line in file:
            if line.startswith(_END):
                return
            yield Record.from_line(line.decode())


def _check_header(path: Path, line: bytes) -> str:
    try:
        header = json.loads(line.decode())
        kind, form = header["csijournal"], header["format"]
        if not (isinstance(kind, str) and kind):
            raise TypeError(kind)
    except _MISREAD as error:
        raise _broken(path, "its first line is not the header of one") from error
    if form != FORMAT:
        raise InvalidArchive(
            f"{path} has format {form!r}; this csijournal knows {FORMAT}",
            hint="Use the newer csijournal that wrote it",
        )
    return kind


def _check_record(path: Path, number: int, line: bytes) -> None:
    try:
        Record.from_line(line.decode())
    except (*_MISREAD, InvalidInput) as error:
        raise _broken(path, f"line {number} is not a record") from error


def _end_line(lines: int, digest: str) -> bytes:
    return json.dumps({"lines": lines, "sha256": digest}).encode() + b"\n"


def _broken(path: Path, why: str) -> InvalidArchive:
    return InvalidArchive(
        f"{path} is no complete archive: {why}",
        hint="It was cut short or altered; nothing was written. Use another copy",
    )


def _encoded(value: bytes | None) -> str | dict[str, str] | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _decoded(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"}:
        return base64.b64decode(value["base64"], validate=True)
    raise TypeError(value)
