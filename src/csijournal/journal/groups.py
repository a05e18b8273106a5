"""The journal of volume groups: what is particular to groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from csijournal.errors import PlaceNotFound, error_context
from csijournal.journal.base import Journal
from csijournal.journal.model import EnsureResult, Reservation
from csijournal.journal.reservations import Request, Reserved
from csijournal.wire.names import encode_members, require_member_ids
from csijournal.wire.records import GroupRecord, group_attributes
from csijournal.wire.schema import GROUPS
from csijournal.wire.uuids import require_uuid


class VolumeGroupJournal(Journal[GroupRecord]):
    """The volume groups of one driver instance, in one store; arguments as `Journal` tells."""

    schema = GROUPS

    def check_reservation(
        self, request_name: str, name_prefix: str = "", *, cleanup: bool = True
    ) -> Reservation | None:
        """The reservation of `request_name`; None where there is none.

        One read of the directory and one of the record.  What a crashed client
        left is removed on the way: the rest of an undo at once, a record that
        never got its name when the grace time has passed.  Without `cleanup`
        the answer is the same and nothing is removed.
        `name_prefix` is used only where the record has lost the group's name.

        Raises InvalidRequestName, ReservationPending (a peer is making it),
        CorruptEntry, NameMismatch, UnpopulatedGroup and StoreError.
        """
        with error_context("check_reservation"):
            request = self._request(request_name, name_prefix, checked=False)
            with suppress(PlaceNotFound):
                found = self._reservations.check(request, dry_run=not cleanup)
                return None if found is None else _as_reservation(found)
            return None

    def reserve_name(
        self, request_name: str, name_prefix: str = "", *, uuid: str | None = None
    ) -> Reservation:
        """A new reservation of `request_name`, as a group without members.

        The group is named `name_prefix`, or the default one, and its UUID,
        which the caller may choose as `uuid`.
        Raises AlreadyReserved, which carries the UUID that holds the name,
        UUIDInUse, InvalidUUID, InvalidRequestName, InvalidGroupName (of the
        prefix), whatever check_reservation raises of the state it finds, and
        StoreError.  After OutcomeUnknown, call ensure_reservation.
        """
        with error_context("reserve_name"):
            request = self._request(request_name, name_prefix, uuid)
            return _as_reservation(self._reservations.reserve(request))

    def ensure_reservation(
        self, request_name: str, name_prefix: str = "", *, uuid: str | None = None
    ) -> EnsureResult[Reservation]:
        """The reservation of `request_name`, made where there is none.

        However many callers ask at once, all get the same.  Raises what
        check_reservation and reserve_name raise; AlreadyReserved only where
        the name is held by another UUID than the one that was chosen.
        """
        with error_context("ensure_reservation"):
            request = self._request(request_name, name_prefix, uuid)
            found, created = self._reservations.ensure(request)
            return EnsureResult(_as_reservation(found), created=created)

    def undo_reservation(self, group_name: str, request_name: str) -> None:
        """Remove the reservation that `group_name` and `request_name` both name.

        What is not there any more is fine, so an undo can be repeated, and
        finishes one that was cut short.  A newer reservation of the same name
        is left alone.  An empty `group_name` removes the entry alone, and only
        where no group of a known name stands behind it.

        Raises UndoRefused where the group belongs to another request name,
        InvalidGroupName, InvalidRequestName, CorruptEntry, UnpopulatedGroup
        and StoreError; nothing was removed then, but for OutcomeUnknown.
        """
        with error_context("undo_reservation"):
            GROUPS.require_request_name(request_name)
            self._reservations.undo(group_name, request_name)

    def get_volume_group_attributes(self, group_uuid: str) -> Reservation:
        """What the record of `group_uuid` says.  Changes nothing.

        Raises GroupNotFound, InvalidUUID, UnpopulatedGroup where the record
        has no request name, and StoreError.
        """
        with error_context("get_volume_group_attributes"):
            require_uuid(group_uuid)
            record = self._records.read_record(group_uuid)
            if record is None or not record.populated:
                raise self._records.not_found_or_unpopulated(group_uuid, record)
            image_name = record.group_name or GROUPS.make_image_name("", group_uuid)
            return _as_reservation(Reserved(group_uuid, image_name, record))

    def add_volumes_mapping(self, group_uuid: str, volume_map: Mapping[str, str]) -> None:
        """Add members to a group, or give them new values: all of them or none.

        A group that is gone is not brought back.  Raises GroupNotFound,
        InvalidMember, InvalidUUID, UnpopulatedGroup and StoreError.
        """
        with error_context("add_volumes_mapping"):
            require_uuid(group_uuid)
            members = encode_members(volume_map)
            if not members or self._records.put_keys(group_uuid, members):
                return
            record = self._records.read_record(group_uuid)
            raise self._records.not_found_or_unpopulated(group_uuid, record)

    def remove_volumes_mapping(self, group_uuid: str, volume_ids: Iterable[str]) -> None:
        """Remove members from a group: all of them or none.

        Members that are not there are fine, and so is a group that is gone.
        Raises InvalidMember, InvalidUUID and StoreError.
        """
        with error_context("remove_volumes_mapping"):
            require_uuid(group_uuid)
            members = require_member_ids(volume_ids)
            if members:
                self._records.delete_keys(group_uuid, members)

    def _request(
        self, request_name: str, name_prefix: str, uuid: str | None = None, *, checked: bool = True
    ) -> Request[GroupRecord]:
        GROUPS.require_request_name(request_name)
        if checked:
            GROUPS.require_name_prefix(name_prefix)
        return Request(
            request_name,
            name_prefix,
            attributes=lambda _uuid, group_name: group_attributes(
                request_name, group_name, self._clock()
            ),
            chosen_uuid="" if uuid is None else require_uuid(uuid),
        )


def _as_reservation(reserved: Reserved[GroupRecord]) -> Reservation:
    record = reserved.record
    return Reservation(
        request_name=record.request_name or "",
        group_uuid=reserved.uuid,
        group_name=reserved.image_name,
        creation_time=record.creation_time,
        volume_map=record.volume_map,
    )
