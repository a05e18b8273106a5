"""A cluster whose OSDs count as full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cluster import ThrowawayCluster
from csijournal.errors import StoreFull
from csijournal.store import Store, Write

_RATIOS = {"nearfull": "0.85", "backfillfull": "0.9", "full": "0.95"}
_PATIENCE_SECONDS = 30


@contextmanager
def full_cluster(cluster: ThrowawayCluster, store: Store) -> Iterator[None]:
    """Nothing new is taken during the block, as `store` sees it."""
    for name in _RATIOS:
        cluster.run("osd", f"set-{name}-ratio", "0.000001")
    try:
        _await(store, full=True)
        yield
    finally:
        for name, ratio in reversed(_RATIOS.items()):
            cluster.run("osd", f"set-{name}-ratio", ratio)
        _await(store, full=False)


def _await(store: Store, *, full: bool) -> None:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while _is_full(store) is not full:
        assert time.monotonic() < give_up_at
        time.sleep(0.2)


def _is_full(store: Store) -> bool:
    name = f"new-{time.time_ns()}"
    try:
        store.write(Write(name, puts={"k": b"1"}))
        store.write(Write(name, remove_object=True))
    except StoreFull:
        return True
    return False
