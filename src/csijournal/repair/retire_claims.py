"""Whether Kubernetes needs a volume or snapshot that is to be taken out of use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from csijournal.check.behind import role_of
from csijournal.check.kubernetes_claims import Claims
from csijournal.journal.grace import Grace
from csijournal.wire.handles import Handle
from csijournal.wire.schema import AnySchema

_NO_LISTS = (
    "no list of Kubernetes was given: give --kubernetes FILE for each cluster that uses the"
    " place, or --no-kubernetes where none does"
)


@dataclass(frozen=True)
class KubernetesNeeds:
    """What the lists say against it; without `claims` there are none.

    `is_used` is False where Kubernetes has nothing to do with the place.
    `mapped` gives the old handle of volumes that were failed over.
    """

    grace: Grace
    claims: Claims | None = None
    mapped: Mapping[str, Handle] = field(default_factory=dict)
    is_used: bool = True

    def why_no_lists(self) -> Iterator[str]:
        """Why nothing may go, where lists are needed and missing."""
        if self.claims is None and self.is_used:
            yield _NO_LISTS

    def why_kept(self, schema: AnySchema, uuid: str, made_ns: int | None) -> Iterator[str]:
        """Why one that was made at `made_ns` stays.

        Whatever an object says of it keeps it, be it only the source of another.
        """
        yield from self.why_no_lists()
        if self.claims is None:
            return
        lists = self.claims.lists
        yield from map(str, self.claims.missing_lists(role_of(schema)))
        if next(self.claims.held_here(), None) is None:
            yield "the lists of Kubernetes name no handle of this place: are they of its clusters?"
        old = self.mapped.get(uuid)
        uuids = [uuid, *([old.object_uuid] if old else [])]
        for known in (known for one in uuids for known in lists.named(one)):
            yield f"{known.object} in Kubernetes names it"
        if made_ns is not None and made_ns + self.grace.grace_ns > (lists.listed_ns or 0):
            yield "it is newer than the lists of Kubernetes: make new ones"
