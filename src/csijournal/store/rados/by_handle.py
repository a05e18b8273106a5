"""Which pool a CSI handle means.

A handle has a number and does not say of what: RBD writes the pool's id,
CephFS the filesystem's, whose metadata pool holds the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csijournal.errors import PermissionDenied, PlaceNotFound, PlaceUnusable
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.wire.filesystems import Filesystem
from csijournal.wire.handles import Handle

RECORD_PREFIXES = ("csi.volume.group.", "csi.volume.", "csi.snap.")
"""The objects that a handle's UUID may name (Ceph-CSI, internal/journal)."""


@dataclass(frozen=True, slots=True)
class HandlePool:
    """A pool and namespace that a handle may mean; `filesystem` where its number is one's id."""

    driver: str
    pool_id: int
    pool: str
    namespace: str
    filesystem: Filesystem | None = None

    def __str__(self) -> str:
        text = f"pool {self.pool} (id {self.pool_id})"
        if self.filesystem is not None:
            found = self.filesystem
            text += f", the metadata pool of filesystem {found.name} (id {found.filesystem_id})"
        return f"{text}, {f'namespace {self.namespace}' if self.namespace else 'default namespace'}"


def find_pool(
    cluster: RADOSCluster, handle: Handle, namespaces: Mapping[str, str]
) -> tuple[HandlePool, list[HandlePool]]:
    """The pool that `handle` means, and all that were thought of.

    `namespaces` has those drivers that come into question, each with its
    namespace.  Of several pools it is the one with an object of the handle's
    UUID; where none has one, the first.

    Raises PlaceNotFound where there is no such pool or filesystem, PlaceUnusable
    where several pools have such an object, and other StoreErrors.
    """
    candidates = _candidates(cluster, handle, namespaces)
    if len(candidates) == 1:
        return candidates[0], candidates
    holding = [pool for pool in candidates if _holds(cluster, handle, pool)]
    if len(holding) > 1:
        raise PlaceUnusable(
            f"the handle's number means {' and '.join(map(str, holding))}; both have its UUID",
            hint="Say whose handle it is: --driver rbd, or --driver cephfs",
        )
    return (holding or candidates)[0], candidates


def _candidates(
    cluster: RADOSCluster, handle: Handle, namespaces: Mapping[str, str]
) -> list[HandlePool]:
    found = []
    if "rbd" in namespaces and (pool := cluster.pool_name(handle.location_id)):
        found.append(HandlePool("rbd", handle.location_id, pool, namespaces["rbd"]))
    if "cephfs" in namespaces:
        filesystem = _filesystem(cluster, handle, required=not found)
        if filesystem is not None:
            pool_id = filesystem.metadata_pool_id
            pool = cluster.pool_name(pool_id) or ""
            namespace = namespaces["cephfs"]
            found.append(HandlePool("cephfs", pool_id, pool, namespace, filesystem))
    if not found:
        raise PlaceNotFound(
            f"this cluster has no {_meaning(namespaces)} with the id {handle.location_id}",
            hint=f"Is the handle of another cluster? Its cluster id is {handle.cluster_id}",
        )
    return found


def _filesystem(cluster: RADOSCluster, handle: Handle, *, required: bool) -> Filesystem | None:
    """The filesystem whose id the handle has; None for none, or where none is needed."""
    try:
        filesystems = cluster.filesystems()
    except PermissionDenied as error:
        if not required:
            return None
        error.hint = (
            "A CephFS handle has the id of a filesystem, and looking that up needs the"
            " capability mon 'allow r'; or name the metadata pool with -p"
        )
        raise
    found = {filesystem.filesystem_id: filesystem for filesystem in filesystems}
    return found.get(handle.location_id)


def _meaning(namespaces: Mapping[str, str]) -> str:
    kinds = {"rbd": "pool", "cephfs": "filesystem"}
    return " and no ".join(kinds[driver] for driver in namespaces)


def _holds(cluster: RADOSCluster, handle: Handle, pool: HandlePool) -> bool:
    """Whether the pool has a record of the handle's UUID; no where this user may not look."""
    with cluster.store(pool.pool, pool.namespace) as store:
        try:
            names = [prefix + handle.object_uuid for prefix in RECORD_PREFIXES]
            return any(store.modified_ns(name) is not None for name in names)
        except PermissionDenied:
            return False
