"""From a finding to the steps that repair it: one planner for each kind.

A plan is made from the state of the moment; what has become right in the
meantime has no plan.  Planning writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from csijournal.check.behind import behind_record, is_nothing_now
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.kinds import (
    OF_ENTRIES,
    UNPOPULATED,
    WITHOUT_ENTRY_ALONE,
    kind_without_entry,
)
from csijournal.check.split import is_entered
from csijournal.errors import InvalidInput
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import Inventory
from csijournal.journal.cleanup import Cleanup
from csijournal.journal.finality import standing_leases
from csijournal.journal.grace import GRACE_SECONDS, Grace, newest_ns
from csijournal.journal.reservations import random_uuid
from csijournal.journal.steps import AnyRecords, Records
from csijournal.repair.image_ids import put_image_id
from csijournal.repair.plan import Plan, Recheck, Step
from csijournal.store.contract import KeyEquals, ObjectState, Store, Unchanged, Write, check_name
from csijournal.wire.leases import Lease
from csijournal.wire.records import IMAGE_ID_KEY, AnyRecord
from csijournal.wire.schema import GROUPS, AnySchema, schema_of
from csijournal.wire.text import encode, shortened
from csijournal.wire.timestamps import Timestamp
from csijournal.wire.uuids import require_uuid


class Planner:
    """Plans for the findings of one store; `inventory` and `grace_seconds` as for verify.

    An inventory that is given stays the caller's to close.
    """

    def __init__(
        self,
        store: Store,
        *,
        inventory: Inventory | None = None,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], Timestamp] = Timestamp.now,
        new_uuid: Callable[[], str] = random_uuid,
    ) -> None:
        self._store = store
        self.inventory = inventory_of(store) if inventory is None else inventory
        self._grace = Grace.of_seconds(grace_seconds, clock=clock)
        self._clock = clock
        self._new_uuid = new_uuid
        self._instances: dict[str, list[str]] = {}
        self._planners: Mapping[FindingKind, Callable[[Finding], Iterator[Step]]] = {
            FindingKind.DANGLING_ENTRY: self._dangling_entry,
            **dict.fromkeys(UNPOPULATED, self._unpopulated),
            **dict.fromkeys(WITHOUT_ENTRY_ALONE, self._without_entry),
            FindingKind.NAME_MISMATCH: self._mismatch,
            FindingKind.SHARED_UUID: self._mismatch,
            FindingKind.STALE_LEASE: self._stale_lease,
            FindingKind.MISSING_ATTRIBUTE: self._missing_attribute,
        }

    def plan(self, finding: Finding) -> Plan | None:
        """What to do about `finding`; None where it is for people, or has healed."""
        planner = self._planners.get(finding.kind)
        if planner is None or not finding.automatic:
            return None
        steps = tuple(planner(finding))
        if not steps:
            return None
        named = (finding.request_name, finding.uuid, finding.object_name)
        names = tuple(dict.fromkeys(filter(None, named)))
        return Plan(f"{finding.kind} {finding.object_name}", steps, names, finding)

    def check(self, finding: Finding) -> None:
        """Raise InvalidInput where a finding that comes from a file cannot be planned for."""
        if finding.kind not in self._planners or not finding.automatic:
            return
        # A record may say a request name that is not text, an entry never has one.
        entry = finding.request_name if finding.kind in OF_ENTRIES else ""
        for text in filter(None, (finding.object_name, finding.key, finding.instance_id, entry)):
            check_name(text)
        if finding.kind is FindingKind.STALE_LEASE:
            return
        if finding.kind in OF_ENTRIES and finding.request_name is None:
            raise InvalidInput(f"a {finding.kind} finding must name its request name")
        require_uuid(finding.uuid)

    # One planner a kind

    def _dangling_entry(self, finding: Finding) -> Iterator[Step]:
        records, name, uuid = self._entry_of(finding)

        def gone() -> bool:
            return records.read_record(uuid) is None and self._is_nothing_behind(records, uuid)

        if records.entry_matches(name, uuid) and gone():
            yield self.remove_dangling_step(records, name, uuid, gone)

    def _unpopulated(self, finding: Finding) -> Iterator[Step]:
        records, name, uuid = self._entry_of(finding)
        state = self._store.read_state(records.schema.record_object(uuid))
        if not records.entry_matches(name, uuid):
            return
        if state is not None:
            record = records.schema.parse(state.entries)
            if record.populated or record.in_use or not self.is_old(state, record):
                return
            if not self._is_nothing_behind(records, uuid):
                return
            yield from self.final_steps(records.schema, uuid)
            yield remove_record_step(
                records.schema,
                uuid,
                state,
                record,
                lambda: self._is_nothing_behind(records, uuid),
            )
        yield self.remove_dangling_step(records, name, uuid, is_gone(records, uuid))

    def remove_dangling_step(
        self, records: AnyRecords, request_name: str, uuid: str, gone: Recheck
    ) -> Step:
        """The step that removes an entry without a record, and none of a UUID used again."""
        schema = records.schema
        instance_id = records.directory[len(schema.directory_prefix) :]

        def act(store: Store) -> bool:
            directory: AnyRecords = Records(store, schema, instance_id, validate=False)
            cleanup = Cleanup(directory, self._grace, self._new_uuid)
            return cleanup.remove_dangling(request_name, uuid)

        return replace(_remove_entry(records, request_name, uuid, gone), act=act)

    def _without_entry(self, finding: Finding) -> Iterator[Step]:
        schema = schema_of(finding.journal)
        return self._unentered_and_old(schema, require_uuid(finding.uuid), finding.kind)

    def _mismatch(self, finding: Finding) -> Iterator[Step]:
        records, name, uuid = self._entry_of(finding)

        def still() -> bool:
            record = records.read_record(uuid)
            if record is None:
                return True
            owner = record.request_name
            return owner not in {None, name} and records.is_consistent(owner or "")

        if records.entry_matches(name, uuid) and still():
            yield _remove_entry(records, name, uuid, still)
            schema = records.schema
            orphan = FindingKind.ORPHAN_GROUP if schema is GROUPS else FindingKind.ORPHAN_RECORD
            yield from self._unentered_and_old(schema, uuid, orphan)

    def _stale_lease(self, finding: Finding) -> Iterator[Step]:
        records = self._records(finding)
        for lease in records.leases():
            if lease.key != finding.key or not self._grace.is_over(lease.since.nanoseconds):
                continue
            if lease.revoked:
                yield from self._stranded(records.schema, lease)
                yield _forget_lease(records, lease)
            else:
                yield revoke_step(records, lease, self._clock())
                yield from self._stranded(records.schema, lease)

    def _missing_attribute(self, finding: Finding) -> Iterator[Step]:
        if finding.key == IMAGE_ID_KEY:  # of a lost name nobody knows the prefix
            records, uuid = self._records(finding), require_uuid(finding.uuid)
            yield from put_image_id(records, self.inventory, uuid)

    def _stranded(self, schema: AnySchema, lease: Lease) -> Iterator[Step]:
        """Removal of what the lease's owner made and never pointed at."""
        for uuid in lease.uuids:
            state = self._store.read_state(schema.record_object(uuid))
            if state is None:
                continue
            record = schema.parse(state.entries)
            if record.in_use or not record.populated:
                continue  # not as an owner leaves it that never told its UUID to anybody
            if self.unentered(schema, uuid, record):
                yield from self.final_steps(schema, uuid, revoked=lease)
                yield remove_record_step(
                    schema, uuid, state, record, partial(self.unentered, schema, uuid, record)
                )

    def _unentered_and_old(self, schema: AnySchema, uuid: str, kind: FindingKind) -> Iterator[Step]:
        state = self._store.read_state(schema.record_object(uuid))
        if state is None:
            return
        record = schema.parse(state.entries)
        step = self._remove_unentered(schema, uuid, state, record)
        behind = behind_record(self.inventory, schema, uuid, record)
        is_so = kind_without_entry(record, behind) is kind and step.recheck()
        if is_so and self.is_old(state, record):
            yield from self.final_steps(schema, uuid)
            yield step

    def _remove_unentered(
        self, schema: AnySchema, uuid: str, state: ObjectState, record: AnyRecord
    ) -> Step:
        def unused() -> bool:
            nothing = is_nothing_now(self.inventory, schema, uuid, record)
            return nothing and self.unentered(schema, uuid, record)

        return remove_record_step(schema, uuid, state, record, unused)

    def final_steps(
        self, schema: AnySchema, uuid: str, *, revoked: Lease | None = None
    ) -> Iterator[Step]:
        """What makes it final that no entry points at a record: see `final_steps`."""
        instance_ids = self._instances_of(schema)
        return final_steps(self._store, schema, instance_ids, uuid, self._clock(), revoked=revoked)

    # What the planners ask

    def _records(self, finding: Finding) -> AnyRecords:
        schema = schema_of(finding.journal)
        return Records(self._store, schema, finding.instance_id, validate=False)

    def _entry_of(self, finding: Finding) -> tuple[AnyRecords, str, str]:
        if finding.request_name is None:
            raise InvalidInput(f"a {finding.kind} finding must name its request name")
        return self._records(finding), finding.request_name, require_uuid(finding.uuid)

    def _is_nothing_behind(self, records: AnyRecords, uuid: str) -> bool:
        """Whether it is certain that nothing stands behind a record that says nothing."""
        return is_nothing_now(self.inventory, records.schema, uuid)

    def unentered(self, schema: AnySchema, uuid: str, record: AnyRecord) -> bool:
        """Whether no instance's entry of the record's name leads to the record."""
        directories = (
            Records(self._store, schema, instance_id, validate=False)
            for instance_id in self._instances_of(schema)
        )
        return not is_entered(self._store, schema, uuid, record, directories)

    def _instances_of(self, schema: AnySchema) -> list[str]:
        if schema.journal not in self._instances:
            self._instances[schema.journal] = instances_of(self._store, schema)
        return self._instances[schema.journal]

    def is_old(self, state: ObjectState, record: AnyRecord) -> bool:
        """Whether a record is too old for its driver to be making it."""
        return self._grace.is_over(newest_ns(state.modified_ns, record.creation_time))


