"""The file system of the tests, and subvolumes in it as Ceph-CSI makes them."""

from __future__ import annotations

from cluster import ThrowawayCluster

FILESYSTEM = "files"
METADATA_POOL = f"{FILESYSTEM}.meta"
GROUP = "csi"


class Subvolumes:
    """The operator's commands for subvolumes, in one group of the tests' file system."""

    def __init__(self, cluster: ThrowawayCluster, group: str = GROUP) -> None:
        self._cluster = cluster
        self._group = group

    def run(self, command: str, *args: str) -> str:
        """`ceph fs subvolume COMMAND` with the file system and the group where they belong."""
        words = command.split()
        return self._cluster.run(
            "fs", "subvolume", *words, FILESYSTEM, *args, "--group_name", self._group
        )

    def create(self, name: str) -> None:
        self.run("create", name)

    def remove(self, name: str, *, retaining: bool = False) -> None:
        self.run("rm", name, *["--retain-snapshots"] * retaining)

    def snapshot(self, subvolume: str, name: str) -> None:
        self.run("snapshot create", subvolume, name)

    def clone(self, subvolume: str, snapshot: str, name: str) -> None:
        self.run("snapshot clone", subvolume, snapshot, name, "--target_group_name", self._group)
