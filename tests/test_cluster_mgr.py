"""tools/cluster_mgr.py: clusters with a manager, a file system, or several OSDs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cluster
from cluster import ClusterError, MissingPrograms, ThrowawayCluster
from cluster_mgr import MDS, MGR, Shape
from support.filesystem import FILESYSTEM

pytestmark = pytest.mark.ceph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cluster"


def command(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, cluster.__file__, *args], capture_output=True, text=True, check=False
    )


def primary_of(asked: ThrowawayCluster, name: str) -> int:
    found = asked.run("osd", "map", asked.pools[0], name, "--format", "json")
    return int(json.loads(found)["acting_primary"])


def put(to: ThrowawayCluster, name: str) -> None:
    to.rados("--pool", to.pools[0], "put", name, str(to.conf))


def test_a_file_system_takes_subvolumes_as_soon_as_the_cluster_has_started(
    cephfs: ThrowawayCluster,
) -> None:
    cephfs.run("fs", "subvolume", "create", FILESYSTEM, "made-at-once", "csi")
    listed = cephfs.run("fs", "subvolume", "ls", FILESYSTEM, "csi", "--format", "json")
    cephfs.run("fs", "subvolume", "rm", FILESYSTEM, "made-at-once", "csi")

    assert {"name": "made-at-once"} in json.loads(listed)
    assert cephfs.run("health").startswith("HEALTH_OK")


def test_the_command_starts_a_file_system_and_ends_its_daemons(folder: Path) -> None:
    started = command("start", "--dir", str(folder), "--cephfs", "files")
    try:
        assert started.returncode == 0, started.stderr
        assert command("status", "--dir", str(folder)).returncode == 0
        attached = ThrowawayCluster.attach(folder)
        assert attached.shape.filesystem == "files"
        assert [len(attached.pids(daemon)) for daemon in attached.daemons] == [1, 1, 1, 1]
    finally:
        stopped = command("stop", "--dir", str(folder))

    assert stopped.returncode == 0
    assert [attached.pids(daemon) for daemon in (MGR, MDS)] == [[], []]
    assert not folder.exists()


def test_a_manager_that_does_not_start_is_told_with_what_it_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "bin" / MGR
    failing.parent.mkdir()
    failing.write_text("#!/bin/sh\necho no module named volumes\nsleep 1\nexit 1\n")
    failing.chmod(0o700)
    monkeypatch.setenv("PATH", str(failing.parent), prepend=":")

    with pytest.raises(ClusterError, match=r"ceph-mgr ended by itself(.|\n)*no module named vol"):
        ThrowawayCluster(folder, shape=Shape(manager=True)).start()

    assert not folder.exists()


def test_a_manager_that_is_not_installed_is_named_with_its_packages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(MissingPrograms, match=r"ceph-mds.*Debian's ceph-mds") as caught:
        ThrowawayCluster(folder, shape=Shape(filesystem="files")).start()

    assert "ceph-mon ceph-osd ceph-common python3-rados ceph-mgr ceph-mgr-modules-core" in str(
        caught.value
    )


def test_with_three_osds_a_write_is_taken_after_its_primary_was_killed(folder: Path) -> None:
    with ThrowawayCluster(folder, shape=Shape(osds=3)) as started:
        pool = json.loads(started.run("osd", "pool", "get", "journal", "all", "--format", "json"))
        put(started, "name")
        first = primary_of(started, "name")

        started.kill_osd(first)
        began_at = time.monotonic()
        put(started, "name")
        seconds = time.monotonic() - began_at

        assert (pool["size"], pool["min_size"]) == (3, 2)
        assert primary_of(started, "name") != first
        assert seconds < 20  # the monitor waits that long for an OSD that only does not answer
        started.start_osd(first)
        started.await_osds()
