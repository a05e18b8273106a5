"""From a finding to the steps that repair it: one planner for each kind.

A plan is made from the state of the moment; what has become right in the
meantime has no plan.  Planning writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from csijournal.check.catalog import may_repair_alone
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.records import kind_without_entry
from csijournal.errors import InvalidInput
from csijournal.journal.finality import standing_leases
from csijournal.journal.grace import GRACE_SECONDS, Grace, newest_ns
from csijournal.journal.steps import GroupRecords, Records
from csijournal.repair.plan import Plan, Recheck, Step
from csijournal.store.contract import KeyEquals, ObjectState, Store, Unchanged, Write, check_name
from csijournal.wire.leases import Lease
from csijournal.wire.records import GroupRecord, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode, shortened
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import require_uuid

_OF_ENTRIES = frozenset(
    {
        FindingKind.DANGLING_ENTRY,
        FindingKind.UNPOPULATED_GROUP,
        FindingKind.NAME_MISMATCH,
        FindingKind.SHARED_UUID,
    }
)
"""Kinds whose finding is about a request name."""


class Planner:
    """Plans for the findings of one store; `grace_seconds` as for verify."""

    def __init__(
        self,
        store: Store,
        *,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        self._store = store
        self._grace = Grace.of_seconds(grace_seconds, clock=clock)
        self._clock = clock
        self._planners: Mapping[FindingKind, Callable[[Finding], Iterator[Step]]] = {
            FindingKind.DANGLING_ENTRY: self._dangling_entry,
            FindingKind.UNPOPULATED_GROUP: self._unpopulated_group,
            FindingKind.ORPHAN_GROUP: self._without_entry,
            FindingKind.EMPTY_OBJECT: self._without_entry,
            FindingKind.NAME_MISMATCH: self._mismatch,
            FindingKind.SHARED_UUID: self._mismatch,
            FindingKind.STALE_LEASE: self._stale_lease,
        }

    def plan(self, finding: Finding) -> Plan | None:
        """What to do about `finding`; None where it is for people, or has healed."""
        planner = self._planners.get(finding.kind)
        if planner is None or not finding.automatic:
            return None
        if not may_repair_alone(finding.kind, self._store):
            return None  # a file may say otherwise
        steps = tuple(planner(finding))
        if not steps:
            return None
        named = (finding.request_name, finding.group_uuid, finding.object_name)
        names = tuple(dict.fromkeys(filter(None, named)))
        return Plan(f"{finding.kind} {finding.object_name}", steps, names, finding)

    def check(self, finding: Finding) -> None:
        """Raise InvalidInput where a finding that comes from a file cannot be planned for."""
        if finding.kind not in self._planners or not finding.automatic:
            return
        # A record may say a request name that is not text, an entry never has one.
        entry = finding.request_name if finding.kind in _OF_ENTRIES else ""
        for text in filter(None, (finding.object_name, finding.key, finding.instance_id, entry)):
            check_name(text)
        if finding.kind is FindingKind.STALE_LEASE:
            return
        if finding.kind in _OF_ENTRIES and finding.request_name is None:
            raise InvalidInput(f"a {finding.kind} finding must name its request name")
        require_uuid(finding.group_uuid)

    # One planner a kind

    def _dangling_entry(self, finding: Finding) -> Iterator[Step]:
        records, name, group_uuid = self._entry_of(finding)
        gone = _is_gone(records, group_uuid)
        if records.entry_matches(name, group_uuid) and gone():
            yield _remove_entry(records, name, group_uuid, gone)

    def _unpopulated_group(self, finding: Finding) -> Iterator[Step]:
        records, name, group_uuid = self._entry_of(finding)
        state = self._store.read_state(GROUPS.record_object(group_uuid))
        if not records.entry_matches(name, group_uuid):
            return
        if state is not None:
            record = parse_group(state.entries)
            if record.populated or record.volume_map or not self._is_old(state, record):
                return
            yield from self.final_steps(group_uuid)
            yield remove_group_step(group_uuid, state, record)
        yield _remove_entry(records, name, group_uuid, _is_gone(records, group_uuid))

    def _without_entry(self, finding: Finding) -> Iterator[Step]:
        return self._unentered_and_old(require_uuid(finding.group_uuid), finding.kind)

    def _mismatch(self, finding: Finding) -> Iterator[Step]:
        records, name, group_uuid = self._entry_of(finding)

        def still() -> bool:
            record = records.read_record(group_uuid)
            if record is None:
                return True
            owner = record.request_name
            return owner not in {None, name} and records.is_consistent(owner or "")

        if records.entry_matches(name, group_uuid) and still():
            yield _remove_entry(records, name, group_uuid, still)
            if may_repair_alone(FindingKind.ORPHAN_GROUP, self._store):
                yield from self._unentered_and_old(group_uuid, FindingKind.ORPHAN_GROUP)

    def _stale_lease(self, finding: Finding) -> Iterator[Step]:
        records = Records(self._store, GROUPS, finding.instance_id, validate=False)
        for lease in records.leases():
            if lease.key != finding.key or not self._grace.is_over(lease.since.nanoseconds):
                continue
            if lease.revoked:
                yield from self._stranded(lease)
                yield _forget_lease(records, lease)
            else:
                yield revoke_step(records, lease, self._clock())
                yield from self._stranded(lease)

    def _stranded(self, lease: Lease) -> Iterator[Step]:
        for group_uuid in lease.uuids:
            state = self._store.read_state(GROUPS.record_object(group_uuid))
            if state is not None:
                step = self._remove_unentered(group_uuid, state, FindingKind.ORPHAN_GROUP)
                if step is not None:
                    yield from self.final_steps(group_uuid, revoked=lease)
                    yield step

    def _unentered_and_old(self, group_uuid: str, kind: FindingKind) -> Iterator[Step]:
        state = self._store.read_state(GROUPS.record_object(group_uuid))
        if state is None:
            return
        step = self._remove_unentered(group_uuid, state, kind)
        if step is not None and self._is_old(state, parse_group(state.entries)):
            yield from self.final_steps(group_uuid)
            yield step

    def _remove_unentered(
        self, group_uuid: str, state: ObjectState, kind: FindingKind
    ) -> Step | None:
        record = parse_group(state.entries)
        step = remove_group_step(
            group_uuid, state, record, lambda: self.unentered(group_uuid, record)
        )
        return step if kind_without_entry(record) is kind and step.recheck() else None

    def final_steps(self, group_uuid: str, *, revoked: Lease | None = None) -> Iterator[Step]:
        """What makes it final that no entry points at a record that was read before.

        Its owner may be between its two writes.  So every lease that lists the
        UUID goes first, but for the one that another step has `revoked`.
        """
        directories = [
            Records(self._store, GROUPS, instance_id, validate=False)
            for instance_id in self._instances
        ]
        for records, lease in standing_leases(directories, group_uuid):
            if revoked is None or lease.lease_id != revoked.lease_id:
                yield revoke_step(records, lease, self._clock())

    # What the planners ask

    def _entry_of(self, finding: Finding) -> tuple[GroupRecords, str, str]:
        if finding.request_name is None:
            raise InvalidInput(f"a {finding.kind} finding must name its request name")
        records = Records(self._store, GROUPS, finding.instance_id, validate=False)
        return records, finding.request_name, require_uuid(finding.group_uuid)

    def unentered(self, group_uuid: str, record: GroupRecord) -> bool:
        """Whether no instance's entry of the group's name points at the group."""
        name = record.request_name
        return name is None or not any(
            Records(self._store, GROUPS, instance_id, validate=False).entry_matches(
                name, group_uuid
            )
            for instance_id in self._instances
        )

    @cached_property
    def _instances(self) -> list[str]:
        return instances_of(self._store)

    def _is_old(self, state: ObjectState, record: GroupRecord) -> bool:
        return self._grace.is_over(newest_ns(state.modified_ns, record.creation_time))


def revoke_step(records: GroupRecords, lease: Lease, now: Timestamp) -> Step:
    """The step that revokes a lease as it stands."""
    return Step(
        f"revoke the lease {lease.lease_id} of {lease.since}",
        records.revocation(lease, now),
        undoable=False,
    )


def _forget_lease(records: GroupRecords, lease: Lease) -> Step:
    unchanged = KeyEquals(lease.key, lease.value)
    return Step(
        f"remove the revoked lease {lease.lease_id}",
        Write(records.directory, guards=(unchanged,), deletions=(lease.key,)),
        undoable=False,
    )


def instances_of(store: Store) -> list[str]:
    """Every instance that has a directory in the location.  Lists its objects."""
    names = store.object_names(GROUPS.directory_prefix)
    return [i for name in names if (i := GROUPS.instance_of(name)) is not None]


def _is_gone(records: GroupRecords, group_uuid: str) -> Recheck:
    """That the group object is not there, or not any more."""
    return lambda: records.read_record(group_uuid) is None


def _remove_entry(
    records: GroupRecords, request_name: str, group_uuid: str, recheck: Recheck
) -> Step:
    key = GROUPS.entry_key(request_name)
    return Step(
        f"remove the entry {shortened(request_name)} -> {group_uuid}",
        Write(
            records.directory,
            guards=(KeyEquals(key, encode(group_uuid)),),
            deletions=(key,),
        ),
        recheck,
    )


def remove_group_step(
    group_uuid: str, state: ObjectState, record: GroupRecord, recheck: Recheck = lambda: True
) -> Step:
    """The step that removes a group object as `state` shows it."""
    owner = "" if record.request_name is None else f" of {shortened(record.request_name)}"
    members = f" with {record.content_in_words}" if record.volume_map else ""
    return Step(
        f"remove the group object {group_uuid}{owner}{members}",
        Write(
            GROUPS.record_object(group_uuid),
            guards=(Unchanged(state.version),),
            remove_object=True,
        ),
        recheck,
    )
