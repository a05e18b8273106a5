"""What Ceph says that a pool is for, by which users may be allowed it.

    osd 'allow rw tag cephfs metadata=myfs'

allows the pools that are tagged `cephfs` with the value `myfs` for `metadata`, which is
the filesystem's name and not the pool's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from csijournal.errors import StoreError, printable

Tags = Mapping[str, Mapping[str, str]]
"""By application, such as "rbd", the keys and values that it has."""


def pool_tags(mon_command: Callable[..., Any], pool: str) -> Tags | None:
    """The tags of the pool; None where nobody tells.

    `mon_command` takes a command and its arguments and returns the answer from
    JSON, as `Session.mon_command` does.
    """
    try:
        answer = mon_command("osd pool application get", pool=pool)
    except StoreError:
        return None
    return answer if isinstance(answer, dict) else None


def told_to_the_denied(tags: Tags | None) -> str:
    """What a user whom the pool is denied has to know of its tags; "" where nobody tells."""
    if tags is None:
        return ""
    if not tags:
        return "it has no application tag, so that no capability by tag holds for it"
    told = ", ".join(_in_words(*tag) for tag in sorted(tags.items()))
    return f"it is tagged {told}, which is what a capability by tag has to name"


def _in_words(application: str, values: Mapping[str, str]) -> str:
    pairs = " ".join(f"{printable(key)}={printable(values[key])}" for key in sorted(values))
    return f"{printable(application)} {pairs}".rstrip()
