"""Recover removes what dead clients left, exactly that, and harms no client at work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import given, settings

from csijournal import Store, VolumeGroupJournal
from csijournal.journal.recover import Recovery
from csijournal.store import Write
from csijournal.wire.leases import Lease
from csijournal.wire.schema import GROUPS
from support.counting import CountingStore
from support.damage import FOREIGN, GRACE, NOW, DamagedPool, damaged_pools, every_damage
from support.faulty import Died, FaultyStore, MeddlingStore, MortalStore
from support.journals import LONG_AGO, bare_journal, seconds_later, uuid_number, uuids
from support.killing import When
from support.places import LONG_AGO_NS, MemoryPlace, Place
from support.verified import Objects, contents, look, require_clean

DIRECTORY = "csi.groups.default"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A store that must be clean when the test is over."""
    store = place.open(lambda: LONG_AGO_NS)
    yield store
    require_clean(store)


def client(store: Store, **options: object) -> VolumeGroupJournal:
    """A client of long ago whose UUIDs are counted."""
    source = uuids()
    options = {"lease_size": 2, "clock": lambda: LONG_AGO} | options
    return VolumeGroupJournal(store, settle_seconds=0, new_uuid=lambda: next(source), **options)  # type: ignore[arg-type]


def recover(
    store: Store,
    *,
    after_seconds: int = 10 * GRACE,
    older_than: float = GRACE,
    dry_run: bool = False,
    instance_id: str = "default",
) -> Recovery:
    """Recover, run by somebody who comes later."""
    now = seconds_later(after_seconds)
    journal = VolumeGroupJournal(
        store, settle_seconds=0, instance_id=instance_id, clock=lambda: now
    )
    return journal.recover(older_than, dry_run=dry_run)


def die_in_reserve(store: Store, name: str = "stranded") -> str:
    """Die between the two writes of reserve; the UUID of the group that is left."""
    with pytest.raises(Died):
        client(MortalStore(store, 2, "after")).reserve_name(name)
    return uuid_number(1)


def finish(store: Store) -> None:
    """A run of recover that finds the leases revoked long ago."""
    recover(store, after_seconds=20 * GRACE)


def finish_what_recover_left(store: Store) -> None:
    """A run that revokes what a recover left that was killed, and one that forgets it."""
    finish(store)
    recover(store, after_seconds=30 * GRACE)


# What was stranded


def test_a_group_that_a_client_left_between_its_two_writes_is_removed_and_nothing_else(
    store: Store,
) -> None:
    kept = bare_journal(store, new_uuids=uuids(100)).reserve_name("kept")
    before = contents(store)
    stranded = die_in_reserve(store)
    assert recover(store) == Recovery(leases_revoked=[stranded], records_removed=[stranded])
    assert contents(store).keys() == before.keys()
    finish(store)
    assert contents(store) == before
    assert bare_journal(store).check_reservation("kept") == kept


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lease_size", [1, 2])
def test_whenever_a_client_dies_two_runs_leave_whole_reservations_and_no_lease(
    place: Place, lease_size: int, when: When
) -> None:
    for nth in itertools.count(1):
        store = place.open(lambda: LONG_AGO_NS)
        _empty(store)
        mortal = MortalStore(store, nth, when)
        promised = {}
        with suppress(Died):
            journal = client(mortal, lease_size=lease_size)
            for name in ("a", "b", "c"):
                promised[name] = journal.reserve_name(name)
            journal.add_volumes_mapping(promised["a"].group_uuid, {"vol-1": ""})
            gone = promised.pop("b")
            journal.undo_reservation(gone.group_name, "b")
        recover(store)
        finish(store)
        require_clean(store)
        rest = bare_journal(store)
        for name, reservation in promised.items():
            found = rest.check_reservation(name)
            assert found is not None
            assert found.group_uuid == reservation.group_uuid
        assert not [key for key in contents(store).get(DIRECTORY, {}) if "lease" in key]
        if not mortal.died:
            return


@pytest.mark.parametrize(("age", "revoked"), [(0, 0), (GRACE - 1, 0), (GRACE, 1)])
def test_a_young_lease_and_what_it_lists_stay(store: Store, age: int, revoked: int) -> None:
    die_in_reserve(store)
    before = contents(store)
    assert len(recover(store, after_seconds=age).leases_revoked) == revoked
    assert (contents(store) == before) is not bool(revoked)
    recover(store)
    finish(store)


