"""Repair as its users run it: verify, plan, back up, act, until there is nothing left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from csijournal.archive import Archive, ArchiveWriter
from csijournal.journal.cleanup import Cleanup
from csijournal.journal.grace import GRACE_SECONDS, Grace
from csijournal.journal.reservations import random_uuid
from csijournal.journal.steps import Records
from csijournal.repair.apply import Repairer, backup, carry_out
from csijournal.repair.plan import Outcome, Plan
from csijournal.store import Store
from csijournal.transfer.restore import Restorer, check_archive
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import Timestamp
from support.verified import look

Clock = Callable[[], Timestamp]


def repair_all(
    store: Store,
    *,
    clock: Clock = Timestamp.now,
    grace_seconds: float = GRACE_SECONDS,
) -> list[Outcome]:
    """One repair of everything, planned as it goes."""
    repairer = Repairer(store, grace_seconds=grace_seconds, clock=clock)
    outcomes = []
    for finding in look(store, clock=clock, grace_seconds=grace_seconds)[0]:
        plan = repairer.plan(finding)
        if plan is not None:
            outcomes.append(carry_out(store, plan))
    return outcomes


def plans_for(
    store: Store, *, clock: Clock = Timestamp.now, grace_seconds: float = GRACE_SECONDS
) -> list[Plan]:
    """A plan for everything that can be repaired now; nothing is changed."""
    repairer = Repairer(store, grace_seconds=grace_seconds, clock=clock)
    findings = look(store, clock=clock, grace_seconds=grace_seconds)[0]
    return [plan for finding in findings if (plan := repairer.plan(finding)) is not None]


def back_up(store: Store, plans: list[Plan], path: Path) -> Path:
    """A backup of all that the plans may change."""
    with path.open("wb") as file, ArchiveWriter(file, kind="backup", place=store.place) as writer:
        for plan in plans:
            for record in backup(store, plan):
                writer.write(record)
    return path


def end_cleanups(store: Store) -> None:
    """What recover does about cleanups whose owners died, once their leases are old."""
    grace = Grace.of_seconds(GRACE_SECONDS, clock=Timestamp.now)
    for directory in list(store.object_names(GROUPS.directory_prefix)):
        instance_id = GROUPS.instance_of(directory) or ""
        records = Records(store, GROUPS, instance_id, validate=False)
        for lease in [lease for lease in records.leases() if lease.cleanup]:
            Cleanup(records, grace, random_uuid).free(lease.uuids[-1])
            revoked = replace(lease, cleanup=False, helper=False, revoked=True)
            records.remove_leases([lease.key, revoked.key])


def restore(store: Store, path: Path) -> list[Outcome]:
    """Make the place as the archive says, overwriting what is different."""
    with path.open("rb") as file:
        archive = Archive(file, str(path))
        check_archive(archive)
        restorer = Restorer(store, archive)
        return [carry_out(store, difference.plan) for difference in restorer.differences()]
