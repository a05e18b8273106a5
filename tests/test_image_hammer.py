"""Many clients at one journal of volumes or snapshots, and what they were told compared."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from csijournal import Store
from csijournal.errors import Conflict, NotFound
from csijournal.journal.model import ImageReservation
from support.hammering import NAMES, Fact
from support.history import History
from support.image_hammering import (
    ensure,
    hammer_snapshots,
    hammer_volumes,
    open_journal,
)
from support.inventory import Inventory
from support.killed_clients import facts_of_clients
from support.places import Place, dump
from support.processes import shared_between_processes
from support.recorded import AnyImageJournal, directory_name, name_key, record_name

CLIENTS, ROUNDS = 6, 30
KEPT = ("kept-0", "kept-1")
CHURNED = ("churned-0", "churned-1")


@dataclass
class Told:
    """What one client was told: UUIDs that it made and undid, and ids that it put, by UUID."""

    made: list[tuple[str, str]] = field(default_factory=list)
    met: set[tuple[str, str]] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    put: dict[str, set[str]] = field(default_factory=dict)


class Client:
    def __init__(self, journal: AnyImageJournal, number: int, barrier: threading.Barrier) -> None:
        self._journal = journal
        self._dice = random.Random(number)  # noqa: S311 - a seed, no secret
        self._number = number
        self._barrier = barrier
        self.told = Told()

    def work(self) -> Told:
        self._barrier.wait()
        for turn in range(ROUNDS):
            name = self._dice.choice(KEPT + CHURNED)
            found, created = ensure(self._journal, name)
            assert found.request_name == name
            self.told.met.add((name, found.uuid))
            if created:
                self.told.made.append((name, found.uuid))
            self._put(found, f"{self._number}-{turn}")
            if name in CHURNED and self._dice.random() < 0.6:
                self._journal.undo_reservation(found.image_name, name)
                self.told.undone.add(found.uuid)
            if self._dice.random() < 0.1:
                self._journal.recover(0)
        return self.told

    def _put(self, found: ImageReservation, image_id: str) -> None:
        try:
            self._journal.put_image_id(found.uuid, found.request_name, image_id)
        except NotFound:
            assert found.request_name in CHURNED
        else:
            self.told.put.setdefault(found.uuid, set()).add(image_id)


@pytest.mark.parametrize("kind", ["volume", "snapshot"])
@pytest.mark.parametrize("openings", [1, CLIENTS])
def test_threads_agree_on_all_that_they_were_told(place: Place, kind: str, openings: int) -> None:
    stores = [place.open() for _ in range(openings)]
    barrier = threading.Barrier(CLIENTS)
    journals = [open_journal(store, kind) for store in stores]
    clients = [Client(journals[number % openings], number, barrier) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as executor:
        tolds = list(executor.map(Client.work, clients))
    for journal in journals:
        journal.close()
    made = [pair for told in tolds for pair in told.made]
    assert max(Counter(uuid for _, uuid in made).values()) == 1
    assert {pair for told in tolds for pair in told.met} == set(made)
    undone = {uuid for told in tolds for uuid in told.undone}
    judge(stores[0], kind, {uuid: name for name, uuid in made if uuid not in undone}, tolds)


def judge(store: Store, kind: str, standing: dict[str, str], tolds: list[Told]) -> None:
    """What was made and not undone is there, with what was put last; nothing else is."""
    assert sorted(standing.values()) == sorted(set(standing.values()))
    assert set(KEPT) <= set(standing.values())
    with open_journal(store, kind) as journal:
        journal.recover(0)
        journal.recover(0)
        for name in {*KEPT, *CHURNED} - set(standing.values()):
            assert journal.check_reservation(name) is None
    left = dump(store)
    entries = {record_name(kind, name): uuid for uuid, name in standing.items()}
    assert left.pop(directory_name(kind, "default")) == entries
    assert set(left) == {record_name(kind, uuid) for uuid in standing}
    for uuid, name in standing.items():
        record = left[record_name(kind, uuid)]
        assert record[name_key(kind)] == name
        assert record["csi.imageid"] in set().union(*(told.put.get(uuid, set()) for told in tolds))
        with pytest.raises(Conflict):
            open_journal(store, kind).put_image_id(uuid, "another", "x")


# Processes that are killed

PROCESSES, KILLED, TURNS = 4, 4, 25


@shared_between_processes
@pytest.mark.parametrize("kind", ["volume", "snapshot"])
def test_processes_of_which_some_are_killed_agree_on_all_that_they_were_told(
    place: Place, tmp_path: Path, kind: str
) -> None:
    store = place.open()
    store.connect()
    facts = facts_of_clients(
        place,
        tmp_path / "accounts",
        {"volume": hammer_volumes, "snapshot": hammer_snapshots}[kind],
        clients=PROCESSES,
        killed=KILLED,
        rounds=TURNS,
        bytes_max=20_000,
    )
    history = History(facts, killed=KILLED)
    history.check_facts()
    history.check_rest(rest_of(store, kind))
    with open_journal(store, kind) as journal:
        found = {name: journal.check_reservation(name) for name in NAMES}
        journal.recover(0)
        journal.recover(0)
    rest = rest_of(store, kind)
    history.check_rest(rest)
    assert rest.entries == {name: held.uuid for name, held in found.items() if held}
    assert set(rest.groups) == set(rest.entries.values())
    assert rest.leases == {}
    for uuid, record in rest.groups.items():
        require_put_by_somebody(record, [fact for fact in facts if fact.group_uuid == uuid])


def rest_of(store: Store, kind: str) -> Inventory:
    return Inventory(store, directory_name(kind, "default"), record_name(kind, ""), name_key(kind))


def require_put_by_somebody(record: dict[str, str], facts: list[Fact]) -> None:
    """The image's id is one that a client put, and is there if any was told so."""
    puts = [fact for fact in facts if fact.operation == "put"]
    assert record.get("csi.imageid") in {None, *(fact.volume_id for fact in puts)}
    assert "csi.imageid" in record or not any(fact.told for fact in puts)