def test_a_revoked_lease_is_kept_until_it_is_old_and_then_removed(store: Store) -> None:
    stranded = die_in_reserve(store)
    recover(store, after_seconds=GRACE)
    lease = Lease((stranded, uuid_number(2)), since=seconds_later(GRACE), revoked=True)
    assert contents(store) == {DIRECTORY: {lease.key: lease.value}}
    assert recover(store, after_seconds=2 * GRACE - 1) == Recovery()
    assert contents(store) == {DIRECTORY: {lease.key: lease.value}}
    assert recover(store, after_seconds=2 * GRACE) == Recovery(leases_removed=[stranded])
    assert contents(store) == {DIRECTORY: {}}


def test_one_run_does_not_remove_a_lease_that_it_revoked(store: Store) -> None:
    stranded = die_in_reserve(store)
    assert recover(store, older_than=0).leases_removed == []
    assert recover(store, older_than=0).leases_removed == [stranded]


def test_a_group_that_an_owner_of_a_revoked_lease_made_and_left_is_found_by_the_next_run(
    store: Store,
) -> None:
    """The double fault: slow, then dead."""
    slow = MeddlingStore(store, 2, lambda: recover(store, after_seconds=GRACE))
    with pytest.raises(Died):
        client(MortalStore(slow, 2, "after")).reserve_name("a")
    assert GROUPS.record_object(uuid_number(1)) in contents(store)
    recovery = recover(store, after_seconds=2 * GRACE)
    assert recovery == Recovery(leases_removed=[uuid_number(1)], records_removed=[uuid_number(1)])


