"""Records that several objects of Kubernetes hold, or one whose handle names another place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from csijournal.check.behind import role_of
from csijournal.check.catalog import FindingKind
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.handle_location import HandleLocation
from csijournal.check.kubernetes_claims import Claims, in_words
from csijournal.check.other_places import OtherPlaces
from csijournal.inventory.kubernetes import KnownHandle
from csijournal.journal.steps import AnyRecords, Records
from csijournal.wire.schema import AnySchema


class _Suspect(NamedTuple):
    schema: AnySchema
    instance_id: str
    uuid: str


@dataclass(frozen=True)
class ContestedClaims:
    """Judges records that are held otherwise than by one object that names this place.

    Without a `location` no handle can name the place: then none names another one.
    Raises StoreError.
    """

    context: Context
    claims: Claims
    location: HandleLocation | None
    places: OtherPlaces

    def findings(
        self, schema: AnySchema, instance_id: str, uuids: Iterable[str]
    ) -> Iterator[Finding]:
        """What is still so, for records of one instance."""
        role = role_of(schema)
        records: AnyRecords = Records(self.context.store, schema, instance_id, validate=False)
        for uuid, record in records.read_records(uuids):
            if record is None:
                continue
            suspect = _Suspect(schema, instance_id, uuid)
            here = self.claims.holders_here(role, uuid)
            others = [one for one in self.claims.holders(role, uuid) if one not in here]
            if self.location is not None and others:
                yield from self._elsewhere(suspect, others, self.location)
            if len(here) > 1:
                handles = sorted({str(known.handle) for known in here})
                found = f"{in_words(here)} hold {' and '.join(handles)}"
                yield self._finding(FindingKind.CLAIMED_TWICE, suspect, found, here)

    def _elsewhere(
        self, suspect: _Suspect, others: list[KnownHandle], location: HandleLocation
    ) -> Iterator[Finding]:
        handles = [known.handle for known in others]
        if self.places.follow(location, suspect.schema, {suspect.uuid: handles}):
            return  # the handles lead to a record of their own, and this one is its twin
        handle = handles[0]
        numbers = dict.fromkeys((handle.location_id, *location.others(handle)))
        found = (
            f"{in_words(others)} {'holds' if len(others) == 1 else 'hold'} {handle}, which names"
            f" {' or '.join(map(location.named, numbers))} of cluster {handle.cluster_id};"
            f" the record lies here ({location})"
        )
        yield self._finding(FindingKind.HANDLE_ELSEWHERE, suspect, found, others)

    def _finding(
        self, kind: FindingKind, suspect: _Suspect, found: str, holders: list[KnownHandle]
    ) -> Finding:
        return self.context.finding_of(
            kind,
            suspect.schema,
            suspect.uuid,
            found,
            instance_id=suspect.instance_id,
            thing=str(holders[0].object),
            commands=(("show", suspect.uuid),),
        )
