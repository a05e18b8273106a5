"""Verify finds exactly the damage that is there, and only what is there still."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings

from csijournal import Store, VolumeGroupJournal
from csijournal.check import directory
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.scan import Depth, Summary, Verifier
from csijournal.inventory.contract import NoInventory
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from support.counting import CountingStore
from support.damage import (
    DAMAGES,
    FOREIGN,
    GRACE,
    GROUP_KINDS,
    MEMBERS,
    NOW,
    DamagedPool,
    damaged_pools,
    every_damage,
)
from support.faulty import MeddlingStore
from support.journals import LONG_AGO, uuid_number
from support.places import MemoryPlace, Place
from support.verified import Told, contents, look, require_clean, told


def require_exactly(pool: DamagedPool, store: Store) -> None:
    deep, summary = look(store, clock=lambda: NOW)
    assert sorted(map(told, deep)) == sorted(pool.found)
    assert summary.pending == pool.pending
    assert sum(summary.kinds.values()) == len(deep)
    quick, summary = look(store, deep=False, clock=lambda: NOW)
    assert sorted(map(told, quick)) == sorted(pool.found_quickly())
    assert summary.pending == pool.pending_quick


# Exactly the damage


@settings(max_examples=60, deadline=None)
@given(damaged_pools())
def test_exactly_the_damage_is_found_in_any_mixture(pool: DamagedPool) -> None:
    require_exactly(pool, pool.build(MemoryPlace()))


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_is_found_and_named(damage: str) -> None:
    pool = DamagedPool()
    pool.add(damage)
    require_exactly(pool, pool.build(MemoryPlace()))


def test_exactly_the_damage_is_found_where_there_is_every_one(place: Place) -> None:
    pool = every_damage()
    require_exactly(pool, pool.build(place))


def test_a_healthy_place_beside_other_journals_and_images_is_clean(place: Place) -> None:
    store = DamagedPool().build(place)
    assert look(store, clock=lambda: NOW)[0] == []
    require_clean(store, clock=lambda: NOW)


def test_looking_writes_nothing(place: Place) -> None:
    pool = every_damage()
    counting = CountingStore(pool.build(place))
    look(counting, clock=lambda: NOW)
    assert "write" not in counting.take()
    assert contents(counting) == pool.before()


def test_a_place_with_nothing_in_it_is_clean(place: Place) -> None:
    findings, summary = look(place.open())
    assert findings == []
    assert summary.instances == ["default"]


def test_the_damages_of_these_tests_are_of_every_kind() -> None:
    kinds = {finding.kind for finding in every_damage().found}
    elsewhere = {FindingKind.LARGE_DIRECTORY, FindingKind.UNREADABLE_KEY}
    assert kinds == GROUP_KINDS - elsewhere


def test_a_directory_near_the_limit_of_its_keys_is_called_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = DamagedPool()
    store = pool.build(MemoryPlace())
    keys = len(pool.old["csi.groups.default"])
    monkeypatch.setattr(directory, "LARGE_DIRECTORY_KEYS", keys)
    assert look(store, deep=False, clock=lambda: NOW)[0] == []
    monkeypatch.setattr(directory, "LARGE_DIRECTORY_KEYS", keys - 1)
    (finding,) = look(store, deep=False, clock=lambda: NOW)[0]
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


# How much is listed


def _ticking(step: float) -> Callable[[], float]:
    """A clock on which each look at it takes `step` seconds."""
    ticks = itertools.count()
    return lambda: next(ticks) * step


def check(store: Store, depth: Depth, *, step: float = 0.0) -> tuple[list[Finding], Summary]:
    verifier = Verifier(
        store,
        journals=(GROUPS,),
        inventory=NoInventory(),
        depth=depth,
        settle_seconds=0,
        clock=lambda: NOW,
        monotonic=_ticking(step),
    )
    return list(verifier.findings()), verifier.summary


def test_the_default_check_finds_all_where_the_listing_ends_in_time(place: Place) -> None:
    pool = every_damage()
    store = pool.build(place)
    findings, summary = check(store, Depth.LIMITED)
    assert sorted(map(told, findings)) == sorted(pool.found)
    assert summary.listing_ended
    assert not any(text.startswith("what nothing points at") for text in summary.not_looked_at)


def test_a_listing_that_was_cut_short_makes_nothing_an_orphan() -> None:
    pool = every_damage()
    store = pool.build(MemoryPlace())
    findings, summary = check(store, Depth.LIMITED, step=0.5)
    kinds = {finding.kind for finding in findings}
    of_listing = {
        FindingKind.ORPHAN_GROUP,
        FindingKind.EMPTY_OBJECT,
        FindingKind.DETACHED_GROUP,
        FindingKind.MEMBERS_ELSEWHERE,
    }
    assert not kinds & of_listing
    assert FindingKind.DANGLING_ENTRY in kinds
    assert not summary.complete
    assert "the objects were listed for 10 s and not to the end" in summary.not_looked_at[0]
    assert check(store, Depth.FULL, step=0.5)[1].listing_ended


def test_a_quick_check_lists_no_objects_and_says_so() -> None:
    counting = CountingStore(every_damage().build(MemoryPlace()))
    _, summary = check(counting, Depth.QUICK)
    assert "object_names" not in counting.take()
    assert (summary.objects_walked, summary.complete) == (0, False)
    assert "--quick lists no objects" in summary.not_looked_at[0]


@pytest.mark.parametrize("depth", Depth)
def test_other_journals_are_named_as_not_looked_at_whatever_the_depth(depth: Depth) -> None:
    summary = check(DamagedPool().build(MemoryPlace()), depth)[1]
    assert sorted(summary.other_journals) == ["csi.snaps.default", "csi.volumes.default"]
    (said,) = (text for text in summary.not_looked_at if "--journal leaves them out" in text)
    assert "csi.volumes.default" in said


def test_journal_objects_are_counted_among_all_others(place: Place) -> None:
    summary = check(DamagedPool().build(place), Depth.FULL)[1]
    foreign = [name for name in FOREIGN if not name.startswith("csi.")]
    assert summary.objects_walked == summary.objects_listed + len(foreign)


@pytest.mark.parametrize("depth", Depth)
def test_the_shards_of_a_directory_count_as_the_one_instance(depth: Depth) -> None:
    """The entries of a name and of the group's owner may be in two of them."""
    pool = DamagedPool()
    for shard in ("3", "10"):
        name, group_uuid = pool.name(), pool.uuid()
        pool.entry(name, group_uuid, f"default.{shard}")
        pool.group(group_uuid, name, members=MEMBERS)
    owner, group_uuid = pool.name(), pool.uuid()
    pool.entry(owner, group_uuid, "default.10")
    pool.group(group_uuid, owner, members=MEMBERS)
    wrong = pool.name()
    pool.entry(wrong, group_uuid, "default.3")

    findings, summary = check(pool.build(MemoryPlace()), depth)
    assert {(f.kind, f.instance_id) for f in findings} == {
        (FindingKind.SHARDED_DIRECTORY, "default"),
        (FindingKind.SHARED_UUID, "default.3"),
    }
    assert findings[0].found == "shards 3, 10"
    assert "default" in summary.instances
    assert "default.3" not in summary.instances


