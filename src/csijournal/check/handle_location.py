"""Where handles lead, seen from one place: here, or to another one, with a mapping too."""

from __future__ import annotations

from csijournal.check.locations import Locations
from csijournal.inventory.cluster_mapping import ClusterMapping, LocationType
from csijournal.inventory.contract import Inventory, NotCompared
from csijournal.store.contract import Store
from csijournal.wire.handles import Handle

_WHAT = "where the handles of Kubernetes lead"
_NOUNS = {LocationType.POOL: "pool", LocationType.FILESYSTEM: "filesystem"}
NOTHING_MAPPED = ClusterMapping()


class HandleLocation:
    """What a handle means by its number, and by what it stands for after a failover.

    `cluster_id` is what Ceph-CSI calls the cluster, "" where nobody said: then
    a handle's is not compared.
    """

    def __init__(
        self,
        locations: Locations,
        mapping: ClusterMapping = NOTHING_MAPPED,
        cluster_id: str = "",
    ) -> None:
        self.kind = LocationType.FILESYSTEM if locations.is_filesystems else LocationType.POOL
        self._locations = locations
        self._mapping = mapping
        self._cluster_id = cluster_id
        self._here: dict[tuple[str, int], bool] = {}

    def leads_here(self, handle: Handle) -> bool:
        """Whether the handle, or one that it stands for, names this place."""
        return self.is_here(handle.cluster_id, handle.location_id)

    def is_here(self, cluster_id: str, location_id: int) -> bool:
        """The same for a handle's place alone: a look-up, since it is asked for each record."""
        place = (cluster_id, location_id)
        if place not in self._here:
            self._here[place] = any(
                self._locations.is_here(number) and self._cluster_id in {"", cluster}
                for cluster, number in self._mapping.places(cluster_id, location_id, self.kind)
            )
        return self._here[place]

    def others(self, handle: Handle) -> list[int]:
        """The numbers of other places that the handle may lead to."""
        found = self._mapping.location_ids(handle, self.kind)
        return [number for number in found if not self._locations.is_here(number)]

    def pool_of(self, number: int) -> int | None:
        """The pool that a number leads to; None where this cluster has none."""
        return self._locations.pool_of(number)

    def named(self, number: int) -> str:
        """A number in words."""
        return f"{_NOUNS[self.kind]} id {number}"

    def __str__(self) -> str:
        return " or ".join(map(self.named, sorted(self._locations.ids or ())))


def handle_location(
    store: Store,
    inventory: Inventory,
    mapping: ClusterMapping = NOTHING_MAPPED,
    cluster_id: str = "",
) -> HandleLocation | NotCompared | None:
    """What handles mean in the place of `store`, or why that is not known; None if nothing."""
    locations = Locations(store)
    if locations.ids is None:
        return None
    if inventory.name == "cephfs" and not locations.is_filesystems:
        return NotCompared(
            _WHAT,
            "a handle of CephFS has the id of a filesystem, and this user may not ask for those",
            "Looking that up needs the capability mon 'allow r'",
        )
    return HandleLocation(locations, mapping, cluster_id)
