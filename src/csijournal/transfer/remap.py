"""Exchanging the ids of another cluster in a journal that is already here.

For volumes that Kubernetes has made again with new handles.  One plan an object,
held to the state that it was made from, so that what a driver changes meanwhile
is left to the next run; what is new already is not touched, so that this may be
interrupted and run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from csijournal.archive import Record
from csijournal.errors import UnreadableContent, printable
from csijournal.repair.plan import Plan, Step, still_holds
from csijournal.store.contract import Guard, Store, Unchanged, Write
from csijournal.transfer.export import Exporter
from csijournal.transfer.mapping import SENTENCES_MAX, CannotMap, RecordMapper
from csijournal.transfer.words import request_name_of
from csijournal.wire.ownership import ObjectRole, owner_of
from csijournal.wire.text import decode


@dataclass
class RemapSurvey:
    """How many objects change, the first of them in words, and what cannot be mapped."""

    total: int = 0
    sentences: list[str] = field(default_factory=list)
    cannot: CannotMap = field(default_factory=CannotMap)


class Remapper:
    """Plans what `mapper` changes in all journals of a place, which it lists."""

    def __init__(self, store: Store, mapper: RecordMapper) -> None:
        self._store = store
        self._mapper = mapper

    def survey(self) -> RemapSurvey:
        """What would be done.  Raises StoreError."""
        survey = RemapSurvey()
        for record in Exporter(self._store).everything():
            self._mapper.note_problems(record, survey.cannot)
            plan = self._plan(record, survey.cannot)
            if plan is not None:
                survey.total += 1
                if len(survey.sentences) < SENTENCES_MAX:
                    survey.sentences += [step.told for step in plan.steps]
        return survey

    def plans(self) -> Iterator[Plan]:
        """One plan for each object that changes.  Raises StoreError."""
        for record in Exporter(self._store).everything():
            plan = self._plan(record, CannotMap())
            if plan is not None:
                yield plan

    def _plan(self, record: Record, cannot: CannotMap) -> Plan | None:
        owned = owner_of(record.object_name)
        if owned is None or self._mapper.map(record) == record:
            return None
        guards: tuple[Guard, ...] | None = None
        if owned.role is ObjectRole.RECORD:
            # Members may have no value, and only the version guards that.
            try:
                state = self._store.read_state(record.object_name)
            except UnreadableContent as error:
                cannot.add(error.message)
                return None
            if state is None:
                return None
            record, guards = Record(record.object_name, state.entries), (Unchanged(state.version),)
        write = _write(record, self._mapper.map(record), guards)
        if write is None:
            return None
        names = (owned.name, request_name_of(record) or "")
        step = Step(_sentence(record.keys or {}, write), write)
        return Plan(record.object_name, (step,), tuple(filter(None, names)))


def _write(old: Record, new: Record, guards: tuple[Guard, ...] | None) -> Write | None:
    """What makes the one the other; None where they are equal."""
    before, after = _values(old), _values(new)
    puts = {key: value for key, value in after.items() if before.get(key) != value}
    deletions = [key for key in before if key not in after]
    if not puts and not deletions:
        return None
    if guards is None:
        changed = (*puts, *deletions)
        guards = tuple(filter(None, (still_holds(key, before.get(key)) for key in changed)))
    return Write(old.object_name, guards=guards, puts=puts, deletions=deletions)


def _values(record: Record) -> dict[str, bytes]:
    return {key: value for key, value in (record.keys or {}).items() if value is not None}


def _sentence(before: Mapping[str, bytes | None], write: Write) -> str:
    """Which handles and ids change in an object: the first, and how many more."""
    changed = [f"member '{printable(member)}'" for member in write.deletions]
    changed += [
        f"'{printable(decode(before[key] or b''))}' -> '{printable(decode(value))}'"
        for key, value in write.puts.items()
        if key in before
    ]
    more = len(changed) - 1
    said = f"exchange the ids in {write.object_name}: {changed[0]}"
    return said + (f", and {more:,} more" if more else "")
