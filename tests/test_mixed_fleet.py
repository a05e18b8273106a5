"""A driver that writes as Ceph-CSI does and csijournal on one store: the driver loses nothing."""

from __future__ import annotations

import itertools
import random
import threading
import uuid as uuids
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from csijournal import SnapshotJournal, Store, VolumeJournal
from csijournal.errors import (
    Conflict,
    JournalDamaged,
    RecordNotFound,
    ReservationPending,
)
from csijournal.journal.cleanup import StandsBehind
from csijournal.store import Write
from support.journals import uuid_number
from support.peers import Peer
from support.places import MemoryPlace, Place, dump
from support.recorded import AnyImageJournal, directory_name, name_key, record_name

NAME = "pvc-1"
OURS, PEERS, OLDER = uuid_number(0xA), uuid_number(0xB), uuid_number(0xC)
KINDS = ("volume", "snapshot")
each_kind = pytest.mark.parametrize("kind", KINDS)


def open_journal(
    store: Store, kind: str, *, lease_size: int = 4, stands_behind: StandsBehind | None = None
) -> AnyImageJournal:
    journal = {"volume": VolumeJournal, "snapshot": SnapshotJournal}[kind]
    made: AnyImageJournal = journal(
        store, lease_size=lease_size, settle_seconds=0, stands_behind=stands_behind
    )
    return made


def ensure(journal: AnyImageJournal, name: str = NAME, uuid: str | None = None) -> str:
    if isinstance(journal, VolumeJournal):
        return journal.ensure_reservation(name, uuid=uuid).reservation.uuid
    return journal.ensure_reservation(name, source_name="csi-vol-src", uuid=uuid).reservation.uuid


def recover_twice(journal: AnyImageJournal) -> None:
    journal.recover(0)
    journal.recover(0)


def undo_older(journal: AnyImageJournal) -> None:
    journal.undo_reservation(f"csi-vol-{OLDER}", NAME)


OPERATIONS: dict[str, Callable[[AnyImageJournal], object]] = {
    "check": lambda journal: journal.check_reservation(NAME),
    "ensure": ensure,
    "ensure a chosen UUID": lambda journal: ensure(journal, uuid=OURS),
    "ensure the UUID of the peer": lambda journal: ensure(journal, uuid=PEERS),
    "recover": recover_twice,
    "undo of an older one": undo_older,
    "undo under another name": lambda journal: journal.undo_reservation(f"x{PEERS}", "other"),
    "put under another name": lambda journal: journal.put_image_id(PEERS, "other", "1"),
    "put what is not there": lambda journal: journal.put_owner(PEERS, NAME, "peer"),
}


