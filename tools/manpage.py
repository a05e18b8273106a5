"""The manual page csijournal(1), from the help of the commands.

    python3 tools/manpage.py > csijournal.1

click-man would write a page for each command, without examples and exit codes,
and knows neither commands that are imported late nor text that roff takes for
a request.  So a formatter of click's writes roff here, and the help is the source.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click

from csijournal import __version__
from csijournal.cli.options import PROGRAM
from csijournal.cli.program import COMMANDS, program

_AS_IT_IS = "\b"
"""A paragraph that starts with it click leaves as it is."""


class RoffFormatter(click.HelpFormatter):
    """Writes help as a part of a manual page, below headings of `level` (SH or SS)."""

    def __init__(self, level: str) -> None:
        super().__init__(width=10_000)  # roff breaks the lines
        self.level = level

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        del prefix
        self.write_heading("Synopsis")
        self._line(f"\\fB{escaped(prog)}\\fR {escaped(args)}")
        if self.level == "SH":
            self.write_heading("Description")

    def write_heading(self, heading: str) -> None:
        self._line(f".{self.level} {escaped(heading.upper() if self.level == 'SH' else heading)}")

    def write_paragraph(self) -> None:
        """Nothing: each paragraph starts with a request of its own."""

    def write_text(self, text: str) -> None:
        for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
            first, _, rest = paragraph.partition("\n")
            if first.strip() == _AS_IT_IS:
                self._as_it_is(rest)
            else:
                self._line(".PP")
                self._line(escaped(" ".join(paragraph.split())))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        del col_max, col_spacing
        for term, text in rows:
            self._line(".TP")
            self._line(f"\\fB{escaped(term)}\\fR")
            self._line(escaped(" ".join(text.split())))

    def write(self, string: str) -> None:
        """A line that is to be copied: all else goes through the methods above."""
        self._as_it_is(string.strip("\n"))

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        self.write_heading(name)
        yield

    def _as_it_is(self, text: str) -> None:
        self._line(".PP\n.EX")
        for line in text.splitlines():
            self._line(escaped(line))
        self._line(".EE")

    def _line(self, line: str) -> None:
        self.buffer.append(f"{line}\n")


def escaped(text: str) -> str:
    """`text` for roff: a hyphen that can be copied, and no line that is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def page() -> str:
    """The whole page."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    context = click.Context(program, info_name=PROGRAM)
    purpose, _, _rest = (program.help or "").partition("\n")
    parts = [
        f'.TH {PROGRAM.upper()} 1 "{date}" "{PROGRAM} {__version__}" "User Commands"\n',
        f".SH NAME\n{PROGRAM} \\- {escaped(purpose.rstrip('.'))}\n",
        _help(program, context, "SH"),
    ]
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None, name  # noqa: S101 - for the type checker
        parts.append(f".SH {PROGRAM.upper()} {escaped(name.upper())}\n")
        parts.append(_help(command, click.Context(command, context, name), "SS"))
    return "".join(parts)


def _help(command: click.Command, context: click.Context, level: str) -> str:
    formatter = RoffFormatter(level)
    command.format_help(context, formatter)
    return formatter.getvalue()


if __name__ == "__main__":
    sys.stdout.write(page())
