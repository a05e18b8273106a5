"""Faults of a cluster with several OSDs: another OSD takes over while clients write.

Each fault hits the OSD that is the primary of the journal's directory, through which every
reservation goes, and lasts until clients write again through another one.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cluster import ThrowawayCluster

KILLED = "primary killed, another serves"
FROZEN = "primary frozen, another serves"


@dataclass(frozen=True)
class TakeOver:
    """An OSD that stopped serving, and how long the directory took no write."""

    fault: str
    osd: int
    successor: int
    seconds: float


class Failover:
    """The faults of one journal, in the first pool of a cluster and in one namespace.

    `kinds` has them by name, as `soak.Faults` does.
    """

    def __init__(self, cluster: ThrowawayCluster, namespace: str, directory: str) -> None:
        self._cluster = cluster
        self._directory = directory
        self._namespace = namespace
        self.take_overs: list[TakeOver] = []
        self.kinds: dict[str, Callable[[], None]] = {
            KILLED: self._primary_killed,
            FROZEN: self._primary_frozen,
        }

    def _primary_killed(self) -> None:
        osd = self._primary()
        with self._taking_over(KILLED, osd):
            self._cluster.kill_osd(osd)
        self._cluster.start_osd(osd)
        self._cluster.await_osds()

    def _primary_frozen(self) -> None:
        osd = self._primary()
        try:
            with self._taking_over(FROZEN, osd):
                self._cluster.pause_osd(osd)
        finally:
            self._cluster.resume_osd(osd)
        self._cluster.await_osds()

    @contextlib.contextmanager
    def _taking_over(self, fault: str, osd: int) -> Iterator[None]:
        """After the block, wait until the directory takes writes again."""
        yield
        began_at = time.monotonic()
        self._await_write()
        seconds = time.monotonic() - began_at
        self.take_overs.append(TakeOver(fault, osd, self._primary(), seconds))

    def _await_write(self) -> None:
        """Return when the directory took a write, which changes nothing but its time."""
        self._cluster.rados(
            *("--pool", self._cluster.pools[0], "--namespace", self._namespace),
            *("touch", self._directory),
        )

    def _primary(self) -> int:
        found = self._cluster.run(
            *("osd", "map", self._cluster.pools[0], self._directory, self._namespace),
            *("--format", "json"),
        )
        return int(json.loads(found)["acting_primary"])
