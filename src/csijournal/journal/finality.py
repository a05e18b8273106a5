"""Making "no entry points at it" final, before an unreferenced record is removed.

A record that no entry points at may be one whose owner is between its two
writes.  Its entry is held to its lease.  So whoever removes such a record first
revokes every lease that lists its UUID, in every instance's directory, then
looks for an entry once more, and removes the record as it was seen before.

    1. read the record, and note its version
    2. revoke the leases that list the UUID
    3. look for an entry
    4. remove the record, if nothing wrote to it since 1

An owner without a lease writes its record once more after its entry, which
changes the version: where that came before step 4 the removal is refused, and
where it came after, the owner finds its record gone and tells nobody of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from csijournal.journal.steps import Records
from csijournal.wire.leases import Lease

Directories = Iterable[Records[Any]]
"""The records of each instance of a place, seen through its own directory."""


def standing_leases(directories: Directories, uuid: str) -> Iterator[tuple[Records[Any], Lease]]:
    """The leases that list `uuid` and that nobody revoked, each with its directory."""
    for records in directories:
        for lease in records.leases():
            if uuid in lease.uuids and not lease.revoked:
                yield records, lease
