"""Exit codes, as the help and the documents list them."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.errors import CSIJournalError

OK = 0
FINDINGS = 1
USAGE = 2
NOTHING_CHECKED = 7
INCOMPLETE = 8
BUG = 70
OUTPUT_LOST = 74
HUNG_UP = 129
INTERRUPTED = 130
READER_GONE = 141
TERMINATED = 143

_OWN = {
    OK: "done",
    FINDINGS: "verify found errors, or repair left some",
    NOTHING_CHECKED: "verify found no journal of the instance there: nothing was checked",
    INCOMPLETE: "verify could not look at all that --require names",
    BUG: "a bug in csijournal: please report it",
    OUTPUT_LOST: "the output or a backup could not be written; standard error says what was done",
    HUNG_UP: "the terminal was closed (SIGHUP); else as 130",
    INTERRUPTED: "interrupted; standard error says what was done",
    READER_GONE: "the reader of the output went away (| head); standard error says what was done",
    TERMINATED: "told to end (SIGTERM); else as 130",
}


def exit_code_rows() -> list[tuple[str, str]]:
    """Each exit code and what it means, in order."""
    meanings = _OWN | {
        kind.exit_code: _first_sentence(kind)
        for kind in _descendants(CSIJournalError)
        if "exit_code" in vars(kind)
    }
    meanings[USAGE] = f"wrong usage, or {meanings[USAGE]}"
    return [(str(code), meanings[code]) for code in sorted(meanings)]


def _descendants(kind: type[CSIJournalError]) -> Iterator[type[CSIJournalError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _first_sentence(kind: type[CSIJournalError]) -> str:
    """The class and its docstring's first line, in lower case: `NotFound: what was …`."""
    text = (kind.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return f"{kind.__name__}: {text[:1].lower()}{text[1:]}"
