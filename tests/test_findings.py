"""Every kind of finding explains itself and survives its way through JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal.check.catalog import Alone
from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.errors import InvalidInput
from support.damage import NOW, DamagedPool, every_damage
from support.places import MemoryPlace
from support.verified import look
from support.wrapping import WrappingStore

WARNINGS = {
    "nfs-attribute-elsewhere",
    "member-in-unknown-pool",
    "record-names-missing-group",
    "in-two-groups",
    "twice-reserved",
    "wrong-namespace",
    "unclaimed",
    "claimed-twice",
    "handle-elsewhere",
    "members-elsewhere",
    "sharded-directory",
    "unfinished-group",
    "invalid-request-name",
    "missing-attribute",
    "unreadable-time",
    "unknown-key",
    "large-directory",
    "image-id-differs",
    "temp-image-left",
    "snapshot-left",
    "trash-stuck",
    "rbd-group-missing",
    "rbd-group-differs",
}


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_says_what_it_means_and_what_to_do(kind: FindingKind) -> None:
    for text in (kind.meaning, kind.remedy):
        assert text[0].isupper() or text.startswith(("repair", "recover", "attach", "csijournal"))
        assert text.endswith(".")
        assert "  " not in text
    assert kind.meaning != kind.remedy


@pytest.mark.parametrize("kind", FindingKind)
def test_what_works_all_the_same_is_a_warning(kind: FindingKind) -> None:
    assert (kind.severity is Severity.WARNING) == (kind.value in WARNINGS)


BY_HAND_OF_OTHER_TOOLS = {FindingKind.GROUP_WITHOUT_UUID, FindingKind.UNREADABLE_KEY}
"""What no command of csijournal changes."""

texts = st.text() | st.sampled_from(["\udcff", "\x00", "é\n", '"'])


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    kind = draw(st.sampled_from(FindingKind))
    return Finding(
        kind,
        draw(texts),
        draw(texts),
        draw(texts),
        request_name=draw(st.none() | texts),
        uuid=draw(texts),
        found=draw(texts),
        automatic=kind.alone is not Alone.NEVER and draw(st.booleans()),
        commands=tuple(draw(st.lists(st.lists(texts, max_size=3).map(tuple), max_size=3))),
        left_because=draw(texts),
        journal=draw(st.sampled_from(["groups", "volumes", "snapshots"])),
        thing=draw(texts),
        size_bytes=draw(st.none() | st.integers(min_value=0)),
        lowered_to=draw(st.none() | st.sampled_from([Severity.WARNING, Severity.NOTE])),
    )


@given(findings())
def test_a_finding_comes_back_from_json_as_it_was(finding: Finding) -> None:
    fields = finding.to_json()
    assert fields["severity"] == finding.severity
    assert fields["uuid"] == finding.uuid
    assert fields["group_uuid"] == (finding.uuid if finding.journal == "groups" else "")
    assert fields["meaning"] == finding.kind.meaning
    line = json.dumps(fields)
    assert "\n" not in line
    assert Finding.from_json(line + "\n") == finding


def test_every_finding_of_a_damaged_pool_comes_back_from_json_as_it_was() -> None:
    for finding in look(every_damage().build(MemoryPlace()), clock=lambda: NOW)[0]:
        assert Finding.from_json(json.dumps(finding.to_json())) == finding


def test_findings_for_people_come_with_commands_and_others_need_none() -> None:
    for finding in look(every_damage().build(MemoryPlace()), clock=lambda: NOW)[0]:
        error = finding.kind.severity is Severity.ERROR
        by_hand = finding.kind in BY_HAND_OF_OTHER_TOOLS
        assert bool(finding.commands) or finding.automatic or not error or by_hand
        for command in finding.commands:
            assert command[0] in {"attach", "drop", "recover", "undo"}


NEW_FIELDS = {"uuid", "journal", "left_because", "thing", "size_bytes", "lowered_to"}
WHOLE = Finding(FindingKind.DANGLING_ENTRY, "x", request_name="a").to_json()


WITHOUT = [{k: v for k, v in WHOLE.items() if k != gone} for gone in ("kind", "object")]
CHANGES: list[dict[str, object]] = [
    {"kind": "unheard-of"},
    {"kind": 7},
    {"object": 7},
    {"instance": None},
    {"key": []},
    {"request_name": 7},
    {"group_uuid": None},
    {"found": {}},
    {"commands": 7},
    {"commands": [7]},
    {"commands": [[7]]},
]
OFF = [*WITHOUT, *(WHOLE | change for change in CHANGES)]


@pytest.mark.parametrize(
    "fields",
    ["", "x", "null", "[]", "[" * 100_000, "{}", *map(json.dumps, OFF)],
    ids=lambda text: text[:60],
)
def test_what_is_no_finding_is_refused_with_what_to_give(fields: str) -> None:
    with pytest.raises(InvalidInput, match="this is not a finding") as caught:
        Finding.from_json(fields)
    assert "csijournal verify -o json" in caught.value.hint


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_says_when_repair_may_act_alone_and_why(kind: FindingKind) -> None:
    assert kind.alone_reason.endswith(".")


class WithImages(WrappingStore):
    """A store behind whose records there may be images."""

    @property
    def stands_alone(self) -> bool:
        return False


def test_where_images_may_be_behind_groups_without_an_entry_are_left_with_the_commands() -> None:
    pool = DamagedPool()
    for damage in ("orphan_group", "empty_object", "members_elsewhere"):
        pool.add(damage)
    store = WithImages(pool.build(MemoryPlace()))
    found = look(store, inventory=None, clock=lambda: NOW)[0]
    assert len(found) == 3
    for finding in found:
        assert not finding.automatic
        assert finding.commands == (("drop", "--group", finding.uuid),)
    reasons = [f.left_because for f in found if f.kind is not FindingKind.MEMBERS_ELSEWHERE]
    assert all("is not a pool of a Ceph cluster" in reason for reason in reasons)


def test_members_without_a_name_are_never_repaired_alone_in_any_store() -> None:
    """They can be the only list of the members of a group that another pool has reserved."""
    pool = DamagedPool()
    pool.add("members_elsewhere")
    (finding,) = look(pool.build(MemoryPlace()), clock=lambda: NOW)[0]
    assert (finding.kind, finding.automatic) == (FindingKind.MEMBERS_ELSEWHERE, False)


def test_a_finding_of_an_earlier_version_is_read_and_gets_no_more_rights_by_that() -> None:
    old = {name: value for name, value in WHOLE.items() if name not in NEW_FIELDS}
    assert Finding.from_json(json.dumps(old | {"group_uuid": "u"})).uuid == "u"
    revived = old | {"kind": "revived-group", "automatic": True}
    finding = Finding.from_json(json.dumps(revived))
    assert (finding.kind, finding.automatic) == (FindingKind.MEMBERS_ELSEWHERE, False)
    assert finding.journal == "groups"


def test_what_a_group_snapshot_leaves_each_time_is_a_note() -> None:
    uid = "ca51faa2-a3e0-4f2c-b2ea-e8930cfd7407"
    pool = DamagedPool()
    for name in (f"groupsnapshot-{uid}-vg", "web-vg", f"groupsnapshot-{uid}"):
        pool.entry(name, pool.uuid())
    found, summary = look(pool.build(MemoryPlace()), clock=lambda: NOW)
    notes = [f.request_name for f in found if f.severity is Severity.NOTE]
    assert notes == [f"groupsnapshot-{uid}-vg"]
    assert summary.severities == {Severity.ERROR: 2, Severity.NOTE: 1}
    assert summary.kinds_of(Severity.ERROR) == [(FindingKind.DANGLING_ENTRY, 2)]


@pytest.mark.parametrize("automatic", [None, 1, "true", [True]])
def test_only_a_plain_yes_lets_repair_act_by_itself(automatic: object) -> None:
    assert not Finding.from_json(json.dumps(WHOLE | {"automatic": automatic})).automatic
