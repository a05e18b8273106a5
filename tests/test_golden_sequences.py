"""What Ceph-CSI did on a real cluster, done again: same answers, same bytes, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from csijournal import Reservation, Timestamp, VolumeGroupJournal
from csijournal.store import Write
from support.journals import bare_journal
from support.places import Omaps, Place, RADOSPlace, dump

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

Step = dict[str, Any]
Sequence = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden" / "sequences.jsonl"
SEQUENCES: list[Sequence] = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
POOL = "csijournal-golden"

each_sequence = pytest.mark.parametrize(
    "sequence", SEQUENCES, ids=lambda sequence: f"seed-{sequence['seed']}"
)


class Recorded:
    """The UUIDs and times that Ceph-CSI drew in one sequence, in its order."""

    def __init__(self, sequence: Sequence) -> None:
        self.uuids: list[str] = []
        self._times: dict[str, Timestamp] = {}
        for step in sequence["steps"]:
            if step["op"] == "reserve":
                group_uuid = step["result"]["uuid"]
                group = step["omaps_after"][f"csi.volume.group.{group_uuid}"]
                self.uuids.append(group_uuid)
                self._times[group_uuid] = Timestamp.parse(group["csi.creationtime"])
        self._drawn: list[str] = []

    def draw(self) -> Iterator[str]:
        for group_uuid in self.uuids:
            self._drawn.append(group_uuid)
            yield group_uuid

    def clock(self) -> Timestamp:
        return self._times[self._drawn[-1]]


def replay(sequence: Sequence, place: Place) -> Iterator[tuple[Step, object, Omaps]]:
    """Each step with csijournal's answer and what lies in the store after it."""
    recorded = Recorded(sequence)
    store = place.open()
    journal = bare_journal(
        store,
        instance_id=sequence["instance_id"],
        new_uuids=recorded.draw(),
        clock=recorded.clock,
    )
    for step in sequence["steps"]:
        yield step, perform(journal, step), dump(store)


def perform(journal: VolumeGroupJournal, step: Step) -> object:
    """What csijournal answers, in the form in which Ceph-CSI's answer was recorded."""
    operation = step["op"]
    if operation == "reserve":
        made = journal.reserve_name(step["request_name"], step["name_prefix"])
        return {"uuid": made.group_uuid, "group_name": made.group_name, "error": ""}
    if operation == "check":
        found = journal.check_reservation(step["request_name"])
        return found and {"uuid": found.group_uuid, **attributes(found)}
    if operation == "attributes":
        return attributes(journal.get_volume_group_attributes(step["uuid"]))
    if operation == "add_volumes":
        journal.add_volumes_mapping(step["uuid"], step["volume_map"])
    elif operation == "remove_volumes":
        journal.remove_volumes_mapping(step["uuid"], step["volume_ids"])
    elif operation == "undo":
        journal.undo_reservation(step["group_name"], step["request_name"])
    else:
        raise ValueError(operation)
    return None


def attributes(reservation: Reservation) -> dict[str, object]:
    return {
        "request_name": reservation.request_name,
        "group_name": reservation.group_name,
        "creation_time": str(reservation.creation_time),
        "volume_map": reservation.volume_map,
    }


@each_sequence
def test_every_step_has_the_answer_and_leaves_the_bytes_that_ceph_csi_did(
    place: Place, sequence: Sequence
) -> None:
    steps = 0
    for step, answer, omaps in replay(sequence, place):
        assert answer == step.get("result")
        assert omaps == step["omaps_after"]
        steps += 1
    assert steps == len(sequence["steps"]) > 0


def test_ceph_csi_met_no_error_in_any_sequence() -> None:
    errors = {
        step.get("error") or (step.get("result") or {}).get("error") or ""
        for sequence in SEQUENCES
        for step in sequence["steps"]
    }
    assert errors == {""}


# On a cluster, in the namespace of the recording, and with Ceph's own tool looking


@pytest.fixture(scope="module")
def golden_pool(ceph: ThrowawayCluster) -> str:
    ceph.create_pool(POOL)
    return POOL


@pytest.mark.ceph
@each_sequence
def test_a_sequence_leaves_the_same_bytes_in_the_namespace_of_its_recording(
    ceph: ThrowawayCluster, golden_pool: str, sequence: Sequence
) -> None:
    place = RADOSPlace(ceph, golden_pool, sequence["namespace"])
    try:
        for step, answer, omaps in replay(sequence, place):
            assert answer == step.get("result")
            assert omaps == step["omaps_after"]
    finally:
        empty(place)
        place.close()


@pytest.mark.ceph
@pytest.mark.parametrize("seed", [1023, 1024])
def test_cephs_own_tool_reads_the_same_bytes_after_every_step(
    ceph: ThrowawayCluster, golden_pool: str, tmp_path: Path, seed: int
) -> None:
    sequence = next(sequence for sequence in SEQUENCES if sequence["seed"] == seed)
    place = RADOSPlace(ceph, golden_pool, "read-by-tool")
    try:
        for step, _answer, _omaps in replay(sequence, place):
            seen = omaps_by_tool(ceph, golden_pool, "read-by-tool", tmp_path / "value")
            assert seen == step["omaps_after"]
    finally:
        empty(place)
        place.close()


def empty(place: Place) -> None:
    store = place.open()
    for name in list(store.object_names()):
        store.write(Write(name, remove_object=True))


def omaps_by_tool(cluster: ThrowawayCluster, pool: str, namespace: str, scratch: Path) -> Omaps:
    """The namespace as `rados` shows it, without any code of csijournal's."""

    def tool(*args: str) -> str:
        return cluster.rados("-p", pool, "-N", namespace, *args)

    def value(object_name: str, key: str) -> str:
        tool("getomapval", object_name, key, str(scratch))
        return scratch.read_bytes().decode()

    return {
        name: {key: value(name, key) for key in tool("listomapkeys", name).splitlines()}
        for name in tool("ls").splitlines()
    }
