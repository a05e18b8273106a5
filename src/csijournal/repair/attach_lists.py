"""Attaching what Kubernetes holds: one volume or snapshot, or all whose records are lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from csijournal.check.behind import role_of
from csijournal.check.kubernetes_claims import Claims, in_words, mapped_handles
from csijournal.check.other_places import OtherPlaces
from csijournal.errors import (
    Conflict,
    CSIJournalError,
    InvalidHandle,
    SplitReservation,
    UnreadableContent,
)
from csijournal.inventory.contract import Role
from csijournal.inventory.kubernetes import KnownHandle
from csijournal.inventory.kubernetes_objects import KubernetesObject
from csijournal.journal.steps import AnyRecords, Records
from csijournal.repair.apply import Engine, Tally, Watcher
from csijournal.repair.attach import ImageAttacher
from csijournal.repair.attach_image import FoundImage, ImageFinder
from csijournal.repair.plan import Outcome, Plan
from csijournal.repair.planners import instances_of
from csijournal.repair.told import Told, by_kubernetes
from csijournal.store.contract import Store
from csijournal.wire.handles import Handle
from csijournal.wire.schema import VOLUMES
from csijournal.wire.text import shortened

_BATCH = 500
"""How many handles are looked for in other namespaces at once."""


@dataclass
class Passed:
    """What an attach of all passed over, filled while it runs."""

    in_order: int = 0
    ending: int = 0
    elsewhere: int = 0


@dataclass(frozen=True)
class KnownImages:
    """Plans for the volumes or snapshots of one place by what Kubernetes says of them.

    Without `claims`, no list was given.
    """

    attacher: ImageAttacher
    finder: ImageFinder
    places: OtherPlaces
    claims: Claims | None = None
    passed: Passed = field(default_factory=Passed)

    @property
    def _store(self) -> Store:
        return self.finder.store

    def plan(self, uuid: str, given: Told) -> Plan | None:
        """The plan for one; `given` is what a person says.  Raises as ImageAttacher.plan."""
        if uuid in self._elsewhere([uuid]):
            schema = self.attacher.schema
            raise Conflict(
                f"another namespace of the pool has a record of the {schema.noun} {uuid}",
                object_name=schema.record_object(uuid),
                hint=f"See where: csijournal show {uuid}",
            )
        return self._plan(uuid, given)

    def plans(self) -> Iterator[Plan | Outcome]:
        """One for each that Kubernetes holds by a handle of this place, and whose record is lost.

        An Outcome says why one is left alone.
        """
        lost = list(self._lost())
        for start in range(0, len(lost), _BATCH):
            batch = lost[start : start + _BATCH]
            elsewhere = self._elsewhere(batch)
            self.passed.elsewhere += len(elsewhere)
            for uuid in batch:
                if uuid not in elsewhere:
                    yield from self._plan_or_reason(uuid)

    # Which are lost

    def _lost(self) -> Iterator[str]:
        """The UUIDs whose record is missing or says no name, or has no entry of its name."""
        assert self.claims is not None  # noqa: S101 - all are attached by a list only
        schema = self.attacher.schema
        instances = instances_of(self._store, VOLUMES)
        renamed = {one.object_uuid for one in mapped_handles(self._store, instances).values()}
        role = role_of(schema)
        held = dict.fromkeys(uuid for one, uuid in self.claims.held_here() if one is role)
        uuids = sorted(held.keys() - renamed)
        for uuid, record in self.attacher.records.read_records(uuids):
            name = record.request_name if record else None
            pointers = self.attacher.pointers.to(uuid)
            if name is not None and any(one.request_name == name for one in pointers):
                self.passed.in_order += 1
            elif all(one.object.is_being_deleted for one in self._holders(uuid)):
                self.passed.ending += 1
            else:
                yield uuid

    def _plan_or_reason(self, uuid: str) -> Iterator[Plan | Outcome]:
        try:
            plan = self._plan(uuid, Told())
        except UnreadableContent as error:
            reason = error.message
        except CSIJournalError as error:
            reason = str(error)
        else:
            if plan is None:
                self.passed.in_order += 1
            else:
                yield plan
            return
        subject = f"leave the {self.attacher.schema.noun} {uuid} of {in_words(self._holders(uuid))}"
        names = (uuid, self.attacher.schema.record_object(uuid))
        yield Outcome(Plan(subject, (), names), 0, reason)

    def _elsewhere(self, uuids: Sequence[str]) -> set[str]:
        pool_id = self._store.pool_id
        if pool_id is None:
            return set()
        return self.places.find(pool_id, self.attacher.schema, uuids, named=True)

    # What Kubernetes says of one

    def _plan(self, uuid: str, given: Told) -> Plan | None:
        attacher = self.attacher
        holders = self._holders(uuid)
        told, source_uuid = [given], ""
        for known in holders:
            self._require_attachable(known)
            told.append(by_kubernetes(known.object, encryption_type=self.finder.encryption_type))
            if known.role is Role.SNAPSHOT:
                source, source_uuid = self._source(known.object)
                told.append(source)
        record = attacher.record_of(uuid)
        found: FoundImage = self.finder.find(uuid, record, told, source_uuid)
        return attacher.plan(uuid, found)

    def _holders(self, uuid: str) -> list[KnownHandle]:
        if self.claims is None:
            return []
        return self.claims.holders_here(role_of(self.attacher.schema), uuid)

    def _require_attachable(self, known: KnownHandle) -> None:
        """Raise where Kubernetes says that the journal of this volume lies in another place."""
        said = known.object.attributes
        pool, journal_pool = said.get("pool", ""), said.get("journalPool", "")
        if pool and journal_pool and pool != journal_pool:
            raise SplitReservation(
                f"{known.object} has the images in pool {shortened(pool)} and the journal in"
                f" {shortened(journal_pool)}",
                hint="csijournal writes nothing where a reservation lies in two pools",
            )
        namespace = said.get("radosNamespace")
        if namespace is not None and namespace != self._store.namespace:
            raise Conflict(
                f"{known.object} is of the namespace {shortened(namespace)}",
                hint="Name it with -N",
            )

    def _source(self, content: KubernetesObject) -> tuple[Told, str]:
        """What is known of the volume that a snapshot is of, and its UUID."""
        try:
            uuid = Handle.parse(content.source_handle).object_uuid
        except InvalidHandle:
            return Told(), ""
        records: AnyRecords = Records(self._store, VOLUMES, "", validate=False)
        record = records.read_record(uuid)
        image_name, kms_id, kind = "", "", ""
        by = f"{content}, of the volume {uuid},"
        if record is not None and record.populated:
            image_name = record.image_name or VOLUMES.make_image_name("", uuid)
            kms_id, kind = record.kms_id or "", record.encryption_type or ""
        elif self.claims is not None:
            for known in self.claims.holders(Role.VOLUME, uuid):
                said = by_kubernetes(known.object, encryption_type=self.finder.encryption_type)
                image_name, kms_id, kind = said.image_name, said.kms_id, said.encryption_type
        kind = kind if kms_id else ""
        return Told(by, source_name=image_name, kms_id=kms_id, encryption_type=kind), uuid


def attach_known(known: Iterable[KnownImages], engine: Engine, watcher: Watcher) -> None:
    """Carry out the plans of several journals; what is left alone is told and counted as skipped.

    Raises as Engine.run.
    """
    engine.run(_only_plans(known, engine.tally, watcher))


def _only_plans(known: Iterable[KnownImages], tally: Tally, watcher: Watcher) -> Iterator[Plan]:
    for planned in chain.from_iterable(one.plans() for one in known):
        if isinstance(planned, Plan):
            yield planned
        else:
            tally.count(done=False)
            watcher.carried_out(planned, done=False)
