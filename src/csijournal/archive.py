"""Objects as a text file: JSON lines with a header, and a checksum at the end.

    {"csijournal": "export", "format": 2, "created": "…", "place": "…"}
    {"object": "csi.groups.default", "journal": "groups", "keys": {"csi.volume.group.x": "88…"}}
    {"object": "csi.volume.group.88…", "journal": "groups", "keys": {…}, "whole": true}
    {"lines": 3, "sha256": "…"}

A record with `whole` is all of an object; one without says something of some
keys only, and null means that the key was absent.  A record whose `keys` is
null says that there was no such object.  A value that is not UTF-8 is written
as {"base64": "…"}.  The empty key is a key.  A checksum covers every byte before
its own line.

A backup grows while a command works.  After each batch there is a checksum, on
disk before anything of that batch is changed, so the file is good up to its
last checksum whenever its writer dies; what comes behind that was not done.
Each record of a backup has the number of its step and the names by which it can
be restored alone, and the steps of a batch that were left undone are listed
right behind the batch's checksum; the last line of a finished backup has `end`:

    {"object": "csi.groups.default", …, "step": 7, "names": ["x", "88…"]}
    {"lines": 2, "sha256": "…"}
    {"undone": [7]}
    {"lines": 4, "sha256": "…", "end": true}

A backup also holds the images that its command moved to RBD's trash, by name and
id, and where; they are restored before the journal:

    {"image": "csi-vol-88…", "id": "10a9…", "place": "rados://rbd", "step": 6, "names": […]}

Format 1 had neither `journal` nor the empty key, and one checksum; it is read.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol

from csijournal.errors import InvalidArchive, InvalidInput
from csijournal.store.contract import check_name
from csijournal.wire.ownership import owner_of
from csijournal.wire.timestamps import Timestamp

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = 2
FORMATS = (1, 2)

_IMAGE = b'{"image": '
_END = b'{"lines": '
_UNDONE = b'{"undone": '
_LINE_BYTES_MAX = 1 << 28
"""The longest line that is read at once: more than any object that RADOS takes comes to."""
_MISREAD = (ValueError, TypeError, LookupError, AttributeError, RecursionError, InvalidInput)
"""What comes of reading a line that is something else."""


@dataclass(frozen=True)
class Record:
    """What an archive says of one object; see the module for what None means.

    `step` is the number of the step that a backup's record belongs to, and
    `names` are those by which it can be restored alone.
    """

    object_name: str
    keys: Mapping[str, bytes | None] | None
    whole: bool = False
    step: int | None = None
    names: tuple[str, ...] = ()

    def to_line(self) -> str:
        """The record as a line of the file."""
        fields: dict[str, Any] = {"object": self.object_name}
        owned = owner_of(self.object_name)
        if owned is not None:
            fields["journal"] = owned.schema.journal
        fields["keys"] = (
            None if self.keys is None else {k: _encoded(self.keys[k]) for k in self.keys}
        )
        if self.whole:
            fields["whole"] = True
        if self.step is not None:
            fields["step"] = self.step
        if self.names:
            # Names of groups may be bytes that are not UTF-8; nobody could type those.
            fields["names"] = [name.encode(errors="replace").decode() for name in self.names]
        return json.dumps(fields, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> Record:
        """Read a line of the file.  Raises InvalidInput, or what else comes of another text."""
        fields = json.loads(line)
        name, keys, step = fields["object"], fields["keys"], fields.get("step")
        if not (step is None or isinstance(step, int)):
            raise TypeError(line)
        if not isinstance(fields.get("names", []), list):
            raise TypeError(line)
        owned = owner_of(check_name(name))
        if "journal" in fields and (owned is None or owned.schema.journal != fields["journal"]):
            raise ValueError(line)
        if keys is not None:
            keys = {check_name(key, name): _decoded(value) for key, value in keys.items()}
        names = tuple(map(str, fields.get("names", ())))
        return cls(name, keys, fields.get("whole", False) is True, step, names)


@dataclass(frozen=True)
class ImageInUse:
    """An RBD image that was in use, under this name and id, in the pool and namespace of `place`.

    `step` and `names` are as of a Record.
    """

    name: str
    image_id: str
    place: str
    step: int | None = None
    names: tuple[str, ...] = ()

    def to_line(self) -> str:
        """The image as a line of the file."""
        fields = {"image": self.name, "id": self.image_id, "place": self.place}
        return json.dumps(fields | {"step": self.step, "names": self.names}, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str) -> ImageInUse:
        """Read a line of the file.  Raises what comes of another text."""
        fields = json.loads(line)
        name, image_id, place = fields["image"], fields["id"], fields["place"]
        step, names = fields["step"], fields["names"]
        if not all(isinstance(text, str) and text for text in (name, image_id, place, *names)):
            raise TypeError(line)
        if not isinstance(step, int):
            raise TypeError(line)
        return cls(name, image_id, place, step, tuple(names))


class Stream(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""

    def flush(self) -> None:
        """Hand on what was taken."""


class ArchiveWriter:
    """Writes an archive to a binary stream; leaving the block well completes it.

    `kind` is what it is for (export, backup) and `place` where it comes from.
    """

    def __init__(self, stream: Stream, *, kind: str, place: str) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._kind = kind
        self._lines = 0
        self._sealed = (0, self._hash)
        header = {
            "csijournal": kind,
            "format": FORMAT,
            "created": str(Timestamp.now()),
            "place": place,
        }
        self._write_line(json.dumps(header, ensure_ascii=False).encode() + b"\n")

    def write(self, record: Record | ImageInUse) -> None:
        """Add a record, or to a backup an image."""
        self._write_line(record.to_line().encode() + b"\n")

    def seal(self) -> None:
        """End a batch: what stands here so far is good, whatever comes behind it."""
        self._write_line(self._end_line())
        self._stream.flush()
        self._sealed = (self._lines, self._hash.copy())

    def take_back(self) -> None:
        """Go on from the end of the batch before; the stream is taken back by the caller."""
        self._lines, self._hash = self._sealed[0], self._sealed[1].copy()

    def note_undone(self, steps: Collection[int]) -> None:
        """Say which steps of the batch before were not done."""
        if steps:
            self._write_line(json.dumps({"undone": sorted(steps)}).encode() + b"\n")

    def finish(self) -> None:
        """Complete the archive."""
        self._write_line(self._end_line(end=self._kind == "backup"))
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()

    def _end_line(self, *, end: bool = False) -> bytes:
        return _end_line(self._lines, self._hash.hexdigest(), end=end)

    def _write_line(self, data: bytes) -> None:
        self._stream.write(data)
        self._hash.update(data)
        self._lines += 1


class Archive:
    """An archive in one file that stays open, so that what was checked is what is read.

    `file` can be read again from its start, and `name` is for messages.
    `finished` says after `check` whether its writer came to its end.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._batches: list[int] = []
        self.finished = False

    def check(self, examine: Callable[[Record], object] = lambda _record: None) -> str:
        """Read all of it; what it is for.

        Each record is handed to `examine`, whose InvalidInput is raised with the
        line's number.  Raises InvalidArchive where a line is missing, altered or
        not understood.
        """
        self._file.seek(0)
        reading = _Reading(self._name, examine)
        while line := self._file.readline(_LINE_BYTES_MAX):
            reading.take(line)
        reading.require_end()
        self._batches, self.finished = reading.batches, reading.finished
        return reading.kind

    def records(self) -> Iterator[Record]:
        """The records of an archive that `check` has passed, in the order in which to restore.

        The latest batch of a backup comes first, as what was done last is
        undone first; what was not done is left out.
        """
        return (record for record in self._all() if isinstance(record, Record))

    def images(self) -> Iterator[ImageInUse]:
        """The images of a backup that `check` has passed, in the same order."""
        return (image for image in self._all() if isinstance(image, ImageInUse))

    def _all(self) -> Iterator[Record | ImageInUse]:
        undone: frozenset[int] = frozenset()
        for start in reversed(self._batches):
            left_out, undone = undone, frozenset()
            for line in self._lines_from(start):
                if line.startswith(_UNDONE):
                    undone = frozenset(json.loads(line)["undone"])
                elif (record := self._record(line)).step not in left_out:
                    yield record

    def _lines_from(self, start: int) -> Iterator[bytes]:
        """The lines of the batch that starts there; others may move the file in between."""
        self._file.seek(start)
        while not (line := self._file.readline(_LINE_BYTES_MAX)).startswith(_END):
            start += len(line)
            yield line
            self._file.seek(start)

    def _record(self, line: bytes) -> Record | ImageInUse:
        """A line that was a record when it was checked."""
        try:
            return _parsed(line)
        except _MISREAD as error:
            raise InvalidArchive(
                f"{self._name} was changed while it was read",
                hint="Use a copy that nobody writes to",
            ) from error


