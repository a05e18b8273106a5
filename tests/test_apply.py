"""The engine that carries out plans: batches, backups, stops and what it refuses, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from csijournal import Archive, Finding, Repairer, Restorer, Tally, Watcher, check_archive
from csijournal.check.findings import FindingKind
from csijournal.errors import BackupFailed, InvalidInput
from csijournal.repair import apply
from csijournal.repair.apply import Engine
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome, Plan, Step
from csijournal.store import Store, Write
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from support.damage import NOW, every_damage
from support.places import MemoryPlace
from support.verified import contents, look, without_leases

DIRECTORY = "csi.groups.default"
BATCH = 4


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "BATCH_PLANS_MAX", BATCH)


class Noting(Watcher):
    """Notes what it is told, and asks to stop after so many plans."""

    def __init__(self, stop_after: int = 10**6) -> None:
        self._stop_after = stop_after
        self.outcomes: list[Outcome] = []
        self.backups: list[Path] = []

    def backed_up(self, backup_file: BackupFile) -> None:
        self.backups.append(backup_file.path)

    def carried_out(self, outcome: Outcome, *, done: bool) -> None:
        assert done is not bool(outcome.skipped)
        self.outcomes.append(outcome)

    def stop(self) -> bool:
        return len(self.outcomes) >= self._stop_after


def findings_of(store: Store) -> list[Finding]:
    return look(store, clock=lambda: NOW)[0]


def undo(store: Store, path: Path, folder: Path) -> Tally:
    with path.open("rb") as file:
        archive = Archive(file, str(path))
        check_archive(archive)
        return Restorer(store, archive).restore(folder / "undo")


def dangling(count: int) -> MemoryStore:
    store = MemoryStore()
    uuids = [f"00000000-0000-4000-8000-{number:012}" for number in range(count)]
    puts = {GROUPS.entry_key(f"n-{uuid}"): uuid.encode() for uuid in uuids}
    store.write(Write(DIRECTORY, puts=puts))
    return store


def test_everything_is_repaired_from_python_and_told_and_can_be_undone(tmp_path: Path) -> None:
    damaged = every_damage()
    store = damaged.build(MemoryPlace())
    noting = Noting()
    findings = findings_of(store)

    tally = Repairer(store, clock=lambda: NOW).repair(iter(findings), tmp_path / "b", noting)

    assert contents(store) == damaged.after()
    assert (tally.done, tally.skipped, tally.stopped) == (len(noting.outcomes), 0, False)
    assert tally.done > 2 * BATCH
    assert noting.backups == [tmp_path / "b"]
    assert all(outcome.plan.finding in findings for outcome in noting.outcomes)
    undo(store, tmp_path / "b", tmp_path)
    assert without_leases(contents(store)) == without_leases(damaged.before())


@pytest.mark.parametrize("stop_after", range(10))
def test_stopped_after_any_plan_the_backup_holds_what_was_done_and_no_more(
    tmp_path: Path, stop_after: int
) -> None:
    store = dangling(10)
    before = contents(store)

    tally = Repairer(store, clock=lambda: NOW).repair(
        findings_of(store), tmp_path / "b", Noting(stop_after)
    )

    assert (tally.done, tally.stopped) == (stop_after, True)
    assert len(before[DIRECTORY]) - len(contents(store)[DIRECTORY]) == stop_after
    if not stop_after:
        assert not (tmp_path / "b").exists()
        return
    assert undo(store, tmp_path / "b", tmp_path).done == stop_after
    assert contents(store) == before


def test_what_the_watcher_raises_ends_the_work_and_leaves_a_good_backup(tmp_path: Path) -> None:
    store = dangling(10)
    before = contents(store)

    class Failing(Noting):
        def carried_out(self, outcome: Outcome, *, done: bool) -> None:
            super().carried_out(outcome, done=done)
            if len(self.outcomes) == BATCH + 2:
                raise ZeroDivisionError

    tally = Tally()
    with pytest.raises(ZeroDivisionError):
        Repairer(store, clock=lambda: NOW).repair(
            findings_of(store), tmp_path / "b", Failing(), tally
        )
    assert tally.done == BATCH + 2
    assert undo(store, tmp_path / "b", tmp_path).done == BATCH + 2
    assert contents(store) == before


def test_a_backup_is_never_written_over_a_file(tmp_path: Path) -> None:
    store = dangling(2)
    before = contents(store)
    (tmp_path / "b").write_text("precious")
    with pytest.raises(InvalidInput, match="exists"):
        Repairer(store, clock=lambda: NOW).repair(findings_of(store), tmp_path / "b")
    assert contents(store) == before
    assert (tmp_path / "b").read_text() == "precious"


def test_a_backup_that_cannot_grow_leaves_the_batch_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = dangling(10)
    before = contents(store)
    add_batch = BackupFile.add_batch
    calls = []

    def full(self: BackupFile, *arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise BackupFailed("no space")
        add_batch(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(BackupFile, "add_batch", full)
    tally = Tally()
    with pytest.raises(BackupFailed):
        Repairer(store, clock=lambda: NOW).repair(findings_of(store), tmp_path / "b", None, tally)
    assert tally.done == BATCH
    undo(store, tmp_path / "b", tmp_path)
    assert contents(store) == before


@pytest.mark.parametrize(
    "write",
    [
        Write("rbd_header.10ab12cd34ef", remove_object=True),
        Write("rbd_header.10ab12cd34ef", puts={"size": b"0"}),
        Write(DIRECTORY, deletions=["note"]),
        Write(DIRECTORY, puts={"csi.volname": b"x"}),
    ],
)
def test_what_is_not_a_journals_is_left_alone_whatever_made_the_plan(
    tmp_path: Path, write: Write
) -> None:
    store = MemoryStore()
    store.write(Write("rbd_header.10ab12cd34ef", puts={"size": b"1"}))
    store.write(Write(DIRECTORY, puts={"note": b"x"}))
    before = contents(store)
    noting = Noting()
    engine = Engine(store, noting, BackupFile(tmp_path / "b", store.place), Tally())

    tally = engine.run([Plan("harm", (Step("harm", write),))])

    assert (tally.done, tally.skipped) == (0, 1)
    assert noting.outcomes[0].skipped == "that is not a journal's; it is left alone"
    assert contents(store) == before
    assert not (tmp_path / "b").exists()


def test_findings_that_need_nothing_any_more_are_counted(tmp_path: Path) -> None:
    store = dangling(3)
    findings = findings_of(store)
    store.write(Write(DIRECTORY, deletions=[findings[0].key]))
    tally = Repairer(store, clock=lambda: NOW).repair(findings, tmp_path / "b")
    assert (tally.done, tally.healed) == (2, 1)
    assert {finding.kind for finding in findings} == {FindingKind.DANGLING_ENTRY}


def test_a_record_with_a_key_that_no_journal_writes_is_changed_but_not_removed(
    tmp_path: Path,
) -> None:
    """No restore would take the key from a file, so the backup has all else."""
    record = "csi.volume.00000000-0000-4000-8000-000000000001"
    store, noting = MemoryStore(), Noting()
    store.write(Write(record, puts={"csi.volname": b"pvc-1", "theirs": b"x"}))
    before = contents(store)
    plans = [
        Plan(record, (Step("remove", Write(record, remove_object=True)),)),
        Plan(record, (Step("change", Write(record, puts={"csi.imageid": b"1"})),)),
    ]

    Engine(store, noting, BackupFile(tmp_path / "b", store.place), Tally()).run(plans)

    assert "keys that no journal writes there" in noting.outcomes[0].skipped
    assert contents(store) == {record: {**before[record], "csi.imageid": b"1"}}
    assert undo(store, tmp_path / "b", tmp_path).done == 1
    assert contents(store) == before
