"""What crashes of the driver left in a pool, made again with real images: what a check says of it.

The recordings are those of Ceph-CSI's own controller, ended before each of its
changes, and then asked once more for the same.
"""

from __future__ import annotations

import itertools

import pytest
import rbd

from cluster import ThrowawayCluster
from support.compared_rbd import check_rbd
from support.rbd_driver import RBDPlace
from support.rbd_pool import RBDPool
from support.rbd_states import State, rebuild, recorded_crashes

pytestmark = pytest.mark.ceph

POOL = "rbd-crashes"

_numbers = itertools.count(1)

_LEFT_ON_SOURCE = {"snapshot-left"}
"""Nothing but the image of the source tells of it, so that a check must look into all images."""

FOUND: dict[str, tuple[set[str], set[str]]] = {
    # Between the writes of a reservation.  Nothing ever removes the empty record, and a name whose
    # entry points at one is stuck; only that of a snapshot is freed when it is asked for again.
    **{
        f"{flow} before step {step}{when}": ({kind}, set[str]())
        for flow, kinds in {
            "create": ("empty-record", "unpopulated-record"),
            "clone": ("empty-record", "unpopulated-record"),
            "snapshot": ("empty-record", "unpopulated-record"),
            "group-create": ("empty-object", "unpopulated-group"),
        }.items()
        for step, kind in enumerate(kinds, 2)
        for when in ("", ", retried")
        if (flow, step, when) != ("snapshot", 3, ", retried")
    },
    # A new volume: the record is there and no image; then the image and not its id.
    "create before step 4": ({"image-missing"}, set()),
    "create before step 5": ({"missing-attribute"}, set()),
    # A clone: first the same; then a snapshot of the source, and the intermediate image.
    "clone before step 4": ({"image-missing"}, set()),
    "clone before step 5": ({"image-missing"}, _LEFT_ON_SOURCE),
    "clone before step 5, retried": (set(), _LEFT_ON_SOURCE),
    "clone before step 5, again, retry 1": (set(), _LEFT_ON_SOURCE),
    "clone before step 5, again, retry 4": (set(), _LEFT_ON_SOURCE),
    "clone before step 6": ({"image-missing", "temp-image-left", "snapshot-left"}, set()),
    "clone before step 6, retried": ({"missing-attribute"}, _LEFT_ON_SOURCE),
    "clone before step 6, again, retry 1": ({"missing-attribute"}, _LEFT_ON_SOURCE),
    "clone before step 6, again, retry 4": (set(), _LEFT_ON_SOURCE),
    **{
        f"clone before step {step}{when}": kinds
        for step in range(7, 12)
        for when, kinds in {
            "": ({"image-missing", "temp-image-left"}, set[str]()),
            ", retried": ({"missing-attribute"}, set[str]()),
        }.items()
    },
    "clone before step 7, again, retry 1": ({"missing-attribute"}, set()),
    # From here on every retry fails, and all stays as it is.
    **{
        f"clone before step 12{when}": (
            {"image-missing", "temp-image-left", "snapshot-left"},
            set[str](),
        )
        for when in ("", ", retried", ", again, retry 1", ", again, retry 4")
    },
    "clone before step 13": ({"missing-attribute", "snapshot-left"}, set()),
    "clone before step 13, retried": (set(), _LEFT_ON_SOURCE),
    "clone before step 14": ({"missing-attribute"}, set()),
    # A snapshot: its record tells of which image it is, so that a look there costs little.
    "snapshot before step 4": ({"image-missing"}, set()),
    "snapshot before step 5": ({"image-missing", "snapshot-left"}, set()),
    "snapshot before step 6": ({"missing-attribute", "snapshot-left"}, set()),
    "snapshot before step 6, retried": ({"missing-attribute", "snapshot-left"}, set()),
    "snapshot before step 6, again, retry 1": ({"missing-attribute", "snapshot-left"}, set()),
    "snapshot before step 6, again, retry 4": (set(), _LEFT_ON_SOURCE),
    "snapshot before step 7": ({"missing-attribute"}, set()),
    "snapshot before step 7, retried": ({"missing-attribute"}, set()),
    "snapshot before step 7, again, retry 1": ({"missing-attribute"}, set()),
    "snapshot before step 8": ({"missing-attribute"}, set()),
    # A deletion: the image goes first, and the retry ends it.
    "delete-volume before step 2": ({"image-missing"}, set()),
    "delete-volume before step 3": ({"image-missing"}, set()),
    # Without its record nobody knows any more under which name the entry is to be removed.
    "delete-volume before step 4": ({"dangling-entry"}, set()),
    "delete-volume before step 4, retried": ({"dangling-entry"}, set()),
    # Groups: the journal's first, then RBD's, then the images of both.
    "group-create before step 4": ({"rbd-group-missing"}, set()),
    "group-create before step 6": ({"rbd-group-differs"}, set()),
    "group-delete before step 2": ({"rbd-group-missing"}, set()),
    # The driver never removes the entry of a group, though nothing goes wrong.
    **{
        f"group-delete {until}": ({"dangling-entry"}, set[str]())
        for until in (
            "to its end",
            "to its end, retried",
            "before step 1, retried",
            "before step 2, retried",
            "before step 3",
            "before step 3, retried",
        )
    },
}
"""What a check finds from the records; and besides, where it may look into all images."""

STATES = dict(recorded_crashes())


@pytest.fixture(scope="module")
def crashes(ceph: ThrowawayCluster) -> RBDPool:
    ceph.create_pool(POOL)
    ceph.run("osd", "pool", "application", "enable", POOL, "rbd")
    return RBDPool(ceph, POOL)


@pytest.fixture
def pool(crashes: RBDPool) -> RBDPool:
    """A namespace of the test's own."""
    namespace = f"ns-{next(_numbers)}"
    with crashes.ioctx() as ioctx:
        rbd.RBD().namespace_create(ioctx, namespace)
    return RBDPool(crashes.cluster, POOL, namespace)


@pytest.mark.parametrize(("name", "state"), STATES.items(), ids=STATES)
def test_what_a_crash_left_is_found_and_nothing_else(
    pool: RBDPool, name: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool.ioctx() as ioctx:
        rebuild(RBDPlace(ioctx), state)
    from_records, besides = FOUND.get(name, (set(), set()))
    with pool.inventory() as inventory, pool.store() as store:
        findings, _ = check_rbd(store, inventory)
        assert sorted(it.kind.value for it in findings) == sorted(from_records | besides)
        monkeypatch.setattr("csijournal.check.rbd_snapshots.HEADERS_MAX", 0)
        inventory.refresh()
        findings, _ = check_rbd(store, inventory)
        assert sorted(it.kind.value for it in findings) == sorted(from_records)


def test_every_finding_that_is_expected_is_of_a_recorded_state() -> None:
    assert FOUND.keys() <= STATES.keys()
