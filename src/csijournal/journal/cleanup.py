"""What to do with a stale entry: one whose record is gone, or never got its name.

Check meets such entries one at a time, recover walks through all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Generic

from csijournal.errors import ReservationPending, StaleEntry, UnreadableContent
from csijournal.journal.grace import Grace, newest_ns
from csijournal.journal.state import EntryState, classify_record
from csijournal.journal.steps import Records
from csijournal.store.contract import ObjectState
from csijournal.wire.leases import Lease
from csijournal.wire.schema import GROUPS, R
from csijournal.wire.text import shortened

StandsBehind = Callable[[str, str], bool]
"""Whether an image, subvolume or the like of this UUID, or of this name, is there."""


class Cleanup(Generic[R]):
    """Removes stale entries, and the empty records behind them.

    A missing record is the rest of an undo: ours is made before its entry.  An
    empty one can be a Ceph-CSI peer's that gets its name next, so there the
    grace time counts, and it must stand still for the settle time, whatever
    the peer's clock says.

    Nothing can stand behind the record of a group that has no members.  For
    volumes and snapshots `stands_behind` is asked; without it they are left to
    a person, since an image may lose the only thing that leads to it.
    """

    def __init__(
        self,
        records: Records[R],
        grace: Grace,
        new_uuid: Callable[[], str],
        stands_behind: StandsBehind | None = None,
    ) -> None:
        self._records = records
        self._grace = grace
        self._new_uuid = new_uuid
        self._stands_behind = stands_behind

    def clean_up(
        self,
        request_name: str,
        uuid: str,
        record: R | None,
        *,
        name_prefix: str = "",
        dry_run: bool = False,
        seen_version: int | None = None,
    ) -> bool:
        """Remove the entry and what stands behind it; False: it changed, look again.

        `seen_version` is the record's version before the settle time, where
        the caller has waited for that.

        Raises ReservationPending where the grace time is not over,
        UnpopulatedRecord where the record holds what somebody may miss, and
        StaleEntry where an image may stand behind it.
        """
        if record is not None:
            if classify_record(request_name, record) is not EntryState.UNPOPULATED:
                raise self._records.unpopulated(uuid, record)
            if self._records.is_taken(uuid, record):
                record = None
            elif self._is_young(uuid, record):
                raise self._pending(request_name, uuid)
        self._require_nothing_behind(request_name, uuid, name_prefix)
        if dry_run:
            return True
        if record is None:
            return self.remove_dangling(request_name, uuid)
        if seen_version is None:
            removed = self._records.remove_empty_record(uuid, settle=self._grace.settle)
        else:
            removed = self._records.remove_unchanged(uuid, seen_version)
        if not removed and self._records.read_record(uuid) is not None:
            return False
        return self.remove_dangling(request_name, uuid)

    def is_backed(self, uuid: str, record: R) -> bool:
        """Whether an image stands behind the record; False where there is nobody to ask.

        A peer that overwrites or removes an entry of ours, as Ceph-CSI does
        without a look, makes a record in use look like one that was never entered.
        """
        if self._stands_behind is None:
            return False
        image_name = record.image_name or self._records.schema.make_image_name("", uuid)
        return self._stands_behind(uuid, image_name)

    def seen_still(self, uuids: Iterable[str]) -> dict[str, int]:
        """The versions of those records that are old and empty, once the settle time is over."""
        versions = {}
        for uuid in uuids:
            with suppress(UnreadableContent):
                state = self._records.read_state(uuid)
                if state is not None and self._is_old_and_empty(state):
                    versions[uuid] = state.version
        if versions:
            self._grace.settle()
        return versions

    def _is_old_and_empty(self, state: ObjectState) -> bool:
        record = self._records.schema.parse(state.entries)
        if record.populated or record.in_use:
            return False
        return self._grace.is_over(newest_ns(state.modified_ns, record.creation_time))

    def remove_dangling(self, request_name: str, uuid: str) -> bool:
        """Remove an entry whose record is missing; False: look again.

        A caller may choose a UUID that was used before.  Its entry then says
        what the stale one said, and a removal by value cannot tell the two
        apart.  So the removal is held to a lease, one for each UUID, that was
        there before the record was seen to be missing, and no entry of a
        chosen UUID is written while it stands.  An empty record keeps off
        those that know no leases.

        Several may work under one lease.  Who did not put it puts one of its
        own, so that the empty record that it makes is listed.
        """
        mine = Lease((self._new_uuid(), uuid), since=self._grace.clock(), cleanup=True)
        standing = self._records.begin_cleanup(mine)
        if standing is None:
            return False
        if standing != mine:
            mine = replace(mine, helper=True)
            self._records.put_lease(mine)
        removed = self._take(uuid) and self._records.remove_entry(request_name, uuid, standing)
        self._remove_taken(uuid)
        if not self._records.end_cleanup(mine):
            self._records.remove_leases([replace(mine, cleanup=False, revoked=True).key])
        return removed

    def free(self, uuid: str) -> bool:
        """End a cleanup of a UUID that is to be used again; whether there was one to end."""
        record = self._records.read_record(uuid)
        taken = record is not None and self._records.is_taken(uuid, record)
        if taken:
            self._remove_taken(uuid)
        cleanup = self._records.cleanup_of(uuid)
        if cleanup is not None:
            self._records.revoke_lease(cleanup, self._grace.clock())
        return taken or cleanup is not None

    def _take(self, uuid: str) -> bool:
        """Make the UUID's record, empty, or find one that is; False: it is in use."""
        if self._records.create_record(uuid, {}):
            return True
        record = self._records.read_record(uuid)
        return record is not None and not record.populated and not record.in_use

    def _remove_taken(self, uuid: str) -> None:
        """Remove the record, if it is empty."""
        state = self._records.read_state(uuid)
        if state is not None and not state.entries:
            self._records.remove_unchanged(uuid, state.version)

    def _is_young(self, uuid: str, record: R) -> bool:
        modified_ns = self._records.modified_ns(uuid, record)
        return modified_ns is not None and not self._grace.is_over(modified_ns)

    def _require_nothing_behind(self, request_name: str, uuid: str, name_prefix: str) -> None:
        schema = self._records.schema
        if schema is GROUPS:
            return
        image_name = schema.make_image_name(name_prefix, uuid)
        if self._stands_behind is None or self._stands_behind(uuid, image_name):
            unasked = self._stands_behind is None
            behind = "may stand behind it" if unasked else "stands behind it, or may"
            raise StaleEntry(
                f"the record {uuid} that {shortened(request_name)} points at is gone or"
                f" incomplete, and a {schema.noun} {behind}",
                object_name=schema.record_object(uuid),
            )

    def _pending(self, request_name: str, uuid: str) -> ReservationPending:
        schema = self._records.schema
        return ReservationPending(
            f"the {schema.noun} that {shortened(request_name)} points at has no request name yet",
            object_name=schema.record_object(uuid),
            hint="Its driver may still be making it: try again. Older than the grace time, it can"
            " be removed (check --cleanup)",
        )
