"""Who does what at the same time: the scripts that the walks are about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from csijournal import Reservation, Store, VolumeGroupJournal
from csijournal.errors import CSIJournalError, StoreError
from csijournal.store import ObjectAbsent, Write
from csijournal.wire.leases import Lease
from csijournal.wire.records import group_attributes
from csijournal.wire.schema import GROUPS
from explorer.clients import Program, Script
from explorer.contents import DIRECTORY, FOREIGN, NOW
from explorer.history import Began, Call, Ended, Event, Failed, Told
from explorer.invariants import Facts
from explorer.repairers import (
    Repairer,
    attach,
    drop,
    repair_dangling,
    repair_lease,
    repair_orphan,
    restore,
)
from explorer.versions import NumberedStore
from support.journals import uuid_number

OLD = uuid_number(0xA11)
"""The UUID of the reservation of `n` that is there at the start, where one is."""

LISTED = 60
"""How many UUIDs a client has at most."""

Result = TypeVar("Result")
Act = Callable[["Caller"], None]


class Caller:
    """A script's voice: calls a journal, says so, and repeats what failed.

    `tries` is how often a call is made while the store fails, as CSI callers do.
    """

    def __init__(
        self,
        store: Store,
        say: Callable[[Event], None],
        uuids: Iterator[str],
        *,
        lease_size: int,
        grace_seconds: float,
        tries: int,
    ) -> None:
        self._say = say
        self._tries = tries
        self.group_uuid = OLD
        self.journal = VolumeGroupJournal(
            store,
            settle_seconds=0,
            lease_size=lease_size,
            grace_seconds=grace_seconds,
            new_uuid=lambda: next(uuids),
            clock=lambda: NOW,
        )

    def check(self, name: str = "n") -> None:
        def ask() -> Told | None:
            found = self.journal.check_reservation(name)
            return None if found is None else self._knows(found)

        self._call(Call("check", name), ask)

    def reserve(self, name: str = "n") -> None:
        """Reserve; where the store fails, go on with ensure, as the journal says."""
        call = Call("reserve", name)
        if not self._once(call, lambda: self._knows(self.journal.reserve_name(name), created=True)):
            self._call(Call("ensure", name), lambda: self._ensure(name), self._tries - 1)

    def ensure(self, name: str = "n") -> None:
        self._call(Call("ensure", name), lambda: self._ensure(name))

    def reserve_chosen(self, name: str = "n") -> None:
        """Reserve under the UUID OLD, which was used before."""

        def ask() -> Told:
            reserved = self.journal.reserve_name(name, uuid=OLD)
            return self._knows(reserved, created=True)

        def ask_again() -> Told:
            ensured = self.journal.ensure_reservation(name, uuid=OLD)
            return self._knows(ensured.reservation, created=ensured.created)

        if not self._once(Call("reserve", name, OLD), ask):
            self._call(Call("ensure", name, OLD), ask_again, self._tries - 1)

    def undo(self, name: str = "n") -> None:
        """Undo the reservation that this caller last heard of; at first that is OLD."""
        uuid = self.group_uuid
        group_name = GROUPS.make_image_name("", uuid)
        self._call(
            Call("undo", name, uuid), lambda: self.journal.undo_reservation(group_name, name)
        )

    def undo_nameless(self, name: str = "n") -> None:
        self._call(Call("undo nameless", name), lambda: self.journal.undo_reservation("", name))

    def undo_misnamed(self) -> None:
        """Undo OLD under a name that is not its own."""
        group_name = GROUPS.make_image_name("", OLD)
        self._call(
            Call("undo misnamed", "wrong"),
            lambda: self.journal.undo_reservation(group_name, "wrong"),
        )

    def add(self, member: str = "m", value: str = "v") -> None:
        uuid = self.group_uuid
        self._call(
            Call("add", "n", uuid, member, value),
            lambda: self.journal.add_volumes_mapping(uuid, {member: value}),
        )

    def remove(self, member: str = "m") -> None:
        uuid = self.group_uuid
        self._call(
            Call("remove", "n", uuid, member),
            lambda: self.journal.remove_volumes_mapping(uuid, [member]),
        )

    def show(self) -> None:
        uuid = self.group_uuid
        self._call(Call("show", "n"), lambda: _told(self.journal.get_volume_group_attributes(uuid)))

    def recover(self) -> None:
        """Recover with no patience at all: age must decide nothing."""
        self._call(Call("recover"), lambda: self.journal.recover(0))

    def _ensure(self, name: str) -> Told:
        ensured = self.journal.ensure_reservation(name)
        return self._knows(ensured.reservation, created=ensured.created)

    def _knows(self, reservation: Reservation, *, created: bool = False) -> Told:
        self.group_uuid = reservation.group_uuid
        return _told(reservation, created=created)

    def _call(self, call: Call, ask: Callable[[], object], tries: int | None = None) -> None:
        for _ in range(self._tries if tries is None else tries):
            if self._once(call, ask):
                return

    def _once(self, call: Call, ask: Callable[[], object]) -> bool:
        """Call once and tell; False where trying again is in order."""
        self._say(Began(call))
        try:
            told = ask()
        except CSIJournalError as error:
            failed = isinstance(error, StoreError)
            holder = getattr(error, "group_uuid", "")
            self._say(Ended(call, Failed(type(error).__name__, holder, store_error=failed)))
            return not failed
        self._say(Ended(call, told if isinstance(told, Told) else None))
        return True


def _told(reservation: Reservation, *, created: bool = False) -> Told:
    return Told(reservation.group_uuid, frozenset(reservation.volume_map.items()), created=created)


# Building blocks


@dataclass(frozen=True)
class Client:
    """A client of csijournal and what it does, one act after the other."""

    name: str
    acts: tuple[Act, ...]
    lease_size: int = 1
    tries: int = 2
    uuids: tuple[str, ...] = ()
    peer: bool = False

    def script(self, grace_seconds: float) -> Script:
        def run(store: Store, say: Callable[[Event], None]) -> None:
            caller = Caller(
                store,
                say,
                iter(self.own_uuids),
                lease_size=self.lease_size,
                grace_seconds=grace_seconds,
                tries=self.tries,
            )
            for act in self.acts:
                act(caller)
            caller.journal.close()

        return run

    @property
    def own_uuids(self) -> tuple[str, ...]:
        first = int.from_bytes(self.name.encode(), "big") * 0x100
        counted = tuple(uuid_number(first + number) for number in range(LISTED))
        return self.uuids + counted


@dataclass(frozen=True)
class Peer:
    """A Ceph-CSI driver: its own order of writes, and no guards but the exclusive create."""

    name: str
    undoes: bool = False
    peer: bool = True

    def script(self, grace_seconds: float) -> Script:
        del grace_seconds
        return self._undo if self.undoes else self._reserve

    @property
    def own_uuids(self) -> tuple[str, ...]:
        return (OLD,) if self.undoes else (uuid_number(0xCE9),)

    def _reserve(self, store: Store, say: Callable[[Event], None]) -> None:
        (uuid,) = self.own_uuids
        call = Call("write attributes", "n", uuid)
        try:
            if store.read_keys(DIRECTORY, [GROUPS.entry_key("n")]):
                return
            store.write(Write(GROUPS.record_object(uuid), guards=(ObjectAbsent(),)))
            store.write(Write(DIRECTORY, puts={GROUPS.entry_key("n"): uuid.encode()}))
        except StoreError:
            return
        say(Began(call))
        attributes = group_attributes("n", GROUPS.make_image_name("", uuid), NOW)
        try:
            store.write(Write(GROUPS.record_object(uuid), puts=attributes))
        except StoreError as error:
            say(Ended(call, Failed(type(error).__name__, store_error=True)))
        else:
            say(Ended(call, Told(uuid, created=True)))

    def _undo(self, store: Store, say: Callable[[Event], None]) -> None:
        (uuid,) = self.own_uuids
        call = Call("undo", "n", uuid)
        say(Began(call))
        try:
            store.write(Write(GROUPS.record_object(uuid), remove_object=True))
            store.write(Write(DIRECTORY, deletions=(GROUPS.entry_key("n"),)))
        except StoreError as error:
            say(Ended(call, Failed(type(error).__name__, store_error=True)))
        else:
            say(Ended(call))


@dataclass(frozen=True)
class Scenario:
    """Clients that run at once, and what is there before.

    `reserved`: `n` has the reservation OLD, with the member `old`.  `dangling`:
    it was undone by somebody who died and left the entry.  `uncovered`
    UUIDs are in no lease, so that a crash or a fault may strand them.  With
    `broken_uuids` clients make the same ones, and may be told so by an error.
    `stranded`: somebody died after the group object OLD of `n`, before its entry.
    """

    name: str
    clients: tuple[Client | Peer | Repairer, ...]
    reserved: bool = False
    dangling: bool = False
    grace_seconds: float = 900.0
    broken_uuids: bool = False
    stranded: bool = False

    @property
    def recovers(self) -> bool:
        """Whether a run of recover, or a repair that revokes, is among what the clients do."""
        return any(
            isinstance(c, Repairer) or (isinstance(c, Client) and Caller.recover in c.acts)
            for c in self.clients
        )

    @property
    def peer_uuids(self) -> frozenset[str]:
        return frozenset(
            uuid for client in self.clients if client.peer for uuid in client.own_uuids
        )

    @property
    def restored_uuids(self) -> frozenset[str]:
        return frozenset(
            uuid for c in self.clients if isinstance(c, Repairer) for uuid in c.brings_back
        )

    @property
    def uncovered_uuids(self) -> frozenset[str]:
        bare = [c for c in self.clients if not isinstance(c, Client) or c.lease_size == 0]
        uuids = {uuid for client in bare for uuid in client.own_uuids}
        chosen = any(isinstance(c, Client) and Caller.reserve_chosen in c.acts for c in bare)
        return frozenset(uuids | ({OLD} if chosen else set()))

    def programs(self) -> list[Program]:
        return [
            Program(client.name, client.script(self.grace_seconds), peer=client.peer)
            for client in self.clients
        ]

    def start(self, clients: int) -> tuple[NumberedStore, Facts]:
        """The store and the facts before anybody does anything."""
        store = NumberedStore(NOW)
        for name, entries in FOREIGN.items():
            store.write(Write(name, guards=(ObjectAbsent(),), puts=entries))
        facts = Facts(calls=(None,) * clients)
        if self.dangling:
            store.write(Write(DIRECTORY, puts={GROUPS.entry_key("n"): OLD.encode()}))
            past = frozenset({OLD})
            return store, replace(facts, undone=past, undoing=past, made=past, doubtful=past)
        if self.stranded:
            name = GROUPS.make_image_name("", OLD)
            attributes = group_attributes("n", name, NOW)
            store.write(Write(GROUPS.record_object(OLD), puts=attributes))
            lease = Lease((OLD,), NOW)
            store.write(Write(DIRECTORY, puts={lease.key: lease.value}))
        if not self.reserved:
            return store, facts
        journal = VolumeGroupJournal(
            store, settle_seconds=0, lease_size=0, new_uuid=lambda: OLD, clock=lambda: NOW
        )
        journal.reserve_name("n")
        journal.add_volumes_mapping(OLD, {"old": "member"})
        return store, Facts(
            calls=facts.calls,
            promised=frozenset({("n", OLD)}),
            made=frozenset({OLD}),
            members=frozenset({(OLD, "old", "member")}),
        )


def client(name: str, *acts: Act, lease_size: int = 1, tries: int = 2) -> Client:
    """A client with UUIDs of its own."""
    return Client(name, acts, lease_size, tries)


# The scenarios

check, reserve, ensure, undo = Caller.check, Caller.reserve, Caller.ensure, Caller.undo
add, remove, show, recover = Caller.add, Caller.remove, Caller.show, Caller.recover

RECOVERER = Client("R", (recover,), tries=1)
"""Tries once: a second run belongs to the newcomer at rest, or to a scenario of its own."""

TWO: tuple[Scenario, ...] = (
    Scenario("ensure | ensure", (client("A", ensure), client("B", ensure))),
    Scenario("ensure, undo | ensure", (client("A", ensure, undo), client("B", ensure))),
    Scenario("ensure, undo | ensure, undo", (client("A", ensure, undo), client("B", ensure, undo))),
    Scenario("reserve | undo", (client("A", reserve), client("B", undo)), reserved=True),
    Scenario("undo | undo", (client("A", undo), client("B", undo)), reserved=True),
    Scenario("add | undo", (client("A", add, show), client("B", undo)), reserved=True),
    Scenario("remove | add", (client("A", remove), client("B", add, check)), reserved=True),
    Scenario("check | undo", (client("A", check, check), client("B", undo)), reserved=True),
    Scenario("check | reserve", (client("A", check), client("B", reserve))),
    Scenario(
        "undo, reserve | undo the old one",
        (client("A", undo, reserve), client("B", undo)),
        reserved=True,
    ),
    Scenario(
        "undo nameless | undo, ensure",
        (client("A", Caller.undo_nameless), client("B", undo, ensure)),
        reserved=True,
    ),
    Scenario(
        "undo misnamed | check",
        (client("A", Caller.undo_misnamed), client("B", check)),
        reserved=True,
    ),
    Scenario("reserve | recover", (client("A", reserve), RECOVERER)),
    Scenario("undo | recover", (client("A", undo), RECOVERER), reserved=True),
    Scenario(
        "reserve twice on one lease | recover",
        (
            client("A", reserve, lambda caller: caller.reserve("other"), lease_size=2),
            RECOVERER,
        ),
    ),
    Scenario(
        "ensure | ensure on leases of two",
        (client("A", ensure, lease_size=2), client("B", ensure, undo, lease_size=2)),
    ),
    Scenario(
        "ensure | ensure, undo without leases",
        (client("A", ensure, lease_size=0), client("B", ensure, undo, lease_size=0)),
    ),
)

THREE: tuple[Scenario, ...] = (
    Scenario(
        "ensure | ensure | undo",
        (client("A", ensure), client("B", ensure), client("C", undo)),
        reserved=True,
    ),
    Scenario(
        "ensure | ensure | recover",
        (client("A", ensure), client("B", ensure), RECOVERER),
    ),
    Scenario(
        "check | reserve | undo",
        (client("A", check), client("B", reserve), client("C", undo)),
        reserved=True,
    ),
    Scenario(
        "ensure, undo | ensure | recover",
        (client("A", ensure, undo), client("B", ensure), RECOVERER),
    ),
)

PEERS: tuple[Scenario, ...] = (
    Scenario("Ceph-CSI reserves | check", (Peer("P"), client("A", check))),
    Scenario(
        "Ceph-CSI reserves | check, grace over", (Peer("P"), client("A", check)), grace_seconds=0
    ),
    Scenario("Ceph-CSI reserves | ensure", (Peer("P"), client("A", ensure))),
    Scenario(
        "Ceph-CSI reserves | ensure, grace over", (Peer("P"), client("A", ensure)), grace_seconds=0
    ),
    Scenario("Ceph-CSI reserves | recover", (Peer("P"), RECOVERER)),
    Scenario(
        "Ceph-CSI reserves | recover, grace over",
        (Peer("P"), RECOVERER),
        grace_seconds=0,
    ),
    Scenario(
        "Ceph-CSI undoes | ensure", (Peer("P", undoes=True), client("A", ensure)), reserved=True
    ),
    Scenario(
        "Ceph-CSI undoes | check", (Peer("P", undoes=True), client("A", check)), reserved=True
    ),
)

reserve_chosen = Caller.reserve_chosen

CHOSEN: tuple[Scenario, ...] = (
    Scenario(
        "check a stale entry | the same", (client("A", check), client("B", check)), dangling=True
    ),
    Scenario("check a stale entry | recover", (client("A", check), RECOVERER), dangling=True),
    Scenario(
        "undo, reserve the same UUID | check",
        (client("A", undo, reserve_chosen), client("B", check)),
        reserved=True,
    ),
    Scenario(
        "undo, reserve the same UUID without a lease | check",
        (client("A", undo, reserve_chosen, lease_size=0), client("B", check)),
        reserved=True,
    ),
    Scenario(
        "undo, reserve the same UUID | recover",
        (client("A", undo, reserve_chosen), RECOVERER),
        reserved=True,
    ),
    Scenario(
        "undo, reserve the same UUID | undo nameless",
        (client("A", undo, reserve_chosen), client("B", Caller.undo_nameless)),
        reserved=True,
    ),
    Scenario(
        "check, reserve the UUID | check a stale entry",
        (client("A", check, reserve_chosen), client("B", check)),
        dangling=True,
    ),
)
"""Stale entries; and UUIDs that come again, so that the value of an entry is ambiguous."""

FIRST_OF_A = client("A").own_uuids[0]
"""The UUID that A takes first, which is the id of its lease, where it has one."""

REPAIRS: tuple[Scenario, ...] = (
    Scenario("repair orphan-group | reserve", (repair_orphan(FIRST_OF_A), client("A", reserve))),
    Scenario(
        "repair orphan-group | reserve without a lease",
        (repair_orphan(FIRST_OF_A), client("A", reserve, lease_size=0)),
    ),
    Scenario("repair stale-lease | reserve", (repair_lease(FIRST_OF_A), client("A", reserve))),
    Scenario(
        "repair dangling-entry | ensure",
        (repair_dangling("n", OLD), client("A", ensure)),
        dangling=True,
    ),
    Scenario(
        "repair dangling-entry | reserve the same UUID",
        (repair_dangling("n", OLD), client("A", Caller.reserve_chosen)),
        dangling=True,
    ),
    Scenario("drop | reserve", (drop(FIRST_OF_A), client("A", reserve))),
    Scenario(
        "drop | reserve without a lease",
        (drop(FIRST_OF_A), client("A", reserve, lease_size=0)),
    ),
    Scenario("attach | recover", (attach("n", OLD), RECOVERER), stranded=True),
    Scenario("attach | repair", (attach("n", OLD), repair_orphan(OLD)), stranded=True),
    Scenario("attach | drop", (attach("n", OLD), drop(OLD)), stranded=True),
)
"""What people do by night, beside clients at work."""

restoring = restore("n", OLD, old=b"member")
"""Brings back what `reserved` starts with."""

RESTORES: tuple[Scenario, ...] = (
    Scenario("restore | reserve", (restoring, client("A", reserve))),
    Scenario(
        "restore | reserve the same UUID, add",
        (restoring, client("A", reserve_chosen, lambda caller: caller.add("old"))),
    ),
    Scenario("restore | undo", (restoring, client("A", undo)), reserved=True),
    Scenario("restore | restore", (restoring, restoring)),
    Scenario("restore | repair orphan-group", (restore("n", OLD), repair_orphan(OLD))),
    Scenario("restore | recover", (restoring, RECOVERER), dangling=True),
    Scenario("restore | check a stale entry", (restoring, client("A", check)), dangling=True),
    Scenario(
        "restore | repair dangling-entry", (restoring, repair_dangling("n", OLD)), dangling=True
    ),
    Scenario(
        "restore | check a stale entry | the same",
        (restoring, client("A", check), client("B", check)),
        dangling=True,
    ),
)
"""A file that is put back, beside clients at work."""

COLLISION = Scenario(
    "two clients, one UUID",
    (
        Client("A", (ensure,), lease_size=0, uuids=(uuid_number(7),)),
        Client(
            "B", (lambda caller: caller.ensure("other"),), lease_size=0, uuids=(uuid_number(7),)
        ),
    ),
)
"""Only without faults: what a random UUID is for cannot be had from guards alone."""

ONE_LEASE_ID = Scenario(
    "two clients, one lease id",
    (
        Client("A", (reserve,), lease_size=2, uuids=(uuid_number(7),)),
        Client(
            "B", (lambda caller: caller.reserve("other"),), lease_size=2, uuids=(uuid_number(7),)
        ),
    ),
    broken_uuids=True,
)
"""As above, with leases."""

DOUBLE_FAULT = Scenario(
    "reserve | recover | recover",
    (client("A", reserve), RECOVERER, Client("S", (recover,), tries=1)),
)
