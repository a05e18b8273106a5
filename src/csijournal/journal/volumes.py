"""The journal of volumes: what is particular to volumes."""

from __future__ import annotations

from csijournal.errors import error_context
from csijournal.journal.images import ImageJournal
from csijournal.journal.model import EnsureResult, VolumeReservation
from csijournal.wire.records import NewImage, VolumeRecord
from csijournal.wire.schema import VOLUMES


class VolumeJournal(ImageJournal[VolumeRecord, VolumeReservation]):
    """The volumes of one driver instance, in one store; arguments as `ImageJournal` tells."""

    schema = VOLUMES
    reservation_type = VolumeReservation
    record_type = VolumeRecord

    def check_reservation(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        kms_id: str = "",
        encryption_type: str = "",
        cleanup: bool = True,
    ) -> VolumeReservation | None:
        """The reservation of `request_name`; None where there is none.

        `kms_id` and `encryption_type` are compared where given.  `name_prefix`
        is used only where the record has lost the image's name.  A stale entry
        is removed on the way where `stands_behind` says that no image is
        there, and nothing is removed without `cleanup`.

        Raises InvalidRequestName, InvalidAttribute, EncryptionMismatch,
        ReservationPending (a peer is making it), NotAReservation, StoreError,
        and of JournalDamaged StaleEntry, CorruptEntry, NameMismatch,
        UnpopulatedRecord and SplitReservation.
        """
        with error_context("check_reservation"):
            asked = NewImage(request_name, kms_id=kms_id, encryption_type=encryption_type)
            return self._check(self._request(asked, name_prefix, checked=False), cleanup=cleanup)

    def reserve_name(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        uuid: str | None = None,
        owner: str = "",
        kms_id: str = "",
        encryption_type: str = "",
        backing_snapshot_id: str = "",
    ) -> VolumeReservation:
        """A new reservation of `request_name`; the image is the caller's to make after it.

        The image is to be named `name_prefix`, or the default one, and the
        UUID, which the caller may choose as `uuid`.  `encryption_type` is
        "block" or "file".
        Raises AlreadyReserved, which carries the UUID that holds the name,
        UUIDInUse, InvalidUUID, InvalidImageName (of the prefix), and what
        check_reservation raises.  After OutcomeUnknown, call ensure_reservation.
        """
        with error_context("reserve_name"):
            new = _new(request_name, owner, kms_id, encryption_type, backing_snapshot_id)
            return self._reserve(self._request(new, name_prefix, uuid))

    def ensure_reservation(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        uuid: str | None = None,
        owner: str = "",
        kms_id: str = "",
        encryption_type: str = "",
        backing_snapshot_id: str = "",
    ) -> EnsureResult[VolumeReservation]:
        """The reservation of `request_name`, made where there is none.

        However many callers ask at once, all get the same, and so does who
        asks again after a crash.  Raises what check_reservation and
        reserve_name raise; AlreadyReserved only where the name is held by
        another UUID than the one that was chosen, and UUIDInUse also where a
        client that chose it died half-way: recover removes what it left.
        """
        with error_context("ensure_reservation"):
            new = _new(request_name, owner, kms_id, encryption_type, backing_snapshot_id)
            return self._ensure(self._request(new, name_prefix, uuid))


def _new(
    request_name: str, owner: str, kms_id: str, encryption_type: str, backing_snapshot_id: str
) -> NewImage:
    return NewImage(
        request_name,
        owner=owner,
        kms_id=kms_id,
        encryption_type=encryption_type,
        backing_snapshot_id=backing_snapshot_id,
    )
