"""What CephFS has behind the records: subvolumes, their snapshots, shallow volumes' references.

The manager is asked, with the commands that operators know.  All names of a
group come at once (60 in 16 ms, Ceph 16.2.15).  A snapshot needs a question for
its subvolume (4 ms), so only those subvolumes are asked about that a record
names; `things` of snapshots asks about all.  References of shallow volumes are
read by the name of their object; finding all of them walks the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from csijournal.errors import (
    CSIJournalError,
    PermissionDenied,
    PlaceNotFound,
    StoreError,
    printable,
)
from csijournal.inventory.cephfs_details import DetailsReader, ReferenceDetails
from csijournal.inventory.cephfs_lists import SubvolumeLists
from csijournal.inventory.cephfs_manager import Manager, NotInFilesystem, cephfs_caps_hint
from csijournal.inventory.cephfs_references import ReferenceIndex, ReferenceReader
from csijournal.inventory.contract import (
    Behind,
    Details,
    Inventory,
    NotCompared,
    Role,
    Thing,
    ThingKind,
)
from csijournal.store.contract import Store
from csijournal.store.rados.csi_config import SUBVOLUME_GROUP
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.session import Session
from csijournal.wire.backing_references import BackingReferences

if TYPE_CHECKING:
    from typing_extensions import Self

_SUBVOLUME = ThingKind.SUBVOLUME
_SNAPSHOT = ThingKind.SUBVOLUME_SNAPSHOT
_REFERENCE = ThingKind.SHALLOW_REFERENCE

_EVERYTHING = "CephFS subvolumes and their snapshots"
_NAMES = {
    _SUBVOLUME: "CephFS subvolumes",
    _SNAPSHOT: "snapshots of CephFS subvolumes",
    _REFERENCE: "references of shallow CephFS volumes",
}
_LIST_ALL = "A full check looks at all of them"

_FAILURES = (StoreError, NotInFilesystem)


class _NotTold(StoreError):
    """A record does not say where to look: about this one record, not about the location."""


class CephFSInventory(Inventory):
    """The filesystem whose metadata pool is `pool`.

    `store` is on this pool and `namespace`, over the login `cluster`.
    `filesystem` is looked up unless it is given.  Things are listed of the
    subvolume group `group`; a name that is not there is looked for in all
    others before it counts as missing.  Close it, which leaves `cluster` open.
    """

    name = "cephfs"

    def __init__(
        self,
        cluster: Session,
        store: Store,
        pool: str,
        namespace: str,
        *,
        filesystem: str = "",
        group: str = SUBVOLUME_GROUP,
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._filesystem = filesystem
        self._group = group
        self._context = cluster.context(pool, namespace)
        self._manager = Manager(cluster, pool)
        self.refresh()

    def refresh(self) -> None:
        self._manager.reset()
        self._read_lists: SubvolumeLists | None = None
        reader = ReferenceReader(
            self._cluster, self._store, self._context.pool, self._context.namespace
        )
        self._references = ReferenceIndex(reader)
        self._is_listed = False
        self._problems: dict[ThingKind, NotCompared] = {}
        self._failures: dict[ThingKind, NotCompared] = {}

    def close(self) -> None:
        """End the connection to the manager; closing twice is fine."""
        self._manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The contract

    def behind(self, role: Role, uuid: str, name: str = "", *, within: str = "") -> Behind:
        """As the contract says.

        `within` is for a snapshot its `csi.source`, and for a volume its
        `csi.volume.backingsnapshotid`, if it has one.  A volume with `name` and
        without that is not a shallow one: the driver writes both at once.
        CephFS has nothing behind groups.
        """
        if role is Role.VOLUME:
            return self._behind_volume(uuid, name, within)
        if role is Role.SNAPSHOT:
            return self._looked(_SNAPSHOT, lambda: self._snapshots(uuid, name, within))
        return Behind()

    def things(self, kind: ThingKind) -> Iterator[Thing]:
        """As the contract says.

        For subvolumes' snapshots this asks the manager about every subvolume of
        the group, and for references of shallow volumes it walks the pool.
        """
        listing = {
            _SUBVOLUME: self._all_subvolumes,
            _SNAPSHOT: self._all_snapshots,
            _REFERENCE: self._all_references,
        }.get(kind)
        if listing is None or (kind is not _REFERENCE and self._list_problem()):
            return
        try:
            yield from listing()
        except _FAILURES as error:
            self._problems[kind] = self._not_compared(_NAMES[kind], error)

    def details(self, thing: Thing) -> Details | NotCompared | None:
        """A SubvolumeDetails, SubvolumeSnapshotDetails or ReferenceDetails."""
        try:
            if thing.kind is _REFERENCE:
                return self._reference_details(thing)
            reader = DetailsReader(self._manager, self._lists.filesystem, thing)
            if thing.kind is _SUBVOLUME:
                return reader.subvolume(thing.within)
            group = self._lists.group_of(thing.within)
            return None if group is None else reader.snapshot(group)
        except _FAILURES as error:
            what = f"details of {_NAMES[thing.kind]}"
            self._failures.setdefault(thing.kind, self._not_compared(what, error))
            return self._not_compared(str(thing), error)

    def _reference_details(self, thing: Thing) -> ReferenceDetails | None:
        found = self._references.of_snapshot(thing.within)
        if found is None or thing.name not in found.references:
            return None
        return ReferenceDetails(thing=thing, references=found)

    def compared(self) -> Mapping[ThingKind, int]:
        counts = {}
        if not self._list_problem():
            counts[_SUBVOLUME] = len(self._lists.subvolumes)
            if self._lists.has_all_snapshots:
                counts[_SNAPSHOT] = self._lists.snapshot_count
        if self._references.is_complete:
            counts[_REFERENCE] = sum(len(each.volumes) for each in self._references.known())
        return counts

    def not_compared(self) -> tuple[NotCompared, ...]:
        self._list_problem()
        return tuple(dict.fromkeys((*self._problems.values(), *self._failures.values())))

    # What only CephFS has

    @property
    def filesystem(self) -> str:
        """The filesystem's name, once its lists were read; before that the one that was given."""
        return self._read_lists.filesystem if self._read_lists else self._filesystem

    def group_of(self, subvolume: str) -> str:
        """The group that has the subvolume; the usual one where none has.  Raises StoreError."""
        return self._lists.group_of(subvolume) or self._group

    def subvolume(self, name: str) -> Behind:
        """The subvolume of exactly this name, whatever its group."""
        return self._looked(_SUBVOLUME, lambda: self._exactly(name))

    def snapshots_of(self, subvolume: str) -> Behind:
        """All snapshots of one subvolume, whatever its group; none where it does not exist."""
        return self._looked(_SNAPSHOT, lambda: self._snapshots_of(subvolume))

    def references_of(self, snapshot_handle: str) -> BackingReferences | NotCompared | None:
        """The object that counts the uses of this snapshot; None where there is none."""
        try:
            return self._references.of_snapshot(snapshot_handle)
        except StoreError as error:
            return self._not_compared(_NAMES[_REFERENCE], error)

    def references(self) -> Iterator[BackingReferences]:
        """All objects that count the uses of snapshots behind shallow volumes.  Walks the pool.

        Raises StoreError.
        """
        return self._references.all()

    # Lists of everything

    def _all_subvolumes(self) -> Iterator[Thing]:
        return (Thing(_SUBVOLUME, name, within=self._group) for name, _ in self._lists.subvolumes)

    def _all_snapshots(self) -> Iterator[Thing]:
        found = self._lists.all_snapshots()
        return (Thing(_SNAPSHOT, name, within=subvolume) for subvolume, name in found)

    def _all_references(self) -> Iterator[Thing]:
        for found in self._references.all():
            for volume in found.volumes:
                yield Thing(_REFERENCE, volume, within=found.snapshot_handle)

    # Looking for one

    def _behind_volume(self, uuid: str, name: str, snapshot_handle: str) -> Behind:
        found = self._looked(_SUBVOLUME, lambda: self._subvolumes(uuid, name))
        if found.things or (name and not snapshot_handle):
            return found
        shallow = self._looked(_REFERENCE, lambda: self._shallow(uuid, name, snapshot_handle))
        return Behind(shallow.things, (*found.not_compared, *shallow.not_compared))

    def _subvolumes(self, uuid: str, name: str) -> Iterator[Thing]:
        for group, found in self._lists.matching(name, uuid):
            yield Thing(_SUBVOLUME, found, within=group)

    def _exactly(self, name: str) -> Iterator[Thing]:
        group = self._lists.group_of(name)
        if group is not None:
            yield Thing(_SUBVOLUME, name, within=group)

    def _snapshots_of(self, subvolume: str) -> Iterator[Thing]:
        names = self._lists.snapshots(subvolume)
        return (Thing(_SNAPSHOT, name, within=subvolume) for name, _ in names)

    def _snapshots(self, uuid: str, name: str, subvolume: str) -> Iterator[Thing]:
        if subvolume:
            asked = [(subvolume, self._lists.snapshots(subvolume))]
        elif self._lists.has_all_snapshots:
            asked = [*self._lists.known_snapshots()]
        else:
            raise _NotTold("its record does not name the subvolume", hint=_LIST_ALL)
        for source, names in asked:
            for found in names.matching(name, uuid):
                yield Thing(_SNAPSHOT, found, within=source)

    def _shallow(self, uuid: str, name: str, snapshot_handle: str) -> Iterator[Thing]:
        if snapshot_handle:
            one = self._references.of_snapshot(snapshot_handle)
            asked = [one] if one else []
        elif self._references.is_complete:
            asked = [*self._references.known()]
        else:
            raise _NotTold("the record does not tell whether it is one", hint=_LIST_ALL)
        for references in asked:
            for volume in references.volumes:
                if volume == name or volume.endswith(uuid):
                    yield Thing(_REFERENCE, volume, within=references.snapshot_handle)

    # What could not be looked at

    def _looked(self, kind: ThingKind, look: Callable[[], Iterator[Thing]]) -> Behind:
        problem = None if kind is _REFERENCE else self._list_problem()
        if problem is not None:
            return Behind(not_compared=(problem,))
        try:
            return Behind(tuple(look()))
        except _FAILURES as error:
            problem = self._not_compared(_NAMES[kind], error)
            if not isinstance(error, _NotTold):
                self._failures.setdefault(kind, problem)
            return Behind(not_compared=(problem,))

    def _list_problem(self) -> NotCompared | None:
        """Why the group's subvolumes cannot be listed, asked once; None where they can be."""
        if not self._is_listed:
            self._is_listed = True
            try:
                _ = self._lists.subvolumes
            except _FAILURES as error:
                self._problems[_SUBVOLUME] = self._not_compared(_EVERYTHING, error)
        return self._problems.get(_SUBVOLUME)

    def _not_compared(self, what: str, error: CSIJournalError) -> NotCompared:
        return _not_compared(what, error, self._context)

    @property
    def _lists(self) -> SubvolumeLists:
        if self._read_lists is None:
            filesystem = self._filesystem or filesystem_of(self._cluster, self._context.pool)
            self._read_lists = SubvolumeLists(self._manager, filesystem, self._group)
        return self._read_lists


def _not_compared(what: str, error: CSIJournalError, context: ErrorContext) -> NotCompared:
    hint = cephfs_caps_hint(context) if isinstance(error, PermissionDenied) else error.hint
    return NotCompared(what, error.message, hint)


def filesystem_of(cluster: Session, pool: str) -> str:
    """The name of the filesystem whose metadata pool this is.

    Raises PlaceNotFound where it is of none, and other StoreErrors.
    """
    for found in cluster.filesystems():
        if cluster.pool_name(found.metadata_pool_id) == pool:
            return found.name
    raise PlaceNotFound(
        f"pool {printable(pool)} is not the metadata pool of a filesystem",
        hint="See: ceph fs ls; or name the filesystem with --fs",
    )
