"""One process of a soak's load: clients that use a journal and write down what they were told.

A client writes what it is about to ask before it asks, and what it was told after that, each as
one line of JSON.  So its account stands when it is killed: a call without an end is one that may
have happened.

`tools/soak.py` starts this file; the process ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from csijournal import open_store
from csijournal.errors import (
    AlreadyReserved,
    OutcomeUnknown,
    RecordNotFound,
    ReservationPending,
    StoreBusy,
    StoreTimeout,
    StoreUnreachable,
)
from csijournal.store.group_commit import GroupCommitStore
from soak_journals import Driven, Seen, drive

SHARED_NAMES = tuple(f"shared-{number}" for number in range(4))
OWN_NAMES = 3
NAMES_KEPT_IN_MIND = 40
MEMBERS_OF_MINE_MAX = 12
PAUSE_SECONDS_MAX = 0.02

OK, NONE, GONE, TAKEN, BUSY, UNKNOWN, WRONG = (
    "ok",
    "none",
    "gone",
    "taken",
    "busy",
    "unknown",
    "wrong",
)
"""What a client was told; WRONG is what it should never be told."""

FAULTS_EXPLAIN = (OutcomeUnknown, StoreTimeout, StoreUnreachable, StoreBusy)

Answer = dict[str, object]
Act = Callable[[str], None]


@dataclass(frozen=True)
class Orders:
    """What one process is to do; `slot` outlives it, `client` is its own name."""

    url: str
    log: str
    slot: str
    client: str
    seed: int
    threads: int
    lease_size: int
    group_commit: bool
    grace_seconds: float
    recovers: bool = False
    journal: str = "groups"

    def text(self) -> str:
        return json.dumps(asdict(self))


class Account:
    """A process's own file of what it asked and was told."""

    def __init__(self, path: str) -> None:
        # One write appends one line: neither threads nor a kill can mix or cut lines up.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def call(self, number: str, asked: Answer, act: Callable[[], Answer]) -> Answer:
        """Do `act` between the line of what was asked and the line of what was told."""
        self._write({"n": number, "at": time.monotonic_ns(), **asked})
        told = _told(act)
        self._write({"n": number, "at": time.monotonic_ns(), **told})
        return told

    def _write(self, line: Answer) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


