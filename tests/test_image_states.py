"""Each state that a journal of volumes or snapshots can be in, and what csijournal makes of it.

tests/golden/volume-states.json has the states and what Ceph-CSI answered on a
real cluster; docs/compatibility.md tells both in words, and is held to the
answers here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from csijournal import SnapshotJournal, VolumeJournal, errors
from csijournal.compat import zip_strict
from csijournal.errors import CSIJournalError, PlaceNotFound, StaleEntry
from csijournal.wire.timestamps import Timestamp
from support.places import LONG_AGO_NS, Omaps
from support.recorded import (
    IMAGE_POOL,
    JOURNAL_POOL,
    Pools,
    RADOSPools,
    State,
    Step,
    ask,
    directory_name,
    is_offered,
    name_key,
    open_journal,
    record_name,
)

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

Case = dict[str, Any]
RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "golden" / "volume-states.json").read_text("utf-8")
)
RUNS: dict[str, list[Case]] = defaultdict(list)
for _run in RECORDED["cases"]:
    RUNS[_run["case"].split()[0]].append(_run)
NO_SUCH_POOL = "V34"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LONG_AFTER = Timestamp(LONG_AGO_NS + 10**9 * 24 * 3600)

# Of each run the answer to each step.  "found" is a reservation or attributes,
# "none" no reservation, "done" a change, "text" and "empty" a value; a name is
# that of an error.
ANSWERS = {
    "V01": ["none", "UnpopulatedRecord", "UnpopulatedRecord"],
    "V02": ["StaleEntry", "done", "UnpopulatedRecord"],
    "V03": [
        "found",
        "done",
        "found",
        "done done",
        "EncryptionMismatch",
        "not-offered",
        "not-offered",
        "AlreadyReserved",
        "found",
    ],
    "V04": ["StaleEntry", "done", "RecordNotFound", "StaleEntry StaleEntry"],
    "V05": ["NameMismatch", "UndoRefused", "found"],
    "V06": ["UnpopulatedRecord", "UnpopulatedRecord", "UnpopulatedRecord"],
    "V07": ["CorruptEntry", "CorruptEntry", "found"],
    "V08": ["CorruptEntry", "CorruptEntry", "found"],
    "V09": ["CorruptEntry", "CorruptEntry", "RecordNotFound"],
    "V10": ["CorruptEntry", "CorruptEntry", "found"],
    "V11": ["SplitReservation", "SplitReservation", "SplitReservation", "found", "RecordNotFound"],
    "V12": ["SplitReservation", "SplitReservation", "UnpopulatedRecord", "found"],
    "V13": ["SplitReservation", "SplitReservation", "found"],
    "V14": ["CorruptEntry", "CorruptEntry", "found"],
    "V15": ["CorruptEntry", "CorruptEntry", "found"],
    "V16": ["SplitReservation", "SplitReservation", "found"],
    "V17": ["found", "done", "found"],
    "V18": ["found", "done", "found"],
    "V19": ["found", "done", "found"],
    "V20": ["found", "done", "found", "found"],
    "V21": ["found", "done", "found", "InvalidImageName", "InvalidImageName", "UndoRefused"],
    "V22": ["found", "done", "found", "done found"],
    "V23": ["found", "done", "found", "found", "EncryptionMismatch", "EncryptionMismatch"],
    "V24": ["found", "done", "found", "EncryptionMismatch"],
    "V25": ["found", "done", "found", "EncryptionMismatch", "found"],
    "V26": [
        "none",
        "UnpopulatedRecord",
        "UnpopulatedRecord",
        "UnpopulatedRecord UnpopulatedRecord",
    ],
    "V27": ["none", "UnpopulatedRecord", "UnpopulatedRecord", "text", "RecordNotFound"],
    "V28": ["found", "done", "found", "NameMismatch", "UndoRefused"],
    "V29": ["NotAReservation", "text", "empty"],
    "V30": ["UndoRefused found found"],
    "V31": ["done found"],
    "V32": ["none", "done", "found"],
    "V33": ["none", "done", "found"],
    "V35": ["done found"],
    "V36": ["found", "done", "found"],
    "S01": ["found", "done", "found", "found", "found", "done done", "EncryptionMismatch"],
    "S02": [
        "StaleEntry",
        "done",
        "RecordNotFound",
        "StaleEntry",
        "StaleEntry StaleEntry",
        "StaleEntry",
    ],
    "S03": ["StaleEntry", "done", "UnpopulatedRecord", "StaleEntry"],
    "S04": ["StaleEntry", "done", "found", "found"],
    "S05": ["SourceMismatch", "done", "found"],
    "S06": ["NameMismatch", "UndoRefused", "found"],
    "S07": ["UnpopulatedRecord", "UnpopulatedRecord", "UnpopulatedRecord"],
    "S08": ["found", "done", "found", "found"],
    "S09": ["SplitReservation", "SplitReservation", "found"],
    "S10": ["SplitReservation", "SplitReservation", "UnpopulatedRecord", "found"],
    "S11": ["SplitReservation", "SplitReservation", "found"],
    "S12": ["CorruptEntry", "CorruptEntry", "RecordNotFound"],
    "S13": ["CorruptEntry", "CorruptEntry", "RecordNotFound"],
    "S14": ["found", "done", "found", "found"],
    "S15": ["found", "done", "found", "found", "EncryptionMismatch"],
    "S16": ["none", "done", "found"],
    "S17": ["done found"],
    "S18": ["InvalidAttribute none none"],
}

# Where the store has pools to look into.
WITH_POOLS = {
    "V11": ["found", "found", "SplitReservation", "found", "RecordNotFound"],
    "V12": ["found", "SplitReservation", "UnpopulatedRecord", "found"],
    "V16": ["found", "SplitReservation", "found"],
    "S09": ["found", "SplitReservation", "found"],
    "S10": ["found", "SplitReservation", "UnpopulatedRecord", "found"],
}

# Cleaned up where somebody says that nothing stands behind.
WITH_NOTHING_BEHIND = ("V02", "V04", "S02", "S03")

# What csijournal leaves where Ceph-CSI leaves something else.
NEWER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
LEFT: dict[str, State] = {
    "V31": {
        JOURNAL_POOL: {
            f"csi.volume.{NEWER}": {
                "csi.imagename": f"csi-vol-{NEWER}",
                "csi.volname": "req-a",
            },
            "csi.volumes.default": {"csi.volume.req-a": NEWER},
        },
        IMAGE_POOL: {},
    },
    "V35": {
        JOURNAL_POOL: {
            f"csi.volume.{UUID}": {
                "csi.groupid": "0001-x",
                "csi.imagename": f"csi-vol-{UUID}",
                "csi.volname": "req-a",
            },
            "csi.volumes.default": {"csi.volume.req-a": UUID},
        },
        IMAGE_POOL: {},
    },
    "S17": {
        JOURNAL_POOL: {
            f"csi.snap.{UUID}": {
                "csi.groupid": "0001-x",
                "csi.imagename": f"csi-snap-{UUID}",
                "csi.snapname": "req-a",
                "csi.source": "csi-vol-src",
            },
            "csi.snaps.default": {"csi.snap.req-a": UUID},
        },
        IMAGE_POOL: {},
    },
}


def told(pools: Pools, run: Case, step: Step, **arguments: Any) -> str:  # noqa: ANN401 - of the journal
    """csijournal's answer in a word; whatever is not a change changes nothing."""
    journal = open_journal(
        pools, run["journal"], run["instance_id"], step, now=LONG_AFTER, **arguments
    )
    before = pools.get(RECORDED["pools"])
    asked = before.get(step["args"].get("pool", JOURNAL_POOL), {})
    record = asked.get(record_name(run["journal"], step["args"].get("uuid", "")), {})
    request_name = record.get(name_key(run["journal"]), "req-a")
    try:
        answer = in_a_word(step["op"], ask(journal, run["journal"], step, request_name))
    except CSIJournalError as error:
        answer = type(error).__name__
    after = pools.get(RECORDED["pools"])
    if answer == "done" or (step["op"], answer) == ("reserve", "found"):
        assert after == LEFT.get(run["case"].split()[0], step["after"])
    elif not arguments:
        assert after == before
    return answer


