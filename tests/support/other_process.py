"""Another process at the same SQLite file, which the test tells what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
for line in sys.stdin:
    try:
        for statement in line.split(";"):
            connection.execute(statement)
        print("done", flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
"""


class OtherProcess:
    """Runs SQL when told to, and waits for nobody."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def lock(self) -> None:
        assert self._run("BEGIN IMMEDIATE") == "done"

    def unlock(self) -> None:
        assert self._run("ROLLBACK") == "done"

    def require_free(self) -> None:
        """The file is locked by nobody."""
        assert self._run("BEGIN IMMEDIATE; ROLLBACK") == "done"

    def _run(self, statements: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(statements + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
