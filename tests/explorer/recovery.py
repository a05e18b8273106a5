"""At rest: everybody has ended or was stopped for good, and a newcomer recovers."""

from __future__ import annotations

from itertools import combinations

from csijournal import Store, VolumeGroupJournal
from explorer.contents import NOW, Contents, View
from explorer.invariants import Facts, Violation
from explorer.operations import Operation
from explorer.scenarios import Scenario
from support.journals import uuid_number

NEWCOMERS = tuple(uuid_number(0xEE00 + number) for number in range(50))
"""The UUIDs of those who recover at rest; each of them starts anew, since its leases are over."""

Late = tuple[Operation, ...]


class Rest:
    """What a newcomer's runs of recover make of contents; each is worked out once.

    Two runs: the first revokes what is left and rolls it back, the second looks
    again and removes what was revoked.  `late` are writes under way whose
    clients are gone.  Landed before the first run they are a state of their
    own; here they land after it or never, and two runs follow the landing.
    (Not where the clients recover too, for then the first run was theirs: a
    write that lands after the second run is more than recover can bear.)
    """

    def __init__(self, contents: Contents, *, grace_seconds: float) -> None:
        self._contents = contents
        self._grace_seconds = grace_seconds
        self._recovered: dict[int, int] = {}

    def outcomes(self, number: int, late: Late) -> set[int]:
        """The contents after all runs, for each choice of late writes."""
        once = self._recover(number)
        return {self._recover(once)} | {
            self._recover(self._recover(self._landed(once, landing)))
            for count in range(1, len(late) + 1)
            for landing in combinations(late, count)
        }

    def _landed(self, number: int, landing: Late) -> int:
        for operation in landing:
            _, number = self._contents.perform(number, operation)
        return number

    def _recover(self, number: int) -> int:
        after = self._recovered.get(number)
        if after is None:
            store = self._contents.load(number)
            _newcomer(store, self._grace_seconds).recover(0)
            after = self._recovered[number] = self._contents.number(store)
        return after


def _newcomer(store: Store, grace_seconds: float) -> VolumeGroupJournal:
    uuids = iter(NEWCOMERS)
    return VolumeGroupJournal(
        store,
        settle_seconds=0,
        lease_size=0,
        grace_seconds=grace_seconds,
        clock=lambda: NOW,
        new_uuid=lambda: next(uuids),
    )


def require_clean(view: View, facts: Facts, scenario: Scenario, *, undisturbed: bool) -> None:
    """Raise Violation (g) unless entries and groups match and no lease is left.

    Where something went wrong, UUIDs that no lease covers may be stranded; and
    at all times those that a restore put back whose entry was refused.
    """
    if view.lease_ids:
        raise Violation("g", "a lease is left at rest")
    for request_name, group_uuid in view.entries.items():
        group = view.groups.get(group_uuid)
        pending = scenario.grace_seconds and group is not None and not group.request_name
        if not pending and not view.whole(request_name, group_uuid):
            raise Violation("g", "an entry without its group is left at rest")
    stranded = view.groups.keys() - set(view.entries.values())
    stranded -= scenario.restored_uuids
    stranded -= facts.void if undisturbed else facts.void | scenario.uncovered_uuids
    if stranded:
        raise Violation("g", "a group that nothing points at is left at rest")
