"""What all parts of one check share: the store, its time, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass

from csijournal.check.catalog import FindingKind, may_repair_alone
from csijournal.check.findings import Finding
from csijournal.check.reading import Seen
from csijournal.check.summary import Pending, Summary
from csijournal.journal.grace import Grace, newest_ns
from csijournal.store.contract import Store, Unreadable
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

Words = tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """One check of one store.

    The clock of `grace` stands still, so that a long check never calls something
    old that was young when it began.
    """

    store: Store
    summary: Summary
    grace: Grace

    @property
    def now_ns(self) -> int:
        """The moment of the check, in nanoseconds since 1970."""
        return self.grace.clock().nanoseconds

    def modified_ns(self, seen: Seen) -> int | None:
        """When the group last changed; None where it is gone."""
        modified_ns = self.store.modified_ns(GROUPS.record_object(seen.group_uuid))
        if modified_ns is None:
            return None
        return newest_ns(modified_ns, seen.record.creation_time if seen.record else None)

    def is_left(self, seen: Seen, request_name: str | None, instance_id: str) -> bool:
        """Whether the group is there and old; one that is young is counted as pending."""
        modified_ns = self.modified_ns(seen)
        if modified_ns is None or seen.record is None:
            return False
        if self.grace.is_over(modified_ns):
            return True
        self.summary.count_pending(
            Pending(
                GROUPS.record_object(seen.group_uuid),
                instance_id,
                request_name,
                seen.group_uuid,
                "empty" if not seen.record.volume_map else seen.record.content_in_words,
                age_seconds=max(0, self.grace.age_ns(modified_ns)) / NANOSECONDS,
                look_again=Timestamp(modified_ns + self.grace.grace_ns),
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
        """A finding about a group; `certain` where the check could prove what is right.

        Repair decides it alone where it is certain, the catalogue allows it in
        this store, and all of the object could be read.
        """
        why = self._left_because(kind, seen) if certain else ""
        return Finding(
            kind,
            GROUPS.record_object(seen.group_uuid),
            instance_id,
            key=key,
            request_name=request_name,
            uuid=seen.group_uuid,
            found=found,
            automatic=certain and not why,
            commands=() if certain and not why else commands,
            left_because=why,
        )

    def unreadable(
        self, unreadable: Unreadable, *, instance_id: str = "", uuid: str = ""
    ) -> Finding:
        """The finding of something that cannot be read."""
        return Finding(
            FindingKind.UNREADABLE_KEY,
            unreadable.object_name,
            instance_id,
            key=unreadable.shown,
            uuid=uuid,
            found="; ".join(filter(None, (unreadable.problem, self.store.advice(unreadable)))),
        )

    def _left_because(self, kind: FindingKind, seen: Seen) -> str:
        if seen.unreadable:
            return "The object holds a key that cannot be read."
        return "" if may_repair_alone(kind, self.store) else kind.alone_reason
