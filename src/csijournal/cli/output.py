"""Answers on standard output, errors and notes on standard error.

Every line that csijournal prints goes through `print_line` or the notes below:
here, and nowhere else, text is made fit for the stream and harmless for the
terminal behind it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

import click

from csijournal.cli.options import PROGRAM, Settings
from csijournal.errors import CSIJournalError, printable
from csijournal.journal.model import Reservation

_WIDTH = 96

NOTHING = "-"
"""What a table shows for a value that is not there."""

RED = "\x1b[1;31m"
YELLOW = "\x1b[33m"
GREEN = "\x1b[32m"
_PLAIN = "\x1b[0m"


class OutputLost(Exception):
    """Standard output cannot be written: a full disk, say.

    `how_far` says what was done of what was asked, where that is not all.
    """

    def __init__(
        self,
        error: OSError,
        *,
        how_far: str = "",
        hint: str = "Changes that were asked for have been made",
    ) -> None:
        told = f"; {how_far}" if how_far else ""
        super().__init__(f"the output cannot be written: {error.strerror}{told}")
        self.cause = error
        self.how_far = how_far
        self.hint = hint


# Answers


def print_line(text: str) -> None:
    """Write one line, with characters that the terminal's encoding lacks escaped."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(_encodable(text, sys.stdout) + "\n")
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error) from error


def flush_output() -> None:
    """Hand all that was printed to the system.  Raises BrokenPipeError or OutputLost."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error) from error


def print_json(value: Mapping[str, object]) -> None:
    """Write one object as one line of JSON."""
    print_line(_json(value, sys.stdout))


def print_reservation(
    settings: Settings, reservation: Reservation, *, created: bool | None = None
) -> None:
    """Write a reservation with its members; `created` says whether this command made it."""
    if settings.json:
        extra = {} if created is None else {"created": created}
        print_json(reservation_as_json(reservation) | extra)
        return
    rows = {
        "request name": reservation.request_name,
        "group UUID": reservation.group_uuid,
        "group name": reservation.group_name,
        "creation time": str(reservation.creation_time or NOTHING),
        "members": str(len(reservation.volume_map)),
    }
    if created is not None:
        rows["created"] = "yes" if created else "no, it was there"
    print_columns(rows.items())
    if reservation.volume_map:
        print_line("")
        print_columns([("MEMBER", "VALUE"), *sorted(reservation.volume_map.items())])


def print_columns(rows: Iterable[tuple[str, str]]) -> None:
    """Write two columns, the first as wide as it must be."""
    print_lines(columns(rows))


def print_lines(lines: Iterable[str]) -> None:
    """Write lines."""
    for line in lines:
        print_line(line)


def columns(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Two columns as lines, the first as wide as it must be."""
    lines = [(printable(left), printable(right)) for left, right in rows]
    width = max(len(left) for left, _right in lines)
    for left, right in lines:
        yield f"{left:{width}}  {right}".rstrip()


def wrapped(text: str, *, first: str = "") -> list[str]:
    """Prose as lines of the terminal's width, below one another behind `first`."""
    return textwrap.wrap(
        printable(text),
        max(40, terminal_width()),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def terminal_width() -> int:
    """How many columns prose may take: the terminal's, and 96 where the output is none."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def reservation_as_json(reservation: Reservation) -> dict[str, object]:
    """A reservation under the names that its fields have in the library."""
    created = reservation.creation_time
    return {
        "request_name": reservation.request_name,
        "group_uuid": reservation.group_uuid,
        "group_name": reservation.group_name,
        "creation_time": None if created is None else str(created),
        "volume_map": dict(sorted(reservation.volume_map.items())),
    }


# Errors and notes


def note(settings: Settings, text: str) -> None:
    """Say something beside the answer; with JSON, nothing."""
    if not settings.json:
        _print_error_line(f"{PROGRAM}: {printable(text)}")


def report(settings: Settings, error: Exception, exit_code: int, *, hint: str) -> int:
    """Say what went wrong, in the form of the answers; `exit_code` again."""
    if settings.json:
        _print_error_line(_json(_error_as_json(error, exit_code, hint), sys.stderr))
    else:
        report_text(_message(error), hint)
    return exit_code


def report_text(message: str, hint: str = "") -> None:
    """Say what went wrong, to people."""
    label = coloured("error:", RED, sys.stderr)
    _print_error_line(f"{PROGRAM}: {label} {printable(message)}")
    if hint:
        _print_error_line(f"hint: {printable(hint)}")


def report_trace(text: str) -> None:
    """Print the lines of a traceback."""
    for line in text.splitlines():
        _print_error_line(printable(line))


def _message(error: Exception) -> str:
    """Operation, cause and location of an error, without its hint."""
    if isinstance(error, CSIJournalError):
        return f"{error.message} ({error.place})" if error.place else error.message
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OutputLost):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _error_as_json(error: Exception, exit_code: int, hint: str) -> dict[str, object]:
    known = error if isinstance(error, CSIJournalError) else CSIJournalError(_message(error))
    return {
        "error": type(error).__name__,
        "message": known.message,
        "operation": known.operation,
        "object": known.object_name,
        "key": known.key,
        "hint": hint,
        "exit_code": exit_code,
    }


def _print_error_line(text: str) -> None:
    """Write to standard error; where nobody listens, the exit code must do."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(_encodable(text, sys.stderr) + "\n")
        except OSError:
            return


def coloured(text: str, colour: str, stream: TextIO | None) -> str:
    """`text` in a colour where `stream` shows one.  The text must say all by itself."""
    return f"{colour}{text}{_PLAIN}" if _shows_colour(stream) else text


def _shows_colour(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal whose user has not refused colour."""
    return (
        stream is not None
        and stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


# Text that every stream can take


def _json(value: Mapping[str, object], stream: TextIO | None) -> str:
    r"""`value` as JSON in one line, which no terminal can be harmed by.

    `\uXXXX` is the same value to whoever reads JSON.  So all that is not
    printable is written so: bytes that are not UTF-8, the controls U+007F to
    U+009F, marks that turn the direction of text or have no width, and line ends
    other than U+000A.
    """
    text = json.dumps(value, ensure_ascii=not _is_utf8(stream))
    return text if text.isprintable() else "".join(map(_json_character, text))


def _json_character(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)


def _is_utf8(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
