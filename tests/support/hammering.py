"""Clients that hammer one journal and write down what they were told.

A client works on two kinds of names: those that everybody keeps, which are
ensured and get members and are never undone, and those that everybody ensures
and undoes all the time.  It says what it is about to do before it does it, and
what it was told after that, so that its account stands when it is killed.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from csijournal import VolumeGroupJournal
from csijournal.errors import GroupNotFound
from support.processes import Opener

KEPT_NAMES = ("kept-0", "kept-1", "kept-2")
CHURNED_NAMES = ("churned-0", "churned-1", "churned-2")
NAMES = KEPT_NAMES + CHURNED_NAMES

CREATED, FOUND, NONE, DONE, GONE = "created", "found", "none", "done", "gone"


@dataclass
class Fact:
    """One call: what was asked, and, unless the client died, what was told.

    `group_uuid` is the one that was given, or that was the answer.  `members`
    are this client's own, as an answer listed them.  Times are of one clock
    for all processes of the machine.
    """

    client: str
    operation: str
    request_name: str
    group_uuid: str = ""
    volume_id: str = ""
    begun_ns: int = field(default_factory=time.monotonic_ns)
    told: str = ""
    members: list[str] = field(default_factory=list)
    ended_ns: int = 0


class Account:
    """A client's own file of facts, each as it was begun and again as it ended."""

    def __init__(self, path: Path, client: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.client = client

    @contextmanager
    def call(
        self, operation: str, request_name: str, group_uuid: str = "", volume_id: str = ""
    ) -> Iterator[Fact]:
        fact = Fact(self.client, operation, request_name, group_uuid, volume_id)
        self._write(fact)
        yield fact
        fact.ended_ns = time.monotonic_ns()
        self._write(fact)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, fact: Fact) -> None:
        os.write(self._file, json.dumps(asdict(fact)).encode() + b"\n")


def read_account(path: Path) -> list[Fact]:
    """The facts in order of their beginning, each as far as it came."""
    facts: dict[int, Fact] = {}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            fact = Fact(**json.loads(line))
            facts[fact.begun_ns] = fact
    return list(facts.values())


class Hammerer:
    """One client at work.  `recovers` lets it run recover among its other work."""

    def __init__(
        self, journal: VolumeGroupJournal, account: Account, *, recovers: bool = False
    ) -> None:
        self._journal = journal
        self._account = account
        self._recovers = recovers
        self._random = random.Random(account.client)  # noqa: S311 - a seed, no secret
        self._volumes = 0

    def work(self, rounds: int) -> None:
        for _ in range(rounds):
            if self._recovers and self._random.random() < 0.1:
                self._journal.recover(0)
            if self._random.random() < 0.5:
                self._keep(self._random.choice(KEPT_NAMES))
            else:
                self._churn(self._random.choice(CHURNED_NAMES))

    def _keep(self, request_name: str) -> None:
        group_uuid = self._ensure(request_name)
        volume_id = self._add(request_name, group_uuid)
        self._check(request_name)
        if self._random.random() < 0.3:
            self._remove(request_name, group_uuid, volume_id)
        self._attributes(request_name, group_uuid)

    def _churn(self, request_name: str) -> None:
        group_uuid = self._ensure(request_name)
        self._add(request_name, group_uuid)
        self._attributes(request_name, group_uuid)
        if self._random.random() < 0.6:
            self._undo(request_name, group_uuid)
            self._attributes(request_name, group_uuid)
        self._check(request_name)

    def _ensure(self, request_name: str) -> str:
        with self._account.call("ensure", request_name) as fact:
            ensured = self._journal.ensure_reservation(request_name)
            fact.told = CREATED if ensured.created else FOUND
            fact.group_uuid = ensured.reservation.group_uuid
            fact.members = self._own(ensured.reservation.volume_map)
        return fact.group_uuid

    def _check(self, request_name: str) -> None:
        with self._account.call("check", request_name) as fact:
            found = self._journal.check_reservation(request_name)
            fact.told = FOUND if found else NONE
            if found:
                fact.group_uuid = found.group_uuid
                fact.members = self._own(found.volume_map)

    def _attributes(self, request_name: str, group_uuid: str) -> None:
        with self._account.call("attributes", request_name, group_uuid) as fact:
            try:
                found = self._journal.get_volume_group_attributes(group_uuid)
            except GroupNotFound:
                fact.told = GONE
            else:
                fact.told = FOUND if found.request_name == request_name else found.request_name
                fact.members = self._own(found.volume_map)

    def _add(self, request_name: str, group_uuid: str) -> str:
        self._volumes += 1
        volume_id = f"{self._account.client}/{self._volumes}"
        with self._account.call("add", request_name, group_uuid, volume_id) as fact:
            try:
                self._journal.add_volumes_mapping(group_uuid, {volume_id: ""})
                fact.told = DONE
            except GroupNotFound:
                fact.told = GONE
        return volume_id

    def _remove(self, request_name: str, group_uuid: str, volume_id: str) -> None:
        with self._account.call("remove", request_name, group_uuid, volume_id) as fact:
            self._journal.remove_volumes_mapping(group_uuid, [volume_id])
            fact.told = DONE

    def _undo(self, request_name: str, group_uuid: str) -> None:
        with self._account.call("undo", request_name, group_uuid) as fact:
            self._journal.undo_reservation(f"csi-vol-group-{group_uuid}", request_name)
            fact.told = DONE

    def _own(self, volume_map: object) -> list[str]:
        assert isinstance(volume_map, dict)
        return sorted(v for v in volume_map if v.startswith(f"{self._account.client}/"))


def hammer(opener: Opener, folder: Path, client: str, rounds: int) -> None:
    """A client in a process of its own."""
    account = Account(folder / client, client)
    with opener() as store, VolumeGroupJournal(store, settle_seconds=0, lease_size=4) as journal:
        Hammerer(journal, account).work(rounds)
    account.close()
