"""Fixtures: a place on every kind of store, and the run's Ceph cluster."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from cluster import ThrowawayCluster
from cluster_mgr import Shape
from explorer import report
from support.filesystem import FILESYSTEM, empty_group
from support.places import (
    GroupCommitPlace,
    MemoryPlace,
    Place,
    RADOSPlace,
    SQLitePlace,
)
from support.recorded import (
    IMAGE_POOL,
    JOURNAL_POOL,
    MemoryPools,
    Pools,
    RADOSPools,
    SQLitePools,
)

POOL = "csijournal-tests"

# Who starts the tests in the background may have these ignored, and every process that a test
# starts and interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Imported here, and whole: its plugin imports more of it when a run ends, which fails where
# Control-C came in the middle of a test module's import of it.
_HYPOTHESIS = hypothesis.__version__
os.environ.setdefault("CSIJOURNAL_SETTLE", "0s")
"""Nobody else is at work in most tests; tests/test_settling.py is about those who are."""


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThrowawayCluster]:
    """The test run's own cluster; failing to start it fails the run."""
    with ThrowawayCluster(tmp_path_factory.mktemp("ceph") / "cluster") as cluster:
        cluster.create_pool(POOL, application="rbd")
        yield cluster


@pytest.fixture(scope="module")
def cephfs(cephfs_cluster: ThrowawayCluster) -> Iterator[ThrowawayCluster]:
    """The cluster with a file system, whose subvolumes do not outlive the tests of one file."""
    yield cephfs_cluster
    empty_group(cephfs_cluster)


@pytest.fixture(scope="session")
def cephfs_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThrowawayCluster]:
    """A second cluster, with a manager and a file system; only tests that ask for it wait for it.

    Its manager stays up: who kills it starts it again.
    """
    folder = tmp_path_factory.mktemp("cephfs") / "cluster"
    with ThrowawayCluster(folder, shape=Shape(filesystem=FILESYSTEM)) as cluster:
        yield cluster


@pytest.fixture(
    params=["memory", "sqlite", "group-commit", pytest.param("rados", marks=pytest.mark.ceph)]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place on each kind of store in turn."""
    if request.param == "memory":
        chosen: Place = MemoryPlace()
    elif request.param == "sqlite":
        chosen = SQLitePlace(tmp_path / "journal.db")
    elif request.param == "group-commit":
        chosen = GroupCommitPlace(tmp_path / "journal.db")
    else:
        chosen = RADOSPlace(request.getfixturevalue("ceph"), POOL)
    with contextlib.closing(chosen):
        yield chosen


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand on what was explored; after Control-C, let fixtures end without their judgement.

    pytest takes an error in a fixture's end at this point for one of its own,
    and prints INTERNALERROR.  It has no public way to run these ends earlier.
    """
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["explored"] = list(report.lines())
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        with contextlib.suppress(Exception):
            session._setupstate.teardown_exact(None)


_explored: list[str] = []
"""What the explorer covered in the worker processes of this run."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over what a worker process explored."""
    _explored.extend(getattr(node, "workeroutput", {}).get("explored", ()))


@pytest.fixture(scope="session")
def golden_pools(ceph: ThrowawayCluster) -> None:
    """The two pools of the recordings of volumes and snapshots."""
    for pool in (JOURNAL_POOL, IMAGE_POOL):
        ceph.create_pool(pool)


@pytest.fixture(params=["memory", "sqlite", pytest.param("rados", marks=pytest.mark.ceph)])
def pools(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pools]:
    """The two pools of those recordings, on each kind of store in turn."""
    if request.param == "memory":
        chosen: Pools = MemoryPools()
    elif request.param == "sqlite":
        chosen = SQLitePools(tmp_path)
    else:
        request.getfixturevalue("golden_pools")
        chosen = RADOSPools(request.getfixturevalue("ceph"), "recorded")
    with contextlib.closing(chosen):
        yield chosen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much the explorer covered in this run."""
    for line in (*_explored, *report.lines()):
        terminalreporter.write_line(f"explored: {line}")
