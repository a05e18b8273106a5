"""Ways to spoil the journal, one at a time: each guard left out, each order turned round.

The explorer must find a violation for every one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from unittest.mock import patch

from csijournal.check import findings
from csijournal.errors import GuardFailed, OutcomeUnknown, StoreTimeout, StoreUnreachable
from csijournal.journal import outcomes, recover
from csijournal.journal.cleanup import Cleanup
from csijournal.journal.leases import Leases, _Held
from csijournal.journal.recover import Recoverer, Recovery
from csijournal.journal.reservations import Request, Reservations, Reserved
from csijournal.journal.steps import GroupRecords, LeaseCondition, Records
from csijournal.repair import apply, manual
from csijournal.repair.apply import carry_out
from csijournal.repair.manual import _enter_group
from csijournal.repair.plan import Outcome, Plan, Step
from csijournal.repair.planners import Planner
from csijournal.store import KeyAbsent, Store, Write
from csijournal.transfer import entering
from csijournal.wire.leases import Lease
from csijournal.wire.records import GroupRecord
from csijournal.wire.schema import GROUPS
from explorer import contents, repairers
from explorer.engine import Bounds, Space
from explorer.operations import Operation, guard_name, kind
from explorer.scenarios import (
    CHOSEN,
    COLLISION,
    ONE_LEASE_ID,
    PEERS,
    REPAIRS,
    RESTORES,
    TWO,
    Scenario,
)
from explorer.walk import Finding, shortest

Applied = Callable[[], bool]


@dataclass(frozen=True)
class Mutation:
    """One spoiled journal: by what its writes become, or by what its code becomes.

    `faults` is how many a schedule needs at least before it shows.
    """

    name: str
    writes: contents.Mutation | None = None
    code: Callable[[], AbstractContextManager[object]] = nullcontext
    faults: int = 0
    where: tuple[str, ...] = ()

    def shortest(self) -> tuple[Scenario, Finding] | None:
        """The shortest failing schedule of all scenarios, or of those in `where`."""
        found: tuple[Scenario, Finding] | None = None
        for scenario in self._scenarios():
            steps_max = found[1].steps - 1 if found else 1000
            with self.code():
                space = Space(scenario, Bounds(self.faults), mutation=self.writes)
                finding = shortest(space, steps_max=steps_max)
            if finding is not None:
                found = (scenario, finding)
        return found

    def _scenarios(self) -> list[Scenario]:
        if not self.where:
            return [*TWO, *PEERS, *(() if self.faults else CHOSEN)]
        return [
            each
            for each in (*TWO, *PEERS, *CHOSEN, *REPAIRS, *RESTORES, COLLISION, ONE_LEASE_ID)
            if each.name in self.where
        ]


# Guards


def _without(which: tuple[str, str], write: Write) -> Write:
    if kind(Operation.of_write(write)) != which[0]:
        return write
    kept = tuple(guard for guard in write.guards if guard_name(guard) != which[1])
    return replace(write, guards=kept)


def _guard(write: str, guard: str) -> Mutation:
    return Mutation(
        f"{write}: without the guard “{guard}”",
        partial(_without, (write, guard)),
        where=_HAS_ITS_SCENARIO.get(write, ()),
    )


_HAS_ITS_SCENARIO = {
    "create group": (COLLISION.name,),
    "put lease": (ONE_LEASE_ID.name,),
    "name group": ("attach | repair",),
}
"""What a random UUID excludes, but for one chance in 2**122; and what attach alone writes."""


GUARDS: dict[tuple[str, str], Mutation] = {
    which: _guard(*which)
    for which in (
        ("create group", "no such object"),
        ("put entry", "entry absent"),
        ("put entry", "lease there"),
        ("remove group", "request name unchanged"),
        ("remove entry", "entry unchanged"),
        ("remove unchanged group", "version unchanged"),
        ("confirm group", "request name unchanged"),
        ("name group", "version unchanged"),
        ("create empty group", "no such object"),
        ("begin cleanup", "cleanup absent"),
        ("remove entry", "cleanup unchanged"),
        ("put entry", "cleanup absent"),
        ("revoke lease", "cleanup unchanged"),
        ("add members", "request name there"),
        ("put lease", "lease absent"),
        ("revoke lease", "lease unchanged"),
    )
}
"""Each guard of each kind of write; a test says that there are no others but the next."""

NEEDS_MORE_CLIENTS = {("end cleanup", "cleanup unchanged")}
"""A cleanup that was ended by others leaves a revoked lease, which lists the same UUID.

