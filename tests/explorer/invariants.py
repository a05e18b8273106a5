"""What clients were promised, and whether the store keeps it: the invariants.

Facts grow with what clients say (`talk`) and never look into the journal.  The
invariants, each under the letter that violations carry:

a   A reservation that somebody was told of, and whose undo has not begun, is in
    the store: entry, group object of that name, acknowledged members.
b   Two UUIDs are never promised for one name, and a UUID is made for one caller.
c   Who asks for what was promised before the call began gets it: no None from
    check, no GroupNotFound, no other UUID.  Calls raise only what they may.
d   A group whose undo was acknowledged is gone for good.  An empty object of
    its UUID may stand for a moment: a cleanup makes one to remove a stale entry.
e   What others keep in the pool stays as it is.
f   A lease that ended never comes back, not even as a revoked one.
g   At rest, after two runs of recover by a newcomer: entries and group objects
    match one to one, no lease is left, and a to f hold.

"Promised" stops at the beginning of an undo, whoever calls it.  For members,
adding and removing the same one at the same time promises nothing, and a
removal of unknown outcome counts as going on forever.  An undone reservation
can leave a *dangling entry* where the write of that entry met a fault: it was
sent twice or came late.  Nobody is told of it and whoever meets it removes it.

A Ceph-CSI peer writes without guards.  What it can break is `void`: its own
reservation where its object or entry were not intact when it wrote its
attributes (it took longer than the grace time), and a reservation whose entry
it overwrote or removed (it was not kept off a name that others work on).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from explorer.contents import View
from explorer.history import Call, Ended, Failed, Told

Members = frozenset[tuple[str, str, str]]


class Violation(Exception):
    """An invariant does not hold; `invariant` is its letter."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"({invariant}) {what}")
        self.invariant = invariant
        self.what = what

    def is_of(self, invariants: str) -> bool:
        """Whether it is one of these letters; no letters stand for all."""
        return not invariants or self.invariant in invariants


@dataclass(frozen=True)
class Open:
    """A call under way, and what was promised when it began.

    `disturbed`: another call changes the same member meanwhile.
    """

    call: Call
    promised: str = ""
    members: Members = frozenset()
    undone: frozenset[str] = frozenset()
    disturbed: bool = False


@dataclass(frozen=True)
class Facts:
    """Everything that clients were told, and what of it still binds.

    `unsettled` are changes of members whose outcome nobody knows, with the
    client that asked; `doubtful` are UUIDs whose entry met a fault when it was
    written; `ended` are leases.  `chosen` are UUIDs that a caller chose though
    they had been used, and `half_undone` those that an undo failed on: it can
    still take effect, on whatever has the name and the UUID by then.
    """

    calls: tuple[Open | None, ...]
    promised: frozenset[tuple[str, str]] = frozenset()
    undoing: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    members: Members = frozenset()
    absent: frozenset[tuple[str, str]] = frozenset()
    unsettled: frozenset[tuple[int, Call]] = frozenset()
    ended: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()
    void: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    half_undone: frozenset[str] = frozenset()

    def holder(self, request_name: str) -> str:
        """The UUID that the name was promised; empty where none was."""
        return next((uuid for name, uuid in self.promised if name == request_name), "")

    def binds(self, group_uuid: str) -> bool:
        """Whether a promise of this UUID counts."""
        return group_uuid not in self.undoing and group_uuid not in self.void

    def void_of(self, group_uuid: str) -> Facts:
        """No promise of this UUID counts any more."""
        return replace(self, void=self.void | {group_uuid})._without(group_uuid)

    def doubting(self, group_uuids: Iterable[str]) -> Facts:
        """Facts that know of a fault that an entry of these UUIDs met."""
        return replace(self, doubtful=self.doubtful | frozenset(group_uuids))

    def _without(self, group_uuid: str) -> Facts:
        return replace(
            self,
            promised=frozenset(pair for pair in self.promised if pair[1] != group_uuid),
            members=frozenset(member for member in self.members if member[0] != group_uuid),
            absent=frozenset(member for member in self.absent if member[0] != group_uuid),
        )


def after_beginning(
    facts: Facts, client: int, call: Call, view: View, *, grace_over: bool
) -> Facts:
    """The facts when `client` begins a call; `view` is the store at that moment.

    Raises Violation.
    """
    if call.verb == "write attributes" and not _intact(call, view):
        if not grace_over:
            raise Violation("e", "a peer's group was touched before its grace time was over")
        facts = facts.void_of(call.group_uuid)
    return _begin(facts, client, call)


def after_ending(facts: Facts, client: int, event: Ended, *, struck: bool) -> Facts:
    """The facts when a call returned; a `struck` client met a fault.

    Raises Violation.
    """
    open_call = facts.calls[client]
    assert open_call is not None
    assert open_call.call == event.call
    facts = replace(facts, calls=_set(facts.calls, client, None))
    return _end(facts, client, open_call, event, struck=struck)


