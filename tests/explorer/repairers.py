"""Clients that repair, drop and attach: the engines of repair, as scripts.

A finding is given as verify prints it.  The plan is made and carried out by
the script, so that everybody else can act between any two of its operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from csijournal import Store
from csijournal.check.findings import Finding, FindingKind
from csijournal.errors import CSIJournalError, StoreError
from csijournal.journal.steps import GroupRecords, Records
from csijournal.repair.apply import carry_out
from csijournal.repair.manual import plan_attach, plan_drop_group
from csijournal.repair.plan import Plan
from csijournal.repair.planners import Planner
from csijournal.wire.leases import LEASE_PREFIX
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import GROUPS
from explorer.clients import Script
from explorer.contents import DIRECTORY, NOW
from explorer.history import Began, Call, Ended, Event, Failed, Told

Planning = Callable[[Store], Optional[Plan]]


@dataclass(frozen=True)
class Repairer:
    """Makes one plan and carries it out; `tells` of a reservation that then stands.

    No patience: everything is old enough for it.
    """

    name: str
    call: Call
    planning: Planning
    tells: bool = False
    peer: bool = False

    def script(self, grace_seconds: float) -> Script:
        del grace_seconds
        return self._run

    @property
    def own_uuids(self) -> tuple[str, ...]:
        return ()

    def _run(self, store: Store, say: Callable[[Event], None]) -> None:
        say(Began(self.call))
        try:
            done = self._carry_out(store)
        except CSIJournalError as error:
            failed = isinstance(error, StoreError)
            say(Ended(self.call, Failed(type(error).__name__, store_error=failed)))
            return
        say(Ended(self.call, Told(self.call.group_uuid) if done and self.tells else None))

    def _carry_out(self, store: Store) -> bool:
        plan = self.planning(store)
        return plan is None or not carry_out(store, plan).skipped


def repair_orphan(group_uuid: str) -> Repairer:
    """Removes a group object that verify called an orphan."""
    return _repair(
        Finding(
            FindingKind.ORPHAN_GROUP,
            GROUPS.record_object(group_uuid),
            uuid=group_uuid,
            automatic=True,
        )
    )


def repair_dangling(request_name: str, group_uuid: str) -> Repairer:
    """Removes an entry whose group object verify did not find."""
    return _repair(
        Finding(
            FindingKind.DANGLING_ENTRY,
            DIRECTORY,
            DEFAULT_INSTANCE_ID,
            GROUPS.entry_key(request_name),
            request_name,
            group_uuid,
            automatic=True,
        )
    )


def repair_lease(lease_id: str) -> Repairer:
    """Revokes a lease that verify called stale."""
    return _repair(
        Finding(
            FindingKind.STALE_LEASE,
            DIRECTORY,
            DEFAULT_INSTANCE_ID,
            LEASE_PREFIX + lease_id,
            automatic=True,
        )
    )


def drop(group_uuid: str) -> Repairer:
    """Removes a group object because a person says so."""
    return Repairer(
        "D",
        Call("drop", "", group_uuid),
        lambda store: plan_drop_group(_records(store), _planner(store), group_uuid),
    )


def attach(request_name: str, group_uuid: str) -> Repairer:
    """Attaches a group object to a request name because a person says so."""
    return Repairer(
        "T",
        Call("attach", request_name, group_uuid),
        lambda store: plan_attach(_records(store), group_uuid, request_name),
        tells=True,
    )


def _repair(finding: Finding) -> Repairer:
    call = Call("repair", "", finding.group_uuid)
    return Repairer("V", call, lambda store: _planner(store).plan(finding))


def _planner(store: Store) -> Planner:
    return Planner(store, grace_seconds=0, clock=lambda: NOW)


def _records(store: Store) -> GroupRecords:
    return Records(store, GROUPS, DEFAULT_INSTANCE_ID, validate=False)
