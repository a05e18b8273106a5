"""What Ceph-CSI writes about Kubernetes' objects into the metadata of what it makes.

Only drivers that were started with --setmetadata write it (Ceph-CSI,
internal/util/k8s/parameters.go), and clones inherit it from their source: it
helps a person to find out whose a thing was, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from csijournal.check.catalog import Severity
from csijournal.errors import printable
from csijournal.wire.schema import SNAPSHOTS, VOLUMES

_KUBERNETES = "csi.storage.k8s.io/"
_DRIVER_KEYS = (_KUBERNETES, "csi.ceph.com/", "rbd.csi.ceph.com/", ".rbd.csi.ceph.com/")
_DEFAULT_PREFIXES = (VOLUMES.default_name_prefix, SNAPSHOTS.default_name_prefix)
_OWNERS = (
    ("claim", "pvc", "PersistentVolume", "pv"),
    ("volume snapshot", "volumesnapshot", "content", "volumesnapshotcontent"),
)
"""What is made for whom, by which keys, and what that is bound to, by which keys."""


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


def made_for(metadata: Mapping[str, str]) -> str:
    """Such as "made for claim apps/data (PersistentVolume pvc-1)"; empty for unknown."""
    for what, key, bound, bound_key in _OWNERS:
        name = metadata.get(f"{_KUBERNETES}{key}/name", "")
        bound_to = metadata.get(f"{_KUBERNETES}{bound_key}/name", "")
        bound_to = bound_to and f"{bound} {printable(bound_to)}"
        if name:
            namespace = metadata.get(f"{_KUBERNETES}{key}/namespace", "?")
            owner = f"{what} {printable(namespace)}/{printable(name)}"
            return f"made for {owner} ({bound_to})" if bound_to else f"made for {owner}"
        if bound_to:
            return f"made for {bound_to}"
    return ""