def require_promises(facts: Facts, view: View, foreign: View) -> None:
    """Raise Violation unless the store is as the facts say (a, d, e)."""
    for request_name, group_uuid in facts.promised:
        if not view.whole(request_name, group_uuid):
            raise Violation("a", "an acknowledged reservation is gone")
    _require_members(facts, view)
    if facts.undone:
        _require_gone(facts, view)
    if view.foreign != foreign.foreign:
        raise Violation("e", "what others keep in the pool has changed")


def _require_members(facts: Facts, view: View) -> None:
    for group_uuid, member, value in facts.members:
        if (member, value) not in view.groups[group_uuid].members:
            raise Violation("a", "an acknowledged member is gone")
    for group_uuid, member in facts.absent:
        group = view.groups.get(group_uuid)
        if group and any(there == member for there, _ in group.members):
            raise Violation("a", "a removed member came back")


def _require_gone(facts: Facts, view: View) -> None:
    for group_uuid in facts.undone - facts.void:
        group = view.groups.get(group_uuid)
        if group is not None and not group.is_empty:
            raise Violation("d", "the group of an undone reservation is there")
    for group_uuid in facts.undone - facts.void - facts.doubtful:
        if group_uuid in view.entries.values():
            raise Violation("d", "the entry of an undone reservation is there")


def after_change(
    facts: Facts, before: View, now: View, *, peer: frozenset[str] | None, reused: bool
) -> Facts:
    """The facts after a write; `peer` are the UUIDs of the peer that wrote it, if one did.

    `reused`: two clients make the same UUIDs, and so the same leases.  Raises
    Violation (f).
    """
    appeared = now.lease_ids - before.lease_ids
    if appeared & facts.ended and not reused:
        raise Violation("f", "a lease that ended is back")
    ended = before.lease_ids - now.lease_ids
    if ended - facts.ended:
        facts = replace(facts, ended=facts.ended | ended)
    if peer is not None:
        for request_name, group_uuid in before.entries.items():
            if group_uuid not in peer and now.entries.get(request_name) != group_uuid:
                facts = facts.void_of(group_uuid)
    return facts


# Calls begin

_CHOOSING = frozenset({"reserve", "ensure", "restore"})
"""Calls that may be given a UUID, which may have been used before."""


def _begin(facts: Facts, client: int, call: Call) -> Facts:
    promised = ""
    members: Members = frozenset()
    disturbed = False
    if call.verb in _CHOOSING and call.group_uuid:
        facts = _chosen_again(facts, call.group_uuid)
    if call.verb == "undo":
        facts = replace(facts, undoing=facts.undoing | {call.group_uuid})
        facts = facts._without(call.group_uuid)
    elif call.verb in {"add", "remove"}:
        if any(uuid == call.group_uuid for _, uuid in facts.promised):
            promised = call.group_uuid
        facts, disturbed = _disturb(facts, client, call)
    elif call.verb != "write attributes":
        promised = facts.holder(call.request_name)
        members = frozenset(each for each in facts.members if each[0] == promised)
    opened = Open(call, promised, members, facts.undone, disturbed)
    return replace(facts, calls=_set(facts.calls, client, opened))


def _chosen_again(facts: Facts, group_uuid: str) -> Facts:
    """Facts after a caller chose a UUID: what was undone can be made again.

    While an undo of it is under way nothing is promised of it.
    """
    facts = replace(facts, chosen=facts.chosen | {group_uuid})
    if any(uuid == group_uuid for _, uuid in facts.promised):
        return facts
    undo_is_on = group_uuid in facts.half_undone or any(
        other and (other.call.verb, other.call.group_uuid) == ("undo", group_uuid)
        for other in facts.calls
    )
    return replace(
        facts,
        undone=facts.undone - {group_uuid},
        undoing=facts.undoing if undo_is_on else facts.undoing - {group_uuid},
        made=facts.made - {group_uuid},
        calls=tuple(_reopened(other, group_uuid) if other else None for other in facts.calls),
    )


def _reopened(opened: Open, group_uuid: str) -> Open:
    """A call under way, for which what it knew of this UUID does not count any more."""
    promised = "" if opened.promised == group_uuid else opened.promised
    return replace(opened, promised=promised, undone=opened.undone - {group_uuid})


def _is_being_chosen(facts: Facts, group_uuid: str) -> bool:
    """Whether a reservation under this UUID is under way.

    Who read the entry before the UUID was undone can then read a record that
    has no entry yet: docs/correctness.md tells this as open.
    """
    return group_uuid in facts.chosen and any(
        other and other.call.group_uuid == group_uuid and other.call.verb in _CHOOSING
        for other in facts.calls
    )


def _intact(call: Call, view: View) -> bool:
    """Whether a peer finds its entry and its own object, and not one that a cleanup has made."""
    return (
        view.entries.get(call.request_name) == call.group_uuid
        and call.group_uuid in view.groups
        and call.group_uuid not in view.taken
    )


