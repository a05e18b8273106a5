"""Files that are whole or not there at all."""

from __future__ import annotations

import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from csijournal.cli.output import OutputLost
from csijournal.errors import InvalidInput, printable

STANDARD = "-"
"""The name that means standard input or output."""

_CHUNK_BYTES = 1 << 20


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that was not there, for its owner alone; on disk when the block ends well.

    Where the block fails nothing is left of it.  Raises InvalidInput where the
    file exists or cannot be written.
    """
    with _telling(path):
        with _exclusive(path, path, 0o600) as file:
            yield file
        _sync_folder(path)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and not before.

    Raises InvalidInput where it cannot be written.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    with _telling(path):
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise InvalidInput(f"{printable(str(path))} is not a regular file")
        with _exclusive(beside, target, mode) as file:
            yield file
        _sync_folder(target)


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Standard output for bytes.  Raises OutputLost where it cannot be written."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error) from error


@contextmanager
def readable(name: str) -> Iterator[Path]:
    """The path of a file that can be read in passes; `-` is standard input, copied to disk.

    Raises InvalidInput where it cannot be read.
    """
    path = Path(name)
    with _telling(path, "read"):
        if name != STANDARD:
            with path.open("rb"):
                pass
            yield path
            return
        with tempfile.NamedTemporaryFile(prefix="csijournal-") as file:
            while chunk := sys.stdin.buffer.read(_CHUNK_BYTES):
                file.write(chunk)
            file.flush()
            yield Path(file.name)


@contextmanager
def _exclusive(path: Path, target: Path, mode: int) -> Iterator[IO[bytes]]:
    """Make the file at `path`; name it `target` when the block ends well."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path != target:
            path.replace(target)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling(path: Path, done: str = "written") -> Iterator[None]:
    name = "standard input" if str(path) == STANDARD else printable(str(path))
    try:
        yield
    except BrokenPipeError:
        raise
    except FileExistsError as error:
        raise InvalidInput(
            f"{name} exists", hint="Nothing was changed; name a file that does not exist"
        ) from error
    except OSError as error:
        raise InvalidInput(f"{name} cannot be {done}: {error.strerror}") from error
