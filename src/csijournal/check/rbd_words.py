"""An RBD image in words, for an operator who has to decide what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from csijournal.check.claims import made_for
from csijournal.check.story import age_in_words
from csijournal.errors import printable
from csijournal.inventory.contract import Details, NotCompared
from csijournal.inventory.rbd_image import ImageDetails, LinkedImage
from csijournal.journal.grace import Grace
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

NAMED_MAX = 5
"""How many snapshots or clones are named; all are counted."""

_KIB = 1024


def in_words(details: ImageDetails | NotCompared, grace: Grace) -> str:
    """What an image tells, or why it could not be asked."""
    if isinstance(details, NotCompared):
        return str(details)
    parts = [_size(details), _age(details, grace), made_for(details.metadata)]
    kept = [snapshot.name for snapshot in details.snapshots if snapshot.purpose != "trash"]
    parts.append(named("snapshot", kept))
    parts.append(named("clone", [_linked(child) for child in details.children]))
    parts.append(counted("watcher", len(details.watchers)))
    parts += [str(missing) for missing in details.not_compared]
    return ", ".join(filter(None, parts))


def named(noun: str, names: Sequence[str]) -> str:
    """How many there are, and what the first are called; empty for none."""
    if not names:
        return ""
    shown = ", ".join(map(printable, names[:NAMED_MAX]))
    more = ", …" if len(names) > NAMED_MAX else ""
    return f"{counted(noun, len(names))} ({shown}{more})"


def counted(noun: str, count: int) -> str:
    """A number of things; empty for none."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s") if count else ""


def moment(moment_ns: int) -> str:
    """A time to the second."""
    return str(Timestamp(moment_ns // NANOSECONDS * NANOSECONDS))


def _size(details: Details) -> str:
    if details.size_bytes is None:
        return ""
    size: float = details.size_bytes
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:.4g} {unit} provisioned"
        size /= _KIB
    return f"{size:,.4g} TiB provisioned"


def _age(details: Details, grace: Grace) -> str:
    if details.created_ns is None:
        return ""
    age_seconds = max(0, grace.age_ns(details.created_ns)) / NANOSECONDS
    return f"made {age_in_words(age_seconds)} ago"


def _linked(child: LinkedImage) -> str:
    name = child.name or f"id {child.image_id}"
    return f"{name} in the trash" if child.in_trash else name
