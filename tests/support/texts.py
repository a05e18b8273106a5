"""Texts that tell a careful store from a careless one."""

from __future__ import annotations

import itertools

EDGES = ("!", "a", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff")
"""Characters around which orders differ: UTF-16 code units, the ends of ranges, the last one."""

HOSTILE_KEYS = tuple(sorted(map("".join, itertools.product(EDGES, ("", *EDGES)))))
"""Every text of one or two of EDGES, in order."""

UNSTORABLE = ("", "\0", "a\0", "\0a", "a\0b", "\ud800", "a\udfff")
"""Texts that cannot be the name of an object or key."""

FORBIDDEN_CHARACTERS = tuple(
    chr(code) for code in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))
)
"""What the CSI specification keeps out of names."""
