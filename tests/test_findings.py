"""Every kind of finding explains itself and survives its way through JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal.check.findings import Finding, FindingKind, Severity
from csijournal.errors import InvalidInput
from support.damage import NOW, every_damage
from support.places import MemoryPlace
from support.verified import look

WARNINGS = {
    "invalid-request-name",
    "missing-attribute",
    "unreadable-time",
    "unknown-key",
    "large-directory",
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


texts = st.text() | st.sampled_from(["\udcff", "\x00", "é\n", '"'])
findings = st.builds(
    Finding,
    st.sampled_from(FindingKind),
    texts,
    texts,
    texts,
    st.none() | texts,
    texts,
    texts,
    st.booleans(),
    st.lists(st.lists(texts, max_size=3).map(tuple), max_size=3).map(tuple),
)


@given(findings)
def test_a_finding_comes_back_from_json_as_it_was(finding: Finding) -> None:
    fields = finding.to_json()
    assert fields["severity"] == finding.kind.severity
    assert fields["meaning"] == finding.kind.meaning
    line = json.dumps(fields)
    assert "\n" not in line
    assert Finding.from_json(line + "\n") == finding


def test_every_finding_of_a_wreck_comes_back_from_json_as_it_was() -> None:
    for finding in look(every_damage().build(MemoryPlace()), clock=lambda: NOW)[0]:
        assert Finding.from_json(json.dumps(finding.to_json())) == finding


def test_findings_for_people_come_with_commands_and_others_need_none() -> None:
    for finding in look(every_damage().build(MemoryPlace()), clock=lambda: NOW)[0]:
        error = finding.kind.severity is Severity.ERROR
        assert bool(finding.commands) or finding.automatic or not error
        for command in finding.commands:
            assert command[0] in {"attach", "drop", "recover"}


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


@pytest.mark.parametrize("automatic", [None, 1, "true", [True]])
def test_only_a_plain_yes_lets_repair_act_by_itself(automatic: object) -> None:
    assert not Finding.from_json(json.dumps(WHOLE | {"automatic": automatic})).automatic
