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


@dataclass(frozen=True)
class Lease:
    """UUIDs that a client may be using.

    `since` is when the lease was granted, or when it was revoked, by the clock
    of whoever did that.  The id is the first of the UUIDs.  One of a `cleanup`
    says that a stale entry of the last of the UUIDs is being removed.  There is
    one key for each such UUID, so that whoever writes an entry can hold it to
    the absence of that key.  Who works under the cleanup of another puts one of
    its own beside it, as a `helper`.
    """

    uuids: tuple[str, ...]
    since: Timestamp
    revoked: bool = False
    cleanup: bool = False
    helper: bool = False

    @property
    def lease_id(self) -> str:
        """What tells this lease from every other."""
        return self.uuids[0]

    @property
    def key(self) -> str:
        """The directory key that it lies under."""
        if self.cleanup:
            key = cleanup_key(self.uuids[-1])
            return f"{key}.{self.lease_id}" if self.helper else key
        return (REVOKED_LEASE_PREFIX if self.revoked else LEASE_PREFIX) + self.lease_id

    @property
    def value(self) -> bytes:
        """The value of that key."""
        return encode(json.dumps({"since": str(self.since), "uuids": self.uuids}))


def cleanup_key(uuid: str) -> str:
    """The directory key that stands while a stale entry of this UUID is being removed."""
    return CLEANUP_PREFIX + uuid


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
            revoked=key.startswith(REVOKED_LEASE_PREFIX),
            cleanup=key.startswith(CLEANUP_PREFIX),
            helper=key.startswith(CLEANUP_PREFIX) and "." in key.removeprefix(CLEANUP_PREFIX),
        )
        understood = lease.key == key
    except (InvalidInput, ValueError, TypeError, LookupError, RecursionError):
        return None
    return lease if understood else None
