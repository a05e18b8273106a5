"""Leases cost next to nothing, and go when they are over, unless a UUID's fate is not certain."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from csijournal import Store, VolumeGroupJournal
from csijournal.check.findings import FindingKind
from csijournal.check.scan import Depth, Verifier
from csijournal.errors import (
    AlreadyReserved,
    InvalidInput,
    OutcomeUnknown,
    PlaceUnusable,
    StoreError,
    StoreFull,
)
from csijournal.journal.leases import Leases
from csijournal.journal.steps import Records
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.wire.leases import LEASE_PREFIX, Lease, parse_lease
from csijournal.wire.schema import GROUPS
from support.counting import CountingStore
from support.damage import GRACE
from support.faulty import Died, FaultyStore, MeddlingStore, MortalStore
from support.journals import LONG_AGO, seconds_later, uuid_number, uuids
from support.places import MemoryPlace, Place
from support.verified import contents, require_clean
from support.wrapping import Call, WrappingStore

DIRECTORY = "csi.groups.default"


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A store that must be clean when the test is over."""
    store = place.open()
    yield store
    require_clean(store)


@pytest.fixture
def counting(store: Store) -> CountingStore:
    return CountingStore(store)


def leases_in(store: Store, instance_id: str = "default") -> list[Lease]:
    entries = store.read_object(GROUPS.directory_object(instance_id)) or {}
    found = [parse_lease(*item) for item in entries.items()]
    return [lease for lease in found if lease is not None]


def numbered(store: Store, **options: object) -> VolumeGroupJournal:
    """A journal whose UUIDs are counted."""
    source = uuids()
    return VolumeGroupJournal(store, settle_seconds=0, new_uuid=lambda: next(source), **options)  # type: ignore[arg-type]


# What it costs


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_reserving_takes_two_writes_and_one_more_for_each_lease(
    counting: CountingStore, size: int
) -> None:
    with VolumeGroupJournal(counting, settle_seconds=0, lease_size=size) as journal:
        for number in range(3 * size):
            journal.reserve_name(f"a{number}")
    assert counting.take() == ["write"] * (2 * 3 * size + 3)


def test_without_leases_there_is_never_a_trace_of_one(counting: CountingStore) -> None:
    with VolumeGroupJournal(counting, settle_seconds=0, lease_size=0) as journal:
        for number in range(5):
            journal.reserve_name(f"a{number}")
        with pytest.raises(AlreadyReserved):
            journal.reserve_name("a0")
    for call in counting.calls:
        if call.write is not None:
            keys = [*call.write.puts, *call.write.deletions]
            assert [key for key in keys if "lease" in key] == []
            assert [g for g in call.write.guards if "lease" in str(g)] == []


def test_no_lease_is_taken_before_it_is_needed(counting: CountingStore) -> None:
    with VolumeGroupJournal(counting, settle_seconds=0) as journal:
        journal.check_reservation("a")
        journal.undo_reservation(f"csi-vol-group-{uuid_number(1)}", "a")
    assert contents(counting) == {}


# Their course


def test_a_lease_lists_its_uuids_and_their_first_names_it(store: Store) -> None:
    with numbered(store, lease_size=3, clock=lambda: LONG_AGO) as journal:
        made = journal.reserve_name("a")
        (lease,) = leases_in(store)
        assert lease == Lease(tuple(map(uuid_number, (1, 2, 3))), since=LONG_AGO)
        assert lease.lease_id == made.group_uuid


def test_the_entry_of_the_last_uuid_gives_the_lease_back(counting: CountingStore) -> None:
    with VolumeGroupJournal(counting, settle_seconds=0, lease_size=2) as journal:
        journal.reserve_name("a")
        assert len(leases_in(counting)) == 1
        counting.take()
        journal.reserve_name("b")
        assert counting.take() == ["write", "write"]
        assert leases_in(counting) == []


def test_closing_gives_back_what_is_left(store: Store) -> None:
    journal = VolumeGroupJournal(store, settle_seconds=0, lease_size=5)
    journal.reserve_name("a")
    journal.close()
    assert leases_in(store) == []
    journal.close()


def test_a_closed_journal_that_is_used_again_takes_a_new_lease(store: Store) -> None:
    journal = numbered(store, lease_size=5)
    first = journal.reserve_name("a")
    journal.close()
    second = journal.reserve_name("b")
    journal.close()
    assert (first.group_uuid, second.group_uuid) == (uuid_number(1), uuid_number(6))


