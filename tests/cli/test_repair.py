from __future__ import annotations

import json
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY
from cli.damage import STALE_LEASE, damage, dangling, entries, uuid
from cli.memory import peak_kib
from csijournal.wire.leases import LEASE_PREFIX, REVOKED_LEASE_PREFIX
from csijournal.wire.schema import GROUPS
from support.verified import without_leases

BACKUP = "backup.jsonl"


@pytest.fixture
def damaged(cli: CLI) -> CLI:
    return damage(cli)


def told(cli: CLI, *arguments: str, code: int, stdin: str = "") -> tuple[list[Any], Any]:
    """What a run with JSON says of each finding, and its summary."""
    out = cli("repair", "-o", "json", *arguments, code=code, stdin=stdin).lines
    lines = [json.loads(line) for line in out]
    return lines[:-1], lines[-1]["summary"]


def slowly(seconds: float) -> str:
    """A program that runs `csijournal`, and takes its time for each plan."""
    return f"""
import sys, time
from csijournal.repair import apply as repair
from csijournal.cli.run import run
carry_out = repair.carry_out
def slow(store, plan):
    outcome = carry_out(store, plan)
    time.sleep({seconds})
    return outcome
repair.carry_out = slow
sys.exit(run(sys.argv[1:]))
"""


# The plan


def test_without_apply_it_says_what_it_would_do_and_does_nothing(damaged: CLI) -> None:
    before = damaged.dump()

    result = damaged("repair", code=1)

    assert damaged.dump() == before
    assert f"dangling-entry  dangling\n    remove the entry 'dangling' -> {uuid(2)}\n" in result.out
    assert "7 findings to repair; nothing was changed.\n" in result.out
    assert "\nto do it  csijournal repair --apply\n" in result.out
    assert [path.name for path in damaged.folder.iterdir()] == ["state"]


def test_the_command_that_does_it_has_the_options_again(damaged: CLI) -> None:
    kinds = ["--kind", "orphan-group", "--kind", "empty-object"]

    said = damaged("repair", "--deep", *kinds, "--grace", "1h", "--instance", "x", code=1).out

    assert said.count("remove the group object") == 3
    assert (
        "to do it  csijournal --instance x repair --full --grace 1h --kind orphan-group"
        " --kind empty-object --apply"
    ) in said


def test_what_is_for_people_is_listed_with_its_commands(damaged: CLI) -> None:
    said = damaged("repair", "--deep", code=1).out

    assert f"    csijournal attach {uuid(5)}\n    csijournal drop --group {uuid(5)}\n" in said
    assert "    csijournal drop --entry corrupt\n" in said
    assert "2 errors left for you to decide, with the commands." in said


def test_a_clean_journal_needs_nothing(cli: CLI) -> None:
    cli("reserve", "snap-1")

    assert cli("repair", "--apply").lines == ["nothing to repair."]
    assert told(cli, "--apply", code=0)[1]["planned"] == 0
    assert [path.name for path in cli.folder.iterdir()] == ["state"]


def test_warnings_are_counted_and_left(cli: CLI) -> None:
    damage(cli, entries(old=uuid(1)) | {GROUPS.record_object(uuid(1)): {"csi.volname": "old"}})

    lines = cli("repair").lines

    assert f"    csijournal attach {uuid(1)}" in lines
    assert lines[-2:] == ["nothing to repair.", "3 warnings left alone."]


# Operation it


def test_apply_mends_all_that_it_may(damaged: CLI) -> None:
    result = damaged("repair", "--deep", "--apply", "--backup", BACKUP, code=1)

    assert "2 errors left for you to decide" in result.out
    backup = damaged.folder / BACKUP
    assert f"to undo  csijournal restore {backup} --overwrite --apply" in result.out
    kinds = [
        json.loads(line)["kind"]
        for line in damaged("verify", "--deep", "-ojson", code=1).lines[:-1]
    ]
    assert sorted(kinds) == ["corrupt-entry", "detached-group", "members-elsewhere"]
    assert told(damaged, "--deep", "--apply", code=1)[1]["planned"] == 0


