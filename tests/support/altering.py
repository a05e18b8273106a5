"""Good JSON in which something is altered, for tests of what reads a file."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

hostile = st.sampled_from(
    [
        "",
        "x",
        "csi.groups.default",
        "csi.groups.\ud800",
        "csi.groups.\x00",
        "csi.volume.group.8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csi.volumes.default",
        "csi.lease.8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "rbd_header.10ab12cd34ef",
        "csi.volume.not-a-uuid",
        "rt-backingsnapshot-1",
        "8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "\ud800",
        "\udcff",
        "\x00",
        "\u202e",
        "é" * 300,
        "orphan-group",
        "dangling-entry",
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats()
    | hostile
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=4,
)


def altered(data: st.DataObject, template: list[Any]) -> list[Any]:
    """A copy of the lines with some values replaced, removed or put in."""
    lines = copy.deepcopy(template)
    for _ in range(data.draw(st.integers(1, 3), "changes")):
        number = data.draw(st.integers(0, len(lines) - 1), "line")
        line = lines[number]
        if not isinstance(line, dict) or data.draw(st.integers(0, 5), "whole") == 0:
            lines[number] = data.draw(values, "line")
            continue
        place = line
        key = data.draw(st.sampled_from(sorted(line) or [""]) | hostile, "field")
        if isinstance(line.get(key), dict) and data.draw(st.booleans(), "inside"):
            place, key = line[key], data.draw(st.sampled_from(sorted(line[key]) or [""]) | hostile)
        if data.draw(st.integers(0, 3), "remove") == 0:
            place.pop(key, None)
        else:
            place[key] = data.draw(values, "value")
    if data.draw(st.booleans(), "shuffle"):
        lines[1:] = data.draw(st.permutations(lines[1:]))
    return lines
