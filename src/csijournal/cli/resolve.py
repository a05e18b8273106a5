"""Finding a group by whatever name an operator has at hand."""

from __future__ import annotations

import re

from csijournal.errors import (
    CorruptEntry,
    GroupNotFound,
    InvalidHandle,
    InvalidRequestName,
    NameMismatch,
    NotFound,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Entry, Reservation
from csijournal.wire import layout
from csijournal.wire.handles import Handle
from csijournal.wire.layout import shortened

_LIKE_A_HANDLE = re.compile(r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-.*")
_LIKE_A_UUID = re.compile(r"[0-9a-fA-F-]{30,40}")


def handle_or_none(text: str) -> Handle | None:
    """`text` as a CSI handle; None where it is none."""
    try:
        return Handle.parse(text)
    except InvalidHandle:
        return None


def find_group(journal: VolumeGroupJournal, what: str) -> Reservation:
    """The group that `what` names; nothing is changed by looking.

    `what` is a request name, a group UUID, a CSI handle, or anything that ends
    in the UUID: the group's name, or its object's.
    """
    for look in (_by_uuid_or_handle, _by_request_name, _by_ending):
        found = look(journal, what)
        if found is not None:
            return found
    raise _not_found(what)


def require_entry_uuid(entry: Entry) -> str:
    """The UUID that an entry holds.  Raises CorruptEntry where it holds none."""
    if entry.group_uuid is None:
        raise CorruptEntry(
            f"the entry of {shortened(entry.request_name)} holds {shortened(entry.value)},"
            " which is no group UUID",
            key=layout.entry_key(entry.request_name),
        )
    return entry.group_uuid


def _by_uuid_or_handle(journal: VolumeGroupJournal, what: str) -> Reservation | None:
    handle = handle_or_none(what)
    group_uuid = handle.object_uuid if handle else what
    return _by_uuid(journal, group_uuid) if layout.is_uuid(group_uuid) else None


def _by_request_name(journal: VolumeGroupJournal, what: str) -> Reservation | None:
    try:
        entry = journal.look_up(what)
    except InvalidRequestName:
        return None
    return None if entry is None else _behind(journal, entry)


def _by_ending(journal: VolumeGroupJournal, what: str) -> Reservation | None:
    ending = what[-layout.UUID_LENGTH :]
    return _by_uuid(journal, ending) if layout.is_uuid(ending) else None


def _by_uuid(journal: VolumeGroupJournal, group_uuid: str) -> Reservation | None:
    try:
        return journal.get_volume_group_attributes(group_uuid)
    except GroupNotFound:
        return None


def _behind(journal: VolumeGroupJournal, entry: Entry) -> Reservation:
    """The group that an entry points at, if it is the entry's own."""
    group_uuid = require_entry_uuid(entry)
    found = _by_uuid(journal, group_uuid)
    if found is None:
        raise GroupNotFound(
            f"the entry of {shortened(entry.request_name)} points at {group_uuid},"
            " and there is no such group",
            object_name=layout.group_object(group_uuid),
            hint="It is the rest of an undo: `csijournal check` on this name clears it away",
        )
    if found.request_name != entry.request_name:
        raise NameMismatch(
            f"the entry of {shortened(entry.request_name)} points at the group {group_uuid},"
            f" which belongs to {shortened(found.request_name)}",
            object_name=layout.group_object(group_uuid),
            key=layout.REQUEST_NAME_KEY,
        )
    return found


def _not_found(what: str) -> NotFound:
    """What to say of a name that nothing answers to; raises where it cannot be one."""
    if handle_or_none(what) is None:
        if _LIKE_A_HANDLE.fullmatch(what):
            Handle.parse(what)
        if _LIKE_A_UUID.fullmatch(what):
            layout.require_uuid(what)
        if not layout.is_uuid(what[-layout.UUID_LENGTH :]):
            layout.require_request_name(what)
    return NotFound(
        f"nothing in the journal answers to {shortened(what)}",
        hint="It was looked for as a request name, a group UUID, a group name and a CSI handle;"
        " `csijournal list` shows what is there, and --instance names another driver's",
    )
