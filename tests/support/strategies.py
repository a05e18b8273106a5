"""Hypothesis strategies for what the journal is given."""

from __future__ import annotations

from hypothesis import strategies as st

from csijournal.wire.names import NAME_BYTES_MAX, RESERVED_KEY_PREFIX
from csijournal.wire.records import ATTRIBUTE_KEYS
from support.texts import FORBIDDEN_CHARACTERS, HOSTILE_KEYS

_LOOK_ALIKES = (
    "csi.volume.group.",
    "csi.lease.x",
    "csi.volname",
    "a b",
    "a\tb\n",
    "é",
    "e\u0301",
    "%",
    "_",
    "'",
    "\U0001f4be" * 32,
)
_characters = st.characters(
    exclude_categories=["Cs"], exclude_characters="".join(FORBIDDEN_CHARACTERS)
)


def _texts(*, min_size: int) -> st.SearchStrategy[str]:
    return st.text(_characters, min_size=min_size, max_size=NAME_BYTES_MAX).filter(
        lambda text: len(text.encode()) <= NAME_BYTES_MAX
    )


def names() -> st.SearchStrategy[str]:
    """Request names and instance ids that the rules allow."""
    return st.sampled_from(HOSTILE_KEYS + _LOOK_ALIKES) | _texts(min_size=1)


def prefixes() -> st.SearchStrategy[str]:
    """Name prefixes that the rules allow; the empty one stands for the default."""
    return st.sampled_from(["", "snap-", "пре-"]) | _texts(min_size=0)


def member_ids() -> st.SearchStrategy[str]:
    """Ids that the rules allow for members, long ones too."""
    long = st.integers(NAME_BYTES_MAX + 1, 300).map(lambda length: "v" * length)
    return names().filter(lambda name: not name.startswith(RESERVED_KEY_PREFIX)) | long


def member_values() -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold."""
    return st.text(st.characters(exclude_categories=["Cs"]))


def volume_maps() -> st.SearchStrategy[dict[str, str]]:
    """Members to add, or none."""
    return st.dictionaries(member_ids(), member_values(), max_size=4)


def _spoilt() -> st.SearchStrategy[str]:
    bad = st.sampled_from((*FORBIDDEN_CHARACTERS, "\ud800", "\udfff"))
    return st.tuples(_texts(min_size=0), bad, _texts(min_size=0)).map("".join)


def invalid_names() -> st.SearchStrategy[str]:
    """Texts that break a rule for names."""
    too_long = st.integers(NAME_BYTES_MAX + 1, 1_000).map(lambda length: "x" * length)
    return st.just("") | _spoilt() | too_long


def invalid_member_ids() -> st.SearchStrategy[str]:
    """Texts that break a rule for members."""
    reserved = st.sampled_from(["csi.", *sorted(ATTRIBUTE_KEYS)]) | names().map(
        lambda name: RESERVED_KEY_PREFIX + name
    )
    return st.just("") | _spoilt() | reserved
