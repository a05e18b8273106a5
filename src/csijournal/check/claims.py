"""For whom a thing was made and how large it is, in words.

Whose it is tells what Ceph-CSI writes about Kubernetes' objects into its metadata.

Only drivers that were started with --setmetadata write it (Ceph-CSI,
internal/util/k8s/parameters.go), and clones inherit it from their source: it
helps a person to find out whose a thing was, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csijournal.check.catalog import Severity
from csijournal.errors import printable
from csijournal.inventory.contract import Details
from csijournal.wire.records import ImageRecord, SnapshotRecord
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from csijournal.wire.text import in_bytes

_KUBERNETES = "csi.storage.k8s.io/"
_DRIVER_KEYS = (_KUBERNETES, "csi.ceph.com/", "rbd.csi.ceph.com/", ".rbd.csi.ceph.com/")
_DEFAULT_PREFIXES = (VOLUMES.default_name_prefix, SNAPSHOTS.default_name_prefix)
_CLUSTER_NAME = "csi.ceph.com/cluster/name"


@dataclass(frozen=True)
class _Owner:
    """For what a thing is made and what that is bound to, in words and in the metadata's keys."""

    what: str
    key: str
    bound: str
    bound_key: str

    def said(self, metadata: Mapping[str, str], bound_name: str, namespace: str) -> str:
        """Whose it is; `bound_name` and `namespace` stand in for what the metadata lacks."""
        name = metadata.get(f"{_KUBERNETES}{self.key}/name", "")
        bound_name = metadata.get(f"{_KUBERNETES}{self.bound_key}/name", "") or bound_name
        namespace = printable(metadata.get(f"{_KUBERNETES}{self.key}/namespace", "") or namespace)
        bound = f"{self.bound} {printable(bound_name)}" if bound_name else ""
        if name:
            said = f"{self.what} {namespace or '?'}/{printable(name)}"
            return f"{said} ({bound})" if bound else said
        if not namespace:
            return bound
        return f"{bound or f'a {self.what}'} of namespace {namespace}"


_VOLUME_OWNER = _Owner("claim", "pvc", "PersistentVolume", "pv")
_SNAPSHOT_OWNER = _Owner("volume snapshot", "volumesnapshot", "content", "volumesnapshotcontent")


def has_driver_keys(metadata: Mapping[str, str]) -> bool:
    """Whether Ceph-CSI has written to this metadata."""
    return any(key.startswith(_DRIVER_KEYS) for key in metadata)


def lowered_to(name: str, metadata: Mapping[str, str]) -> Severity | None:
    """How much a thing without a record matters, if less than others: None if it does not.

    A name with a prefix that was learned from records may be another tool's,
    unless the driver has written to its metadata.
    """
    is_driver_s = name.startswith(_DEFAULT_PREFIXES) or has_driver_keys(metadata)
    return None if is_driver_s else Severity.WARNING


def made_for(metadata: Mapping[str, str], record: ImageRecord | None = None) -> str:
    """Such as "made for claim apps/data (PersistentVolume pvc-1)"; empty for unknown.

    What the metadata does not tell, the record may: a volume is requested under
    its PersistentVolume's name.  Of a snapshot only what names a snapshot
    counts, since its image may have its volume's metadata as well.
    """
    namespace = (record.owner or "") if record else ""
    if isinstance(record, SnapshotRecord):
        said = _SNAPSHOT_OWNER.said(metadata, "", namespace)
    elif record is not None:
        said = _VOLUME_OWNER.said(metadata, record.request_name or "", namespace)
    else:
        said = _VOLUME_OWNER.said(metadata, "", "") or _SNAPSHOT_OWNER.said(metadata, "", "")
    cluster = printable(metadata.get(_CLUSTER_NAME, "")) if said else ""
    return (said and f"made for {said}") + (f" in Kubernetes cluster {cluster}" if cluster else "")


def provisioned(details: Details) -> str:
    """Such as "8 MiB provisioned": an upper bound of what it takes; empty for unknown."""
    return "" if details.size_bytes is None else f"{in_bytes(details.size_bytes)} provisioned"
