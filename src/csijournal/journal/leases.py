"""The client's side of leases: which UUIDs it may use, written down before it does.

A crash between the two writes of reserve strands a group object that nothing
points at.  So a client first puts a lease into the directory, a key that lists
the UUIDs it will use; recover then knows where to look.  One lease lasts for
many reservations, and the entry of the last one gives it back in the same
operation, so that reserve stays at two round trips.

A UUID whose fate is not certain keeps its lease in the directory, for recover.
One that was certainly not used, because the store refused it, is used next.

No thread waits for the store under the lock that all threads need.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from csijournal.errors import InvalidInput, OutcomeUnknown, StoreError
from csijournal.journal.steps import LeaseCondition, Records
from csijournal.wire.leases import Lease
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import require_uuid

_ATTEMPTS_MAX = 3
"""How many leases are tried where the store does not answer: each costs its whole timeout."""


@dataclass(eq=False)
class _Held:
    """One lease of ours, and what became of its UUIDs."""

    lease: Lease
    unused: list[str]
    in_use: set[str] = field(default_factory=set)
    uncertain: bool = False
    chosen: bool = False
    gone: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing hangs on it any more."""
        return not self.unused and not self.in_use and not self.uncertain


class LeasedUUID:
    """One UUID on loan, and the lease that covers it."""

    def __init__(self, uuid: str, leases: Leases, held: _Held) -> None:
        self.uuid = uuid
        self._leases = leases
        self._held = held
        self.unused = False
        self.certain = False

    @contextmanager
    def creating(self) -> Iterator[None]:
        """While its record is created: a refusal leaves the UUID as it was, to be used next."""
        try:
            yield
        except OutcomeUnknown:
            raise
        except StoreError:
            self.unused = self.certain = True
            raise

    def removed(self) -> None:
        """Its record is certainly gone again, whatever is raised now."""
        self.certain = True

    def condition(self) -> LeaseCondition:
        """The condition that the entry is to be written on."""
        return self._leases.condition(self._held)

    def entered(self, condition: LeaseCondition) -> None:
        """The entry was written on `condition`."""
        self._held.gone |= condition.release

    def refused(self) -> None:
        """The entry was refused: stop using the lease if that was for want of it."""
        self._leases.confirm(self._held)


