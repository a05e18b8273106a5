"""Set what many clients were told against each other, and against what lies in the store.

Nothing here guesses at the order of calls that overlapped, nor at what became of a call that got
no answer.  A reservation certainly stands from when some client had been told of it until some
client began to undo it, and is certainly gone once an undo of it was acknowledged.  A call that
lay wholly within such a time must have been told so.  Likewise for members: certainly there from
the acknowledged addition until a removal began, certainly gone after the acknowledged removal.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csijournal import Store
from csijournal.wire.schema import GROUPS, JournalSchema
from soak_journals import as_group
from soak_load import BUSY, GONE, NONE, OK, TAKEN, UNKNOWN, WRONG, value_of

NEVER = 2**63
LEASE = "csi.lease."
KILLED = "killed"
"""What became of a call whose process was killed in it."""


@dataclass(eq=False)
class Call:
    """One call of one client; `where` names the lines of its log.

    `uuid` and `members` are what was asked about (add, remove, undo) or else
    what was answered.
    """

    where: str
    number: str
    op: str
    name: str
    begun: int
    uuid: str = ""
    members: tuple[str, ...] = ()
    ended: int = NEVER
    told: str = KILLED
    created: bool = False
    error: str = ""
    did: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        what = f"{self.op} {self.name} {self.uuid}".strip()
        took = "" if self.ended == NEVER else f" for {(self.ended - self.begun) / 1e9:.3f} s"
        members = f" members {', '.join(self.members)}" if self.members else ""
        error = f" ({self.error})" if self.error else ""
        begun = f"{self.begun / 1e9:.6f}"
        return f"{self.where}: {what}, begun at {begun}{took}: {self.told}{error}{members}"


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and the calls that prove it."""

    rule: str
    says: str
    calls: tuple[Call, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.rule}: {self.says}", *(f"    {call}" for call in self.calls)])


