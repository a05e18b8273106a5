"""`verify` and `repair` in a filesystem's metadata pool, as an operator runs them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from support.cephfs_driver import CephFSDriver
from support.filesystem import FILESYSTEM, METADATA_POOL

pytestmark = pytest.mark.ceph

RUNBOOK = (Path(__file__).parent.parent.parent / "docs" / "runbook.md").read_text()


@pytest.fixture
def driver(cephfs: ThrowawayCluster, request: pytest.FixtureRequest) -> Iterator[CephFSDriver]:
    """A driver with a subvolume group of its own, in a namespace of this test's own."""
    made = CephFSDriver(cephfs, namespace=request.node.name, group=request.node.name)
    yield made
    made.close()


def place(driver: CephFSDriver) -> list[str]:
    return ["-c", str(driver.cluster.conf), "-p", METADATA_POOL, "-N", driver.namespace]


def config(driver: CephFSDriver, folder: Path) -> list[str]:
    """The same place by Ceph-CSI's config.json."""
    cluster = {
        "clusterID": "ceph",
        "monitors": driver.cluster.monitors,
        "cephFS": {"radosNamespace": driver.namespace, "subvolumeGroup": driver.group},
    }
    path = folder / "config.json"
    path.write_text(json.dumps([cluster]))
    named = ["--csi-config", str(path), "--cluster-id", "ceph", "--driver", "cephfs"]
    return ["-p", METADATA_POOL, *named, "--keyring", str(driver.cluster.keyring)]


def test_a_subvolume_that_nobody_knows_is_found_in_its_group(
    cli: CLI, driver: CephFSDriver, tmp_path: Path
) -> None:
    driver.create_snapshot("snapshot-1", driver.create_volume("pvc-1"))
    lost = driver.create_volume("pvc-2")
    driver.forget_record(lost)
    by_option = [*place(driver), "verify", "--subvolume-group", driver.group, "--fs", FILESYSTEM]

    for words in (by_option, [*config(driver, tmp_path), "verify"]):
        lines = cli(*words, "--grace", "0s", "-o", "json", code=1).lines
        finding, summary = json.loads(lines[0]), json.loads(lines[-1])["summary"]
        assert len(lines) == 2
        assert (finding["kind"], finding["uuid"]) == ("subvolume-without-record", lost.uuid)
        assert finding["thing"] == f"subvolume {lost.name}"
        assert finding["size_bytes"] == 2**30
        assert finding["automatic"] is False
        assert summary["compared"] == {"subvolume": 2}
    groups = {"CSIJOURNAL_JOURNAL": "groups"}
    assert "without" not in cli(*by_option, "--allow-empty", environment=groups).out
    said = " ".join(cli(*by_option, "--grace", "0s", code=1).out.split())
    assert f"found in group {driver.group} of filesystem {FILESYSTEM}, state complete" in said


def test_options_that_lead_nowhere_are_told_and_nothing_is_called_missing(
    cli: CLI, driver: CephFSDriver
) -> None:
    driver.create_volume("pvc-1")

    for option, problem in (
        (["--subvolume-group", "nowhere"], "subvolume group 'nowhere' does not exist"),
        (["--fs", "nowhere"], "'nowhere' not found"),
    ):
        said = " ".join(cli(*place(driver), "verify", "--grace", "0s", *option).out.split())
        assert problem in said


def test_printed_commands_and_repair_take_the_same_options(cli: CLI, driver: CephFSDriver) -> None:
    volume = driver.create_volume("pvc-1", stop_before="subvolume")
    driver.forget_entry(volume)
    options = ["--subvolume-group", driver.group, "--grace", "0s"]

    said = cli(*place(driver), "verify", *options, code=1).out
    assert "orphan-record" in said
    assert f"--subvolume-group {driver.group}" in said
    cli(*place(driver), "repair", *options, "--apply", code=0)
    assert "nothing is wrong" in cli(*place(driver), "verify", *options, "--allow-empty").out


def test_the_user_of_the_runbook_can_compare_all_of_it(cli: CLI, driver: CephFSDriver) -> None:
    commands = re.findall(
        r"^ceph (auth get-or-create .*verify-cephfs.*) -o ", RUNBOOK, re.MULTILINE
    )
    words = shlex.split(commands[0].replace("cephfs_metadata", METADATA_POOL))
    keyring = driver.cluster.folder / f"ceph.{words[2]}.keyring"
    driver.cluster.run(*words, "-o", str(keyring))
    snapshot = driver.create_snapshot("snapshot-1", driver.create_volume("pvc-1"))
    driver.create_shallow_volume("pvc-2", snapshot)

    user = ["--name", words[2], "--keyring", str(keyring)]
    group = ["--subvolume-group", driver.group]
    lines = cli(*place(driver), *user, "verify", "--full", *group, "-o", "json").lines
    (summary,) = (json.loads(line)["summary"] for line in lines)
    assert [what for what in summary["not_looked_at"] if "CephFS" in what] == []
    assert summary["errors"] == 0


def test_a_manager_that_hangs_is_waited_for_once_and_the_rest_is_checked(
    cli: CLI, driver: CephFSDriver
) -> None:
    driver.forget_entry(driver.create_volume("pvc-1"))
    driver.create_volume("pvc-2")

    driver.cluster.pause_manager()
    try:
        words = [*place(driver), "--timeout", "2", "verify", "--grace", "0s"]
        said = " ".join(cli(*words, code=1).out.split())
    finally:
        driver.cluster.resume_manager()

    assert "the manager did not answer within 2 s" in said
    assert "1 detached-record" in said


def test_a_capability_that_names_the_pool_where_the_filesystem_was_meant_is_explained(
    cli: CLI, driver: CephFSDriver
) -> None:
    driver.create_volume("pvc-1")
    for user, named in (("by-pool", METADATA_POOL), ("by-filesystem", FILESYSTEM)):
        caps = f"allow rw tag cephfs metadata={named}"
        driver.cluster.create_user(user, mon="allow r", osd=caps)

    for command in ("verify", "list"):
        said = cli.refused(*place(driver), "--id", "by-pool", command, code=15)
        assert f"client.by-pool may not read in pool {METADATA_POOL} (EPERM)" in said
        assert f"it is tagged cephfs metadata={FILESYSTEM}, which is what a capability" in said
    assert "pvc-1" in cli(*place(driver), "--id", "by-filesystem", "list").out
