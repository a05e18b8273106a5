"""The cases on a throwaway Ceph cluster."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from figures import Case, Target
from predecessor import Floor, Predecessor
from rounds import fresh_name, rate_of, seconds_each, take_turns

from cluster import ThrowawayCluster
from csijournal import VolumeGroupJournal
from csijournal.check.scan import Depth, Verifier
from csijournal.inventory.contract import NoInventory
from csijournal.store import Write
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.records import REQUEST_NAME_KEY, group_attributes
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp

POOL = "bench"


class Bench:
    """One cluster, our store on it, and a raw connection beside it."""

    def __init__(self, cluster: ThrowawayCluster, ioctx: Any, rados: Any) -> None:  # noqa: ANN401
        self.cluster = cluster
        self.pool = POOL
        self.store = RADOSStore(POOL, conf=cluster.conf)
        self.ioctx = ioctx
        self.rados = rados

    def journal(self, instance_id: str, *, group_commit: bool = True) -> VolumeGroupJournal:
        """A journal as open_store gives it, or without group commit."""
        store = GroupCommitStore(self.store) if group_commit else self.store
        return VolumeGroupJournal(store, instance_id=instance_id)

    def floor(self, instance_id: str) -> Floor:
        """Raw operations on the same objects."""
        return Floor(self.ioctx, self.rados, instance_id)

    def predecessor(self, instance_id: str) -> Predecessor:
        """The predecessor's protocol on the same objects."""
        return Predecessor(self.ioctx, self.rados, instance_id)

    def fill_directory(self, instance_id: str, entries: int) -> None:
        """Entries that point at nothing, for cases that only look past them."""
        names = [f"filler-{number:08}" for number in range(entries)]
        for some in _batches(names, 5000):
            puts = {GROUPS.entry_key(name): str(uuid.uuid4()).encode() for name in some}
            self.store.write(Write(GROUPS.directory_object(instance_id), puts=puts))


@contextmanager
def bench() -> Iterator[Bench]:
    """Everything needed, until the block ends."""
    import rados  # noqa: PLC0415 - only where there is Ceph

    with ThrowawayCluster(pools=(POOL,)) as cluster:
        raw = rados.Rados(conffile=str(cluster.conf))
        raw.connect()
        ioctx = raw.open_ioctx(POOL)
        subject = Bench(cluster, ioctx, rados)
        try:
            yield subject
        finally:
            subject.store.close()
            ioctx.close()
            raw.shutdown()


def lookups(subject: Bench, sizes: tuple[int, ...], rounds: int) -> list[Case]:
    """Check at several directory sizes, beside the floor and the predecessor."""
    actions = {}
    for size in sizes:
        instance_id = f"lookup-{size}"
        subject.fill_directory(instance_id, size)
        journal = subject.journal(instance_id)
        reservation = journal.reserve_name("probe")
        floor, before = subject.floor(instance_id), subject.predecessor(instance_id)
        actions[f"csijournal, {size:,}"] = seconds_each(
            partial(journal.check_reservation, "probe"), 100
        )
        actions[f"floor, {size:,}"] = seconds_each(
            partial(floor.two_keyed_reads, "probe", reservation.group_uuid), 100
        )
        actions[f"predecessor, {size:,}"] = seconds_each(
            partial(before.check, "probe"),
            2 if size >= 10_000 else 20,  # noqa: PLR2004
        )
    figures = take_turns(actions, rounds)
    small, large = f"{sizes[0]:,}", f"{sizes[-1]:,}"
    return [
        Case(
            "check on RADOS, by entries in the directory",
            "seconds",
            figures,
            [
                Target(
                    f"csijournal, {large}",
                    f"csijournal, {small}",
                    1.2,
                    at_most=True,
                    quick_bound=1.5,
                ),
                Target(
                    f"csijournal, {large}", f"floor, {large}", 1.4, at_most=True, quick_bound=1.8
                ),
                Target(
                    f"predecessor, {large}",
                    f"csijournal, {large}",
                    200,
                    at_most=False,
                    quick_bound=2.5,
                ),
            ],
        )
    ]


