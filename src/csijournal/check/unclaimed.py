"""Volumes, snapshots and groups that no object of Kubernetes holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from csijournal.check.behind import behind_record, role_of
from csijournal.check.catalog import FindingKind
from csijournal.check.claims import made_for, provisioned
from csijournal.check.commands import Words, retire
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.kubernetes_claims import Claims
from csijournal.check.kubernetes_look import NAMED_MAX, KubernetesLook, moment_in_words
from csijournal.inventory.contract import Behind, Details, NotCompared, Role, Thing, ThingKind
from csijournal.inventory.names import driver_name
from csijournal.journal.steps import AnyRecords, Records
from csijournal.wire.handles import Handle
from csijournal.wire.records import AnyRecord, ImageRecord
from csijournal.wire.schema import AnySchema


class _Suspect(NamedTuple):
    role: Role
    uuid: str
    record: AnyRecord
    created_ns: int
    details: Details | None
    not_compared: tuple[NotCompared, ...]


@dataclass(frozen=True)
class UnclaimedJudge:
    """Judges records that no object holds, one by one.  Raises StoreError.

    `mapped` gives the old handle by which Kubernetes may know a volume.
    """

    context: Context
    claims: Claims
    look: KubernetesLook
    mapped: Mapping[str, Handle]

    def findings(
        self, schema: AnySchema, instance_id: str, uuids: Iterable[str]
    ) -> Iterator[Finding]:
        """What is still there, and certainly older than the lists that do not name it."""
        records: AnyRecords = Records(self.context.store, schema, instance_id, validate=False)
        for uuid, record in records.read_records(uuids):
            if record is not None and record.populated and not self._is_claimed_by_old(uuid):
                yield from self._judge(schema, instance_id, uuid, record)

    def _is_claimed_by_old(self, uuid: str) -> bool:
        old = self.mapped.get(uuid)
        return old is not None and self.claims.is_claimed(Role.VOLUME, old.object_uuid)

    def _judge(
        self, schema: AnySchema, instance_id: str, uuid: str, record: AnyRecord
    ) -> Iterator[Finding]:
        role = role_of(schema)
        behind = behind_record(self.context.inventory, schema, uuid, record)
        thing = _standing(behind)
        if thing is None and role is not Role.GROUP and self._is_image_missing(behind):
            return  # the comparison with images tells that, and no space is leaked
        details = None if thing is None else self.context.inventory.details(thing)
        read = details if isinstance(details, Details) else None
        created_ns = self._created_ns(schema, uuid, record, read)
        if created_ns is None or (thing is not None and details is None):
            return  # gone by now
        not_read = (details,) if isinstance(details, NotCompared) else ()
        if created_ns + self.context.grace.grace_ns > (self.claims.lists.listed_ns or 0):
            self.look.newer += 1
            return
        suspect = _Suspect(role, uuid, record, created_ns, read, (*behind.not_compared, *not_read))
        yield self.context.finding_of(
            FindingKind.UNCLAIMED,
            schema,
            uuid,
            "; ".join(self._said(suspect)),
            instance_id=instance_id,
            request_name=record.request_name,
            thing=_named(thing) if thing else "",
            size_bytes=read.size_bytes if read else None,
            commands=(("show", "--referrers", uuid), *_retire(role, uuid)),
        )

    def _is_image_missing(self, behind: Behind) -> bool:
        return not behind.not_compared and self.context.inventory.name != "none"

    def _created_ns(
        self, schema: AnySchema, uuid: str, record: AnyRecord, details: Details | None
    ) -> int | None:
        """When it was made, or a later time; None where it is gone."""
        if details is not None and details.created_ns is not None:
            return details.created_ns
        if record.creation_time is not None:
            return record.creation_time.nanoseconds
        return self.context.store.modified_ns(schema.record_object(uuid))

    def _said(self, suspect: _Suspect) -> Iterator[str]:
        kinds = " or ".join(kind.value for kind in self.claims.kinds(suspect.role))
        listed = moment_in_words(self.claims.lists.listed_ns or 0)
        yield f"no {kinds} in the lists of {listed} holds it"
        made = f"made at {moment_in_words(suspect.created_ns)}"
        details, record = suspect.details, suspect.record
        size = provisioned(details) if details else ""
        yield f"{made}, {size} (an upper bound)" if size else made
        if isinstance(record, ImageRecord):
            owner = made_for(details.metadata if details else {}, record)
            if owner:
                yield owner
        made_from = self.claims.sources(suspect.role, suspect.uuid)[:NAMED_MAX]
        if made_from:
            yield f"it is the source of {', '.join(map(str, made_from))}"
        yield from map(str, suspect.not_compared)


def _retire(role: Role, uuid: str) -> tuple[Words, ...]:
    return () if role is Role.GROUP else (retire(uuid),)


def _standing(behind: Behind) -> Thing | None:
    """The image, subvolume or group itself.

    What is in the trash does not stand any more, and the intermediate image of
    a clone is a finding of its own (`temp-image-left`).
    """
    return next(filter(_stands, behind.things), None)


def _stands(thing: Thing) -> bool:
    name = driver_name(thing.name)
    return thing.kind is not ThingKind.TRASHED_IMAGE and not (name and name.is_temporary)


def _named(thing: Thing) -> str:
    return f"{thing} (id {thing.thing_id})" if thing.thing_id else str(thing)
