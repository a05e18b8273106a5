"""Journals whose UUIDs and times the test decides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from csijournal import Store, Timestamp, VolumeGroupJournal
from csijournal.wire.timestamps import NANOSECONDS
from support.places import LONG_AGO_NS

LONG_AGO = Timestamp(LONG_AGO_NS)


def uuid_number(number: int) -> str:
    """A UUID that is easy to tell from others."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def uuids(first: int = 1) -> Iterator[str]:
    """`uuid_number` of one number after the other."""
    return map(uuid_number, itertools.count(first))


def seconds_later(seconds: int, nanoseconds: int = 0) -> Timestamp:
    """A moment after LONG_AGO."""
    return Timestamp(LONG_AGO_NS + seconds * NANOSECONDS + nanoseconds)


def bare_journal(
    store: Store,
    *,
    instance_id: str = "default",
    new_uuids: Iterable[str] | None = None,
    clock: Callable[[], Timestamp] = lambda: LONG_AGO,
) -> VolumeGroupJournal:
    """A journal that writes what Ceph-CSI writes and nothing else."""
    source = iter(uuids() if new_uuids is None else new_uuids)
    return VolumeGroupJournal(
        store,
        instance_id=instance_id,
        lease_size=0,
        settle_seconds=0,
        new_uuid=lambda: next(source),
        clock=clock,
    )
