"""What is told of a volume or snapshot whose record is lost: by whom, and whether they agree.

A driver writes into a record what the request said.  Most of that can still be
read elsewhere: in Kubernetes' object, in the metadata of the image, in what
RBD and CephFS know of its origin.  None of these is proof of anything, so that
two that differ are a person's to decide on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from csijournal.errors import Conflict
from csijournal.inventory.contract import Details, Role, Thing, ThingKind
from csijournal.inventory.kubernetes_objects import KubernetesObject, ObjectKind
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.wire.records import NFS_CLUSTER_KEY, ImageRecord
from csijournal.wire.text import shortened

_VOLUME_NAME = "csi.storage.k8s.io/pv/name"
_CLAIM_NAMESPACE = "csi.storage.k8s.io/pvc/namespace"
_CONTENT_NAME = "csi.storage.k8s.io/volumesnapshotcontent/name"
_SNAPSHOT_NAMESPACE = "csi.storage.k8s.io/volumesnapshot/namespace"
"""What the driver writes to images and subvolumes with --setmetadata."""

_ENCRYPTED = ("rbd.csi.ceph.com/encrypted", ".rbd.csi.ceph.com/encrypted")
_WRAPPED_KEY = ("rbd.csi.ceph.com/dek", ".rbd.csi.ceph.com/dek")
"""What the RBD driver writes to encrypted images; with the dot, an older one."""

_CONTENT_PREFIX, _SNAPSHOT_PREFIX = "snapcontent-", "snapshot-"
"""How external-snapshotter calls its object, and the request that it makes for it.

Both end in the UID of the user's VolumeSnapshot.
"""

_DEFAULT_KMS = "default"
"""What Ceph-CSI writes where the class says `encrypted` and names no KMS."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
"""As Go's ParseBool reads it."""


@dataclass(frozen=True)
class Told:
    """What one source says of a volume or snapshot; "" is what it does not say.

    `by` names the source, and `decides` says that a person is it, who may know
    better than Kubernetes and the image.
    """

    by: str = ""
    request_name: str = ""
    image_name: str = ""
    owner: str = ""
    kms_id: str = ""
    encryption_type: str = ""
    source_name: str = ""
    backing_snapshot_id: str = ""
    nfs_cluster: str = ""
    decides: bool = False


_WORDS = {
    "request_name": "request name",
    "image_name": "name",
    "owner": "owner",
    "kms_id": "KMS",
    "encryption_type": "encryption type",
    "source_name": "source",
    "backing_snapshot_id": "backing snapshot",
    "nfs_cluster": "NFS cluster",
}
_DECIDED = frozenset({"request_name", "owner"})
"""What a person may say differently: objects of Kubernetes are renamed when they are restored."""


def agreed(told: Sequence[Told]) -> Told:
    """What all sources together say, the first before the others.

    Raises Conflict where two differ; a claim may have moved, so of owners the
    first counts.
    """
    found: dict[str, Any] = {field: _agreed_on(field, told) for field in _WORDS}
    return Told(**found)


def _agreed_on(field: str, told: Sequence[Told]) -> str:
    said = [(one, getattr(one, field)) for one in told if getattr(one, field)]
    if not said:
        return ""
    first, value = said[0]
    for other, differs in said[1:]:
        decided = field == "owner" or (field in _DECIDED and first.decides)
        if differs != value and not decided:
            word = _WORDS[field]
            raise Conflict(
                f"{first.by} says that the {word} is {shortened(value)}, and {other.by} that it"
                f" is {shortened(differs)}",
                hint="Find out which is right; a request name that is given counts before those"
                " of Kubernetes and of the image",
            )
    return str(value)


def by_record(record: ImageRecord) -> Told:
    """What is left of the record itself."""
    said: dict[str, Any] = {field: getattr(record, field, None) or "" for field in _WORDS}
    said["nfs_cluster"] = record.others.get(NFS_CLUSTER_KEY, "")
    return Told("the record", **said)


def by_kubernetes(described: KubernetesObject, *, encryption_type: str) -> Told:
    """What a PersistentVolume or VolumeSnapshotContent says.

    `encryption_type` is the driver's where the class names none.
    """
    owner = described.claim.partition("/")[0] if "/" in described.claim else ""
    if described.kind is ObjectKind.SNAPSHOT:
        return Told(str(described), request_name=_snapshot_request(described), owner=owner)
    said = described.attributes
    kms_id = ""
    if said.get("encrypted") in _TRUE:
        kms_id = said.get("encryptionKMSID") or _DEFAULT_KMS
    return Told(
        str(described),
        request_name=described.name,
        image_name=said.get("imageName") or said.get("subvolumeName") or "",
        owner=owner,
        kms_id=kms_id,
        encryption_type=(said.get("encryptionType") or encryption_type) if kms_id else "",
        backing_snapshot_id=said.get("backingSnapshotID", ""),
        nfs_cluster=said.get("nfsCluster", ""),
    )


def _snapshot_request(described: KubernetesObject) -> str:
    """The name of the request that made the snapshot; "" where the object was made after it."""
    if described.is_provided or described.group_handle or not described.claim_uid:
        return ""
    return _SNAPSHOT_PREFIX + described.claim_uid


def by_image(role: Role, thing: Thing, details: Details | None) -> Told:
    """What an image, subvolume or snapshot says of itself, as the driver of this role wrote it.

    A crash can leave the metadata of its source with it, under other names.
    """
    metadata = details.metadata if details else {}
    common = Told(
        str(thing),
        image_name=thing.name,
        encryption_type="block" if _first(metadata, _ENCRYPTED) else "",
    )
    if role is Role.SNAPSHOT:
        parent = details.parent if isinstance(details, ImageDetails) else None
        return replace(
            common,
            request_name=_request_of_content(metadata.get(_CONTENT_NAME, "")),
            owner=metadata.get(_SNAPSHOT_NAMESPACE, ""),
            source_name=parent.name if parent else thing.within,
        )
    is_shallow = thing.kind is ThingKind.SHALLOW_REFERENCE
    return replace(
        common,
        request_name=metadata.get(_VOLUME_NAME, ""),
        owner=metadata.get(_CLAIM_NAMESPACE, ""),
        backing_snapshot_id=thing.within if is_shallow else "",
    )


def is_encrypted(details: Details | None) -> bool:
    """Whether the image says that it is encrypted."""
    return details is not None and bool(_first(details.metadata, (*_ENCRYPTED, *_WRAPPED_KEY)))


def _request_of_content(content_name: str) -> str:
    uid = content_name.removeprefix(_CONTENT_PREFIX)
    return _SNAPSHOT_PREFIX + uid if uid != content_name else ""


def _first(metadata: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((metadata[key].strip() for key in keys if metadata.get(key, "").strip()), "")
