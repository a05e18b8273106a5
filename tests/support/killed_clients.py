"""Clients in processes of their own, of which some are killed while they work."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from support.hammering import Fact, read_account
from support.places import Place
from support.processes import Opener, opener_of, start

ENDLESS = 10**9

Hammer = Callable[[Opener, Path, str, int], None]
"""The work of one client: in a place, with an account in a folder, by its name, for some rounds."""


class Client:
    """A client in a process of its own; with `bytes_max` it goes on until it is killed.

    That happens as soon as its account is seen to have so many bytes.
    """

    def __init__(self, process: BaseProcess, path: Path, bytes_max: int | None) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._process = process

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


def facts_of_clients(
    place: Place,
    folder: Path,
    hammer: Hammer,
    *,
    clients: int,
    killed: int,
    rounds: int,
    bytes_max: int,
) -> list[Fact]:
    """What all were told: `killed` of them die, and never more than `clients` work at once.

    Each of those dies at some length of its account, `bytes_max` at most; `clients` more work to
    their end.
    """
    folder.mkdir()
    dooms = random.Random(6).sample(range(1_000, bytes_max), killed)  # noqa: S311 - a seed
    plans: list[int | None] = [*dooms, *[None] * clients]

    def begin(number: int) -> Client:
        name, doom = f"client-{number}", plans[number]
        turns = rounds if doom is None else ENDLESS
        process = start(hammer, opener_of(place), folder, name, turns)
        return Client(process, folder / name, doom)

    waiting = [begin(number) for number in range(clients)]
    started = clients
    over: list[Client] = []
    while waiting:
        for client in [client for client in waiting if client.is_over()]:
            waiting.remove(client)
            over.append(client)
            if started < len(plans):
                waiting.append(begin(started))
                started += 1
    assert sum(client.was_killed() for client in over) == killed
    return [fact for client in over for fact in read_account(client.path)]