def test_closing_never_fails() -> None:
    store = MemoryStore()
    journal = VolumeGroupJournal(store, settle_seconds=0)
    journal.reserve_name("a")
    store.close()
    journal.close()
    with pytest.raises(PlaceUnusable):
        journal.reserve_name("b")


def test_a_uuid_that_was_spent_on_a_taken_name_is_not_used_again(store: Store) -> None:
    with numbered(store, lease_size=3) as journal:
        journal.reserve_name("a")
        with pytest.raises(AlreadyReserved):
            journal.reserve_name("a")
        assert journal.reserve_name("b").group_uuid == uuid_number(3)


def test_a_lease_whose_last_uuid_was_refused_goes_with_the_next(store: Store) -> None:
    with numbered(store, lease_size=2) as journal:
        journal.reserve_name("a")
        with pytest.raises(AlreadyReserved):
            journal.reserve_name("a")
        assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(1)]
        journal.reserve_name("b")
        assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(3)]


@pytest.mark.parametrize(("age", "renewed"), [(0, False), (GRACE // 3, False), (GRACE // 2, True)])
def test_an_old_lease_is_not_used_on(store: Store, age: int, *, renewed: bool) -> None:
    moment = [LONG_AGO]
    with numbered(store, lease_size=8, clock=lambda: moment[0]) as journal:
        journal.reserve_name("a")
        moment[0] = seconds_later(age)
        journal.reserve_name("b")
        (lease,) = leases_in(store)
        assert lease.since == (moment[0] if renewed else LONG_AGO)


def test_instances_have_leases_of_their_own(store: Store) -> None:
    with (
        VolumeGroupJournal(store, settle_seconds=0, lease_size=2) as one,
        VolumeGroupJournal(store, settle_seconds=0, instance_id="b", lease_size=2) as other,
    ):
        one.reserve_name("a")
        other.reserve_name("a")
        assert len(leases_in(store)) == len(leases_in(store, "b")) == 1


# Threads


@pytest.mark.parametrize("size", [1, 3, 64])
def test_threads_share_leases_and_leave_none(store: Store, size: int) -> None:
    made: list[str] = []
    with VolumeGroupJournal(store, settle_seconds=0, lease_size=size) as journal:

        def work(number: int) -> None:
            made.extend(journal.reserve_name(f"{number}-{n}").group_uuid for n in range(20))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(made)) == 80
    assert leases_in(store) == []


def test_a_lease_is_not_given_back_while_another_thread_is_at_work_under_it(store: Store) -> None:
    """The other one takes the last UUID, and is done before the first one writes its entry."""
    journal = numbered(store, lease_size=2)
    seen: list[list[Lease]] = []

    def last() -> None:
        journal.reserve_name("b")
        seen.append(leases_in(store))

    # Calls: the lease, the group object, and before the entry the other thread's.
    slow = MeddlingStore(store, 3, last)
    journal._records.store = slow
    journal.reserve_name("a")
    assert [lease.lease_id for lease in seen[0]] == [uuid_number(1)]
    journal.close()
    assert leases_in(store) == []


# Revoked under its owner's feet


def _recover_from_all(store: Store) -> None:
    VolumeGroupJournal(store, settle_seconds=0, clock=lambda: seconds_later(10 * GRACE)).recover(0)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_an_owner_whose_lease_is_revoked_at_any_call_gets_its_reservation_under_another(
    place: Place, size: int
) -> None:
    nth, meddled = 0, True
    while meddled:
        nth += 1
        inner = place.open(lambda: LONG_AGO.nanoseconds)
        _empty(inner)
        slow = MeddlingStore(inner, nth, lambda inner=inner: _recover_from_all(inner))  # type: ignore[misc]
        with numbered(slow, lease_size=size, clock=lambda: LONG_AGO) as journal:
            made = [journal.reserve_name(name) for name in ("a", "b")]
        meddled = slow.meddled
        fresh = VolumeGroupJournal(inner, settle_seconds=0)
        assert [fresh.check_reservation(name) for name in ("a", "b")] == made
        for _ in range(2):
            _recover_from_all(inner)
        require_clean(inner)
        assert len(contents(inner)) == 3


@pytest.mark.parametrize("size", [2, 64])
def test_an_owner_learns_of_it_at_the_first_refusal(counting: CountingStore, size: int) -> None:
    with VolumeGroupJournal(counting, settle_seconds=0, lease_size=size) as journal:
        journal.reserve_name("a")
        VolumeGroupJournal(counting.inner, settle_seconds=0).recover(0)
        counting.take()
        journal.reserve_name("b")
        refused = ["write", "write", "write", "read_keys", "read_keys"]
        assert counting.take() == [*refused, "write", "write", "write"]
    VolumeGroupJournal(counting, settle_seconds=0).recover(0)


def _empty(store: Store) -> None:
    for name in list(store.object_names()):
        store.write(Write(name, remove_object=True))


# UUIDs whose fate is not certain


@pytest.mark.parametrize("nth", [2, 3])
def test_a_lease_with_a_uuid_whose_fate_is_not_certain_stays_for_recover(
    store: Store, nth: int
) -> None:
    """The store answers nothing from the group object's or the entry's write on."""
    faulty = FaultyStore(store, nth, "after", for_ever=True)
    journal = numbered(faulty, lease_size=2)
    with pytest.raises(OutcomeUnknown):
        journal.reserve_name("a")
    journal.close()
    journal._records.store = store
    journal.close()
    assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(1)]
    for _ in range(2):
        VolumeGroupJournal(store, settle_seconds=0).recover(0)


def test_a_uuid_whose_fate_is_not_certain_does_not_hold_up_the_next(store: Store) -> None:
    journal = numbered(FaultyStore(store, 3, "after", for_ever=True), lease_size=2)
    with pytest.raises(OutcomeUnknown):
        journal.reserve_name("a")
    journal._records.store = store
    assert journal.ensure_reservation("a").reservation.group_uuid == uuid_number(1)
    assert journal.reserve_name("b").group_uuid == uuid_number(2)
    assert journal.reserve_name("c").group_uuid == uuid_number(3)
    journal.close()
    assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(1)]
    for _ in range(2):
        VolumeGroupJournal(store, settle_seconds=0).recover(0)


