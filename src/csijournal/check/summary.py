"""What a check looked at, what it found, and what it did not look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from csijournal.check.catalog import FindingKind, Severity
from csijournal.check.findings import Finding
from csijournal.wire.records import GroupRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

NAMED_MAX = 1000
"""How many pending records a summary names; all of them are counted."""

_DAY_NS = 24 * 60 * 60 * NANOSECONDS


@dataclass(frozen=True)
class Pending:
    """A record that a client may be making now.

    `found` says what is there, `age_seconds` how old that is, and `look_again`
    when it will be older than the grace time.
    """

    object_name: str
    instance_id: str
    request_name: str | None
    uuid: str
    found: str
    age_seconds: float
    look_again: Timestamp
    journal: str = GROUPS.journal

    def to_json(self) -> dict[str, object]:
        """All of it for a script."""
        return {
            "journal": self.journal,
            "instance": self.instance_id,
            "object": self.object_name,
            "request_name": self.request_name,
            "uuid": self.uuid,
            "found": self.found,
            "age_seconds": round(self.age_seconds),
            "look_again": str(self.look_again),
        }


@dataclass
class Summary:
    """What was looked at, filled while the findings come.

    `ages_days` and `sizes` count groups by whole days of age (-1 for unknown)
    and by number of members.  `objects_walked` counts all objects that a listing
    passed, and `objects_listed` those of journals among them.  `journal_found` says
    whether the instance that was asked for has a directory here.
    `stands_alone` is the store's.  `namespaces` are others of the
    pool that hold journals.  `not_looked_at` names, in words, what this check did not look at.
    """

    instances: list[str] = field(default_factory=list)
    keys: int = 0
    entries: int = 0
    groups: int = 0
    members: int = 0
    leases: int = 0
    pending: int = 0
    pending_named: list[Pending] = field(default_factory=list)
    objects_walked: int = 0
    objects_listed: int = 0
    group_objects: int = 0
    listing_ended: bool = False
    journal_found: bool = False
    stands_alone: bool = False
    namespaces: list[str] = field(default_factory=list)
    other_journals: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    kinds: Counter[FindingKind] = field(default_factory=Counter)
    severities: Counter[Severity] = field(default_factory=Counter)
    notes: Counter[FindingKind] = field(default_factory=Counter)
    ages_days: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether all that this version can look at was looked at."""
        return not self.not_looked_at

    def count(self, finding: Finding) -> None:
        """Count a finding."""
        severity = finding.severity
        self.severities[severity] += 1
        self.kinds[finding.kind] += 1
        if severity is Severity.NOTE:
            self.notes[finding.kind] += 1

    def kinds_of(self, severity: Severity) -> list[tuple[FindingKind, int]]:
        """How many findings of each kind matter so much, the most frequent first."""
        if severity is Severity.NOTE:
            return self.notes.most_common()
        rest = self.kinds - self.notes
        return [(kind, count) for kind, count in rest.most_common() if kind.severity is severity]

    def count_pending(self, pending: Pending) -> None:
        """Count a record that may be in use, and name it while there are not too many."""
        self.pending += 1
        if len(self.pending_named) < NAMED_MAX:
            self.pending_named.append(pending)

    def count_group(self, record: GroupRecord, now_ns: int) -> None:
        """Count a group by its age and its members."""
        created = record.creation_time
        self.groups += 1
        self.members += len(record.volume_map)
        self.sizes[len(record.volume_map)] += 1
        self.ages_days[(now_ns - created.nanoseconds) // _DAY_NS if created else -1] += 1
