"""What Ceph-CSI wrote and answered on a real cluster, read by our three schemas.

The files in `tests/golden` were recorded with Ceph-CSI's own journal code: the
omaps after each call, and for `attributes` what Ceph-CSI read out of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from csijournal.wire.entries import (
    MappedHandle,
    RecordHere,
    RecordInPool,
    Target,
    UnreadableTarget,
)
from csijournal.wire.records import ImageRecord
from csijournal.wire.schema import GROUPS, SCHEMAS, SNAPSHOTS, VOLUMES, JournalSchema

GOLDEN = Path(__file__).parent / "golden"
_SCHEMAS: Mapping[str, JournalSchema[Any]] = {"volume": VOLUMES, "snapshot": SNAPSHOTS}
_DIRECTORY, _RECORD = "directory", "record"

Omaps = dict[str, dict[str, dict[str, str]]]


@dataclass(frozen=True)
class Call:
    """One recorded call; `case` is empty in the random sequences."""

    case: str
    schema: JournalSchema[Any]
    operation: str
    arguments: dict[str, Any]
    result: Any
    error: str
    omaps: Omaps

    @property
    def record(self) -> dict[str, bytes] | None:
        """The record that the call asked for, as the pool held it."""
        name = self.schema.record_prefix + self.arguments["uuid"]
        keys = self.omaps.get(self.arguments["pool"], {}).get(name)
        return None if keys is None else _encoded(keys)


def _encoded(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {key: value.encode() for key, value in keys.items()}


def _sequences() -> Iterator[Call]:
    for name in ("volume-sequences.jsonl", "snapshot-sequences.jsonl"):
        for line in (GOLDEN / name).read_text().splitlines():
            sequence = json.loads(line)
            for step in sequence["steps"]:
                yield Call(
                    "",
                    _SCHEMAS[sequence["journal"]],
                    step["op"],
                    step["args"],
                    step["result"],
                    step["error"] or step.get("panic", ""),
                    step["omaps_after"],
                )


def _states() -> Iterator[Call]:
    for run in json.loads((GOLDEN / "volume-states.json").read_text())["cases"]:
        for step in run["steps"]:
            answer = step["ceph_csi"]
            yield Call(
                run["case"].split()[0],
                _SCHEMAS[run["journal"]],
                step["op"],
                step["args"],
                answer.get("result"),
                answer.get("error") or answer.get("panic", ""),
                step["after"],
            )


SEQUENCES = tuple(_sequences())
STATES = tuple(_states())


def _roles(object_name: str) -> list[tuple[str, str]]:
    """Each schema that takes the object for its own, and what for."""
    return [
        (schema.journal, role)
        for schema in SCHEMAS
        for role, owned in (
            (_DIRECTORY, schema.instance_of(object_name)),
            (_RECORD, schema.uuid_of_record(object_name)),
        )
        if owned is not None
    ]


def _objects(calls: tuple[Call, ...]) -> set[str]:
    return {name for call in calls for objects in call.omaps.values() for name in objects}


def test_every_object_that_ceph_csi_wrote_is_one_journals_and_one_only() -> None:
    names = _objects(SEQUENCES) | _objects(STATES)
    assert len(names) > 200
    strangers = {name for name in names if len(_roles(name)) != 1}
    assert strangers == {"csi.volume.not-a-uuid"}


def test_a_record_of_a_group_is_not_a_volumes_though_its_name_starts_like_one() -> None:
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    assert GROUPS.record_object(uuid).startswith(VOLUMES.record_prefix)
    assert _roles(GROUPS.record_object(uuid)) == [("groups", _RECORD)]
    assert _roles(VOLUMES.record_object(uuid)) == [("volumes", _RECORD)]
    assert _roles(SNAPSHOTS.record_object(uuid)) == [("snapshots", _RECORD)]
    assert _roles("csi.volume.group.") == []


def test_a_key_that_reads_like_a_groups_is_a_volumes_request_name_in_its_directory() -> None:
    assert VOLUMES.request_name_of_entry("csi.volume.group.x") == "group.x"


# What the values of directories point at


def _targets(call: Call) -> Iterator[Target]:
    for objects in call.omaps.values():
        for name, keys in objects.items():
            if call.schema.instance_of(name) is None:
                continue
            for key, value in keys.items():
                request_name = call.schema.request_name_of_entry(key)
                assert request_name is not None, key
                yield call.schema.parse_target(request_name, value.encode())


_KINDS: dict[str, type[Target]] = {
    **dict.fromkeys(("V01", "V02", "V03", "V04", "S01", "S02"), RecordHere),
    **dict.fromkeys(("V11", "V12", "V13", "V16", "S09", "S10", "S11"), RecordInPool),
    "V29": MappedHandle,
    **dict.fromkeys(("V07", "V08", "V09", "V10", "V14", "V15"), UnreadableTarget),
    **dict.fromkeys(("S12", "S13"), UnreadableTarget),
}


@pytest.mark.parametrize("case", sorted(_KINDS))
def test_each_recorded_kind_of_entry_is_told_from_the_others(case: str) -> None:
    calls = [call for call in STATES if call.case == case]
    assert calls
    kinds = {type(target) for call in calls for target in _targets(call)}
    assert kinds <= {_KINDS[case]}


def test_every_uuid_that_ceph_csi_reserved_is_what_the_entry_points_at() -> None:
    seen = 0
    for call in SEQUENCES:
        if call.operation != "reserve" or call.error:
            continue
        arguments, uuid = call.arguments, call.result["uuid"]
        if not call.schema.uuid_of_record(call.schema.record_prefix + uuid):
            continue
        directories = [
            keys
            for name, keys in call.omaps[arguments["journal_pool"]].items()
            if call.schema.instance_of(name) is not None
        ]
        value = directories[0][call.schema.entry_key(arguments["name"])]
        split = arguments["pool"] != arguments["journal_pool"] and arguments["pool_id"] != -1
        expected = RecordInPool(arguments["pool_id"], uuid) if split else RecordHere(uuid)
        assert call.schema.parse_target(arguments["name"], value.encode()) == expected
        seen += 1
    assert seen > 100


def test_an_entry_of_the_group_journal_leads_nowhere_but_to_a_record_of_its_own_pool() -> None:
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    handle = f"0001-0004-ceph-0000000000000002-{uuid}"
    for value in (f"0000000000000003/{uuid}", handle):
        assert isinstance(GROUPS.parse_target(handle, value.encode()), UnreadableTarget)
    assert GROUPS.parse_target("n", uuid.encode()) == RecordHere(uuid)


def test_a_handle_under_a_name_that_is_not_one_is_not_a_mapping() -> None:
    handle = b"0001-0004-ceph-0000000000000002-0f8fad5b-d9cb-469f-a165-70867728950e"
    assert isinstance(VOLUMES.parse_target("pvc-1", handle), UnreadableTarget)


# What records say


def _read_as_ceph_csi(call: Call, record: ImageRecord) -> dict[str, Any]:
    """The record in the words of Ceph-CSI's `GetImageAttributes`: missing reads as empty."""
    default_name = call.schema.make_image_name("", call.arguments["uuid"])
    missing_pool = record.journal_pool is None
    return {
        "request_name": record.request_name or "",
        "image_name": default_name if record.image_name is None else record.image_name,
        "image_id": record.image_id or "",
        "owner": record.owner or "",
        "kms_id": record.kms_id or "",
        "encryption_type": record.encryption_type or "",
        "group_id": record.group_id or "",
        "source_name": record.source_name or "",
        "backing_snapshot_id": record.backing_snapshot_id or "",
        "journal_pool_id": -1 if missing_pool else record.journal_pool_id,
    }


