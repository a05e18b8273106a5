"""The client's side of leases: which UUIDs it may use, written down before it does.

A crash between the two writes of reserve strands a group object that nothing
points at.  So a client first puts a lease into the directory, a key that lists
the UUIDs it will use; recover then knows where to look.  One lease lasts for
many reservations, and the entry of the last one gives it back in the same
operation, so that reserve stays at two round trips.

A UUID whose fate is not certain keeps its lease in the directory, for recover
to outcomes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from csijournal.errors import OutcomeUnknown, StoreError
from csijournal.journal.steps import NO_LEASE, Records, Under
from csijournal.wire.layout import Lease, require_uuid
from csijournal.wire.timestamps import Timestamp

_TRIES = 3


@dataclass(eq=False, slots=True)
class _Held:
    """One lease of ours, and what became of its UUIDs."""

    lease: Lease
    unused: list[str]
    in_use: set[str] = field(default_factory=set)
    uncertain: bool = False
    gone: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing hangs on it any more."""
        return not self.unused and not self.in_use and not self.uncertain


class Lent:
    """One UUID on loan, and the lease that covers it."""

    def __init__(self, group_uuid: str, leases: Leases, held: _Held) -> None:
        self.group_uuid = group_uuid
        self._leases = leases
        self._held = held

    def under(self) -> Under:
        """What the entry is to be written under."""
        return self._leases.under(self._held)

    def entered(self, under: Under) -> None:
        """The entry was written under `under`."""
        self._held.gone |= under.gives_back

    def refused(self) -> None:
        """The entry was refused: stop using the lease if that was for want of it."""
        self._leases.confirm(self._held)


class Bare(Lent):
    """One UUID without a lease."""

    def __init__(self, group_uuid: str) -> None:
        self.group_uuid = group_uuid

    def under(self) -> Under:
        return NO_LEASE

    def entered(self, under: Under) -> None:
        pass

    def refused(self) -> None:
        pass


class Leases:
    """UUIDs for one journal, `size` to a lease; 0 means UUIDs without leases.

    `renew_ns` is the age at which a lease is not used any further, so that
    recover does not take its owner for dead.  Safe between threads.
    """

    def __init__(
        self,
        records: Records,
        *,
        size: int,
        renew_ns: int,
        new_uuid: Callable[[], str],
        clock: Callable[[], Timestamp],
    ) -> None:
        self._records = records
        self._size = size
        self._renew_ns = renew_ns
        self._new_uuid = new_uuid
        self._clock = clock
        self._lock = threading.Lock()
        self._held: list[_Held] = []

    @contextmanager
    def lend(self) -> Iterator[Lent]:
        """Lend a UUID that no one ever used.

        Leaving the block by an exception means that its fate is not certain.
        """
        if self._size == 0:
            yield Bare(self._new_uuid())
            return
        held, group_uuid = self._take()
        try:
            yield Lent(group_uuid, self, held)
        except BaseException:
            held.uncertain = True
            raise
        finally:
            with self._lock:
                held.in_use.discard(group_uuid)

    def under(self, held: _Held) -> Under:
        """The lease, given back with the entry if only the asking UUID hangs on it."""
        with self._lock:
            last = not held.unused and len(held.in_use) == 1 and not held.uncertain
            return Under(held.lease.key, gives_back=last)

    def confirm(self, held: _Held) -> None:
        """Stop using the lease if it was revoked."""
        if not self._records.lease_stands(held.lease):
            with self._lock:
                held.gone = True
                held.unused.clear()

    def close(self) -> None:
        """Give back what can be given back; the rest is recover's.  Never fails."""
        with self._lock:
            for held in self._held:
                held.unused.clear()
            ended = self._ended()
            keys = _keys_to_remove(ended)
            with suppress(StoreError):
                if keys:
                    self._records.remove_leases(keys)
                self._forget(ended)

    def _take(self) -> tuple[_Held, str]:
        with self._lock:
            current = self._held[-1] if self._held else None
            if current is None or not self._usable(current):
                current = self._acquire()
            group_uuid = current.unused.pop(0)
            current.in_use.add(group_uuid)
            return current, group_uuid

    def _usable(self, held: _Held) -> bool:
        age_ns = self._clock().nanoseconds - held.lease.since.nanoseconds
        if age_ns > self._renew_ns:
            held.unused.clear()
        return bool(held.unused)

    def _acquire(self) -> _Held:
        """Write a new lease, and with the same operation take back those that are over."""
        ended = self._ended()
        lease = self._put_new(_keys_to_remove(ended))
        self._forget(ended)
        held = _Held(lease, list(lease.group_uuids))
        self._held.append(held)
        return held

    def _put_new(self, ended_keys: list[str]) -> Lease:
        """A lease that certainly stands.

        One whose write got no answer is left to recover, and another is tried:
        sent again, it could come back after it was revoked and looked through.
        """
        for tries_left in reversed(range(_TRIES)):
            uuids = tuple(require_uuid(self._new_uuid()) for _ in range(self._size))
            lease = Lease(uuids, since=self._clock())
            try:
                self._records.put_lease(lease, ended_keys=ended_keys)
            except OutcomeUnknown:
                if not tries_left:
                    raise
            else:
                break
        return lease

    def _ended(self) -> list[_Held]:
        return [held for held in self._held if held.over or held.gone]

    def _forget(self, ended: list[_Held]) -> None:
        self._held = [held for held in self._held if held not in ended]


def _keys_to_remove(ended: list[_Held]) -> list[str]:
    return [held.lease.key for held in ended if not held.gone]