class Ledger:
    """The logs in one folder, read as they grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: Counter[Path] = Counter()
        self._lines: Counter[Path] = Counter()
        self._calls: dict[str, Call] = {}

    def calls(self) -> list[Call]:
        """All calls so far, each as far as it came."""
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read[path])
                for line in file:
                    if line.endswith(b"\n"):
                        self._read[path] += len(line)
                        self._lines[path] += 1
                        self._enter(f"{path.name}:{self._lines[path]}", json.loads(line))
        return list(self._calls.values())

    def _enter(self, where: str, line: dict[str, Any]) -> None:
        number, at = line.pop("n"), line.pop("at")
        if "members" in line:
            line["members"] = tuple(line["members"])
        if "op" in line:
            self._calls[number] = Call(where, number, line.pop("op"), line.pop("name", ""), at)
        else:
            self._calls[number].ended = at
            self._calls[number].where += f",{where.rpartition(':')[2]}"
        for word, value in line.items():
            setattr(self._calls[number], word, value)


@dataclass(eq=False)
class _Life:
    """What is certain about one reservation, or one member, and by which calls.

    It stands from `known.ended` to `doubted.begun`, and is gone from
    `gone.ended`; `begun` is the first call that asked for it or saw it.
    """

    name: str
    uuid: str
    begun: Call | None = None
    known: Call | None = None
    doubted: Call | None = None
    gone: Call | None = None

    def stood_throughout(self, call: Call) -> bool:
        return self.stands_from < call.begun and call.ended < self.stands_until

    def was_gone_before(self, call: Call) -> bool:
        return self.gone is not None and self.gone.ended < call.begun

    @property
    def stands_from(self) -> int:
        return self.known.ended if self.known else NEVER

    @property
    def stands_until(self) -> int:
        return self.doubted.begun if self.doubted else NEVER

    @property
    def stands(self) -> bool:
        """Whether it must be there in the end."""
        return self.known is not None and self.doubted is None

    def proof(self, *more: Call) -> tuple[Call, ...]:
        own = [call for call in (self.known, self.doubted, self.gone) if call]
        return tuple(dict.fromkeys((*own, *more)))


class History:
    """All that the clients of one journal were told."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self.calls = sorted(calls, key=lambda call: call.begun)
        self._groups: dict[str, _Life] = {}
        self._of_name: dict[str, list[_Life]] = defaultdict(list)
        self._members: dict[str, dict[str, _Life]] = defaultdict(dict)
        for call in self.calls:
            self._learn(call)

    @property
    def names(self) -> list[str]:
        """Every request name that was ever asked for."""
        return sorted({call.name for call in self.calls} - {""})

    def facts(self) -> dict[str, int]:
        """How many certainties the end state is judged by."""
        members = [life for lives in self._members.values() for life in lives.values()]
        return {
            "reservations that stand": sum(life.stands for life in self._groups.values()),
            "reservations undone": sum(life.gone is not None for life in self._groups.values()),
            "members added": sum(
                life.stands and (group := self._groups.get(life.uuid)) is not None and group.stands
                for life in members
            ),
            "members removed": sum(life.gone is not None for life in members),
        }

    # Learning

    def _learn(self, call: Call) -> None:
        if call.uuid:
            life = self._group(call)
            if call.op == "undo":
                _earlier_begun(life, "doubted", call)
                if call.told == OK:
                    _earlier_ended(life, "gone", call)
            elif _tells_of_group(call):
                _earlier_ended(life, "known", call)
        if call.op == "add":
            for member in call.members:
                self._learn_added(call, self._member(call, member))
        if call.op == "remove":
            for member in call.members:
                life = self._member(call, member)
                _earlier_begun(life, "doubted", call)
                if call.told == OK:
                    _earlier_ended(life, "gone", call)

    def _group(self, call: Call) -> _Life:
        if call.uuid not in self._groups:
            self._groups[call.uuid] = _Life(call.name, call.uuid)
            self._of_name[call.name].append(self._groups[call.uuid])
        return self._groups[call.uuid]

    def _member(self, call: Call, member: str) -> _Life:
        return self._members[call.uuid].setdefault(member, _Life(member, call.uuid))

    @staticmethod
    def _learn_added(call: Call, life: _Life) -> None:
        life.begun = life.begun or call
        if call.told == OK:
            _earlier_ended(life, "known", call)

    # Judging what clients were told

    def violations(self) -> Iterator[Violation]:
        """Everything that some client was told and that is not so."""
        yield from self._errors()
        yield from self._created_twice()
        yield from self._two_at_once()
        for call in self.calls:
            if call.uuid and self._groups[call.uuid].name != call.name:
                proof = self._groups[call.uuid].proof(call)
                yield Violation("one UUID, two names", call.uuid, proof)
            if _answers_name(call):
                yield from self._answer(call)
            elif call.op == "add":
                yield from self._addition(call)
            if call.told == OK and call.op in {"ensure", "check"}:
                yield from self._members_seen(call)

    def _errors(self) -> Iterator[Violation]:
        for call in self.calls:
            if call.told == WRONG:
                yield Violation("error that no fault explains", call.error, (call,))

    def _created_twice(self) -> Iterator[Violation]:
        created: dict[str, Call] = {}
        for call in self.calls:
            if call.told == OK and call.created:
                other = created.setdefault(call.uuid, call)
                if other is not call:
                    yield Violation("created twice", call.uuid, (other, call))

    def _two_at_once(self) -> Iterator[Violation]:
        for name, lives in self._of_name.items():
            certain = [life for life in lives if life.stands_from < life.stands_until]
            certain.sort(key=lambda life: life.stands_from)
            for earlier, later in zip(certain, certain[1:]):
                if later.stands_from < earlier.stands_until:
                    proof = earlier.proof() + later.proof()
                    yield Violation("two UUIDs for one name", name, proof)

    def _answer(self, call: Call) -> Iterator[Violation]:
        for life in self._of_name[call.name]:
            if life.uuid != call.uuid and life.stood_throughout(call):
                yield Violation(
                    "reservation not found", f"{life.name} is {life.uuid}", life.proof(call)
                )
        if call.uuid and self._groups[call.uuid].was_gone_before(call):
            proof = self._groups[call.uuid].proof(call)
            yield Violation("undone reservation found", f"{call.name} {call.uuid}", proof)

    def _addition(self, call: Call) -> Iterator[Violation]:
        life = self._groups[call.uuid]
        if call.told == GONE and life.stood_throughout(call):
            yield Violation("group not found", f"{life.name} is {life.uuid}", life.proof(call))
        if call.told == OK and life.was_gone_before(call):
            yield Violation("undone group took members", life.uuid, life.proof(call))

    def _members_seen(self, call: Call) -> Iterator[Violation]:
        seen = set(call.members)
        lives = self._members.get(call.uuid, {})
        for member, life in lives.items():
            if member not in seen and life.stood_throughout(call):
                yield Violation("member not found", member, life.proof(call))
            if member in seen and life.was_gone_before(call):
                yield Violation("removed member found", member, life.proof(call))
        for member in seen:
            begun = lives[member].begun if member in lives else None
            if begun is None or begun.begun > call.ended:
                yield Violation("member that nobody added", member, (call,))

    # Judging what lies there

    def violations_at_rest(self, rest: Rest) -> Iterator[Violation]:
        """Everything that lies in the store, or does not, and should not, or should."""
        yield from rest.violations()
        for life in self._groups.values():
            held = rest.entries.get(life.name)
            if life.stands and (held != life.uuid or life.uuid not in rest.groups):
                says = f"{life.name} should be {life.uuid} and is {held}"
                yield Violation("acknowledged reservation lost", says, life.proof())
            if life.gone and (held == life.uuid or life.uuid in rest.groups):
                says = f"{life.name} {life.uuid}"
                yield Violation("acknowledged undo without effect", says, life.proof())
        for name, group_uuid in rest.entries.items():
            yield from self._explained(name, group_uuid)
        for group_uuid, omap in rest.groups.items():
            yield from self._members_at_rest(group_uuid, omap)

    def _explained(self, name: str, group_uuid: str) -> Iterator[Violation]:
        """A UUID that nobody was told of must come from a call without an answer."""
        life = self._groups.get(group_uuid)
        if life and life.known:
            return
        if not any(
            call.name == name
            and call.op in {"ensure", "reserve"}
            and call.told in {UNKNOWN, KILLED}
            for call in self.calls
        ):
            yield Violation("reservation that nobody made", f"{name} {group_uuid}")

    def _members_at_rest(self, group_uuid: str, omap: dict[str, str]) -> Iterator[Violation]:
        there = {key: value for key, value in omap.items() if not key.startswith("csi.")}
        lives = self._members.get(group_uuid, {})
        for member, life in lives.items():
            if life.stands and member not in there:
                yield Violation("acknowledged member lost", member, life.proof())
            if life.gone and member in there:
                yield Violation("acknowledged removal without effect", member, life.proof())
        for member, value in there.items():
            if member not in lives or value != value_of(member):
                yield Violation("member that nobody added", f"{group_uuid} {member}={value}")
        for call in {life.begun for life in lives.values() if life.begun}:
            untouched = [member for member in call.members if lives[member].doubted is None]
            if len({member in there for member in untouched}) > 1:
                yield Violation("half of an addition", f"{group_uuid} has {sorted(there)}", (call,))


