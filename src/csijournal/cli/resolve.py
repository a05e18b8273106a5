"""Finding a record by whatever name an operator has at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass

from csijournal.errors import (
    Conflict,
    CorruptEntry,
    GroupNotFound,
    InvalidHandle,
    InvalidRequestName,
    NameMismatch,
    NotFound,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.journal.model import Entry, Reservation
from csijournal.journal.steps import AnyRecords
from csijournal.wire.entries import MappedHandle
from csijournal.wire.handles import Handle
from csijournal.wire.names import NAME_BYTES_MAX, require_request_name
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import GROUPS, SCHEMAS, AnySchema
from csijournal.wire.text import shortened
from csijournal.wire.uuids import ending_uuid, is_uuid, require_uuid

_LIKE_A_HANDLE = re.compile(r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-.*")
_LIKE_A_UUID = re.compile(r"[0-9a-fA-F-]{30,40}")

IMAGE_NAMES = {"volumes": "image name", "snapshots": "snapshot name", "groups": "group name"}
"""What the name of the thing behind a record is called, in each journal."""


@dataclass(frozen=True)
class Meaning:
    """One thing that a text can mean in one journal: `how` it names the UUID.

    `entry` is there where it is a request name; then `uuid` is None where the
    entry holds none.
    """

    how: str
    uuid: str | None
    entry: Entry | None = None


def meanings(records: AnyRecords, what: str) -> list[Meaning]:
    """All that `what` can mean, whether or not the record that it names is there.

    A request name first: what a driver's log has.  Two of its meanings may be
    one record.
    """
    found = []
    entry = records.look_up(what) if what else None
    if entry is not None:
        found.append(Meaning("request name", entry.uuid, entry))
    if entry is not None and isinstance(entry.target, MappedHandle):
        uuid = entry.target.handle.object_uuid
        found.append(Meaning("the handle that stands for it now", uuid))
    named = _named_uuid(what, records.schema)
    if named is not None:
        found.append(named)
    return found


def handle_or_none(text: str) -> Handle | None:
    """`text` as a CSI handle; None where it is not one."""
    try:
        return Handle.parse(text)
    except InvalidHandle:
        return None


def find_group(journal: VolumeGroupJournal, what: str) -> Reservation:
    """The one group that `what` names; nothing is changed by looking.

    `what` is a request name, a group UUID, a CSI handle, or anything that ends
    in the UUID: the group's name, or its object's.  Raises Conflict where these
    are different groups.
    """
    entry = _entry(journal, what)
    named = _named_uuid(what, GROUPS)
    other = _by_uuid(journal, named.uuid or "") if named else None
    if entry is not None and (other is None or other.group_uuid != entry.group_uuid):
        if other is not None and named is not None:
            raise _ambiguous(what, entry, named, other)
        return _behind(journal, entry)
    if other is None:
        raise not_found(what)
    return other


def require_entry_uuid(entry: Entry) -> str:
    """The UUID that an entry holds.  Raises CorruptEntry where it holds none."""
    if entry.group_uuid is None:
        raise CorruptEntry(
            f"the entry of {shortened(entry.request_name)} holds {shortened(entry.value)},"
            " which is not a group UUID",
            key=GROUPS.entry_key(entry.request_name),
        )
    return entry.group_uuid


def require_a_name(what: str, bytes_max: int = NAME_BYTES_MAX) -> None:
    """Raise InvalidInput where `what` cannot name anything: it was mistyped, or cut short."""
    if handle_or_none(what) is not None:
        return
    if _LIKE_A_HANDLE.fullmatch(what):
        Handle.parse(what)
    if _LIKE_A_UUID.fullmatch(what):
        require_uuid(what)
    if ending_uuid(what) is None:
        require_request_name(what, bytes_max)


def not_found(what: str) -> NotFound:
    """What to say of a name that nothing answers to; raises where it cannot be one."""
    require_a_name(what)
    return NotFound(
        f"nothing in the journal answers to {shortened(what)}",
        hint="It was looked for as a request name, a group UUID, a group name and a CSI handle;"
        " `csijournal list` shows what is there, and --instance names another driver's",
    )


def _named_uuid(what: str, schema: AnySchema) -> Meaning | None:
    """The record of one journal that `what` names by a UUID in it."""
    handle = handle_or_none(what)
    if handle is not None:
        uuid = handle.object_uuid
        return Meaning("CSI handle", uuid) if is_uuid(uuid) else None
    uuid_or_none = ending_uuid(what)
    if uuid_or_none is None:
        return None
    if what == uuid_or_none:
        return Meaning(f"{schema.noun} UUID", uuid_or_none)
    if not any(other.uuid_of_record(what) for other in SCHEMAS):
        return Meaning(IMAGE_NAMES[schema.journal], uuid_or_none)
    if schema.uuid_of_record(what) is None:
        return None
    return Meaning(f"name of a {schema.noun} object", uuid_or_none)


def _entry(journal: VolumeGroupJournal, what: str) -> Entry | None:
    try:
        return journal.look_up(what)
    except InvalidRequestName:
        return None


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
            object_name=GROUPS.record_object(group_uuid),
            hint="`csijournal show` on this name tells what can be done",
        )
    if found.request_name != entry.request_name:
        raise NameMismatch(
            f"the entry of {shortened(entry.request_name)} points at the group {group_uuid},"
            f" which belongs to {shortened(found.request_name)}",
            object_name=GROUPS.record_object(group_uuid),
            key=REQUEST_NAME_KEY,
        )
    return found


def _ambiguous(what: str, entry: Entry, named: Meaning, other: Reservation) -> Conflict:
    return Conflict(
        f"{shortened(what)} means two groups: as a request name {entry.value},"
        f" as a {named.how} {other.group_uuid}, which belongs to {shortened(other.request_name)}",
        hint="Give the UUID of the one that you mean",
    )