def in_a_word(operation: str, answer: object) -> str:
    if isinstance(answer, dict):
        return "found"
    if isinstance(answer, str):
        return "text" if answer else "empty"
    return "none" if operation == "check" else "done"


@pytest.mark.parametrize("case", ANSWERS)
def test_a_state_has_its_answer_and_only_what_was_asked_for_is_changed(
    pools: Pools, case: str
) -> None:
    has_pools = bool(pools.ids)
    answers = WITH_POOLS.get(case, ANSWERS[case]) if has_pools else ANSWERS[case]
    for run, expected in zip_strict(RUNS[case], answers):
        pools.set(run["before"], RECORDED["pools"])
        words = [
            told(pools, run, step) if is_offered(run["journal"], step) else "not-offered"
            for step in run["steps"]
        ]
        assert " ".join(words) == expected, run["run"]


def test_no_recorded_state_is_left_out() -> None:
    assert {*ANSWERS, NO_SUCH_POOL} == set(RUNS)


@pytest.mark.parametrize("case", WITH_NOTHING_BEHIND)
def test_what_nothing_stands_behind_is_cleaned_up_and_what_something_does_is_not(
    pools: Pools, case: str
) -> None:
    run = RUNS[case][0]
    ids = RECORDED["pools"]
    pools.set(run["before"], ids)
    before = pools.get(ids)
    asked: list[tuple[str, str]] = []

    def something(uuid: str, image_name: str) -> bool:
        asked.append((uuid, image_name))
        return True

    assert told(pools, run, run["steps"][0], stands_behind=something) == StaleEntry.__name__
    assert pools.get(ids) == before
    prefix = "csi-vol-" if run["journal"] == "volume" else "csi-snap-"
    assert asked == [(UUID, prefix + UUID)]
    assert told(pools, run, run["steps"][0], stands_behind=lambda *_: False) == "none"
    directory = "csi.volumes.default" if run["journal"] == "volume" else "csi.snaps.default"
    assert pools.get(ids) == {JOURNAL_POOL: {directory: {}}, IMAGE_POOL: {}}