class _Reading:
    """One pass through an archive's lines: where its batches start, and what is wrong with it."""

    def __init__(self, name: str, examine: Callable[[Record], object]) -> None:
        self._name = name
        self._examine = examine
        self._hash = hashlib.sha256()
        self._lines = 0
        self._offset = 0
        self._start = 0
        self._grows = False
        self._problem: InvalidArchive | None = None
        self.kind = ""
        self.batches: list[int] = []
        self.finished = False

    def take(self, line: bytes) -> None:
        """Read the next line."""
        if self.finished:
            raise self._broken(f"line {self._lines + 1} comes after its end")
        if line.startswith(_END) and line.endswith(b"\n") and self._lines:
            self._take_end(line)
        elif self._lines == 0:
            self._take_header(line)
        elif self._problem is None:
            self._take_record(line)
        self._hash.update(line)
        self._lines += 1
        self._offset += len(line)
        if self._lines == 1 or line.startswith(_END):
            self._start = self._offset

    def require_end(self) -> None:
        """Raise InvalidArchive where it is not good up to a checksum."""
        if self.finished or (self._grows and self.batches):
            return
        raise self._problem or self._broken(
            f"it stops after line {self._lines} without its checksum"
        )

    def _take_end(self, line: bytes) -> None:
        if self._problem is not None:
            raise self._problem
        digest = self._hash.hexdigest()
        if line == _end_line(self._lines, digest, end=self._grows):
            self.finished = True
        elif not self._grows or line != _end_line(self._lines, digest):
            raise self._broken("its contents do not match its checksum")
        self.batches.append(self._start)

    def _take_header(self, line: bytes) -> None:
        try:
            header = json.loads(line.decode())
            kind, form = header["csijournal"], header["format"]
            if not (isinstance(kind, str) and kind):
                raise TypeError(kind)
        except _MISREAD as error:
            raise self._broken("its first line is not the header of one") from error
        if form not in FORMATS:
            raise InvalidArchive(
                f"{self._name} has format {form!r}; this csijournal knows"
                f" {' and '.join(map(str, FORMATS))}",
                hint="Use the newer csijournal that wrote it",
            )
        self.kind = kind
        self._grows = kind == "backup" and form != 1

    def _take_record(self, line: bytes) -> None:
        try:
            if line.startswith(_UNDONE) and self._grows:
                undone = json.loads(line)["undone"]
                if not all(isinstance(step, int) for step in undone):
                    raise TypeError(undone)
                return
            record = _parsed(line)
            if isinstance(record, ImageInUse):
                if not self._grows:
                    raise TypeError(line)
                return
        except _MISREAD as error:
            problem = self._broken(f"line {self._lines + 1} is not a record")
            problem.__cause__ = error
            if not (self._grows and self.batches):
                raise problem from error
            self._problem = problem  # of a batch that was cut short, if no checksum follows
            return
        self._require_examined(record)

    def _require_examined(self, record: Record) -> None:
        try:
            self._examine(record)
        except InvalidInput as error:
            error.message = f"{self._name}, line {self._lines + 1}: {error.message}"
            raise

    def _broken(self, why: str) -> InvalidArchive:
        return InvalidArchive(
            f"{self._name} is not a complete archive: {why}",
            hint="It was cut short or altered; nothing was written. Use another copy",
        )


def _parsed(line: bytes) -> Record | ImageInUse:
    kind = ImageInUse if line.startswith(_IMAGE) else Record
    return kind.from_line(line.decode())


def _end_line(lines: int, digest: str, *, end: bool = False) -> bytes:
    fields: dict[str, object] = {"lines": lines, "sha256": digest}
    return json.dumps(fields | ({"end": True} if end else {})).encode() + b"\n"


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
