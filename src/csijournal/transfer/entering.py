"""Entries that restore puts back, and what keeps their records from going at the same time.

To an entry restore is an owner without a lease, under a UUID that was used
before (docs/correctness.md):

    1. look for the record; where it is to be restored too and is not there,
       the entry is left out
    2. end the cleanup of the UUID, where one stands; one that begins after this
       finds the record, and leaves the entry
    3. put the entry, if the name is free
    4. write the request name to the record once more, if it still says that name

Who looked for an entry before step 3, to remove a record that nothing points
at, is refused after step 4; where it removed the record before that, restore
says so.  An entry that is restored without its record is put as it is.  A record that
is removed, as undoing a restore does, loses the leases that list it first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from csijournal.archive import Record
from csijournal.compat import zip_strict
from csijournal.journal.model import Entry
from csijournal.journal.steps import Records
from csijournal.repair.plan import Plan, Step
from csijournal.repair.planners import final_steps, instances_of, revoke_step
from csijournal.store.contract import Store, Write
from csijournal.transfer.words import request_name_of
from csijournal.wire.leases import cleanup_key, parse_lease
from csijournal.wire.ownership import ObjectRole, Owned, owner_of
from csijournal.wire.timestamps import Timestamp


class Entering(NamedTuple):
    """A plan that puts entries, and how many it leaves out for want of their records."""

    plan: Plan
    left_out: int = 0


class Enterer:
    """Completes plans that put an archive's entries; its records are put back before.

    `selected` gives anew what of the archive is to be restored.
    """

    def __init__(self, store: Store, selected: Callable[[], Iterator[Record]]) -> None:
        self._store = store
        self._selected = selected
        self._instances: dict[str, list[str]] = {}

    def complete(self, plan: Plan, now: Timestamp) -> Entering:
        """`plan` with what its entries need; as it is, where it puts none."""
        (step,) = plan.steps
        owned = owner_of(step.write.object_name)
        if owned is not None and _is_removal(owned, step.write):
            return Entering(replace(plan, steps=(*self._final_steps(owned, now), step)))
        if owned is None or owned.role is not ObjectRole.DIRECTORY:
            return Entering(plan)
        records: Records[Any] = Records(self._store, owned.schema, owned.name, validate=False)
        entries = [entry for item in step.write.puts.items() if (entry := _here(records, *item))]
        if not entries:
            return Entering(plan)
        sound, unsound = _sorted(records, entries)
        lost = self._lost(records, unsound)
        put = replace(step, write=_without(step.write, lost))
        uuids = {entry.uuid or "" for entry in entries}
        completed = replace(
            plan,
            steps=(*_end_cleanups(records, uuids, now), put),
            confirmations=tuple(
                records.confirmation(entry.uuid or "", entry.request_name) for entry in sound
            ),
        )
        return Entering(completed, len(lost))

    def _final_steps(self, owned: Owned, now: Timestamp) -> Iterator[Step]:
        """An owner may be about to point at the record that is removed: its lease goes first."""
        schema = owned.schema
        if schema.journal not in self._instances:
            self._instances[schema.journal] = instances_of(self._store, schema)
        instance_ids = self._instances[schema.journal]
        return final_steps(self._store, schema, instance_ids, owned.name, now)

    def _lost(self, records: Records[Any], entries: Collection[Entry]) -> set[str]:
        """The keys of those entries whose records are to be restored too."""
        schema = records.schema
        keys: dict[tuple[str, str | None], str] = {}
        for entry in entries:
            name = schema.record_object(entry.uuid or "")
            keys[name, entry.request_name] = schema.entry_key(entry.request_name)
        archived = self._selected() if keys else ()
        told = ((record.object_name, request_name_of(record)) for record in archived)
        return {keys[each] for each in told if each in keys}


def _is_removal(owned: Owned, write: Write) -> bool:
    """Whether a record goes that an entry may point at: one that has a UUID."""
    return owned.role is ObjectRole.RECORD and bool(owned.name) and write.remove_object


def _here(records: Records[Any], key: str, value: bytes) -> Entry | None:
    """The entry that points at a record of this place; None for any other."""
    entry = records.as_entry(key, value)
    return entry if entry is not None and entry.uuid is not None else None


def _sorted(records: Records[Any], entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries whose records say their names, and the others."""
    found = records.read_records(entry.uuid or "" for entry in entries)
    names = [record.request_name if record is not None else None for _, record in found]
    sorted_: tuple[list[Entry], list[Entry]] = ([], [])
    for entry, name in zip_strict(entries, names):
        sorted_[name != entry.request_name].append(entry)
    return sorted_


def _without(write: Write, keys: Collection[str]) -> Write:
    """The write without these keys, and without what it guards them with."""
    return replace(
        write,
        guards=tuple(guard for guard in write.guards if getattr(guard, "key", None) not in keys),
        puts={key: value for key, value in write.puts.items() if key not in keys},
    )


def _end_cleanups(records: Records[Any], uuids: Collection[str], now: Timestamp) -> Iterator[Step]:
    found = records.store.read_keys(records.directory, [cleanup_key(uuid) for uuid in uuids])
    for key, value in (found or {}).items():
        cleanup = parse_lease(key, value)
        if cleanup is not None:
            yield revoke_step(records, cleanup, now)
