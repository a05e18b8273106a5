"""Reading the small files that say how to reach a cluster."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from csijournal.errors import PermissionDenied, PlaceNotFound, PlaceUnusable

# Where something is quoted or escaped before, the sign may be part of a value.
_COMMENT = re.compile(rb"^([^#;\"'\\\\]*)[#;].*")

SMALL_BYTES_MAX = 4 << 20
"""No keyring or configuration comes near this; a device or a wrong file passes it."""


def read_small(path: str | os.PathLike[str], what: str) -> bytes:
    """What the file holds; `what` it is stands in the errors.

    A pipe may be read, as a shell's <(command) is one.  Raises PlaceNotFound,
    PermissionDenied, and PlaceUnusable for a folder, a device without end and
    the like.
    """
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(SMALL_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise PlaceNotFound(f"there is no {what} {name}", hint="Check the path") from error
    except PermissionError as error:
        raise PermissionDenied(f"the {what} {name} is not readable for this user") from error
    except OSError as error:
        raise PlaceUnusable(f"the {what} {name} cannot be read: {error.strerror}") from error
    if len(content) > SMALL_BYTES_MAX:
        raise _too_large(name, what)
    return content


def require_small(path: str, what: str) -> None:
    """Raise what `read_small` would of a file that librados reads by itself, to its end."""
    try:
        found = Path(path).stat()
    except FileNotFoundError as error:
        raise PlaceNotFound(f"there is no {what} {path}", hint="Check the path") from error
    except PermissionError as error:
        raise PermissionDenied(f"the {what} {path} is not readable for this user") from error
    except OSError as error:
        raise PlaceUnusable(f"the {what} {path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise PlaceUnusable(f"the {what} {path} is not a file", hint="Check the path")
    if found.st_size > SMALL_BYTES_MAX:
        raise _too_large(path, what)
    if not os.access(path, os.R_OK):
        raise PermissionDenied(f"the {what} {path} is not readable for this user")


def require_parsable(path: str, what: str) -> None:
    """Raise what `require_small` does, and PlaceUnusable for what makes librados abort.

    Its parser ends the whole process, by an assertion, at some characters that
    are not ASCII; the rest of them it refuses without naming the line.  In
    comments, which it takes away first, they are fine.
    """
    require_small(path, what)
    for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        if not _COMMENT.sub(rb"\1", line).isascii():
            raise PlaceUnusable(
                f"the {what} {path} holds a character that is not ASCII, in line {number}",
                hint="librados cannot read it: only comments may hold such a character",
            )


def _too_large(name: str, what: str) -> PlaceUnusable:
    return PlaceUnusable(
        f"the {what} {name} is larger than {SMALL_BYTES_MAX >> 20} MiB, as no {what} is",
        hint="Check the path",
    )
