"""Carrying out plans: in batches, each backed up and on the disk before it is touched.

    plan       the plans of a batch are made from the state of the moment
    back up    what their steps change goes to the end of one file, and to the disk
    act        one plan after the other; each step is guarded by the state that its plan saw
    tell       each outcome, as it comes

So memory does not grow with the number of plans, and whenever this ends, be it by
an error or a signal, the backup holds what was done, and undoes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from csijournal.archive import ImageInUse, Record
from csijournal.check.findings import Finding
from csijournal.errors import GuardFailed, OutcomeUnknown, UnreadableContent
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome, Plan, Step
from csijournal.repair.planners import Planner
from csijournal.repair.refreshing import Refreshing
from csijournal.store.contract import Store, Write
from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of, role_of

BATCH_PLANS_MAX = 200
"""Plans between two syncs of the backup: few enough to hold, many enough to be quick."""
BATCH_BYTES_MAX = 1 << 20
"""What the plans of a batch may put, in bytes; one plan may be larger."""

_FOREIGN = KeyRole.FOREIGN

CHANGED = "it has changed since the plan was made"
_HAS_MORE = "it holds data or attributes besides its keys, which no backup could bring back"
_HAS_FOREIGN_KEYS = "it holds keys that no journal writes there, and no restore could put back"
_NOT_OURS = "that is not a journal's; it is left alone"


# One plan


def backup(store: Store, plan: Plan) -> Iterator[Record]:
    """All that the plan's writes may change and a backup can bring back, as it is now."""
    for step in plan.steps:
        record = before(store, step.write)
        if record is not None:
            yield record


def before(store: Store, write: Write) -> Record | None:
    """What `write` would change, as it is now; None where that is a lease alone.

    A lease that has ended must never come back, so no backup has one.
    """
    owned = owner_of(write.object_name)
    if owned is None or owned.role is ObjectRole.RECORD:
        return _whole(write.object_name, store.read_object(write.object_name))
    changed = (*write.puts, *write.deletions)
    keys = [key for key in changed if owned.role_of(key) is not KeyRole.LEASE]
    if changed and not keys:
        return None
    found = store.read_keys(write.object_name, keys)
    return Record(write.object_name, {key: (found or {}).get(key) for key in keys})


def _whole(object_name: str, entries: Mapping[str, bytes] | None) -> Record:
    """All of an object, but for keys that no journal writes there: no restore may put those."""
    if entries is not None:
        entries = {k: v for k, v in entries.items() if role_of(object_name, k) is not _FOREIGN}
    return Record(object_name, entries, whole=True)


def carry_out(store: Store, plan: Plan) -> Outcome:
    """Do the plan's steps, as far as the state still allows."""
    why = plan.move.carry_out() if plan.move else ""
    if why:
        return Outcome(plan, 0, why)
    for done, step in enumerate(plan.steps, plan.steps_in_all - len(plan.steps)):
        try:
            if step.recheck() and _take(store, step):
                continue
        except GuardFailed:
            if _is_removed(store, step.write) or _is_lease_gone(store, step.write):
                continue
        except OutcomeUnknown as error:
            why = f"{error.message}; run the same command again"
            return Outcome(plan, done, why, unknown=True)
        return Outcome(plan, done, CHANGED)
    return Outcome(plan, plan.steps_in_all, _unconfirmed(store, plan))


def _take(store: Store, step: Step) -> bool:
    if step.act is not None:
        return step.act(store)
    store.write(step.write)
    return True


def _unconfirmed(store: Store, plan: Plan) -> str:
    """Why what the steps did does not stand; empty where it does."""
    why = ""
    for write in plan.confirmations:
        try:
            store.write(write)
        except GuardFailed:
            why = f"{write.object_name} has gone since"
        except OutcomeUnknown as error:
            why = error.message
    return f"{why}; run the same command again" if why else ""


def is_done(store: Store, plan: Plan) -> bool:
    """Whether all that the plan wanted is so, whoever did it; confirms it then.

    No reading back shows whether a confirmation was written, so it is sent again.
    """
    moved = plan.move is None or plan.move.is_so()
    so = moved and all(_is_so(store, step.write) for step in plan.steps)
    return so and not _unconfirmed(store, plan)


