"""Many clients at one journal at once, some of them killed, with all accounts compared."""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from csijournal import Store, VolumeGroupJournal
from support.hammering import NAMES, Account, Hammerer, hammer, read_account
from support.history import History
from support.inventory import Inventory
from support.places import Place
from support.processes import Opener, opener_of, shared_between_processes, start

CLIENTS = 8
KILLED = 6
ROUNDS = 60
ENDLESS = 10**9
KILLED_BY_BYTES_MAX = 60_000


class Client:
    """A client in a process of its own; with `bytes_max` it goes on until it is killed.

    That happens as soon as its account is seen to have so many bytes.
    """

    def __init__(self, opener: Opener, folder: Path, client: str, bytes_max: int | None) -> None:
        self.path = folder / client
        self._bytes_max = bytes_max
        rounds = ROUNDS if bytes_max is None else ENDLESS
        self._process: BaseProcess = start(hammer, opener, folder, client, rounds)

    def is_over(self) -> bool:
        """Look once; wait a moment if there is nothing to do."""
        self._process.join(0.002)
        if self._bytes_max is not None and self._written() >= self._bytes_max:
            self._process.kill()
            self._process.join()
        return self._process.exitcode is not None

    def was_killed(self) -> bool:
        assert self._process.exitcode in {0, -signal.SIGKILL}
        return self._process.exitcode != 0

    def _written(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


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
    folder = tmp_path / "accounts"
    folder.mkdir()
    dooms = random.Random(6).sample(range(1_000, KILLED_BY_BYTES_MAX), KILLED)  # noqa: S311
    plans: list[int | None] = [*dooms, *[None] * CLIENTS]
    waiting = [
        Client(opener_of(place), folder, f"client-{number}", plan)
        for number, plan in enumerate(plans[:CLIENTS])
    ]
    started = CLIENTS
    over: list[Client] = []
    while waiting:
        for client in [client for client in waiting if client.is_over()]:
            waiting.remove(client)
            over.append(client)
            if started < len(plans):
                plan = plans[started]
                waiting.append(Client(opener_of(place), folder, f"client-{started}", plan))
                started += 1
    killed = sum(client.was_killed() for client in over)
    assert killed == KILLED
    facts = [fact for client in over for fact in read_account(client.path)]
    settle(store, History(facts, killed=killed))


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
