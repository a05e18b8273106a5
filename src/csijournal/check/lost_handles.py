"""Handles of Kubernetes that lead to no record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from csijournal.check.behind import behind_record
from csijournal.check.catalog import FindingKind
from csijournal.check.commands import Words, attach_image
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.handle_location import HandleLocation
from csijournal.check.kubernetes_claims import SCHEMA_OF, Claims, in_words
from csijournal.check.kubernetes_look import KubernetesLook, moment_in_words
from csijournal.check.other_places import OtherPlaces
from csijournal.inventory.contract import Role, ThingKind
from csijournal.inventory.kubernetes import STDIN_NAME, KnownHandle
from csijournal.journal.steps import AnyRecords, Records
from csijournal.wire.handles import Handle
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import GROUPS, AnySchema

_BATCH = 500
"""How many records are looked for in one other place before the next is asked."""


@dataclass(frozen=True)
class LostHandles:
    """Judges the handles of one place that no record was seen of.  Raises StoreError.

    `mapped` gives the old handle of volumes that have a new one.
    """

    context: Context
    claims: Claims
    look: KubernetesLook
    location: HandleLocation
    places: OtherPlaces
    mapped: Mapping[str, Handle]

    def findings(self, held: Collection[tuple[Role, str]]) -> Iterator[Finding]:
        """Those without a record: here, in other namespaces, or where else they may lead."""
        renamed = {old.object_uuid for old in self.mapped.values()}
        for role, schema in SCHEMA_OF.items():
            uuids = sorted(uuid for one, uuid in held if one is role and uuid not in renamed)
            for start in range(0, len(uuids), _BATCH):
                yield from self._judge(role, schema, uuids[start : start + _BATCH])

    def _judge(self, role: Role, schema: AnySchema, uuids: list[str]) -> Iterator[Finding]:
        records: AnyRecords = Records(self.context.store, schema, DEFAULT_INSTANCE_ID)
        gone = [uuid for uuid, record in records.read_records(uuids) if record is None]
        pool_id = self.context.store.pool_id
        beside = set() if pool_id is None else self.places.find(pool_id, schema, gone)
        self.look.other_namespaces += len(beside)
        holders = {uuid: self.claims.holders_here(role, uuid) for uuid in gone}
        handles = {uuid: [known.handle for known in held] for uuid, held in holders.items()}
        found = beside | self.places.follow(self.location, schema, handles)
        for uuid in gone:
            if uuid in found:
                continue
            if all(known.object.is_being_deleted for known in holders[uuid]):
                self.look.ending += 1
            else:
                yield self._finding(schema, uuid, holders[uuid])

    def _finding(self, schema: AnySchema, uuid: str, holders: list[KnownHandle]) -> Finding:
        handle = holders[0].handle
        listed = moment_in_words(self.claims.lists.listed_ns or 0)
        said = [
            f"{in_words(holders)} {'holds' if len(holders) == 1 else 'hold'} {handle}",
            self._where_not(handle),
            *self._behind(schema, uuid),
            f"the lists are of {listed}",
        ]
        commands: list[Words] = [("show", str(handle))]
        things = behind_record(self.context.inventory, schema, uuid).things
        is_there = any(one.kind is not ThingKind.TRASHED_IMAGE for one in things)
        if is_there and schema is not GROUPS:
            commands.append(attach_image(schema.journal, uuid, lists=self._lists()))
        return self.context.finding_of(
            FindingKind.MISSING_IN_CEPH,
            schema,
            uuid,
            "; ".join(said),
            thing=str(holders[0].object),
            commands=tuple(commands),
        )

    def _lists(self) -> Words:
        """The options that name the lists again, but for standard input, which is over."""
        files = [one.name for one in self.claims.lists.sources if one.name != STDIN_NAME]
        return tuple(word for name in files for word in ("--kubernetes", name))

    def _where_not(self, handle: Handle) -> str:
        store = self.context.store
        own = [] if store.pool_id is None else self.places.namespaces(store.pool_id)
        said = f"there is no record in {store.place} ({self.location})"
        if own:
            names = ", ".join(name or "the default one" for name in own)
            said += f", nor in the pool's other usual namespaces ({names})"
        others = self.location.others(handle)
        if others:
            said += f", nor in {', '.join(map(self.location.named, others))}"
        for place, why in self.places.not_read.items():
            said += f"; {place} could not be read: {why}"
        return said

    def _behind(self, schema: AnySchema, uuid: str) -> Iterator[str]:
        if self.context.inventory.name == "none":
            return
        behind = behind_record(self.context.inventory, schema, uuid)
        for thing in behind.things:
            if thing.kind is ThingKind.TRASHED_IMAGE:
                yield f"{thing} has the id {thing.thing_id}: `rbd trash restore` brings it back"
            else:
                yield f"{thing} is there: only the record is lost"
        if behind.is_nothing:
            yield "nothing with this UUID stands behind it, and nothing is in the trash"
        yield from map(str, behind.not_compared)
