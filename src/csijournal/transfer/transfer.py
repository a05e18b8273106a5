"""Carrying a journal from one place to another, or back to where it was.

Export reads each group object as it is at one moment; groups that come, go or
change while it runs are in the file as they were when they were read.

Restore puts group objects before entries, as reserve does, and holds every
write to what it saw: something different is overwritten only when told to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from csijournal.archive import Record, read_archive
from csijournal.journal.steps import Records
from csijournal.repair.plan import Plan, Step, still_holds
from csijournal.store.contract import (
    Guard,
    ObjectAbsent,
    Store,
    Unchanged,
    Write,
)
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import GROUPS


def export_instance(store: Store, instance_id: str) -> Iterator[Record]:
    """One instance's directory and every group that it points at, by request name.

    Nothing is yielded where there is no directory.  Raises StoreError.
    """
    records = Records(store, GROUPS, instance_id)
    if store.read_page(records.directory, limit=1) is None:
        return
    yield Record(records.directory, {})
    for page in records.directory_pages():
        yield Record(records.directory, page)
        entries = (records.as_entry(key, value) for key, value in page.items())
        uuids = [entry.group_uuid for entry in entries if entry and entry.group_uuid]
        yield from _groups(store, map(GROUPS.record_object, uuids))


def export_all(store: Store) -> Iterator[Record]:
    """Every instance's directory and every group object of the place, by name.

    Lists the objects of the place and keeps their names in memory.
    """
    directories, groups = [], []
    for name in store.object_names("csi."):
        if GROUPS.instance_of(name) is not None:
            directories.append(name)
        elif GROUPS.uuid_of_record(name) is not None:
            groups.append(name)
    for name in sorted(directories):
        yield Record(name, {})
        for page in Records(
            store, GROUPS, GROUPS.instance_of(name) or "", validate=False
        ).directory_pages():
            yield Record(name, page)
    yield from _groups(store, iter(sorted(groups)))


def _groups(store: Store, names: Iterator[str]) -> Iterator[Record]:
    for name, entries in store.read_objects(names, sentinel=REQUEST_NAME_KEY):
        if entries is not None:
            yield Record(name, entries, whole=True)


@dataclass(frozen=True, slots=True)
class Difference:
    """One record of an archive that the place does not agree with.

    `number` tells one record from the other in the order in which restore goes.
    `overwrites` says that something different lies there; `plan` makes it as
    the archive says.
    """

    record: Record
    overwrites: bool
    plan: Plan
    number: int = 0


def differences(store: Store, archive: Path) -> Iterator[Difference]:
    """What restore would do, in the order in which to do it.

    The archive must have passed check_archive.  Memory does not grow with it.
    """
    number = 0
    for directories in (False, True):
        for record in read_archive(archive):
            if (GROUPS.instance_of(record.object_name) is not None) is directories:
                number += 1
                found = _compare_whole(store, record) if record.whole else _compare(store, record)
                if found is not None:
                    yield replace(found, number=number)


def _compare_whole(store: Store, record: Record) -> Difference | None:
    state = store.read_state(record.object_name)
    wanted = (
        None if record.keys is None else {k: v for k, v in record.keys.items() if v is not None}
    )
    if (state.entries if state else None) == wanted:
        return None
    unchanged: tuple[Guard, ...] = (Unchanged(state.version),) if state else ()
    if wanted is None:
        write = Write(record.object_name, guards=unchanged, remove_object=True)
        return _difference(record, write, "remove the object", overwrites=True)
    if state is None:
        write = Write(record.object_name, guards=(ObjectAbsent(),), puts=wanted)
        return _difference(record, write, "create the object", overwrites=False)
    write = Write(
        record.object_name,
        guards=unchanged,
        puts=wanted,
        deletions=[key for key in state.entries if key not in wanted],
    )
    return _difference(record, write, "overwrite the object", overwrites=True)


def _compare(store: Store, record: Record) -> Difference | None:
    keys = record.keys or {}
    found, guards = _look(store, record.object_name, keys)
    if found is None and not keys:
        write = Write(record.object_name, guards=(ObjectAbsent(),))
        return _difference(record, write, "create the object", overwrites=False)
    present = found or {}
    changed = {key: value for key, value in keys.items() if present.get(key) != value}
    if not changed:
        return None
    write = Write(
        record.object_name,
        guards=guards or tuple(filter(None, (still_holds(k, present.get(k)) for k in changed))),
        puts={key: value for key, value in changed.items() if value is not None},
        deletions=[key for key, value in changed.items() if value is None],
    )
    return _difference(
        record,
        write,
        f"set {len(write.puts)} and remove {len(write.deletions)} keys",
        overwrites=any(key in present for key in changed),
    )


def _look(
    store: Store, object_name: str, keys: Collection[str]
) -> tuple[Mapping[str, bytes] | None, tuple[Guard, ...]]:
    """Those of `keys` that are there, and the guard needed where no guard of a key can tell."""
    found = store.read_keys(object_name, keys)
    if all(still_holds(key, value) for key, value in (found or {}).items()):
        return found, ()
    state = store.read_state(object_name)
    return (state.entries, (Unchanged(state.version),)) if state else (None, ())


def _difference(record: Record, write: Write, what: str, *, overwrites: bool) -> Difference:
    sentence = (
        f"{what} in {record.object_name}" if "keys" in what else f"{what} {record.object_name}"
    )
    return Difference(record, overwrites, Plan(record.object_name, (Step(sentence, write),)))
