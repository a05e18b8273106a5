"""The objects of a place: all of them, or as many as a limited time allows."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator

from csijournal.check.elsewhere import journals_in
from csijournal.check.summary import Summary
from csijournal.store.contract import Store
from csijournal.wire.schema import GROUPS, SNAPSHOTS, VOLUMES

LISTING_SECONDS = 10.0
"""How long a check lists objects unless it is told to go on to the end.

Somebody waits for the answer, and a pool holds millions of objects that are no
journal's.
"""

GROUP_WITHOUT_UUID = GROUPS.record_prefix
"""The object that Ceph-CSI's CephFS code makes for a group whose UUID it does not know."""

_OTHER_DIRECTORIES = (VOLUMES.directory_prefix, SNAPSHOTS.directory_prefix)


class Depth(enum.Enum):
    """How much of a place a check looks at."""

    QUICK = "quick"
    """The directory of one instance, and what it points at.  Lists no objects."""
    LIMITED = "default"
    """As FULL where the objects can be listed in LISTING_SECONDS, else as QUICK."""
    FULL = "full"
    """All instances, and what nothing points at, however long that takes."""


class Listing:
    """What a walk through the objects of a place has met.

    `groups` holds each group's UUID in 16 bytes, and whether an entry is known
    to point at it.
    """

    def __init__(self, store: Store, summary: Summary, instance_id: str) -> None:
        self._store = store
        self._summary = summary
        self.instance_ids = {instance_id}
        self.groups: dict[bytes, bool] = {}

    def run(
        self,
        depth: Depth,
        *,
        seconds_max: float = LISTING_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Walk as far as `depth` says; `summary.listing_ended` says whether that was the end."""
        if depth is Depth.QUICK:
            return
        stop_at = float("inf") if depth is Depth.FULL else monotonic() + seconds_max
        for object_name in self._store.walk("csi."):
            self._summary.objects_walked += 1
            if object_name is not None:
                self._note(object_name)
            if monotonic() >= stop_at:
                self.groups.clear()
                return
        self._summary.listing_ended = True

    def point_at(self, group_uuid: str, *, keep: bool) -> bool:
        """Note that an entry points at the group; whether another one did already.

        A group that was not listed is noted with `keep` only.
        """
        packed = bytes.fromhex(group_uuid.replace("-", ""))
        before = self.groups.get(packed)
        if keep or before is not None:
            self.groups[packed] = True
        return bool(before)

    def unpointed(self) -> Iterator[str]:
        """UUIDs of groups at which no entry was seen to point."""
        return (_unpacked(packed) for packed, pointed in self.groups.items() if not pointed)

    def other_directories(self) -> None:
        """Where the objects were not listed, ask for the usual directories of other journals."""
        if self._summary.listing_ended:
            return
        found = journals_in(self._store, self.instance_ids)
        others = [name for name in found if name.startswith(_OTHER_DIRECTORIES)]
        known = self._summary.other_journals
        known += [name for name in others if name not in known]

    def _note(self, object_name: str) -> None:
        self._summary.objects_listed += 1
        instance_id = GROUPS.instance_of(object_name)
        group_uuid = GROUPS.uuid_of_record(object_name)
        if instance_id is not None:
            self.instance_ids.add(instance_id)
        elif group_uuid is not None:
            self._summary.group_objects += 1
            self.groups[bytes.fromhex(group_uuid.replace("-", ""))] = False
        elif object_name.startswith(_OTHER_DIRECTORIES):
            self._summary.other_journals.append(object_name)


def _unpacked(packed: bytes) -> str:
    text = packed.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
