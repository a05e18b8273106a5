"""Walking a space: all of it with counts, or by breadth to the shortest violation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from explorer.clients import Node
from explorer.engine import Move, Space, State, Step
from explorer.invariants import Violation
from explorer.operations import guards, kind

GuardedKind = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """A schedule that breaks an invariant, with the clients stopped at its end."""

    violation: Violation
    schedule: tuple[str, ...]
    steps: int

    def __str__(self) -> str:
        return "; ".join(self.schedule)


@dataclass
class Tally:
    """How much a walk covered.

    `schedules` are those in which every client came to its end, `cut_schedules`
    those in which some were stopped for good.  A crash point is a client at one
    of its operations with one past, a fault point is such a point and a fault.
    """

    scenario: str = ""
    clients: int = 0
    faults: int = 0
    states: int = 0
    steps: int = 0
    schedules: int = 0
    cut_schedules: int = 0
    crash_points: int = 0
    fault_points: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    bad_ends: list[State] = field(default_factory=list)
    guards: set[GuardedKind] = field(default_factory=set)


@dataclass
class _Frame:
    state: State
    step: Step | None
    moves: Iterator[Move]
    schedules: int
    prefixes: int = 1

    def add(self, schedules: int, prefixes: int) -> None:
        self.schedules += schedules
        self.prefixes += prefixes


class Walk:
    """One pass through a whole space."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._counted: dict[State, tuple[int, int]] = {}
        self._path: list[_Frame] = []
        self._seen: set[tuple[str, str]] = set()
        self._stopped_at: set[Node] = set()
        self._struck_at: set[tuple[Node, str]] = set()
        self._tally = Tally(space.scenario.name, len(space.programs), space.bounds.faults)

    def run(self) -> Tally:
        """Go everywhere.  Findings are the first of each kind, not the shortest."""
        self._enter(self._space.start, None)
        while self._path:
            frame = self._path[-1]
            move = next(frame.moves, None)
            if move is None:
                self._leave(frame)
            else:
                self._follow(frame, *move)
        return self._totals()

    def _follow(self, frame: _Frame, step: Step, following: State | Violation) -> None:
        self._tally.steps += 1
        if step.fault:
            self._struck_at.add((frame.state.nodes[step.client], step.remark))
        if isinstance(following, Violation):
            self._note(following, step, [])
        elif following in self._counted:
            frame.add(*self._counted[following])
        else:
            self._enter(following, step)

    def _enter(self, state: State, step: Step | None) -> None:
        self._path.append(_Frame(state, step, self._space.moves(state), int(state.finished)))
        stopped = self._space.stopped(state)
        if stopped is None:
            return
        self._stopped_at.update(state.nodes[client] for client in stopped)
        violation = self._space.at_rest(state)
        if violation is not None:
            self._tally.bad_ends.append(state)
            self._note(violation, None, stopped)

    def _leave(self, frame: _Frame) -> None:
        self._path.pop()
        counts = frame.schedules, frame.prefixes
        self._counted[frame.state] = counts
        if self._path:
            self._path[-1].add(*counts)

    def _note(self, violation: Violation, step: Step | None, stopped: list[int]) -> None:
        key = (violation.invariant, violation.what)
        if key not in self._seen:
            self._seen.add(key)
            steps = [frame.step for frame in self._path if frame.step]
            steps += [step] if step else []
            self._tally.findings.append(_finding(self._space, violation, steps, stopped))

    def _totals(self) -> Tally:
        tally = self._tally
        tally.states = len(self._counted)
        tally.schedules, prefixes = self._counted[self._space.start]
        tally.cut_schedules = prefixes - tally.schedules
        tally.crash_points = len(self._stopped_at)
        tally.fault_points = len(self._struck_at)
        tally.guards = {
            (kind(node.operation), guard)
            for program in self._space.programs
            for node in program.nodes
            if node.operation is not None and not program.peer
            for guard in guards(node.operation)
        }
        return tally


def shortest(space: Space, *, invariants: str = "", steps_max: int = 1000) -> Finding | None:
    """The violation that takes the fewest steps, of `invariants` or any; None for none.

    Steps of one client in a row come first, so that a schedule reads well.
    """
    came_from: dict[State, tuple[State, Step, int] | None] = {space.start: None}
    waiting = deque([space.start])
    while waiting:
        state = waiting.popleft()
        violation = space.at_rest(state)
        stopped = space.stopped(state)
        if violation is not None and stopped is not None and violation.is_of(invariants):
            return _finding(space, violation, _steps_to(came_from, state), stopped)
        last = came_from[state]
        length = last[2] + 1 if last else 1
        if length > steps_max:
            continue
        for step, following in _same_client_first(space, state, last[1].client if last else 0):
            if isinstance(following, Violation):
                if following.is_of(invariants):
                    steps = [*_steps_to(came_from, state), step]
                    return _finding(space, following, steps, [])
            elif following not in came_from:
                came_from[following] = (state, step, length)
                waiting.append(following)
    return None


def _same_client_first(space: Space, state: State, client: int) -> list[Move]:
    return sorted(space.moves(state), key=lambda move: move[0].client != client)


def _steps_to(came_from: dict[State, tuple[State, Step, int] | None], state: State) -> list[Step]:
    steps = []
    while (last := came_from[state]) is not None:
        state, step, _ = last
        steps.append(step)
    return steps[::-1]


def _finding(space: Space, violation: Violation, steps: list[Step], stopped: list[int]) -> Finding:
    return Finding(violation, _aloud(space, steps, stopped), len(steps))


def _aloud(space: Space, steps: list[Step], stopped: list[int]) -> tuple[str, ...]:
    """The schedule in words, with the steps of one client in a row as one part.

    Who does nothing is not spoken of.
    """
    parts: list[tuple[str, list[str]]] = []
    for step in steps:
        name = space.programs[step.client].name
        words = kind(step.operation) + (f" ({step.remark})" if step.remark else "")
        if not parts or parts[-1][0] != name:
            parts.append((name, []))
        parts[-1][1].append(words)
    acted = {step.client for step in steps}
    stops = [
        f"{space.programs[client].name} stops for good" for client in stopped if client in acted
    ]
    return (*(f"{name}: {', '.join(words)}" for name, words in parts), *stops)
