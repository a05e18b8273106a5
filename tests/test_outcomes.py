"""A write that was not answered: the caller gets the truth or OutcomeUnknown, and can go on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from csijournal import Reservation, Store, VolumeGroupJournal
from csijournal.errors import (
    AlreadyReserved,
    ClientBlocked,
    GuardFailed,
    OutcomeUnknown,
    PermissionDenied,
    StoreBusy,
    StoreError,
    StoreTimeout,
    StoreUnreachable,
)
from csijournal.journal.outcomes import write_and_resolve
from csijournal.journal.steps import Records
from csijournal.store import KeyAbsent, Write
from csijournal.wire.schema import GROUPS
from support.damage import GRACE
from support.faulty import FaultyStore, MeddlingStore
from support.journals import LONG_AGO, seconds_later, uuids
from support.killing import When
from support.places import LONG_AGO_NS, MemoryPlace, Place
from support.verified import contents, require_clean
from support.wrapping import Call, WrappingStore

DIRECTORY = "csi.groups.default"
MEMBERS = {"vol-1": "x", "vol-2": ""}


def journal_on(store: Store, first: int = 1, lease_size: int = 2) -> VolumeGroupJournal:
    source = uuids(first)
    return VolumeGroupJournal(
        store,
        settle_seconds=0,
        lease_size=lease_size,
        new_uuid=lambda: next(source),
        clock=lambda: LONG_AGO,
    )


def prepared(store: Store) -> Reservation:
    """A reservation with members, made by another client."""
    with journal_on(store, 100) as journal:
        made = journal.reserve_name("there")
        journal.add_volumes_mapping(made.group_uuid, MEMBERS)
        found = journal.check_reservation("there")
        assert found is not None
        return found


@dataclass(frozen=True)
class Case:
    """An operation, and whether what lies in the store is what its answer says.

    `is_done` looks with a client that nothing stands in the way of.
    """

    act: Callable[[VolumeGroupJournal, Reservation], object]
    is_done: Callable[[VolumeGroupJournal, Reservation], bool]


def _is_there(name: str) -> Callable[[VolumeGroupJournal, Reservation], bool]:
    return lambda journal, _there: journal.check_reservation(name) is not None


CASES = {
    "reserve": Case(lambda journal, _: journal.reserve_name("new"), _is_there("new")),
    "ensure": Case(lambda journal, _: journal.ensure_reservation("new"), _is_there("new")),
    "ensure what is there": Case(
        lambda journal, _: journal.ensure_reservation("there"), _is_there("there")
    ),
    "undo": Case(
        lambda journal, there: journal.undo_reservation(there.group_name, "there"),
        lambda journal, _: journal.check_reservation("there") is None,
    ),
    "add": Case(
        lambda journal, there: journal.add_volumes_mapping(there.group_uuid, {"vol-3": "z"}),
        lambda journal, there: (
            journal.get_volume_group_attributes(there.group_uuid).volume_map
            == MEMBERS | {"vol-3": "z"}
        ),
    ),
    "remove": Case(
        lambda journal, there: journal.remove_volumes_mapping(there.group_uuid, MEMBERS),
        lambda journal, there: (
            journal.get_volume_group_attributes(there.group_uuid).volume_map == {}
        ),
    ),
    "recover": Case(lambda journal, _: journal.recover(GRACE), lambda *_: True),
}


def require_rest(store: Store) -> None:
    """What recover leaves behind all of this is clean."""
    for later in (10 * GRACE, 20 * GRACE):
        VolumeGroupJournal(
            store,
            settle_seconds=0,
            clock=lambda later=later: seconds_later(later),  # type: ignore[misc]
        ).recover(GRACE)
    require_clean(store)
    assert [key for key in contents(store).get(DIRECTORY, {}) if "lease" in key] == []


# Each write of each operation


@pytest.mark.parametrize("lease_size", [0, 1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", CASES)
def test_a_write_that_is_not_answered_once_is_settled(
    place: Place, case: str, when: When, lease_size: int
) -> None:
    for nth in itertools.count(1):
        store = _emptied(place)
        there = prepared(store)
        faulty = FaultyStore(store, nth, when)
        journal = journal_on(faulty, lease_size=lease_size)
        CASES[case].act(journal, there)
        assert CASES[case].is_done(journal_on(store, 200), there)
        journal.close()
        require_rest(store)
        if not faulty.struck:
            return


@pytest.mark.parametrize("lease_size", [0, 1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", CASES)
def test_a_store_that_stops_answering_is_said_and_the_same_call_later_does_it(
    place: Place, case: str, when: When, lease_size: int
) -> None:
    for nth in itertools.count(1):
        store = _emptied(place)
        there = prepared(store)
        faulty = FaultyStore(store, nth, when, for_ever=True)
        journal = journal_on(faulty, lease_size=lease_size)
        if not _answers(lambda journal=journal, there=there: CASES[case].act(journal, there)):  # type: ignore[misc]
            assert faulty.struck
            again = journal_on(store, 200, lease_size=lease_size)
            _repeat(case, again, there)
            again.close()
        assert CASES[case].is_done(journal_on(store, 300), there)
        journal.close()
        if lease_size or case not in {"reserve", "ensure"}:
            require_rest(store)
        if not faulty.struck:
            return


def _answers(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OutcomeUnknown, StoreTimeout):
        return False
    return True


def _repeat(case: str, journal: VolumeGroupJournal, there: Reservation) -> None:
    """What the hint of OutcomeUnknown says: the same call, but ensure after a reserve."""
    if case == "reserve":
        journal.ensure_reservation("new")
    else:
        CASES[case].act(journal, there)


def _emptied(place: Place) -> Store:
    store = place.open(lambda: LONG_AGO_NS)
    for name in list(store.object_names()):
        store.write(Write(name, remove_object=True))
    return store


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reserve_that_raised_outcome_unknown_never_made_two(when: When) -> None:
    for nth in itertools.count(1):
        store = MemoryPlace().open(lambda: LONG_AGO_NS)
        faulty = FaultyStore(store, nth, when, for_ever=True)
        answered = _answers(lambda faulty=faulty: journal_on(faulty).reserve_name("new"))  # type: ignore[misc]
        found = journal_on(store, 200).check_reservation("new")
        ensured = journal_on(store, 300).ensure_reservation("new")
        assert ensured.created == (found is None)
        assert found in (None, ensured.reservation)
        require_rest(store)
        assert len(contents(store)) == 2
        if answered:
            return


def test_a_name_that_somebody_else_took_is_refused_though_the_write_was_not_answered(
    place: Place,
) -> None:
    store = _emptied(place)
    theirs = []
    taking = MeddlingStore(
        store, 3, lambda: theirs.append(journal_on(store, 100, 0).reserve_name("a"))
    )
    with (
        journal_on(FaultyStore(taking, 3, "before")) as journal,
        pytest.raises(AlreadyReserved) as caught,
    ):
        journal.reserve_name("a")
    assert caught.value.group_uuid == theirs[0].group_uuid
    require_rest(store)


# The settling itself


class _Scripted(WrappingStore):
    """Answers each call with the next error of a list; None lets it through."""

    def __init__(self, inner: Store, *errors: Exception | None) -> None:
        super().__init__(inner)
        self._errors = list(errors)

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        del call
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        yield


WRITE = Write(DIRECTORY, guards=(KeyAbsent("k"),), puts={"k": b"ours"})


def settle(store: Store) -> None:
    def applied() -> bool:
        return (store.read_keys(DIRECTORY, ["k"]) or {}).get("k") == b"ours"

    write_and_resolve(store, WRITE, applied)


UNKNOWN = OutcomeUnknown("not answered")


def test_what_was_not_applied_is_sent_again() -> None:
    store = MemoryPlace().open()
    settle(_Scripted(store, UNKNOWN))
    assert contents(store) == {DIRECTORY: {"k": b"ours"}}


def test_what_was_applied_is_not_sent_again() -> None:
    store = MemoryPlace().open()
    store.write(WRITE)
    settle(_Scripted(store, UNKNOWN, None, AssertionError()))


def test_a_guard_that_somebody_else_broke_is_told_as_that() -> None:
    store = MemoryPlace().open()
    store.write(Write(DIRECTORY, puts={"k": b"theirs"}))
    with pytest.raises(GuardFailed):
        settle(_Scripted(store, UNKNOWN))


def test_a_first_try_that_was_applied_late_is_recognised() -> None:
    """It comes between the look and the second try, whose guard it breaks."""
    store = MemoryPlace().open()
    late = MeddlingStore(store, 2, lambda: store.write(WRITE))
    settle(_Scripted(late, UNKNOWN))
    assert contents(store) == {DIRECTORY: {"k": b"ours"}}


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown("x"),
        StoreTimeout("x"),
        StoreUnreachable("x"),
        StoreBusy("x"),
        ClientBlocked("x"),
        PermissionDenied("x"),
        StoreError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("calls_before", [0, 1])
def test_whatever_goes_wrong_then_the_first_try_may_still_have_been_applied(
    error: StoreError, calls_before: int
) -> None:
    """Neither "not applied" nor "applied" would be sure to be true."""
    errors = [UNKNOWN, *[None] * calls_before, *[error] * 9]
    with pytest.raises(OutcomeUnknown) as caught:
        settle(_Scripted(MemoryPlace().open(), *errors))
    assert caught.value is UNKNOWN


def test_a_look_back_that_fails_after_a_broken_guard_leaves_it_unknown() -> None:
    store = MemoryPlace().open()
    late = MeddlingStore(store, 2, lambda: store.write(WRITE))
    silent = [StoreTimeout("x")] * 9
    with pytest.raises(OutcomeUnknown):
        settle(_Scripted(late, UNKNOWN, None, None, *silent))


@pytest.mark.parametrize("error", [StoreTimeout("x"), StoreBusy("x")], ids=["timeout", "busy"])
def test_trouble_that_passes_is_got_over(error: StoreError) -> None:
    store = MemoryPlace().open()
    settle(_Scripted(store, UNKNOWN, error))
    assert contents(store) == {DIRECTORY: {"k": b"ours"}}


@pytest.mark.parametrize("error", [StoreBusy("x"), GuardFailed("x"), StoreUnreachable("x")])
def test_an_error_of_the_first_try_that_is_certain_is_told_at_once(error: StoreError) -> None:
    store = MemoryPlace().open()
    with pytest.raises(type(error)):
        settle(_Scripted(store, error, AssertionError()))


def test_an_entry_that_was_not_answered_and_then_blocked_keeps_its_group() -> None:
    """The entry was written: to take the group back would leave it dangling."""
    store = MemoryPlace().open()
    records = Records(store, GROUPS, "default")
    blocked = _Blocking(store)
    with pytest.raises(OutcomeUnknown):
        journal_on(blocked).reserve_name("a")
    entry = records.look_up("a")
    assert entry is not None
    assert records.is_consistent("a")
    require_rest(store)


class _Blocking(WrappingStore):
    """Applies the third write without an answer; then this client is shut out."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._writes = 0

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        if self._writes == 3 and not (call.write and call.write.remove_object):
            raise ClientBlocked("shut out")
        self._writes += call.write is not None
        yield
        if self._writes == 3 and call.write and not call.write.remove_object:
            raise OutcomeUnknown("not answered")
