"""Reading the small files that say how to reach a cluster."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from csijournal.errors import PermissionDenied, PlaceNotFound, PlaceUnusable

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


def _too_large(name: str, what: str) -> PlaceUnusable:
    return PlaceUnusable(
        f"the {what} {name} is larger than {SMALL_BYTES_MAX >> 20} MiB, as no {what} is",
        hint="Check the path",
    )
