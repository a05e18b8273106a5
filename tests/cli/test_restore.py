from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from pathlib import Path

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import damage, entries, group, uuid
from cli.memory import peak_kib
from csijournal.wire.schema import GROUPS
from support.places import Omaps
from support.verified import without_leases

GROUP = GROUPS.record_object(uuid(1))


@pytest.fixture
def exported(cli: CLI) -> CLI:
    """A journal, and all of it in the file e.jsonl."""
    damage(cli)
    cli("export", "--all", "e.jsonl")
    return cli


@pytest.fixture
def new(exported: CLI) -> CLI:
    """An empty place beside it; the file is ../e.jsonl."""
    folder = exported.folder / "new"
    folder.mkdir()
    return CLI(folder)


# To where nothing is


def test_a_journal_is_restored_to_a_new_place(exported: CLI, new: CLI) -> None:
    result = new("restore", "../e.jsonl", "--apply")

    assert "9 of 9 done.\n" in result.out
    assert new.dump() == without_leases(exported.dump())
    again = new("restore", "../e.jsonl", "--apply")
    assert again.lines == ["nothing to do: all that this export holds is there."]


def test_a_dry_run_makes_nothing(new: CLI) -> None:
    said = new.refused("restore", "../e.jsonl", code=16)

    assert "restore --apply make the file" in said
    assert not new.state.exists()


def test_a_dry_run_says_what_it_would_do(exported: CLI, new: CLI) -> None:
    del exported
    new("reserve", "snap-1")
    before = new.dump()

    result = new("restore", "../e.jsonl")

    assert f"    put back the group object {uuid(1)} of 'right' with 1 member\n" in result.out
    assert "    put back 5 entries: 'corrupt' -> 'no UUID', " in result.out
    assert "8 to create or add to, 0 to overwrite.\n" in result.out
    assert "to do it  csijournal restore ../e.jsonl --apply\n" in result.out
    assert new.dump() == before


def test_standard_input_can_hold_the_archive(exported: CLI, new: CLI) -> None:
    text = (exported.folder / "e.jsonl").read_text()

    new("restore", "-", "--apply", stdin=text)

    assert new.dump() == without_leases(exported.dump())


def test_many_differences_are_shown_in_part(cli: CLI) -> None:
    many = range(1, 60)
    groups = {name: keys for n in many for name, keys in group(f"n-{n}", n).items()}
    damage(cli, entries(**{f"n-{n}": uuid(n) for n in many}) | groups)
    cli("export", "e.jsonl")
    url = "sqlite:other.db"
    cli("reserve", "snap-1", "--store", url)

    said = cli("restore", "e.jsonl", "--store", url).out

    assert said.count("put back the group object") == 20
    assert "    and 40 more\n" in said
    assert "60 to create or add to" in said


# To where something else is


def test_what_is_different_stops_it_before_anything_is_written(exported: CLI) -> None:
    exported("add", uuid(1), "more=members")
    exported("drop", "--entry", "corrupt", "--apply")
    before = exported.dump()

    for options in ([], ["--apply"]):
        result = exported("restore", "e.jsonl", *options, code=4)
        assert "1 object would be overwritten; nothing was written" in result.err
        assert f"make the group object {uuid(1)} of 'right' as it was: set 4 keys and" in result.err
        assert "Give --overwrite" in result.err
    assert exported.dump() == before


def test_overwrite_makes_a_backup_that_undoes_it(exported: CLI) -> None:
    whole = exported.dump()
    exported("add", uuid(1), "more=members")
    exported("drop", "--entry", "corrupt", "--apply")
    before = exported.dump()

    result = exported("restore", "e.jsonl", "--overwrite", "--apply", "--backup", "b.jsonl")

    backup = exported.folder / "b.jsonl"
    assert f"to undo  csijournal restore {backup} --overwrite --apply" in result.out
    assert exported.dump() == whole
    exported("restore", "b.jsonl", "--overwrite", "--apply")
    assert exported.dump() == before


def test_json_has_counts_and_the_backup(exported: CLI) -> None:
    exported("add", uuid(1), "more=members")

    dry = exported("restore", "e.jsonl", "--overwrite", "-o", "json").json["summary"]
    assert (dry["create"], dry["overwrite"], dry["done"], dry["backup"]) == (0, 1, 0, None)
    error = json.loads(exported("restore", "e.jsonl", "--apply", "-ojson", code=4).err)
    assert error["error"] == "Conflict"
    lines = exported("restore", "e.jsonl", "--overwrite", "--apply", "-ojson").lines
    summary = json.loads(lines[-1])["summary"]
    assert summary["done"] == 1
    assert summary["backup"] == json.loads(lines[0])["backup"]


