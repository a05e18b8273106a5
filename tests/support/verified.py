"""What verify makes of a store, and that it finds nothing wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from csijournal.check.findings import Finding, FindingKind
from csijournal.check.scan import Depth, Summary, Verifier
from csijournal.inventory.contract import Inventory, NoInventory
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.store import Store
from csijournal.wire.leases import LEASE_PREFIX
from csijournal.wire.schema import GROUPS, AnySchema
from csijournal.wire.timestamps import Timestamp

Objects = dict[str, dict[str, bytes]]


class Told(NamedTuple):
    """What a finding says that a repair goes by."""

    kind: FindingKind
    instance_id: str
    object_name: str
    key: str
    request_name: str
    group_uuid: str
    automatic: bool


def told(finding: Finding) -> Told:
    return Told(
        finding.kind,
        finding.instance_id,
        finding.object_name,
        finding.key,
        finding.request_name or "",
        finding.group_uuid,
        finding.automatic,
    )


NOTHING_BEHIND = NoInventory()
"""Of stores without images; what stands behind records has tests with real ones."""


def look(
    store: Store,
    *,
    deep: bool = True,
    instance_id: str = "default",
    grace_seconds: float = GRACE_SECONDS,
    journals: Sequence[AnySchema] = (GROUPS,),
    inventory: Inventory | None = NOTHING_BEHIND,
    clock: Callable[[], Timestamp] = Timestamp.now,
) -> tuple[list[Finding], Summary]:
    """Everything that verify finds, and what it counted."""
    verifier = Verifier(
        store,
        journals=journals,
        inventory=inventory,
        instance_id=instance_id,
        depth=Depth.FULL if deep else Depth.QUICK,
        grace_seconds=grace_seconds,
        settle_seconds=0,
        clock=clock,
    )
    return list(verifier.findings()), verifier.summary


def require_clean(store: Store, *, clock: Callable[[], Timestamp] = Timestamp.now) -> None:
    """A full check that gives nothing the benefit of its youth finds nothing.

    Tests reserve groups long ago and give them no members, and one name in several
    instances; that is not damage.
    """
    findings, summary = look(store, grace_seconds=0, clock=clock)
    of_tests = {FindingKind.UNFINISHED_GROUP, FindingKind.TWICE_RESERVED}
    assert [f for f in findings if f.kind not in of_tests] == []
    assert summary.pending == 0


def contents(store: Store) -> Objects:
    """Every object of the place with its entries to the byte."""
    return {name: store.read_object(name) or {} for name in sorted(store.object_names())}


def without_leases(objects: Objects) -> Objects:
    """`objects` but for what no backup has, and no restore brings back."""
    return {
        name: {k: v for k, v in entries.items() if not k.startswith(LEASE_PREFIX)}
        for name, entries in objects.items()
    }