def test_whenever_a_client_dies_its_lease_lists_what_it_left(place: Place) -> None:
    nth, died = 0, True
    while died:
        nth += 1
        store = place.open()
        _empty(store)
        mortal = MortalStore(store, nth)
        with suppress(Died):
            VolumeGroupJournal(mortal, settle_seconds=0, lease_size=2).reserve_name("a")
        died = mortal.died
        leased = {group_uuid for lease in leases_in(store) for group_uuid in lease.uuids}
        groups = {GROUPS.uuid_of_record(name) for name in contents(store)} - {None}
        assert groups <= leased
        for _ in range(2):
            VolumeGroupJournal(store, settle_seconds=0).recover(0)
        require_clean(store)


def test_a_group_object_that_cannot_be_taken_back_stays_leased() -> None:
    store = MemoryPlace().open()
    journal = numbered(_FailingAt(store, {3, 4}), lease_size=2)
    with pytest.raises(StoreError, match="refused"):
        journal.reserve_name("a")
    journal.close()
    assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(1)]
    recovery = VolumeGroupJournal(store, settle_seconds=0).recover(0)
    assert recovery.records_removed == [uuid_number(1)]
    VolumeGroupJournal(store, settle_seconds=0).recover(0)
    require_clean(store)


def test_a_refused_removal_after_two_recoveries_leaves_an_orphan_and_is_reported() -> None:
    """The one thing that an owner who lives can leave behind, as docs/correctness.md tells."""
    store = MemoryPlace().open()

    def recover_twice() -> None:
        for _ in range(2):
            _recover_from_all(store)

    # Calls: the lease, the group object, the entry, its refused removal.
    slow = MeddlingStore(_FailingAt(store, {4}), 2, recover_twice)
    journal = numbered(slow, lease_size=1, clock=lambda: LONG_AGO)
    with pytest.raises(StoreError, match="refused"):
        journal.reserve_name("a")
    journal.close()
    assert leases_in(store) == []
    verifier = Verifier(store, depth=Depth.FULL, grace_seconds=0, settle_seconds=0)
    assert [finding.kind for finding in verifier.findings()] == [FindingKind.ORPHAN_GROUP]


