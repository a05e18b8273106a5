"""Files that are whole or not there at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from csijournal.cli.output import OutputLost
from csijournal.errors import InvalidInput, printable

STANDARD = "-"
"""The name that means standard input or output."""

_CHUNK_BYTES = 1 << 20
_LINKS_MAX = 40
"""Links to follow one after the other; the kernel gives up there too."""


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that replaces `path` when the block ends well, and not before.

    It is for its owner alone unless `mode` says more.  Raises InvalidInput where
    it cannot be written, or is a link that somebody else may have put there.
    """
    with _telling(path):
        target = _followed(path)
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise InvalidInput(f"{printable(str(path))} is not a regular file")
        beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
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
def readable(name: str) -> Iterator[IO[bytes]]:
    """A file that can be read from its start again and again; `-` is standard input.

    What cannot be read twice (a pipe) is copied to disk.  Raises InvalidInput
    where it cannot be read.
    """
    path = Path(name)
    with _telling(path, "read"), ExitStack() as stack:
        if name == STANDARD:
            source: IO[bytes] = sys.stdin.buffer
        else:
            source = stack.enter_context(path.open("rb"))
        if name != STANDARD and source.seekable():
            yield source
            return
        copy = stack.enter_context(tempfile.TemporaryFile(prefix="csijournal-"))
        while chunk := source.read(_CHUNK_BYTES):
            copy.write(chunk)
        yield copy


def _followed(path: Path) -> Path:
    """What `path` links to in the end, or itself.

    The kernel follows no link in a sticky folder (/tmp) but the user's own and
    that of the folder's owner (proc(5), protected_symlinks).  Since the file is
    renamed into its place, which follows none, that is asked here; and a link
    must not lead to a file of somebody else.
    """
    for _ in range(_LINKS_MAX):
        if not path.is_symlink():
            return path
        folder, link = path.parent.stat(), path.lstat()
        shared = folder.st_mode & stat.S_ISVTX and folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if shared and link.st_uid not in {os.geteuid(), folder.st_uid}:
            raise _somebody_elses(
                path, "is a link of another user in a folder that all may write to"
            )
        if path.exists() and path.stat().st_uid != os.geteuid():
            raise _somebody_elses(path, "is a link to a file of another user")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _somebody_elses(path: Path, what: str) -> InvalidInput:
    return InvalidInput(
        f"{printable(str(path))} {what}", hint="Nothing was written; name the file itself"
    )


@contextmanager
def _exclusive(path: Path, target: Path, mode: int) -> Iterator[IO[bytes]]:
    """Make the file at `path`, a name by chance; name it `target` when the block ends well."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, mode)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
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
    except OSError as error:
        raise InvalidInput(f"{name} cannot be {done}: {error.strerror}") from error
