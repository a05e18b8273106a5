"""A client of the volume or snapshot journal dies at any call of the store: the next one goes on.

Told of each call of each operation, before and after it reached the store.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable

import pytest

from csijournal import Store
from csijournal.errors import OutcomeUnknown, RequestMismatch, StoreTimeout
from csijournal.store import Write
from support.faulty import Died, FaultyStore, MortalStore
from support.image_crashes import (
    CRASHES,
    ENTRY,
    KINDS,
    NAME,
    RECORD,
    SOURCE,
    UUID,
    Crash,
    die_in,
    ensure,
    open_journal,
    put_all,
    state,
    undo,
)
from support.killing import When
from support.places import LONG_AGO_NS, MemoryPlace, Place, dump, fill
from support.processes import opener_of, shared_between_processes, start
from support.recorded import AnyImageJournal, directory_name, name_key, record_name

WHENS: tuple[When, ...] = ("before", "after")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CRASHES)
def test_a_client_that_dies_at_any_call_leaves_what_the_next_one_can_go_on_with(
    place: Place, kind: str, name: str
) -> None:
    crash = CRASHES[name]
    for nth in itertools.count(1):
        for when in WHENS:
            store = begin(place, kind, crash)
            died = die(store, kind, crash, nth, when)
            judge(store, kind, crash)
        if not died:
            assert nth > 1
            return


def begin(place: Place, kind: str, crash: Crash) -> Store:
    """The place with nothing but what is there before."""
    store = place.open(lambda: LONG_AGO_NS)
    for object_name in list(store.object_names()):
        store.write(Write(object_name, remove_object=True))
    fill(store, state(kind, crash.before))
    return store


def die(store: Store, kind: str, crash: Crash, nth: int, when: When) -> bool:
    """Do it from the start and die; False: it came to the end."""
    try:
        crash.act(open_journal(MortalStore(store, nth, when), kind))
    except Died:
        return True
    return False


def judge(store: Store, kind: str, crash: Crash) -> None:
    """What the next client finds, and what is there in the end."""
    require_nothing_lost(store, kind, crash)
    journal = open_journal(store, kind)
    found = journal.check_reservation(NAME)
    assert (found is not None) in crash.found
    crash.act(journal)
    done = journal.check_reservation(NAME)
    assert (done is not None) == crash.done
    if done is not None:
        assert done.uuid == UUID or not crash.same_uuid
        assert found is None or done.uuid == found.uuid
        assert kind == "volume" or done.source_name == SOURCE
    journal.close()
    open_journal(store, kind).recover(0)
    open_journal(store, kind).recover(0)
    left = dump(store)
    entries = {} if done is None else {record_name(kind, NAME): done.uuid}
    assert left.pop(directory_name(kind, "default"), {}) == entries
    assert set(left) == {record_name(kind, uuid) for uuid in entries.values()}


def require_nothing_lost(store: Store, kind: str, crash: Crash) -> None:
    """Every record has its entry, or a lease that lists it, or was there before."""
    omaps = dump(store)
    directory = omaps.pop(directory_name(kind, "default"), {})
    known = " ".join(directory.values())
    for object_name in omaps.keys() - state(kind, crash.before).keys():
        assert object_name.removeprefix(record_name(kind, "")) in known
    uuid = directory.get(record_name(kind, NAME), "")
    record = omaps.get(record_name(kind, uuid), {})
    assert record.get(name_key(kind), NAME) == NAME


# Processes that are killed

KILLED_IN = [
    *(("volume", name) for name in ("ensure", "ensure over a dangling entry", "undo", "puts")),
    *(("snapshot", name) for name in ("ensure a chosen UUID", "undo")),
]
"""Some of them: above all are done to a client that ends in its process."""


@shared_between_processes
@pytest.mark.parametrize(("kind", "name"), KILLED_IN)
def test_a_client_killed_at_any_call_leaves_what_the_next_one_can_go_on_with(
    place: Place, kind: str, name: str
) -> None:
    for nth in itertools.count(1):
        for when in WHENS:
            store = begin(place, kind, CRASHES[name])
            killed = was_killed(place, kind, name, nth, when)
            judge(store, kind, CRASHES[name])
        if not killed:
            assert nth > 1
            return


def was_killed(place: Place, kind: str, name: str, nth: int, when: When) -> bool:
    """Do it from the start in a process that dies; False: it came to the end."""
    process = start(die_in, opener_of(place), kind, name, nth, when)
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


# Writes that are not answered

UNANSWERED = {
    "ensure": ((), ensure),
    "ensure over a dangling entry": ((ENTRY,), ensure),
    "undo": ((ENTRY, RECORD), undo),
    "puts": ((ENTRY, RECORD), put_all),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("name", UNANSWERED)
def test_a_write_without_an_answer_is_resolved_or_told_and_can_be_repeated(
    kind: str, name: str, *, for_ever: bool
) -> None:
    parts, act = UNANSWERED[name]
    right = outcome(kind, parts, act)
    for nth in itertools.count(1):
        for when in WHENS:
            store = MemoryPlace().open(lambda: LONG_AGO_NS)
            fill(store, state(kind, parts))
            faulty = FaultyStore(store, nth, when, for_ever=for_ever)
            try:
                act(open_journal(faulty, kind))
            except (OutcomeUnknown, StoreTimeout):
                # A lease is never sent twice, and cleanup takes a single one.
                assert for_ever or name == "ensure over a dangling entry"
            act(open_journal(store, kind))
            assert shape(store) == right
        if not faulty.struck:
            assert nth > 1
            return


def outcome(kind: str, parts: tuple[str, ...], act: Callable[[AnyImageJournal], object]) -> object:
    store = MemoryPlace().open(lambda: LONG_AGO_NS)
    fill(store, state(kind, parts))
    act(open_journal(store, kind))
    return shape(store)


def shape(store: Store) -> object:
    """What lies there after recover, without the UUIDs that were drawn."""
    for kind in KINDS:
        open_journal(store, kind).recover(0)
        open_journal(store, kind).recover(0)
    records = [
        {key: value for key, value in omap.items() if key != "csi.imagename"}
        for name, omap in dump(store).items()
        if not name.startswith(("csi.volumes.", "csi.snaps."))
    ]
    entries = [len(omap) for name, omap in dump(store).items() if "s." in name[:12]]
    return records, entries


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("group_id", ["", "group"])
def test_a_put_without_an_answer_is_not_taken_for_done_on_another_names_record(
    kind: str, when: When, group_id: str
) -> None:
    store = MemoryPlace().open(lambda: LONG_AGO_NS)
    fill(store, state(kind, (ENTRY, RECORD)))
    if group_id:
        open_journal(store, kind).put_group_id(UUID, NAME, group_id)
    before = dump(store)
    with pytest.raises(RequestMismatch):
        open_journal(FaultyStore(store, 1, when), kind).put_group_id(UUID, "another", group_id)
    assert dump(store) == before