# What the store refuses


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_group_object_that_a_full_store_refuses_costs_no_lease(store: Store, size: int) -> None:
    """The lease, a new key in an object that is there, passes; new objects do not."""
    journal = numbered(_FailingAt(store, {2, 3, 4}), lease_size=size)
    for name in ("a", "b", "a"):
        with pytest.raises(StoreFull):
            journal.reserve_name(name)
        assert [lease.lease_id for lease in leases_in(store)] == [uuid_number(1)]
    assert journal.reserve_name("a").group_uuid == uuid_number(1)
    journal.close()
    assert leases_in(store) == []


def test_a_full_store_that_refuses_all_but_leases_keeps_none_when_the_journal_closes(
    store: Store,
) -> None:
    journal = numbered(_FailingAt(store, set(range(2, 12))), lease_size=2)
    for number in range(10):
        with pytest.raises(StoreFull):
            journal.reserve_name(f"a{number}")
    journal.close()
    assert contents(store) == {DIRECTORY: {}}


@pytest.mark.parametrize("size", [1, 2])
def test_an_entry_that_a_full_store_refuses_costs_no_lease(store: Store, size: int) -> None:
    journal = numbered(_FailingAt(store, {3}), lease_size=size)
    with pytest.raises(StoreFull):
        journal.reserve_name("a")
    assert journal.reserve_name("a").group_uuid == uuid_number(2)
    journal.close()
    assert leases_in(store) == []


@pytest.mark.parametrize("size", [-1, 1.5, "8", None])
def test_a_size_that_is_no_number_of_uuids_is_invalid_input(size: int) -> None:
    records = Records(MemoryStore(), GROUPS, "default")
    with pytest.raises(InvalidInput, match="whole number"):
        Leases(records, size=size, renew_ns=1, new_uuid=str, clock=lambda: LONG_AGO)


# A store that does not answer


class _SlowLeases(WrappingStore):
    """The writes of leases, from a number on, wait at a gate and may fail there."""

    def __init__(self, inner: Store, first: int) -> None:
        super().__init__(inner)
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.error: Exception | None = None
        self._passing = itertools.count(1)
        self._first = first

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        puts = call.write.puts if call.write else ()
        is_lease = any(key.startswith(LEASE_PREFIX) for key in puts)
        if is_lease and next(self._passing) >= self._first:
            self.arrived.release()
            assert self.gate.acquire(timeout=20)
            if self.error is not None:
                raise self.error
        yield


class _CountedLock:
    """A lock that tells how many came to it."""

    def __init__(self) -> None:
        self.entered = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.entered += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _in_threads(*actions: Callable[[], object]) -> list[threading.Thread]:
    def act(action: Callable[[], object]) -> None:
        with suppress(StoreError):
            action()

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    return threads


def _finish(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_a_lease_without_an_answer_holds_up_nobody_who_has_a_uuid_or_can_take_one(
    store: Store,
) -> None:
    slow = _SlowLeases(store, first=2)
    journal = numbered(slow, lease_size=2)
    with journal._leases.acquire() as second, ThreadPoolExecutor(1) as pool:
        with journal._leases.acquire() as first:
            waiting = _in_threads(lambda: journal.reserve_name("waits"))
            assert slow.arrived.acquire(timeout=10)
            first.unused = True
        assert pool.submit(second.condition).result(10) == second.condition()
        assert pool.submit(journal.reserve_name, "goes on").result(10).group_uuid == uuid_number(2)
    slow.gate.release(100)
    _finish(waiting)
    journal.close()
    assert leases_in(store) == []


def test_those_who_waited_for_a_lease_that_failed_do_not_wait_for_each_other(store: Store) -> None:
    slow = _SlowLeases(store, first=1)
    slow.error = PlaceUnusable("no answer")
    journal = numbered(slow, lease_size=2)
    queue = journal._leases._acquiring = _CountedLock()  # type: ignore[assignment]
    threads = _in_threads(*(partial(journal.reserve_name, name) for name in "abc"))
    assert slow.arrived.acquire(timeout=10)
    while queue.entered < 3:
        threading.Event().wait(0.001)
    slow.gate.release()
    for _ in range(2):
        assert slow.arrived.acquire(timeout=10)
    slow.gate.release(100)
    _finish(threads)


class _FailingAt(WrappingStore):
    """Refuses some of its writes, by their number."""

    def __init__(self, inner: Store, numbers: set[int]) -> None:
        super().__init__(inner)
        self._numbers = numbers
        self._writes = 0

    def write(self, write: Write) -> None:
        self._writes += 1
        if self._writes in self._numbers:
            raise StoreFull("refused")
        self.inner.write(write)
