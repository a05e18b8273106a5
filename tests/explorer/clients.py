"""Clients under a scheduler: scripts over a journal whose store stops at each operation.

A script runs as a greenlet.  Its store hands every operation to the scheduler
and waits for the answer, so the script stands still between any two operations
for as long as the scheduler likes, or for good.

What a script does next depends on nothing but the answers that it was given
(its UUIDs are counted, its clock stands).  So a program is a tree: a node is a
script that waits at an operation, a branch is an answer.  A walk moves along
the tree and runs the script only where it was never before; that makes walking
all schedules a matter of tuples rather than of running journals.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from csijournal.store import Guarantee, Store, Write
from csijournal.store.contract import PAGE_ENTRIES_MAX, ObjectState
from explorer.history import Began, Ended, Event
from explorer.operations import REFUSED_BY_GUARD, Answer, Names, Operation, Value

Script = Callable[[Store, Callable[[Event], None]], None]


class ScheduledStore(Store):
    """Asks the scheduler for everything."""

    guarantees = Guarantee.NONE

    def __init__(self, ask: Callable[[Operation], Value]) -> None:
        self._ask = ask

    @property
    def stands_alone(self) -> bool:
        """No RBD groups lie behind it, so repair may remove group objects alone."""
        return True

    @property
    def place(self) -> str:
        return "scheduled:"

    def connect(self) -> None:
        raise NotImplementedError

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        return self._entries(Operation("read_keys", object_name, keys=tuple(sorted(keys))))

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        del limit
        return self._entries(Operation("read_page", object_name, after=after, prefix=prefix))

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        del sentinel
        return self._entries(Operation("read_object", object_name))

    def read_state(self, object_name: str) -> ObjectState | None:
        value = self._ask(Operation("read_state", object_name))
        assert value is None or isinstance(value, ObjectState)
        return value

    def object_names(self, prefix: str = "") -> Iterator[str]:
        value = self._ask(Operation("object_names", "", prefix=prefix))
        assert isinstance(value, Names)
        return iter(value.names)

    def modified_ns(self, object_name: str) -> int | None:
        value = self._ask(Operation("modified_ns", object_name))
        assert value is None or isinstance(value, int)
        return value

    def write(self, write: Write) -> None:
        self._ask(Operation.of_write(write))

    def close(self) -> None:
        pass

    def _entries(self, operation: Operation) -> dict[str, bytes] | None:
        value = self._ask(operation)
        assert value is None or isinstance(value, dict)
        return value


class Run:
    """One script on its way: starts at once and stops at each operation."""

    def __init__(self, script: Script) -> None:
        self.operation: Operation | None = None
        self.events: list[Event] = []
        scheduler = getcurrent()

        def ask(operation: Operation) -> Value:
            answer: Answer = scheduler.switch(operation)
            return answer.give()

        self._greenlet = greenlet(lambda: script(ScheduledStore(ask), self.events.append))
        self.operation = self._greenlet.switch()

    def go_on(self, answer: Answer) -> None:
        """Give the answer that the script waits for, and run it to its next operation."""
        self.events.clear()
        self.operation = self._greenlet.switch(answer)


class Node:
    """A script that waits at `operation`, or has ended where that is None.

    `ended` are calls that returned on the way here.  `began` are calls that
    start with the operation: a call begins no earlier than it must, which is
    when the invariants ask the most of it.
    """

    __slots__ = ("began", "branches", "ended", "operation", "path", "run", "struck")

    def __init__(self, run: Run | None, path: tuple[Answer, ...], *, struck: bool) -> None:
        events = run.events if run else []
        self.run = run
        self.operation = run.operation if run else None
        self.ended = tuple(event for event in events if isinstance(event, Ended))
        self.began = tuple(event for event in events if isinstance(event, Began))
        self.path = path
        self.struck = struck
        self.branches: dict[Answer, Node] = {}


ENDED = Node(None, (), struck=False)
"""Stands for the end of every script: what it went through does not matter any more."""


class Program:
    """The tree of everything that one script can come to do.

    `peer` marks a driver with a journal of its own, whose writes have no guards.
    """

    def __init__(self, name: str, script: Script, *, peer: bool = False) -> None:
        self.name = name
        self.peer = peer
        self._script = script
        self.root = Node(Run(script), (), struck=False)
        self.nodes = [self.root]

    def after(self, node: Node, answer: Answer) -> Node:
        """Where `answer` brings a script that waits at `node`."""
        branch = node.branches.get(answer)
        if branch is None:
            run = self._run_at(node)
            run.go_on(answer)
            struck = node.struck or answer.error not in ("", REFUSED_BY_GUARD.error)
            branch = Node(run, (*node.path, answer), struck=struck)
            node.branches[answer] = branch
            self.nodes.append(branch)
        return branch

    def _run_at(self, node: Node) -> Run:
        """A script that waits at `node`: the one that first came there, or a new one."""
        run, node.run = node.run, None
        if run is None:
            run = Run(self._script)
            for answer in node.path:
                run.go_on(answer)
        return run
