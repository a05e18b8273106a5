"""The judge of soaks says yes to a true story, and no to each way of breaking it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from soak_judge import Call, History, Ledger, Rest
from soak_load import GONE, NONE, OK, UNKNOWN, WRONG, value_of

A, B = "aaaaaaaa", "bbbbbbbb"


class Story:
    """Calls one after the other, unless `meanwhile` lets one last until the next has ended."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._clock = itertools.count(1)

    def told(
        self,
        op: str,
        told: str = OK,
        uuid: str = "",
        *members: str,
        name: str = "req",
        created: bool = False,
    ) -> Story:
        call = Call(f"log:{len(self.calls)}", "", op, name, next(self._clock), uuid, members)
        call.ended, call.told, call.created = next(self._clock), told, created
        self.calls.append(call)
        return self

    def killed(self, op: str, uuid: str = "", *members: str) -> Story:
        self.calls.append(Call("log", "", op, "req", next(self._clock), uuid, members))
        return self

    def rules(self) -> list[str]:
        return [violation.rule for violation in History(self.calls).violations()]

    def rules_at_rest(self, rest: Rest) -> list[str]:
        return [violation.rule for violation in History(self.calls).violations_at_rest(rest)]


def reserved() -> Story:
    return Story().told("ensure", OK, A, created=True)


def at_rest(*members: str, uuid: str = A) -> Rest:
    omap = {"csi.volname": "req"} | {member: value_of(member) for member in members}
    return Rest(entries={"req": uuid}, groups={uuid: omap})


def test_true_story_has_no_violations() -> None:
    story = reserved().told("add", OK, A, "m", "n").told("check", OK, A, "m", "n")
    story.told("remove", OK, A, "n").told("check", OK, A, "m")
    assert story.rules() == []
    assert story.rules_at_rest(at_rest("m")) == []
    story.told("undo", OK, A).told("check", NONE).told("add", GONE, A, "o")
    story.told("ensure", OK, B, created=True)
    assert story.rules() == []
    assert story.rules_at_rest(at_rest(uuid=B)) == []


@pytest.mark.parametrize("how", [UNKNOWN, "killed"])
def test_call_without_answer_may_have_happened_or_not(how: str) -> None:
    def unanswered(story: Story, op: str, *members: str) -> Story:
        uuid = A if op != "ensure" else ""
        return (
            story.killed(op, uuid, *members)
            if how == "killed"
            else story.told(op, how, uuid, *members)
        )

    for rest in (Rest(), at_rest()):
        assert unanswered(Story(), "ensure").rules_at_rest(rest) == []
        assert unanswered(reserved(), "undo").rules_at_rest(rest) == []
    for rest in (at_rest(), at_rest("m", "n")):
        assert unanswered(reserved(), "add", "m", "n").rules_at_rest(rest) == []
    for rest in (at_rest(), at_rest("m")):
        story = reserved().told("add", OK, A, "m")
        assert unanswered(story, "remove", "m").rules_at_rest(rest) == []


@pytest.mark.parametrize(
    ("story", "rule"),
    [
        (reserved().told("check", NONE), "reservation not found"),
        (reserved().told("add", GONE, A, "m"), "group not found"),
        (reserved().told("check", OK, B), "reservation not found"),
        (reserved().told("ensure", OK, B, created=True), "two UUIDs for one name"),
        (reserved().told("ensure", OK, A, created=True), "created twice"),
        (reserved().told("ensure", OK, A, name="other"), "one UUID, two names"),
        (reserved().told("undo", OK, A).told("check", OK, A), "undone reservation found"),
        (reserved().told("undo", OK, A).told("add", OK, A, "m"), "undone group took members"),
        (reserved().told("add", OK, A, "m").told("check", OK, A), "member not found"),
        (reserved().told("check", OK, A, "m"), "member that nobody added"),
        (reserved().told("check", WRONG), "error that no fault explains"),
        (
            reserved().told("add", OK, A, "m").told("remove", OK, A, "m").told("check", OK, A, "m"),
            "removed member found",
        ),
    ],
)
def test_false_answer_is_found(story: Story, rule: str) -> None:
    assert rule in story.rules()


@pytest.mark.parametrize(
    ("story", "rest", "rule"),
    [
        (reserved(), Rest(), "acknowledged reservation lost"),
        (reserved(), at_rest(uuid=B), "acknowledged reservation lost"),
        (reserved().told("undo", OK, A), at_rest(), "acknowledged undo without effect"),
        (reserved().told("add", OK, A, "m"), at_rest(), "acknowledged member lost"),
        (reserved(), at_rest("m"), "member that nobody added"),
        (reserved().told("undo", OK, A), at_rest(uuid=B), "reservation that nobody made"),
        (reserved().told("add", UNKNOWN, A, "m", "n"), at_rest("m"), "half of an addition"),
        (
            reserved().told("add", OK, A, "m").told("remove", OK, A, "m"),
            at_rest("m"),
            "acknowledged removal without effect",
        ),
        (Story(), Rest(groups={A: {"csi.volname": "req"}}), "unexpected group"),
        (Story().killed("ensure"), Rest(entries={"req": A}), "unexpected entry"),
        (Story(), Rest(leases={"csi.lease.x": ""}), "unexpected key or object"),
        (Story(), Rest(others=["object x"]), "unexpected key or object"),
    ],
)
def test_false_rest_is_found(story: Story, rest: Rest, rule: str) -> None:
    assert rule in story.rules_at_rest(rest)


def test_rest_is_read_from_store() -> None:
    store = MemoryStore()
    lease = {"csi.lease.1": b"{}", "strange": b""}
    store.write(Write("csi.groups.default", puts={"csi.volume.group.req": A.encode()} | lease))
    store.write(Write(f"csi.volume.group.{A}", puts={"csi.volname": b"req"}))
    store.write(Write("other", puts={"a": b"b"}))
    assert Rest.of(store) == Rest(
        entries={"req": A},
        groups={A: {"csi.volname": "req"}},
        leases={"csi.lease.1": "{}"},
        others=["key strange", "object other"],
    )


def test_ledger_reads_logs_as_they_grow(tmp_path: Path) -> None:
    def line(**words: object) -> str:
        return json.dumps(words) + "\n"

    log = tmp_path / "w0.1.jsonl"
    end = line(n="1", at=9, told=OK, uuid=A, members=["m"], created=True)
    log.write_text(line(n="1", at=5, op="ensure", name="req") + end[:10])
    ledger = Ledger(tmp_path)
    assert [call.told for call in ledger.calls()] == ["killed"]
    with log.open("a") as file:
        file.write(end[10:])
    (call,) = ledger.calls()
    assert (call.told, call.uuid, call.members, call.begun, call.ended) == (OK, A, ("m",), 5, 9)
    assert call.created
    assert call.where == "w0.1.jsonl:1,2"