LATE = """
import sys
from csijournal.cli.run import run
from csijournal.repair import apply
from csijournal.store import Write
carry_out = apply.carry_out
def late(store, plan):
    if plan.subject == "%s":
        store.write(Write(plan.subject, puts={"late": b"change"}))
    return carry_out(store, plan)
apply.carry_out = late
sys.exit(run(sys.argv[1:]))
"""


def test_what_changes_after_the_backup_is_skipped_and_said(exported: CLI) -> None:
    exported("add", uuid(1), "more=members")
    exported("drop", "--entry", "corrupt", "--apply")

    done = subprocess.run(
        [COMMAND[0], "-c", LATE % GROUP, "restore", "e.jsonl", "--overwrite", "--apply"],
        env=exported.environment,
        cwd=exported.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "it has changed since the plan was made" in done.stdout
    assert "1 of 2 done, 1 skipped" in done.stdout
    assert exported.dump()[GROUP]["late"] == b"change"
    assert GROUPS.entry_key("corrupt") in exported.dump()[DIRECTORY]


# Files that are none


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-90], "is not a complete archive"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "without its checksum"),
        (lambda text: text.replace('"snap"', '"snip"', 1), "do not match its checksum"),
        (lambda text: "".join(text.splitlines(keepends=True)[::2]), "is not a complete archive"),
        (lambda _: "", "is not a complete archive"),
        (lambda _: "text\n", "its first line is not the header of one"),
        (lambda text: text + "more\n", "comes after its end"),
        (lambda text: text.replace('"format": 2', '"format": 9'), "has format 9"),
    ],
)
def test_an_altered_file_is_refused_before_anything_is_written(
    exported: CLI, new: CLI, change: object, said: str
) -> None:
    assert callable(change)
    text = change((exported.folder / "e.jsonl").read_text())
    (new.folder / "bad.jsonl").write_text(text)

    assert said in new.refused("restore", "bad.jsonl", "--apply", "--overwrite")
    assert not new.state.exists()


def test_a_file_that_cannot_be_read_is_exit_code_2(cli: CLI) -> None:
    assert "cannot be read: No such file" in cli.refused("restore", "missing")
    assert "cannot be read: Is a directory" in cli.refused("restore", ".")


def test_findings_are_no_archive(exported: CLI) -> None:
    findings = exported("verify", "-o", "json", code=1).out
    (exported.folder / "f.jsonl").write_text(findings)

    assert "not the header" in exported.refused("restore", "f.jsonl")


# Interruptions


