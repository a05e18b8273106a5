"""The `config.json` of Ceph-CSI: which monitors and namespaces belong to a cluster id.

    [{"clusterID": "...", "monitors": ["..."], "rbd": {"radosNamespace": "..."},
      "cephFS": {"radosNamespace": "csi", "subvolumeGroup": "csi"}}]

Fields that are unknown here are left to Ceph-CSI; those that are read must be
of the right type.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, TypeVar

from csijournal.errors import PlaceNotFound, PlaceUnusable
from csijournal.store.rados.files import read_small

RBD_NAMESPACE = ""
CEPHFS_NAMESPACE = "csi"
SUBVOLUME_GROUP = "csi"
"""Where the driver makes its subvolumes unless the file says otherwise."""


@dataclass(frozen=True)
class CephCluster:
    """One entry: where the cluster's monitors are, where its journals and subvolumes lie."""

    cluster_id: str
    monitors: tuple[str, ...]
    rbd_namespace: str = RBD_NAMESPACE
    cephfs_namespace: str = CEPHFS_NAMESPACE
    subvolume_group: str = SUBVOLUME_GROUP

    def namespace(self, driver: str) -> str:
        """The RADOS namespace of the journal of `driver`: "rbd" or "cephfs"."""
        return {"rbd": self.rbd_namespace, "cephfs": self.cephfs_namespace}[driver]


def find_cluster(path: str | os.PathLike[str], cluster_id: str) -> CephCluster:
    """The entry of `cluster_id` in the file at `path`.

    Raises PlaceNotFound for a missing file or an unknown id, PermissionDenied,
    and PlaceUnusable for a file that is not as it should be.
    """
    clusters = read_clusters(path)
    if cluster_id not in clusters:
        known = ", ".join(sorted(clusters)) or "none at all"
        raise PlaceNotFound(
            f"{os.fspath(path)} has no cluster id {cluster_id!r}", hint=f"It has: {known}"
        )
    return clusters[cluster_id]


def read_clusters(path: str | os.PathLike[str]) -> dict[str, CephCluster]:
    """All entries of the file by their cluster ids.  Raises as `find_cluster` does."""
    name = os.fspath(path)
    try:
        parsed = json.loads(read_small(path, "Ceph-CSI configuration").decode())
    except json.JSONDecodeError as error:
        raise PlaceUnusable(
            f"{name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise PlaceUnusable(f"{name} is not JSON in UTF-8: {error}") from error
    entries = _expect(list, parsed, name, "the whole")
    clusters: dict[str, CephCluster] = {}
    for number, entry in enumerate(entries, 1):
        cluster = _parsed(entry, name, f"entry {number}")
        if cluster.cluster_id in clusters:
            raise PlaceUnusable(f"{name} has the cluster id {cluster.cluster_id!r} twice")
        clusters[cluster.cluster_id] = cluster
    return clusters


def _parsed(entry: object, name: str, where: str) -> CephCluster:
    fields = _expect(dict, entry, name, where)
    cluster_id = _expect(str, fields.get("clusterID"), name, f"clusterID of {where}")
    if not cluster_id:
        raise PlaceUnusable(f"{name}: clusterID of {where} is empty")
    where = f"cluster id {cluster_id!r}"
    monitors = _expect(list, fields.get("monitors", []), name, f"monitors of {where}")
    return CephCluster(
        cluster_id,
        tuple(_expect(str, monitor, name, f"a monitor of {where}") for monitor in monitors),
        _option(fields, "rbd", "radosNamespace", name, where) or RBD_NAMESPACE,
        _option(fields, "cephFS", "radosNamespace", name, where) or CEPHFS_NAMESPACE,
        _option(fields, "cephFS", "subvolumeGroup", name, where) or SUBVOLUME_GROUP,
    )


def _option(fields: dict[str, Any], driver: str, option: str, name: str, where: str) -> str:
    options = _expect(dict, fields.get(driver) or {}, name, f"{driver} of {where}")
    return _expect(str, options.get(option) or "", name, f"{driver}.{option} of {where}")


_Kind = TypeVar("_Kind")
_KINDS: dict[type, str] = {list: "a list", dict: "an object", str: "a text"}


def _expect(kind: type[_Kind], value: object, name: str, where: str) -> _Kind:
    if not isinstance(value, kind):
        raise PlaceUnusable(f"{name}: {where} is not {_KINDS[kind]}")
    return value
