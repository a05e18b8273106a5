"""The journal of snapshots: what is particular to snapshots."""

from __future__ import annotations

from collections.abc import Callable

from csijournal.errors import InvalidAttribute, InvalidInput, error_context
from csijournal.journal.cleanup import StandsBehind
from csijournal.journal.grace import GRACE_SECONDS, SETTLE_SECONDS
from csijournal.journal.images import ImageJournal
from csijournal.journal.model import EnsureResult, SnapshotReservation
from csijournal.journal.reservations import LEASE_SIZE, random_uuid
from csijournal.store.contract import Guarantee, Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import EMPTY_KEY, OWNER_KEY, NewImage, SnapshotRecord
from csijournal.wire.schema import SNAPSHOTS
from csijournal.wire.timestamps import Timestamp


class SnapshotJournal(ImageJournal[SnapshotRecord, SnapshotReservation]):
    """The snapshots of one driver instance, in one store; arguments as `ImageJournal` tells.

    `owner_key` is the key under which a new record gets its owner:
    "csi.volume.owner" as the RBD driver has it, or "" as the CephFS driver
    writes it.  The owner is read from either.
    """

    schema = SNAPSHOTS
    reservation_type = SnapshotReservation
    record_type = SnapshotRecord

    def __init__(
        self,
        store: Store,
        *,
        owner_key: str = OWNER_KEY,
        instance_id: str = DEFAULT_INSTANCE_ID,
        lease_size: int = LEASE_SIZE,
        grace_seconds: float = GRACE_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        needs: Guarantee = Guarantee.NONE,
        new_uuid: Callable[[], str] = random_uuid,
        clock: Callable[[], Timestamp] = Timestamp.now,
        stands_behind: StandsBehind | None = None,
    ) -> None:
        if owner_key not in {OWNER_KEY, EMPTY_KEY}:
            raise InvalidInput(
                f"the owner's key is {owner_key!r}", hint=f"It is {OWNER_KEY!r} or the empty key"
            )
        super().__init__(
            store,
            instance_id=instance_id,
            lease_size=lease_size,
            grace_seconds=grace_seconds,
            settle_seconds=settle_seconds,
            needs=needs,
            new_uuid=new_uuid,
            clock=clock,
            stands_behind=stands_behind,
        )
        self._owner_key = owner_key

    def check_reservation(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        source_name: str = "",
        kms_id: str = "",
        encryption_type: str = "",
        cleanup: bool = True,
    ) -> SnapshotReservation | None:
        """The reservation of `request_name`; None where there is none.

        `source_name`, `kms_id` and `encryption_type` are compared where given.
        `name_prefix` is used only where the record has lost the snapshot's
        name.  A stale entry is removed on the way where `stands_behind` says
        that no snapshot is there, and nothing is removed without `cleanup`.

        Raises InvalidRequestName, InvalidAttribute, SourceMismatch,
        EncryptionMismatch, ReservationPending (a peer is making it),
        NotAReservation, StoreError, and of JournalDamaged StaleEntry,
        CorruptEntry, NameMismatch, UnpopulatedRecord and SplitReservation.
        """
        with error_context("check_reservation"):
            asked = NewImage(
                request_name,
                source_name=source_name,
                kms_id=kms_id,
                encryption_type=encryption_type,
            )
            return self._check(self._request(asked, name_prefix, checked=False), cleanup=cleanup)

    def reserve_name(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        source_name: str,
        uuid: str | None = None,
        owner: str = "",
        kms_id: str = "",
        encryption_type: str = "",
    ) -> SnapshotReservation:
        """A new reservation of `request_name`; the snapshot is the caller's to make after it.

        The snapshot is to be named `name_prefix`, or the default one, and the
        UUID, which the caller may choose as `uuid`.  `source_name` is the name
        of the image or subvolume that it is of.  `encryption_type` is "block"
        or "file".
        Raises AlreadyReserved, which carries the UUID that holds the name,
        UUIDInUse, InvalidUUID, InvalidImageName (of the prefix), and what
        check_reservation raises.  After OutcomeUnknown, call ensure_reservation.
        """
        with error_context("reserve_name"):
            new = self._new(request_name, source_name, owner, kms_id, encryption_type)
            return self._reserve(self._request(new, name_prefix, uuid))

    def ensure_reservation(
        self,
        request_name: str,
        name_prefix: str = "",
        *,
        source_name: str,
        uuid: str | None = None,
        owner: str = "",
        kms_id: str = "",
        encryption_type: str = "",
    ) -> EnsureResult[SnapshotReservation]:
        """The reservation of `request_name`, made where there is none.

        However many callers ask at once, all get the same, and so does who
        asks again after a crash.  Raises what check_reservation and
        reserve_name raise; AlreadyReserved only where the name is held by
        another UUID than the one that was chosen, and UUIDInUse also where a
        client that chose it died half-way: recover removes what it left.
        """
        with error_context("ensure_reservation"):
            new = self._new(request_name, source_name, owner, kms_id, encryption_type)
            return self._ensure(self._request(new, name_prefix, uuid))

    def _new(
        self, request_name: str, source_name: str, owner: str, kms_id: str, encryption_type: str
    ) -> NewImage:
        if not source_name:
            raise InvalidAttribute(
                "a snapshot's source must not be empty",
                hint="Give the name of the image or subvolume; without it Ceph-CSI removes"
                " the record at its next look",
            )
        return NewImage(
            request_name,
            owner=owner,
            kms_id=kms_id,
            encryption_type=encryption_type,
            source_name=source_name,
            owner_key=self._owner_key,
        )