def test_ctrl_c_stops_it_between_two_writes_and_it_can_be_run_again(
    exported: CLI, new: CLI
) -> None:
    script = """
import sys, time
from csijournal.repair import apply as repair
from csijournal.cli.run import run
carry_out = repair.carry_out
def slow(store, plan):
    print("restoring", flush=True)
    time.sleep(0.2)
    return carry_out(store, plan)
repair.carry_out = slow
sys.exit(run(sys.argv[1:]))
"""
    with subprocess.Popen(
        [COMMAND[0], "-c", script, "restore", "../e.jsonl", "--apply"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=new.environment,
        cwd=new.folder,
        text=True,
    ) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "restoring\n":
            assert line
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "interrupted: 1 of 9 done; run the same command again for the rest" in err
    assert len(new.dump()) == 1
    new("restore", "../e.jsonl", "--apply")
    assert new.dump() == without_leases(exported.dump())


def test_memory_does_not_grow_with_the_file(cli: CLI) -> None:
    # Both are more than a page of the directory; SQLite's own cache is 2,000 KiB at most.
    few, many = (_restoring_kib(cli, count) for count in (2000, 5000))

    assert many - few < 2000


def _restoring_kib(cli: CLI, count: int) -> int:
    """The peak memory of a restore that overwrites `count` groups."""
    own = CLI(Path(cli.folder, str(count)))
    own.folder.mkdir()
    names = [f"n-{number}" for number in range(count)]
    damage(own, _groups(names, vol="snap"))
    own("export", "--all", "e.jsonl")
    own.file.unlink()
    damage(own, _groups(names, vol="another"))

    peak = peak_kib(own, "restore", "e.jsonl", "--overwrite", "--apply", "--backup", "b.jsonl")

    lines = (own.folder / "b.jsonl").read_text().splitlines()
    assert sum(line.startswith('{"object"') for line in lines) == count
    return peak


def _groups(names: list[str], **members: str) -> Omaps:
    return {
        name: keys
        for number, request_name in enumerate(names)
        for name, keys in group(request_name, number, **members).items()
    }


# Only some of it, leases, and what is not a journal's


def test_one_of_several_repairs_is_undone_alone(cli: CLI) -> None:
    damage(cli)
    before = cli.dump()
    cli("repair", "--deep", "--apply", "--backup", "b.jsonl", code=1)
    repaired = cli.dump()

    dry = cli("restore", "b.jsonl", "--only", "dangling", "--overwrite").out

    assert f"    put back the entry 'dangling' -> {uuid(2)}\n" in dry
    assert "1 to create or add to, 0 to overwrite." in dry
    line = next(line for line in dry.splitlines() if line.startswith("to do it"))
    assert line == "to do it  csijournal restore b.jsonl --only dangling --overwrite --apply"
    cli("restore", "b.jsonl", "--only", "dangling", "--overwrite", "--apply")
    key = layout_key("dangling")
    expected = repaired[DIRECTORY] | {key: before[DIRECTORY][key]}
    assert cli.dump() == repaired | {DIRECTORY: expected}
    assert "holds nothing of 'nobody'" in cli.refused(
        "restore", "b.jsonl", "--only", "nobody", code=3
    )


def layout_key(name: str) -> str:
    return GROUPS.entry_key(name)


def test_restore_speaks_as_repair_does_the_other_way_round(cli: CLI) -> None:
    damage(cli)
    cli("repair", "--deep", "--apply", "--backup", "b.jsonl", code=1)

    said = cli("restore", "b.jsonl", "--overwrite").out

    assert f"    put back the group object {uuid(4)} of 'orphan'\n" in said
    assert f"    put back the entry 'shared' -> {uuid(1)}\n" in said
    assert uuid(7) not in said  # its members may be a live group's: repair left it alone


def test_leases_of_a_file_of_version_0_1_are_left_out_and_counted(exported: CLI, new: CLI) -> None:
    header, *records = (exported.folder / "e.jsonl").read_text().splitlines()[:-1]
    lease = {"object": DIRECTORY, "keys": {f"csi.lease.{uuid(90)}": "{}"}}
    lines = [json.dumps(json.loads(header) | {"format": 1}), *records, json.dumps(lease)]
    text = "".join(line + "\n" for line in lines)
    end = {"lines": len(lines), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    (new.folder / "old.jsonl").write_text(text + json.dumps(end) + "\n")

    result = new("restore", "old.jsonl", "--apply")

    assert "1 lease left out" in result.err
    assert new.dump() == without_leases(exported.dump())


def test_a_file_cannot_have_another_programs_object_removed(exported: CLI) -> None:
    exported.put("rbd_header.10ab12cd34ef", size="1")
    before = exported.dump()
    text = (exported.folder / "e.jsonl").read_text().splitlines()[:-1]
    text.append('{"object": "rbd_header.10ab12cd34ef", "keys": null, "whole": true}')
    body = "".join(line + "\n" for line in text)
    end = {"lines": len(text), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    (exported.folder / "bad.jsonl").write_text(body + json.dumps(end) + "\n")

    said = exported.refused("restore", "bad.jsonl", "--overwrite", "--apply")

    assert f"bad.jsonl, line {len(text)}: 'rbd_header.10ab12cd34ef' is not a journal's" in said
    assert exported.dump() == before


# The three journals


def test_volumes_and_snapshots_are_restored_in_the_words_of_their_journals(
    cli: CLI,
) -> None:
    cli("reserve", "pvc-1", "--journal", "volumes", "--uuid", uuid(1))
    cli("reserve", "snap-1", "--journal", "snapshots", "--uuid", uuid(1), "--source", "csi-vol-1")
    whole = cli.dump()
    cli("export", "e.jsonl")
    cli("undo", "pvc-1", "--journal", "volumes")
    cli("undo", "snap-1", "--journal", "snapshots")

    said = cli("restore", "e.jsonl", "--apply").out

    assert f"put back the volume record {uuid(1)} of 'pvc-1'\n" in said
    assert f"put back the snapshot record {uuid(1)} of 'snap-1'\n" in said
    assert "4 of 4 done.\n" in said
    assert cli.dump() == without_leases(whole)


def test_a_name_that_was_reserved_anew_stops_it(cli: CLI) -> None:
    cli("reserve", "pvc-1", "--journal", "volumes", "--uuid", uuid(1))
    cli("export", "e.jsonl")
    cli("undo", "pvc-1", "--journal", "volumes")
    cli("reserve", "pvc-1", "--journal", "volumes", "--uuid", uuid(2))
    before = cli.dump()

    said = cli("restore", "e.jsonl", "--only", f"csi.volume.{uuid(1)}", "--apply", code=4).err

    assert "1 object would be overwritten; nothing was written" in said
    assert f"put back the volume record {uuid(1)} of 'pvc-1', which {uuid(2)} holds by now" in said
    assert cli.dump() == before