@dataclass
class Rest:
    """What lies in the store when all is quiet, read without the journal's own code."""

    entries: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, store: Store, schema: JournalSchema[Any] = GROUPS) -> Rest:
        """What lies there of one journal; a volume or snapshot as if it were a group."""
        rest = cls()
        for name in store.object_names():
            omap = {key: value.decode() for key, value in _whole(store, name).items()}
            if name == schema.directory_object("default"):
                for key, value in omap.items():
                    rest._enter(schema.entry_prefix, key, value)
            elif name.startswith(schema.record_prefix):
                rest.groups[name.removeprefix(schema.record_prefix)] = as_group(schema, omap)
            else:
                rest.others.append(f"object {name}")
        return rest

    def _enter(self, prefix: str, key: str, value: str) -> None:
        if key.startswith(prefix):
            self.entries[key.removeprefix(prefix)] = value
        elif key.startswith(LEASE):
            self.leases[key] = value
        else:
            self.others.append(f"key {key}")

    def violations(self) -> Iterator[Violation]:
        """What no client at all could account for."""
        pointed_at = set(self.entries.values())
        for group_uuid, omap in self.groups.items():
            if group_uuid not in pointed_at:
                yield Violation("unexpected group", f"{group_uuid} {omap}")
        for name, group_uuid in self.entries.items():
            owner = self.groups.get(group_uuid, {}).get("csi.volname")
            if owner != name:
                yield Violation("unexpected entry", f"{name} points at {group_uuid} of {owner}")
        for other in (*self.leases, *self.others):
            yield Violation("unexpected key or object", other)


def _whole(store: Store, object_name: str) -> dict[str, bytes]:
    entries: dict[str, bytes] = {}
    while page := store.read_page(object_name, after=max(entries, default="")):
        entries |= page
    return entries


def _answers_name(call: Call) -> bool:
    """Whether the call was told what stands behind its request name."""
    return call.op in {"ensure", "reserve", "check"} and call.told in {OK, NONE, TAKEN}


def _tells_of_group(call: Call) -> bool:
    """Whether the answer proves that the group stood at some moment of the call."""
    return _answers_name(call) or (call.op == "add" and call.told == OK)


def _earlier_ended(life: _Life, what: str, call: Call) -> None:
    _keep_first(life, what, call, lambda each: each.ended)


def _earlier_begun(life: _Life, what: str, call: Call) -> None:
    _keep_first(life, what, call, lambda each: each.begun)


def _keep_first(life: _Life, what: str, call: Call, time_of: Callable[[Call], int]) -> None:
    held = getattr(life, what)
    if held is None or time_of(call) < time_of(held):
        setattr(life, what, call)


OUTCOMES = {
    OK: "acknowledged",
    NONE: "acknowledged",
    TAKEN: "refused",
    GONE: "refused",
    BUSY: "refused",
    UNKNOWN: "unknown",
    KILLED: "killed",
    WRONG: "wrong",
}
"""The columns of a summary."""
