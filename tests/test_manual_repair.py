"""Attach and drop: what only a person may decide, held to the state that the plan saw."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest

from csijournal import Reservation, Store, Timestamp, VolumeGroupJournal
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.errors import (
    Conflict,
    CSIJournalError,
    GroupNotFound,
    InvalidRequestName,
    InvalidUUID,
    ReservationNotFound,
)
from csijournal.journal.steps import Records
from csijournal.repair.apply import Repairer, carry_out
from csijournal.repair.manual import plan_attach, plan_drop_entry, plan_drop_group
from csijournal.repair.plan import Plan
from csijournal.store import Write
from csijournal.wire.schema import GROUPS
from support.damage import DAMAGES, MEMBERS, NOW, DamagedPool
from support.places import LONG_AGO_NS, MemoryPlace, Place, fill
from support.repairing import back_up, repair_all, restore
from support.verified import contents, look

DIRECTORY = "csi.groups.default"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
OTHER_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
GROUP = GROUPS.record_object(UUID)
LATER = Timestamp.parse("2027-01-01T00:00:00Z")
"""After the states of states.json were taken."""

STATES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "states.json").read_text(encoding="utf-8")
)


def plan_for(store: Store, instance_id: str, words: tuple[str, ...]) -> Plan | None:
    """The plan of a command that a finding offers."""
    records = Records(store, GROUPS, instance_id or "default", validate=False)
    command, *arguments = words
    if command == "attach":
        return plan_attach(records, *arguments)
    assert command == "drop"
    option, dropped = arguments
    if option == "--entry":
        return plan_drop_entry(records, dropped)
    assert option == "--group"
    return plan_drop_group(records, repairer(store), dropped)


def repairer(store: Store) -> Repairer:
    return Repairer(store, clock=lambda: NOW)


def do(store: Store, plan: Plan | None) -> None:
    assert plan is not None
    outcome = carry_out(store, plan)
    assert outcome.skipped == ""


def attached(store: Store, group_uuid: str, name: str = "", instance_id: str = "default") -> None:
    do(store, plan_attach(Records(store, GROUPS, instance_id), group_uuid, name))


def findings_of(store: Store) -> list[Finding]:
    return look(store, clock=lambda: NOW)[0]


# Every command that verify offers works


OFFERING = [
    damage
    for damage in DAMAGES
    if damage
    in {
        "nameless_group",
        "detached_group",
        "entry_of_a_group_whose_name_has_no_entry",
        "entry_of_a_group_whose_name_dangles",
        "entry_of_a_group_whose_name_is_no_text",
        "entry_of_another_instances_group",
        "two_instances_of_one_group",
        "corrupt_entries",
        "wrong_group_name",
        "missing_group_name",
        "unreadable_attributes",
        "invalid_request_names",
        "invalid_request_name_that_dangles",
    }
]


@pytest.mark.parametrize("choice", [0, -1], ids=["first", "last"])
@pytest.mark.parametrize("damage", OFFERING)
def test_a_command_that_verify_offers_is_a_cure(damage: str, choice: int) -> None:
    damaged = DamagedPool()
    damaged.add(damage)
    store = damaged.build(MemoryPlace())
    repair_all(store, clock=lambda: NOW)
    offered = [finding for finding in findings_of(store) if finding.commands]
    for finding in offered:
        try:
            plan = plan_for(store, finding.instance_id, finding.commands[choice])
        except Conflict:
            # The group is somebody's: only dropping the entry is left.
            assert damage == "entry_of_another_instances_group"
            plan = plan_for(store, finding.instance_id, finding.commands[-1])
        if plan is not None:
            do(store, plan)
    # What lost its entry is old to this clock and so goes, or is shown as detached.
    repair_all(store, clock=lambda: NOW)
    left = findings_of(store)
    assert {(f.kind, f.object_name, f.key) for f in left}.isdisjoint(
        (f.kind, f.object_name, f.key) for f in offered
    )
    assert {finding.kind for finding in left} <= {
        FindingKind.UNREADABLE_TIME,
        FindingKind.DETACHED_GROUP,
        FindingKind.MEMBERS_ELSEWHERE,
    }


EXPECTED: dict[str, tuple[FindingKind, ...]] = {
    "S1": (FindingKind.EMPTY_OBJECT,),
    "S2": (FindingKind.UNPOPULATED_GROUP,),
    "S3": (),
    "S4": (FindingKind.DANGLING_ENTRY,),
    "S5": (FindingKind.NAME_MISMATCH,),
    "S6": (FindingKind.CORRUPT_ENTRY,),
    "S9": (FindingKind.MISSING_ATTRIBUTE,),
    "S10": (FindingKind.UNREADABLE_TIME,),
    "S11": (),
    "S12": (),
    "S13": (),
    "S14": (),
    "S15": (FindingKind.ORPHAN_GROUP,),
    "S16": (),
    "S17": (),
    "S18": (),
    "S19": (),
    "S20": (),
    "S21": (),
}
"""What verify says of the state before Ceph-CSI's answer."""

