"""Which objects of Kubernetes claim a volume, a snapshot or a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from csijournal.check.behind import role_of
from csijournal.check.handle_location import HandleLocation
from csijournal.inventory.cluster_mapping import LocationType
from csijournal.inventory.contract import NotCompared, Role
from csijournal.inventory.kubernetes import KnownHandle, KubernetesLists
from csijournal.inventory.kubernetes_objects import KubernetesObject, ObjectKind, Relation
from csijournal.store.contract import Store
from csijournal.wire.entries import MappedHandle, parse_target
from csijournal.wire.handles import HANDLE_VERSION, Handle
from csijournal.wire.schema import SCHEMAS, VOLUMES, AnySchema

SCHEMA_OF: Mapping[Role, AnySchema] = {role_of(schema): schema for schema in SCHEMAS}


class Claims:
    """What the lists say of one place: dictionary look-ups, for each of many records.

    Without a `location`, no handle can name the place, and all count as its own.
    """

    def __init__(self, lists: KubernetesLists, location: HandleLocation | None) -> None:
        self.lists = lists
        self.location = location

    def leads_here(self, handle: Handle) -> bool:
        """Whether the handle names this place, with a mapping also by what it stands for."""
        return self.location is None or self.location.leads_here(handle)

    def is_claimed(self, role: Role, uuid: str) -> bool:
        """Whether an object stands for it, or for a group that it is a member of.

        What is only the source of another does not count: it may be deleted first.
        """
        return any(
            known.role is role and known.relation is not Relation.SOURCE
            for known in self.lists.named(uuid)
        )

    def holders(self, role: Role, uuid: str) -> list[KnownHandle]:
        """The handle of each object that stands for it; an object that is listed twice is one."""
        found = {known.object.identity: known for known in self.lists.holders(uuid, role)}
        return list(found.values())

    def holders_here(self, role: Role, uuid: str) -> list[KnownHandle]:
        """Those of `holders` whose handle names this place."""
        return [known for known in self.holders(role, uuid) if self.leads_here(known.handle)]

    def sources(self, role: Role, uuid: str) -> list[KubernetesObject]:
        """The objects that were made from it."""
        return [
            known.object
            for known in self.lists.named(uuid)
            if known.role is role and known.relation is Relation.SOURCE
        ]

    def held_here(self) -> Iterator[tuple[Role, str]]:
        """What the objects hold by a handle of this place, perhaps repeatedly."""
        if self.location is not None:
            for known in self.lists.handles():
                if known.relation is Relation.HOLDS and self.leads_here(known.handle):
                    yield known.role, known.handle.object_uuid

    def kinds(self, role: Role) -> tuple[ObjectKind, ...]:
        """The kinds of objects that can claim it here."""
        if role is Role.VOLUME:
            return (ObjectKind.VOLUME,)
        if role is Role.SNAPSHOT:
            return (ObjectKind.SNAPSHOT,)
        # CSI-Addons replicates groups of RBD images only.
        in_cephfs = self.location is not None and self.location.kind is LocationType.FILESYSTEM
        replicated = () if in_cephfs else (ObjectKind.GROUP_REPLICATION,)
        return (ObjectKind.GROUP_SNAPSHOT, *replicated)

    def is_complete(self, role: Role) -> bool:
        """Whether all objects that can claim one were listed."""
        return all(map(self.lists.is_complete, self.kinds(role)))

    def missing_lists(self, role: Role) -> tuple[NotCompared, ...]:
        """The lists that are missing, or were cut short, to know all claims."""
        return self.lists.not_compared(self.kinds(role))


_MAPPED_PREFIX = f"{VOLUMES.entry_prefix}{HANDLE_VERSION:04x}-"


def mapped_handles(store: Store, instance_ids: Iterable[str]) -> dict[str, Handle]:
    """The old handle of each volume for which a directory says so, by the UUID of the new one.

    Older drivers wrote that after a failover; Kubernetes then holds the old handle.
    """
    found = {}
    for instance_id in instance_ids:
        directory, after = VOLUMES.directory_prefix + instance_id, ""
        while page := store.read_page(directory, after=after, prefix=_MAPPED_PREFIX):
            for key, value in page.items():
                old = VOLUMES.request_name_of_entry(key) or ""
                target = parse_target(old, value)
                if isinstance(target, MappedHandle):
                    found[target.handle.object_uuid] = Handle.parse(old)
            after = max(page)
    return found


def in_words(holders: Iterable[KnownHandle]) -> str:
    """The objects, each with what tells it from its like."""
    return " and ".join(map(_in_words, holders))


def _in_words(known: KnownHandle) -> str:
    described = known.object
    more = {
        "claim": described.claim,
        "reclaim policy": described.policy,
        "in": described.source_name,
    }
    said = ", ".join(f"{what} {text}" for what, text in more.items() if text)
    return f"{described} ({said})" if said else str(described)
