"""Any contents of the three journals of one place, right ones and damaged ones, beside others'."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from csijournal.store import Store, Write
from csijournal.store.contract import ObjectAbsent
from csijournal.wire.handles import Handle
from csijournal.wire.leases import Lease
from csijournal.wire.schema import GROUPS, SCHEMAS, SNAPSHOTS, JournalSchema
from support.journals import LONG_AGO, uuid_number
from support.verified import Objects

UUIDS = [uuid_number(number) for number in range(1, 5)]
HANDLES = [str(Handle("rook-ceph", 2, uuid)) for uuid in UUIDS]
NAMES = ["pvc-1", "group.x", "reqüest", "x" * 200, *HANDLES[:1]]
_IDS = ["default", "b"]
_VALUES = [
    *(uuid.encode() for uuid in UUIDS),
    *(f"{pool_id:016x}/{UUIDS[0]}".encode() for pool_id in (1, 7)),
    f"{7:016x}/{UUIDS[1]}/more".encode(),
    HANDLES[1].encode(),
    UUIDS[0].upper().encode(),
    b"",
    b"\xff\x00",
]
_ATTRIBUTES = [
    "csi.imageid",
    "csi.volume.owner",
    "csi.source",
    "csi.nfs.cluster",
    "csi.journalpool",
]


def contents_of_journals() -> st.SearchStrategy[Objects]:
    """Directories and records of each journal, leases, and what is not a journal's."""
    parts = [_directories(schema) for schema in SCHEMAS]
    parts += [_records(schema) for schema in SCHEMAS]
    return st.tuples(_foreign(), *parts).map(_merged)


def make(store: Store, objects: Objects) -> Store:
    """Make the objects, empty ones too, in a store that has none of them."""
    for name, entries in objects.items():
        store.write(Write(name, guards=(ObjectAbsent(),), puts=entries))
    return store


def every_shape() -> Objects:
    """One place with each kind of entry and record of each journal, and leases."""
    lease = Lease((UUIDS[0],), since=LONG_AGO)
    objects: Objects = {"rbd_info": {"x": b"y"}, GROUPS.record_prefix: {"vol": b"snap"}}
    for schema in SCHEMAS:
        entries = {schema.entry_key(f"name-{n}"): value for n, value in enumerate(_VALUES)}
        entries[schema.entry_key(HANDLES[0])] = HANDLES[1].encode()
        objects[schema.directory_object("default")] = {**entries, lease.key: lease.value}
        record = {schema.name_key: b"name-0", **dict.fromkeys(_ATTRIBUTES, b"\xfe")}
        extra = {SNAPSHOTS: {"": b"owner"}, GROUPS: {HANDLES[2]: HANDLES[3].encode()}}
        objects[schema.record_object(UUIDS[0])] = {**record, **extra.get(schema, {})}
        objects[schema.record_object(UUIDS[1])] = {}
        objects[schema.record_object(UUIDS[3])] = {schema.name_key: b"nobody"}
    return objects


def _directories(schema: JournalSchema[Any]) -> st.SearchStrategy[Objects]:
    lease = Lease((UUIDS[3],), since=LONG_AGO)
    keys = st.sampled_from([schema.entry_key(name) for name in NAMES] + ["note", lease.key])
    entries = st.dictionaries(keys, st.sampled_from(_VALUES), max_size=5)
    names = [schema.directory_object(instance_id) for instance_id in _IDS]
    return st.dictionaries(st.sampled_from(names), entries)


def _records(schema: JournalSchema[Any]) -> st.SearchStrategy[Objects]:
    keys = [schema.name_key, schema.image_key, *_ATTRIBUTES]
    keys += [""] if schema is SNAPSHOTS else HANDLES if schema is GROUPS else ["not-ours"]
    values = st.sampled_from([b"", b"pvc-1", b"\xff\x00"]) | st.binary(max_size=5)
    entries = st.dictionaries(st.sampled_from(keys), values)
    return st.dictionaries(st.sampled_from([schema.record_object(uuid) for uuid in UUIDS]), entries)


def _foreign() -> st.SearchStrategy[Objects]:
    names = ["rbd_directory", "rt-backingsnapshot-x", "csi.volume.not-a-uuid", "csi.other"]
    entries = st.dictionaries(st.sampled_from(["", "k"]), st.binary(max_size=3))
    return st.dictionaries(st.sampled_from(names), entries)


def _merged(parts: tuple[Objects, ...]) -> Objects:
    return {name: entries for part in parts for name, entries in part.items()}
