"""One object of Kubernetes: which handles it holds or names.

Field names are those of every version that was served: PersistentVolume v1;
VolumeSnapshotContent v1alpha1, v1beta1, v1; VolumeGroupSnapshotContent v1alpha1 to
v1; VolumeGroupReplicationContent v1alpha1 of CSI-Addons.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from csijournal.inventory.contract import Role

Fields = Mapping[str, Any]


class ObjectKind(enum.Enum):
    """The kinds that hold handles; the value is Kubernetes' name."""

    VOLUME = "PersistentVolume"
    SNAPSHOT = "VolumeSnapshotContent"
    GROUP_SNAPSHOT = "VolumeGroupSnapshotContent"
    GROUP_REPLICATION = "VolumeGroupReplicationContent"


class Relation(enum.Enum):
    """What a handle is to the object that names it."""

    HOLDS = "holds"
    """The object stands for it: the two should live and end together."""
    MEMBER = "member"
    """It belongs to the group that the object stands for, or is that group."""
    SOURCE = "source"
    """The object was made from it; it may have been deleted since, in order."""


@dataclass(frozen=True)
class KubernetesObject:
    """What is worth telling of an object.

    `claim` is NAMESPACE/NAME of the user's object that it is bound to, "" where
    none.  `policy` is what happens when the user deletes that: Retain or
    Delete.  `attributes` are the driver's, such as pool, journalPool,
    clusterID, fsName, imageName.  `source_name` is the file that it came from,
    `uid` Kubernetes' own id of it, and `deleted` since when it is to go.
    Of a snapshot, `source_handle` is the volume's that it was made of,
    `group_handle` that of the group snapshot that made it, and `is_provided`
    says that the object was made for a snapshot that was there before.
    """

    kind: ObjectKind
    name: str
    driver: str = ""
    claim: str = ""
    class_name: str = ""
    policy: str = ""
    phase: str = ""
    created: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    claim_uid: str = ""
    source_name: str = ""
    uid: str = ""
    deleted: str = ""
    source_handle: str = ""
    group_handle: str = ""
    is_provided: bool = False

    @property
    def is_being_deleted(self) -> bool:
        """Whether it goes, and takes its volume, snapshot or group along."""
        return bool(self.deleted) or (self.policy == "Delete" and self.phase in _ENDING_PHASES)

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from all other objects, also where a list was given twice."""
        return (self.uid,) if self.uid else (self.kind.value, self.name, self.claim_uid)

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


_ENDING_PHASES = frozenset({"Released", "Failed"})
"""Of a PersistentVolume whose claim is gone: the driver is asked to delete the volume."""


@dataclass(frozen=True)
class NamedHandle:
    """A handle, as text, in an object."""

    text: str
    role: Role
    relation: Relation


class MalformedObject(Exception):
    """A field is not of the type that Kubernetes gives it; the message names it."""


def kind_named(name: object) -> ObjectKind | None:
    """The kind of this name, or of this list's name; None for every other."""
    return _KINDS.get(name.removesuffix("List")) if isinstance(name, str) else None


_KINDS = {kind.value: kind for kind in ObjectKind}


def describe(kind: ObjectKind, item: Fields, source_name: str) -> KubernetesObject:
    """What the object says of itself.  Raises MalformedObject."""
    spec, metadata = _fields(item, "spec"), _fields(item, "metadata")
    names = _FIELD_NAMES[kind]
    holder = _holder(kind, spec)
    reference = _fields(spec, names.claim)
    namespace, name = _text(reference, "namespace"), _text(reference, "name")
    return KubernetesObject(
        kind=kind,
        name=_text(metadata, "name") or _text(item, "name"),
        driver=_text(holder, names.driver) or _text(_alpha_source(spec), "driver"),
        claim="/".join(filter(None, (namespace, name))),
        class_name=next(filter(None, (_text(spec, it) for it in names.classes)), ""),
        policy=_text(spec, names.policy),
        phase=_text(_fields(item, "status"), "phase"),
        created=_text(metadata, "creationTimestamp"),
        attributes=_texts(holder, names.attributes),
        claim_uid=_text(reference, "uid"),
        source_name=source_name,
        uid=_text(metadata, "uid"),
        deleted=_text(metadata, "deletionTimestamp"),
        **_origin(kind, spec, _fields(item, "status")),
    )


def _origin(kind: ObjectKind, spec: Fields, status: Fields) -> dict[str, Any]:
    """Where a snapshot comes from."""
    if kind is not ObjectKind.SNAPSHOT:
        return {}
    source = _fields(spec, "source")
    return {
        "source_handle": _text(source, "volumeHandle"),
        "group_handle": _text(status, "volumeGroupSnapshotHandle"),
        "is_provided": bool(_text(source, "snapshotHandle")),
    }


def handles_in(kind: ObjectKind, item: Fields) -> list[NamedHandle]:
    """All handles in the object, the one that it holds first.  Raises MalformedObject."""
    spec, status = _fields(item, "spec"), _fields(item, "status")
    found = _FINDERS[kind](spec, status)
    return list(dict.fromkeys(handle for handle in found if handle.text))


def is_static(described: KubernetesObject) -> bool:
    """Whether an operator made the volume, and no journal holds it.

    Read as Ceph-CSI does, by Go's ParseBool.
    """
    return described.attributes.get("staticVolume") in {"1", "t", "T", "TRUE", "true", "True"}


