"""JSON files that a user gives: read, and refused with words that name the file and the part."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypeVar

from csijournal.errors import InvalidInputFile, printable

_Kind = TypeVar("_Kind")
_KIND_NAMES: dict[type, str] = {list: "a list", dict: "an object", str: "a text"}


def read_text(path: str | os.PathLike[str], hint: str) -> str:
    """The file's text.  Raises InvalidInputFile with `hint`."""
    name = os.fspath(path)
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputFile(
            f"{printable(name)} cannot be read: {error.strerror}", hint=hint
        ) from error
    return as_text(raw, name, hint)


def as_text(raw: bytes, name: str, hint: str) -> str:
    """The bytes of a file as text.  Raises InvalidInputFile with `hint`.

    UTF-8, with a byte order mark or without, or UTF-16: PowerShell's `>` writes that.
    """
    try:
        return raw.decode(json.detect_encoding(raw))
    except UnicodeDecodeError as error:
        raise InvalidInputFile(
            f"{printable(name)} is not text in UTF-8: byte {error.start + 1} cannot be read",
            hint=hint,
        ) from error


def expect(kind: type[_Kind], value: object, name: str, where: str, hint: str = "") -> _Kind:
    """`value`, which is of this kind.  Raises InvalidInputFile that says which part is not."""
    if not isinstance(value, kind):
        raise InvalidInputFile(f"{printable(name)}: {where} is not {_KIND_NAMES[kind]}", hint=hint)
    return value
