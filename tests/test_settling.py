"""What contradicts itself must stand still before it is called wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from csijournal import Store, VolumeGroupJournal
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.scan import Depth, Summary, Verifier
from csijournal.check.settling import SETTLE_SECONDS, Settling
from csijournal.check.standing import standing
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from support.damage import NOW, DamagedPool
from support.journals import uuid_number
from support.places import MemoryPlace, Place
from support.verified import look


class Time:
    """A clock that only waiting moves; `while_waiting` is what others do during a wait."""

    def __init__(self, while_waiting: Callable[[], object] = lambda: None) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self._while_waiting = while_waiting

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._while_waiting()
        self.now += seconds


def check(
    store: Store, time: Time, *, settle_seconds: float = SETTLE_SECONDS, depth: Depth = Depth.FULL
) -> tuple[list[Finding], Summary]:
    verifier = Verifier(
        store,
        journals=(GROUPS,),
        depth=depth,
        settle_seconds=settle_seconds,
        clock=lambda: NOW,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    return list(verifier.findings()), verifier.summary


def half_undone(store: Store) -> Callable[[], None]:
    """A reservation between the two writes of its undo; what finishes it."""
    with VolumeGroupJournal(store, lease_size=0) as journal:
        made = journal.reserve_name("going")
    key = GROUPS.entry_key("going")
    store.write(Write(GROUPS.record_object(made.group_uuid), remove_object=True))
    return lambda: store.write(Write(GROUPS.directory_object("default"), deletions=[key]))


# In a check


def test_an_undo_that_is_halfway_is_no_finding_once_it_had_time_to_end(place: Place) -> None:
    store = place.open()
    time = Time(half_undone(store))

    assert check(store, time)[0] == []
    assert time.waits == [SETTLE_SECONDS]


def test_without_a_settle_time_the_same_undo_is_called_a_dangling_entry() -> None:
    store = MemoryStore()
    half_undone(store)

    (finding,) = check(store, Time(), settle_seconds=0)[0]
    assert (finding.kind, finding.request_name) == (FindingKind.DANGLING_ENTRY, "going")


def test_an_undo_that_never_ends_is_a_finding() -> None:
    store = MemoryStore()
    half_undone(store)
    time = Time()

    (finding,) = check(store, time)[0]
    assert (finding.kind, finding.automatic) == (FindingKind.DANGLING_ENTRY, True)
    assert time.waits == [SETTLE_SECONDS]


def test_a_name_that_points_at_another_missing_group_by_then_waits_once_more() -> None:
    """The second UUID was seen once: it may be the next undo, halfway."""
    store = MemoryStore()
    half_undone(store)
    key, other = GROUPS.entry_key("going"), uuid_number(77)
    directory = GROUPS.directory_object("default")

    time = Time(lambda: store.write(Write(directory, puts={key: other.encode()})))
    assert check(store, time)[0] == []


def test_a_contradiction_that_changes_is_read_until_it_stands_still() -> None:
    store = MemoryStore()
    group_uuid = uuid_number(5)
    puts = {GROUPS.entry_key("a"): group_uuid.encode()}
    store.write(Write(GROUPS.directory_object("default"), puts=puts))
    record = GROUPS.record_object(group_uuid)
    time = Time(lambda: store.write(Write(record, puts={"vol": b""})))

    (finding,) = check(store, time)[0]
    assert finding.kind is FindingKind.NAMELESS_GROUP
    assert time.waits == [SETTLE_SECONDS] * 2


@pytest.mark.parametrize("damages", [[], ["corrupt_entries", "unknown_keys", "stale_lease"]])
def test_nobody_waits_where_nothing_contradicts_itself(damages: list[str]) -> None:
    pool, time = DamagedPool(), Time()
    for damage in damages:
        pool.add(damage)

    found, _ = check(pool.build(MemoryPlace()), time)
    assert len(found) == len(pool.found)
    assert time.waits == []


def test_there_is_one_wait_for_all_that_is_suspicious() -> None:
    pool, time = DamagedPool(), Time()
    for damage in ("dangling_twins", "orphan_group", "unpopulated_group", "nameless_group") * 100:
        pool.add(damage)

    found, _ = check(pool.build(MemoryPlace()), time)
    assert len(found) == 500
    assert time.waits == [SETTLE_SECONDS]


def test_a_group_that_gets_its_entry_during_the_wait_is_no_orphan() -> None:
    pool = DamagedPool()
    pool.add("orphan_group")
    store = pool.build(MemoryPlace())
    (expected,) = pool.found
    entry = {GROUPS.entry_key(expected.request_name): expected.group_uuid.encode()}
    time = Time(lambda: store.write(Write(GROUPS.directory_object("default"), puts=entry)))

    assert check(store, time)[0] == []


def test_beside_clients_that_come_and_go_nothing_is_ever_found(place: Place) -> None:
    """Real threads, real time, and each undo held up between its two writes."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            store = place.open()
            while not stop.is_set():
                with VolumeGroupJournal(store, lease_size=1) as journal:
                    made = journal.reserve_name(f"busy-{number}")
                store.write(Write(GROUPS.record_object(made.group_uuid), remove_object=True))
                stop.wait(0.05)
                key = GROUPS.entry_key(f"busy-{number}")
                store.write(Write(GROUPS.directory_object("default"), deletions=[key]))
        except BaseException as error:
            failures.append(error)
            raise

    clients = [threading.Thread(target=come_and_go, args=(number,)) for number in range(2)]
    store = place.open()
    for client in clients:
        client.start()
    try:
        for _ in range(5):
            verifier = Verifier(store, depth=Depth.FULL, settle_seconds=0.4)
            assert list(verifier.findings()) == []
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failures == []


