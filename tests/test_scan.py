"""Verify finds exactly the damage that is there, and only what is there still."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings

from csijournal import Store, VolumeGroupJournal
from csijournal.check import scan as verify
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.scan import Verifier
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from support.counting import CountingStore
from support.damage import DAMAGES, GRACE, NOW, Wreck, every_damage, wrecks
from support.faulty import MeddlingStore
from support.journals import LONG_AGO, uuid_number
from support.places import MemoryPlace, Place
from support.verified import Told, contents, look, require_clean, told


def require_exactly(wreck: Wreck, store: Store) -> None:
    deep, summary = look(store, clock=lambda: NOW)
    assert sorted(map(told, deep)) == sorted(wreck.found)
    assert summary.in_the_making == wreck.making
    assert sum(summary.kinds.values()) == len(deep)
    quick, summary = look(store, deep=False, clock=lambda: NOW)
    assert sorted(map(told, quick)) == sorted(wreck.found_quickly())
    assert summary.in_the_making == wreck.making_quick


# Exactly the damage


@settings(max_examples=60, deadline=None)
@given(wrecks())
def test_exactly_the_damage_is_found_in_any_mixture(wreck: Wreck) -> None:
    require_exactly(wreck, wreck.build(MemoryPlace()))


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_and_named(damage: str) -> None:
    wreck = Wreck()
    wreck.add(damage)
    require_exactly(wreck, wreck.build(MemoryPlace()))


def test_exactly_the_damage_is_found_where_there_is_every_one(place: Place) -> None:
    wreck = every_damage()
    require_exactly(wreck, wreck.build(place))


def test_a_healthy_place_beside_other_journals_and_images_is_clean(place: Place) -> None:
    store = Wreck().build(place)
    assert look(store, clock=lambda: NOW)[0] == []
    require_clean(store)


def test_looking_writes_nothing(place: Place) -> None:
    wreck = every_damage()
    counting = CountingStore(wreck.build(place))
    look(counting, clock=lambda: NOW)
    assert "write" not in counting.take()
    assert contents(counting) == wreck.before()


def test_a_place_with_nothing_in_it_is_clean(place: Place) -> None:
    findings, summary = look(place.open())
    assert findings == []
    assert summary.instances == ["default"]


def test_the_damages_of_these_tests_are_of_every_kind() -> None:
    kinds = {finding.kind for finding in every_damage().found}
    assert kinds == set(FindingKind) - {FindingKind.LARGE_DIRECTORY}


def test_a_directory_near_the_limit_of_its_keys_is_called_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wreck = Wreck()
    store = wreck.build(MemoryPlace())
    keys = len(wreck.old["csi.groups.default"])
    monkeypatch.setattr(verify, "LARGE_DIRECTORY_KEYS", keys)
    assert look(store, deep=False)[0] == []
    monkeypatch.setattr(verify, "LARGE_DIRECTORY_KEYS", keys - 1)
    (finding,) = look(store, deep=False)[0]
    assert (finding.kind, finding.found) == (FindingKind.LARGE_DIRECTORY, f"{keys} keys")
    assert (finding.object_name, finding.automatic) == ("csi.groups.default", False)


@pytest.mark.parametrize("entries", [1, 999, 1000, 1001, 2500])
def test_every_entry_is_looked_at_however_many_pages_there_are(entries: int) -> None:
    store = MemoryStore()
    names = {f"n{number}": uuid_number(number) for number in range(entries)}
    puts = {GROUPS.entry_key(name): group_uuid.encode() for name, group_uuid in names.items()}
    store.write(Write("csi.groups.default", puts=puts))
    findings, summary = look(store)
    assert {finding.request_name for finding in findings} == names.keys()
    assert len(findings) == entries == summary.entries == summary.keys
    assert Verifier(store).count_keys() == entries


# Age


@pytest.mark.parametrize(("age", "kinds"), [(GRACE - 1, []), (GRACE, [FindingKind.EMPTY_OBJECT])])
def test_the_grace_time_ends_with_its_last_second(
    place: Place, age: int, kinds: list[FindingKind]
) -> None:
    wreck = Wreck()
    wreck.add("empty_object")
    store = wreck.build(place)
    now = type(LONG_AGO)(LONG_AGO.nanoseconds + age * 1_000_000_000)
    findings, summary = look(store, clock=lambda: now)
    assert [finding.kind for finding in findings] == kinds
    assert summary.in_the_making == 1 - len(kinds)


def test_without_a_grace_time_nothing_is_too_young_to_be_found() -> None:
    wreck = Wreck()
    young = [damage for damage in DAMAGES if "young" in damage]
    for damage in young:
        wreck.add(damage)
    store = wreck.build(MemoryPlace())
    findings, summary = look(store, clock=lambda: NOW, grace_seconds=0)
    assert summary.in_the_making == 0
    assert len(findings) == len(young) + len(wreck.found)


# What it counts


def test_the_summary_counts_what_was_looked_at(place: Place) -> None:
    store = place.open()
    with VolumeGroupJournal(store, lease_size=0) as journal:
        for name in ("a", "b", "c"):
            journal.reserve_name(name)
        kept = journal.check_reservation("a")
        assert kept is not None
        journal.add_volumes_mapping(kept.group_uuid, {"vol-1": "", "vol-2": ""})
    with VolumeGroupJournal(store, instance_id="other", lease_size=2) as leasing:
        leasing.reserve_name("a")
        findings, summary = look(store)
    assert findings == []
    assert summary.instances == ["default", "other"]
    assert (summary.entries, summary.keys, summary.leases) == (4, 5, 1)
    assert (summary.groups, summary.members, summary.objects_listed) == (4, 2, 6)
    assert summary.sizes == {0: 3, 2: 1}
    assert summary.ages_days == {0: 4}
    assert look(store, deep=False)[1].groups == 3


def test_ages_are_counted_in_whole_days_and_unknown_ones_apart() -> None:
    wreck = Wreck()
    wreck.add("no_creation_time")
    later = type(NOW)(NOW.nanoseconds + 3 * 24 * 3600 * 1_000_000_000)
    summary = look(wreck.build(MemoryPlace()), deep=False, clock=lambda: later)[1]
    assert summary.ages_days == {3: 2, -1: 1}


# While others are at work


def _reserve(store: Store) -> None:
    VolumeGroupJournal(store, lease_size=1).reserve_name("new")


def _undo(store: Store) -> None:
    journal = VolumeGroupJournal(store)
    kept = journal.check_reservation("kept")
    assert kept is not None
    journal.undo_reservation(kept.group_name, "kept")


def _come_and_go(store: Store) -> None:
    with VolumeGroupJournal(store) as journal:
        made = journal.reserve_name("new")
        journal.add_volumes_mapping(made.group_uuid, {"vol-1": ""})
        journal.undo_reservation(made.group_name, "new")


def _renew(store: Store) -> None:
    _undo(store)
    VolumeGroupJournal(store, lease_size=1).reserve_name("kept")


@pytest.mark.parametrize("action", [_reserve, _undo, _come_and_go, _renew])
@pytest.mark.parametrize("deep", [True, False])
def test_what_others_do_between_two_reads_is_not_taken_for_damage(
    action: Callable[[Store], None], *, deep: bool
) -> None:
    nth = 0
    meddled = True
    while meddled:
        nth += 1
        inner = MemoryStore()
        with VolumeGroupJournal(inner) as journal:
            journal.reserve_name("kept")
            journal.reserve_name("z")
        store = MeddlingStore(inner, nth, lambda inner=inner: action(inner))  # type: ignore[misc]
        assert look(store, deep=deep)[0] == []
        meddled = store.meddled
    assert nth > 3


def meddle_everywhere(
    damage: str, action: Callable[[Store, Told], None], *, deep: bool = True
) -> list[list[Finding]]:
    """What is found of a damage when the action is done before the first, second, ... call.

    The last of them is of a look that nobody meddled with.
    """
    reports: list[list[Finding]] = []
    meddled = True
    while meddled:
        wreck = Wreck()
        wreck.add(damage)
        inner = wreck.build(MemoryPlace())
        act = partial(action, inner, wreck.found[0])
        store = MeddlingStore(inner, len(reports) + 1, act)
        reports.append(look(store, deep=deep, clock=lambda: NOW)[0])
        meddled = store.meddled
    assert len(reports) > 5
    return reports


def _remove(store: Store, found: Told) -> None:
    store.write(Write(found.object_name, remove_object=True))


def _remove_entry(store: Store, found: Told) -> None:
    store.write(Write("csi.groups.default", deletions=[found.key]))


def _enter(store: Store, found: Told) -> None:
    key = GROUPS.entry_key(found.request_name)
    store.write(Write("csi.groups.default", puts={key: found.group_uuid.encode()}))


@pytest.mark.parametrize("damage", ["empty_object", "orphan_group", "detached_group"])
def test_a_group_that_goes_while_it_is_looked_at_is_not_reported(damage: str) -> None:
    *meddled_with, undisturbed = meddle_everywhere(damage, _remove)
    assert undisturbed
    assert meddled_with == [[]] * len(meddled_with)


@pytest.mark.parametrize("damage", ["orphan_group", "detached_group"])
def test_a_group_that_gets_its_entry_before_it_is_read_is_not_reported(damage: str) -> None:
    """Even when the directory was walked before."""
    reports = meddle_everywhere(damage, _enter)
    read = reading_of_the_group(damage)
    assert reports[:read] == [[]] * read
    assert reports[-1]


def test_a_wrong_entry_that_goes_before_its_group_is_read_is_not_reported() -> None:
    damage = "entry_of_a_group_whose_name_has_no_entry"
    reports = meddle_everywhere(damage, _remove_entry, deep=False)
    read = reading_of_the_group(damage, deep=False)
    assert reports[:read] == [[]] * read
    assert reports[-1]


def reading_of_the_group(damage: str, *, deep: bool = True) -> int:
    """The number of the call that reads the damaged group."""
    wreck = Wreck()
    wreck.add(damage)
    counting = CountingStore(wreck.build(MemoryPlace()))
    look(counting, deep=deep, clock=lambda: NOW)
    calls = [(call.verb, call.object_name) for call in counting.calls]
    return calls.index(("read_object", wreck.found[0].object_name)) + 1


def test_a_group_that_goes_while_its_entry_stays_is_never_reported_as_still_there() -> None:
    *meddled_with, undisturbed = meddle_everywhere("unpopulated_group", _remove)
    assert [finding.kind for finding in undisturbed] == [FindingKind.UNPOPULATED_GROUP]
    kinds = [[finding.kind for finding in found] for found in meddled_with]
    assert kinds[0] == [FindingKind.DANGLING_ENTRY]
    assert [] in kinds