EXPECTED_AFTER: dict[str, tuple[FindingKind, ...]] = EXPECTED | {
    "S11": (FindingKind.MEMBERS_ELSEWHERE,),
    "S12": (FindingKind.NAME_MISMATCH,),
    "S13": (FindingKind.ORPHAN_GROUP,),
    "S14": (FindingKind.DANGLING_ENTRY,),
    "S15": (FindingKind.ORPHAN_GROUP,),
    "S16": (FindingKind.ORPHAN_GROUP,),
    "S19": (FindingKind.INVALID_REQUEST_NAME,),
}
"""What it says of the damage that Ceph-CSI leaves."""


def do_what_is_printed(store: Store) -> None:
    """Carry out the first command of each finding that has one."""
    for finding in look(store, clock=lambda: LATER)[0]:
        if finding.commands and finding.kind is not FindingKind.UNFINISHED_GROUP:
            do(store, plan_for(store, finding.instance_id, finding.commands[0]))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", STATES, ids=[state["case"] for state in STATES])
def test_each_state_that_ceph_csi_can_be_in_is_named_and_has_a_cure_that_works(
    place: Place, state: dict[str, Any], moment: str
) -> None:
    expected = EXPECTED if moment == "before" else EXPECTED_AFTER
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, state[moment])
    found = look(store, clock=lambda: LATER)[0]
    kinds = (f.kind for f in found if f.kind is not FindingKind.UNFINISHED_GROUP)
    assert tuple(kinds) == expected[state["case"].split()[0]]

    # Twice: what loses its entry to a printed command may need another one, since
    # repair alone does not remove an unreferenced group where an RBD group may be behind it.
    for _ in range(2):
        repair_all(store, clock=lambda: LATER)
        do_what_is_printed(store)
    repair_all(store, clock=lambda: LATER)
    left = look(store, clock=lambda: LATER)[0]
    assert [f for f in left if f.kind.severity is Severity.ERROR] == []
    journal = VolumeGroupJournal(store, lease_size=0)
    found_again = journal.check_reservation("req-a")
    if found_again is None:
        journal.reserve_name("req-a")
    assert journal.check_reservation("req-a") is not None


def test_the_damage_of_s15_is_the_other_way_round_before_and_after() -> None:
    """Before, the older group is the leak; Ceph-CSI's undo turns the newer one into one."""
    (state,) = (state for state in STATES if state["case"].startswith("S15"))
    uuids = []
    for moment in ("before", "after"):
        store = MemoryPlace().open(lambda: LONG_AGO_NS)
        fill(store, state[moment])
        found = look(store, clock=lambda: LATER)[0]
        uuids += [f.group_uuid for f in found if f.kind is FindingKind.ORPHAN_GROUP]
    assert uuids == [UUID, OTHER_UUID]


# Attach


ATTRIBUTES = {"csi.volname": "a", "csi.groupname": f"csi-vol-group-{UUID}"}


@pytest.mark.parametrize(
    "omaps",
    [
        {GROUP: ATTRIBUTES},
        {DIRECTORY: {}, GROUP: ATTRIBUTES},
        {DIRECTORY: {"csi.volume.group.a": UUID}, GROUP: {"csi.volname": "a"}},
        {DIRECTORY: {"csi.volume.group.a": UUID}, GROUP: {}},
        {GROUP: {}},
        {GROUP: {"csi.volname": "b"}},
        {DIRECTORY: {"csi.volume.group.b": OTHER_UUID}, GROUP: {"csi.volname": "b"}},
        {DIRECTORY: {"csi.volume.group.a": UUID}, GROUP: ATTRIBUTES | {"csi.groupname": "x"}},
    ],
)
def test_a_group_is_made_a_request_names(place: Place, omaps: dict[str, dict[str, str]]) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    fill(store, omaps | {GROUP: omaps[GROUP] | {"vol-1": "x"}})
    attached(store, UUID, "a")
    assert VolumeGroupJournal(store).check_reservation("a") == Reservation(
        "a", UUID, f"csi-vol-group-{UUID}", None, {"vol-1": "x"}
    )
    assert plan_attach(Records(store, GROUPS, "default"), UUID, "a") is None


def test_a_group_goes_by_the_name_that_it_says_itself(place: Place) -> None:
    store = place.open()
    fill(store, {GROUP: {**ATTRIBUTES, "csi.groupname": f"my-{UUID}", "vol-1": ""}})
    attached(store, UUID)
    found = VolumeGroupJournal(store).check_reservation("a")
    assert found is not None
    assert found.group_name == f"my-{UUID}"