class UnleasedUUID(LeasedUUID):
    """One UUID without a lease."""

    def __init__(self, uuid: str, *, chosen: bool) -> None:
        self.uuid = uuid
        self.unused = False
        self.certain = False
        self._chosen = chosen

    def condition(self) -> LeaseCondition:
        return LeaseCondition(chosen=self._chosen)

    def entered(self, condition: LeaseCondition) -> None:
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
        records: Records[Any],
        *,
        size: int,
        renew_ns: int,
        new_uuid: Callable[[], str],
        clock: Callable[[], Timestamp],
    ) -> None:
        if not isinstance(size, int) or size < 0:
            raise InvalidInput(f"a lease lists a whole number of UUIDs from 0, and not {size!r}")
        self._records = records
        self._size = size
        self._renew_ns = renew_ns
        self._new_uuid = new_uuid
        self._clock = clock
        self._lock = threading.Lock()
        self._held: list[_Held] = []
        self._acquiring = threading.Lock()
        self._acquisitions_failed = 0

    @contextmanager
    def acquire(self, chosen: str = "") -> Iterator[LeasedUUID]:
        """A UUID that no one ever used, or the one that the caller chose.

        Leaving the block by an exception means that its fate is not certain,
        unless the UUID was told so before.
        """
        if self._size == 0:
            yield UnleasedUUID(chosen or self._new_uuid(), chosen=bool(chosen))
            return
        held, uuid = self._acquire(chosen) if chosen else self._take()
        leased = LeasedUUID(uuid, self, held)
        try:
            yield leased
            leased.certain = True
        finally:
            self._return(leased, held)

    def condition(self, held: _Held) -> LeaseCondition:
        """The lease, given back with the entry if only the asking UUID hangs on it."""
        with self._lock:
            last = not held.unused and len(held.in_use) == 1 and not held.uncertain
            return LeaseCondition(held.lease.key, release=last, chosen=held.chosen)

    def confirm(self, held: _Held) -> None:
        """Stop using the lease if it was revoked."""
        if not self._records.lease_stands(held.lease):
            with self._lock:
                held.gone = True
                held.unused.clear()

    def close(self) -> None:
        """Give back what can be given back; the rest is recover's.  Never fails."""
        with self._lock:
            ended = self._end_all()
        keys = _keys_to_remove(ended)
        with suppress(StoreError):
            if keys:
                self._records.remove_leases(keys)
            self._forget(ended)

    def _return(self, leased: LeasedUUID, held: _Held) -> None:
        """End the use of a UUID; one whose end was interrupted stays in use, and so leased."""
        with self._lock:
            held.uncertain |= not leased.certain
            held.in_use.discard(leased.uuid)
            if leased.unused and not (held.gone or held.chosen):
                held.unused.insert(0, leased.uuid)

    def _take(self) -> tuple[_Held, str]:
        """A UUID of a lease that stands, or else of a new one, which one thread gets for all.

        Those who waited for one that failed do not wait again: each tries for
        itself, so that the store's timeout is not waited for in turn.
        """
        taken = self._take_ready()
        if taken is not None:
            return taken
        failed_before = self._acquisitions_failed
        with self._acquiring:
            taken = self._take_ready()
            if taken is None and self._acquisitions_failed == failed_before:
                taken = self._acquire()
        return taken or self._acquire()

    def _take_ready(self) -> tuple[_Held, str] | None:
        with self._lock:
            return self._first_usable()

    def _first_usable(self) -> tuple[_Held, str] | None:
        for held in self._held:
            if self._usable(held):
                uuid = held.unused.pop(0)
                held.in_use.add(uuid)
                return held, uuid
        return None

    def _usable(self, held: _Held) -> bool:
        age_ns = self._clock().nanoseconds - held.lease.since.nanoseconds
        if age_ns > self._renew_ns:
            held.unused.clear()
        return bool(held.unused)

    def _acquire(self, chosen: str = "") -> tuple[_Held, str]:
        """Write a new lease, and with the same operation take back those that are over."""
        with self._lock:
            ended = self._ended()
        try:
            lease = self._put_new(_keys_to_remove(ended), chosen)
        except BaseException:
            self._acquisitions_failed += 1
            raise
        self._forget(ended)
        if chosen:
            held = _Held(lease, [], in_use={chosen}, chosen=True)
        else:
            held = _Held(lease, list(lease.uuids[1:]), in_use={lease.uuids[0]})
        with self._lock:
            self._held.append(held)
        return held, chosen or lease.uuids[0]

    def _put_new(self, ended_keys: list[str], chosen: str) -> Lease:
        """A lease that certainly stands, for UUIDs of ours or for the one that was chosen.

        Its id is always a UUID of ours, since a chosen one may come again and
        no lease id is used twice.

        One whose write got no answer is left to recover, and another is tried:
        sent again, it could come back after it was revoked and looked through.
        """
        for attempts_left in reversed(range(_ATTEMPTS_MAX)):
            size = 1 if chosen else self._size
            ours = tuple(require_uuid(self._new_uuid()) for _ in range(size))
            lease = Lease((*ours, chosen) if chosen else ours, since=self._clock())
            try:
                self._records.put_lease(lease, ended_keys=ended_keys)
            except OutcomeUnknown:
                if not attempts_left:
                    raise
            else:
                break
        return lease

    def _end_all(self) -> list[_Held]:
        """Use no UUID any more; the leases that are over with that."""
        for held in self._held:
            held.unused.clear()
        return self._ended()

    def _ended(self) -> list[_Held]:
        return [held for held in self._held if held.over or held.gone]

    def _forget(self, ended: list[_Held]) -> None:
        with self._lock:
            self._held = _without(self._held, ended)


def _keys_to_remove(ended: list[_Held]) -> list[str]:
    return [held.lease.key for held in ended if not held.gone]


def _without(held: list[_Held], ended: list[_Held]) -> list[_Held]:
    return [each for each in held if each not in ended]
