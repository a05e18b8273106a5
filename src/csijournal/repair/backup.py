"""The backup of what is about to be changed: one file that grows by whole batches."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from csijournal.archive import ArchiveWriter, ImageInUse, Record
from csijournal.errors import BackupFailed, InvalidInput, printable

_MODE = 0o600
"""For its owner alone: what a journal holds is nobody else's business."""
_BUFFER_BYTES = 1 << 18


class BackupFile:
    """A backup that is made with its first batch, at a path where nothing may be.

    A batch is on disk when `add_batch` returns.  Where that fails, the file ends
    with the batch before, and where there is none it is removed: it is good at
    any moment, and holds nothing that was not about to be changed.
    """

    def __init__(self, path: Path, place: str) -> None:
        self.path = path.absolute()
        self._place = place
        self._file: _Appending | None = None
        self._writer: ArchiveWriter | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a batch in it."""
        return self._file is not None and self._file.good_bytes > 0

    def add_batch(
        self, records: Iterable[Record | ImageInUse], undone_before: Collection[int] = ()
    ) -> None:
        """Write the records of a batch, and bring them to the disk.

        `undone_before` are the steps of the batch before that were not done.
        Raises BackupFailed, or InvalidInput where the file cannot be made.
        """
        with self._whole_or_not():
            writer = self._writer or self._create()
            writer.note_undone(undone_before)
            for record in records:
                writer.write(record)
            writer.seal()
            self._sync()

    def close(self, undone: Collection[int] = ()) -> None:
        """Complete the file.

        Where the disk is full it stays as it is: all that it says is so, and
        restore finds that what was left undone needs nothing.
        """
        if self.begun and self._writer is not None:
            with suppress(BackupFailed), self._whole_or_not():
                self._writer.note_undone(undone)
                self._writer.finish()
                self._sync()
        if self._file is not None:
            self._file.close()

    def _create(self) -> ArchiveWriter:
        self._file = _Appending(self.path)
        self._writer = ArchiveWriter(self._file, kind="backup", place=self._place)
        return self._writer

    def _sync(self) -> None:
        if self._file is not None:
            self._file.sync()

    @contextmanager
    def _whole_or_not(self) -> Iterator[None]:
        """Take back what the block wrote where it fails, be it by an interruption."""
        try:
            yield
        except OSError as error:
            self._take_back()
            raise BackupFailed(
                f"the backup {printable(str(self.path))} cannot be written: {error.strerror}",
                hint="Make room, or name another folder with --backup",
            ) from error
        except BaseException:
            self._take_back()
            raise

    def _take_back(self) -> None:
        """Cut the file after its last batch; without any, remove it."""
        if self._file is not None and self._writer is not None:
            self._writer.take_back()
            self._file.take_back()
            if not self.begun:
                self._writer = None


class _Appending:
    """A new file whose end is what was synced last.  Raises OSError, and InvalidInput at first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray()
        self._descriptor = _create(path)
        self.good_bytes = 0

    def write(self, data: bytes) -> int:
        """Take bytes; they are in the file when `flush` returns."""
        self._buffer += data
        if len(self._buffer) >= _BUFFER_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand all bytes to the system."""
        while self._buffer:
            written = os.write(self._descriptor, self._buffer)
            del self._buffer[:written]

    def sync(self) -> None:
        """Bring all bytes to the disk, and at first the file's name."""
        self.flush()
        os.fsync(self._descriptor)
        if not self.good_bytes:
            _sync_folder(self._path.parent)
        self.good_bytes = os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def take_back(self) -> None:
        """Drop what was not synced; the file too, where nothing was."""
        self._buffer.clear()
        with suppress(OSError):
            if not self.good_bytes:
                self._path.unlink()
            os.ftruncate(self._descriptor, self.good_bytes)
            os.lseek(self._descriptor, self.good_bytes, os.SEEK_SET)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def _create(path: Path) -> int:
    """A new file for its owner alone.  Raises InvalidInput."""
    name = printable(str(path))
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError as error:
        raise InvalidInput(
            f"{name} exists", hint="Nothing was changed; name a file that does not exist"
        ) from error
    except OSError as error:
        raise InvalidInput(f"{name} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
