"""docs/wire-format.md says what Ceph-CSI wrote on a real cluster, in all three journals."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from csijournal.wire.entries import MappedHandle, RecordHere, RecordInPool, UnreadableTarget
from csijournal.wire.ownership import KeyRole, ObjectRole, Owned, owner_of
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from support.places import Omaps

GOLDEN = Path(__file__).parent / "golden"
TEXT = (Path(__file__).parents[1] / "docs" / "wire-format.md").read_text("utf-8")
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PLACEHOLDERS = {"<instance id>": ".+", "<request name>": "(?s:.*)", "<UUID>": UUID}
PLACEHOLDERS |= {"<16 hex>": "[0-9a-f]{16}"}


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the tables of a section, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def pattern(cell: str) -> re.Pattern[str]:
    """What a name in backticks stands for."""
    text = re.escape(re.findall("`([^`]*)`", cell)[0])
    for placeholder, meaning in PLACEHOLDERS.items():
        text = text.replace(re.escape(placeholder), meaning)
    return re.compile(text)


def _recorded() -> Iterator[Omaps]:
    for state in json.loads((GOLDEN / "states.json").read_text("utf-8")):
        yield from (state["before"], state["after"])
    for line in (GOLDEN / "sequences.jsonl").read_text("utf-8").splitlines():
        yield from (step["omaps_after"] for step in json.loads(line)["steps"])
    for kind in ("volume", "snapshot"):
        for line in (GOLDEN / f"{kind}-sequences.jsonl").read_text("utf-8").splitlines():
            for step in json.loads(line)["steps"]:
                yield from step["omaps_after"].values()
    for run in json.loads((GOLDEN / "volume-states.json").read_text("utf-8"))["cases"]:
        for omaps in (run["before"], *(step["after"] for step in run["steps"])):
            yield from omaps.values()


def recorded(role: ObjectRole) -> Iterator[tuple[Owned, str, dict[str, str]]]:
    for omaps in _recorded():
        for name, keys in omaps.items():
            owned = owner_of(name)
            if owned is not None and owned.role is role:
                yield owned, name, keys


def test_each_object_and_each_key_of_a_directory_is_called_as_the_document_says() -> None:
    told = {row[0]: [pattern(cell) for cell in row[1:]] for row in rows("Objects")}
    assert set(told) == {"volumes", "snapshots", "groups"}
    for owned, name, keys in recorded(ObjectRole.DIRECTORY):
        directory, entry, _ = told[owned.schema.journal]
        assert directory.fullmatch(name)
        assert all(entry.fullmatch(key) for key in keys), (name, list(keys))
    for owned, name, _ in recorded(ObjectRole.RECORD):
        assert told[owned.schema.journal][2].fullmatch(name)


def test_each_value_of_a_directory_is_of_a_kind_that_the_document_has() -> None:
    here, in_pool, mapped, anything_else = rows("Values in the directory")
    assert "another handle" in mapped[0]
    assert "anything else" in anything_else[0]
    seen: Counter[tuple[str, str]] = Counter()
    for owned, _, keys in recorded(ObjectRole.DIRECTORY):
        for key, value in keys.items():
            target = owned.schema.parse_target(owned.entry_of(key) or "", value.encode())
            seen[owned.schema.journal, type(target).__name__] += 1
            assert bool(pattern(here[0]).fullmatch(value)) == isinstance(target, RecordHere)
            if isinstance(target, RecordInPool):
                assert pattern(in_pool[0]).match(value)
    kinds = [RecordHere, RecordInPool, MappedHandle, UnreadableTarget]
    for schema in (VOLUMES, SNAPSHOTS):
        assert all(seen[schema.journal, kind.__name__] for kind in kinds)
    assert {kind for journal, kind in seen if journal == "groups"} == {
        "RecordHere",
        "UnreadableTarget",
    }


def documented_keys() -> dict[str, set[str]]:
    """The keys of records by journal; the empty one too."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    keys["groups"] |= {re.findall("`(.*)`", row[0])[0] for row in rows("Records of groups")[:3]}
    for names, journals, meaning in rows("Records of volumes and of snapshots"):
        found = set(re.findall("`(csi[^`…]*)`", names)) or {""}
        for journal in ("volumes", "snapshots"):
            if journals in {"both", journal}:
                keys[journal] |= found
        if "csi.groupid" in found:
            keys["volumes"] |= set(re.findall("`(csi[^`]*)` for volumes", meaning))
            keys["snapshots"] |= set(re.findall("`(csi[^`]*)` for snapshots", meaning))
    return keys


def test_each_key_of_a_record_is_in_the_document_and_each_in_the_document_was_written() -> None:
    written: defaultdict[str, set[str]] = defaultdict(set)
    for owned, _, keys in recorded(ObjectRole.RECORD):
        written[owned.schema.journal] |= {
            key for key in keys if owned.role_of(key) is not KeyRole.MEMBER
        }
    # Ceph-CSI reads a snapshot's group there too, and writes it under another key.
    assert "csi.groupid" not in written["snapshots"]
    written["snapshots"].add("csi.groupid")
    assert documented_keys() == written