@each_kind
@pytest.mark.parametrize("stands_behind", [None, lambda *_: False], ids=["alone", "nothing-behind"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_csijournal_does_between_any_two_writes_of_a_peer_takes_nothing_from_it(
    kind: str, operation: str, stands_behind: StandsBehind | None
) -> None:
    for gap in itertools.count():
        store = MemoryPlace().open()
        older = {name_key(kind): NAME.encode()}
        store.write(Write(record_name(kind, OLDER), puts=older))
        peer = Peer(store, kind)
        steps = peer.reserve(NAME, PEERS)
        came_to = list(itertools.islice(steps, gap))
        journal = open_journal(store, kind, stands_behind=stands_behind)
        with suppress(Conflict, JournalDamaged, RecordNotFound, ReservationPending):
            OPERATIONS[operation](journal)
        for _ in steps:
            pass
        require_one_owner(store, kind, peer)
        recover_twice(open_journal(store, kind, stands_behind=stands_behind))
        require_one_owner(store, kind, peer)
        if len(came_to) < gap:
            assert gap > len(("looked", "created", "entered", "populated"))
            return


def require_one_owner(store: Store, kind: str, peer: Peer) -> None:
    """The peer has all that it was told; what it was not told is another's, whole."""
    peer.require_all_there()
    if not peer.told:
        entry = dump(store)[directory_name(kind, "default")][record_name(kind, NAME)]
        assert dump(store)[record_name(kind, entry)][name_key(kind)] == NAME
        assert peer.found.get(NAME, entry) == entry


@each_kind
def test_a_record_whose_entry_a_peer_overwrote_stays_where_an_image_stands_behind_it(
    place: Place, kind: str
) -> None:
    store = place.open()
    peer = Peer(store, kind)
    steps = peer.reserve(NAME, PEERS)
    next(steps)
    ours = ensure(open_journal(store, kind))
    assert list(steps) == ["created", "entered", "populated"]
    finder = open_journal(store, kind, stands_behind=lambda uuid, _name: uuid == ours)
    assert finder.recover(0).damaged == 1
    recover_twice(finder)
    assert finder.get_attributes(ours).request_name == NAME
    assert finder.check_reservation(NAME) is not None
    peer.require_all_there()


@each_kind
def test_a_name_that_a_peer_is_about_to_fill_is_pending_and_then_the_peers(
    place: Place, kind: str
) -> None:
    store = place.open()
    peer = Peer(store, kind)
    steps = peer.reserve(NAME, PEERS)
    assert list(itertools.islice(steps, 3)) == ["looked", "created", "entered"]
    journal = open_journal(store, kind, stands_behind=lambda *_: False)
    with pytest.raises(ReservationPending):
        journal.check_reservation(NAME)
    assert list(steps) == ["populated"]
    assert ensure(journal) == PEERS
    peer.require_all_there()


@each_kind
def test_a_late_put_of_a_peer_makes_a_record_that_nothing_of_ours_touches(
    place: Place, kind: str
) -> None:
    store = place.open()
    journal = open_journal(store, kind)
    ours = ensure(journal)
    journal.undo_reservation(f"x{ours}", NAME)
    store.write(Write(record_name(kind, ours), puts={"csi.imageid": b"1"}))
    recover_twice(open_journal(store, kind, stands_behind=lambda *_: False))
    assert dump(store)[record_name(kind, ours)] == {"csi.imageid": "1"}
    assert ensure(journal) != ours


# At once


class Fleet:
    """Drivers and clients of csijournal, in threads, on names of which each driver has its own."""

    ROUNDS = 60
    DRIVERS = 2

    def __init__(self, place: Place, kind: str) -> None:
        self.kind = kind
        self.stores = [place.open() for _ in range(2 * self.DRIVERS)]
        self.peers = [Peer(self.stores[number], kind) for number in range(self.DRIVERS)]
        self.barrier = threading.Barrier(2 * self.DRIVERS)
        self.names = [f"pvc-{number}" for number in range(4 * self.DRIVERS)]

    def drive(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a seed, no secret
        peer, names = self.peers[number], self.names[number :: self.DRIVERS]
        self.barrier.wait()
        for _ in range(self.ROUNDS):
            name = dice.choice(names)
            if name in peer.told:
                finish(peer.undo(name, peer.told[name][0]))
            else:
                finish(peer.reserve(name, str(uuids.uuid4())))

    def work(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311 - a seed, no secret
        journal = open_journal(self.stores[number], self.kind, stands_behind=self.is_there)
        self.barrier.wait()
        for _ in range(self.ROUNDS):
            name = dice.choice(self.names)
            with suppress(Conflict, JournalDamaged, RecordNotFound, ReservationPending):
                ours = ensure(journal, name)
                journal.put_group_id(ours, "not-" + name, "group")
            if dice.random() < 0.2:
                journal.recover(0)

    def is_there(self, uuid: str, _image_name: str) -> bool:
        return any(uuid == told for peer in self.peers for told, _ in tuple(peer.told.values()))


def finish(steps: Iterator[str]) -> None:
    for _ in steps:
        pass


@each_kind
def test_drivers_and_csijournal_at_once_leave_the_drivers_all_that_they_were_told(
    place: Place, kind: str
) -> None:
    fleet = Fleet(place, kind)
    with ThreadPoolExecutor(2 * fleet.DRIVERS) as executor:
        running = [
            executor.submit(fleet.drive if number < fleet.DRIVERS else fleet.work, number)
            for number in range(2 * fleet.DRIVERS)
        ]
        for task in running:
            task.result()
    for peer in fleet.peers:
        peer.require_all_there()
