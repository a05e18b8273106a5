"""What all parts of one check share: the store, what is behind it, its time, what is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from csijournal.check.behind import behind_record
from csijournal.check.catalog import Alone, FindingKind, Severity
from csijournal.check.comparing import Comparison
from csijournal.check.findings import Finding
from csijournal.check.listing import Listing
from csijournal.check.reading import Seen
from csijournal.check.references import References
from csijournal.check.summary import Pending, Summary
from csijournal.inventory.contract import Behind, Inventory
from csijournal.journal.grace import Grace, newest_ns
from csijournal.store.contract import Store, Unreadable
from csijournal.wire.schema import AnySchema
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

Words = tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """One check of one store.

    The clock of `grace` stands still, so that a long check never calls something
    old that was young when it began.  `references` and `listing` grow while
    records are read.  `full` says whether all of the location is looked at.
    """

    store: Store
    inventory: Inventory
    summary: Summary
    grace: Grace
    references: References
    listing: Listing
    full: bool
    comparisons: list[Comparison] = field(default_factory=list)

    def is_known(self, schema: AnySchema, uuid: str) -> bool:
        """Whether a record of this UUID was listed or read."""
        return self.listing.knows(schema, uuid)

    def looks_at(self, schema: AnySchema) -> bool:
        """Whether this journal is one of those that are checked."""
        return schema.journal in self.listing.records

    @property
    def now_ns(self) -> int:
        """The moment of the check, in nanoseconds since 1970."""
        return self.grace.clock().nanoseconds

    def modified_ns(self, seen: Seen) -> int | None:
        """When the record last changed; None where it is gone."""
        modified_ns = self.store.modified_ns(seen.object_name)
        if modified_ns is None:
            return None
        return newest_ns(modified_ns, seen.record.creation_time if seen.record else None)

    def behind(self, seen: Seen) -> Behind:
        """What stands behind the record."""
        return behind_record(self.inventory, seen.schema, seen.uuid, seen.record)

    def is_left(self, seen: Seen, request_name: str | None, instance_id: str) -> bool:
        """Whether the record is there and old; one that is young is counted as pending."""
        modified_ns = self.modified_ns(seen)
        if modified_ns is None or seen.record is None:
            return False
        if self.grace.is_over(modified_ns):
            return True
        self.summary.count_pending(
            Pending(
                seen.object_name,
                instance_id,
                request_name,
                seen.uuid,
                seen.record.content_in_words if seen.record.in_use else "empty",
                age_seconds=max(0, self.grace.age_ns(modified_ns)) / NANOSECONDS,
                look_again=Timestamp(modified_ns + self.grace.grace_ns),
                journal=seen.schema.journal,
            )
        )
        return False

    def finding(
        self,
        kind: FindingKind,
        seen: Seen,
        found: str,
        *,
        instance_id: str = "",
        key: str = "",
        request_name: str | None = None,
        certain: bool = False,
        commands: tuple[Words, ...] = (),
    ) -> Finding:
        """A finding about a record; `certain` where the check could prove what is right.

        Repair decides it alone where it is certain, the catalogue allows it, all
        of the object could be read, and nothing hangs on it.
        """
        return self.finding_of(
            kind,
            seen.schema,
            seen.uuid,
            found,
            instance_id=instance_id,
            key=key,
            request_name=request_name,
            commands=commands,
            certain=certain,
            left_because=self._left_because(kind, seen) if certain else "",
        )

    def finding_of(
        self,
        kind: FindingKind,
        schema: AnySchema,
        uuid: str,
        found: str,
        *,
        instance_id: str = "",
        key: str = "",
        request_name: str | None = None,
        thing: str = "",
        size_bytes: int | None = None,
        commands: tuple[Words, ...] = (),
        certain: bool = False,
        left_because: str = "",
        lowered_to: Severity | None = None,
    ) -> Finding:
        """A finding about the record of `uuid`, be it there or missing.

        It is repair's where it is `certain` and nothing says why it is left.
        `lowered_to` is how much it matters here, if less than its kind does.
        """
        automatic = certain and not left_because
        return Finding(
            kind,
            schema.record_object(uuid),
            instance_id,
            key=key,
            request_name=request_name,
            uuid=uuid,
            found=found,
            automatic=automatic,
            commands=() if automatic else commands,
            journal=schema.journal,
            left_because=left_because,
            thing=thing,
            size_bytes=size_bytes,
            lowered_to=lowered_to,
        )

    def unreadable(
        self, unreadable: Unreadable, *, journal: str, instance_id: str = "", uuid: str = ""
    ) -> Finding:
        """The finding of something that cannot be read."""
        return Finding(
            FindingKind.UNREADABLE_KEY,
            unreadable.object_name,
            instance_id,
            key=unreadable.shown,
            uuid=uuid,
            found="; ".join(filter(None, (unreadable.problem, self.store.advice(unreadable)))),
            journal=journal,
        )

    def _left_because(self, kind: FindingKind, seen: Seen) -> str:
        """Why repair must leave it, though the check could prove what is right."""
        if seen.unreadable:
            return "The object holds a key that cannot be read."
        if kind.alone is Alone.NEVER:
            return kind.alone_reason
        return self._what_hangs_on(seen) if kind.alone is Alone.IF_NOTHING_BEHIND else ""

    def _what_hangs_on(self, seen: Seen) -> str:
        """What stands behind the record or names it, in a sentence; "" for nothing."""
        behind = self.behind(seen)
        if behind.things:
            return f"There is {', '.join(map(str, behind.things))}."
        if behind.not_compared:
            return f"Whether something stands behind it is not known: {behind.not_compared[0]}."
        if seen.record is None:
            return ""
        reasons = (one.why_kept(seen.schema, seen.uuid) for one in self.comparisons)
        return next(filter(None, reasons), "")
