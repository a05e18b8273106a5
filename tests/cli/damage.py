"""Journals with something wrong in them, old enough to be past every grace time."""

from __future__ import annotations

from cli.conftest import CLI, DIRECTORY
from csijournal.store.sqlite import SQLiteStore
from csijournal.wire.leases import Lease
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp
from support.places import LONG_AGO_NS, Omaps, fill

LONG_AGO = Timestamp(LONG_AGO_NS)


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def group(request_name: str, number: int, **members: str) -> Omaps:
    """A whole group object."""
    attributes = {
        "csi.volname": request_name,
        "csi.groupname": f"csi-vol-group-{uuid(number)}",
        "csi.creationtime": str(LONG_AGO),
    }
    return {GROUPS.record_object(uuid(number)): attributes | members}


def entries(**uuids: str) -> Omaps:
    """The directory, with these entries."""
    return {DIRECTORY: {GROUPS.entry_key(name): value for name, value in uuids.items()}}


def dangling(number: int) -> Omaps:
    """Many entries whose groups are gone, and one that is right."""
    names = {f"gone-{n:05}": uuid(n) for n in range(1, number + 1)}
    return entries(right=uuid(0), **names) | group("right", 0, vol="snap")


STALE_LEASE = Lease((uuid(90), uuid(91)), LONG_AGO)

DAMAGED: Omaps = {
    DIRECTORY: entries(
        right=uuid(1),
        dangling=uuid(2),
        unpopulated=uuid(3),
        corrupt="no UUID",
        shared=uuid(1),
    )[DIRECTORY]
    | {STALE_LEASE.key: STALE_LEASE.value.decode()},
    **group("right", 1, vol="snap"),
    GROUPS.record_object(uuid(3)): {},
    **group("orphan", 4),
    **group("detached", 5, vol="snap"),
    GROUPS.record_object(uuid(6)): {},
    GROUPS.record_object(uuid(7)): {"vol": "snap"},
    **group("stranded", 90),
}
QUICK = ["corrupt-entry", "dangling-entry", "shared-uuid", "stale-lease", "unpopulated-group"]
DEEP = sorted(
    [*QUICK, "detached-group", "empty-object", "orphan-group", "orphan-group", "members-elsewhere"]
)


def damage(cli: CLI, omaps: Omaps = DAMAGED) -> CLI:
    """Put `omaps` into the journal of a test, long ago."""
    cli.file.parent.mkdir(parents=True, exist_ok=True)
    with SQLiteStore(cli.file, clock=lambda: LONG_AGO_NS) as store:
        fill(store, omaps)
    return cli
