"""From the RADOS options, and a CSI handle, to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import click

from csijournal.store import Store, open_location, open_over
from csijournal.store.rados.by_handle import HandlePool, find_pool
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import DRIVERS, RADOSLocation
from csijournal.wire.handles import Handle


@dataclass(frozen=True, slots=True)
class LookedIn:
    """Where a handle led, and whether this is the cluster that it names, as far as is known.

    `others` are the pools that its number means too, and that have no such
    UUID.  `config` is the config.json in which the cluster id was looked up.
    """

    pool: HandlePool
    others: tuple[HandlePool, ...]
    cluster_id: str
    fsid: str
    config: str = ""

    @property
    def verified(self) -> bool:
        """Whether something says that the handle's cluster id is this cluster's."""
        return bool(self.config) or self.cluster_id == self.fsid

    def __str__(self) -> str:
        others = " and ".join(map(str, self.others))
        also = f" (the handle's number also means {others}, where its UUID was not found)"
        if self.config:
            identity = f", as in {self.config}"
        elif self.verified:
            identity = ", this cluster's fsid"
        else:
            identity = (
                " (not verified: give --csi-config to look it up;"
                f" this cluster's fsid is {self.fsid})"
            )
        return (
            f"looked in {self.pool}{also if others else ''};"
            f" the handle's cluster id is {self.cluster_id}{identity}"
        )

    def to_json(self) -> dict[str, object]:
        """The same as fields."""
        filesystem = self.pool.filesystem
        return {
            "driver": self.pool.driver,
            "pool": self.pool.pool,
            "pool_id": self.pool.pool_id,
            "namespace": self.pool.namespace,
            "filesystem": filesystem and filesystem.name,
            "cluster_id": self.cluster_id,
            "cluster_id_verified": self.verified,
            "fsid": self.fsid,
        }


Say = Callable[[LookedIn], None]


def open_rados(
    given: Mapping[str, str], handle: Handle | None, timeout_seconds: float, say: Say
) -> Store:
    """The store of the options in `given`; `handle` adds the pool and cluster that they lack.

    `say` is told which pool a handle led to, and whether its cluster id was
    compared with anything.
    """
    words = _words(given, timeout_seconds)
    if words.get("pool"):
        if handle is not None and "csi-config" in words:
            words.setdefault("cluster-id", handle.cluster_id)
        return open_location(RADOSLocation.from_words(words))
    if handle is None:
        raise click.UsageError("Which pool? Give -p/--pool, or name the group by its CSI handle.")
    return _open_by_handle(words, handle, say)


def location_of_options(given: Mapping[str, str], timeout_seconds: float) -> RADOSLocation:
    """The location that the options in `given` name, which must have a pool."""
    if not given.get("pool"):
        raise click.UsageError("Which pool? Give -p/--pool.")
    return RADOSLocation.from_words(_words(given, timeout_seconds))


def _words(given: Mapping[str, str], timeout_seconds: float) -> dict[str, str]:
    words = {name.replace("_", "-"): value for name, value in given.items()}
    return words | {"timeout": str(timeout_seconds)}


def _open_by_handle(words: dict[str, str], handle: Handle, say: Say) -> Store:
    _require_cluster_id(words, handle)
    if "csi-config" in words:
        words["cluster-id"] = handle.cluster_id
    words["pool-id"] = str(handle.location_id)
    drivers = [words["driver"]] if words.get("driver") else list(DRIVERS)
    locations = [RADOSLocation.from_words(words | {"driver": driver}) for driver in drivers]
    namespaces = {found.driver: found.found_namespace for found in locations}
    cluster = RADOSCluster.at(locations[0])
    try:
        pool, thought_of = find_pool(cluster, handle, namespaces)
        others = tuple(other for other in thought_of if other != pool)
        say(LookedIn(pool, others, handle.cluster_id, cluster.fsid(), words.get("csi-config", "")))
    except BaseException:
        cluster.close()
        raise
    return open_over(cluster, pool.pool, pool.namespace)


def _require_cluster_id(words: Mapping[str, str], handle: Handle) -> None:
    """Refuse a handle of another cluster than the one that was named.

    Ceph-CSI's cluster-mapping.json, which lets one cluster id stand for another,
    is not read: whoever has one names the pool.
    """
    named = words.get("cluster-id")
    if named and named != handle.cluster_id:
        raise click.UsageError(
            f"The handle is of the cluster {handle.cluster_id}, and --cluster-id is {named}."
            " Give the handle's, or -p POOL to look in a pool of this cluster all the same."
        )
