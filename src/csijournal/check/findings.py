"""One thing that is wrong, for people, for scripts and for repair."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from csijournal.check.catalog import LEAKS, Alone, FindingKind, Severity, severity_of
from csijournal.errors import InvalidInput
from csijournal.wire.schema import GROUPS, schema_of

__all__ = ["Finding", "FindingKind", "Severity"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a record, an entry or another object of a journal.

    `uuid` names the record, and `journal` the journal that it belongs to.
    `found` says what is there.  `automatic` says whether repair may act on it
    alone; where it may not, `left_because` says why, if the kind would allow
    it, and `commands` are the arguments of the commands for a person to choose.
    `thing` is what it is about outside of the journals, such as an image, and
    `size_bytes` what that was provisioned with: an upper bound of what it takes.
    `lowered_to` says that it matters less here than others of its kind.
    """

    kind: FindingKind
    object_name: str
    instance_id: str = ""
    key: str = ""
    request_name: str | None = None
    uuid: str = ""
    found: str = ""
    automatic: bool = False
    commands: tuple[tuple[str, ...], ...] = ()
    journal: str = GROUPS.journal
    left_because: str = ""
    thing: str = ""
    size_bytes: int | None = None
    lowered_to: Severity | None = None

    @property
    def group_uuid(self) -> str:
        """The UUID where the finding is about a group; empty for another journal's record."""
        return self.uuid if self.journal == GROUPS.journal else ""

    @property
    def severity(self) -> Severity:
        """How much this finding matters."""
        return self.lowered_to or severity_of(self.kind, self.request_name, self.journal)

    @property
    def leaked_bytes(self) -> int:
        """The space that it is about, where nobody uses that: an upper bound; 0 for unknown."""
        is_leak = self.kind in LEAKS and self.severity is not Severity.NOTE
        return self.size_bytes or 0 if is_leak else 0

    def to_json(self) -> dict[str, Any]:
        """All of it for a script, with the texts of its kind."""
        return {
            "kind": self.kind.value,
            "severity": self.severity.value,
            "journal": self.journal,
            "instance": self.instance_id,
            "object": self.object_name,
            "key": self.key,
            "request_name": self.request_name,
            "group_uuid": self.group_uuid,
            "uuid": self.uuid,
            "found": self.found,
            "automatic": self.automatic,
            "commands": self.commands,
            "left_because": self.left_because,
            "thing": self.thing,
            "size_bytes": self.size_bytes,
            "lowered_to": self.lowered_to.value if self.lowered_to else None,
            "meaning": self.kind.meaning,
            "cure": self.kind.remedy,
        }

    @classmethod
    def from_json(cls, line: str) -> Finding:
        """Read what `to_json` gave, in this version or an earlier one.  Raises InvalidInput.

        What the file says of a kind that repair must never decide is not taken
        from the file.
        """
        try:
            fields = json.loads(line)
            kind = FindingKind.named(fields["kind"])
            return cls(
                kind=kind,
                object_name=_text(fields["object"]),
                instance_id=_text(fields["instance"]),
                key=_text(fields["key"]),
                request_name=None
                if fields["request_name"] is None
                else _text(fields["request_name"]),
                uuid=_uuid(_text(fields.get("uuid", "")), _text(fields["group_uuid"])),
                found=_text(fields["found"]),
                automatic=fields["automatic"] is True and kind.alone is not Alone.NEVER,
                commands=tuple(tuple(map(_text, words)) for words in fields["commands"]),
                journal=schema_of(_text(fields.get("journal", GROUPS.journal))).journal,
                left_because=_text(fields.get("left_because", "")),
                thing=_text(fields.get("thing", "")),
                size_bytes=_number(fields.get("size_bytes")),
                lowered_to=_severity(fields.get("lowered_to")),
            )
        except (ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
            raise InvalidInput(
                f"this is not a finding: {line.strip()[:80]!r}",
                hint="Give the output of `csijournal verify -o json`",
            ) from error


def _uuid(uuid: str, group_uuid: str) -> str:
    """The one UUID of a finding; an earlier version wrote only that of a group."""
    if uuid and group_uuid and uuid != group_uuid:
        raise ValueError("a finding is about one record")
    return uuid or group_uuid


def _severity(value: object) -> Severity | None:
    return None if value is None else Severity(_text(value))


def _number(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
