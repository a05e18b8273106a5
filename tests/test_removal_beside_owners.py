"""Who removes a record that nothing points at, beside its owner between the two writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from csijournal import Reservation, Store, VolumeGroupJournal
from csijournal.archive import Archive, ArchiveWriter, Record
from csijournal.check.findings import Finding, FindingKind
from csijournal.errors import OutcomeUnknown, StoreError
from csijournal.journal.steps import GroupRecords, Records
from csijournal.repair.apply import Watcher, carry_out
from csijournal.repair.manual import plan_attach, plan_drop_group
from csijournal.repair.plan import Outcome, Plan
from csijournal.repair.planners import Planner
from csijournal.store import KeyEquals, Write
from csijournal.store.memory import MemoryStore
from csijournal.transfer.restore import Restorer, check_archive
from csijournal.wire.schema import GROUPS
from support.journals import LONG_AGO, seconds_later, uuid_number, uuids
from support.wrapping import WrappingStore

HOUR_LATER = seconds_later(3600)
ONE = uuid_number(1)
"""The first UUID that an owner takes; with leases, that of its lease too."""

Removal = Callable[[Store], Outcome]


class SlowOwner(WrappingStore):
    """The owner's way to the store; before its first entry, `meanwhile` happens."""

    def __init__(self, inner: Store, meanwhile: Callable[[], object]) -> None:
        super().__init__(inner)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def write(self, write: Write) -> None:
        if self._meanwhile and any(GROUPS.request_name_of_entry(key) for key in write.puts):
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        super().write(write)


def plan_of_repair(store: Store) -> Plan:
    """The repair of an orphan alone, with a finding as verify prints it."""
    finding = Finding(FindingKind.ORPHAN_GROUP, GROUPS.record_object(ONE), uuid=ONE, automatic=True)
    plan = Planner(store, clock=lambda: HOUR_LATER).plan(finding)
    assert plan is not None
    return plan


def repaired(store: Store) -> Outcome:
    """The removal that repair does alone."""
    return carry_out(store, plan_of_repair(store))


def dropped(store: Store) -> Outcome:
    """The removal that a person asks for."""
    records = Records(store, GROUPS, "default")
    plan = plan_drop_group(records, Planner(store, clock=lambda: HOUR_LATER), ONE)
    return carry_out(store, plan)


def undone(store: Store) -> Outcome:
    """The removal by a restore of what was there before: no such group."""
    outcomes: list[Outcome] = []

    class Noting(Watcher):
        def carried_out(self, outcome: Outcome, *, done: bool) -> None:
            assert done
            outcomes.append(outcome)

    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        with before.open("wb") as file, ArchiveWriter(file, kind="backup", place="") as writer:
            writer.write(Record(GROUPS.record_object(ONE), None, whole=True))
        with before.open("rb") as saved:
            archive = Archive(saved, "before")
            check_archive(archive)
            restorer = Restorer(store, archive, clock=lambda: HOUR_LATER)
            restorer.restore(Path(folder) / "backup", Noting())
    return outcomes[0]


def owner(store: Store, lease_size: int, instance_id: str = "default") -> VolumeGroupJournal:
    source = uuids()
    return VolumeGroupJournal(
        store,
        instance_id=instance_id,
        lease_size=lease_size,
        new_uuid=lambda: next(source),
        clock=lambda: LONG_AGO,
    )


def require_there(store: Store, told: Reservation, instance_id: str) -> None:
    found = VolumeGroupJournal(store, instance_id=instance_id).check_reservation(told.request_name)
    assert found == told


@pytest.mark.parametrize("instance_id", ["default", "another"])
@pytest.mark.parametrize("lease_size", [0, 1, 4])
@pytest.mark.parametrize("remove", [repaired, dropped, undone], ids=["repair", "drop", "restore"])
def test_an_owner_that_was_overtaken_is_told_of_a_group_that_is_there(
    remove: Removal, lease_size: int, instance_id: str
) -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    removed: list[Outcome] = []
    slow = SlowOwner(store, lambda: removed.append(remove(store)))
    told = owner(slow, lease_size, instance_id).reserve_name("group-a")
    assert removed[0].steps_done == len(removed[0].plan.steps)
    assert told.group_uuid != ONE
    require_there(store, told, instance_id)