def is_ceph_driver(driver: str) -> bool:
    """Whether this is Ceph-CSI under a usual name, such as rook-ceph.rbd.csi.ceph.com."""
    return driver.endswith(".csi.ceph.com")


@dataclass(frozen=True)
class _FieldNames:
    claim: str
    policy: str
    classes: tuple[str, ...]
    driver: str = "driver"
    attributes: str = ""


_FIELD_NAMES = {
    ObjectKind.VOLUME: _FieldNames(
        "claimRef",
        "persistentVolumeReclaimPolicy",
        ("storageClassName",),
        attributes="volumeAttributes",
    ),
    ObjectKind.SNAPSHOT: _FieldNames(
        "volumeSnapshotRef",
        "deletionPolicy",
        ("volumeSnapshotClassName", "snapshotClassName"),  # the second: v1alpha1
    ),
    ObjectKind.GROUP_SNAPSHOT: _FieldNames(
        "volumeGroupSnapshotRef", "deletionPolicy", ("volumeGroupSnapshotClassName",)
    ),
    ObjectKind.GROUP_REPLICATION: _FieldNames(
        "volumeGroupReplicationRef",
        "deletionPolicy",
        ("volumeGroupReplicationClassName",),
        driver="provisioner",
        attributes="volumeGroupAttributes",
    ),
}


def _holder(kind: ObjectKind, spec: Fields) -> Fields:
    """Where driver and attributes stand."""
    return _fields(spec, "csi") if kind is ObjectKind.VOLUME else spec


def _alpha_source(spec: Fields) -> Fields:
    """Where VolumeSnapshotContent v1alpha1 has driver and handle."""
    return _fields(spec, "csiVolumeSnapshotSource")


def _volume_handles(spec: Fields, status: Fields) -> Iterator[NamedHandle]:  # noqa: ARG001 - as its siblings
    yield NamedHandle(_text(_fields(spec, "csi"), "volumeHandle"), Role.VOLUME, Relation.HOLDS)


def _snapshot_handles(spec: Fields, status: Fields) -> Iterator[NamedHandle]:
    source = _fields(spec, "source")
    for holder in (status, source, _alpha_source(spec)):
        yield NamedHandle(_text(holder, "snapshotHandle"), Role.SNAPSHOT, Relation.HOLDS)
    yield NamedHandle(_text(source, "volumeHandle"), Role.VOLUME, Relation.SOURCE)
    group = _text(status, "volumeGroupSnapshotHandle")
    yield NamedHandle(group, Role.GROUP, Relation.MEMBER)


def _group_snapshot_handles(spec: Fields, status: Fields) -> Iterator[NamedHandle]:
    source = _fields(spec, "source")
    provided = _fields(source, "groupSnapshotHandles")
    # The last: where the first v1alpha1 had the handle of a group that was there before.
    for holder in (status, provided, source):
        yield NamedHandle(_text(holder, "volumeGroupSnapshotHandle"), Role.GROUP, Relation.HOLDS)
    for text in _list(provided, "volumeSnapshotHandles"):
        yield NamedHandle(text, Role.SNAPSHOT, Relation.MEMBER)
    for text in _list(source, "volumeHandles"):
        yield NamedHandle(text, Role.VOLUME, Relation.SOURCE)
    # v1beta1; v1beta2 and v1.  v1alpha1 names the snapshots' objects, which have the handles.
    for name in ("volumeSnapshotHandlePairList", "volumeSnapshotInfoList"):
        for pair in _field_list(status, name):
            yield NamedHandle(_text(pair, "snapshotHandle"), Role.SNAPSHOT, Relation.MEMBER)
            yield NamedHandle(_text(pair, "volumeHandle"), Role.VOLUME, Relation.SOURCE)


def _group_replication_handles(spec: Fields, status: Fields) -> Iterator[NamedHandle]:  # noqa: ARG001
    handle = _text(spec, "volumeGroupReplicationHandle")
    yield NamedHandle(handle, Role.GROUP, Relation.HOLDS)
    for text in _list(_fields(spec, "source"), "volumeHandles"):
        yield NamedHandle(text, Role.VOLUME, Relation.MEMBER)


_FINDERS = {
    ObjectKind.VOLUME: _volume_handles,
    ObjectKind.SNAPSHOT: _snapshot_handles,
    ObjectKind.GROUP_SNAPSHOT: _group_snapshot_handles,
    ObjectKind.GROUP_REPLICATION: _group_replication_handles,
}


# Fields; null counts as missing, as it does for Kubernetes


def _fields(holder: Fields, name: str) -> Fields:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedObject(f"{name} is not an object")
    return value


def _text(holder: Fields, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedObject(f"{name} is not a text")
    return value


def _texts(holder: Fields, name: str) -> dict[str, str]:
    fields = _fields(holder, name)
    return {key: _text(fields, key) for key in fields}


def _list(holder: Fields, name: str) -> list[str]:
    values = _any_list(holder, name)
    if not all(isinstance(value, str) for value in values):
        raise MalformedObject(f"{name} holds something that is not a text")
    return values


def _field_list(holder: Fields, name: str) -> list[Fields]:
    values = _any_list(holder, name)
    if not all(isinstance(value, dict) for value in values):
        raise MalformedObject(f"{name} holds something that is not an object")
    return values


def _any_list(holder: Fields, name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedObject(f"{name} is not a list")
    return value
