"""Where things lie: every object name, key and name rule of the journal.

Nothing else in csijournal builds or takes apart a name that the store sees.
docs/wire-format.md tells the same in prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from csijournal.errors import (
    InvalidGroupName,
    InvalidGroupUUID,
    InvalidInput,
    InvalidInstanceID,
    InvalidMember,
    InvalidRequestName,
    printable,
)
from csijournal.wire.timestamps import Timestamp

DEFAULT_INSTANCE_ID = "default"
DEFAULT_NAME_PREFIX = "csi-vol-group-"

DIRECTORY_PREFIX = "csi.groups."
GROUP_PREFIX = "csi.volume.group."
ENTRY_PREFIX = "csi.volume.group."
LEASE_PREFIX = "csi.lease."
REVOKED_LEASE_PREFIX = "csi.lease.revoked."
RESERVED_KEY_PREFIX = "csi."

REQUEST_NAME_KEY = "csi.volname"
GROUP_NAME_KEY = "csi.groupname"
CREATION_TIME_KEY = "csi.creationtime"
ATTRIBUTE_KEYS = frozenset({REQUEST_NAME_KEY, GROUP_NAME_KEY, CREATION_TIME_KEY})

UUID_LENGTH = 36
NAME_BYTES_MAX = 128
"""The longest name that the CSI specification allows, in bytes of UTF-8."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


# Objects


def directory_object(instance_id: str) -> str:
    """The object whose keys are an instance's request names.

    Raises InvalidInstanceID.
    """
    if not instance_id:
        raise InvalidInstanceID(
            "an instance id must not be empty",
            hint=f"Drivers use {DEFAULT_INSTANCE_ID!r} unless started with another",
        )
    problem = _problem(instance_id)
    if problem:
        raise InvalidInstanceID(f"instance id {printable(instance_id)!r} {problem}")
    return DIRECTORY_PREFIX + instance_id


def instance_of(object_name: str) -> str | None:
    """The instance id whose directory this object is; None where it is none."""
    rest = object_name.removeprefix(DIRECTORY_PREFIX)
    return rest if rest and rest != object_name else None


def group_object(group_uuid: str) -> str:
    """The object that holds one group's attributes and members.

    Raises InvalidGroupUUID.
    """
    return GROUP_PREFIX + require_uuid(group_uuid)


def uuid_of_group_object(object_name: str) -> str | None:
    """The UUID of a group object; None for any other object.

    `csi.volume.` is a prefix of `csi.volume.group.`, so the UUID decides.
    """
    rest = object_name.removeprefix(GROUP_PREFIX)
    return rest if rest != object_name and is_uuid(rest) else None


# Keys of the directory


def entry_key(request_name: str) -> str:
    """The directory key of a request name, be it one that the rules forbid."""
    return ENTRY_PREFIX + request_name


def request_name_of_entry(key: str) -> str | None:
    """The request name of a directory key; None where the key is no entry."""
    rest = key.removeprefix(ENTRY_PREFIX)
    return rest if rest != key else None


def parse_entry(value: bytes) -> str | None:
    """The group UUID that an entry holds; None where it holds none."""
    text = decode(value)
    return text if is_uuid(text) else None


@dataclass(frozen=True, slots=True)
class Lease:
    """UUIDs that a client may be using, written down before it uses them.

    Lives in the directory, where Ceph-CSI passes over keys that it does not
    know.  `since` is when the lease was granted, or when it was revoked, by the
    clock of whoever did that.  The id is the first of the UUIDs.
    """

    group_uuids: tuple[str, ...]
    since: Timestamp
    revoked: bool = False

    @property
    def lease_id(self) -> str:
        """What tells this lease from every other."""
        return self.group_uuids[0]

    @property
    def key(self) -> str:
        """The directory key that it lies under."""
        return (REVOKED_LEASE_PREFIX if self.revoked else LEASE_PREFIX) + self.lease_id

    @property
    def value(self) -> bytes:
        """The value of that key."""
        return encode(json.dumps({"since": str(self.since), "uuids": self.group_uuids}))


def parse_lease(key: str, value: bytes) -> Lease | None:
    """Read a directory key as a lease; None where it is none that we understand."""
    try:
        fields = json.loads(value)
        lease = Lease(
            group_uuids=tuple(require_uuid(group_uuid) for group_uuid in fields["uuids"]),
            since=Timestamp.parse(fields["since"]),
            revoked=key.startswith(REVOKED_LEASE_PREFIX),
        )
        understood = lease.key == key
    except (InvalidInput, ValueError, TypeError, LookupError, RecursionError):
        return None
    return lease if understood else None


# The group object


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """What a group object says, each attribute None where the key is missing.

    `creation_text` keeps a time that cannot be read as it stands.
    """

    request_name: str | None
    group_name: str | None
    creation_text: str | None
    volume_map: Mapping[str, str]

    @property
    def populated(self) -> bool:
        """Whether the object says whose it is; Ceph-CSI takes an empty name for one."""
        return self.request_name is not None

    @property
    def members_in_words(self) -> str:
        """How many members there are, for a message."""
        return f"{len(self.volume_map)} member" + ("" if len(self.volume_map) == 1 else "s")

    @property
    def creation_time(self) -> Timestamp | None:
        """When the group was made; None where it is not said or unreadable."""
        return Timestamp.parse_or_none(self.creation_text or "")