# For findings that were saved


def test_saved_findings_are_seen_twice_with_time_between_before_they_count() -> None:
    pool = DamagedPool()
    for damage in ("dangling_entry", "stale_lease", "two_entries_of_one_group"):
        pool.add(damage)
    store = pool.build(MemoryPlace())
    saved = look(store, clock=lambda: NOW)[0]
    time = Time()
    judged = standing(store, saved, monotonic=time.monotonic, sleep=time.sleep)
    assert {finding for finding, stands in judged if stands} == set(saved)
    assert time.waits == [SETTLE_SECONDS]


def test_a_saved_finding_that_heals_during_the_wait_does_not_count() -> None:
    store = MemoryStore()
    finish = half_undone(store)
    saved = check(store, Time())[0]
    time = Time(finish)
    judged = standing(store, saved, monotonic=time.monotonic, sleep=time.sleep)
    assert [stands for _, stands in judged] == [False]


def test_a_made_up_finding_of_a_healthy_reservation_does_not_count() -> None:
    store = MemoryStore()
    with VolumeGroupJournal(store, lease_size=0) as journal:
        made = journal.reserve_name("right")
    time = Time()
    claims = [
        Finding(kind, "", "default", request_name="right", uuid=uuid, automatic=True)
        for kind in (FindingKind.DANGLING_ENTRY, FindingKind.NAME_MISMATCH)
        for uuid in (made.group_uuid, uuid_number(9), "no UUID")
    ]
    nameless = Finding(FindingKind.DANGLING_ENTRY, "", uuid=made.group_uuid, automatic=True)
    claims.append(nameless)
    judged = standing(store, claims, monotonic=time.monotonic, sleep=time.sleep)
    assert [stands for _, stands in judged] == [False] * len(claims)
    assert time.waits == []


# The queue


def test_no_more_than_so_many_are_held_and_the_oldest_are_waited_for() -> None:
    time = Time()
    queue: Settling[int] = Settling(30, held_max=3, monotonic=time.monotonic, sleep=time.sleep)
    given: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            time.now += 1
            queue.add(number)
            for some in queue.settled():
                yield from some

    given += numbers()
    assert time.waits
    assert max(time.waits) <= 30
    assert len(given) >= 7
    for some in queue.rest():
        given += some
    assert given == list(range(10))
    assert queue.wait_seconds == 0
