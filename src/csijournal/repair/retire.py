"""Taking volumes and snapshots out of use that nobody needs: plans, or why one must stay.

An image goes to RBD's trash, from where it can be taken back; then record and
entry go, as undo removes them.  Nothing is deleted.  A subvolume of CephFS has no
trash: there the journal follows when a person has removed it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter

from csijournal.check.behind import behind_record
from csijournal.check.referrers import Referrer, Search, Sought
from csijournal.errors import UnreadableContent, printable
from csijournal.inventory.cephfs import CephFSInventory
from csijournal.inventory.contract import (
    Behind,
    Details,
    NotCompared,
    Thing,
    ThingKind,
)
from csijournal.inventory.names import TEMPORARY_SUFFIX
from csijournal.inventory.rbd import RBDInventory
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.journal.steps import AnyRecords, Records
from csijournal.repair.plan import ImageMove, Plan, Step
from csijournal.repair.planners import Planner, is_gone, remove_record_step
from csijournal.repair.rbd_trash import trash_of
from csijournal.repair.retire_claims import KubernetesNeeds
from csijournal.repair.retire_images import ImageJudge, MoveToTrash, children_in_use
from csijournal.repair.retire_targets import Target
from csijournal.store.contract import ObjectState, Store
from csijournal.wire.records import AnyRecord, ImageRecord
from csijournal.wire.text import shortened
from csijournal.wire.uuids import ending_uuid

_LIVE = ThingKind.IMAGE


@dataclass(frozen=True)
class Retirement:
    """What becomes of one target: a plan, or the reasons why it stays as it is.

    `commands` are those that a person has to run first.  `size_bytes` is what
    its images were provisioned with: an upper bound of the space that they take.
    """

    target: Target
    plan: Plan | None = None
    reasons: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass
class _Found:
    """What is known of one target while the plans are made."""

    target: Target
    state: ObjectState | None = None
    record: AnyRecord | None = None
    things: list[Thing] = field(default_factory=list)
    details: list[Details] = field(default_factory=list)
    entries: list[tuple[str, str]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    @property
    def live(self) -> list[Thing]:
        return [thing for thing in self.things if thing.kind is _LIVE]


class Retirer:
    """Plans for what is to be taken out of use; `planner` has the inventory and the grace time.

    A purge may remove an image `keep_seconds` after its move, and not before.
    """

    def __init__(
        self, store: Store, planner: Planner, kubernetes: KubernetesNeeds, *, keep_seconds: int
    ) -> None:
        self._store = store
        self._planner = planner
        self._inventory = planner.inventory
        self._kubernetes = kubernetes
        self._grace = kubernetes.grace
        self._keep_seconds = keep_seconds

    def retirements(self, targets: Collection[Target]) -> list[Retirement]:
        """What becomes of each; the children of images come before these.  Raises StoreError.

        Walks all records of the place once, to know what names a target.
        """
        named = self._named(targets)
        found = [self._look(target, named[target.uuid]) for target in dict.fromkeys(targets)]
        _keep_parents(found)
        return [self._retirement(one) for one in _children_first(found)]

    # What there is of a target

    def _named(self, targets: Iterable[Target]) -> defaultdict[str, list[Referrer]]:
        """What names each target, by UUID."""
        uuids = frozenset(target.uuid for target in targets)
        found: defaultdict[str, list[Referrer]] = defaultdict(list)
        for referrer in Search(self._store, "", Sought(frozenset(), uuids), full=True).run():
            if referrer.how == "entry":
                found[referrer.uuid].append(referrer)
            for text in referrer.texts:
                found[ending_uuid(text) or ""].append(referrer)
        return found

    def _look(self, target: Target, named: Sequence[Referrer]) -> _Found:
        found = _Found(target)
        try:
            found.state = self._store.read_state(target.record_object)
        except UnreadableContent as error:
            found.reasons.append(error.message)
            return found
        if found.state is not None:
            found.record = target.schema.parse(found.state.entries)
        behind = behind_record(self._inventory, target.schema, target.uuid, found.record)
        found.reasons += map(str, behind.not_compared)
        self._take_things(found, behind)
        if not target.temporary:
            self._take_entries(found, named)
            made_ns = self._made_ns(found)
            found.reasons += self._kubernetes.why_kept(target.schema, target.uuid, made_ns)
        else:  # nothing in Kubernetes stands for an intermediate image
            found.reasons += self._kubernetes.why_no_lists()
        if self._is_young(found):
            found.reasons.append("it is younger than the grace time: a driver may be making it")
        if not (found.things or found.record or found.entries):
            found.reasons.append("there is nothing of it")
        return found

    def _take_things(self, found: _Found, behind: Behind) -> None:
        if isinstance(self._inventory, RBDInventory):
            self._take_images(found, behind)
        elif isinstance(self._inventory, CephFSInventory):
            for thing in behind.things:
                found.commands += self._commands_for(thing)
            if found.commands:
                found.reasons.append("it has its data still: remove that first")
        elif behind.things:
            found.reasons.append(f"there is {behind.things[0]}")

    def _take_images(self, found: _Found, behind: Behind) -> None:
        """The image of the record, or the only one of its UUID, and what it was cloned by."""
        target = found.target
        names = {thing.name for thing in behind.things}
        said = found.record.image_name if found.record else None
        whole = {name for name in names if not name.endswith(TEMPORARY_SUFFIX)}
        chosen = {said} if said else whole
        if len(chosen) > 1:
            found.reasons.append(f"several images end in its UUID: {', '.join(sorted(chosen))}")
        temporary = {f"{name}{TEMPORARY_SUFFIX}" for name in chosen if name} or names - whole
        wanted = names - whole if target.temporary else chosen | temporary
        things = (thing for thing in behind.things if thing.name in wanted)
        for thing in sorted(things, key=lambda one: one.name.endswith(TEMPORARY_SUFFIX)):
            details = self._inventory.details(thing)
            if isinstance(details, NotCompared):
                found.reasons.append(str(details))
            elif isinstance(details, ImageDetails):
                found.things.append(thing)
                found.details.append(details)
                judge = self._judge(target)
                found.reasons += judge.why_kept_by_itself(thing, details)
            else:
                found.reasons.append(f"{thing} is gone or cannot be opened")

    def _judge(self, target: Target) -> ImageJudge:
        assert isinstance(self._inventory, RBDInventory)  # noqa: S101 - for the type checker
        return ImageJudge(self._store, self._inventory, target.schema)

    def _commands_for(self, thing: Thing) -> Iterator[str]:
        """What a person has to run first so that nothing of CephFS is behind the record."""
        assert isinstance(self._inventory, CephFSInventory)  # noqa: S101 - for the type checker
        details = self._inventory.details(thing)
        if isinstance(details, Details) and details.state == "snapshot-retained":
            return
        filesystem, name = shlex.quote(self._inventory.filesystem), shlex.quote(thing.name)
        within = shlex.quote(thing.within)
        if thing.kind is ThingKind.SUBVOLUME:
            yield (
                f"ceph fs subvolume rm {filesystem} {name} --group_name {within} --retain-snapshots"
            )
        elif thing.kind is ThingKind.SUBVOLUME_SNAPSHOT:
            group = shlex.quote(self._inventory.group_of(thing.within))
            yield f"ceph fs subvolume snapshot rm {filesystem} {within} {name} --group_name {group}"
        else:
            yield f"csijournal show {shlex.quote(thing.name)}"

    def _take_entries(self, found: _Found, named: Iterable[Referrer]) -> None:
        """Its entries; what else names it keeps it."""
        target, record = found.target, found.record
        own = record.request_name if record else None
        for referrer in named:
            name = referrer.request_name
            if referrer.how == "entry" and referrer.schema is target.schema:
                if own not in {None, name}:
                    found.reasons.append(f"the entry {shortened(name)} of another name leads to it")
                elif not self._records(target, referrer.instance_id).entry_matches(
                    name, target.uuid
                ):
                    found.reasons.append(f"the entry {shortened(name)} leads to it in another pool")
                else:
                    found.entries.append((referrer.instance_id, name))
            elif referrer.how in {"member", "backing snapshot"}:
                found.reasons.append(
                    f"the {referrer.schema.noun} {referrer.uuid} names it ({referrer.how})"
                )
        pool = record.journal_pool_id if isinstance(record, ImageRecord) else None
        if pool not in {None, self._store.pool_id}:
            found.reasons.append(f"its entry lies in the pool with the id {pool}")

    def _records(self, target: Target, instance_id: str) -> AnyRecords:
        return Records(self._store, target.schema, instance_id, validate=False)

    # Why it stays

    def _made_ns(self, found: _Found) -> int | None:
        """When it was made, or a later time; None where there is neither image nor record."""
        known = [details.created_ns for details in found.details if details.created_ns is not None]
        if known:
            return max(known)
        return found.state.modified_ns if found.state else None

    def _is_young(self, found: _Found) -> bool:
        """Whether a driver may be making it, or using its intermediate image."""
        state, record = found.state, found.record
        if state is not None and record is not None and not self._planner.is_old(state, record):
            return True
        made_ns = self._made_ns(found)
        return made_ns is not None and not self._grace.is_over(made_ns)

    # The plan

    def _retirement(self, found: _Found) -> Retirement:
        target = found.target
        live = {thing.thing_id for thing in found.live}
        sizes = (one.size_bytes or 0 for one in found.details if one.thing.thing_id in live)
        if found.reasons:
            reasons = tuple(dict.fromkeys(found.reasons))
            return Retirement(target, reasons=reasons, commands=tuple(found.commands))
        steps = () if target.temporary else tuple(self._steps(found))
        if not (steps or live):
            return Retirement(target, reasons=("it is out of use already",))
        own = found.record.request_name if found.record else None
        names = (own, target.uuid, target.record_object, *(one.name for one in found.live))
        plan = Plan(
            f"retire the {target}",
            steps,
            tuple(dict.fromkeys(filter(None, names))),
            move=self._move(found) if live else None,
        )
        return Retirement(target, plan, size_bytes=sum(sizes))

    def _move(self, found: _Found) -> ImageMove | None:
        assert isinstance(self._inventory, RBDInventory)  # noqa: S101 - for the type checker
        trash = trash_of(self._store)
        if trash is None:
            return None
        names = [thing.name for thing in found.live]
        known = {one.image_id for name in names for one in self._inventory.trashed(name)}
        return MoveToTrash(
            self._judge(found.target),
            trash,
            found.live,
            keep_seconds=self._keep_seconds,
            why_not=self._why_changed(found),
            known=known,
        )

    def _why_changed(self, found: _Found) -> Callable[[], str]:
        """What tells whether the record is as it was, so that its removal can follow."""
        target, version = found.target, found.state.version if found.state else None

        def why_not() -> str:
            state = self._store.read_state(target.record_object)
            if (state.version if state else None) == version:
                return ""
            return f"{printable(target.record_object)} has changed since the plan was made"

        return why_not

    def _steps(self, found: _Found) -> Iterator[Step]:
        """Leases first, so that no owner enters the record anew; then the record; then entries."""
        target, state, record = found.target, found.state, found.record
        if state is not None and record is not None:
            yield from self._planner.final_steps(target.schema, target.uuid)
            yield remove_record_step(
                target.schema, target.uuid, state, record, lambda: self._is_out_of_use(found)
            )
        for instance_id, name in found.entries:
            records = self._records(target, instance_id)
            yield self._planner.remove_dangling_step(
                records, name, target.uuid, is_gone(records, target.uuid)
            )

    def _is_out_of_use(self, found: _Found) -> bool:
        """Whether nothing that is in use stands behind the record, at this moment."""
        self._inventory.refresh()
        target = found.target
        again = replace(found, things=[], details=[], reasons=[], commands=[])
        behind = behind_record(self._inventory, target.schema, target.uuid, found.record)
        self._take_things(again, behind)
        return not (again.live or again.reasons or behind.not_compared)


def _keep_parents(found: Sequence[_Found]) -> None:
    """Keep images whose children stay; one that is kept keeps its own parents in turn."""
    changed = True
    while changed:
        changed = False
        leaving = {it.thing_id for one in found if not one.reasons for it in one.things}
        for one in found:
            if one.reasons:
                continue
            for details in one.details:
                if isinstance(details, ImageDetails):
                    one.reasons += map(str, children_in_use(details, leaving))
            changed = changed or bool(one.reasons)


def _children_first(found: Sequence[_Found]) -> Iterator[_Found]:
    """In an order in which no image is moved before its children."""
    owner = {thing.thing_id: number for number, one in enumerate(found) for thing in one.things}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for number, one in enumerate(found):
        children = (
            owner[child.image_id]
            for details in one.details
            if isinstance(details, ImageDetails)
            for child in details.children
            if child.image_id in owner
        )
        sorter.add(number, *(child for child in children if child != number))
    return (found[number] for number in sorter.static_order())
