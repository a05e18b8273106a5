"""Records: what the object behind a UUID says, in each of the three journals.

A key that is not understood is kept and shown, never dropped.  The keys are
those of Ceph-CSI, `internal/journal/voljournal.go` for volumes and snapshots
and `internal/journal/volumegroupjournal.go` for groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

from csijournal.wire.text import decode, encode, number_of
from csijournal.wire.timestamps import Timestamp

REQUEST_NAME_KEY = "csi.volname"
"""`csiNameKey` of volumes and of groups: the request name."""
SNAPSHOT_REQUEST_NAME_KEY = "csi.snapname"
"""`csiNameKey` of snapshots: the request name."""

GROUP_NAME_KEY = "csi.groupname"
CREATION_TIME_KEY = "csi.creationtime"
ATTRIBUTE_KEYS = frozenset({REQUEST_NAME_KEY, GROUP_NAME_KEY, CREATION_TIME_KEY})
"""All keys of a group's record but its members."""

IMAGE_NAME_KEY = "csi.imagename"
"""`csiImageKey`: name prefix and UUID; missing in records of very old drivers."""
IMAGE_ID_KEY = "csi.imageid"
"""`csiImageIDKey`: the RBD image's id, put when the image exists; CephFS has none."""
SOURCE_NAME_KEY = "csi.source"
"""`cephSnapSourceKey`: the name of the image or subvolume that a snapshot is of."""
KMS_ID_KEY = "csi.volume.encryptKMS"
ENCRYPTION_TYPE_KEY = "csi.volume.encryptionType"
"""Written whenever the KMS id is, be it empty."""
OWNER_KEY = "csi.volume.owner"
"""The Kubernetes namespace of the claim."""
EMPTY_KEY = ""
"""Where the CephFS driver puts a snapshot's owner by mistake.  No listing shows it."""
BACKING_SNAPSHOT_KEY = "csi.volume.backingsnapshotid"
"""The handle of the snapshot that a shallow CephFS volume reads."""
JOURNAL_POOL_KEY = "csi.journalpool"
"""The journal pool's id as 16 hex digits, where images lie in another pool."""
GROUP_ID_KEY = "csi.groupid"
"""The group's handle, under the key that Ceph-CSI reads."""
MISSPELT_GROUP_ID_KEYS = ("csi.csi.groupid", "csi.")
"""Where `StoreGroupID` writes it: its prefix twice for volumes, alone for snapshots."""
NFS_CLUSTER_KEY = "csi.nfs.cluster"
"""The NFS cluster of a volume's export, put by the NFS driver (`internal/nfs`)."""
ATTRIBUTE_PREFIX = "csi."
"""What `StoreAttribute` puts before an attribute's name, as in `csi.nfs.cluster`."""

IMAGE_KEYS = frozenset(
    {
        REQUEST_NAME_KEY,
        SNAPSHOT_REQUEST_NAME_KEY,
        IMAGE_NAME_KEY,
        IMAGE_ID_KEY,
        SOURCE_NAME_KEY,
        KMS_ID_KEY,
        ENCRYPTION_TYPE_KEY,
        OWNER_KEY,
        BACKING_SNAPSHOT_KEY,
        JOURNAL_POOL_KEY,
        GROUP_ID_KEY,
        *MISSPELT_GROUP_ID_KEYS,
    }
)
"""The keys of a volume's or snapshot's record that have a meaning of their own."""

_ATTRIBUTES = {
    IMAGE_NAME_KEY: "image_name",
    IMAGE_ID_KEY: "image_id",
    OWNER_KEY: "owner",
    KMS_ID_KEY: "kms_id",
    ENCRYPTION_TYPE_KEY: "encryption_type",
    GROUP_ID_KEY: "group_id",
    SOURCE_NAME_KEY: "source_name",
    BACKING_SNAPSHOT_KEY: "backing_snapshot_id",
    JOURNAL_POOL_KEY: "journal_pool",
}
"""The attribute of an ImageRecord that each key becomes, but for its request name."""

