"""What a check looked at, what it found, and what it did not look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass, field
from operator import add

from csijournal.check.catalog import FindingKind, Severity
from csijournal.check.findings import Finding
from csijournal.check.kubernetes_look import KubernetesLook
from csijournal.wire.records import AnyRecord, GroupRecord
from csijournal.wire.schema import GROUPS, SCHEMAS, AnySchema
from csijournal.wire.text import number_of
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
class Counts:
    """What was seen of one journal.

    `directories` are those that exist, `records` those that an entry points at
    and that are in order, `listed` the objects of records, where objects were
    listed.
    """

    directories: int = 0
    keys: int = 0
    entries: int = 0
    records: int = 0
    leases: int = 0
    listed: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*map(add, astuple(self), astuple(other)))

    @property
    def is_there(self) -> bool:
        """Whether the location has anything of this journal."""
        return bool(self.directories or self.listed)


def _counts() -> dict[str, Counts]:
    return {schema.journal: Counts() for schema in SCHEMAS}


@dataclass
class Summary:
    """What was looked at, filled while the findings come.

    `journals` counts by journal.  `ages_days` and `sizes` count groups by whole
    days of age (-1 for unknown) and by number of members.  `objects_walked`
    counts all objects that a listing passed, and `objects_listed` those of
    journals among them.  `journal_found` says whether the instance that was
    asked for has a directory here.  `stands_alone` is the store's.  `compared`
    counts the things that records were compared with, by their kind;
    `compared_with` is the inventory's name, and `compared_whole` says whether it
    could look at everything.
    `namespaces` are others of the pool that hold journals.  `not_looked_at`
    names, in words, what this check did not look at, and `not_given` what
    nobody gave it to compare with.  `kubernetes` tells of the lists, where some
    were given.  `leaked_bytes` is what nobody uses, as it was provisioned: an
    upper bound.
    """

    journals: dict[str, Counts] = field(default_factory=_counts)
    instances: list[str] = field(default_factory=list)
    members: int = 0
    pending: int = 0
    pending_named: list[Pending] = field(default_factory=list)
    objects_walked: int = 0
    objects_listed: int = 0
    listing_ended: bool = False
    journal_found: bool = False
    stands_alone: bool = False
    compared_with: str = ""
    compared: dict[str, int] = field(default_factory=dict)
    compared_whole: bool = True
    namespaces: list[str] = field(default_factory=list)
    other_journals: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    not_given: list[str] = field(default_factory=list)
    kubernetes: KubernetesLook | None = None
    leaked_bytes: int = 0
    kinds: Counter[FindingKind] = field(default_factory=Counter)
    severities: Counter[Severity] = field(default_factory=Counter)
    graded: Counter[tuple[FindingKind, Severity]] = field(default_factory=Counter)
    ages_days: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Whether all that can be looked at here was looked at."""
        return not self.not_looked_at

    @property
    def left_out(self) -> list[str]:
        """All that was not looked at, and what was not given to compare with, in words."""
        return [*self.not_looked_at, *self.not_given]

    @property
    def compared_in_words(self) -> str:
        """With how many things of each kind records were compared; empty for none."""
        return ", ".join(map(_number_of_things, self.compared.values(), self.compared))

    @property
    def records(self) -> int:
        """How many records are in order."""
        return sum(counts.records for counts in self.journals.values())

    @property
    def keys(self) -> int:
        """How many keys of directories were read."""
        return sum(counts.keys for counts in self.journals.values())

    @property
    def entries(self) -> int:
        """How many entries were read."""
        return sum(counts.entries for counts in self.journals.values())

    @property
    def leases(self) -> int:
        """How many leases were read."""
        return sum(counts.leases for counts in self.journals.values())

    @property
    def listed(self) -> int:
        """How many objects of records were listed."""
        return sum(counts.listed for counts in self.journals.values())

    @property
    def groups(self) -> int:
        """How many groups are in order."""
        return self.journals[GROUPS.journal].records

    def count(self, finding: Finding) -> None:
        """Count a finding."""
        severity = finding.severity
        self.severities[severity] += 1
        self.kinds[finding.kind] += 1
        self.graded[finding.kind, severity] += 1
        self.leaked_bytes += finding.leaked_bytes

    def kinds_of(self, severity: Severity) -> list[tuple[FindingKind, int]]:
        """How many findings of each kind matter so much, the most frequent first."""
        found = Counter(
            {kind: count for (kind, grave), count in self.graded.items() if grave is severity}
        )
        return found.most_common()

    def note_not_looked_at(self, what: str) -> None:
        """Note in words, once, what was not looked at."""
        if what not in self.not_looked_at:
            self.not_looked_at.append(what)

    def count_pending(self, pending: Pending) -> None:
        """Count a record that may be in use, and name it while there are not too many."""
        self.pending += 1
        if len(self.pending_named) < NAMED_MAX:
            self.pending_named.append(pending)

    def count_record(self, schema: AnySchema, record: AnyRecord, now_ns: int) -> None:
        """Count a record in order, and a group by its age and its members."""
        self.journals[schema.journal].records += 1
        if isinstance(record, GroupRecord):
            created = record.creation_time
            self.members += len(record.volume_map)
            self.sizes[len(record.volume_map)] += 1
            self.ages_days[(now_ns - created.nanoseconds) // _DAY_NS if created else -1] += 1


def _number_of_things(count: int, kind: str) -> str:
    """As `number_of`, of what may have more words behind its noun: "image in the trash"."""
    noun, space, rest = kind.partition(" in ") if " in " in kind else kind.partition(" of ")
    return number_of(count, noun) + space + rest
