"""A client of the volume or snapshot journal dies at any call of the store: the next one goes on.

Told of each call of each operation, before and after it reached the store.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from csijournal import SnapshotJournal, Store, VolumeJournal
from csijournal.errors import OutcomeUnknown, RequestMismatch, StoreTimeout, UUIDInUse
from csijournal.store import Write
from csijournal.wire.leases import Lease
from support.faulty import Died, FaultyStore, MortalStore
from support.journals import LONG_AGO, uuid_number
from support.killing import When
from support.places import LONG_AGO_NS, MemoryPlace, Omaps, Place, dump, fill
from support.recorded import AnyImageJournal, directory_name, name_key, record_name

NAME, SOURCE = "pvc-1", "csi-vol-src"
UUID, OLDER = uuid_number(0xA), uuid_number(0xB)
KINDS = ("volume", "snapshot")
WHENS: tuple[When, ...] = ("before", "after")


def open_journal(store: Store, kind: str) -> AnyImageJournal:
    """One of a driver that knows that nothing stands behind what is stale."""
    journal = {"volume": VolumeJournal, "snapshot": SnapshotJournal}[kind]
    made: AnyImageJournal = journal(
        store, lease_size=2, settle_seconds=0, stands_behind=lambda *_: False
    )
    return made


def ensure(journal: AnyImageJournal, uuid: str | None = None) -> None:
    if isinstance(journal, VolumeJournal):
        journal.ensure_reservation(NAME, uuid=uuid)
    else:
        journal.ensure_reservation(NAME, source_name=SOURCE, uuid=uuid)


def ensure_chosen(journal: AnyImageJournal) -> None:
    """A record with this UUID that a client left without an entry is recover's to remove."""
    try:
        ensure(journal, UUID)
    except UUIDInUse:
        journal.recover(0)
        ensure(journal, UUID)


def ensure_and_close(journal: AnyImageJournal) -> None:
    ensure(journal)
    journal.close()


def undo(journal: AnyImageJournal) -> None:
    journal.undo_reservation(f"csi-vol-{UUID}", NAME)


def put_all(journal: AnyImageJournal) -> None:
    journal.put_image_id(UUID, NAME, "10ab12cd34ef")
    journal.put_group_id(UUID, NAME, "group")
    journal.put_owner(UUID, NAME, "ns-2")
    journal.put_attribute(UUID, NAME, "nfs.cluster", "my-nfs")


ENTRY, RECORD, EMPTY, LEASED = "entry", "record", "empty record", "leased record"


def state(kind: str, parts: tuple[str, ...]) -> Omaps:
    directory: dict[str, str] = {}
    omaps: Omaps = {}
    attributes = {name_key(kind): NAME, "csi.imagename": f"csi-vol-{UUID}"}
    if kind == "snapshot":
        attributes["csi.source"] = SOURCE
    if ENTRY in parts:
        directory[record_name(kind, NAME)] = UUID
    if RECORD in parts:
        omaps[record_name(kind, UUID)] = attributes
    if EMPTY in parts:
        omaps[record_name(kind, UUID)] = {}
    if LEASED in parts:
        lease = Lease((OLDER,), since=LONG_AGO)
        directory[lease.key] = lease.value.decode()
        omaps[record_name(kind, OLDER)] = attributes | {"csi.imagename": f"csi-vol-{OLDER}"}
    return omaps | ({directory_name(kind, "default"): directory} if directory else {})


@dataclass(frozen=True)
class Crash:
    """An operation on a state; `found` and `done` say whether NAME may be, and is, reserved.

    Where `same_uuid`, only under UUID.
    """

    before: tuple[str, ...]
    act: Callable[[AnyImageJournal], object]
    found: tuple[bool, ...]
    done: bool
    same_uuid: bool = True


CRASHES = {
    "ensure": Crash((), ensure, (False, True), done=True, same_uuid=False),
    "ensure a chosen UUID": Crash((), ensure_chosen, (False, True), done=True),
    "ensure and close": Crash((), ensure_and_close, (False, True), done=True, same_uuid=False),
    "ensure what is there": Crash((ENTRY, RECORD), ensure, (True,), done=True),
    "ensure over a dangling entry": Crash(
        (ENTRY,), ensure, (False, True), done=True, same_uuid=False
    ),
    "ensure the UUID of a dangling entry": Crash((ENTRY,), ensure_chosen, (False, True), done=True),
    "ensure over an old empty record": Crash(
        (ENTRY, EMPTY), ensure, (False, True), done=True, same_uuid=False
    ),
    "undo": Crash((ENTRY, RECORD), undo, (False, True), done=False),
    "undo without an entry": Crash((RECORD,), undo, (False,), done=False),
    "puts": Crash((ENTRY, RECORD), put_all, (True,), done=True),
    "recover of a stranded record": Crash((LEASED,), lambda j: j.recover(0), (False,), done=False),
    "recover beside a reservation": Crash(
        (ENTRY, RECORD, LEASED), lambda j: j.recover(0), (True,), done=True
    ),
    "recover of a dangling entry": Crash((ENTRY,), lambda j: j.recover(0), (False,), done=False),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CRASHES)
def test_a_client_that_dies_at_any_call_leaves_what_the_next_one_can_go_on_with(
    place: Place, kind: str, name: str
) -> None:
    crash = CRASHES[name]
    for nth in itertools.count(1):
        for when in WHENS:
            store = place.open(lambda: LONG_AGO_NS)
            died = die(store, kind, crash, nth, when)
            judge(store, kind, crash)
        if not died:
            assert nth > 1
            return


def die(store: Store, kind: str, crash: Crash, nth: int, when: When) -> bool:
    """Do it from the start and die; False: it came to the end."""
    for object_name in list(store.object_names()):
        store.write(Write(object_name, remove_object=True))
    fill(store, state(kind, crash.before))
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
