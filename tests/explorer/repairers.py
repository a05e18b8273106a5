"""Clients that repair, drop, attach and restore: the engines of repair, as scripts.

A finding is given as verify prints it.  The plan is made and carried out by
the script, so that everybody else can act between any two of its operations.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from csijournal import Store
from csijournal.archive import Archive, ArchiveWriter, Record
from csijournal.check.findings import Finding, FindingKind
from csijournal.errors import CSIJournalError, StoreError
from csijournal.journal.steps import GroupRecords, Records
from csijournal.repair.apply import carry_out
from csijournal.repair.manual import plan_attach, plan_drop_group
from csijournal.repair.plan import Plan
from csijournal.repair.planners import Planner
from csijournal.transfer.restore import Restorer, check_archive
from csijournal.wire.leases import LEASE_PREFIX
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import group_attributes
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode
from explorer.clients import Script
from explorer.contents import DIRECTORY, NOW
from explorer.history import Began, Call, Ended, Event, Failed, Told
from support.journals import uuid_number


@dataclass(frozen=True)
class Repairer:
    """Does its `work`, which says whether it is done; `tells` of a reservation that then stands.

    No patience: everything is old enough for it.  `brings_back` are UUIDs whose
    group objects it may leave without an entry.
    """

    name: str
    call: Call
    work: Callable[[Store], bool]
    tells: bool = False
    brings_back: tuple[str, ...] = ()
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
            done = self.work(store)
        except CSIJournalError as error:
            failed = isinstance(error, StoreError)
            say(Ended(self.call, Failed(type(error).__name__, store_error=failed)))
            return
        say(Ended(self.call, Told(self.call.group_uuid) if done and self.tells else None))


def _carried_out(store: Store, plan: Plan | None) -> bool:
    return plan is None or not carry_out(store, plan).skipped


def repair_orphan(group_uuid: str) -> Repairer:
    """Removes a group object that verify called an orphan."""
    return repair(
        Finding(
            FindingKind.ORPHAN_GROUP,
            GROUPS.record_object(group_uuid),
            uuid=group_uuid,
            automatic=True,
        )
    )


def repair_dangling(request_name: str, group_uuid: str) -> Repairer:
    """Removes an entry whose group object verify did not find."""
    return repair(
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
    return repair(
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
        lambda store: _carried_out(
            store, plan_drop_group(_records(store), _planner(store), group_uuid)
        ),
    )


def attach(request_name: str, group_uuid: str) -> Repairer:
    """Attaches a group object to a request name because a person says so."""
    return Repairer(
        "T",
        Call("attach", request_name, group_uuid),
        lambda store: _carried_out(store, plan_attach(_records(store), group_uuid, request_name)),
        tells=True,
    )


def restore(request_name: str, group_uuid: str, **members: bytes) -> Repairer:
    """Restores a file that holds one reservation, and overwrites nothing."""
    group_name = GROUPS.make_image_name("", group_uuid)
    attributes = group_attributes(request_name, group_name, NOW)
    group = Record(GROUPS.record_object(group_uuid), attributes | members, whole=True)
    entry = Record(DIRECTORY, {GROUPS.entry_key(request_name): encode(group_uuid)})
    file = io.BytesIO()
    with ArchiveWriter(file, kind="export", place="") as writer:
        writer.write(entry)
        writer.write(group)

    def work(store: Store) -> bool:
        archive = Archive(io.BytesIO(file.getvalue()), "")
        check_archive(archive)
        return not Restorer(store, archive, clock=lambda: NOW).restore(None).skipped

    return Repairer(
        "E",
        Call("restore", request_name, group_uuid),
        work,
        tells=True,
        brings_back=(group_uuid,),
    )


def repair(finding: Finding, seen: Callable[[Store], Store] = lambda store: store) -> Repairer:
    """Carries out what is planned for a finding, in the store as it is `seen`."""

    def work(store: Store) -> bool:
        there = seen(store)
        return _carried_out(there, _planner(there).plan(finding))

    return Repairer("V", Call("repair", "", finding.uuid), work)


def _planner(store: Store) -> Planner:
    uuids = (uuid_number(0x5600 + number) for number in count())
    return Planner(store, grace_seconds=0, clock=lambda: NOW, new_uuid=lambda: next(uuids))


def _records(store: Store) -> GroupRecords:
    return Records(store, GROUPS, DEFAULT_INSTANCE_ID, validate=False)