def look_into(store: Store, plan: Plan) -> tuple[str, list[Record | None]]:
    """Why the plan must not be carried out, whatever made it, and what each step changes.

    Nothing but a journal's own is written or removed, and nothing is removed
    that a backup could not bring back.  The reason is empty where there is none.
    """
    records = []
    for step in plan.steps:
        objection, record = _look_into(store, step.write)
        if objection:
            return objection, []
        records.append(record)
    return "", records


def _look_into(store: Store, write: Write) -> tuple[str, Record | None]:
    owned = owner_of(write.object_name)
    if owned is None or any(
        owned.role_of(key) is _FOREIGN for key in (*write.puts, *write.deletions)
    ):
        return _NOT_OURS, None
    if not write.remove_object:
        return "", before(store, write)
    try:
        state = store.read_state(write.object_name)
    except UnreadableContent as error:
        return error.message, None
    if state is not None and state.has_more:
        return _HAS_MORE, None
    if state is not None and any(owned.role_of(key) is _FOREIGN for key in state.entries):
        return _HAS_FOREIGN_KEYS, None
    return "", _whole(write.object_name, state.entries if state else None)


def _is_removed(store: Store, write: Write) -> bool:
    """Whether an object that `write` is to remove is gone, by another plan or at its first try."""
    return write.remove_object and store.modified_ns(write.object_name) is None


def _is_lease_gone(store: Store, write: Write) -> bool:
    """Whether leases that `write` is to end have ended, by another plan or by their owner.

    No entry can be held to them any more, which is all that ending them is for.
    """
    owned = owner_of(write.object_name)
    changed = (*write.deletions, *write.puts)
    if owned is None or not write.deletions or write.remove_object:
        return False
    if any(owned.role_of(key) is not KeyRole.LEASE for key in changed):
        return False
    return not store.read_keys(write.object_name, tuple(write.deletions))


def _is_so(store: Store, write: Write) -> bool:
    if write.remove_object:
        return store.modified_ns(write.object_name) is None
    present = store.read_keys(write.object_name, (*write.puts, *write.deletions)) or {}
    return all(present.get(key) is None for key in write.deletions) and all(
        present.get(key) == value for key, value in write.puts.items()
    )


# Many plans


@dataclass
class Tally:
    """How many of `planned` are done, and how many were skipped.

    `planned` is None while nobody knows it; `healed` counts findings that
    needed nothing any more.  `stopped` says that it was asked to end early.
    """

    planned: int | None = None
    done: int = 0
    skipped: int = 0
    healed: int = 0
    stopped: bool = False

    def count(self, *, done: bool) -> None:
        """Note what became of one more plan."""
        if done:
            self.done += 1
        else:
            self.skipped += 1

    @property
    def total(self) -> int:
        """How many there were to do, as far as is known."""
        known = self.done + self.skipped
        return known if self.planned is None else max(known, self.planned - self.healed)

    def __str__(self) -> str:
        return f"{self.done} of {self.total} done" + (
            f", {self.skipped} skipped" if self.skipped else ""
        )


class Watcher:
    """Told of what an engine does; override what is of interest.

    What a method raises ends the work, cleanly.
    """

    def backed_up(self, backup_file: BackupFile) -> None:
        """The first batch is in the backup, and nothing is changed yet."""

    def carried_out(self, outcome: Outcome, *, done: bool) -> None:
        """This became of a plan; `done` says that all it wanted is so, whoever did it."""

    def stop(self) -> bool:
        """Whether to end after the plan under way.  Asked before each."""
        return False


@dataclass
class _Job:
    """A plan of a batch, the number of its first step, and why it must not be done, if so."""

    plan: Plan
    first_step: int
    objection: str = ""

    def steps(self, start: int = 0) -> range:
        """The numbers of its steps, from the one at `start`."""
        return range(self.first_step + start, self.first_step + self.plan.steps_in_all)

    def records(self, store: Store) -> Iterator[Record | ImageInUse]:
        """What a backup keeps of it; sets the objection."""
        self.objection, found = look_into(store, self.plan)
        if self.plan.move and not self.objection:
            for image in self.plan.move.images:
                yield replace(image, step=self.first_step, names=self.plan.names)
        first = self.plan.steps_in_all - len(self.plan.steps)
        for number, record in zip(self.steps(first), found):
            if record is not None:
                yield replace(record, step=number, names=self.plan.names)