def _known_differences(call: Call, keys: Mapping[str, bytes]) -> set[str]:
    """What we read and Ceph-CSI does not, each for its reason."""
    differences = set()
    if "csi.csi.groupid" in keys or "csi." in keys:
        differences.add("group_id")  # written under a misspelt key, which nobody there reads
    if "" in keys:
        differences.add("owner")  # the CephFS driver's snapshots have it under the empty key
    if not call.arguments["snap_source"]:
        differences.add("source_name")  # read there only where it is asked for
    if call.case == "V24":
        differences.add("encryption_type")  # a text that it does not know is INVALID there
    return differences


def test_every_record_is_read_as_ceph_csi_reads_it() -> None:
    compared = 0
    for call in (*SEQUENCES, *STATES):
        if call.operation != "attributes" or call.error:
            continue
        keys = call.record
        if keys is None:
            continue
        ours = _read_as_ceph_csi(call, call.schema.parse(keys))
        differing = {key for key, value in call.result.items() if ours[key] != value}
        assert differing <= _known_differences(call, keys), (call.case, keys)
        compared += 1
    assert compared > 90


def test_no_key_of_a_record_is_lost_in_reading() -> None:
    keys = {
        "csi.volname": b"n",
        "csi.nfs.cluster": b"nfs",
        "csi.of.tomorrow": b"\xff",
        "of others": b"1",
    }
    record = VOLUMES.parse(keys)
    assert record.attributes == {"nfs.cluster": "nfs", "of.tomorrow": "\udcff"}
    assert record.others["of others"] == "1"


@pytest.mark.parametrize(("schema", "key"), [(VOLUMES, "csi.csi.groupid"), (SNAPSHOTS, "csi.")])
def test_a_group_is_found_under_a_misspelt_key_unless_the_right_one_is_there(
    schema: JournalSchema[ImageRecord], key: str
) -> None:
    assert schema.parse({key: b"group"}).group_id == "group"
    record = schema.parse({key: b"old", "csi.groupid": b"new"})
    assert record.group_id == "new"
    assert not record.others


def test_the_owner_of_a_cephfs_snapshot_is_found_under_the_empty_key() -> None:
    assert SNAPSHOTS.parse({"csi.snapname": b"s", "": b"team"}).owner == "team"
    assert VOLUMES.parse({"csi.volname": b"v", "": b"team"}).owner is None


@pytest.mark.parametrize(
    ("text", "pool_id"),
    [
        (None, None),
        ("0000000000000002", 2),
        ("000000000000001F", 31),
        ("nonsense", None),
        ("02", None),
        ("", None),
    ],
)
def test_a_journal_pool_that_cannot_be_read_is_told_from_a_missing_one(
    text: str | None, pool_id: int | None
) -> None:
    record = VOLUMES.parse({} if text is None else {"csi.journalpool": text.encode()})
    assert (record.journal_pool, record.journal_pool_id) == (text, pool_id)