So what an unguarded end takes from a later cleanup is still listed.  Only a
second recover forgets that one: four clients, which no walk has.
"""


# Orders and steps


def _entry_before_record(
    reservations: Reservations[GroupRecord], request: Request[GroupRecord]
) -> Reserved[GroupRecord] | None:
    with reservations._leases.acquire() as leased:
        condition = leased.condition()
        if not reservations._records.put_entry(request.request_name, leased.uuid, condition):
            leased.refused()
            return None
        leased.entered(condition)
        return reservations._create(request, leased.uuid)


def _no_cleanup(
    reservations: Reservations[GroupRecord], request: Request[GroupRecord]
) -> Reserved[GroupRecord] | None:
    with reservations._leases.acquire() as leased:
        reserved = reservations._create(request, leased.uuid)
        condition = leased.condition()
        if reserved is None or not reservations._enter(request.request_name, leased, condition):
            leased.refused()
            return None
        leased.entered(condition)
        return reserved


def _entry_before_record_in_undo(
    reservations: Reservations[GroupRecord], group_name: str, request_name: str
) -> None:
    group_uuid = GROUPS.uuid_of_image_name(group_name)
    reservations._records.remove_entry(request_name, group_uuid)
    reservations._records.remove_record(group_uuid, request_name)


def _look_then_revoke(recoverer: Recoverer[GroupRecord], lease: Lease) -> None:
    # Of this one alone: a client may be stopped for good in here, and others are walked after it.
    vars(recoverer)["_is_leased"] = lambda _uuid: False
    recoverer._remove_stranded(lease)
    del vars(recoverer)["_is_leased"]
    recoverer._records.revoke_lease(lease, recoverer._older_than.clock())


def _none_stand(*_: object) -> Iterator[object]:
    return iter(())


def _forget_at_once(recoverer: Recoverer[GroupRecord], lease: Lease) -> None:
    if recoverer._records.revoke_lease(lease, recoverer._older_than.clock()):
        recoverer._remove_stranded(lease)
        recoverer._records.remove_leases([replace(lease, revoked=True).key])


def _revoke_while_listing(recoverer: Recoverer[GroupRecord]) -> Recovery:
    for lease in recoverer._records.leases():
        if lease.revoked:
            recoverer._examine_again(lease)
        else:
            recoverer._revoke(lease)
    for page in recoverer._records.entry_pages():
        recoverer._clean_up(list(recoverer._stale(page)))
    return recoverer._done


def _give_back_early(leases: Leases, held: _Held) -> LeaseCondition:
    del leases
    return LeaseCondition(held.lease.key, release=True)


def _over_though_uncertain(held: _Held) -> bool:
    return not held.unused and not held.in_use


def _lease_sent_twice(
    records: GroupRecords, lease: Lease, *, ended_keys: Collection[str] = ()
) -> None:
    write = Write(
        records.directory,
        guards=(KeyAbsent(lease.key),),
        puts={lease.key: lease.value},
        deletions=ended_keys,
    )
    records._write(write, lambda: records._directory_value(lease.key) == lease.value)


# Repair, drop and attach


def _no_final_steps(*_: object, **__: object) -> Iterator[Step]:
    return iter(())


def _look_without_revoking(planner: Planner, finding: findings.Finding) -> Iterator[Step]:
    for lease in Records(planner._store, GROUPS, finding.instance_id, validate=False).leases():
        if lease.key == finding.key:
            yield from planner._stranded(GROUPS, lease)


def _carry_out_blindly(store: Store, plan: Plan) -> Outcome:
    steps = tuple(replace(step, recheck=lambda: True) for step in plan.steps)
    return carry_out(store, replace(plan, steps=steps))


def _enter_alone(records: GroupRecords, group_uuid: str, request_name: str) -> Iterator[Step]:
    yield from islice(_enter_group(records, group_uuid, request_name), 1)


def _nothing(*_: object) -> Iterator[object]:
    return iter(())


# Unknown outcomes


def _any_error_settles(
    store: Store, write: Write, applied: Applied, unknown: OutcomeUnknown
) -> None:
    for _ in range(2):
        try:
            if not applied():
                store.write(write)
        except GuardFailed:
            if not applied():
                raise
        except (OutcomeUnknown, StoreTimeout, StoreUnreachable):
            continue
        return
    raise unknown


def _unknown_is_done(store: Store, write: Write, applied: Applied, unknown: OutcomeUnknown) -> None:
    del store, write, applied, unknown


def _unknown_is_refused(
    store: Store, write: Write, applied: Applied, unknown: OutcomeUnknown
) -> None:
    del store, applied, unknown
    raise GuardFailed("taken for refused", object_name=write.object_name)


def _in(owner: object, name: str, spoiled: object) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(owner, name, spoiled)


CODE: tuple[Mutation, ...] = (
    Mutation(
        "reserve: entry first, group object second",
        code=_in(Reservations, "_reserve_once", _entry_before_record),
    ),
    Mutation(
        "undo: entry first, group object second",
        code=_in(Reservations, "undo", _entry_before_record_in_undo),
    ),
    Mutation(
        "reserve: group object left behind when the entry is refused",
        code=_in(Reservations, "_reserve_once", _no_cleanup),
    ),
    Mutation(
        "check: grace time not waited for",
        code=_in(Cleanup, "_is_young", lambda *_: False),
    ),
    Mutation(
        "recover: looks first and revokes second",
        code=_in(Recoverer, "_revoke", _look_then_revoke),
    ),
    Mutation(
        "recover: takes what another lease lists",
        code=_in(recover, "standing_leases", _none_stand),
        where=("undo, reserve the same UUID | recover",),
    ),
    Mutation(
        "recover: forgets a lease as soon as it has looked",
        code=_in(Recoverer, "_revoke", _forget_at_once),
    ),
    Mutation(
        "recover: revokes while it still lists leases",
        code=_in(Recoverer, "run", _revoke_while_listing),
    ),
    Mutation(
        "lease: given back with the first entry, not the last",
        code=_in(Leases, "condition", _give_back_early),
    ),
    Mutation(
        "lease: given back though a UUID's fate is unknown",
        code=_in(_Held, "over", property(_over_though_uncertain)),
        faults=2,
        where=("check | reserve",),
    ),
    Mutation(
        "lease: sent again after no answer",
        code=_in(Records, "put_lease", _lease_sent_twice),
        faults=1,
    ),
    Mutation(
        "repair: leases that list the group are not revoked first",
        code=_in(Planner, "final_steps", _no_final_steps),
        where=("repair orphan-group | reserve",),
    ),
    Mutation(
        "repair: no look for an entry right before the removal",
        code=_in(repairers, "carry_out", _carry_out_blindly),
        where=("repair orphan-group | reserve",),
    ),
    Mutation(
        "repair: removal not held to the version",
        partial(_without, ("remove unchanged group", "version unchanged")),
        where=("repair orphan-group | reserve without a lease",),
    ),
    Mutation(
        "repair: removal of an entry not held to its value",
        partial(_without, ("remove entry", "entry unchanged")),
        where=("repair dangling-entry | ensure",),
    ),
    Mutation(
        "repair: looks at a stale lease's group without revoking the lease",
        code=_in(Planner, "_stale_lease", _look_without_revoking),
        where=("repair stale-lease | reserve",),
    ),
    Mutation(
        "drop: leases that list the group are not revoked first",
        code=_in(Planner, "final_steps", _no_final_steps),
        where=("drop | reserve",),
    ),
    Mutation(
        "drop: no look for an entry right before the removal",
        code=_in(repairers, "carry_out", _carry_out_blindly),
        where=("drop | reserve",),
    ),
    Mutation(
        "attach: nothing written to the group after the entry",
        code=_in(manual, "_enter_group", _enter_alone),
        where=("attach | recover", "attach | repair", "attach | drop"),
    ),
    Mutation(
        "restore: group object not held to its absence",
        partial(_without, ("create group", "no such object")),
        where=("restore | reserve the same UUID, add",),
    ),
    Mutation(
        "restore: entry not held to its absence",
        partial(_without, ("put entry", "entry absent")),
        where=("restore | reserve",),
    ),
    Mutation(
        "restore: cleanup of the UUID not ended before the entry",
        code=_in(entering, "_end_cleanups", _nothing),
        where=("restore | check a stale entry | the same",),
    ),
    Mutation(
        "restore: nothing written to the group after the entry",
        code=_in(apply, "_unconfirmed", lambda *_: ""),
        where=("restore | repair orphan-group",),
    ),
    Mutation(
        "unknown outcome: taken for done",
        code=_in(outcomes, "_resolve", _unknown_is_done),
        faults=1,
    ),
    Mutation(
        "unknown outcome: taken for refused",
        code=_in(outcomes, "_resolve", _unknown_is_refused),
        faults=1,
    ),
    Mutation(
        "unknown outcome: settled by any error of the read",
        code=_in(outcomes, "_resolve", _any_error_settles),
        faults=2,
        where=("check | reserve", "ensure | ensure"),
    ),
)

MUTATIONS: tuple[Mutation, ...] = (*GUARDS.values(), *CODE)