class Engine:
    """Carries out plans on one store; `tally` says at any time how far it is.

    Without `backup_file` nothing is backed up: for what only adds.  `refresh` is
    called before each batch is carried out: what is known from outside may be old.
    """

    def __init__(
        self,
        store: Store,
        watcher: Watcher,
        backup_file: BackupFile | None,
        tally: Tally,
        refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._watcher = watcher
        self._backup_file = backup_file
        self._undone: set[int] = set()
        self._steps = 0
        self.tally = tally

    def run(self, *phases: Iterable[Plan]) -> Tally:
        """Carry out the plans, those of one phase before those of the next are made.

        Raises StoreError, BackupFailed, and what the watcher raises.
        """
        try:
            for batch in chain.from_iterable(map(self._batches, phases)):
                jobs = [self._job(plan) for plan in batch]
                self._back_up(jobs)
                self._act(jobs)
        finally:
            if self._backup_file is not None:
                self._backup_file.close(self._undone)
        return self.tally

    def _batches(self, plans: Iterable[Plan]) -> Iterator[list[Plan]]:
        """The plans, some at a time, until all are there or it is to stop."""
        batch: list[Plan] = []
        size = 0
        for plan in plans:
            if self._is_to_stop():
                return
            batch.append(plan)
            size += _put_bytes(plan)
            if len(batch) >= BATCH_PLANS_MAX or size >= BATCH_BYTES_MAX:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _job(self, plan: Plan) -> _Job:
        job = _Job(plan, self._steps)
        self._steps += plan.steps_in_all
        return job

    def _back_up(self, jobs: list[_Job]) -> None:
        """Back up what the jobs change, one after the other, and find what must not be done."""
        records = (record for job in jobs for record in job.records(self._store))
        first = next(records, None)
        if first is None:
            return
        if self._backup_file is None:
            deque(records, maxlen=0)  # for the objections alone
            return
        begun = self._backup_file.begun
        self._backup_file.add_batch(chain([first], records), self._undone)
        self._undone = {step for job in jobs for step in job.steps()}
        if not begun:
            self._watcher.backed_up(self._backup_file)

    def _act(self, jobs: list[_Job]) -> None:
        self._refresh()
        for job in jobs:
            if self._is_to_stop():
                return
            outcome = self._carry_out(job)
            done = not outcome.skipped or (not job.objection and is_done(self._store, job.plan))
            self.tally.count(done=done)
            self._watcher.carried_out(outcome, done=done)

    def _carry_out(self, job: _Job) -> Outcome:
        """Carry out one plan; what may have been done of it stays in the backup."""
        if job.objection:
            return Outcome(job.plan, 0, job.objection)
        self._undone.difference_update(job.steps())
        outcome = carry_out(self._store, job.plan)
        self._undone.update(job.steps(outcome.steps_done + outcome.unknown))
        return outcome

    def _is_to_stop(self) -> bool:
        self.tally.stopped = self.tally.stopped or self._watcher.stop()
        return self.tally.stopped


def _put_bytes(plan: Plan) -> int:
    return sum(len(value) for step in plan.steps for value in step.write.puts.values())


class Repairer(Planner):
    """Plans for findings, and carries the plans out; arguments as for Planner."""

    def repair(
        self,
        findings: Iterable[Finding],
        backup_path: Path,
        watcher: Watcher | None = None,
        tally: Tally | None = None,
    ) -> Tally:
        """Repair what may be repaired without asking; what was done.

        The backup is made at `backup_path`, where nothing may be, with the first
        thing that is changed.  Where this raises, `tally` says how far it got.
        Raises StoreError, BackupFailed, InvalidInput, and what the watcher raises.
        """
        tally = Tally() if tally is None else tally
        backup_file = BackupFile(backup_path, self._store.place)
        watcher = Watcher() if watcher is None else watcher
        refresh = Refreshing(self.inventory)
        engine = Engine(self._store, watcher, backup_file, tally, refresh)
        return engine.run(self._plans(findings, watcher, tally))

    def _plans(self, findings: Iterable[Finding], watcher: Watcher, tally: Tally) -> Iterator[Plan]:
        for finding in findings:
            try:
                plan = self.plan(finding)
            except UnreadableContent as error:
                tally.count(done=False)
                watcher.carried_out(left_alone(finding, error), done=False)
                continue
            if plan is not None:
                yield plan
            else:
                tally.healed += finding.automatic


def left_alone(finding: Finding, error: UnreadableContent) -> Outcome:
    """What becomes of a finding about an object that holds more than can be read."""
    return Outcome(
        Plan(f"{finding.kind} {finding.object_name}", (), finding=finding), 0, error.message
    )
