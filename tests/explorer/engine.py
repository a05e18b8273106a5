"""The states of a scenario, and where one step leads from each.

A state is what the store holds, where each client's script stands, the facts,
the faults that may still happen and the writes that are still under way.  Two
schedules that lead to the same state have the same futures, since a script's
future depends on nothing but the answers that it got.

A client that is stopped for good is a client that is never chosen again.  So
stopping needs no step: each state is also looked at as the end of a schedule
in which everybody who has not finished was stopped where he stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Union

from explorer import invariants as promises
from explorer.clients import ENDED, Node
from explorer.contents import Contents, Mutation, Objects
from explorer.invariants import Facts, Violation
from explorer.operations import (
    DENIED,
    FULL,
    REFUSED_BY_GUARD,
    TIMED_OUT,
    UNKNOWN,
    Answer,
    Operation,
    kind,
)
from explorer.recovery import Late, Rest, require_clean
from explorer.scenarios import Scenario
from explorer.versions import NumberedStore


@dataclass(frozen=True)
class Bounds:
    """How much may go wrong in one schedule.

    `crashes` is how many clients may be stopped for good; None for all.
    With `in_order`, a client's write of unknown outcome is not applied any more
    once the same client was answered for a later operation on that object.
    """

    faults: int = 0
    crashes: int | None = None
    in_order: bool = True


class Step(NamedTuple):
    """One move of a schedule: whose, what, and how it went where that needs a word."""

    client: int
    operation: Operation
    remark: str = ""
    fault: Answer | None = None


class State(NamedTuple):
    """Where a schedule stands; `late` are writes under way, with their clients."""

    contents: int
    nodes: tuple[Node, ...]
    facts: int
    faults: int
    late: tuple[tuple[int, Operation], ...]

    @property
    def finished(self) -> bool:
        """Whether every client came to its end."""
        return all(node is ENDED for node in self.nodes)


class _Arrival(NamedTuple):
    """All that new facts depend on: who moved on from where, and how the store changed."""

    facts: int
    client: int
    node: Node
    following: Node
    before: int
    now: int


LateWrites = tuple[tuple[int, Operation], ...]
Move = tuple[Step, Union[State, Violation]]

LANDS = "lands late"
REFUSED = "guard fails"
UNANSWERED = "applied, no answer"
LATE = "no answer, not applied yet"
_WRITE_REFUSED = ("refused: store full", FULL)
_READ_FAULTS = (("timed out", TIMED_OUT), ("refused: no permission", DENIED))


class Space:
    """All states of one scenario within bounds; `mutation` spoils the writes."""

    def __init__(
        self, scenario: Scenario, bounds: Bounds, *, mutation: Mutation | None = None
    ) -> None:
        self.scenario = scenario
        self.bounds = bounds
        self.programs = scenario.programs()
        self._contents = Contents(mutation)
        self._rest = Rest(self._contents, grace_seconds=scenario.grace_seconds)
        self._grace_over = scenario.grace_seconds == 0
        self._facts: list[Facts] = []
        self._fact_numbers: dict[Facts, int] = {}
        self._arrived: dict[_Arrival, int | Violation] = {}
        self._rested: dict[tuple[int, int, Late, bool], Violation | None] = {}
        store, facts = scenario.start(len(self.programs))
        self._first_contents = self._contents.number(store)
        self.start = State(
            self._first_contents,
            tuple(program.root for program in self.programs),
            self._number(facts),
            bounds.faults,
            (),
        )

    def moves(self, state: State) -> Iterator[Move]:
        """Every step that can come next, and where it leads."""
        for client, node in enumerate(state.nodes):
            if node.operation is not None:
                yield self._step(state, client, node.operation)
                if state.faults:
                    yield from self._faults(state, client, node.operation)
        for place in range(len(state.late)):
            yield from self._landing(state, place)

    def stopped(self, state: State) -> list[int] | None:
        """Who has to be stopped to end here; None where that is more than may be."""
        left = [client for client, node in enumerate(state.nodes) if node is not ENDED]
        most = self.bounds.crashes
        return left if most is None or len(left) <= most else None

    def at_rest(self, state: State) -> Violation | None:
        """What is wrong where nobody goes on from here and a newcomer recovers."""
        late = self._late_at_rest(state)
        undisturbed = state.finished and state.faults == self.bounds.faults
        key = (state.contents, state.facts, late, undisturbed)
        if key not in self._rested:
            self._rested[key] = self._wrong_at_rest(*key)
        return self._rested[key]

    def objects(self, state: State) -> Objects:
        """What the store holds."""
        return self._contents.objects(state.contents)

    def recovered(self, state: State) -> list[NumberedStore]:
        """The stores that a newcomer's recovery can leave where nobody goes on from here."""
        outcomes = self._rest.outcomes(state.contents, self._late_at_rest(state))
        return [self._contents.load(number) for number in sorted(outcomes)]

    # Steps

    def _step(self, state: State, client: int, operation: Operation) -> Move:
        answer, now = self._contents.perform(state.contents, operation)
        late = state.late
        if late and self.bounds.in_order:
            late = _not_overtaken(late, client, operation)
        following = self._arrive(state, state._replace(contents=now, late=late), client, answer)
        return Step(client, operation, REFUSED if answer is REFUSED_BY_GUARD else ""), following

    def _faults(self, state: State, client: int, operation: Operation) -> Iterator[Move]:
        fewer = state._replace(faults=state.faults - 1)
        for remark, answer in (_WRITE_REFUSED,) if operation.is_write else _READ_FAULTS:
            following = self._arrive(state, fewer, client, answer)
            yield Step(client, operation, remark, answer), following
        if operation.is_write:
            yield from self._unknowns(state, fewer, client, operation)

    def _unknowns(
        self, state: State, fewer: State, client: int, operation: Operation
    ) -> Iterator[Move]:
        sent = fewer._replace(late=(*state.late, (client, operation)))
        yield Step(client, operation, LATE, UNKNOWN), self._arrive(state, sent, client, UNKNOWN)
        _, now = self._contents.perform(state.contents, operation)
        if now != state.contents:
            late = _not_overtaken(state.late, client, operation)
            applied = fewer._replace(contents=now, late=late)
            following = self._arrive(state, applied, client, UNKNOWN)
            yield Step(client, operation, UNANSWERED, UNKNOWN), following

    def _landing(self, state: State, place: int) -> Iterator[Move]:
        """A late write takes effect; where it would not, there is nothing to see."""
        client, operation = state.late[place]
        _, now = self._contents.perform(state.contents, operation)
        if now == state.contents:
            return
        before = state.late[:place]
        if self.bounds.in_order:
            before = _not_overtaken(before, client, operation)
        node = state.nodes[client]
        facts = self._facts_after(_Arrival(state.facts, client, node, node, state.contents, now))
        step = Step(client, operation, LANDS)
        if isinstance(facts, Violation):
            yield step, facts
        else:
            late = (*before, *state.late[place + 1 :])
            yield step, state._replace(contents=now, facts=facts, late=late)

    def _arrive(
        self, before: State, after: State, client: int, answer: Answer
    ) -> State | Violation:
        """`after`, with `client` moved on by `answer` and the facts that come of it."""
        node = before.nodes[client]
        following = self.programs[client].after(node, answer)
        arrival = _Arrival(before.facts, client, node, following, before.contents, after.contents)
        facts = self._facts_after(arrival)
        if isinstance(facts, Violation):
            return facts
        if following.operation is None:
            following = ENDED
        nodes = (*before.nodes[:client], following, *before.nodes[client + 1 :])
        return State(after.contents, nodes, facts, after.faults, after.late)

    def _late_at_rest(self, state: State) -> Late:
        if self.scenario.recovers:
            return ()
        return tuple(write for client, write in state.late if not self.programs[client].peer)

    # Facts

    def _facts_after(self, arrival: _Arrival) -> int | Violation:
        known = self._arrived.get(arrival)
        if known is None:
            try:
                known = self._number(self._judged(arrival))
            except Violation as violation:
                known = violation
            self._arrived[arrival] = known
        return known

    def _judged(self, arrival: _Arrival) -> Facts:
        facts, client = self._facts[arrival.facts], arrival.client
        node, following = arrival.node, arrival.following
        program = self.programs[client]
        before, now = self._contents.view(arrival.before), self._contents.view(arrival.now)
        if node is not following:
            for began in node.began:
                facts = promises.after_beginning(
                    facts, client, began.call, before, grace_over=self._grace_over
                )
        facts = promises.after_change(
            facts,
            before,
            now,
            peer=self.scenario.peer_uuids if program.peer else None,
            reused=self.scenario.broken_uuids,
        )
        if node is not following:
            for ended in following.ended:
                struck = following.struck or self.scenario.broken_uuids
                facts = promises.after_ending(facts, client, ended, struck=struck)
            facts = self._with_doubt(facts, node, following)
        promises.require_promises(facts, now, self._contents.view(self._first_contents))
        return facts

    def _with_doubt(self, facts: Facts, node: Node, following: Node) -> Facts:
        operation = node.operation
        lost = following.path[-1] is UNKNOWN
        if operation is None or not lost or kind(operation) != "put entry":
            return facts
        return facts.doubting(value.decode() for _, value in operation.puts)

    def _wrong_at_rest(
        self, number: int, facts_number: int, late: Late, undisturbed: bool
    ) -> Violation | None:
        facts = self._facts[facts_number]
        for outcome in self._rest.outcomes(number, late):
            view = self._contents.view(outcome)
            try:
                promises.require_promises(facts, view, self._contents.view(self._first_contents))
                require_clean(view, facts, self.scenario, undisturbed=undisturbed)
            except Violation as violation:
                return violation
        return None

    def _number(self, facts: Facts) -> int:
        number = self._fact_numbers.setdefault(facts, len(self._facts))
        if number == len(self._facts):
            self._facts.append(facts)
        return number


def _not_overtaken(late: LateWrites, client: int, operation: Operation) -> LateWrites:
    """Those of `late` that the same client did not send to the same object."""
    return tuple(
        (whose, write)
        for whose, write in late
        if whose != client or write.object_name != operation.object_name
    )