def _told(act: Callable[[], Answer]) -> Answer:
    try:
        return {"told": OK, **act()}
    except AlreadyReserved as error:
        return {"told": TAKEN, "uuid": error.uuid}
    except RecordNotFound:
        return {"told": GONE}
    except ReservationPending as error:
        return {"told": BUSY, "error": str(error)}
    except FAULTS_EXPLAIN as error:
        return {"told": UNKNOWN, "error": f"{type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is evidence
        return {"told": WRONG, "error": f"{type(error).__name__}: {error}"}


class Client:
    """One thread's work: on names that all share, names of its own, and names it never undoes."""

    def __init__(self, journal: Driven, account: Account, orders: Orders, thread: int) -> None:
        self._journal = journal
        self._account = account
        self._client = f"{orders.client}.{thread}"
        self._own = [f"own-{orders.slot}.{thread}-{number}" for number in range(OWN_NAMES)]
        self._random = random.Random(f"{orders.seed} {self._client}")  # noqa: S311 - no secret
        self._calls = 0
        self._kept = 0
        self._members = 0
        self._known: dict[str, str] = {}
        self._mine: dict[str, list[str]] = {}

    def step(self) -> None:
        """One call."""
        name = self._pick_name()
        group_uuid = self._known.get(name)
        if group_uuid is None:
            self._choose({self._ensure: 8, self._reserve: 2, self._check: 1})(name)
            return
        acts: dict[Act, int] = {self._add: 30, self._check: 25, self._ensure: 15}
        if self._journal.removes:
            acts[self._remove] = 10
        if not name.startswith("kept-"):
            acts[self._undo] = 30
        if len(self._mine.get(group_uuid, ())) > MEMBERS_OF_MINE_MAX:
            del acts[self._add]
        self._choose(acts)(name)

    def _choose(self, acts: Mapping[Act, int]) -> Act:
        return self._random.choices(list(acts), list(acts.values()))[0]

    def _pick_name(self) -> str:
        luck = self._random.random()
        if luck < 0.02:  # noqa: PLR2004 - that many calls begin a name that is never undone
            self._kept += 1
            return f"kept-{self._client}-{self._kept}"
        if luck < 0.3:  # noqa: PLR2004
            return self._random.choice(SHARED_NAMES)
        if luck < 0.7 or not self._kept:  # noqa: PLR2004
            return self._random.choice(self._own)
        oldest = max(1, self._kept - NAMES_KEPT_IN_MIND)
        return f"kept-{self._client}-{self._random.randint(oldest, self._kept)}"

    # The calls

    def _ensure(self, name: str) -> None:
        def act() -> Answer:
            found, created = self._journal.ensure(name)
            return _seen(found) | {"created": created}

        self._learn(name, self._call("ensure", name, act))

    def _reserve(self, name: str) -> None:
        def act() -> Answer:
            return _seen(self._journal.reserve(name)) | {"created": True}

        self._learn(name, self._call("reserve", name, act))

    def _check(self, name: str) -> None:
        def act() -> Answer:
            found = self._journal.check(name)
            return {"told": NONE} if found is None else _seen(found)

        self._learn(name, self._call("check", name, act))

    def _add(self, name: str) -> None:
        group_uuid = self._known[name]
        count = self._random.randint(1, self._journal.members_at_once_max)
        ids = [self._new_member() for _ in range(count)]

        def act() -> Answer:
            self._journal.add(name, group_uuid, {id_: value_of(id_) for id_ in ids})
            return {}

        told = self._call("add", name, act, uuid=group_uuid, members=ids)
        if told["told"] == OK:
            self._mine.setdefault(group_uuid, []).extend(ids)
        self._learn(name, told)

    def _remove(self, name: str) -> None:
        """Remove a member that this client added for certain."""
        group_uuid = self._known[name]
        mine = self._mine.get(group_uuid)
        if not mine:
            self._add(name)
            return
        member = mine.pop(self._random.randrange(len(mine)))

        def act() -> Answer:
            self._journal.remove(group_uuid, member)
            return {}

        self._call("remove", name, act, uuid=group_uuid, members=[member])

    def _undo(self, name: str) -> None:
        group_uuid = self._known[name]

        def act() -> Answer:
            self._journal.undo(name, group_uuid)
            return {}

        if self._call("undo", name, act, uuid=group_uuid)["told"] == OK:
            self._forget(name)

    def _call(self, op: str, name: str, act: Callable[[], Answer], **asked: object) -> Answer:
        self._calls += 1
        return self._account.call(
            f"{self._client}#{self._calls}", {"op": op, "name": name, **asked}, act
        )

    # What this client remembers

    def _learn(self, name: str, told: Answer) -> None:
        if told["told"] in {NONE, GONE}:
            self._forget(name)
        elif told.get("uuid"):
            self._known[name] = str(told["uuid"])

    def _forget(self, name: str) -> None:
        self._mine.pop(self._known.pop(name, ""), None)

    def _new_member(self) -> str:
        self._members += 1
        return f"{self._client}/{self._members}"


def value_of(member: str) -> str:
    """The value that every client gives this member."""
    return f"snapshot of {member}"


def _seen(found: Seen) -> Answer:
    strange = {
        member: value for member, value in found.members.items() if value != value_of(member)
    }
    answer: Answer = {"uuid": found.uuid, "members": sorted(found.members)}
    if strange:
        answer |= {"told": WRONG, "error": f"values that nobody put: {strange}"}
    return answer


def _recover_now_and_then(
    journal: Driven, account: Account, orders: Orders, stop: threading.Event
) -> None:
    calls = 0
    while not stop.wait(orders.grace_seconds / 4):
        calls += 1

        def act() -> Answer:
            return {"did": asdict(journal.recover(orders.grace_seconds))}

        account.call(f"{orders.client}#{calls}", {"op": "recover"}, act)


def _work(client: Client, seed: str, stop: threading.Event) -> None:
    pauses = random.Random(seed)  # noqa: S311 - no secret
    while not stop.wait(pauses.uniform(0, PAUSE_SECONDS_MAX)):
        client.step()


def _until_input_ends(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def run(orders: Orders) -> None:
    """Load the journal until standard input ends."""
    stop = threading.Event()
    account = Account(orders.log)
    store = open_store(orders.url)
    if orders.group_commit and not isinstance(store, GroupCommitStore):
        store = GroupCommitStore(store)
    journal = drive(
        orders.journal, store, lease_size=orders.lease_size, grace_seconds=orders.grace_seconds
    )
    threads = [threading.Thread(target=_until_input_ends, args=(stop,), daemon=True)]
    workers = []
    if orders.recovers:
        args = (journal, account, orders, stop)
        workers.append(threading.Thread(target=_recover_now_and_then, args=args))
    for thread in range(orders.threads):
        client = Client(journal, account, orders, thread)
        seed = f"{orders.seed} pauses {thread}"
        workers.append(threading.Thread(target=_work, args=(client, seed, stop)))
    for begun in (*threads, *workers):
        begun.start()
    for ended in workers:
        ended.join()
    journal.close()
    store.close()


if __name__ == "__main__":
    run(Orders(**json.loads(Path(sys.argv[1]).read_text())))
