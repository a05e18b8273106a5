"""Compares the records of a location with each other: who names whom, and is that one there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from csijournal.check.behind import behind_record
from csijournal.check.catalog import FindingKind, Severity
from csijournal.check.commands import remove_member
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.elsewhere import places_beside
from csijournal.check.findings import Finding
from csijournal.check.handle_location import NOTHING_MAPPED, HandleLocation
from csijournal.check.locations import Locations
from csijournal.check.mentions import GROUP, MEMBER, MEMBERS_SNAPSHOT, SOURCE, Mention, mentions_of
from csijournal.check.references import Reference, journals_named
from csijournal.errors import StoreError
from csijournal.inventory.cluster_mapping import ClusterMapping
from csijournal.inventory.contract import Role
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.handles import Handle
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import AnyRecord, GroupRecord
from csijournal.wire.schema import SNAPSHOTS, AnySchema
from csijournal.wire.text import shortened

_JUDGED = frozenset({MEMBER, MEMBERS_SNAPSHOT, SOURCE, GROUP})
"""What is judged here; the objects that count a backing snapshot's uses are CephFS's to judge."""


@dataclass(frozen=True)
class _Suspect:
    """A record that names another, which was not seen."""

    uuid: str
    reference: Reference


class RecordComparison(Comparison):
    """Finds references that lead to nothing, and members that are in two groups.

    A handle that `mapping` leads to this place is looked up here.
    """

    def __init__(self, context: Context, mapping: ClusterMapping = NOTHING_MAPPED) -> None:
        self._context = context
        self._locations = Locations(context.store)
        self._location = HandleLocation(self._locations, mapping)
        self._suspects: list[_Suspect] = []
        self._twice: list[tuple[str, list[Reference]]] = []

    def look(self, seen: RecordSeen) -> None:
        """The references of the check have noted it."""

    def why_kept(self, schema: AnySchema, uuid: str) -> str:
        return self._context.references.why_kept(schema, uuid)

    def look_around(self) -> None:
        for uuid, references in self._context.references:
            if len(references) > 1 and _are_two_groups(references):
                self._twice.append((uuid, references))
            for one in references:
                if one.how in _JUDGED and self._is_suspect(uuid, one):
                    self._suspects.append(_Suspect(uuid, one))

    def _is_suspect(self, uuid: str, reference: Reference) -> bool:
        if reference.place is not None and not self._location.is_here(*reference.place):
            return True
        return not any(
            self._context.is_known(schema, uuid) for schema in journals_named(reference.how)
        )

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects or self._twice)

    def look_again(self) -> Iterator[Finding]:
        by_referrer: dict[tuple[str, bytes], list[_Suspect]] = defaultdict(list)
        for suspect in self._suspects:
            reference = suspect.reference
            by_referrer[reference.journal, reference.packed].append(suspect)
        for suspects in by_referrer.values():
            reference = suspects[0].reference
            record = _records(self._context.store, reference.schema).read_record(reference.uuid)
            if record is not None:
                for suspect in suspects:
                    yield from self._judge(suspect, reference.schema, reference.uuid, record)
        for uuid, references in self._twice:
            yield from self._in_two_groups(uuid, references)

    def _judge(
        self, suspect: _Suspect, schema: AnySchema, uuid: str, record: AnyRecord
    ) -> Iterator[Finding]:
        """What is wrong with the mentions of one UUID that the record still has."""
        for mention in mentions_of(record):
            if mention.uuid != suspect.uuid or mention.how != suspect.reference.how:
                continue
            if mention.how == MEMBER and _has_snapshot(record, mention):
                continue  # a volume may be deleted before its group snapshot
            judged = self._judged(mention, uuid, record)
            if judged is not None:
                kind, found, is_note = judged
                yield self._context.finding_of(
                    kind,
                    schema,
                    uuid,
                    found,
                    request_name=record.request_name,
                    commands=_removal(kind, record, mention),
                    lowered_to=Severity.NOTE if is_note else None,
                )

    def _judged(
        self, mention: Mention, uuid: str, record: AnyRecord
    ) -> tuple[FindingKind, str, bool] | None:
        """The kind, what was found, and whether that is a note; None where all is in order."""
        what = f"{mention.how} {shortened(mention.text)}"
        handle = mention.handle
        if handle is not None and not self._location.leads_here(handle):
            return self._judged_elsewhere(mention, handle, what)
        # A handle that a mapping leads here may mean another place nevertheless.
        if _exists(self._context.store, mention) or (
            handle is not None and self._places_without(mention, handle) is None
        ):
            return None
        if mention.how == SOURCE:
            return self._source(mention, uuid, record)
        namespace = self._other_namespace(mention)
        if namespace is not None:
            where = f"namespace {namespace}" if namespace else "the default namespace"
            return FindingKind.WRONG_NAMESPACE, f"{what} has its record in {where}", False
        if mention.how == GROUP:
            return FindingKind.RECORD_NAMES_MISSING_GROUP, f"{what} has no record", False
        return FindingKind.MEMBER_WITHOUT_RECORD, f"{what} has no record", False

    def _judged_elsewhere(
        self, mention: Mention, handle: Handle, what: str
    ) -> tuple[FindingKind, str, bool] | None:
        """Of a handle that names another place than this one."""
        places = self._places_without(mention, handle)
        if places is None:
            return None
        if places:
            kind, found = FindingKind.MEMBER_WITHOUT_RECORD, f"{what} has no record in {places[0]}"
        else:
            number = handle.location_id
            here = ", ".join(map(str, sorted(self._locations.ids or ())))
            kind = FindingKind.MEMBER_IN_UNKNOWN_POOL
            found = f"{what} names a location with the id {number}, which does not exist here"
            if _exists(self._context.store, mention):
                found += f"; a record of its UUID lies in this location (id {here})"
        is_group = mention.how == GROUP
        return FindingKind.RECORD_NAMES_MISSING_GROUP if is_group else kind, found, False

    def _places_without(self, mention: Mention, handle: Handle) -> list[str] | None:
        """The other places that the handle may lead to, which have no such record.

        None where one has it, or cannot be read, so that nothing is known.
        """
        store, places = self._context.store, []
        pools = [self._location.pool_of(number) for number in self._location.others(handle)]
        for pool_id in pools:
            if pool_id is None:
                continue
            beside = store.beside(pool_id, store.namespace)
            if beside is None:
                return None
            with closing(beside):
                try:
                    if _exists(beside, mention):
                        return None
                except StoreError:
                    return None
                places.append(beside.place)
        return places

    def _source(
        self, mention: Mention, uuid: str, record: AnyRecord
    ) -> tuple[FindingKind, str, bool] | None:
        """Of a source without a record: in order while it, or the snapshot, is still there."""
        inventory = self._context.inventory
        if self._context.store.stands_alone:
            return None  # there is no image to tell whether the snapshot lives
        source = inventory.behind(Role.VOLUME, mention.uuid, mention.text)
        own = behind_record(inventory, SNAPSHOTS, uuid, record)
        if source.things or source.not_compared or own.is_unknown:
            return None
        what = f"source {shortened(mention.text)} has neither a record nor anything behind it"
        if own.things:
            return FindingKind.SOURCE_MISSING, f"{what}; there is {own.things[0]}", True
        return FindingKind.SOURCE_MISSING, f"{what}, nor has the snapshot", False

    def _other_namespace(self, mention: Mention) -> str | None:
        """The namespace of this pool that has the record; None where none is known to."""
        places = places_beside(self._context.store)
        return next((found.namespace for found in places if _exists(found, mention)), None)

    def _in_two_groups(self, uuid: str, references: list[Reference]) -> Iterator[Finding]:
        """The groups that still name the volume, where they are more than one."""
        named: dict[str, AnyRecord] = {}
        for reference in references:
            if reference.how == MEMBER and reference.exclusive:
                record = _records(self._context.store, reference.schema).read_record(reference.uuid)
                if any(one.uuid == uuid for one in mentions_of(record)):
                    assert record is not None  # noqa: S101 - no record mentions nothing
                    named[reference.uuid] = record
        if len(named) > 1:
            for group, record in named.items():
                others = ", ".join(sorted(other for other in named if other != group))
                yield self._context.finding_of(
                    FindingKind.IN_TWO_GROUPS,
                    references[0].schema,
                    group,
                    f"its member {uuid} is a member of {others} too",
                    request_name=record.request_name,
                )


def _are_two_groups(references: list[Reference]) -> bool:
    """Whether several groups name the volume that can be in one alone."""
    groups = {one.packed for one in references if one.how == MEMBER and one.exclusive}
    return len(groups) > 1


def _records(store: Store, schema: AnySchema) -> AnyRecords:
    return Records(store, schema, DEFAULT_INSTANCE_ID)


def _exists(store: Store, mention: Mention) -> bool:
    """Whether the location has a record that the mention may mean."""
    return any(
        _records(store, schema).read_record(mention.uuid) is not None for schema in mention.schemas
    )


def _has_snapshot(record: AnyRecord, mention: Mention) -> bool:
    """Whether the group holds a snapshot of this member."""
    volume_map: Mapping[str, str] = record.volume_map if isinstance(record, GroupRecord) else {}
    value = volume_map.get(mention.text, "")
    return any(one.how == MEMBERS_SNAPSHOT and one.text == value for one in mentions_of(record))


def _removal(kind: FindingKind, record: AnyRecord, mention: Mention) -> tuple[tuple[str, ...], ...]:
    """The command that takes the member out, be it gone itself or its snapshot."""
    if kind is not FindingKind.MEMBER_WITHOUT_RECORD or not isinstance(record, GroupRecord):
        return ()
    members = [
        member
        for member, snapshot in record.volume_map.items()
        if mention.text in {member, snapshot}
    ]
    return tuple(remove_member(record.image_name or "", member) for member in members)