def parse_group(entries: Mapping[str, bytes]) -> GroupRecord:
    """Read a group object.  Every key but the three attributes is a member."""
    texts = {key: decode(value) for key, value in entries.items()}
    return GroupRecord(
        request_name=texts.pop(REQUEST_NAME_KEY, None),
        group_name=texts.pop(GROUP_NAME_KEY, None),
        creation_text=texts.pop(CREATION_TIME_KEY, None),
        volume_map=texts,
    )


def group_attributes(request_name: str, group_name: str, created: Timestamp) -> dict[str, bytes]:
    """The keys that a group object starts its life with."""
    return {
        REQUEST_NAME_KEY: encode(request_name),
        GROUP_NAME_KEY: encode(group_name),
        CREATION_TIME_KEY: encode(str(created)),
    }


def encode_members(volume_map: Mapping[str, str]) -> dict[str, bytes]:
    """Members as keys and values of a group object.  Raises InvalidMember."""
    require_member_ids(volume_map)
    for volume_id, value in volume_map.items():
        if not isinstance(value, str) or _unencodable(value):
            raise InvalidMember(
                f"the value of member {printable(volume_id)!r} is not text that UTF-8 can hold",
                key=volume_id,
            )
    return {volume_id: encode(value) for volume_id, value in volume_map.items()}


# Rules for names


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as the journal writes it: 36 characters, lower case."""
    return _UUID.fullmatch(text) is not None


def ending_uuid(text: str) -> str | None:
    """The UUID that `text` ends in, as names of groups, objects and handles do; None for none."""
    ending = text[-UUID_LENGTH:]
    return ending if is_uuid(ending) else None


def require_uuid(text: str) -> str:
    """`text` itself.  Raises InvalidGroupUUID where it is not a UUID."""
    if not is_uuid(text):
        raise InvalidGroupUUID(
            f"{printable(text)!r} is not a group UUID",
            hint="A group UUID is 36 characters, lower case, such as"
            " 0f8fad5b-d9cb-469f-a165-70867728950e",
        )
    return text


def require_request_name(text: str) -> str:
    """`text` itself.  Raises InvalidRequestName where the CSI rules forbid it."""
    if not text:
        raise InvalidRequestName(
            "a request name must not be empty", hint="Give the name that the CSI request carries"
        )
    problem = _problem(text)
    if problem:
        raise InvalidRequestName(f"request name {shortened(text)} {problem}")
    return text


def require_member_ids(volume_ids: Iterable[str]) -> list[str]:
    """The ids as a list.  Raises InvalidMember at the first that cannot be a member.

    Drivers may choose ids longer than a name, and peers write them.
    """
    if isinstance(volume_ids, str):
        raise InvalidMember(
            f"{shortened(volume_ids)} is one member id where several were expected",
            hint="Give a list, be it of one id",
        )
    checked = list(volume_ids)
    for volume_id in checked:
        if not volume_id:
            raise InvalidMember("a member's id must not be empty")
        if volume_id.startswith(RESERVED_KEY_PREFIX):
            raise InvalidMember(
                f"member id {shortened(volume_id)} starts with {RESERVED_KEY_PREFIX!r},"
                " which is kept for the group's own attributes",
                key=volume_id,
                hint="Members are volume or snapshot handles",
            )
        problem = _forbidden_character(volume_id)
        if problem:
            raise InvalidMember(f"member id {shortened(volume_id)} {problem}")
    return checked


def require_name_prefix(text: str) -> str:
    """`text` itself.  Raises InvalidGroupName where it holds what a name must not."""
    problem = _problem(text)
    if problem:
        raise InvalidGroupName(f"name prefix {shortened(text)} {problem}")
    return text


def make_group_name(name_prefix: str, group_uuid: str) -> str:
    """Name prefix and UUID joined; an empty prefix means the default one."""
    return (name_prefix or DEFAULT_NAME_PREFIX) + group_uuid


def uuid_of_group_name(group_name: str) -> str:
    """The UUID that a group name ends in.  Raises InvalidGroupName."""
    group_uuid = group_name[-UUID_LENGTH:]
    if not is_uuid(group_uuid):
        raise InvalidGroupName(
            f"group name {shortened(group_name)} does not end in a group UUID",
            hint=f"A group name is a prefix and a UUID, such as {DEFAULT_NAME_PREFIX}"
            "0f8fad5b-d9cb-469f-a165-70867728950e",
        )
    return group_uuid


# Text in the store


def encode(text: str) -> bytes:
    """Text as the store holds it; undoes `decode` for every value."""
    return text.encode(errors="surrogateescape")


def decode(value: bytes) -> str:
    """A stored value as text; bytes that are not UTF-8 become lone surrogates."""
    return value.decode(errors="surrogateescape")


def shortened(text: str) -> str:
    """`text` in quotes for a message, cut where it is long, but never the UUID that it ends in."""
    limit = 60
    if len(text) > limit:
        end = ending_uuid(text) or ""
        text = f"{text[: limit - len(end)]}…{end}"
    return f"'{printable(text)}'"


def _unencodable(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _forbidden_character(text: str) -> str:
    """Where `text` holds what the CSI specification keeps out of strings; empty for nowhere."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return ""
    return f"holds the forbidden character U+{ord(found[0]):04X} at position {found.start() + 1}"


def _problem(text: str) -> str:
    """What the CSI specification has against `text` as a name; empty for nothing."""
    problem = _forbidden_character(text)
    if problem:
        return problem
    length = len(text.encode())
    if length > NAME_BYTES_MAX:
        return f"is {length} bytes of UTF-8, which is more than {NAME_BYTES_MAX}"
    return ""
