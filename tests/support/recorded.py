"""What Ceph-CSI's volume and snapshot journals did on a real cluster, asked of csijournal.

A recorded call names two pools, of the journal and of the image, and so do the
states before and after it.  The pools here have ids of their own.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from csijournal import SnapshotJournal, Store, VolumeJournal
from csijournal.journal.cleanup import StandsBehind
from csijournal.journal.model import ImageReservation
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from csijournal.wire.timestamps import Timestamp
from support.places import LONG_AGO_NS, Omaps, dump

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

Step = dict[str, Any]
State = dict[str, Omaps]
JOURNAL_POOL, IMAGE_POOL = "gr-journal", "gr-image"
AnyImageJournal = Union[VolumeJournal, SnapshotJournal]

_IN_POOL = re.compile(r"^([0-9a-f]{16})(?=/)")


class Pools(ABC):
    """The two pools of a recording, by their names in it."""

    stores: dict[str, Store]
    ids: Mapping[str, int] = {}

    def set(self, state: State, recorded_ids: Mapping[str, int]) -> None:
        """Make both pools hold exactly this, changing only what is not so yet."""
        for pool, store in self.stores.items():
            wanted = _translated(state.get(pool, {}), self._names(recorded_ids))
            have = dump(store)
            for name in have.keys() - wanted.keys():
                store.write(Write(name, remove_object=True))
            for name, entries in wanted.items():
                _set_object(store, name, have.get(name), entries)

    def get(self, recorded_ids: Mapping[str, int]) -> State:
        """What both hold, with the ids of the recording."""
        back = {actual: recorded for recorded, actual in self._names(recorded_ids).items()}
        return {pool: _translated(dump(store), back) for pool, store in self.stores.items()}

    def _names(self, recorded_ids: Mapping[str, int]) -> dict[str, str]:
        return {
            f"{number:016x}": f"{self.ids[pool]:016x}"
            for pool, number in recorded_ids.items()
            if pool in self.ids
        }

    @abstractmethod
    def close(self) -> None: ...


class MemoryPools(Pools):
    def __init__(self) -> None:
        self.stores = {
            pool: MemoryStore(clock=lambda: LONG_AGO_NS) for pool in (JOURNAL_POOL, IMAGE_POOL)
        }

    def close(self) -> None:
        pass


class SQLitePools(Pools):
    def __init__(self, folder: Path) -> None:
        self.stores = {
            pool: SQLiteStore(folder / f"{pool}.db", clock=lambda: LONG_AGO_NS)
            for pool in (JOURNAL_POOL, IMAGE_POOL)
        }

    def close(self) -> None:
        for store in self.stores.values():
            store.close()


class RADOSPools(Pools):
    def __init__(self, cluster: ThrowawayCluster, namespace: str) -> None:
        from csijournal.store.rados.pool import RADOSStore  # noqa: PLC0415 - only where there is Ceph

        stores = {
            pool: RADOSStore(pool, namespace, conf=str(cluster.conf), clock=lambda: LONG_AGO_NS)
            for pool in (JOURNAL_POOL, IMAGE_POOL)
        }
        self.stores = dict(stores)
        self.ids = {pool: store.pool_id for pool, store in stores.items()}

    def close(self) -> None:
        self.set({}, {})
        for store in self.stores.values():
            store.close()


def _translated(omaps: Omaps, ids: Mapping[str, str]) -> Omaps:
    def value(key: str, text: str) -> str:
        if key == "csi.journalpool":
            return ids.get(text, text)
        return _IN_POOL.sub(lambda found: ids.get(found[1], found[1]), text)

    return {
        name: {key: value(key, text) for key, text in entries.items()}
        for name, entries in omaps.items()
    }


def _set_object(store: Store, name: str, have: dict[str, str] | None, want: dict[str, str]) -> None:
    if have is None and not want:
        store.write(Write(name, puts={"x": b""}))
        store.write(Write(name, deletions=["x"]))
    elif have != want:
        store.write(
            Write(
                name,
                puts={key: text.encode() for key, text in want.items()},
                deletions=[key for key in have or {} if key not in want],
            )
        )


def schema_of(journal: str) -> Any:  # noqa: ANN401 - either
    return {"volume": VOLUMES, "snapshot": SNAPSHOTS}[journal]


def name_key(journal: str) -> str:
    return {"volume": "csi.volname", "snapshot": "csi.snapname"}[journal]


def record_name(journal: str, uuid: str) -> str:
    return {"volume": "csi.volume.", "snapshot": "csi.snap."}[journal] + uuid


def entry_key(journal: str, request_name: str) -> str:
    return record_name(journal, request_name)


def directory_name(journal: str, instance_id: str) -> str:
    return {"volume": "csi.volumes.", "snapshot": "csi.snaps."}[journal] + instance_id


def open_journal(
    pools: Pools,
    journal: str,
    instance_id: str,
    step: Step,
    *,
    now: Timestamp,
    stands_behind: StandsBehind | None = None,
) -> AnyImageJournal:
    """A journal that writes what Ceph-CSI does and draws the UUID that it drew.

    Calls for a name work in the journal's pool, those for a UUID in the pool
    that they were given.
    """
    arguments = step["args"]
    store = pools.stores[arguments.get("journal_pool") or arguments.get("pool") or JOURNAL_POOL]
    drawn = (
        (step.get("result") or step.get("ceph_csi", {}).get("result") or {})
        if (step["op"] == "reserve")
        else {}
    )
    common: dict[str, Any] = {
        "instance_id": instance_id,
        "lease_size": 0,
        "settle_seconds": 0,
        "new_uuid": lambda: drawn.get("uuid", "00000000-0000-4000-8000-000000000001"),
        "clock": lambda: now,
        "stands_behind": stands_behind,
    }
    if journal == "volume":
        return VolumeJournal(store, **common)
    cephfs = bool(arguments.get("backing_snapshot_id"))
    return SnapshotJournal(store, owner_key="" if cephfs else "csi.volume.owner", **common)


def is_offered(kind: str, step: Step) -> bool:
    """Whether csijournal has a call, and arguments, for what Ceph-CSI was asked to do.

    It writes no mappings and nothing into two pools, and asks no volume for its source.
    """
    arguments, operation = step["args"], step["op"]
    asks_source = arguments.get("parent") or arguments.get("snap_source")
    if kind == "volume" and operation in {"check", "attributes"} and asks_source:
        return False
    if operation == "reserve" and arguments["pool"] != arguments["journal_pool"]:
        return False
    return bool(operation != "reserve_new_uuid_mapping")


def ask(journal: AnyImageJournal, kind: str, step: Step, request_name: str) -> object:
    """csijournal's answer in the form of Ceph-CSI's; `request_name` is that of the record."""
    arguments = step["args"]
    operations: dict[str, Callable[[], object]] = {
        "reserve": lambda: reserve(journal, arguments),
        "check": lambda: check(journal, arguments),
        "undo": lambda: journal.undo_reservation(arguments["image_name"], arguments["name"]),
        "attributes": lambda: attributes(journal.get_attributes(arguments["uuid"])),
        "fetch_attribute": lambda: journal.get_attribute(arguments["uuid"], arguments["attribute"]),
        "check_new_uuid_mapping": lambda: str(
            journal.look_up_mapping(arguments["old_handle"]) or ""
        ),
        "name_for_uuid": lambda: schema_of(kind).make_image_name(
            arguments["prefix"], arguments["uuid"]
        ),
    }
    if step["op"] in operations:
        return operations[step["op"]]()
    return put(journal, step["op"], arguments, request_name)


def reserve(journal: AnyImageJournal, arguments: Mapping[str, str]) -> object:
    name, prefix, source = arguments["name"], arguments["prefix"], arguments.get("parent", "")
    owner, backing = arguments.get("owner", ""), arguments.get("backing_snapshot_id", "")
    given = {
        "kms_id": arguments.get("kms", ""),
        "encryption_type": arguments.get("encryption_type", ""),
    }
    uuid = arguments["uuid"] or None
    made: ImageReservation
    if isinstance(journal, VolumeJournal):
        assert not source
        made = journal.reserve_name(
            name, prefix, uuid=uuid, owner=owner, backing_snapshot_id=backing, **given
        )
    else:
        # The CephFS driver hands the owner over in the place of the backing snapshot's id.
        assert not (owner and backing)
        made = journal.reserve_name(
            name, prefix, source_name=source, uuid=uuid, owner=owner or backing, **given
        )
    return {"uuid": made.uuid, "image_name": made.image_name}


def check(journal: AnyImageJournal, arguments: Mapping[str, str]) -> object:
    name, prefix = arguments["name"], arguments["prefix"]
    given: dict[str, Any] = {
        "kms_id": arguments["kms"],
        "encryption_type": arguments["encryption_type"],
    }
    found: ImageReservation | None
    if isinstance(journal, VolumeJournal):
        found = journal.check_reservation(name, prefix, **given)
    else:
        found = journal.check_reservation(name, prefix, source_name=arguments["parent"], **given)
    return found and {"uuid": found.uuid, **attributes(found)}


def put(
    journal: AnyImageJournal, operation: str, arguments: Mapping[str, str], request_name: str
) -> object:
    uuid = arguments["uuid"]
    if operation == "store_image_id":
        journal.put_image_id(uuid, request_name, arguments["image_id"])
    elif operation == "reset_owner":
        journal.put_owner(uuid, request_name, arguments["owner"])
    elif operation == "store_group_id":
        journal.put_group_id(uuid, request_name, arguments["group_id"])
    elif operation == "store_attribute":
        journal.put_attribute(uuid, request_name, arguments["attribute"], arguments["value"])
    else:
        raise ValueError(operation)
    return None


def attributes(found: ImageReservation) -> dict[str, object]:
    pool_id = found.journal_pool_id
    return {
        "attributes": {
            "request_name": found.request_name,
            "image_name": found.image_name,
            "image_id": found.image_id,
            "owner": found.owner,
            "kms_id": found.kms_id,
            "encryption_type": found.encryption_type,
            "group_id": found.group_id,
            "source_name": found.source_name,
            "backing_snapshot_id": found.backing_snapshot_id,
            "journal_pool_id": -1 if pool_id is None else pool_id,
        }
    }