def test_the_backup_is_for_its_owner_alone_and_undoes_it(damaged: CLI) -> None:
    before = damaged.dump()

    damaged("repair", "--deep", "--apply", "--backup", BACKUP, code=1)

    assert damaged.dump() != before
    mode = (damaged.folder / BACKUP).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    damaged("restore", BACKUP, "--overwrite", "--apply")
    after = damaged.dump()
    revoked = [key for key in after[DIRECTORY] if key not in before[DIRECTORY]]
    assert all(key.startswith(REVOKED_LEASE_PREFIX) for key in revoked)
    assert without_leases(after) == without_leases(before)
    assert STALE_LEASE.key not in after[DIRECTORY]


def test_a_backup_is_never_written_over_another_file(damaged: CLI) -> None:
    before = damaged.dump()
    (damaged.folder / BACKUP).write_text("precious")

    said = damaged.refused("repair", "--apply", "--backup", BACKUP)

    assert f"{BACKUP} exists" in said
    assert (damaged.folder / BACKUP).read_text() == "precious"
    assert damaged.dump() == before


def test_a_backup_that_cannot_be_written_stops_it_before_anything_is_changed(damaged: CLI) -> None:
    before = damaged.dump()

    result = damaged("repair", "--apply", "--backup", "no/such/folder", code=2)

    assert "cannot be written: No such file or directory" in result.err
    assert damaged.dump() == before


def test_without_a_name_the_backup_is_named_after_the_time(damaged: CLI) -> None:
    first = told(damaged, "--kind", "dangling-entry", "--apply", code=0)[1]["backup"]
    second = told(damaged, "--kind", "shared-uuid", "--apply", code=0)[1]["backup"]

    assert Path(first).name.startswith("csijournal-backup-2")
    assert first != second
    made = {damaged.folder / "state", Path(first), Path(second)}
    assert set(damaged.folder.iterdir()) == made


def test_json_tells_of_each_finding_what_became_of_it(damaged: CLI) -> None:
    lines, summary = told(damaged, "--deep", "--apply", code=1)

    assert [line["outcome"] for line in lines if "outcome" in line].count("left") == 3
    backup = next(line for line in lines if "undo" in line)
    assert backup["undo"].endswith(f"restore {backup['backup']} --overwrite --apply")
    done = [line for line in lines if line.get("outcome") == "done"]
    assert summary == {
        "planned": 7,
        "done": 7,
        "skipped": 0,
        "interrupted": False,
        "backup": backup["backup"],
        "undo": backup["undo"],
        "for_people": 2,
        "warnings": 1,
        "healed": 0,
        "of_other_places": 0,
    }
    assert len(done) == 7


def test_what_changed_meanwhile_is_skipped_and_said(damaged: CLI) -> None:
    script = f"""
import sys
from csijournal.repair import apply as repair
from csijournal.cli.run import run
from csijournal.store import Write
carry_out = repair.carry_out
def late(store, plan):
    if "unpopulated" in plan.subject:
        store.write(Write("csi.volume.group.{uuid(3)}", puts={{"vol": b"snap"}}))
    return carry_out(store, plan)
repair.carry_out = late
sys.exit(run(sys.argv[1:]))
"""
    done = subprocess.run(
        [COMMAND[0], "-c", script, "repair", "--kind", "unpopulated-group", "--apply"],
        env=damaged.environment,
        cwd=damaged.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "0 of 1 done, 1 skipped" in done.stdout
    assert "it has changed since the plan was made" in done.stdout, done
    assert damaged.dump()[GROUPS.record_object(uuid(3))] == {"vol": b"snap"}
    assert GROUPS.entry_key("unpopulated") in damaged.dump()[DIRECTORY]


# Saved findings


def test_saved_findings_are_taken_from_a_file_or_standard_input(damaged: CLI) -> None:
    saved = damaged("verify", "--deep", "-o", "json", code=1).out
    (damaged.folder / "f.jsonl").write_text(saved)

    assert told(damaged, "--findings", "-", code=1, stdin=saved)[1]["planned"] == 7
    told(damaged, "--findings", "f.jsonl", "--apply", "--kind", "orphan-group", code=0)
    again = told(damaged, "--findings", "f.jsonl", code=1)[1]
    # Two orphans, and the lease that listed one of them and was revoked before it went.
    assert (again["planned"], again["healed"]) == (4, 3)


def test_findings_of_another_place_are_passed_over(damaged: CLI) -> None:
    saved = damaged("verify", "-o", "json", code=1).out.replace("journal.db", "other.db")

    result = damaged("repair", "--findings", "-", stdin=saved)

    assert result.lines == ["nothing to repair."]
    assert "10 findings of other locations passed over" in result.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not JSON\n", "f.jsonl, line 1: this is not a finding: 'not JSON'"),
        ('{"summary": {}}\n{"kind": "x"}\n', "f.jsonl, line 2: this is not a finding"),
        ("[]\n", "line 1"),
        ("[" * 5000 + "\n", "line 1"),
        ('{"kind": "dangling-entry", "object": "csi', "line 1"),
        ("\xff\x00\n", "line 1"),
    ],
)
def test_a_wrong_findings_file_is_refused_before_anything_is_changed(
    damaged: CLI, text: str, said: str
) -> None:
    before = damaged.dump()
    (damaged.folder / "f.jsonl").write_bytes(text.encode("latin-1"))

    assert said in damaged.refused("repair", "--findings", "f.jsonl", "--apply")
    assert damaged.dump() == before


