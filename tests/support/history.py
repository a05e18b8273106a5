"""What many clients were told, set against each other and against what is there.

Nothing here guesses at the order of calls that overlapped.  A reservation is
known to stand from when somebody had been told of it until when somebody began
to undo it, and known to be gone once an undo of it was acknowledged.  Any call
that lay wholly in such a time must have been told so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from support.hammering import CREATED, DONE, FOUND, GONE, Fact
from support.inventory import Inventory

NEVER = 2**63


class History:
    """All facts of all clients, of which `killed` died."""

    def __init__(self, facts: Iterable[Fact], *, killed: int) -> None:
        self.facts = list(facts)
        self._killed = killed
        self._stands_from: dict[str, int] = defaultdict(lambda: NEVER)
        self._stands_until: dict[str, int] = defaultdict(lambda: NEVER)
        self._gone_from: dict[str, int] = defaultdict(lambda: NEVER)
        self._uuids: dict[str, set[str]] = defaultdict(set)
        for fact in self.facts:
            self._learn(fact)

    def _learn(self, fact: Fact) -> None:
        group_uuid = fact.group_uuid
        if group_uuid:
            self._uuids[fact.request_name].add(group_uuid)
        if fact.told in {CREATED, FOUND}:
            self._stands_from[group_uuid] = min(self._stands_from[group_uuid], fact.ended_ns)
        if fact.operation == "undo":
            self._stands_until[group_uuid] = min(self._stands_until[group_uuid], fact.begun_ns)
            if fact.told:
                self._gone_from[group_uuid] = min(self._gone_from[group_uuid], fact.ended_ns)

    def check_facts(self) -> None:
        """No client was told something that is not so."""
        self._check_creations()
        for fact in self.facts:
            if not fact.told:
                continue
            if fact.operation in {"ensure", "check"}:
                self._check_only_one_stood(fact)
            if fact.operation in {"add", "put", "attributes"}:
                self._check_group_was_told_right(fact)
        self._check_clients_saw_their_own_members()

    def _check_creations(self) -> None:
        created = [fact.group_uuid for fact in self.facts if fact.told == CREATED]
        assert len(created) == len(set(created))
        known = set().union(*self._uuids.values())
        assert len(known - set(created)) <= self._killed
        assert sum(map(len, self._uuids.values())) == len(known)

    def _check_only_one_stood(self, fact: Fact) -> None:
        for other in self._uuids[fact.request_name] - {fact.group_uuid}:
            assert not self._stood_throughout(other, fact), (other, fact)
        if fact.group_uuid:
            assert fact.begun_ns < self._gone_from[fact.group_uuid], fact

    def _check_group_was_told_right(self, fact: Fact) -> None:
        assert fact.told in {FOUND, DONE, GONE}, fact
        if fact.told == GONE:
            assert not self._stood_throughout(fact.group_uuid, fact), fact
        else:
            assert fact.begun_ns < self._gone_from[fact.group_uuid], fact

    def _stood_throughout(self, group_uuid: str, fact: Fact) -> bool:
        return (
            self._stands_from[group_uuid] < fact.begun_ns
            and fact.ended_ns < self._stands_until[group_uuid]
        )

    def _check_clients_saw_their_own_members(self) -> None:
        """A client's own members change only by its own calls, one after the other."""
        own: dict[tuple[str, str], set[str]] = defaultdict(set)
        for fact in sorted(self.facts, key=lambda fact: fact.begun_ns):
            members = own[fact.client, fact.group_uuid]
            if fact.told in {CREATED, FOUND}:
                assert fact.members == sorted(members), fact
            elif fact.operation == "add" and fact.told == DONE:
                members.add(fact.volume_id)
            elif fact.operation == "remove" and fact.told == DONE:
                members.discard(fact.volume_id)

    def check_rest(self, rest: Inventory) -> None:
        """What was acknowledged is there, what was undone is not, and little else is."""
        assert rest.contradictions == []
        assert len(rest.unreferenced) + len(rest.dangling) <= self._killed
        assert rest.unreferenced <= rest.leased
        for request_name in self._uuids:
            answering = rest.entries.get(request_name)
            assert answering is None or answering in self._uuids[request_name] or self._killed
            for group_uuid in self._uuids[request_name]:
                if self._gone_from[group_uuid] < NEVER:
                    # Who removes a stale entry makes its record, empty, for a moment, and may be
                    # killed in it: a lease lists that one, as all that nothing points at.
                    assert not rest.groups.get(group_uuid), rest.groups[group_uuid]
                    assert group_uuid != answering
                elif self._stands_until[group_uuid] == NEVER > self._stands_from[group_uuid]:
                    assert group_uuid == answering
                    assert rest.name_of(group_uuid) == request_name
        self._check_members(rest)

    def _check_members(self, rest: Inventory) -> None:
        last: dict[tuple[str, str], Fact] = {}
        for fact in sorted(self.facts, key=lambda fact: fact.begun_ns):
            if fact.operation in {"add", "remove"} and fact.told != GONE:
                last[fact.group_uuid, fact.volume_id] = fact
        for group_uuid in rest.entries.values():
            members = {key for key in rest.groups.get(group_uuid, {}) if not key.startswith("csi.")}
            began = {volume for group, volume in last if group == group_uuid}
            assert members <= began
            for volume_id in began:
                fact = last[group_uuid, volume_id]
                if fact.told:
                    assert (volume_id in members) == (fact.operation == "add"), fact
