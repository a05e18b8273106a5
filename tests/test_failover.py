"""Clients write a journal with three copies while the OSD that serves them is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import ThrowawayCluster
from cluster_mgr import Shape
from soak import Round, Scale
from soak_failover import KILLED

SEED = 20261125


@pytest.mark.ceph
def test_nothing_acknowledged_is_lost_when_another_osd_takes_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    scale = Scale(workers=2, threads=2, grace_seconds=5, calm_seconds_max=1)
    with ThrowawayCluster(tmp_path / "ceph", shape=Shape(osds=3)) as cluster:
        load = Round(cluster, logs, scale, seed=SEED, say=lambda _: None)
        outcome = load.run_faults([KILLED])
    with capsys.disabled():
        print(f"\n\n{outcome.table()}\n")  # noqa: T201 - every run shall tell
    assert outcome.violations == [], "\n\n".join(outcome.violations)
    # The primary did move, and there was work before and after.
    (take_over,) = outcome.take_overs
    assert take_over.successor != take_over.osd
    assert outcome.count("acknowledged") > 200
