"""Reading back the findings that verify printed as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from csijournal.check.findings import Finding
from csijournal.cli.files import STANDARD
from csijournal.errors import InvalidInput, printable

_LINE_BYTES_MAX = 1 << 20
"""The longest line that is read at once; a finding of verify's has a few thousand bytes."""


def saved_findings(
    name: str, place: str, check: Callable[[Finding], None]
) -> Iterator[Finding | None]:
    """The findings of a file that `verify -o json` wrote; None for one of another place.

    `-` is standard input.  Raises InvalidInput at the first line that is not a
    finding, or that `check` refuses.
    """
    source = "standard input" if name == STANDARD else printable(name)
    with _opened(name, source) as file:
        for number, line in enumerate(_lines(file, source), 1):
            text = line.decode(errors="surrogateescape")
            try:
                finding, found_at = _parse(text)
                if finding is not None:
                    check(finding)
            except InvalidInput as error:
                error.message = f"{source}, line {number}: {error.message}"
                raise
            if finding is not None:
                yield finding if found_at in {"", place} else None


def _parse(line: str) -> tuple[Finding | None, str]:
    """A finding and the location that it was found in; None for what repair passes over.

    That is the summary.  A finding that names no journal is of version 0.1, and a
    group's.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict) and "summary" in fields:
        return None, ""
    finding = Finding.from_json(line)
    return finding, str(fields.get("place", "") if isinstance(fields, dict) else "")


def _lines(file: IO[bytes], source: str) -> Iterator[bytes]:
    """The lines of a file, none of them longer than a finding can be."""
    while line := file.readline(_LINE_BYTES_MAX):
        if len(line) == _LINE_BYTES_MAX:
            raise InvalidInput(
                f"{source} has a line that is too long for a finding",
                hint="Give the output of `csijournal verify -o json`",
            )
        yield line


@contextmanager
def _opened(name: str, source: str) -> Iterator[IO[bytes]]:
    try:
        if name == STANDARD:
            yield sys.stdin.buffer
            return
        with Path(name).open("rb") as file:
            yield file
    except OSError as error:
        raise InvalidInput(f"{source} cannot be read: {error.strerror}") from error
