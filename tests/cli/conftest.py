"""The command line as its users meet it: a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from csijournal.store import Store, Write
from csijournal.store.sqlite import SQLiteStore
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import GROUPS

COMMAND = [sys.executable, "-W", "error", "-m", "csijournal"]
UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
OTHER_UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
DIRECTORY = GROUPS.directory_object("default")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - it is what it is
        """The one object that was printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class CLI:
    """Runs `csijournal` with the state folder of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.file = self.state / "csijournal" / "journal.db"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("CSIJOURNAL", "CEPH"))}
        self.environment = kept | {
            "XDG_STATE_HOME": str(self.state),
            "HOME": str(folder),
            "COLUMNS": "100",
            "CSIJOURNAL_SETTLE": "0s",
        }

    def __call__(
        self,
        *arguments: str | bytes,
        stdin: str = "",
        code: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """Run one command line, which must end with exit code `code`."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin.encode(),
            env=self.environment | dict(environment or {}),
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        result = Result(
            done.returncode,
            done.stdout.decode(errors="backslashreplace"),
            done.stderr.decode(errors="backslashreplace"),
        )
        assert result.code == code, result
        assert code == 70 or "Traceback" not in result.err, result
        return result

    def refused(
        self,
        *arguments: str | bytes,
        code: int = 2,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run what must fail without an answer; what it says about that."""
        result = self(*arguments, code=code, environment=environment)
        assert result.out == ""
        assert result.err.startswith("csijournal: error: ")
        return result.err

    def store(self) -> Store:
        """The journal's store, for a test to damage."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        return SQLiteStore(self.file)

    def put(self, object_name: str, **entries: str) -> None:
        """Put entries without asking the journal."""
        with self.store() as store:
            store.write(Write(object_name, puts={k: v.encode() for k, v in entries.items()}))

    def put_entry(self, request_name: str, value: str) -> None:
        self.put(DIRECTORY, **{GROUPS.entry_prefix + request_name: value})

    def put_group(self, group_uuid: str, request_name: str, **members: str) -> None:
        self.put(GROUPS.record_prefix + group_uuid, **{REQUEST_NAME_KEY: request_name})
        self.put(GROUPS.record_prefix + group_uuid, **members)

    def dump(self) -> dict[str, dict[str, bytes]]:
        """All that the store holds."""
        with self.store() as store:
            return {name: store.read_object(name) or {} for name in store.object_names()}


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)
