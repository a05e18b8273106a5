"""What to do with an entry that no populated group object stands behind.

Check meets such entries one at a time, recover walks through all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from csijournal.errors import ReservationPending
from csijournal.journal.steps import Records, unpopulated
from csijournal.wire import layout
from csijournal.wire.layout import GroupRecord
from csijournal.wire.timestamps import Timestamp


class Collector:
    """Removes stale entries; `grace_ns` is how long a group may be in the making.

    A missing group object is the rest of an undo: ours is made before its
    entry.  An empty one can be a Ceph-CSI peer's that gets its name next, so
    there the grace time counts.
    """

    def __init__(self, records: Records, *, grace_ns: int, clock: Callable[[], Timestamp]) -> None:
        self._records = records
        self._grace_ns = grace_ns
        self._clock = clock

    def collect(
        self,
        request_name: str,
        group_uuid: str,
        record: GroupRecord | None,
        *,
        dry_run: bool = False,
    ) -> bool:
        """Remove the entry and what stands behind it; False: it changed, look again.

        Raises ReservationPending where the grace time is not over and
        UnpopulatedGroup where the group has members, which somebody may miss.
        """
        if record is not None:
            if record.volume_map:
                raise unpopulated(group_uuid, record)
            if self._being_made(group_uuid, record):
                raise _pending(request_name, group_uuid)
        if dry_run:
            return True
        if record is not None and not self._records.remove_unpopulated_group(group_uuid):
            return False
        return self._records.remove_entry(request_name, group_uuid)

    def _being_made(self, group_uuid: str, record: GroupRecord) -> bool:
        modified_ns = self._records.modified_ns(group_uuid, record)
        if modified_ns is None:
            return False
        return self._clock().nanoseconds - modified_ns < self._grace_ns


def _pending(request_name: str, group_uuid: str) -> ReservationPending:
    return ReservationPending(
        f"the group that {layout.shortened(request_name)} points at has no request name yet",
        object_name=layout.group_object(group_uuid),
        hint="Its driver may still be making it: try again. After the grace time it is removed",
    )