def _disturb(facts: Facts, client: int, call: Call) -> tuple[Facts, bool]:
    """Let go of promises that `call` puts in question, its rivals' included."""
    place = (call.group_uuid, call.member)
    keeps = (*place, call.value) if call.verb == "add" else None
    facts = replace(
        facts,
        members=frozenset(m for m in facts.members if m[:2] != place or m == keeps),
        absent=frozenset(m for m in facts.absent if m != place or call.verb == "remove"),
        calls=tuple(
            replace(other, disturbed=True) if other and _rivals(other.call, call) else other
            for other in facts.calls
        ),
    )
    under_way = any(other and _rivals(other.call, call) for other in facts.calls)
    unsettled = any(_rivals(other, call) for whose, other in facts.unsettled if whose != client)
    return facts, under_way or unsettled


def _rivals(one: Call, other: Call) -> bool:
    same_member = (one.group_uuid, one.member) == (other.group_uuid, other.member)
    changes = one.verb in {"add", "remove"}
    return changes and same_member and (one.verb, one.value) != (other.verb, other.value)


# Calls end


def _end(facts: Facts, client: int, opened: Open, event: Ended, *, struck: bool) -> Facts:
    call, outcome = event.call, event.outcome
    if isinstance(outcome, Told):
        return _told(facts, opened, outcome)
    if isinstance(outcome, Failed):
        return _failed(facts, client, opened, outcome, struck=struck)
    if call.verb in {"check", "show"} and opened.promised and facts.binds(opened.promised):
        raise Violation("c", f"{call.verb} found nothing of an acknowledged reservation")
    if call.verb == "undo misnamed":
        raise Violation("c", "undo took a group that belongs to another name")
    if call.verb == "undo":
        return replace(facts, undone=facts.undone | ({call.group_uuid} - facts.chosen))
    if call.verb in {"add", "remove"}:
        return _member_settled(facts, client, opened)
    return facts


def _told(facts: Facts, opened: Open, told: Told) -> Facts:
    group_uuid, request_name = told.group_uuid, opened.call.request_name
    if opened.promised not in ("", group_uuid) and facts.binds(opened.promised):
        raise Violation("c", f"{opened.call.verb} answered with another UUID")
    if group_uuid in opened.undone - facts.void:
        raise Violation("c", f"{opened.call.verb} answered with an undone reservation")
    if told.created:
        if group_uuid in facts.made:
            raise Violation("b", "one UUID was made for two callers")
        facts = replace(facts, made=facts.made | {group_uuid})
    if told.members is not None:
        missing = {m[1:] for m in opened.members & facts.members} - told.members
        if missing:
            raise Violation("c", f"{opened.call.verb} does not show an acknowledged member")
    if not facts.binds(group_uuid) or _is_being_chosen(facts, group_uuid):
        return facts
    if facts.holder(request_name) not in ("", group_uuid):
        raise Violation("b", "two UUIDs are promised for one name")
    return replace(facts, promised=facts.promised | {(request_name, group_uuid)})


def _failed(facts: Facts, client: int, opened: Open, failed: Failed, *, struck: bool) -> Facts:
    call = opened.call
    facts = _unsettled_by(facts, client, call, failed)
    if failed.store_error:
        if not struck:
            raise Violation("c", f"{call.verb} raised {failed.error} without a fault")
        return facts
    if failed.error == "GroupNotFound" and call.verb in {"add", "show"}:
        if opened.promised and facts.binds(opened.promised):
            raise Violation("c", f"{call.verb} does not find an acknowledged reservation")
        return facts
    if failed.error == "UUIDInUse" and call.group_uuid in facts.chosen:
        return facts
    if failed.error == "AlreadyReserved" and (call.verb == "reserve" or call.group_uuid):
        return _told(facts, opened, Told(failed.group_uuid))
    if _is_refusal(call, failed):
        return facts
    if failed.error == "ReservationPending" and not opened.promised:
        return facts
    raise Violation("c", f"{call.verb} raised {failed.error}")


def _is_refusal(call: Call, failed: Failed) -> bool:
    """Whether the call says that what it was asked to do must not be done."""
    if call.verb in {"drop", "attach"}:
        return failed.error in {"GroupNotFound", "Conflict"}
    return failed.error == "UndoRefused" and call.verb.startswith("undo ")


def _unsettled_by(facts: Facts, client: int, call: Call, failed: Failed) -> Facts:
    """The facts with what nobody knows since this failure."""
    if failed.error == "OutcomeUnknown" and call.verb in {"add", "remove"}:
        return replace(facts, unsettled=facts.unsettled | {(client, call)})
    if call.verb == "undo":
        return replace(facts, half_undone=facts.half_undone | {call.group_uuid})
    return facts


def _member_settled(facts: Facts, client: int, opened: Open) -> Facts:
    call = opened.call
    mine = {(client, other) for whose, other in facts.unsettled if whose == client}
    settled = {pair for pair in mine if pair[1] == call or _rivals(pair[1], call)}
    facts = replace(facts, unsettled=facts.unsettled - settled)
    if opened.disturbed or not facts.binds(call.group_uuid):
        return facts
    if call.verb == "add":
        added = (call.group_uuid, call.member, call.value)
        return replace(facts, members=facts.members | {added})
    return replace(facts, absent=facts.absent | {(call.group_uuid, call.member)})


def _set(
    calls: tuple[Open | None, ...], client: int, opened: Open | None
) -> tuple[Open | None, ...]:
    return (*calls[:client], opened, *calls[client + 1 :])
