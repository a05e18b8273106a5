"""Does this object, does this key belong to a journal, and whose: the one answer.

Check, repair, backup, export and restore all ask here, so that none of them
writes, removes or carries away what is not a journal's, whatever a file or a
finding says.  The names are those of Ceph-CSI's internal/journal/voljournal.go
and volumegroupjournal.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csijournal.compat import StrEnum
from csijournal.wire.leases import is_lease_key
from csijournal.wire.names import RESERVED_KEY_PREFIX
from csijournal.wire.schema import GROUPS, SCHEMAS, SNAPSHOTS, JournalSchema


class ObjectRole(StrEnum):
    """What an object is to its journal."""

    DIRECTORY = "directory"
    """One for each instance; its keys are request names."""
    RECORD = "record"
    """One for each UUID; its keys are attributes, and in groups members."""


class KeyRole(StrEnum):
    """What a key is to the object that it lies in."""

    ENTRY = "entry"
    """A request name, or a mapping from an older handle to a newer one."""
    LEASE = "lease"
    """A lease, standing or revoked: true at its moment only, so never copied."""
    ATTRIBUTE = "attribute"
    """What a record says; also what a newer driver may say there."""
    MEMBER = "member"
    """A volume or snapshot of a group."""
    FOREIGN = "foreign"
    """Nothing that any of the journals writes there."""


@dataclass(frozen=True)
class Owned:
    """An object of a journal.

    `name` is the instance id of a directory, or the UUID of a record.  It is
    empty for the one record without a UUID: Ceph-CSI's CephFS driver puts
    members of a group snapshot there where the first call reaches the quiesce
    (internal/cephfs/groupcontrollerserver.go).
    """

    schema: JournalSchema[Any]
    role: ObjectRole
    name: str

    def role_of(self, key: str) -> KeyRole:
        """What a key of this object is.

        The empty key belongs to snapshot records: Ceph-CSI's CephFS driver
        writes the owner there.
        """
        if self.role is ObjectRole.DIRECTORY:
            if is_lease_key(key):
                return KeyRole.LEASE
            return _as(KeyRole.ENTRY, self.schema.request_name_of_entry(key) is not None)
        if key.startswith(RESERVED_KEY_PREFIX) or (not key and self.schema is SNAPSHOTS):
            return KeyRole.ATTRIBUTE
        return _as(KeyRole.MEMBER, bool(key) and self.schema is GROUPS)

    def entry_of(self, key: str) -> str | None:
        """The request name of a directory's key; None where the key is not an entry."""
        is_entry = self.role is ObjectRole.DIRECTORY and self.role_of(key) is KeyRole.ENTRY
        return self.schema.request_name_of_entry(key) if is_entry else None


def owner_of(object_name: str) -> Owned | None:
    """Whose an object is; None where it is not a journal's.

    `csi.volume.` is a prefix of `csi.volume.group.`, so what comes behind the
    prefix decides: a record's is a UUID.
    """
    for schema in SCHEMAS:
        instance_id = schema.instance_of(object_name)
        if instance_id is not None:
            return Owned(schema, ObjectRole.DIRECTORY, instance_id)
        uuid = schema.uuid_of_record(object_name)
        if uuid is not None:
            return Owned(schema, ObjectRole.RECORD, uuid)
    if object_name == GROUPS.record_prefix:
        return Owned(GROUPS, ObjectRole.RECORD, "")
    return None


def role_of(object_name: str, key: str) -> KeyRole:
    """What a key is to the object that it lies in; in an object of nobody's it is foreign."""
    owned = owner_of(object_name)
    return KeyRole.FOREIGN if owned is None else owned.role_of(key)


def _as(role: KeyRole, holds: bool) -> KeyRole:
    return role if holds else KeyRole.FOREIGN
