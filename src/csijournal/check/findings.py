"""What can be wrong with a journal, each kind with its meaning and its cure."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from csijournal.errors import InvalidInput


class Severity(enum.StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """A request name is wedged, or something lies there that nothing will remove."""
    WARNING = "warning"
    """Everything works, and somebody should know."""


class FindingKind(enum.StrEnum):
    """What a finding is about."""

    DANGLING_ENTRY = "dangling-entry"
    UNPOPULATED_GROUP = "unpopulated-group"
    NAMELESS_GROUP = "nameless-group"
    ORPHAN_GROUP = "orphan-group"
    DETACHED_GROUP = "detached-group"
    EMPTY_OBJECT = "empty-object"
    REVIVED_GROUP = "revived-group"
    NAME_MISMATCH = "name-mismatch"
    SHARED_UUID = "shared-uuid"
    CORRUPT_ENTRY = "corrupt-entry"
    WRONG_GROUP_NAME = "wrong-group-name"
    STALE_LEASE = "stale-lease"
    INVALID_REQUEST_NAME = "invalid-request-name"
    MISSING_ATTRIBUTE = "missing-attribute"
    UNREADABLE_TIME = "unreadable-time"
    UNKNOWN_KEY = "unknown-key"
    LARGE_DIRECTORY = "large-directory"

    @property
    def severity(self) -> Severity:
        """How much this kind matters."""
        return Severity.WARNING if self in _WARNINGS else Severity.ERROR

    @property
    def meaning(self) -> str:
        """What it is and why it matters, for an operator."""
        return _TEXTS[self][0]

    @property
    def remedy(self) -> str:
        """What can be done about it."""
        return _TEXTS[self][1]


_WARNINGS = frozenset(
    {
        FindingKind.INVALID_REQUEST_NAME,
        FindingKind.MISSING_ATTRIBUTE,
        FindingKind.UNREADABLE_TIME,
        FindingKind.UNKNOWN_KEY,
        FindingKind.LARGE_DIRECTORY,
    }
)

_TEXTS: Mapping[FindingKind, tuple[str, str]] = {
    FindingKind.DANGLING_ENTRY: (
        (
            "The request name points at a group object that is gone: the rest of an undo, or of a"
            " deleted RBD group. Ceph-CSI fails for this name for ever."
        ),
        "repair removes the entry; the next request then starts afresh.",
    ),
    FindingKind.UNPOPULATED_GROUP: (
        (
            "The request name points at a group object without a request name and members: a driver"
            " died while it made the group. Ceph-CSI fails for this name for ever."
        ),
        "repair removes the group object and the entry.",
    ),
    FindingKind.NAMELESS_GROUP: (
        (
            "The request name points at a group that has members but has lost its own request name."
            " Ceph-CSI fails for this name for ever."
        ),
        "If the members are this request's: attach. If nobody needs them: drop.",
    ),
    FindingKind.ORPHAN_GROUP: (
        (
            "No request name points at this group, and it has no members: a client died between the"
            " two writes of a reservation, or two hosts reserved one name."
        ),
        "repair removes the group object.",
    ),
    FindingKind.DETACHED_GROUP: (
        "No request name points at this group, but it has members: somebody may be using it.",
        "Look at its members; attach it again if it is in use, drop it if it is not.",
    ),
    FindingKind.EMPTY_OBJECT: (
        (
            "A group object that says nothing, and no request name points at it: a driver died"
            " right after it created the object."
        ),
        "repair removes the object.",
    ),
    FindingKind.REVIVED_GROUP: (
        (
            "A group object with members and without a request name, and nothing points at it:"
            " members were added after the group was removed."
        ),
        "repair removes the object; the backup keeps its members.",
    ),
    FindingKind.NAME_MISMATCH: (
        (
            "The request name points at a group that says it belongs to another request name."
            ' Ceph-CSI fails with "internal state inconsistent, omap names mismatch".'
        ),
        (
            "Where the other name's own entry is right, repair removes this entry, and the group if"
            " it has no members. Otherwise decide whose the group is: attach or drop."
        ),
    ),
    FindingKind.SHARED_UUID: (
        "Two request names point at one group; undoing one would remove the other's group.",
        "Where the group says whose it is, repair removes the other entry. Otherwise drop one.",
    ),
    FindingKind.CORRUPT_ENTRY: (
        (
            "The entry of the request name does not hold a group UUID. Ceph-CSI fails for this name"
            " for ever."
        ),
        "If you know the group, attach it after dropping the entry; else drop the entry.",
    ),
    FindingKind.WRONG_GROUP_NAME: (
        "The group's name does not end in its UUID, so that an undo by that name goes astray.",
        "attach gives the group its proper name again.",
    ),
    FindingKind.STALE_LEASE: (
        (
            "A client wrote down UUIDs that it was going to use and never gave them back: it died,"
            " or lost its connection."
        ),
        "recover, or repair, revokes the lease and removes what it stranded.",
    ),
    FindingKind.INVALID_REQUEST_NAME: (
        (
            "The request name breaks the CSI rules (empty, over 128 bytes, or with control"
            " characters). Ceph-CSI took it; csijournal refuses to reserve or undo it."
        ),
        "Nothing needs to be done while it is in use; drop removes it.",
    ),
    FindingKind.MISSING_ATTRIBUTE: (
        (
            "The group has no csi.groupname. csijournal derives it; Ceph-CSI answers with an empty"
            " name."
        ),
        "attach writes the name again.",
    ),
    FindingKind.UNREADABLE_TIME: (
        "The creation time is missing, as in groups made by Ceph-CSI 3.11, or cannot be read.",
        "Nothing needs to be done: it counts as unknown.",
    ),
    FindingKind.UNKNOWN_KEY: (
        "The directory has a key that is neither an entry nor a lease.",
        "csijournal leaves alone what it does not understand.",
    ),
    FindingKind.LARGE_DIRECTORY: (
        "The directory object nears the 200,000 keys at which Ceph warns of a large omap object.",
        "Undo what is not needed, or let further drivers use other instance ids.",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    `found` says what lies there; `automatic` says whether repair may mend it by
    itself, and `commands` are the arguments of the commands that do what
    repair must not decide.
    """

    kind: FindingKind
    object_name: str
    instance_id: str = ""
    key: str = ""
    request_name: str | None = None
    group_uuid: str = ""
    found: str = ""
    automatic: bool = False
    commands: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All of it for a script, with the texts of its kind."""
        fields = asdict(self)
        del fields["kind"], fields["object_name"], fields["instance_id"]
        return {
            "kind": self.kind.value,
            "severity": self.kind.severity.value,
            "instance": self.instance_id,
            "object": self.object_name,
            **fields,
            "meaning": self.kind.meaning,
            "cure": self.kind.remedy,
        }

    @classmethod
    def from_json(cls, line: str) -> Finding:
        """Read what `to_json` gave.  Raises InvalidInput."""
        try:
            fields = json.loads(line)
            return cls(
                kind=FindingKind(fields["kind"]),
                object_name=_text(fields["object"]),
                instance_id=_text(fields["instance"]),
                key=_text(fields["key"]),
                request_name=None
                if fields["request_name"] is None
                else _text(fields["request_name"]),
                group_uuid=_text(fields["group_uuid"]),
                found=_text(fields["found"]),
                automatic=fields["automatic"] is True,
                commands=tuple(tuple(map(_text, words)) for words in fields["commands"]),
            )
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise InvalidInput(
                f"this is not a finding: {line.strip()[:80]!r}",
                hint="Give the output of `csijournal verify -o json`",
            ) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
