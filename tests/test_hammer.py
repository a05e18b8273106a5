"""Many clients at one journal at once, some of them killed, with all accounts compared."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from csijournal import Store, VolumeGroupJournal
from support.hammering import NAMES, Account, Hammerer, hammer, read_account
from support.history import History
from support.inventory import Inventory
from support.killed_clients import facts_of_clients
from support.places import Place
from support.processes import shared_between_processes

CLIENTS = 8
KILLED = 6
ROUNDS = 60
KILLED_BY_BYTES_MAX = 60_000


def settle(store: Store, history: History) -> None:
    """After what the clients left has been looked at, checks and recover leave no leftovers."""
    history.check_facts()
    history.check_rest(Inventory(store))
    with VolumeGroupJournal(store, settle_seconds=0) as journal:
        found = {name: journal.check_reservation(name) for name in NAMES}
        journal.recover(0)
        journal.recover(0)
    rest = Inventory(store)
    history.check_rest(rest)
    assert rest.entries == {name: held.group_uuid for name, held in found.items() if held}
    assert set(rest.groups) == set(rest.entries.values())
    assert rest.leases == {}


@shared_between_processes
def test_processes_of_which_some_are_killed_agree_on_all_that_they_were_told(
    place: Place, tmp_path: Path
) -> None:
    store = place.open()
    store.connect()
    facts = facts_of_clients(
        place,
        tmp_path / "accounts",
        hammer,
        clients=CLIENTS,
        killed=KILLED,
        rounds=ROUNDS,
        bytes_max=KILLED_BY_BYTES_MAX,
    )
    settle(store, History(facts, killed=KILLED))


@pytest.mark.parametrize("openings", [1, CLIENTS])
def test_threads_that_recover_meanwhile_agree_on_all_that_they_were_told(
    place: Place, tmp_path: Path, openings: int
) -> None:
    stores = [place.open() for _ in range(openings)]
    journals = [VolumeGroupJournal(store, settle_seconds=0, lease_size=4) for store in stores]
    barrier = threading.Barrier(CLIENTS)

    def run(number: int) -> Path:
        path = tmp_path / f"client-{number}"
        account = Account(path, path.name)
        barrier.wait()
        Hammerer(journals[number % openings], account, recovers=True).work(ROUNDS // 2)
        account.close()
        return path

    with ThreadPoolExecutor(CLIENTS) as executor:
        paths = list(executor.map(run, range(CLIENTS)))
    for journal in journals:
        journal.close()
    facts = [fact for path in paths for fact in read_account(path)]
    settle(stores[0], History(facts, killed=0))