@pytest.mark.parametrize(("age_hours", "found"), [(23, False), (25, True)])
def test_a_group_without_members_is_unfinished_a_day_after_it_was_reserved(
    age_hours: int, *, found: bool
) -> None:
    created = type(NOW)(NOW.nanoseconds - age_hours * 3600 * 1_000_000_000)
    pool = DamagedPool()
    name, group_uuid = pool.name(), pool.uuid()
    pool.entry(name, group_uuid)
    pool.group(group_uuid, name, creationtime=str(created).encode())
    kinds = [finding.kind for finding in check(pool.build(MemoryPlace()), Depth.FULL)[0]]
    assert kinds == [FindingKind.UNFINISHED_GROUP] * found


# Age


@pytest.mark.parametrize(("age", "kinds"), [(GRACE - 1, []), (GRACE, [FindingKind.EMPTY_OBJECT])])
def test_the_grace_time_ends_with_its_last_second(
    place: Place, age: int, kinds: list[FindingKind]
) -> None:
    pool = DamagedPool()
    pool.add("empty_object")
    store = pool.build(place)
    now = type(LONG_AGO)(LONG_AGO.nanoseconds + age * 1_000_000_000)
    findings, summary = look(store, clock=lambda: now)
    assert [finding.kind for finding in findings] == kinds
    assert summary.pending == 1 - len(kinds)


def test_without_a_grace_time_nothing_is_too_young_to_be_found() -> None:
    pool = DamagedPool()
    young = [damage for damage in DAMAGES if "young" in damage]
    for damage in young:
        pool.add(damage)
    store = pool.build(MemoryPlace())
    findings, summary = look(store, clock=lambda: NOW, grace_seconds=0)
    assert summary.pending == 0
    assert len(findings) == len(young) + len(pool.found)


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
        leasing.reserve_name("d")
        findings, summary = look(store)
    assert findings == []
    assert summary.instances == ["default", "other"]
    assert (summary.entries, summary.keys, summary.leases) == (4, 5, 1)
    assert (summary.groups, summary.members, summary.objects_listed) == (4, 2, 6)
    assert summary.sizes == {0: 3, 2: 1}
    assert summary.ages_days == {0: 4}
    assert look(store, deep=False)[1].groups == 3


def test_ages_are_counted_in_whole_days_and_unknown_ones_apart() -> None:
    pool = DamagedPool()
    pool.add("no_creation_time")
    later = type(NOW)(NOW.nanoseconds + 3 * 24 * 3600 * 1_000_000_000)
    summary = look(pool.build(MemoryPlace()), deep=False, clock=lambda: later)[1]
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
        pool = DamagedPool()
        pool.add(damage)
        inner = pool.build(MemoryPlace())
        act = partial(action, inner, pool.found[0])
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
    pool = DamagedPool()
    pool.add(damage)
    counting = CountingStore(pool.build(MemoryPlace()))
    look(counting, deep=deep, clock=lambda: NOW)
    calls = [(call.verb, call.object_name) for call in counting.calls]
    return calls.index(("read_object", pool.found[0].object_name)) + 1


def test_a_group_that_goes_while_its_entry_stays_is_reported_as_what_it_is_then() -> None:
    *meddled_with, undisturbed = meddle_everywhere("unpopulated_group", _remove)
    assert [finding.kind for finding in undisturbed] == [FindingKind.UNPOPULATED_GROUP]
    kinds = [[finding.kind for finding in found] for found in meddled_with]
    assert kinds[0] == [FindingKind.DANGLING_ENTRY]
    dangling = kinds.count([FindingKind.DANGLING_ENTRY])
    unpopulated = [[FindingKind.UNPOPULATED_GROUP]] * (len(kinds) - dangling)
    assert kinds == [[FindingKind.DANGLING_ENTRY]] * dangling + unpopulated