_POOL_ID = re.compile(r"[0-9a-fA-F]{16}")


class AnyRecord(Protocol):
    """What the protocol asks of a record, whatever its journal."""

    @property
    def request_name(self) -> str | None:
        """The request name; None where the record has lost it."""

    @property
    def image_name(self) -> str | None:
        """The name of the image, subvolume, snapshot or group behind it, where the record says."""

    @property
    def populated(self) -> bool:
        """Whether the record says whose it is; Ceph-CSI takes an empty name for one."""

    @property
    def in_use(self) -> bool:
        """Whether it holds what nobody puts there but after reserve has told the UUID.

        A record without its name is in use if it holds anything that somebody
        may miss.
        """

    @property
    def content_in_words(self) -> str:
        """What it holds beside its names, for a message."""

    @property
    def creation_time(self) -> Timestamp | None:
        """When it was made; None where it is not said or unreadable."""


@dataclass(frozen=True)
class GroupRecord:
    """What a group's record says, each attribute None where the key is missing.

    `creation_text` keeps a time that cannot be read as it stands.
    """

    request_name: str | None
    group_name: str | None
    creation_text: str | None
    volume_map: Mapping[str, str]

    @property
    def image_name(self) -> str | None:
        """The group's name, which is the RBD group's."""
        return self.group_name

    @property
    def populated(self) -> bool:
        """Whether the record says whose it is; Ceph-CSI takes an empty name for one."""
        return self.request_name is not None

    @property
    def in_use(self) -> bool:
        """Whether it has members."""
        return bool(self.volume_map)

    @property
    def content_in_words(self) -> str:
        """How many members there are, for a message."""
        return number_of(len(self.volume_map), "member")

    @property
    def creation_time(self) -> Timestamp | None:
        """When the group was made; None where it is not said or unreadable."""
        return Timestamp.parse_or_none(self.creation_text or "")


def parse_group(entries: Mapping[str, bytes]) -> GroupRecord:
    """Read a group's record.  Every key but the three attributes is a member."""
    texts = {key: decode(value) for key, value in entries.items()}
    return GroupRecord(
        request_name=texts.pop(REQUEST_NAME_KEY, None),
        group_name=texts.pop(GROUP_NAME_KEY, None),
        creation_text=texts.pop(CREATION_TIME_KEY, None),
        volume_map=texts,
    )


def group_attributes(request_name: str, group_name: str, created: Timestamp) -> dict[str, bytes]:
    """The keys that a group's record starts its life with."""
    return {
        REQUEST_NAME_KEY: encode(request_name),
        GROUP_NAME_KEY: encode(group_name),
        CREATION_TIME_KEY: encode(str(created)),
    }


@dataclass(frozen=True)
class ImageRecord:
    """What the record of a volume or of a snapshot says.

    Attributes are None where the key is missing, since for some of them
    missing and empty are not the same to Ceph-CSI.  `others` are the keys that
    have no attribute here, as they stand.
    """

    name_key: ClassVar[str]
    empty_key_is_owner: ClassVar[bool] = False

    request_name: str | None = None
    image_name: str | None = None
    image_id: str | None = None
    owner: str | None = None
    kms_id: str | None = None
    encryption_type: str | None = None
    group_id: str | None = None
    source_name: str | None = None
    backing_snapshot_id: str | None = None
    journal_pool: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def populated(self) -> bool:
        """Whether the record says whose it is."""
        return self.request_name is not None

    @property
    def in_use(self) -> bool:
        """Whether it has an image id, a group or an attribute; without a name, anything."""
        if not self.populated:
            return bool(self._said())
        return self.image_id is not None or self.group_id is not None or bool(self.others)

    @property
    def is_partial(self) -> bool:
        """Whether it has no name and only what a late call writes: an image id, an NFS cluster."""
        late = [self.image_id, self.others.get(NFS_CLUSTER_KEY)]
        said = [value for value in late if value is not None]
        return not self.populated and bool(said) and len(said) == len(self._said())

    @property
    def content_in_words(self) -> str:
        """How many attributes there are, for a message."""
        count = len(self._said())
        return number_of(count, "attribute")

    @property
    def creation_time(self) -> Timestamp | None:
        """Neither journal writes one."""
        return None

    @property
    def journal_pool_id(self) -> int | None:
        """The journal pool's id; None where the record does not say, or not in 16 hex digits."""
        text = self.journal_pool or ""
        return int(text, 16) if _POOL_ID.fullmatch(text) else None

    @property
    def attributes(self) -> dict[str, str]:
        """Further keys, without their `csi.`, such as `nfs.cluster`."""
        return {
            key.removeprefix(ATTRIBUTE_PREFIX): value
            for key, value in self.others.items()
            if key.startswith(ATTRIBUTE_PREFIX)
        }

    def _said(self) -> list[str]:
        given = (
            self.image_name,
            self.image_id,
            self.owner,
            self.kms_id,
            self.encryption_type,
            self.group_id,
            self.source_name,
            self.backing_snapshot_id,
            self.journal_pool,
            *self.others.values(),
        )
        return [value for value in given if value is not None]


