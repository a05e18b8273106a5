"""Finding the image of a lost record, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from csijournal.check.behind import role_of
from csijournal.errors import (
    Conflict,
    EncryptionMismatch,
    InvalidAttribute,
    NotFound,
    SourceMismatch,
    StoreError,
)
from csijournal.inventory.contract import (
    Behind,
    Details,
    Inventory,
    NotCompared,
    Role,
    Thing,
    ThingKind,
)
from csijournal.inventory.rbd_image import ImageDetails
from csijournal.repair.told import Told, agreed, by_image, by_record, is_encrypted
from csijournal.store.contract import Store
from csijournal.wire.names import require_encryption
from csijournal.wire.records import (
    EMPTY_KEY,
    IMAGE_ID_KEY,
    NFS_CLUSTER_KEY,
    OWNER_KEY,
    ImageRecord,
    NewImage,
    SnapshotRecord,
    VolumeRecord,
    image_attributes,
)
from csijournal.wire.schema import SNAPSHOTS, AnySchema
from csijournal.wire.text import encode, shortened
from csijournal.wire.uuids import ending_uuid

_CEPHFS = "cephfs"
_ENCRYPTION_TYPES = {_CEPHFS: "file"}
_USUAL_ENCRYPTION_TYPE = "block"
"""What each driver takes where the class names none."""

_LISTS = {
    Role.VOLUME: ThingKind.SHALLOW_REFERENCE,
    Role.SNAPSHOT: ThingKind.SUBVOLUME_SNAPSHOT,
}
"""What CephFS tells of one only after it has listed all; RBD has neither."""


@dataclass(frozen=True)
class FoundImage:
    """An image that was found, and what is told of it; `thing` is None where no driver has any."""

    thing: Thing | None
    told: Told
    image_id: str = ""
    owner_key: str = OWNER_KEY


@dataclass(frozen=True)
class ImageFinder:
    """Finds the images of one journal's records, in one place."""

    store: Store
    schema: AnySchema
    inventory: Inventory

    @property
    def encryption_type(self) -> str:
        """How this driver encrypts where the class does not say."""
        return _ENCRYPTION_TYPES.get(self.inventory.name, _USUAL_ENCRYPTION_TYPE)

    def find(
        self, uuid: str, record: ImageRecord | None, told: Sequence[Told], source_uuid: str = ""
    ) -> FoundImage:
        """The one image of the UUID, and what it, its record and the others agree on.

        `source_uuid` is that of the volume that a snapshot is of, where it is known.

        Raises NotFound where there is none, StoreError where that could not be
        looked up, and Conflict where there are several, where they do not
        agree, or where it is encrypted and its KMS is not known.
        """
        said = [*([by_record(record)] if record else []), *told]
        if self.store.stands_alone:
            return self._without_image(uuid, said)
        names = [one.image_name for one in said if one.image_name]
        within = [one.source_name or one.backing_snapshot_id for one in said]
        thing = self._one_of(uuid, self._behind(uuid, names, next(filter(None, within), "")), names)
        details = self._details(thing)
        found = agreed([*said, by_image(role_of(self.schema), thing, details)])
        found = self._with_encryption(uuid, found, details)
        if self.schema is SNAPSHOTS:
            self._require_source(uuid, found, source_uuid)
        is_cephfs_snapshot = self.inventory.name == _CEPHFS and self.schema is SNAPSHOTS
        owner_key = EMPTY_KEY if is_cephfs_snapshot else OWNER_KEY
        is_image = thing.kind is ThingKind.IMAGE
        return FoundImage(thing, found, thing.thing_id if is_image else "", owner_key)

    def _without_image(self, uuid: str, said: Sequence[Told]) -> FoundImage:
        """Of a driver that keeps no images."""
        found = agreed(said)
        name = found.image_name or self.schema.make_image_name("", uuid)
        if ending_uuid(name) != uuid:
            raise Conflict(f"{shortened(name)} is not the name of the {self.schema.noun} {uuid}")
        if self.schema is SNAPSHOTS:
            self._require_source(uuid, found, "")
        return FoundImage(None, replace(self._with_encryption(uuid, found, None), image_name=name))

    # The image

    def _behind(self, uuid: str, names: Sequence[str], within: str) -> Behind:
        role = role_of(self.schema)
        name = next(iter(names), "")
        found = self.inventory.behind(role, uuid, name, within=within)
        if found.things:
            return found
        listed = self.inventory.things(_LISTS[role])
        ours = tuple(thing for thing in listed if ending_uuid(thing.name) == uuid)
        return Behind(ours) if ours else self.inventory.behind(role, uuid, name, within=within)

    def _one_of(self, uuid: str, behind: Behind, names: Sequence[str]) -> Thing:
        noun = self.schema.noun
        ours = [one for one in behind.things if ending_uuid(one.name) == uuid]
        there = [one for one in ours if one.kind is not ThingKind.TRASHED_IMAGE]
        if not there and ours:
            raise Conflict(
                f"{ours[0]} is what is left of the {noun} {uuid}",
                hint="Take it out of the trash first:"
                f" rbd trash restore -p POOL {ours[0].thing_id}",
            )
        if not there and behind.not_compared:
            why = behind.not_compared[0]
            raise StoreError(f"whether the {noun} {uuid} is there is not known: {why}")
        named = [one for one in there if one.name in names] or there
        if len(named) > 1:
            raise Conflict(
                f"several images end in {uuid}: {', '.join(map(str, named))}",
                hint="Give the name of the one that is meant, in the place of the UUID",
            )
        if not named:
            raise NotFound(
                f"there is neither an image nor a subvolume of the {noun} {uuid} in"
                f" {self.store.place}",
                hint="RBD images lie in the namespace of their journal: -N NAMESPACE names another",
            )
        return named[0]

    def _details(self, thing: Thing) -> Details | None:
        """What the image says; what a record needs of it must be readable."""
        details = self.inventory.details(thing)
        if isinstance(details, NotCompared):
            raise StoreError(str(details))
        if isinstance(details, ImageDetails) and details.not_compared:
            raise StoreError(str(details.not_compared[0]))
        return details

    # What is told of it

    def _with_encryption(self, uuid: str, found: Told, details: Details | None) -> Told:
        if found.kms_id:
            kind = found.encryption_type or self.encryption_type
            require_encryption(found.kms_id, kind)
            return replace(found, encryption_type=kind)
        if is_encrypted(details):
            raise EncryptionMismatch(
                f"the image of the {self.schema.noun} {uuid} says that it is encrypted, and"
                " nothing says with which KMS",
                hint="Give --kms-id, the encryptionKMSID of the class (default where it has none),"
                " or the list of PersistentVolumes with --kubernetes FILE",
            )
        return replace(found, encryption_type="")

    def _require_source(self, uuid: str, found: Told, source_uuid: str) -> None:
        if not found.source_name:
            raise InvalidAttribute(
                f"nothing says of which volume the snapshot {uuid} is",
                hint="Give --source, the name of the volume's image or subvolume",
            )
        of = ending_uuid(found.source_name)
        if source_uuid and of is not None and of != source_uuid:
            raise SourceMismatch(
                f"the snapshot {uuid} is of {shortened(found.source_name)}, and Kubernetes says"
                f" that it is of the volume {source_uuid}"
            )


def is_still_there(inventory: Inventory, role: Role, uuid: str, found: FoundImage) -> bool:
    """Whether the image is there as it was found; asked right before anything is written."""
    thing = found.thing
    if thing is None:
        return True
    within = found.told.source_name or found.told.backing_snapshot_id
    behind = inventory.behind(role, uuid, thing.name, within=within)
    return thing in behind.things


def attributes_for(schema: AnySchema, uuid: str, found: FoundImage) -> dict[str, bytes]:
    """The keys of the whole record, as the driver leaves them when it has made the image."""
    told = found.told
    new = NewImage(
        told.request_name,
        owner=told.owner,
        kms_id=told.kms_id,
        encryption_type=told.encryption_type,
        source_name=told.source_name,
        backing_snapshot_id=told.backing_snapshot_id,
        owner_key=found.owner_key,
    )
    record_type = SnapshotRecord if schema is SNAPSHOTS else VolumeRecord
    name = told.image_name or schema.make_image_name("", uuid)
    attributes = image_attributes(record_type, name, new)
    for key, text in ((IMAGE_ID_KEY, found.image_id), (NFS_CLUSTER_KEY, told.nfs_cluster)):
        if text:
            attributes[key] = encode(text)
    return attributes
