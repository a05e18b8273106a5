"""What the journals of volumes and of snapshots have in common.

Both stand for images: RBD images, CephFS subvolumes, their snapshots.  So a
record is worth more than its keys: whoever removes one that an image stands
behind loses what leads to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from csijournal.errors import (
    EncryptionMismatch,
    InvalidAttribute,
    PlaceNotFound,
    RequestMismatch,
    SourceMismatch,
    StaleEntry,
    error_context,
)
from csijournal.journal.base import Journal
from csijournal.journal.model import EnsureResult, ImageReservation
from csijournal.journal.reservations import ATTEMPTS_MAX, Request, Reserved
from csijournal.wire.entries import MappedHandle
from csijournal.wire.handles import Handle
from csijournal.wire.names import require_encryption, require_value
from csijournal.wire.records import (
    ATTRIBUTE_PREFIX,
    GROUP_ID_KEY,
    IMAGE_ID_KEY,
    IMAGE_KEYS,
    MISSPELT_GROUP_ID_KEYS,
    OWNER_KEY,
    SOURCE_NAME_KEY,
    ImageRecord,
    NewImage,
    image_attributes,
)
from csijournal.wire.text import decode, encode, shortened
from csijournal.wire.uuids import require_uuid

ImageT = TypeVar("ImageT", bound=ImageRecord)
ReservationT = TypeVar("ReservationT", bound=ImageReservation)


class ImageJournal(Journal[ImageT], Generic[ImageT, ReservationT]):
    """The volumes or snapshots of one driver instance, in one store; arguments as `Journal` tells.

    `stands_behind(uuid, image_name)` says whether an image, subvolume or
    snapshot of that UUID or name is there.  Without it nothing is removed but
    what leases of csijournal's own list: an entry whose record is gone or
    incomplete raises StaleEntry, since an image may stand behind it.
    """

    reservation_type: ClassVar[type[ImageReservation]]
    record_type: ClassVar[type[ImageRecord]]

    def undo_reservation(self, image_name: str, request_name: str) -> None:
        """Remove the reservation that `image_name` and `request_name` both name.

        The image must be gone by then.  What is not there any more is fine, so
        an undo can be repeated, and finishes one that was cut short.  A newer
        reservation of the same name is left alone.  An empty `image_name`
        removes the entry alone, and only where no record of a known name
        stands behind it.

        Raises UndoRefused where the record belongs to another request name,
        InvalidImageName, InvalidRequestName, CorruptEntry, SplitReservation,
        NotAReservation, UnpopulatedRecord and StoreError; nothing was removed
        then, but for OutcomeUnknown.
        """
        with error_context("undo_reservation"):
            self.schema.require_request_name(request_name)
            if image_name:
                self.schema.uuid_of_image_name(image_name)
            # Raises for what leads elsewhere, before the record here is removed.
            self._records.read_entry(request_name)
            self._reservations.undo(image_name, request_name)

    def get_attributes(self, uuid: str) -> ReservationT:
        """What the record of `uuid` says.  Changes nothing.

        Raises RecordNotFound, InvalidUUID, UnpopulatedRecord where the record
        has no request name, and StoreError.
        """
        with error_context("get_attributes"):
            require_uuid(uuid)
            record = self._records.read_record(uuid)
            if record is None or not record.populated:
                raise self._records.not_found_or_unpopulated(uuid, record)
            image_name = record.image_name or self.schema.make_image_name("", uuid)
            return self._as_reservation(Reserved(uuid, image_name, record))

    def get_attribute(self, uuid: str, attribute: str) -> str | None:
        """The value of the key `csi.` and `attribute`, as in `nfs.cluster`; None for no such key.

        Reads a record without a request name too.  Raises RecordNotFound,
        InvalidUUID, InvalidAttribute and StoreError.
        """
        with error_context("get_attribute"):
            key = ATTRIBUTE_PREFIX + require_value("the attribute's name", attribute)
            record_object = self.schema.record_object(uuid)
            found = self._records.store.read_keys(record_object, (key,))
            if found is None:
                raise self._records.not_found(uuid)
            return decode(found[key]) if key in found else None

    def put_image_id(self, uuid: str, request_name: str, image_id: str) -> None:
        """Write down the RBD image's id, once the image exists.

        As all `put_…`: guarded by the request name, in one atomic operation,
        and a record that is gone is not brought back.  Raises RecordNotFound,
        RequestMismatch where the record is another name's, UnpopulatedRecord,
        InvalidUUID, InvalidRequestName, InvalidAttribute and StoreError.
        """
        with error_context("put_image_id"):
            self._put(uuid, request_name, {IMAGE_ID_KEY: require_value("the image id", image_id)})

    def put_owner(self, uuid: str, request_name: str, owner: str) -> None:
        """Write the owner, always under the key that Ceph-CSI reads.  Raises as put_image_id."""
        with error_context("put_owner"):
            self._put(uuid, request_name, {OWNER_KEY: require_value("the owner", owner)})

    def put_group_id(self, uuid: str, request_name: str, group_id: str) -> None:
        """Write the handle of the group that this belongs to; an empty one takes it out again.

        Goes under the key that Ceph-CSI reads, and removes what Ceph-CSI wrote
        under two others.  Raises as put_image_id.
        """
        with error_context("put_group_id"):
            require_value("the group id", group_id)
            puts = {GROUP_ID_KEY: group_id} if group_id else {}
            keys = (GROUP_ID_KEY, *MISSPELT_GROUP_ID_KEYS)
            self._put(uuid, request_name, puts, deletions=[key for key in keys if key not in puts])

    def put_attribute(self, uuid: str, request_name: str, attribute: str, value: str) -> None:
        """Write the key `csi.` and `attribute`, as the NFS driver does with `nfs.cluster`.

        Raises as put_image_id; InvalidAttribute too where the key is one of
        those that have a meaning of their own.
        """
        with error_context("put_attribute"):
            key = ATTRIBUTE_PREFIX + require_value("the attribute's name", attribute)
            if key in IMAGE_KEYS or "\0" in key:
                raise InvalidAttribute(
                    f"{shortened(attribute)} is not an attribute that can be put",
                    key=key,
                    hint="Image id, owner and group id have calls of their own;"
                    " names, source and encryption never change",
                )
            self._put(uuid, request_name, {key: require_value("the attribute's value", value)})

    def look_up_mapping(self, handle: str | Handle) -> Handle | None:
        """The handle that stands for `handle` since a failover; None where there is none.

        Older drivers left such keys in the directory; nobody writes them any
        more.  Raises InvalidHandle and StoreError.
        """
        with error_context("look_up_mapping"):
            entry = self._records.look_up(str(Handle.parse(str(handle))))
            target = None if entry is None else entry.target
            return target.handle if isinstance(target, MappedHandle) else None

    # For the journals of volumes and of snapshots

    def _request(
        self, new: NewImage, name_prefix: str, uuid: str | None = None, *, checked: bool = True
    ) -> Request[ImageT]:
        """What is asked for; with `checked` it may be written as it is."""
        self.schema.require_request_name(new.request_name)
        require_encryption(new.kms_id, new.encryption_type)
        for what, text in (
            ("the owner", new.owner),
            ("the source's name", new.source_name),
            ("the backing snapshot's id", new.backing_snapshot_id),
        ):
            require_value(what, text)
        if checked:
            self.schema.require_name_prefix(name_prefix)
        return Request(
            new.request_name,
            name_prefix,
            attributes=lambda _uuid, image_name: image_attributes(
                self.record_type, image_name, new
            ),
            compare=lambda reserved: require_same_image(self.schema.noun, reserved, new),
            chosen_uuid="" if uuid is None else require_uuid(uuid),
        )

    def _check(self, request: Request[ImageT], *, cleanup: bool) -> ReservationT | None:
        with suppress(PlaceNotFound):
            found = self._reservations.check(request, dry_run=not cleanup)
            return None if found is None else self._as_reservation(found)
        return None

    def _reserve(self, request: Request[ImageT]) -> ReservationT:
        """Whatever holds the name already, it is taken: nothing is compared."""
        uncompared = replace(request, compare=lambda _reserved: None)
        return self._as_reservation(self._reservations.reserve(uncompared))

    def _ensure(self, request: Request[ImageT]) -> EnsureResult[ReservationT]:
        found, created = self._reservations.ensure(request)
        return EnsureResult(self._as_reservation(found), created=created)

    def _put(
        self,
        uuid: str,
        request_name: str,
        texts: Mapping[str, str],
        deletions: Collection[str] = (),
    ) -> None:
        require_uuid(uuid)
        self.schema.require_request_name(request_name)
        puts = {key: encode(text) for key, text in texts.items()}
        for _ in range(ATTEMPTS_MAX):
            if self._records.put_keys(uuid, puts, request_name=request_name, deletions=deletions):
                return
            record = self._records.read_record(uuid)
            if record is None or not record.populated:
                raise self._records.not_found_or_unpopulated(uuid, record)
            if record.request_name != request_name:
                break
        raise RequestMismatch(
            f"the {self.schema.noun} {uuid} does not belong to {shortened(request_name)}",
            object_name=self.schema.record_object(uuid),
            key=self.schema.name_key,
            hint="Give the request name that it was reserved for",
        )

    def _as_reservation(self, reserved: Reserved[ImageT]) -> ReservationT:
        record = reserved.record
        return self.reservation_type(  # type: ignore[return-value] # the subclass's own
            uuid=reserved.uuid,
            request_name=record.request_name or "",
            image_name=reserved.image_name,
            image_id=record.image_id or "",
            owner=record.owner or "",
            kms_id=record.kms_id or "",
            encryption_type=record.encryption_type or "",
            group_id=record.group_id or "",
            source_name=record.source_name or "",
            backing_snapshot_id=record.backing_snapshot_id or "",
            journal_pool_id=record.journal_pool_id,
            attributes=record.attributes,
        )


def require_same_image(noun: str, reserved: Reserved[ImageT], asked_for: NewImage) -> None:
    """Raise where the record was reserved for another image than `asked_for`; empty asks nothing.

    SourceMismatch for another source, StaleEntry where the record has lost it,
    EncryptionMismatch for other encryption.
    """
    if asked_for.source_name:
        _require_same_source(noun, reserved, asked_for.source_name)
    record = reserved.record
    for what, asked, said in (
        ("the KMS", asked_for.kms_id, record.kms_id or ""),
        ("the encryption type", asked_for.encryption_type, record.encryption_type or ""),
    ):
        if asked and asked != said:
            has = shortened(said) if said else "none"
            raise EncryptionMismatch(
                f"the {noun} {reserved.uuid} of {shortened(record.request_name or '')}"
                f" has {has} as {what}, and {shortened(asked)} was asked for",
                hint="Reserve under another name, or ask with what it was reserved with",
            )


def _require_same_source(noun: str, reserved: Reserved[ImageT], source_name: str) -> None:
    said, name = reserved.record.source_name, shortened(reserved.record.request_name or "")
    if said is None:
        raise StaleEntry(
            f"the record of the {noun} {reserved.uuid} of {name} has lost its source,"
            f" and a {noun} may stand behind it",
            key=SOURCE_NAME_KEY,
            hint="Put the key back, or undo the reservation if nothing stands behind it",
        )
    if said != source_name:
        raise SourceMismatch(
            f"the {noun} {reserved.uuid} of {name} is of {shortened(said)},"
            f" and not of {shortened(source_name)}",
            key=SOURCE_NAME_KEY,
            hint="Reserve under another name",
        )