ImageT = TypeVar("ImageT", bound=ImageRecord)


class VolumeRecord(ImageRecord):
    """The record of a volume."""

    __slots__ = ()
    name_key = REQUEST_NAME_KEY


class SnapshotRecord(ImageRecord):
    """The record of a snapshot, in which the CephFS driver puts the owner under the empty key."""

    __slots__ = ()
    name_key = SNAPSHOT_REQUEST_NAME_KEY
    empty_key_is_owner = True


def parse_volume(entries: Mapping[str, bytes]) -> VolumeRecord:
    """Read a volume's record."""
    return _parse_image(VolumeRecord, entries)


def parse_snapshot(entries: Mapping[str, bytes]) -> SnapshotRecord:
    """Read a snapshot's record.  A listing lacks the empty key, and so its owner."""
    return _parse_image(SnapshotRecord, entries)


@dataclass(frozen=True)
class NewImage:
    """What the record of a volume or of a snapshot starts its life with; empty is not written.

    `owner_key` is where the owner goes: the CephFS driver writes a snapshot's
    under the empty key.
    """

    request_name: str
    owner: str = ""
    kms_id: str = ""
    encryption_type: str = ""
    source_name: str = ""
    backing_snapshot_id: str = ""
    owner_key: str = OWNER_KEY


def image_attributes(kind: type[ImageRecord], image_name: str, new: NewImage) -> dict[str, bytes]:
    """The keys of a new record, as Ceph-CSI's `ReserveName` writes them."""
    texts = {kind.name_key: new.request_name, IMAGE_NAME_KEY: image_name}
    optional = {
        SOURCE_NAME_KEY: new.source_name,
        KMS_ID_KEY: new.kms_id,
        new.owner_key: new.owner,
        BACKING_SNAPSHOT_KEY: new.backing_snapshot_id,
    }
    texts.update({key: text for key, text in optional.items() if text})
    if new.kms_id:
        texts[ENCRYPTION_TYPE_KEY] = new.encryption_type
    return {key: encode(text) for key, text in texts.items()}


def _parse_image(kind: type[ImageT], entries: Mapping[str, bytes]) -> ImageT:
    said: dict[str, str] = {}
    others: dict[str, str] = {}
    for key, value in entries.items():
        attribute = "request_name" if key == kind.name_key else _ATTRIBUTES.get(key)
        if attribute is None:
            others[key] = decode(value)
        else:
            said[attribute] = decode(value)
    if others:  # few records have any
        for attribute, keys in (
            ("owner", (EMPTY_KEY,) if kind.empty_key_is_owner else ()),
            ("group_id", MISSPELT_GROUP_ID_KEYS),
        ):
            for text in [others.pop(key) for key in keys if key in others]:
                said.setdefault(attribute, text)
    return kind(**said, others=others)
