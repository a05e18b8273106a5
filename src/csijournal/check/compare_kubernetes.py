"""The journals beside what Kubernetes holds: claims without records, and records without claims.

A record with nothing behind it is not told here, whoever claims it: the
comparison with images or subvolumes finds that without any list, and says what
is left of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from csijournal.check.behind import role_of
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.contested_claims import ContestedClaims
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.handle_location import HandleLocation
from csijournal.check.kubernetes_claims import SCHEMA_OF, Claims, mapped_handles
from csijournal.check.kubernetes_look import KubernetesLook
from csijournal.check.lost_handles import LostHandles
from csijournal.check.other_places import OtherPlaces
from csijournal.check.unclaimed import UnclaimedJudge
from csijournal.inventory.contract import NotCompared, Role
from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.wire.schema import AnySchema


class _Suspects:
    """UUIDs of records by journal and instance, 60 bytes each: there may be 100,000s."""

    def __init__(self) -> None:
        self._found: defaultdict[tuple[Role, str], list[bytes]] = defaultdict(list)

    def add(self, seen: RecordSeen) -> None:
        self._found[role_of(seen.schema), seen.instance_id].append(UUID(seen.uuid).bytes)

    def __bool__(self) -> bool:
        return bool(self._found)

    def __iter__(self) -> Iterator[tuple[AnySchema, str, Iterator[str]]]:
        for (role, instance_id), found in self._found.items():
            # One record may have been seen by way of several entries.
            yield (
                SCHEMA_OF[role],
                instance_id,
                (str(UUID(bytes=one)) for one in dict.fromkeys(found)),
            )


class KubernetesComparison(Comparison):
    """Compares with `lists`, whose handles name the place by `location`; None where none can.

    `namespaces` are further ones of the pool in which records may lie.
    """

    def __init__(
        self,
        context: Context,
        lists: KubernetesLists,
        location: HandleLocation | NotCompared | None,
        namespaces: Iterable[str] = (),
    ) -> None:
        self._context = context
        self._location = location if isinstance(location, HandleLocation) else None
        self._claims = Claims(lists, self._location)
        self._places = OtherPlaces(context.store, namespaces)
        self._held = set(self._claims.held_here())
        self._unclaimed = _Suspects()
        self._contested = _Suspects()
        self.kubernetes = KubernetesLook(self._claims)
        self.kubernetes.count_handles()
        context.summary.kubernetes = self.kubernetes
        if isinstance(location, NotCompared):
            self.kubernetes.not_compared.append(location)

    def look(self, seen: RecordSeen) -> None:
        role, uuid = role_of(seen.schema), seen.uuid
        self.kubernetes.records[role] += 1
        self._held.discard((role, uuid))
        if self._claims.is_claimed(role, uuid):
            holders = self._claims.holders(role, uuid)
            if len(holders) > 1 or len(self._claims.holders_here(role, uuid)) != len(holders):
                self._contested.add(seen)
        elif self._may_be_unclaimed(seen):
            self._unclaimed.add(seen)

    def _may_be_unclaimed(self, seen: RecordSeen) -> bool:
        # Without an entry, and without images, it is an orphan and holds no space.
        holds_space = seen.entered or self._context.inventory.name != "none"
        complete = self._claims.is_complete(role_of(seen.schema))
        return complete and holds_space and seen.record.populated

    def why_kept(self, schema: AnySchema, uuid: str) -> str:  # noqa: ARG002 - whatever it is to it
        known = self._claims.lists.named(uuid)
        return f"{known[0].object} in Kubernetes names it." if known else ""

    @property
    def has_suspects(self) -> bool:
        return bool(self._held or self._unclaimed or self._contested)

    def look_again(self) -> Iterator[Finding]:
        context, claims, look = self._context, self._claims, self.kubernetes
        mapped = mapped_handles(context.store, context.summary.instances)
        if self._location is not None:
            lost = LostHandles(context, claims, look, self._location, self._places, mapped)
            yield from lost.findings(self._held)
        contested = ContestedClaims(context, claims, self._location, self._places)
        for schema, instance_id, uuids in self._contested:
            yield from contested.findings(schema, instance_id, uuids)
        unclaimed = UnclaimedJudge(context, claims, look, mapped)
        for schema, instance_id, uuids in self._unclaimed:
            yield from unclaimed.findings(schema, instance_id, uuids)