def test_more_leases_than_a_page_holds_are_gone_through(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    leases = [Lease((uuid_number(number),), since=LONG_AGO) for number in range(1100)]
    store.write(Write(DIRECTORY, puts={lease.key: lease.value for lease in leases}))
    assert len(recover(store, older_than=0).leases_revoked) == 1100
    assert len(recover(store, older_than=0).leases_removed) == 1100
    assert contents(store) == {DIRECTORY: {}}


def _empty(store: Store) -> None:
    for name in list(store.object_names()):
        store.write(Write(name, remove_object=True))


# Owners that were only slow


@pytest.mark.parametrize("lease_size", [1, 2, 64])
def test_an_owner_that_was_only_slow_gets_its_reservation_under_a_new_lease(
    store: Store, lease_size: int
) -> None:
    slow = MeddlingStore(store, 3, lambda: recover(store))
    with client(slow, lease_size=lease_size) as journal:
        made = journal.reserve_name("a")
        journal.add_volumes_mapping(made.group_uuid, {"vol-1": ""})
    assert made.group_uuid == uuid_number(1 + lease_size)
    found = bare_journal(store).check_reservation("a")
    assert found is not None
    assert (found.group_uuid, found.volume_map) == (made.group_uuid, {"vol-1": ""})
    finish(store)


def test_a_reservation_under_a_lease_that_was_never_given_back_is_not_touched(
    store: Store,
) -> None:
    journal = client(store)
    made = journal.reserve_name("a")
    journal.add_volumes_mapping(made.group_uuid, {"vol-1": ""})
    before = contents(store)
    assert recover(store).records_removed == []
    finish(store)
    (lease_key,) = (key for key in before[DIRECTORY] if "lease" in key)
    del before[DIRECTORY][lease_key]
    assert contents(store) == before


def test_a_stranded_group_that_got_members_is_left_for_verify_to_show(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    stranded = die_in_reserve(store)
    store.write(Write(GROUPS.record_object(stranded), puts={"vol-1": b""}))
    assert recover(store).records_removed == []
    finish(store)
    (finding,) = look(store, clock=lambda: NOW)[0]
    assert (finding.kind, finding.group_uuid) == ("detached-group", stranded)


# Entries


def test_half_an_undo_is_finished(store: Store) -> None:
    with client(store) as journal:
        made = journal.reserve_name("a")
    with pytest.raises(Died):
        client(MortalStore(store, 1, "after")).undo_reservation(made.group_name, "a")
    assert recover(store) == Recovery(entries_removed=["a"])
    assert contents(store) == {DIRECTORY: {}}


@pytest.mark.parametrize(("age", "removed"), [(GRACE - 1, False), (GRACE, True)])
def test_a_group_that_a_peer_never_named_is_collected_when_it_is_old(
    store: Store, age: int, *, removed: bool
) -> None:
    _half_made_by_a_peer(store)
    recovery = recover(store, after_seconds=age)
    assert recovery.entries_removed == ["a"] * removed
    assert recovery.pending == (not removed)
    recover(store)


def _half_made_by_a_peer(store: Store) -> None:
    store.write(Write(GROUPS.record_object(uuid_number(9)), puts={"csi.groupname": b""}))
    store.write(Write(DIRECTORY, puts={GROUPS.entry_key("a"): uuid_number(9).encode()}))


# Damage, and what is others'


DAMAGED = {
    "nameless_group": 1,
    "entry_of_a_group_whose_name_has_no_entry": 1,
    "entry_of_a_group_whose_name_is_no_text": 1,
    "two_entries_of_one_group": 1,
    "entry_of_another_names_leftover": 1,
    "corrupt_entries": 5,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_counted_and_left_alone(place: Place, damage: str) -> None:
    damaged = DamagedPool()
    damaged.add(damage)
    store = damaged.build(place)
    assert recover(store) == Recovery(damaged=DAMAGED[damage])
    assert contents(store) == damaged.before()


@pytest.mark.parametrize(
    "damage", ["orphan_group_with_an_empty_name", "orphan_group_whose_name_is_no_text"]
)
def test_a_leased_group_whose_name_no_client_writes_is_counted_and_left_alone(damage: str) -> None:
    damaged = DamagedPool()
    damaged.add(damage)
    (found,) = damaged.found
    damaged.lease(found.group_uuid)
    store = damaged.build(MemoryPlace())
    expected = Recovery(leases_revoked=[found.group_uuid], damaged=1)
    assert recover(store, dry_run=True) == recover(store) == expected
    assert GROUPS.record_object(found.group_uuid) in contents(store)


@settings(max_examples=60, deadline=None)
@given(damaged_pools())
def test_beside_any_damage_only_leases_and_entries_without_groups_go(damaged: DamagedPool) -> None:
    store = damaged.build(MemoryPlace())
    recover(store)
    _require_untouched(damaged, contents(store))


def test_other_instances_foreign_objects_and_groups_of_ceph_csi_stay(place: Place) -> None:
    damaged = every_damage()
    store = damaged.build(place)
    recover(store)
    after = contents(store)
    assert {name: after[name] for name in FOREIGN} == FOREIGN
    _require_untouched(damaged, after)


def _require_untouched(damaged: DamagedPool, after: Objects) -> None:
    """But for the default directory, nothing changed and only groups that may went."""
    before, may = damaged.before(), damaged.after()
    gone = before.keys() - after.keys()
    assert gone <= before.keys() - may.keys()
    for name, entries in after.items():
        if name != DIRECTORY:
            assert entries == before[name]
    lost = before[DIRECTORY].keys() - after[DIRECTORY].keys()
    assert lost <= before[DIRECTORY].keys() - may[DIRECTORY].keys()


def test_each_instance_is_recovered_by_itself(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    for instance_id in ("default", "b"):
        name = GROUPS.directory_object(instance_id)
        store.write(Write(name, puts={GROUPS.entry_key("a"): uuid_number(9).encode()}))
    assert recover(store, instance_id="b").entries_removed == ["a"]
    assert list(contents(store)[DIRECTORY]) == [GROUPS.entry_key("a")]


# How it goes about it


@settings(max_examples=60, deadline=None)
@given(damaged_pools())
def test_a_dry_run_changes_nothing_and_says_what_a_run_would_do(damaged: DamagedPool) -> None:
    store = damaged.build(MemoryPlace())
    said = recover(store, dry_run=True)
    assert contents(store) == damaged.before()
    assert asdict(said) == asdict(recover(store))


def test_it_never_lists_the_place(place: Place) -> None:
    counting = CountingStore(every_damage().build(place))
    recover(counting)
    assert "object_names" not in counting.take()


def test_an_empty_place_has_nothing_to_recover(store: Store) -> None:
    assert recover(store) == Recovery()
    assert contents(store) == {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_was_killed_anywhere_is_finished_by_the_next(when: When) -> None:
    for nth in itertools.count(1):
        store = _left_behind()
        mortal = MortalStore(store, nth, when)
        with suppress(Died):
            recover(mortal)
        recover(store)
        finish_what_recover_left(store)
        require_clean(store)
        assert contents(store).keys() == {DIRECTORY, GROUPS.record_object(uuid_number(100))}
        if not mortal.died:
            return


@pytest.mark.parametrize("for_ever", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_whose_writes_are_not_answered_is_finished_by_the_next(
    when: When, *, for_ever: bool
) -> None:
    for nth in itertools.count(1):
        store = _left_behind()
        faulty = FaultyStore(store, nth, when, for_ever=for_ever)
        with suppress(Exception):
            recover(faulty)
        recover(store)
        finish_what_recover_left(store)
        require_clean(store)
        if not faulty.struck:
            return


def _left_behind() -> Store:
    """A stranded group, half an undo, a group that never got a name, and one that is whole."""
    store = MemoryPlace().open(lambda: LONG_AGO_NS)
    bare_journal(store, new_uuids=uuids(100)).reserve_name("kept")
    die_in_reserve(store)
    store.write(Write(DIRECTORY, puts={GROUPS.entry_key("half"): uuid_number(8).encode()}))
    _half_made_by_a_peer(store)
    return store
