"""Rules for the names that callers give: request names, UUIDs, prefixes, members.

The length limit and the forbidden characters are those of the CSI specification,
"Size Limits" and "Field Requirements".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from csijournal.errors import (
    InvalidAttribute,
    InvalidInstanceID,
    InvalidMember,
    InvalidRequestName,
    printable,
)
from csijournal.wire.text import encode, is_encodable, shortened

DEFAULT_INSTANCE_ID = "default"
"""The instance id of a driver that was started without `--instanceid`."""

NAME_BYTES_MAX = 128
"""The longest name that the CSI specification allows, in bytes of UTF-8."""

RESERVED_KEY_PREFIX = "csi."
"""What the journal's own attributes start with, so that no member may."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def require_request_name(text: str, bytes_max: int = NAME_BYTES_MAX) -> str:
    """`text` itself.  Raises InvalidRequestName where the CSI rules forbid it."""
    if not isinstance(text, str):
        raise InvalidRequestName(f"a request name is text, not {type(text).__name__}")
    if not text:
        raise InvalidRequestName(
            "a request name must not be empty", hint="Give the name that the CSI request carries"
        )
    problem = problem_of_name(text, bytes_max)
    if problem:
        raise InvalidRequestName(f"request name {shortened(text)} {problem}")
    return text


def require_instance_id(text: str) -> str:
    """`text` itself.  Raises InvalidInstanceID where no directory can be named so."""
    if not text:
        raise InvalidInstanceID(
            "an instance id must not be empty",
            hint=f"Drivers use {DEFAULT_INSTANCE_ID!r} unless started with another",
        )
    problem = problem_of_name(text)
    if problem:
        raise InvalidInstanceID(f"instance id {printable(text)!r} {problem}")
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
        _require_member_id(volume_id)
    return checked


def _require_member_id(volume_id: object) -> None:
    if not isinstance(volume_id, str):
        raise InvalidMember(f"a member's id is text, not {type(volume_id).__name__}")
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


def encode_members(volume_map: Mapping[str, str]) -> dict[str, bytes]:
    """Members as keys and values of a group record.  Raises InvalidMember."""
    require_member_ids(volume_map)
    for volume_id, value in volume_map.items():
        if not isinstance(value, str) or not is_encodable(value):
            raise InvalidMember(
                f"the value of member {printable(volume_id)!r} is not text that UTF-8 can hold",
                key=volume_id,
            )
    return {volume_id: encode(value) for volume_id, value in volume_map.items()}


def require_value(what: str, text: str) -> str:
    """`text` itself, as the value of a key; raises InvalidAttribute, naming `what` it is.

    Values have no rule of their own in the CSI specification, so all text goes.
    """
    if not isinstance(text, str) or not is_encodable(text):
        raise InvalidAttribute(f"{what} is not text that UTF-8 can hold")
    return text


ENCRYPTION_TYPES = ("block", "file")
"""What Ceph-CSI knows: LUKS under a block device, and fscrypt."""


def require_encryption(kms_id: str, encryption_type: str) -> None:
    """Raise InvalidAttribute unless both are usable together; empty means not encrypted."""
    require_value("the KMS id", kms_id)
    if encryption_type not in ("", *ENCRYPTION_TYPES):
        raise InvalidAttribute(
            f"the encryption type is {shortened(str(encryption_type))}",
            hint=f"Ceph-CSI knows {' and '.join(ENCRYPTION_TYPES)}",
        )
    if encryption_type and not kms_id:
        raise InvalidAttribute(
            f"the encryption type {encryption_type!r} was given without a KMS id",
            hint="Ceph-CSI writes neither without a KMS id; its default one is 'default'",
        )


def problem_of_name(text: str, bytes_max: int = NAME_BYTES_MAX) -> str:
    """What the CSI specification has against `text` as a name; empty for nothing."""
    problem = _forbidden_character(text)
    if problem:
        return problem
    length = len(text.encode())
    if length > bytes_max:
        return f"is {length} bytes of UTF-8, which is more than {bytes_max}"
    return ""


def _forbidden_character(text: str) -> str:
    """Where `text` holds what the CSI specification keeps out of strings; empty for nowhere."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return ""
    return f"holds the forbidden character U+{ord(found[0]):04X} at position {found.start() + 1}"
