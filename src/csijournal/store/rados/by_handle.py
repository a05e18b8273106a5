"""Which pool a CSI handle means.

A handle has a number and does not say of what: RBD writes the pool's id,
CephFS the filesystem's, whose metadata pool holds the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from csijournal.errors import PermissionDenied, PlaceNotFound, PlaceUnusable
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.wire.filesystems import Filesystem
from csijournal.wire.handles import Handle

RECORD_PREFIXES = ("csi.volume.group.", "csi.volume.", "csi.snap.")
"""The objects that a handle's UUID may name (Ceph-CSI, internal/journal)."""

_NAMED_MAX = 10
"""How many pools and filesystems a message names: the newest, since ids only grow."""


@dataclass(frozen=True)
class HandlePool:
    """A pool and namespace that a handle may mean; `filesystem` where its number is one's id.

    `handle` is the handle as it was read: the one that was given, or one that
    it stands for after a failover.
    """

    driver: str
    pool_id: int
    pool: str
    namespace: str
    handle: Handle
    filesystem: Filesystem | None = None

    def __str__(self) -> str:
        text = f"pool {self.pool} (id {self.pool_id})"
        if self.filesystem is not None:
            found = self.filesystem
            text += f", the metadata pool of filesystem {found.name} (id {found.filesystem_id})"
        return f"{text}, {f'namespace {self.namespace}' if self.namespace else 'default namespace'}"


def find_pool(
    cluster: RADOSCluster, handles: Mapping[str, Sequence[Handle]], namespaces: Mapping[str, str]
) -> tuple[HandlePool, list[HandlePool]]:
    """The pool that a handle means, and all that were thought of.

    `namespaces` has those drivers that come into question, each with its
    namespace, and `handles` what each driver may take the handle for: itself
    first, then what a mapping of clusters says.  Of several pools it is the
    first of a driver with an object of the handle's UUID, as Ceph-CSI has it;
    where none has one, the first.

    Raises PlaceNotFound where there is no such pool or filesystem, PlaceUnusable
    where pools of both drivers have such an object, and other StoreErrors.
    """
    candidates = _candidates(cluster, handles, namespaces)
    if len(candidates) == 1:
        return candidates[0], candidates
    holding: dict[str, HandlePool] = {}
    for pool in candidates:
        if pool.driver not in holding and _holds(cluster, pool):
            holding[pool.driver] = pool
    found = list(holding.values())
    if len(found) > 1:
        raise PlaceUnusable(
            f"the handle's number means {' and '.join(map(str, found))}; both have its UUID",
            hint="Say whose handle it is: --driver rbd, or --driver cephfs",
        )
    return (found or candidates)[0], candidates


def _candidates(
    cluster: RADOSCluster, handles: Mapping[str, Sequence[Handle]], namespaces: Mapping[str, str]
) -> list[HandlePool]:
    found: list[HandlePool] = []
    if "rbd" in namespaces:
        found += _pools(cluster, handles["rbd"], namespaces["rbd"])
    if "cephfs" in namespaces:
        required = not found
        found += _metadata_pools(
            cluster, handles["cephfs"], namespaces["cephfs"], required=required
        )
    if not found:
        thought_of = next(iter(handles.values()))
        numbers = " or ".join(str(handle.location_id) for handle in thought_of)
        raise PlaceNotFound(
            f"this cluster has no {_meaning(namespaces)} with the id {numbers}",
            hint=f"{_there_are(cluster, namespaces)} Is the handle of another cluster? Its"
            f" cluster id is {thought_of[0].cluster_id};"
            " --cluster-mapping says what it stands for after a failover",
        )
    return found


def _pools(
    cluster: RADOSCluster, handles: Sequence[Handle], namespace: str
) -> Iterator[HandlePool]:
    for handle in handles:
        pool = cluster.pool_name(handle.location_id)
        if pool:
            yield HandlePool("rbd", handle.location_id, pool, namespace, handle)


def _metadata_pools(
    cluster: RADOSCluster, handles: Sequence[Handle], namespace: str, *, required: bool
) -> Iterator[HandlePool]:
    filesystems = _filesystems(cluster, required=required)
    for handle in handles:
        filesystem = filesystems.get(handle.location_id)
        if filesystem is not None:
            pool_id = filesystem.metadata_pool_id
            pool = cluster.pool_name(pool_id) or ""
            yield HandlePool("cephfs", pool_id, pool, namespace, handle, filesystem)


def _filesystems(cluster: RADOSCluster, *, required: bool) -> dict[int, Filesystem]:
    """The filesystems by id; none where this user may not ask, and none is needed."""
    try:
        filesystems = cluster.filesystems()
    except PermissionDenied as error:
        if not required:
            return {}
        error.hint = (
            "A CephFS handle has the id of a filesystem, and looking that up needs the"
            " capability mon 'allow r'; or name the metadata pool with -p"
        )
        raise
    return {filesystem.filesystem_id: filesystem for filesystem in filesystems}


def _there_are(cluster: RADOSCluster, namespaces: Mapping[str, str]) -> str:
    """What this cluster has instead, as a sentence."""
    pools = cluster.pools()
    there: list[str] = []
    if "rbd" in namespaces:
        there += [f"pool {name} (id {number})" for number, name in sorted(pools.items())]
    if "cephfs" in namespaces:
        found = _filesystems(cluster, required=False).values()
        there += [
            f"filesystem {one.name} (id {one.filesystem_id},"
            f" metadata pool {pools.get(one.metadata_pool_id, one.metadata_pool_id)})"
            for one in found
        ]
    more = f" and {len(there) - _NAMED_MAX} more" if len(there) > _NAMED_MAX else ""
    return f"There are here: {', '.join(there[-_NAMED_MAX:]) or 'none'}{more}."


def _meaning(namespaces: Mapping[str, str]) -> str:
    kinds = {"rbd": "pool", "cephfs": "filesystem"}
    return " and no ".join(kinds[driver] for driver in namespaces)


def _holds(cluster: RADOSCluster, pool: HandlePool) -> bool:
    """Whether the pool has a record of the handle's UUID; no where this user may not look."""
    with cluster.store(pool.pool, pool.namespace) as store:
        try:
            names = [prefix + pool.handle.object_uuid for prefix in RECORD_PREFIXES]
            return any(store.modified_ns(name) is not None for name in names)
        except PermissionDenied:
            return False
