"""The manual page holds what the help says, and roff finds nothing wrong with it."""

from __future__ import annotations

import re

import click
import pytest

from csijournal.cli.exit_codes import exit_code_rows
from csijournal.cli.program import COMMANDS, program
from deploy.conftest import run
from manpage import RoffFormatter, page


@pytest.fixture(scope="module")
def text() -> str:
    return page()


def read(text: str) -> str:
    """The page as roff would show it, in one line: requests and escapes are gone."""
    shown = re.sub(r"^\.\w*(?: |$)", "", text, flags=re.MULTILINE)
    shown = re.sub(r"\\f[BR]|\\&", "", shown).replace("\\-", "-").replace("\\e", "\\")
    return " ".join(shown.split())


def test_every_command_has_its_options_and_examples(text: str) -> None:
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        heading = name.upper().replace("-", "\\-")
        part = read(text.partition(f".SH CSIJOURNAL {heading}\n")[2].partition("\n.SH ")[0])
        assert f"csijournal {name}" in part
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in common():
                assert option.opts[-1] in part, (name, option.opts)
        for example in getattr(command, "examples", ()):
            assert " ".join(example.split()) in part


def common() -> set[str | None]:
    return {parameter.name for parameter in program.params}


def test_the_common_options_and_the_exit_codes_stand_once(text: str) -> None:
    shown = read(text)
    for code, meaning in exit_code_rows():
        assert f"{code} {' '.join(meaning.split())}" in shown
    assert shown.count("Namespace in the pool.") == 1


def test_headings_come_in_the_order_that_readers_of_manuals_expect(text: str) -> None:
    headings = re.findall(r"^\.SH (.*)$", text, re.MULTILINE)
    assert headings[:4] == ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS"]
    assert "EXIT CODES" in headings


def test_roff_warns_of_nothing(text: str) -> None:
    assert run("groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z", stdin=text) == ""


def test_text_that_looks_like_a_request_is_shown_as_text() -> None:
    formatter = RoffFormatter("SH")
    formatter.write_text(".so /etc/passwd\n\n'tis a \\fBname\\fR")
    formatter.write_dl([(".TH", "'")])
    lines = formatter.getvalue().splitlines()
    assert lines == [
        *(".PP", "\\&.so /etc/passwd", ".PP", "\\&'tis a \\efBname\\efR"),
        *(".TP", "\\fB\\&.TH\\fR", "\\&'"),
    ]


def test_the_page_is_the_same_for_the_same_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = page()
    assert first == page()
    assert ' "2023-11-14" ' in first.splitlines()[0]
