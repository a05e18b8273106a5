"""What Ceph-CSI writes about Kubernetes' objects into the metadata of what it makes.

Only drivers that were started with --setmetadata write it (Ceph-CSI,
internal/util/k8s/parameters.go), and clones inherit it from their source: it
helps a person to find out whose a thing was, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

_PREFIXES = ("csi.storage.k8s.io/", "csi.ceph.com/")
_KUBERNETES = _PREFIXES[0]


def is_drivers(metadata: Mapping[str, str]) -> bool:
    """Whether a driver wrote any of this."""
    return any(key.startswith(_PREFIXES) for key in metadata)


def owner_in_words(metadata: Mapping[str, str]) -> str:
    """Whose it was, such as "claim apps/data (PersistentVolume pvc-1)"; empty for unknown."""
    return _named(metadata, "claim", "pvc", "PersistentVolume", "pv") or _named(
        metadata, "VolumeSnapshot", "volumesnapshot", "content", "volumesnapshotcontent"
    )


def _named(metadata: Mapping[str, str], what: str, key: str, bound: str, bound_key: str) -> str:
    name = metadata.get(f"{_KUBERNETES}{key}/name")
    content = metadata.get(f"{_KUBERNETES}{bound_key}/name")
    if name is None:
        return f"{bound} {content}" if content else ""
    namespace = metadata.get(f"{_KUBERNETES}{key}/namespace", "")
    return f"{what} {namespace}/{name}" + (f" ({bound} {content})" if content else "")