def test_a_plan_made_before_the_entry_is_refused_after_it() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    plans: list[Plan] = []
    told = owner(SlowOwner(store, lambda: plans.append(plan_of_repair(store))), 0).reserve_name(
        "group-a"
    )
    assert told.group_uuid == ONE
    assert carry_out(store, plans[0]).skipped
    require_there(store, told, "default")


class LosesConfirmation(WrappingStore):
    """Loses the first write of a request name to a record that has it already."""

    lost = False

    def write(self, write: Write) -> None:
        again = {KeyEquals(key, value) for key, value in write.puts.items()}
        if again & set(write.guards) and not self.lost:
            self.lost = True
            raise OutcomeUnknown("no answer", object_name=write.object_name)
        super().write(write)


def test_an_owner_without_a_lease_sends_its_last_write_again_after_a_lost_answer() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    losing = LosesConfirmation(store)
    plans: list[Plan] = []
    told = owner(SlowOwner(losing, lambda: plans.append(plan_of_repair(store))), 0).reserve_name(
        "group-a"
    )
    assert losing.lost
    assert carry_out(store, plans[0]).skipped
    require_there(store, told, "default")


def test_an_attach_whose_group_goes_while_the_entry_is_written_is_not_said_to_be_done() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    stranded(store)
    overtaken = SlowOwner(store, lambda: dropped(store))
    attach = plan_attach(Records(overtaken, GROUPS, "default"), ONE)
    assert attach is not None
    assert carry_out(overtaken, attach).skipped


def stranded(store: Store) -> GroupRecords:
    """A group with its names and no entry, as an owner that died leaves it."""

    def die() -> None:
        raise StoreError("the owner died")

    with pytest.raises(StoreError):
        owner(SlowOwner(_KeepsRecords(store), die), 1).reserve_name("group-a")
    return Records(store, GROUPS, "default")


class _KeepsRecords(WrappingStore):
    """Lets nobody remove a record: its owner is dead."""

    def write(self, write: Write) -> None:
        if not write.remove_object:
            super().write(write)


def test_a_removal_that_was_planned_before_an_attach_is_refused() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    records = stranded(store)
    removal = plan_of_repair(store)
    attach = plan_attach(records, ONE)
    assert attach is not None
    journal = VolumeGroupJournal(store)
    assert not carry_out(store, attach).skipped
    journal.add_volumes_mapping(ONE, {"vol-1": "snap-1"})
    assert carry_out(store, removal).skipped
    found = journal.check_reservation("group-a")
    assert found is not None
    assert found.volume_map == {"vol-1": "snap-1"}


def test_an_attach_of_a_group_that_was_removed_after_its_plan_writes_no_entry() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    records = stranded(store)
    attach = plan_attach(records, ONE)
    assert attach is not None
    dropped(store)
    assert carry_out(store, attach).skipped
    assert VolumeGroupJournal(store).look_up("group-a") is None


def test_recover_leaves_a_group_that_was_attached_while_it_looked() -> None:
    store = MemoryStore(clock=lambda: LONG_AGO.nanoseconds)
    records = stranded(store)

    class AttachesBeforeRemoval(WrappingStore):
        def write(self, write: Write) -> None:
            if write.remove_object:
                attach = plan_attach(records, ONE)
                assert attach is not None
                assert not carry_out(store, attach).skipped
                VolumeGroupJournal(store).add_volumes_mapping(ONE, {"vol-1": ""})
            super().write(write)

    recovery = VolumeGroupJournal(AttachesBeforeRemoval(store), clock=lambda: HOUR_LATER).recover(0)
    assert recovery.records_removed == []
    found = VolumeGroupJournal(store).check_reservation("group-a")
    assert found is not None
    assert found.volume_map == {"vol-1": ""}
