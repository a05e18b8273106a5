"""Each state that a journal can be in, and what csijournal makes of it.

tests/golden/states.json has the states and what Ceph-CSI answered on a real
cluster; the answers here are csijournal's, of docs/behaviour.md's "Case by case".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from csijournal import Reservation, Timestamp, VolumeGroupJournal
from csijournal.compat import zip_strict
from csijournal.errors import (
    AlreadyReserved,
    CorruptEntry,
    CSIJournalError,
    GroupNotFound,
    InvalidGroupName,
    InvalidMember,
    InvalidRequestName,
    NameMismatch,
    ReservationPending,
    UndoRefused,
    UnpopulatedGroup,
)
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.store import Write
from support.journals import LONG_AGO, bare_journal, seconds_later, uuid_number
from support.places import LONG_AGO_NS, Omaps, Place, dump, fill

STATES: dict[str, dict[str, Any]] = {
    state["case"].split()[0]: state
    for state in json.loads(
        (Path(__file__).parent / "golden" / "states.json").read_text(encoding="utf-8")
    )
}
DIRECTORY = "csi.groups.default"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
NEWER_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CREATED = Timestamp.parse("2026-11-22T13:23:10.911063702Z")
MADE = uuid_number(1)
GRACE = int(GRACE_SECONDS)
NOW = seconds_later(10 * GRACE)


def reservation(
    group_uuid: str = UUID,
    created: Timestamp | None = CREATED,
    members: Mapping[str, str] | None = None,
) -> Reservation:
    return Reservation("req-a", group_uuid, f"csi-vol-group-{group_uuid}", created, members or {})


@dataclass(frozen=True)
class Raises:
    """An error of this kind, whose text has all of these words."""

    kind: type[CSIJournalError]
    words: tuple[str, ...]


def raises(kind: type[CSIJournalError], *words: str) -> Raises:
    return Raises(kind, words)


@dataclass(frozen=True)
class Expected:
    """csijournal's answer to each step, and what lies in the store at the end.

    `after` changes objects of the state before; None stands for no object.
    `now` is the journal's time; the state came to be at LONG_AGO.
    """

    answers: tuple[object, ...]
    after: dict[str, dict[str, str] | None] = field(default_factory=dict)
    now: Timestamp = NOW


ATTRIBUTES = {
    "csi.volname": "req-a",
    "csi.groupname": f"csi-vol-group-{UUID}",
    "csi.creationtime": str(CREATED),
}
GROUP = f"csi.volume.group.{UUID}"

EXPECTED = {
    "S1": Expected((None,)),
    "S2": Expected((None,), {DIRECTORY: {}, GROUP: None}),
    "S3": Expected((reservation(),)),
    "S4": Expected((None,), {DIRECTORY: {}}),
    "S5": Expected((raises(NameMismatch, "'req-a'", "'req-b'", UUID, "csijournal verify"),)),
    "S6": Expected((raises(CorruptEntry, "'garbage'", DIRECTORY, "csi.volume.group.req-a"),)),
    "S9": Expected((reservation(),)),
    "S10": Expected((reservation(created=None),)),
    "S11": Expected((raises(GroupNotFound, UUID),)),
    "S12": Expected((raises(InvalidMember, "csi.volname"), reservation())),
    "S13": Expected(
        (
            Reservation("req-a", MADE, f"csi-vol-group-{MADE}", LONG_AGO),
            raises(AlreadyReserved, "'req-a'", MADE, "undo it first"),
            Reservation("req-a", MADE, f"csi-vol-group-{MADE}", LONG_AGO),
        ),
        {
            DIRECTORY: {"csi.volume.group.req-a": MADE},
            f"csi.volume.group.{MADE}": {
                "csi.volname": "req-a",
                "csi.groupname": f"csi-vol-group-{MADE}",
                "csi.creationtime": str(LONG_AGO),
            },
        },
        LONG_AGO,
    ),
    "S14": Expected((raises(UndoRefused, "'req-a'", "0001-0007-cluster", UUID), reservation())),
    "S15": Expected((None, reservation(NEWER_UUID)), {GROUP: None}),
    "S16": Expected(
        (
            raises(InvalidGroupName, "'short'"),
            raises(InvalidGroupName, "0f8fad5b-d9cb-469f-a165-70867728950X"),
            raises(UndoRefused, "'req-a'", UUID),
        )
    ),
    "S17": Expected((None,)),
    "S18": Expected(
        (
            None,
            reservation(members={"vol-1": "snap-1", "vol-2": ""}),
            None,
            reservation(members={"vol-2": ""}),
        ),
        {GROUP: {**ATTRIBUTES, "vol-2": ""}},
    ),
    "S19": Expected((raises(InvalidRequestName, "empty"),) * 2),
    "S20": Expected((raises(GroupNotFound, UUID),)),
    "S21": Expected((None, None)),
}


def perform(journal: VolumeGroupJournal, op: str, *args: str) -> object:
    operations: dict[str, Callable[..., object]] = {
        "reserve": journal.reserve_name,
        "check": journal.check_reservation,
        "undo": journal.undo_reservation,
        "add": lambda group_uuid, members: journal.add_volumes_mapping(
            group_uuid, json.loads(members)
        ),
        "remove": lambda group_uuid, members: journal.remove_volumes_mapping(
            group_uuid, json.loads(members)
        ),
        "attrs": journal.get_volume_group_attributes,
    }
    return operations[op](*args)


def require(answer: object, journal: VolumeGroupJournal, *op: str) -> None:
    """The operation must answer, or fail, as `answer` has it."""
    if not isinstance(answer, Raises):
        assert perform(journal, *op) == answer
        return
    with pytest.raises(answer.kind) as caught:
        perform(journal, *op)
    assert type(caught.value) is answer.kind
    assert caught.value.operation
    for word in answer.words:
        assert word in str(caught.value)


def changed(before: Omaps, changes: dict[str, dict[str, str] | None]) -> Omaps:
    return {name: omap for name, omap in (before | changes).items() if omap is not None}


def test_there_is_an_answer_to_each_state_that_was_tried_on_ceph_csi() -> None:
    assert EXPECTED.keys() == STATES.keys()
    for case, expected in EXPECTED.items():
        assert len(expected.answers) == len(STATES[case]["steps"])


@pytest.mark.parametrize("case", STATES, ids=[state["case"] for state in STATES.values()])
def test_a_state_gets_csijournals_answers_and_ends_as_they_say(place: Place, case: str) -> None:
    state, expected = STATES[case], EXPECTED[case]
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, state["before"])
    journal = bare_journal(store, clock=lambda: expected.now)
    for step, answer in zip_strict(state["steps"], expected.answers):
        require(answer, journal, *step["op"])
    assert dump(store) == changed(state["before"], expected.after)


@pytest.mark.parametrize("case", STATES, ids=[state["case"] for state in STATES.values()])
def test_asking_again_gives_the_last_answer_again_and_changes_nothing(
    place: Place, case: str
) -> None:
    state, expected = STATES[case], EXPECTED[case]
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, state["before"])
    journal = bare_journal(store, clock=lambda: expected.now)
    for step, answer in zip_strict(state["steps"], expected.answers):
        require(answer, journal, *step["op"])
    require(expected.answers[-1], journal, *state["steps"][-1]["op"])
    assert dump(store) == changed(state["before"], expected.after)


# S2 by age: a Ceph-CSI peer may be in the middle of making it


@pytest.mark.parametrize("age", [0, 1, GRACE - 1])
@pytest.mark.parametrize("op", ["check_reservation", "reserve_name", "ensure_reservation"])
def test_a_young_group_without_a_name_is_left_to_whoever_is_making_it(
    place: Place, op: str, age: int
) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, STATES["S2"]["before"])
    journal = bare_journal(store, clock=lambda: seconds_later(age))
    with pytest.raises(ReservationPending, match="no request name yet") as caught:
        getattr(journal, op)("req-a")
    assert GROUP in str(caught.value)
    assert "try again" in caught.value.hint
    assert dump(store) == STATES["S2"]["before"]


@pytest.mark.parametrize("age", [GRACE, GRACE + 1])
def test_a_group_without_a_name_is_removed_when_the_grace_time_is_over(
    place: Place, age: int
) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, STATES["S2"]["before"])
    journal = bare_journal(store, clock=lambda: seconds_later(age))
    assert journal.check_reservation("req-a") is None
    assert dump(store) == {DIRECTORY: {}}


def test_a_creation_time_newer_than_the_object_makes_a_group_young(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    before = {
        DIRECTORY: {"csi.volume.group.req-a": UUID},
        GROUP: {"csi.creationtime": str(seconds_later(GRACE))},
    }
    fill(store, before)
    young = bare_journal(store, clock=lambda: seconds_later(2 * GRACE - 1))
    with pytest.raises(ReservationPending):
        young.check_reservation("req-a")
    assert dump(store) == before
    assert (
        bare_journal(store, clock=lambda: seconds_later(2 * GRACE)).check_reservation("req-a")
        is None
    )
    assert dump(store) == {DIRECTORY: {}}


def test_an_old_group_without_a_name_makes_way_for_a_new_reservation(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, STATES["S2"]["before"])
    journal = bare_journal(store, clock=lambda: seconds_later(GRACE))
    made = journal.ensure_reservation("req-a")
    assert made.created
    assert journal.check_reservation("req-a") == made.reservation
    assert dump(store).keys() == {DIRECTORY, f"csi.volume.group.{made.reservation.group_uuid}"}


# States that Ceph-CSI was not asked about


@pytest.mark.parametrize("op", ["reserve_name", "ensure_reservation"])
def test_an_entry_without_its_group_makes_way_for_a_new_reservation(place: Place, op: str) -> None:
    store = place.open()
    fill(store, STATES["S4"]["before"])
    journal = bare_journal(store)
    getattr(journal, op)("req-a")
    found = journal.check_reservation("req-a")
    assert found is not None
    assert found.group_uuid != UUID
    assert dump(store).keys() == {DIRECTORY, f"csi.volume.group.{found.group_uuid}"}


@pytest.mark.parametrize("case", ["S5", "S6"])
@pytest.mark.parametrize("op", ["reserve_name", "ensure_reservation"])
def test_a_name_whose_entry_is_damaged_is_not_reserved_and_nothing_is_left_of_the_attempt(
    place: Place, case: str, op: str
) -> None:
    store = place.open()
    fill(store, STATES[case]["before"])
    answer = EXPECTED[case].answers[0]
    assert isinstance(answer, Raises)
    with pytest.raises(answer.kind) as caught:
        getattr(bare_journal(store), op)("req-a")
    assert caught.value.operation == op
    assert dump(store) == STATES[case]["before"]


@pytest.mark.parametrize(
    "op", ["check_reservation", "reserve_name", "ensure_reservation", "get_volume_group_attributes"]
)
def test_a_group_with_members_and_no_name_is_never_removed(place: Place, op: str) -> None:
    before = {DIRECTORY: {"csi.volume.group.req-a": UUID}, GROUP: {"vol-1": "snap-1"}}
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, before)
    journal = bare_journal(store, clock=lambda: seconds_later(10 * GRACE))
    with pytest.raises(UnpopulatedGroup, match="1 member and no request name"):
        getattr(journal, op)(UUID if op == "get_volume_group_attributes" else "req-a")
    assert dump(store) == before


def test_undo_of_a_group_with_members_and_no_name_is_refused(place: Place) -> None:
    before = {DIRECTORY: {"csi.volume.group.req-a": UUID}, GROUP: {"vol-1": "snap-1"}}
    store = place.open()
    fill(store, before)
    with pytest.raises(UnpopulatedGroup):
        bare_journal(store).undo_reservation(f"csi-vol-group-{UUID}", "req-a")
    assert dump(store) == before


def test_undo_finishes_what_an_undo_left(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S4"]["before"])
    bare_journal(store).undo_reservation(f"csi-vol-group-{UUID}", "req-a")
    assert dump(store) == {DIRECTORY: {}}


def test_undo_of_a_group_that_never_got_its_name_removes_it_whatever_its_age(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S2"]["before"])
    bare_journal(store).undo_reservation(f"csi-vol-group-{UUID}", "req-a")
    assert dump(store) == {DIRECTORY: {}}


def test_undo_of_an_empty_group_that_is_not_this_names_is_refused(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S1"]["before"])
    with pytest.raises(UnpopulatedGroup, match=UUID):
        bare_journal(store).undo_reservation(f"csi-vol-group-{UUID}", "req-a")
    assert dump(store) == STATES["S1"]["before"]


@pytest.mark.parametrize("case", ["S2", "S4"])
def test_undo_without_a_group_name_removes_an_entry_that_nothing_stands_behind(
    place: Place, case: str
) -> None:
    store = place.open()
    fill(store, STATES[case]["before"])
    bare_journal(store).undo_reservation("", "req-a")
    assert dump(store) == {DIRECTORY: {}}


def test_undo_without_a_group_name_of_an_entry_that_holds_no_uuid_is_refused(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S6"]["before"])
    with pytest.raises(CorruptEntry, match="'garbage'"):
        bare_journal(store).undo_reservation("", "req-a")
    assert dump(store) == STATES["S6"]["before"]


@pytest.mark.parametrize("value", ["", UUID.upper(), UUID + "\n", " " + UUID[1:]], ids=ascii)
def test_an_entry_that_holds_almost_a_uuid_or_nothing_is_corrupt(place: Place, value: str) -> None:
    before = {DIRECTORY: {"csi.volume.group.req-a": value}}
    store = place.open()
    fill(store, before)
    with pytest.raises(CorruptEntry):
        bare_journal(store).check_reservation("req-a")
    assert dump(store) == before


def test_members_cannot_be_added_to_a_group_without_a_name(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S1"]["before"])
    with pytest.raises(UnpopulatedGroup):
        bare_journal(store).add_volumes_mapping(UUID, {"vol-1": ""})
    assert dump(store) == STATES["S1"]["before"]


def test_a_group_of_v3_11_has_no_creation_time_and_is_returned(place: Place) -> None:
    store = place.open()
    omaps = {
        DIRECTORY: {"csi.volume.group.req-a": UUID},
        GROUP: {key: ATTRIBUTES[key] for key in ("csi.volname", "csi.groupname")},
    }
    fill(store, omaps)
    assert bare_journal(store).check_reservation("req-a") == reservation(created=None)


@pytest.mark.parametrize(("prefix", "expected"), [("", "csi-vol-group-"), ("пре-", "пре-")])
def test_a_lost_group_name_is_made_up_from_the_prefix_and_the_uuid(
    place: Place, prefix: str, expected: str
) -> None:
    store = place.open()
    fill(store, STATES["S9"]["before"])
    found = bare_journal(store).check_reservation("req-a", prefix)
    assert found is not None
    assert found.group_name == expected + UUID


def test_a_member_value_that_is_no_text_is_read_without_loss(place: Place) -> None:
    store = place.open()
    fill(store, STATES["S3"]["before"])
    store.write(Write(GROUP, puts={"vol-1": b"a\xff"}))
    found = bare_journal(store).get_volume_group_attributes(UUID)
    assert found.volume_map["vol-1"].encode(errors="surrogateescape") == b"a\xff"


# What docs/compatibility.md says

DOCUMENT = Path(__file__).parents[1] / "docs" / "compatibility.md"
ROW = re.compile(r"^\| G(\d\d) \| [^|]* \| [^|]* \| ([^|]*) \| [^|]* ?\|$", re.MULTILINE)


def test_the_document_has_each_state_and_names_the_errors_that_it_is_answered_with() -> None:
    rows: dict[str, str] = {}
    for number, answer in ROW.findall(DOCUMENT.read_text("utf-8")):
        case = f"S{int(number)}"
        rows[case] = rows.get(case, "") + answer
    assert list(rows) == list(STATES)
    for case, expected in EXPECTED.items():
        told = {answer.kind.__name__ for answer in expected.answers if isinstance(answer, Raises)}
        assert told <= set(re.findall(r"`(\w+)`", rows[case])), case
