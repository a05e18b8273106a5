from __future__ import annotations

import pytest

from csijournal.cli.suggest import distance, nearest

COMMANDS = ["verify", "list", "repair", "restore", "reserve", "recover", "remove"]


@pytest.mark.parametrize(
    ("left", "right", "slips"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("verfy", "verify", 1),
        ("vreify", "verify", 1),
        ("lits", "list", 1),
        ("--apply", "--pool", 4),
        ("kitten", "sitting", 3),
    ],
)
def test_each_letter_that_is_wrong_or_swapped_counts_once(
    left: str, right: str, slips: int
) -> None:
    assert distance(left, right) == distance(right, left) == slips


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("verfy", ["verify"]),
        ("rastore", ["restore"]),
        ("resrve", ["reserve", "remove"]),
        ("lst", ["list"]),
        ("apply", []),
        ("x", []),
    ],
)
def test_a_slip_is_understood_and_another_word_is_not(typed: str, meant: list[str]) -> None:
    assert nearest(typed, COMMANDS) == meant
