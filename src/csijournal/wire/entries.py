"""What the value of a directory's key points at.

    UUID            a record of the same pool
    <16 hex>/UUID   a record in the pool of that id
    0001-LLLL-…     another handle: a mapping, not a reservation
    anything else   nothing that can be followed

Ceph-CSI tells them apart by length and by the slash (`internal/journal/
voljournal.go`, `CheckReservation`).  Values that make it panic are unreadable
here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

from csijournal.errors import InvalidHandle
from csijournal.wire.handles import Handle
from csijournal.wire.text import decode
from csijournal.wire.uuids import is_uuid

_IN_POOL = re.compile(r"([0-9a-fA-F]{16})/(.{36})(?:/.*)?", re.DOTALL)


@dataclass(frozen=True)
class RecordHere:
    """The record of `uuid` in the directory's own pool."""

    uuid: str


@dataclass(frozen=True)
class RecordInPool:
    """The record of `uuid` in the pool `pool_id`."""

    pool_id: int
    uuid: str


@dataclass(frozen=True)
class MappedHandle:
    """The handle that an older one, the key, stands for since a failover."""

    handle: Handle


@dataclass(frozen=True)
class UnreadableTarget:
    """A value that is none of these."""

    text: str


Target = Union[RecordHere, RecordInPool, MappedHandle, UnreadableTarget]


def parse_target(request_name: str, value: bytes, *, pools: bool = True) -> Target:
    """What the entry of `request_name` points at.

    `pools` says whether the journal knows pool ids and mappings in its values:
    that of groups does not.
    """
    text = decode(value)
    if is_uuid(text):
        return RecordHere(text)
    if not pools:
        return UnreadableTarget(text)
    in_pool = _IN_POOL.fullmatch(text)
    if in_pool is not None and is_uuid(in_pool[2]):
        return RecordInPool(int(in_pool[1], 16), in_pool[2])
    handle = _handle_or_none(text)
    if handle is not None and _handle_or_none(request_name) is not None:
        return MappedHandle(handle)
    return UnreadableTarget(text)


def _handle_or_none(text: str) -> Handle | None:
    try:
        return Handle.parse(text)
    except InvalidHandle:
        return None
