"""From the RADOS options, and a CSI handle, to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import click

from csijournal.inventory.cluster_mapping import ClusterMapping, LocationType
from csijournal.store import Store, open_location, open_over
from csijournal.store.rados.by_handle import HandlePool, find_pool
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.csi_config import read_clusters
from csijournal.store.rados.location import DRIVERS, RADOSLocation
from csijournal.wire.handles import Handle


@dataclass(frozen=True)
class LookedIn:
    """Where a handle led, and whether this is the cluster that it names, as far as is known.

    `others` are the pools that its number means too, and that have no such
    UUID.  `config` is the config.json in which the cluster id was looked up, and
    `handle` the handle that was given: `pool.handle` may be what it stands for.
    """

    pool: HandlePool
    others: tuple[HandlePool, ...]
    handle: Handle
    fsid: str
    config: str = ""

    @property
    def cluster_id(self) -> str:
        """The cluster of the handle, after mapping."""
        return self.pool.handle.cluster_id

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
        mapped = "" if self.pool.handle == self.handle else f"; it stands for {self.pool.handle}"
        return (
            f"looked in {self.pool}{also if others else ''}{mapped};"
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
            "handle": str(self.pool.handle),
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
    meant = {} if handle is None else _handles(given, handle)
    if words.get("pool"):
        if handle is not None and "csi-config" in words:
            words.setdefault("cluster-id", _configured_id(words["csi-config"], meant))
        return open_location(RADOSLocation.from_words(words))
    if handle is None:
        raise click.UsageError("Which pool? Give -p/--pool, or name the record by its CSI handle.")
    return _open_by_handle(words, handle, meant, say)


def location_of_options(given: Mapping[str, str], timeout_seconds: float) -> RADOSLocation:
    """The location that the options in `given` name, which must have a pool."""
    if not given.get("pool"):
        raise click.UsageError("Which pool? Give -p/--pool.")
    return RADOSLocation.from_words(_words(given, timeout_seconds))


def _words(given: Mapping[str, str], timeout_seconds: float) -> dict[str, str]:
    words = {
        name.replace("_", "-"): value for name, value in given.items() if name != "cluster_mapping"
    }
    return words | {"timeout": str(timeout_seconds)}


def handles_meant(given: Mapping[str, str], handle: Handle) -> set[Handle]:
    """The handle, and all that it may stand for by --cluster-mapping."""
    return {one for handles in _handles(given, handle).values() for one in handles}


def mapping_of(given: Mapping[str, str]) -> ClusterMapping:
    """What --cluster-mapping says; it maps nothing where that is not given."""
    path = given.get("cluster_mapping")
    return ClusterMapping.read(path) if path else ClusterMapping()


_Meant = Mapping[str, Sequence[Handle]]
"""For each driver what it may take the handle for: itself first."""

_LOCATION_TYPES = {"rbd": LocationType.POOL, "cephfs": LocationType.FILESYSTEM}


def _handles(given: Mapping[str, str], handle: Handle) -> _Meant:
    mapping = mapping_of(given)
    return {driver: mapping.candidates(handle, kind) for driver, kind in _LOCATION_TYPES.items()}


def _open_by_handle(words: dict[str, str], handle: Handle, meant: _Meant, say: Say) -> Store:
    meant = _of_named_cluster(words, handle, meant)
    if "csi-config" in words:
        words["cluster-id"] = _configured_id(words["csi-config"], meant)
        meant = _of_named_cluster(words, handle, meant)
    words["pool-id"] = str(handle.location_id)
    drivers = [words["driver"]] if words.get("driver") else list(DRIVERS)
    locations = [RADOSLocation.from_words(words | {"driver": driver}) for driver in drivers]
    namespaces = {found.driver: found.found_namespace for found in locations}
    cluster = RADOSCluster.at(locations[0])
    try:
        pool, thought_of = find_pool(cluster, meant, namespaces)
        others = tuple(other for other in thought_of if other != pool)
        say(LookedIn(pool, others, handle, cluster.fsid(), words.get("csi-config", "")))
    except BaseException:
        cluster.close()
        raise
    return open_over(cluster, pool.pool, pool.namespace)


def _of_named_cluster(words: Mapping[str, str], handle: Handle, meant: _Meant) -> _Meant:
    """What the handle may stand for in the cluster of --cluster-id.

    Raises UsageError where that is nothing: it is a handle of another cluster.
    """
    named = words.get("cluster-id")
    if not named:
        return meant
    chosen = {
        driver: [one for one in handles if one.cluster_id == named]
        for driver, handles in meant.items()
    }
    if not any(chosen.values()):
        raise click.UsageError(
            f"The handle is of the cluster {handle.cluster_id}, and --cluster-id is {named}."
            " Give the handle's, --cluster-mapping where the one stands for the other, or"
            " -p POOL to look in a pool of this cluster all the same."
        )
    return chosen


def _configured_id(path: str, meant: _Meant) -> str:
    """The first cluster id that the handle may stand for and config.json has; else the handle's."""
    ids = dict.fromkeys(one.cluster_id for handles in meant.values() for one in handles)
    known = read_clusters(path) if len(ids) > 1 else ids
    return next((one for one in ids if one in known), next(iter(ids)))
