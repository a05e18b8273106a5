"""Load from several processes on a real cluster, while each kind of fault happens to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import ThrowawayCluster
from soak import Outcome, Round, Scale

SEED = 20261122


FEW_KINDS = (
    "OSD killed, restarted",
    "OSD frozen past the timeout",
    "client killed, OSD frozen",
    "all clients killed",
    "client killed",
    "recover killed",
)
"""Those that the journals of volumes and snapshots meet: what a store does is the same for all."""


@pytest.mark.ceph
def test_nothing_acknowledged_is_lost_and_nothing_stays_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = Scale(threads=2, grace_seconds=5, calm_seconds_max=1)
    with ThrowawayCluster(tmp_path / "ceph") as cluster:
        load = Round(cluster, tmp_path / "logs", scale, seed=SEED, say=lambda _: None)
        outcome = load.run_faults(load.faults.kinds)
    with capsys.disabled():
        print(f"\n\n{outcome.table()}\n")  # noqa: T201 - every run shall tell
    assert outcome.violations == [], "\n\n".join(outcome.violations)
    assert outcome.faults.keys() >= load.faults.kinds.keys()
    # The faults were felt, and there was work between them.
    assert outcome.count("unknown") > 0
    assert outcome.count("killed") > 0
    assert outcome.count("acknowledged") > 1000
    assert min(outcome.facts.values()) > 10


@pytest.mark.ceph
def test_volumes_and_snapshots_lose_nothing_acknowledged_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = Scale(workers=2, threads=2, grace_seconds=5, calm_seconds_max=1)
    total = Outcome()
    with ThrowawayCluster(tmp_path / "ceph") as cluster:
        for journal in ("volumes", "snapshots"):
            folder = tmp_path / journal
            load = Round(cluster, folder, scale, seed=SEED, journal=journal, say=lambda _: None)
            total.add(load.run_faults(FEW_KINDS))
    with capsys.disabled():
        print(f"\n\n{total.table()}\n")  # noqa: T201 - every run shall tell
    assert total.violations == [], "\n\n".join(total.violations)
    assert total.faults.keys() >= set(FEW_KINDS)
    assert total.count("unknown") > 0
    assert total.count("killed") > 0
    kinds = ("reservations that stand", "reservations undone", "members added")
    assert min(total.facts[kind] for kind in kinds) > 10
