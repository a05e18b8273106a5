"""The tree of errors, and what each of them tells."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from csijournal import errors
from csijournal.errors import (
    AlreadyReserved,
    CSIJournalError,
    GroupNotFound,
    GuardFailed,
    StoreBusy,
    error_context,
    printable,
)

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, Exception)
}
_LINE = re.compile(r"    ([│├└─ ]*)(\w+)(?: +(\d+|exit code))?(?:   .*)?")


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Each class of the drawing with its parent and the exit code beside it."""
    tree: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    for line in drawing.splitlines():
        match = _LINE.fullmatch(line)
        assert match is not None, line
        indent, name, code = match.groups()
        path[len(indent) // 4 :] = [name]
        tree[name] = (path[-2] if len(path) > 1 else "Exception", code or "")
    return tree


def test_the_drawing_at_the_top_has_every_class_under_its_parent() -> None:
    parents = {name: parent for name, (parent, _code) in drawn_tree().items()}
    assert parents == {name: found.__bases__[0].__name__ for name, found in CLASSES.items()}


def test_the_drawing_at_the_top_has_every_exit_code_of_a_class_of_its_own() -> None:
    drawn = {name: code for name, (_parent, code) in drawn_tree().items() if code.isdigit()}
    own = {
        name: str(found.__dict__["exit_code"])
        for name, found in CLASSES.items()
        if "exit_code" in found.__dict__ and found is not CSIJournalError
    }
    assert drawn == own


def test_no_two_classes_have_the_same_exit_code_of_their_own() -> None:
    codes = [
        found.__dict__["exit_code"] for found in CLASSES.values() if "exit_code" in vars(found)
    ]
    assert len(codes) == len(set(codes))
    assert 0 not in codes


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_each_class_says_what_it_means(kind: type[CSIJournalError]) -> None:
    assert "__doc__" in vars(kind)


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_the_text_of_each_has_operation_cause_place_and_hint_in_that_order(
    kind: type[CSIJournalError],
) -> None:
    text = str(
        kind(
            "the cause",
            operation="the_operation",
            object_name="the-object",
            key="the-key",
            hint="the hint",
        )
    )
    assert text == "the_operation: the cause (object the-object, key the-key). the hint"
    assert text.isprintable()


def test_what_is_not_known_is_not_in_the_text() -> None:
    assert str(CSIJournalError("the cause")) == "the cause"
    assert str(CSIJournalError("the cause", key="k")) == "the cause (key k)"
    assert str(CSIJournalError("the cause", object_name="o")) == "the cause (object o)"
    assert str(CSIJournalError("the cause", operation="undo")) == "undo: the cause"


def test_the_usual_hint_gives_way_to_one_that_knows_more() -> None:
    assert str(StoreBusy("the cause")).endswith(". Try again, or allow a longer timeout")
    assert str(StoreBusy("the cause", hint="Wait for Bob")) == "the cause. Wait for Bob"


def test_names_of_objects_and_keys_cannot_harm_a_terminal() -> None:
    error = GuardFailed("the cause", object_name="a\x1b[2J", key="b\nc\u202e\udcff")
    assert str(error) == r"the cause (object a\x1b[2J, key b\nc\u202e\udcff)"


def test_printable_leaves_what_can_be_read_as_it_is() -> None:
    text = "group 42 – グループ 💾 é"
    assert printable(text) == text
    assert printable("\0\r\x7f\x85\u2028\ud800") == r"\x00\r\x7f\x85\u2028\ud800"


def test_the_operation_is_named_once_and_by_the_innermost() -> None:
    def fail() -> None:
        with error_context("outer"), error_context("inner"):
            raise GroupNotFound("the cause")

    with pytest.raises(GroupNotFound, match=r"^inner: the cause$"):
        fail()


def test_naming_leaves_other_errors_alone() -> None:
    with pytest.raises(KeyError, match=r"^'k'$"), error_context("operation"):
        raise KeyError("k")


def test_an_error_survives_the_way_to_another_process() -> None:
    error = AlreadyReserved("the cause", operation="reserve_name", object_name="o", key="k")
    error.uuid = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(copy) is AlreadyReserved
    assert str(copy) == str(error)
    assert copy.group_uuid == error.group_uuid


def test_the_drawing_indents_by_one_level_at_a_time() -> None:
    drawing = (errors.__doc__ or "").split("\n\n")[1].splitlines()
    depths = [len(match[1]) // 4 for line in drawing if (match := _LINE.fullmatch(line))]
    assert depths[0] == 0
    assert all(after <= before + 1 for before, after in zip(depths, depths[1:]))
