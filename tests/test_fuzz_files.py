"""Archives and findings of any content: a documented exit code, and no harm without a word.

Each file is a good one in which something is altered, and an archive's checksum
is right for it: what a person, another program or a broken copy may hand in.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.damage import DAMAGED
from csijournal.cli.exit_codes import exit_code_rows
from csijournal.cli.run import run
from csijournal.store import Store, Write
from csijournal.store.sqlite import SQLiteStore
from support.altering import altered
from support.places import LONG_AGO_NS, fill
from support.verified import Objects, contents

DOCUMENTED = {int(code) for code, _meaning in exit_code_rows()}
BUG = 70
FOREIGN: Objects = {
    "rbd_header.10ab12cd34ef": {"size": b"\x00\x01", "csi.volname": b"x"},
    "csi.volume.not-a-uuid": {"csi.volname": b"x"},
    "rt-backingsnapshot-1": {"k": b"v"},
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Good files: the lines of an export, of a backup and of findings."""
    folder = tmp_path_factory.mktemp("good")
    with placed(folder) as url:
        done(url, "export", "--all", str(folder / "export"))
        _, findings, _ = done(url, "verify", "--deep", "-o", "json")
        done(url, "repair", "--deep", "--apply", "--backup", str(folder / "backup"))
    lines = {name: (folder / name).read_text().splitlines() for name in ("export", "backup")}
    found = {name: [json.loads(line) for line in text] for name, text in lines.items()}
    return found | {"findings": [json.loads(line) for line in findings.splitlines()]}


@contextlib.contextmanager
def placed(folder: Path) -> Iterator[str]:
    """A damaged journal among objects of others; its URL."""
    file = folder / "journal.db"
    with SQLiteStore(file, clock=lambda: LONG_AGO_NS) as store:
        fill(store, DAMAGED)
        for name, puts in FOREIGN.items():
            store.write(Write(name, puts=puts))
    yield f"sqlite://{file}"


def done(url: str, *arguments: str) -> tuple[int, str, str]:
    """The exit code of a command line in this process, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["--store", url, *arguments])
    return code, out.getvalue(), err.getvalue()


def sealed(lines: list[Any]) -> bytes:
    """The lines as an archive, every checksum right."""
    data = b""
    for count, line in enumerate(lines):
        sealing = isinstance(line, dict) and "sha256" in line
        checksum = {"lines": count, "sha256": hashlib.sha256(data).hexdigest()}
        data += json.dumps(line | checksum if sealing else line).encode() + b"\n"
    return data


def require_told(before: Objects, after: Objects, code: int, out: str, err: str) -> None:
    """A documented exit code, others' objects untouched, and no change without a word."""
    assert code in DOCUMENTED - {BUG}, (code, err)
    assert "Traceback" not in err
    assert {name: after[name] for name in FOREIGN} == FOREIGN
    said = [int(number) for number in re.findall(r"(\d+) of \d+ done", out + err)]
    assert bool(said and said[-1]) or after == before, (out, err)


def in_store(folder: Path) -> Store:
    return SQLiteStore(folder / "journal.db")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_archive_is_restored_or_refused_and_told(
    templates: dict[str, list[Any]], data: st.DataObject
) -> None:
    template = templates[data.draw(st.sampled_from(["export", "backup"]), "template")]
    lines = sealed(altered(data, template))
    options = data.draw(st.sampled_from([[], ["--overwrite"], ["--overwrite", "--only", "right"]]))
    with tempfile.TemporaryDirectory() as name, placed(Path(name)) as url:
        Path(name, "file").write_bytes(lines)
        with in_store(Path(name)) as store:
            before = contents(store)
        words = ["restore", f"{name}/file", "--apply", "--backup", f"{name}/b", *options]
        code, out, err = done(url, *words)
        with in_store(Path(name)) as store:
            after = contents(store)
        require_told(before, after, code, out, err)
        assert not any("csi.lease." in key for key in _new_keys(before, after))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_findings_are_repaired_or_refused_and_told(
    templates: dict[str, list[Any]], data: st.DataObject
) -> None:
    findings = altered(data, templates["findings"])
    with tempfile.TemporaryDirectory() as name, placed(Path(name)) as url:
        for line in findings:
            if isinstance(line, dict) and isinstance(line.get("place"), str):
                line["place"] = ""
        text = "".join(json.dumps(line) + "\n" for line in findings)
        Path(name, "file").write_text(text, encoding="utf-8")
        with in_store(Path(name)) as store:
            before = contents(store)
        words = ["repair", "--findings", f"{name}/file", "--apply", "--backup", f"{name}/b"]
        code, out, err = done(url, *words)
        with in_store(Path(name)) as store:
            after = contents(store)
        require_told(before, after, code, out, err)
        if os.path.exists(f"{name}/b"):  # noqa: PTH110 - as written above
            done(url, "restore", f"{name}/b", "--overwrite", "--apply", "--backup", f"{name}/c")
            with in_store(Path(name)) as store:
                assert _without_leases(contents(store)) == _without_leases(before)


def _new_keys(before: Objects, after: Objects) -> set[str]:
    return {
        key for name, keys in after.items() for key in keys.keys() - before.get(name, {}).keys()
    }


def _without_leases(objects: Objects) -> Objects:
    return {n: {k: v for k, v in e.items() if "csi.lease." not in k} for n, e in objects.items()}


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=200), command=st.sampled_from(["restore", "repair"]))
def test_any_bytes_are_refused_and_change_nothing(data: bytes, command: str) -> None:
    with tempfile.TemporaryDirectory() as name, placed(Path(name)) as url:
        Path(name, "file").write_bytes(data)
        words = ["restore"] if command == "restore" else ["repair", "--findings"]
        with in_store(Path(name)) as store:
            before = contents(store)
        code, _out, err = done(url, *words, f"{name}/file", "--apply")
        assert code == (0 if command == "repair" and not data.strip() and not data else 2), err
        with in_store(Path(name)) as store:
            assert contents(store) == before