def test_a_group_is_attached_in_the_instance_that_was_asked_for() -> None:
    store = MemoryPlace().open()
    fill(store, {GROUP: ATTRIBUTES})
    attached(store, UUID, instance_id="b")
    assert VolumeGroupJournal(store, instance_id="b").check_reservation("a") is not None
    assert VolumeGroupJournal(store).check_reservation("a") is None


HOLDING = {DIRECTORY: {"csi.volume.group.a": UUID}, GROUP: ATTRIBUTES}
BY_B = {"csi.groups.b": {"csi.volume.group.a": UUID}, GROUP: ATTRIBUTES}


@pytest.mark.parametrize(
    ("omaps", "name", "error", "words"),
    [
        ({}, "a", GroupNotFound, [UUID]),
        ({GROUP: {}}, "", InvalidRequestName, ["does not say whose"]),
        ({GROUP: {"csi.volname": ""}}, "", InvalidRequestName, ["does not say whose"]),
        ({GROUP: {}}, "\x01", InvalidRequestName, ["U+0001"]),
        ({GROUP: {"csi.volname": "\x01"}}, "", InvalidRequestName, ["U+0001"]),
        (HOLDING, "b", Conflict, ["'a'", "drop --entry 'a'"]),
        (BY_B, "a", Conflict, ["'a'", "instance 'b'", "drop --entry 'a' --instance 'b'"]),
        (BY_B, "new", Conflict, ["'a'", "instance 'b'"]),
        (
            {DIRECTORY: {"csi.volume.group.a": OTHER_UUID}, GROUP: {}},
            "a",
            Conflict,
            [OTHER_UUID, "drop --entry 'a'"],
        ),
        ({DIRECTORY: {"csi.volume.group.a": "x"}, GROUP: {}}, "a", Conflict, ["'x'"]),
        ({DIRECTORY: {"csi.volume.group.a": ""}, GROUP: {}}, "a", Conflict, ["holds ''"]),
    ],
)
def test_what_cannot_be_attached_is_refused_and_says_why(
    place: Place,
    omaps: dict[str, dict[str, str]],
    name: str,
    error: type[CSIJournalError],
    words: list[str],
) -> None:
    store = place.open()
    fill(store, omaps)
    before = contents(store)
    with pytest.raises(error) as caught:
        plan_attach(Records(store, GROUPS, "default"), UUID, name)
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
    assert contents(store) == before


# Drop


@pytest.mark.parametrize("value", [b"", b"x", b"\xff", UUID.encode(), OTHER_UUID.encode()])
@pytest.mark.parametrize("name", ["a", "", "\x01", "x" * 200])
def test_an_entry_is_dropped_whatever_it_holds_and_whatever_its_name(
    place: Place, name: str, value: bytes
) -> None:
    store = place.open()
    fill(store, {GROUP: ATTRIBUTES})
    store.write(Write(DIRECTORY, puts={GROUPS.entry_key(name): value, "other": b"x"}))
    do(store, plan_drop_entry(Records(store, GROUPS, "default"), name))
    assert contents(store)[DIRECTORY] == {"other": b"x"}
    assert contents(store)[GROUP] == {k: v.encode() for k, v in ATTRIBUTES.items()}


def test_dropping_the_entry_of_a_good_reservation_says_what_stays() -> None:
    store = MemoryPlace().open()
    fill(store, HOLDING)
    (step,) = plan_drop_entry(Records(store, GROUPS, "default"), "a").steps
    assert "its group stays" in step.sentence


@pytest.mark.parametrize("name", ["b", "A", "", "a\x00b", "\udcff"])
def test_an_entry_that_is_not_there_cannot_be_dropped(place: Place, name: str) -> None:
    store = place.open()
    fill(store, HOLDING)
    with pytest.raises(ReservationNotFound):
        plan_drop_entry(Records(store, GROUPS, "default"), name)


@pytest.mark.parametrize(
    "omaps",
    [
        {GROUP: {}},
        {GROUP: ATTRIBUTES},
        {GROUP: ATTRIBUTES | {"vol-1": ""}},
        {GROUP: {"vol-1": ""}},
        {DIRECTORY: {"csi.volume.group.b": OTHER_UUID}, GROUP: ATTRIBUTES},
    ],
)
def test_a_group_whose_name_points_elsewhere_is_dropped(
    place: Place, omaps: dict[str, dict[str, str]]
) -> None:
    store = place.open()
    fill(store, omaps)
    do(store, plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID))
    assert contents(store).keys() == omaps.keys() - {GROUP}


