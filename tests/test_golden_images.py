"""Ceph-CSI's volume and snapshot journals done again, each step from Ceph-CSI's own state.

csijournal gives the same answer and leaves the same bytes, or refuses for one
of the reasons in docs/compatibility.md and changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from csijournal import errors
from csijournal.errors import CSIJournalError
from csijournal.wire.handles import Handle
from csijournal.wire.timestamps import Timestamp
from support.places import LONG_AGO_NS
from support.recorded import (
    IMAGE_POOL,
    JOURNAL_POOL,
    Pools,
    RADOSPools,
    State,
    Step,
    ask,
    directory_name,
    entry_key,
    is_offered,
    name_key,
    open_journal,
    record_name,
)

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

GOLDEN = Path(__file__).parent / "golden"
Sequence = dict[str, Any]
SEQUENCES: list[Sequence] = [
    json.loads(line)
    for name in ("volume-sequences.jsonl", "snapshot-sequences.jsonl")
    for line in (GOLDEN / name).read_text("utf-8").splitlines()
]
READ_BY_TOOL = ("volume-5001", "snapshot-6033")
GROUP_KEYS = ("csi.csi.groupid", "csi.")
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def name_of(sequence: Sequence) -> str:
    return f"{sequence['journal']}-{sequence['seed']}"


each_sequence = pytest.mark.parametrize("sequence", SEQUENCES, ids=name_of)


class Before:
    """What a recorded step finds, and what csijournal has to make of it."""

    def __init__(self, sequence: Sequence, step: Step, state: State, *, has_pools: bool) -> None:
        self.kind: str = sequence["journal"]
        self.step, self.arguments = step, step["args"]
        self.state = state
        self._has_pools = has_pools
        self._instance_id: str = sequence["instance_id"]

    @property
    def directory(self) -> dict[str, str]:
        name = directory_name(self.kind, self._instance_id)
        return self.state.get(JOURNAL_POOL, {}).get(name, {})

    @property
    def entry(self) -> str | None:
        return self.directory.get(entry_key(self.kind, self.arguments["name"]))

    @property
    def is_split(self) -> bool:
        return "/" in (self.entry or "")

    def record(self, uuid: str) -> dict[str, str] | None:
        pool = self.arguments.get("journal_pool") or self.arguments.get("pool", JOURNAL_POOL)
        return self.state.get(pool, {}).get(record_name(self.kind, uuid))

    def request_name(self) -> str:
        """Of the record, where the call names one by its UUID."""
        record = self.record(self.arguments.get("uuid", "")) or {}
        return record.get(name_key(self.kind), "") or "nobody"

    # Refusals

    def refusal(self) -> type[CSIJournalError] | None:
        """Why csijournal refuses; None where it does not."""
        refusals: dict[str, Callable[[], type[CSIJournalError] | None]] = {
            "reserve": lambda: self._no_name() or self._no_reserve(),
            "check": lambda: self._no_name() or self._no_check(),
            "undo": lambda: self._no_name() or self._no_undo(),
            "check_new_uuid_mapping": self._no_handle,
            "fetch_attribute": self._no_object,
            "name_for_uuid": lambda: None,
            "attributes": self._no_record,
        }
        put = lambda: self._no_name(self.request_name()) or self._no_record()  # noqa: E731
        return refusals.get(self.step["op"], put)()

    def _no_handle(self) -> type[CSIJournalError] | None:
        return None if is_handle(self.arguments["old_handle"]) else errors.InvalidHandle

    def _no_object(self) -> type[CSIJournalError] | None:
        gone = self.record(self.arguments["uuid"]) is None
        return errors.RecordNotFound if gone else None

    def _no_name(self, name: str | None = None) -> type[CSIJournalError] | None:
        name = self.arguments["name"] if name is None else name
        bytes_max = {"volume": 128, "snapshot": 255}[self.kind]
        bad = not name or FORBIDDEN.search(name) or len(name.encode()) > bytes_max
        return errors.InvalidRequestName if bad else None

    def _no_record(self) -> type[CSIJournalError] | None:
        record = self.record(self.arguments["uuid"])
        if record is None:
            return errors.RecordNotFound
        return None if name_key(self.kind) in record else errors.UnpopulatedRecord

    def _no_reserve(self) -> type[CSIJournalError] | None:
        if self.arguments["encryption_type"] and not self.arguments["kms"]:
            return errors.InvalidAttribute
        uuid = self.arguments["uuid"]
        if uuid and not UUID.fullmatch(uuid):
            return errors.InvalidUUID
        if self.entry is not None:
            return errors.AlreadyReserved
        return errors.UUIDInUse if self.record(uuid) is not None else None

    def _no_check(self) -> type[CSIJournalError] | None:
        if self.arguments["encryption_type"] and not self.arguments["kms"]:
            return errors.InvalidAttribute
        if self.is_split and not self._has_pools:
            return errors.SplitReservation
        error = self.step["error"]
        for words, kind in {
            "encryption KMS mismatch": errors.EncryptionMismatch,
            "encryption type mismatch": errors.EncryptionMismatch,
            "points to different volume": errors.SourceMismatch,
        }.items():
            if words in error:
                return kind
        return None

    def _no_undo(self) -> type[CSIJournalError] | None:
        image_name, name = self.arguments["image_name"], self.arguments["name"]
        if not UUID.fullmatch(image_name[-36:]):
            return errors.InvalidImageName
        if self.is_split:
            return errors.SplitReservation
        record = self.record(image_name[-36:])
        if record is None or record.get(name_key(self.kind)) == name:
            return None
        return errors.UndoRefused if name_key(self.kind) in record else errors.UnpopulatedRecord

    # Answers

    def answer(self) -> object:
        result = self.step["result"]
        operation = self.step["op"]
        if operation == "check" and self.is_split:
            return self._split_answer()
        if operation == "check" and result is not None:
            return {"uuid": result["uuid"], **self._as_read(result["uuid"], result)}
        if operation == "attributes":
            return self._as_read(self.arguments["uuid"], {"attributes": result})
        if operation == "fetch_attribute":
            record = self.record(self.arguments["uuid"]) or {}
            value = record.get(f"csi.{self.arguments['attribute']}")
            assert value in (result, None)
            return value
        return result

    def _as_read(self, uuid: str, result: dict[str, Any]) -> dict[str, Any]:
        """Ceph-CSI reads the source only where it is asked about.

        It never reads back the owner that its CephFS driver writes, nor group ids.
        """
        record = self.record(uuid) or {}
        groups = [record[key] for key in ("csi.groupid", *GROUP_KEYS) if key in record]
        empty_key = record.get("", "") if self.kind == "snapshot" else ""
        owner = record.get("csi.volume.owner", empty_key)
        group_id = groups[0] if groups else ""
        read = {"owner": owner, "group_id": group_id, "source_name": record.get("csi.source", "")}
        assert result["attributes"]["source_name"] in {"", read["source_name"]}
        return {"attributes": result["attributes"] | read}

    def _split_answer(self) -> object:
        """What Ceph-CSI cannot read back: the attributes beside the entry."""
        uuid = (self.entry or "").split("/")[1]
        record = self.record(uuid) or {}
        assert self.step["error"] or self.step["result"] is None
        keys = {
            "request_name": name_key(self.kind),
            "image_name": "csi.imagename",
            "image_id": "csi.imageid",
            "owner": "csi.volume.owner",
            "kms_id": "csi.volume.encryptKMS",
            "encryption_type": "csi.volume.encryptionType",
            "source_name": "csi.source",
            "backing_snapshot_id": "csi.volume.backingsnapshotid",
        }
        read: dict[str, object] = {field: record.get(key, "") for field, key in keys.items()}
        read["journal_pool_id"] = int(record["csi.journalpool"], 16)
        return {"uuid": uuid, **self._as_read(uuid, {"attributes": read})}

    def after(self) -> State:
        """What lies there then."""
        recorded: State = json.loads(json.dumps(self.step["omaps_after"]))
        operation = self.step["op"]
        if operation == "check":
            return self.state
        if operation == "store_group_id":
            record = recorded[JOURNAL_POOL][record_name(self.kind, self.arguments["uuid"])]
            written = [record.pop(key) for key in GROUP_KEYS if key in record]
            record["csi.groupid"] = written[0]
        elif operation == "undo":
            uuid = self.arguments["image_name"][-36:]
            if self.entry not in {None, uuid}:
                directory = recorded[JOURNAL_POOL][directory_name(self.kind, self._instance_id)]
                directory[entry_key(self.kind, self.arguments["name"])] = self.entry or ""
            elif self.arguments["pool"] != JOURNAL_POOL:
                # What Ceph-CSI left of a reservation in two pools when it undid it.
                recorded[JOURNAL_POOL].pop(record_name(self.kind, uuid), None)
        return recorded


def is_handle(text: str) -> bool:
    try:
        Handle.parse(text)
    except errors.InvalidHandle:
        return False
    return True


def replay(sequence: Sequence, pools: Pools) -> Iterator[Step]:
    """Each step from the state before it; yields those that csijournal has a call for."""
    state: State = {}
    ids = sequence["pools"]
    for step in sequence["steps"]:
        pools.set(state, ids)
        if is_offered(sequence["journal"], step):
            before = Before(sequence, step, state, has_pools=bool(pools.ids))
            answer = answer_of(pools, before, sequence["instance_id"])
            refusal = before.refusal()
            if refusal is not None:
                assert type(answer) is refusal
                assert pools.get(ids) == filled(state)
            else:
                assert answer == in_these_pools(before.answer(), ids, pools)
                assert pools.get(ids) == filled(before.after())
            yield step
        state = step["omaps_after"]


def answer_of(pools: Pools, before: Before, instance_id: str) -> object:
    now = Timestamp(LONG_AGO_NS)
    journal = open_journal(pools, before.kind, instance_id, before.step, now=now)
    try:
        return ask(journal, before.kind, before.step, before.request_name())
    except CSIJournalError as error:
        return error


def in_these_pools(answer: object, ids: dict[str, int], pools: Pools) -> object:
    """The answer with the pool ids that the pools have here."""
    if isinstance(answer, dict) and "attributes" in answer:
        read = answer["attributes"]
        named = {number: pool for pool, number in ids.items()}.get(read["journal_pool_id"], "")
        pool_id = pools.ids.get(named, read["journal_pool_id"])
        return answer | {"attributes": read | {"journal_pool_id": pool_id}}
    return answer


def filled(state: State) -> State:
    return {pool: state.get(pool, {}) for pool in (JOURNAL_POOL, IMAGE_POOL)}


@each_sequence
def test_a_step_from_ceph_csis_state_has_its_answer_and_leaves_its_bytes(
    pools: Pools, sequence: Sequence
) -> None:
    assert sum(1 for _ in replay(sequence, pools)) > 0


# With Ceph's own tool looking


@pytest.mark.ceph
@pytest.mark.parametrize("name", READ_BY_TOOL)
def test_cephs_own_tool_reads_the_bytes_that_csijournal_leaves(
    ceph: ThrowawayCluster, golden_pools: None, tmp_path: Path, name: str
) -> None:
    del golden_pools
    sequence = next(sequence for sequence in SEQUENCES if name_of(sequence) == name)
    reserved, empty_keys = 0, 0
    with closing(RADOSPools(ceph, "read-by-tool")) as pools:
        for step in replay(sequence, pools):
            if step["op"] != "reserve" or step["error"]:
                continue
            record = record_name(sequence["journal"], step["result"]["uuid"])
            expected = step["omaps_after"][JOURNAL_POOL][record]
            if record in tool(ceph, "ls").splitlines():
                assert omap_by_tool(ceph, record, expected, tmp_path / "value") == expected
                reserved += 1
                empty_keys += "" in expected
    assert reserved > 0
    assert empty_keys > 0 or sequence["journal"] == "volume"


def tool(cluster: ThrowawayCluster, *args: str) -> str:
    return cluster.rados("-p", JOURNAL_POOL, "-N", "read-by-tool", *args)


def omap_by_tool(
    cluster: ThrowawayCluster, object_name: str, expected: dict[str, str], scratch: Path
) -> dict[str, str]:
    """An object as `rados` shows it; the empty key, which it never lists, where it is expected."""
    listed = tool(cluster, "listomapkeys", object_name).splitlines()
    omap: dict[str, str] = {}
    for key in [*listed, ""] if "" in expected else listed:
        tool(cluster, "getomapval", object_name, key, str(scratch))
        omap[key] = scratch.read_bytes().decode()
    return omap
