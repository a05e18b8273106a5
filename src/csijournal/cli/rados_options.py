"""From the RADOS options, and Ceph-CSI's own configuration file, to a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from csijournal.errors import InvalidInput, printable
from csijournal.handle import Handle
from csijournal.layout import shortened
from csijournal.store import Store


@dataclass(frozen=True, slots=True)
class CSICluster:
    """What Ceph-CSI's config.json says of one cluster."""

    monitors: tuple[str, ...] = ()
    namespace: str = ""


def open_rados(given: Mapping[str, str], handle: Handle | None, timeout_seconds: float) -> Store:
    """The store of the options in `given`; `handle` adds the pool and cluster that they lack."""
    from csijournal.store.rados import RADOSStore  # noqa: PLC0415 - only who uses Ceph needs it

    pool = given.get("pool", "")
    if not pool and handle is None:
        raise click.UsageError("Which pool? Give -p/--pool, or name the group by its CSI handle.")
    cluster = _cluster(given, handle)
    return RADOSStore(
        pool,
        given.get("namespace", cluster.namespace),
        pool_id=handle.location_id if handle and not pool else None,
        conf=given.get("conf"),
        name=_user(given),
        keyring=given.get("keyring"),
        monitors=given.get("mon") or cluster.monitors or None,
        key=_key(given),
        timeout_seconds=timeout_seconds,
    )


def _user(given: Mapping[str, str]) -> str | None:
    if "id" in given and "name" in given:
        raise click.UsageError("--id and --name both say who the user is: give one.")
    return f"client.{given['id']}" if "id" in given else given.get("name")


def _key(given: Mapping[str, str]) -> str | None:
    return _read(given["keyfile"]).strip() if "keyfile" in given else None


def _cluster(given: Mapping[str, str], handle: Handle | None) -> CSICluster:
    """The cluster of --csi-config that --cluster-id names, or else the handle."""
    if "csi_config" not in given:
        if "cluster_id" in given:
            raise click.UsageError("--cluster-id is looked up in a file: give --csi-config too.")
        return CSICluster()
    path = given["csi_config"]
    clusters = _parse(_read(path), path)
    wanted = given.get("cluster_id") or (handle.cluster_id if handle else "")
    if not wanted and len(clusters) == 1:
        return next(iter(clusters.values()))
    if wanted not in clusters:
        asked = f"no cluster {shortened(wanted)}" if wanted else "more clusters than one, or none"
        raise InvalidInput(
            f"{path} holds {asked}",
            hint=f"Give one of these as --cluster-id: {', '.join(sorted(clusters)) or 'none'}",
        )
    return clusters[wanted]


def _parse(text: str, path: str) -> dict[str, CSICluster]:
    """The clusters of a config.json by their ids; namespaces are those of RBD."""
    try:
        return {
            str(cluster["clusterID"]): CSICluster(
                monitors=tuple(str(monitor) for monitor in cluster.get("monitors") or ()),
                namespace=str((cluster.get("rbd") or {}).get("radosNamespace") or ""),
            )
            for cluster in json.loads(text)
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"{path} is not Ceph-CSI's config.json: {type(error).__name__}, {error}",
            hint='It looks like [{"clusterID": "rook-ceph", "monitors": ["10.0.0.1:6789"]}]',
        ) from error


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{printable(path)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{printable(path)} is not UTF-8 text") from error