def final_steps(
    store: Store,
    schema: AnySchema,
    instance_ids: Iterable[str],
    uuid: str,
    now: Timestamp,
    *,
    revoked: Lease | None = None,
) -> Iterator[Step]:
    """What makes it final that no entry points at a record that was read before.

    Its owner may be between its two writes.  So every lease that lists the
    UUID goes first, but for the one that another step has `revoked`.
    """
    directories: list[AnyRecords] = [
        Records(store, schema, instance_id, validate=False) for instance_id in instance_ids
    ]
    for records, lease in standing_leases(directories, uuid):
        if revoked is None or lease.lease_id != revoked.lease_id:
            yield revoke_step(records, lease, now)


def revoke_step(records: AnyRecords, lease: Lease, now: Timestamp) -> Step:
    """The step that revokes a lease as it stands."""
    return Step(
        f"revoke the lease {lease.lease_id} of {lease.since}",
        records.revocation(lease, now),
        undoable=False,
    )


def _forget_lease(records: AnyRecords, lease: Lease) -> Step:
    unchanged = KeyEquals(lease.key, lease.value)
    return Step(
        f"remove the revoked lease {lease.lease_id}",
        Write(records.directory, guards=(unchanged,), deletions=(lease.key,)),
        undoable=False,
    )


def instances_of(store: Store, schema: AnySchema) -> list[str]:
    """Every instance that has a directory in the location.  Lists its objects."""
    names = store.object_names(schema.directory_prefix)
    return [i for name in names if (i := schema.instance_of(name)) is not None]


def is_gone(records: AnyRecords, uuid: str) -> Recheck:
    """That the record is not there, or not any more."""
    return lambda: records.read_record(uuid) is None


def _remove_entry(records: AnyRecords, request_name: str, uuid: str, recheck: Recheck) -> Step:
    key = records.schema.entry_key(request_name)
    return Step(
        f"remove the entry {shortened(request_name)} -> {uuid}",
        Write(
            records.directory,
            guards=(KeyEquals(key, encode(uuid)),),
            deletions=(key,),
        ),
        recheck,
    )


def remove_record_step(
    schema: AnySchema,
    uuid: str,
    state: ObjectState,
    record: AnyRecord,
    recheck: Recheck = lambda: True,
) -> Step:
    """The step that removes a record as `state` shows it."""
    owner = "" if record.request_name is None else f" of {shortened(record.request_name)}"
    what = "group object" if schema is GROUPS else f"{schema.noun} record"
    content = f" with {record.content_in_words}" if record.in_use else ""
    return Step(
        f"remove the {what} {uuid}{owner}{content}",
        Write(
            schema.record_object(uuid),
            guards=(Unchanged(state.version),),
            remove_object=True,
        ),
        recheck,
    )