def reserve_alone(subject: Bench, rounds: int) -> Case:
    """One caller's reservation."""
    journal, floor = subject.journal("alone"), subject.floor("alone")
    before = subject.predecessor("alone")
    figures = take_turns(
        {
            "csijournal": seconds_each(lambda: journal.reserve_name(fresh_name()), 64),
            "floor": seconds_each(lambda: floor.two_guarded_writes(fresh_name()), 64),
            "predecessor": seconds_each(lambda: before.reserve(fresh_name()), 64),
        },
        rounds,
    )
    return Case(
        "reserve on RADOS, one caller",
        "seconds",
        figures,
        [
            Target("csijournal", "floor", 1.2, at_most=True, quick_bound=1.5),
            Target("predecessor", "csijournal", 1.3, at_most=False, quick_bound=1),
        ],
    )


def reserve_together(subject: Bench, callers: tuple[int, ...], rounds: int, seconds: float) -> Case:
    """Reservations a second by many callers at once."""
    shared = subject.journal("together")
    single = subject.journal("together-single", group_commit=False)
    before = subject.predecessor("together-before")
    actions = {}
    for count in callers:
        for name, reserve in (
            ("csijournal", shared.reserve_name),
            ("without group commit", single.reserve_name),
            ("predecessor", before.reserve),
        ):
            actions[f"{name}, {count}"] = rate_of(partial(_reserve_fresh, reserve), count, seconds)
    actions["creating alone, 32"] = rate_of(
        subject.floor("together").create_group_object, 32, seconds
    )
    return Case(
        "reserve on RADOS, by callers",
        "reservations a second",
        take_turns(actions, rounds),
        [
            Target(
                "csijournal, 32", "without group commit, 32", 2.5, at_most=False, quick_bound=1.5
            ),
            Target("csijournal, 32", "predecessor, 32", 2, at_most=False, quick_bound=1),
            Target("csijournal, 128", "csijournal, 32", 1, at_most=False, quick_bound=0.7),
        ],
    )


def _reserve_fresh(reserve: Callable[[str], object]) -> None:
    reserve(fresh_name())


def verify(subject: Bench, groups: int, rounds: int) -> Case:
    """Verify beside the bare pipelined reads of the same group objects."""
    instance_id = "verify"
    names = fill_groups(subject.store, instance_id, groups)

    def read() -> None:
        for _ in subject.store.read_objects(names, sentinel=REQUEST_NAME_KEY):
            pass

    def look() -> None:
        verifier = Verifier(
            subject.store,
            journals=(GROUPS,),
            inventory=NoInventory(),
            instance_id=instance_id,
            depth=Depth.QUICK,
        )
        assert not list(verifier.findings())  # noqa: S101

    seconds = take_turns({"reads": seconds_each(read, 1), "verify": seconds_each(look, 1)}, rounds)
    rates = {
        "verify": [groups / s for s in seconds["verify"]],
        "bare pipelined reads": [groups / s for s in seconds["reads"]],
    }
    return Case(
        f"verify on RADOS, {groups:,} groups",
        "groups a second",
        rates,
        [Target("verify", "bare pipelined reads", 0.75, at_most=False, quick_bound=0.4)],
    )


def fill_groups(store: Any, instance_id: str, groups: int) -> list[str]:  # noqa: ANN401
    """Healthy reservations, written in bulk by several threads; their objects' names."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    reserved = [(f"groupsnapshot-{number:08}", str(uuid.uuid4())) for number in range(groups)]
    created = Timestamp.now()

    def create(item: tuple[str, str]) -> None:
        name, group_uuid = item
        attributes = group_attributes(name, GROUPS.make_image_name("", group_uuid), created)
        store.write(Write(GROUPS.record_object(group_uuid), puts=attributes))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(create, reserved))
    for some in _batches(reserved, 5000):
        puts = {GROUPS.entry_key(name): group_uuid.encode() for name, group_uuid in some}
        store.write(Write(GROUPS.directory_object(instance_id), puts=puts))
    return [GROUPS.record_object(group_uuid) for _, group_uuid in reserved]


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
