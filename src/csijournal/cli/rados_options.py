"""From the RADOS options, and a CSI handle, to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from csijournal.store import Store, open_location, open_over
from csijournal.store.rados.by_handle import HandlePool, find_pool
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import DRIVERS, RADOSLocation
from csijournal.wire.handles import Handle

Say = Callable[[str], None]


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
    locations = {
        driver: RADOSLocation.from_words(words | {"driver": driver}).resolved()
        for driver in drivers
    }
    cluster = RADOSCluster(locations[drivers[0]].login)
    try:
        namespaces = {driver: found.namespace or "" for driver, found in locations.items()}
        pool, thought_of = find_pool(cluster, handle, namespaces)
        say(f"looked in {_in_words(pool, thought_of)}; {_identity(words, cluster, handle)}")
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


def _in_words(pool: HandlePool, thought_of: list[HandlePool]) -> str:
    others = " and ".join(str(other) for other in thought_of if other != pool)
    also = f" (the handle's number also means {others}, where its UUID was not found)"
    return f"{pool}{also if others else ''}"


def _identity(words: Mapping[str, str], cluster: RADOSCluster, handle: Handle) -> str:
    """Whether this is the handle's cluster, as far as that can be known."""
    said = f"the handle's cluster id is {handle.cluster_id}"
    if "csi-config" in words:
        return f"{said}, as in {words['csi-config']}"
    fsid = cluster.fsid()
    if handle.cluster_id == fsid:
        return f"{said}, this cluster's fsid"
    return f"{said} (not verified: give --csi-config to look it up; this cluster's fsid is {fsid})"
