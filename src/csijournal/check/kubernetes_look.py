"""What of Kubernetes' lists was looked at, and what was not, for a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from csijournal.check.handle_location import HandleLocation
from csijournal.check.kubernetes_claims import Claims
from csijournal.inventory.contract import NotCompared, Role
from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.inventory.kubernetes_objects import ObjectKind, Relation
from csijournal.wire.text import number_of, shortened
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

NAMED_MAX = 5
"""How many things of one sort a line of the summary names; all of them are counted."""


@dataclass
class KubernetesLook:
    """One look at the lists, filled while a check goes on.

    `here` counts handles of the location, `elsewhere` those of others by the
    number in them, of which `unknown` are numbers that this cluster does not
    have.  `other_namespaces` counts handles of the location whose record lies in
    another namespace of the pool, `ending` those without a record whose object
    is being deleted, and `newer` what no list names and may be newer than they.
    """

    claims: Claims
    records: Counter[Role] = field(default_factory=Counter)
    here: int = 0
    elsewhere: Counter[int] = field(default_factory=Counter)
    unknown: set[int] = field(default_factory=set)
    other_namespaces: int = 0
    ending: int = 0
    newer: int = 0
    not_compared: list[NotCompared] = field(default_factory=list)

    @property
    def lists(self) -> KubernetesLists:
        """The lists that were looked at."""
        return self.claims.lists

    @property
    def location(self) -> HandleLocation | None:
        """By which number handles name the location; None where none can."""
        return self.claims.location

    def count_handles(self) -> None:
        """Count the handles by where they lead."""
        for known in self.lists.handles():
            if known.relation is not Relation.HOLDS:
                continue
            if self.claims.leads_here(known.handle):
                self.here += 1
            else:
                self.elsewhere[known.handle.location_id] += 1
        if self.location is not None:
            pool_of = self.location.pool_of
            self.unknown.update(number for number in self.elsewhere if pool_of(number) is None)

    def not_looked_for(self) -> Iterator[str]:
        """What nobody looked for, since a list is missing, and how to make it."""
        for role, count in self.records.items():
            reasons = self.claims.missing_lists(role) if count else ()
            if reasons:
                why = "; ".join(map(str, reasons))
                yield f"{role.value}s that nothing in Kubernetes holds: {why}"
        yield from map(str, self.not_compared)

    @property
    def complete(self) -> bool:
        """Whether there was a whole list of each kind that could claim a record here."""
        return not any(self.not_looked_for())

    def lines(self) -> Iterator[str]:
        """What was looked at, as lines of text."""
        for source in self.lists.sources:
            counts = [number_of(count, kind.value) for kind, count in _ordered(source.counts)]
            made = moment_in_words(source.listed_ns)
            yield f"Kubernetes: {source.name} of {made}: {', '.join(counts) or 'empty'}"
        yield f"Kubernetes: {'; '.join(filter(None, (self._handles(), self._passed_over())))}"
        for described, text in self.lists.passed_over.unreadable[:NAMED_MAX]:
            yield f"Kubernetes: {described} holds {shortened(text)}, which is not a handle"
        if self.location is None:
            yield "Kubernetes: where its handles lead was not compared: none can name this location"
        elif not self.here:
            yield (
                f"Kubernetes: no handle in the lists names this location ({self.location}): were"
                " they made in the cluster that uses it?"
            )

    def to_json(self) -> dict[str, object]:
        """The same as fields."""
        over = self.lists.passed_over
        return {
            "lists": [
                {
                    "name": source.name,
                    "listed": str(Timestamp(source.listed_ns)),
                    "objects": {kind.value: count for kind, count in _ordered(source.counts)},
                }
                for source in self.lists.sources
            ],
            "handles_here": self.here,
            "handles_elsewhere": {str(number): count for number, count in self.elsewhere.items()},
            "handles_nowhere": sorted(map(str, self.unknown)),
            "handles_in_other_namespaces": self.other_namespaces,
            "being_deleted": self.ending,
            "newer_than_lists": self.newer,
            "passed_over": {
                "static": over.static,
                "migrated": over.migrated,
                "other_drivers": over.other_drivers,
                "other_kinds": over.other_kinds,
                "without_handle": len(over.pending),
                "unreadable": len(over.unreadable),
            },
        }

    def _handles(self) -> str:
        said = number_of(self.here, "handle") + " of this location"
        if self.other_namespaces:
            said += f" ({self.other_namespaces:,} with a record in another namespace of the pool)"
        if self.elsewhere and self.location is not None:
            named = [self._other(*one) for one in self.elsewhere.most_common(NAMED_MAX)]
            more = "" if len(self.elsewhere) <= NAMED_MAX else ", and others"
            said += (
                f", {sum(self.elsewhere.values()):,} of other locations ({', '.join(named)}{more})"
            )
        extra = {
            "newer than the lists, which do not name it": self.newer,
            "of objects that are being deleted": self.ending,
        }
        return "; ".join([said, *(f"{count:,} {what}" for what, count in extra.items() if count)])

    def _other(self, number: int, count: int) -> str:
        name = self.location.named(number) if self.location else str(number)
        return f"{name}: {count:,}" + (
            ", which this cluster does not have" if number in self.unknown else ""
        )

    def _passed_over(self) -> str:
        over = self.lists.passed_over
        counts = {
            "static": over.static,
            "migrated from the former driver": over.migrated,
            "of other drivers": over.other_drivers,
            "of other kinds": over.other_kinds,
            "without a handle yet": len(over.pending),
            "with a handle that cannot be read": len(over.unreadable),
        }
        said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        return f"passed over: {said}" if said else ""


def moment_in_words(moment_ns: int) -> str:
    """A moment, to the second."""
    return str(Timestamp(moment_ns // NANOSECONDS * NANOSECONDS))


def _ordered(counts: Mapping[ObjectKind, int]) -> list[tuple[ObjectKind, int]]:
    return [(kind, counts[kind]) for kind in ObjectKind if kind in counts]
