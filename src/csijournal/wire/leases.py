"""Leases: UUIDs that a client may be using, written down before it uses them.

They are csijournal's own keys in a directory, where Ceph-CSI passes over keys
that it does not know (docs/wire-format.md, "Leases").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from csijournal.errors import InvalidInput
from csijournal.wire.text import encode
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import require_uuid

LEASE_PREFIX = "csi.lease."
REVOKED_LEASE_PREFIX = "csi.lease.revoked."
CLEANUP_PREFIX = "csi.lease.cleanup."


@dataclass(frozen=True, slots=True)
class Lease:
    """UUIDs that a client may be using.

    `since` is when the lease was granted, or when it was revoked, by the clock
    of whoever did that.  The id is the first of the UUIDs.  One of a `cleanup`
    is revoked from the beginning: nobody reserves under it.  It says that the
    last of the UUIDs was taken to remove a stale entry.
    """

    uuids: tuple[str, ...]
    since: Timestamp
    revoked: bool = False
    cleanup: bool = False

    @property
    def lease_id(self) -> str:
        """What tells this lease from every other."""
        return self.uuids[0]

    @property
    def key(self) -> str:
        """The directory key that it lies under."""
        if self.cleanup:
            return CLEANUP_PREFIX + self.lease_id
        return (REVOKED_LEASE_PREFIX if self.revoked else LEASE_PREFIX) + self.lease_id

    @property
    def value(self) -> bytes:
        """The value of that key."""
        return encode(json.dumps({"since": str(self.since), "uuids": self.uuids}))


def is_lease_key(key: str) -> bool:
    """Whether a directory key is a lease's, be the lease readable or not."""
    return key.startswith(LEASE_PREFIX)


def parse_lease(key: str, value: bytes) -> Lease | None:
    """Read a directory key as a lease; None where it is none that we understand."""
    try:
        fields = json.loads(value)
        lease = Lease(
            uuids=tuple(require_uuid(uuid) for uuid in fields["uuids"]),
            since=Timestamp.parse(fields["since"]),
            revoked=key.startswith((REVOKED_LEASE_PREFIX, CLEANUP_PREFIX)),
            cleanup=key.startswith(CLEANUP_PREFIX),
        )
        understood = lease.key == key
    except (InvalidInput, ValueError, TypeError, LookupError, RecursionError):
        return None
    return lease if understood else None