@pytest.mark.parametrize(("instance_id", "option"), [("default", ""), ("b", " --instance b")])
def test_a_group_that_the_entry_of_another_name_points_at_is_not_dropped(
    place: Place, instance_id: str, option: str
) -> None:
    """That entry would point at nothing afterwards."""
    store = place.open()
    fill(store, {f"csi.groups.{instance_id}": {"csi.volume.group.b": UUID}, GROUP: ATTRIBUTES})
    with pytest.raises(Conflict, match="the entry 'b'") as caught:
        plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID)
    assert caught.value.hint == f"Drop that entry first: csijournal drop --entry b{option}"


def test_an_entry_that_points_at_a_group_since_it_was_planned_to_be_dropped_keeps_it() -> None:
    store = MemoryPlace().open()
    fill(store, {GROUP: ATTRIBUTES})
    plan = plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID)
    fill(store, {DIRECTORY: {"csi.volume.group.b": UUID}})
    assert carry_out(store, plan).skipped
    assert GROUP in contents(store)


@pytest.mark.parametrize("omaps", [HOLDING, BY_B])
def test_a_group_that_a_reservation_points_at_is_not_dropped(
    place: Place, omaps: dict[str, dict[str, str]]
) -> None:
    store = place.open()
    fill(store, omaps)
    with pytest.raises(Conflict, match=r"'a' points at this group.*Use undo"):
        plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID)


def test_a_group_that_is_not_there_cannot_be_dropped(place: Place) -> None:
    store = place.open()
    with pytest.raises(GroupNotFound, match=UUID):
        plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID)


@pytest.mark.parametrize("group_uuid", ["", "x", UUID.upper()])
def test_what_is_no_uuid_is_refused(group_uuid: str) -> None:
    store = MemoryPlace().open()
    with pytest.raises(InvalidUUID):
        plan_attach(Records(store, GROUPS, "default"), group_uuid, "a")
    with pytest.raises(InvalidUUID):
        plan_drop_group(Records(store, GROUPS, "default"), repairer(store), group_uuid)


# Somebody changes something between the plan and its steps


Planner = Callable[[Store], Optional[Plan]]
PLANS: dict[str, tuple[dict[str, dict[str, str]], Planner]] = {
    "attach": (
        {DIRECTORY: {}, GROUP: {"vol-1": ""}},
        lambda store: plan_attach(Records(store, GROUPS, "default"), UUID, "a"),
    ),
    "attach a populated group": (
        {DIRECTORY: {}, GROUP: ATTRIBUTES},
        lambda store: plan_attach(Records(store, GROUPS, "default"), UUID),
    ),
    "drop an entry": (
        HOLDING,
        lambda store: plan_drop_entry(Records(store, GROUPS, "default"), "a"),
    ),
    "drop an entry that holds nothing": (
        {DIRECTORY: {"csi.volume.group.a": ""}},
        lambda store: plan_drop_entry(Records(store, GROUPS, "default"), "a"),
    ),
    "drop a group": (
        {DIRECTORY: {}, GROUP: ATTRIBUTES},
        lambda store: plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID),
    ),
}


@pytest.mark.parametrize("case", PLANS)
def test_what_changed_since_the_plan_is_left_as_it_is(place: Place, case: str) -> None:
    omaps, planner = PLANS[case]
    store = place.open()
    fill(store, omaps)
    plan = planner(store)
    assert plan is not None
    change = (
        Write(GROUP, puts={"vol-9": b""})
        if plan.steps[0].write.object_name == GROUP
        else Write(DIRECTORY, puts={"csi.volume.group.a": OTHER_UUID.encode()})
    )
    store.write(change)
    before = contents(store)
    outcome = carry_out(store, plan)
    assert (outcome.steps_done, contents(store)) == (0, before)
    assert "changed" in outcome.skipped


def test_a_group_that_was_reserved_since_the_plan_is_not_dropped() -> None:
    store = MemoryPlace().open()
    fill(store, {GROUP: ATTRIBUTES | {"vol-1": ""}, DIRECTORY: {}})
    plan = plan_drop_group(Records(store, GROUPS, "default"), repairer(store), UUID)
    attached(store, UUID)
    before = contents(store)
    assert carry_out(store, plan).skipped
    assert contents(store) == before


@pytest.mark.parametrize("case", PLANS)
def test_surgery_is_undone_with_its_backup(place: Place, case: str, tmp_path: Path) -> None:
    omaps, planner = PLANS[case]
    store = place.open()
    fill(store, omaps)
    store.write(Write(GROUP, puts={k: v for k, v in MEMBERS.items() if GROUP in omaps}))
    before = contents(store)
    plan = planner(store)
    assert plan is not None
    archive = back_up(store, [plan], tmp_path / "backup")
    do(store, plan)
    assert contents(store) != before
    restore(store, archive)
    assert contents(store) == before