@pytest.mark.ceph
def test_in_a_pool_that_does_not_exist_there_is_no_reservation_and_no_change(
    ceph: ThrowawayCluster,
) -> None:
    from csijournal.store.rados.pool import RADOSStore  # noqa: PLC0415 - only where there is Ceph

    with RADOSStore("no-such-pool", conf=str(ceph.conf)) as store:
        volumes, snapshots = VolumeJournal(store), SnapshotJournal(store)
        assert volumes.check_reservation("req-a") is None
        assert snapshots.check_reservation("req-a", source_name="csi-vol-src") is None
        for act in (
            lambda: volumes.undo_reservation(f"csi-vol-{UUID}", "req-a"),
            lambda: volumes.get_attributes(UUID),
            lambda: volumes.reserve_name("req-a"),
            lambda: volumes.put_image_id(UUID, "req-a", "1"),
        ):
            with pytest.raises(PlaceNotFound, match="no-such-pool"):
                act()


@pytest.mark.ceph
@pytest.mark.parametrize("kind", ["volume", "snapshot"])
def test_an_entry_into_another_pool_needs_a_complete_record_of_its_own_name_there(
    ceph: ThrowawayCluster, golden_pools: None, kind: str
) -> None:
    del golden_pools
    record, directory = record_name(kind, UUID), directory_name(kind, "default")
    entry = {directory: {record_name(kind, "req-a"): f"{3:016x}/{UUID}"}}
    step: Step = {"op": "check", "args": {"journal_pool": JOURNAL_POOL}}
    with closing(RADOSPools(ceph, "elsewhere")) as pools:

        def asked(in_image_pool: Omaps, beside: Omaps) -> str:
            ids = {JOURNAL_POOL: 2, IMAGE_POOL: 3}
            before = {IMAGE_POOL: in_image_pool, JOURNAL_POOL: entry | beside}
            pools.set(before, ids)
            journal = open_journal(pools, kind, "default", step, now=LONG_AFTER)
            try:
                found = journal.check_reservation("req-a")
            except CSIJournalError as error:
                return type(error).__name__
            finally:
                assert pools.get(ids) == before
            return found.image_name if found else "none"

        named = {record: {name_key(kind): "req-a", "csi.imagename": "there"}}
        beside = {record: {name_key(kind): "req-a", "csi.imagename": "beside"}}
        others = {record: {name_key(kind): "req-b"}}
        assert asked(named, {}) == "there"
        assert asked(named, beside) == "there"
        assert asked({record: {}}, beside) == "beside"
        assert asked({}, beside) == "beside"
        assert asked(others, beside) == "NameMismatch"
        assert asked({record: {}}, others) == "NameMismatch"
        assert asked({record: {}}, {}) == "SplitReservation"
        assert asked({}, {record: {"csi.imageid": "1"}}) == "SplitReservation"


# What docs/compatibility.md says

DOCUMENT = Path(__file__).parents[1] / "docs" / "compatibility.md"
ROW = re.compile(r"^\| ([VS]\d\d) \| .* \| (.*) \|$", re.MULTILINE)
ROWS = dict(ROW.findall(DOCUMENT.read_text("utf-8")))
ERRORS = {name for name in dir(errors) if isinstance(getattr(errors, name), type)}


def test_the_document_has_a_row_for_each_state() -> None:
    assert list(ROWS) == sorted(RUNS, key=lambda case: (case[0] == "S", case))


@pytest.mark.parametrize("case", ANSWERS)
def test_the_document_names_each_error_that_a_state_is_answered_with_and_no_other(
    case: str,
) -> None:
    answers = " ".join([*ANSWERS[case], *WITH_POOLS.get(case, [])]).split()
    assert set(re.findall(r"`(\w+)`", ROWS[case])) & ERRORS == set(answers) & ERRORS