def test_findings_that_cannot_be_read_or_asked_for_are_exit_code_2(damaged: CLI) -> None:
    assert "cannot be read: No such file" in damaged.refused("repair", "--findings", "missing")
    assert "give one" in damaged.refused("repair", "--findings", "f", "--deep")
    assert "'x' is not one of 'dangling-entry'" in damaged.refused("repair", "--kind", "x")


def test_a_finding_that_names_what_it_should_not_does_no_harm(damaged: CLI) -> None:
    finding = json.loads(damaged("verify", "-ojson", "--deep", code=1).lines[0])
    before = damaged.dump()
    bad = [
        finding | {"kind": "detached-group", "group_uuid": uuid(5), "automatic": True},
        finding | {"kind": "orphan-group", "group_uuid": uuid(1), "automatic": True},
        finding
        | {"kind": "dangling-entry", "request_name": "right", "group_uuid": uuid(1)}
        | {"automatic": True},
    ]

    text = "".join(json.dumps(line) + "\n" for line in bad)
    assert told(damaged, "--findings", "-", "--apply", code=1, stdin=text)[1]["healed"] == 2
    assert damaged.dump() == before


# Interruptions


def test_ctrl_c_finishes_what_is_under_way_and_says_how_far_it_got(cli: CLI) -> None:
    damage(cli, dangling(400))

    with subprocess.Popen(
        [COMMAND[0], "-c", slowly(0.01), "repair", "--apply", "--backup", BACKUP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
        bufsize=0,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert process.stderr.readline() == f"csijournal: backup: {cli.folder / BACKUP}\n".encode()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    left = len(cli.dump()[DIRECTORY]) - 1
    assert process.returncode == 130
    assert 0 < left < 400
    done = 400 - left
    assert out.count(b"    done     remove") == done
    assert err.decode() == (
        f"csijournal: error: interrupted: {done} of 400 done;"
        " run the same command again with another --backup for the rest\n"
        f"csijournal: to undo: csijournal restore {cli.folder / BACKUP} --overwrite --apply\n"
    )
    assert told(cli, "--apply", code=0)[1]["done"] == left
    cli("verify")


def test_killed_at_any_point_it_can_be_run_again_and_undone(cli: CLI) -> None:
    damage(cli, dangling(400))
    before = cli.dump()

    with subprocess.Popen(
        [COMMAND[0], "-c", slowly(0.01), "repair", "--apply", "--backup", BACKUP],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
        bufsize=0,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.kill()

    # What was killed in the middle of a removal leaves the lease of that until it is old.
    entries = [key for key in cli.dump()[DIRECTORY] if not key.startswith(LEASE_PREFIX)]
    assert 1 <= len(entries) <= 401
    rest = told(cli, "--apply", code=0)[1]["backup"]
    cli("verify")
    cli("restore", rest, "--overwrite", "--apply")
    result = cli("restore", BACKUP, "--overwrite", "--apply")
    assert "the command that made this backup was killed" in result.err
    assert cli.dump() == before


def test_interrupted_while_it_plans_nothing_was_changed(cli: CLI) -> None:
    damage(cli, dangling(3000))
    before = cli.dump()
    script = "import time\nfrom csijournal.repair.apply import Repairer\n" + (
        "plan = Repairer.plan\n"
        "def slow(self, finding):\n"
        "    print('planning', flush=True); time.sleep(1); return plan(self, finding)\n"
        "Repairer.plan = slow\n" + slowly(0)
    )

    with subprocess.Popen(
        [COMMAND[0], "-c", script, "repair", "--apply"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err == b"csijournal: error: interrupted; nothing was changed\n"
    assert cli.dump() == before
    assert [path.name for path in cli.folder.iterdir()] == ["state"]


def test_the_reader_of_the_output_may_go_away(cli: CLI) -> None:
    damage(cli, dangling(400))

    with subprocess.Popen(
        [COMMAND[0], "-c", slowly(0), "repair", "--apply", "--backup", BACKUP],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environment,
        cwd=cli.folder,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stderr.read()

    assert process.returncode == 141
    told(cli, "--apply", code=0)
    cli("verify")


def test_what_cannot_be_undone_is_said_before_it_is_done(damaged: CLI) -> None:
    words = ["repair", "--kind", "stale-lease"]
    dry = damaged(*words, code=1).out
    done = damaged(*words, "--apply", "--backup", BACKUP).out

    revoking = f"revoke the lease {uuid(90)} of 2020-09-13T12:26:40Z (this cannot be undone)\n"
    assert f"    {revoking}" in dry
    assert f"    done     {revoking}" in done
    removed = f"remove the group object {uuid(90)} of 'stranded'\n"
    assert f"    {removed}" in dry


def test_the_command_that_does_it_names_the_backup_too(damaged: CLI) -> None:
    said = damaged("repair", "--grace", "1h", "--backup", "a b", code=1).out

    assert "to do it  csijournal repair --grace 1h --backup 'a b' --apply\n" in said


@pytest.mark.parametrize(
    "change",
    [
        {"request_name": "\ud800"},
        {"request_name": "snap\0"},
        {"instance": "\ud800"},
        {"key": "a\x00b"},
        {"object": "\ud800"},
        {"request_name": None},
        {"group_uuid": "x"},
    ],
)
def test_a_finding_that_no_store_can_hold_is_refused_with_its_line(
    damaged: CLI, change: dict[str, Any]
) -> None:
    lines = damaged("verify", "-o", "json", code=1).lines[:-1]
    dangling_entry = next(json.loads(line) for line in lines if "dangling-entry" in line)
    text = f"{lines[0]}\n{json.dumps(dangling_entry | change)}\n"
    before = damaged.dump()

    result = damaged("repair", "--findings", "-", "--apply", stdin=text, code=2)

    assert "standard input, line 2: " in result.err
    assert damaged.dump() == before


def test_findings_of_other_journals_are_passed_over_and_those_without_one_are_groups(
    damaged: CLI,
) -> None:
    lines = [json.loads(line) for line in damaged("verify", "-ojson", code=1).lines[:-1]]
    automatic = [line for line in lines if line["automatic"]]
    for line in automatic:
        line.pop("journal", None)
    automatic[0]["journal"] = "volumes"
    text = "".join(json.dumps(line) + "\n" for line in automatic)

    assert told(damaged, "--findings", "-", code=1, stdin=text)[1]["planned"] == len(automatic) - 1


def test_memory_does_not_grow_with_the_findings(cli: CLI) -> None:
    # Both are more than a batch and a page; SQLite's own cache is 2,000 KiB at most.
    few, many = (_repairing_kib(cli, count) for count in (2000, 6000))

    assert many - few < 2000


def _repairing_kib(cli: CLI, count: int) -> int:
    own = CLI(cli.folder / str(count))
    own.folder.mkdir()
    damage(own, dangling(count))
    peak = peak_kib(own, "repair", "--apply", "--backup", BACKUP)
    assert len(own.dump()[DIRECTORY]) == 1
    return peak
