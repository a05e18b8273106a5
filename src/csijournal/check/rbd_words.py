"""An RBD image in words, for an operator who has to decide what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from csijournal.check.claims import made_for, provisioned
from csijournal.check.story import age_in_words
from csijournal.errors import printable
from csijournal.inventory.contract import Details, NotCompared
from csijournal.inventory.rbd_image import ImageDetails, LinkedImage
from csijournal.journal.grace import Grace
from csijournal.wire.text import number_of
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

NAMED_MAX = 5
"""How many snapshots or clones are named; all are counted."""


def in_words(details: ImageDetails | NotCompared, grace: Grace) -> str:
    """What an image tells, or why it could not be asked."""
    if isinstance(details, NotCompared):
        return str(details)
    parts = [provisioned(details), _age(details, grace), made_for(details.metadata)]
    kept = [snapshot.name for snapshot in details.snapshots if snapshot.purpose != "trash"]
    parts.append(named("snapshot", kept))
    parts.append(named("clone", [_linked(child) for child in details.children]))
    parts.append(number_of(len(details.watchers), "watcher") if details.watchers else "")
    parts += [str(missing) for missing in details.not_compared]
    return ", ".join(filter(None, parts))


def named(noun: str, names: Sequence[str]) -> str:
    """How many there are, and what the first are called; empty for none."""
    if not names:
        return ""
    shown = ", ".join(map(printable, names[:NAMED_MAX]))
    more = ", …" if len(names) > NAMED_MAX else ""
    return f"{number_of(len(names), noun)} ({shown}{more})"


def moment(moment_ns: int) -> str:
    """A time to the second."""
    return str(Timestamp(moment_ns // NANOSECONDS * NANOSECONDS))


def _age(details: Details, grace: Grace) -> str:
    if details.created_ns is None:
        return ""
    age_seconds = max(0, grace.age_ns(details.created_ns)) / NANOSECONDS
    return f"made {age_in_words(age_seconds)} ago"


def _linked(child: LinkedImage) -> str:
    name = child.name or f"id {child.image_id}"
    return f"{name} in the trash" if child.in_trash else name
