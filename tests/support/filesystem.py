"""The file system of the tests, and what Ceph-CSI makes in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from cluster import ClusterError, ThrowawayCluster
from csijournal.wire.backing_references import VERSION_ATTRIBUTE, object_name

if TYPE_CHECKING:
    from typing_extensions import Self

FILESYSTEM = "files"
METADATA_POOL = f"{FILESYSTEM}.meta"
NAMESPACE = "csi"
GROUP = "csi"

NORMAL, MASKED = b"\x01", b"\x02"

# libcephfs must not share a process with the tests: its exit would end theirs.
_TRUNCATE = """
import cephfs, os, sys
conf, path, size = sys.argv[1:]
files = cephfs.LibCephFS(conffile=conf, auth_id="admin")
files.mount()
opened = files.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
files.ftruncate(opened, int(size))
files.close(opened)
files.shutdown()
"""


def empty_group(cluster: ThrowawayCluster, group: str = GROUP) -> None:
    """Remove all subvolumes of the group, whatever state they are in, with their snapshots.

    And what a driver keeps of them in its namespace of the metadata pool.
    """
    driver = ("-p", METADATA_POOL, "-N", NAMESPACE)
    for name in cluster.rados(*driver, "ls").splitlines():
        cluster.rados(*driver, "rm", name)

    def names(*words: str) -> list[str]:
        try:
            return [one["name"] for one in json.loads(cluster.run(*words, "--group_name", group))]
        except ClusterError:  # the group was never made, or the subvolume went with its snapshot
            return []

    def remove(*words: str) -> None:
        with suppress(ClusterError):  # what is gone already, or not in a state for this
            cluster.run(*words, "--group_name", group)

    for subvolume in names("fs", "subvolume", "ls", FILESYSTEM):
        remove("fs", "clone", "cancel", FILESYSTEM, subvolume)
        for snapshot in names("fs", "subvolume", "snapshot", "ls", FILESYSTEM, subvolume):
            remove("fs", "subvolume", "snapshot", "rm", FILESYSTEM, subvolume, snapshot, "--force")
        remove("fs", "subvolume", "rm", FILESYSTEM, subvolume, "--force")


class Subvolumes:
    """The operator's commands for subvolumes, in one group of the tests' file system."""

    def __init__(self, cluster: ThrowawayCluster, group: str = GROUP) -> None:
        self._cluster = cluster
        self._group = group

    def run(self, command: str, *args: str) -> str:
        """`ceph fs subvolume COMMAND` with the file system and the group where they belong."""
        words = command.split()
        group = ["--group_name", self._group] if self._group else []
        return self._cluster.run("fs", "subvolume", *words, FILESYSTEM, *args, *group)

    def create(self, name: str, *, size_bytes: int | None = None) -> None:
        self.run("create", name, *[] if size_bytes is None else ["--size", str(size_bytes)])

    def remove(self, name: str, *, retaining: bool = False) -> None:
        self.run("rm", name, *["--retain-snapshots"] * retaining)

    def snapshot(self, subvolume: str, name: str) -> None:
        self.run("snapshot create", subvolume, name)

    def clone(self, subvolume: str, snapshot: str, name: str) -> None:
        self.run("snapshot clone", subvolume, snapshot, name, "--target_group_name", self._group)

    def cancel_clone(self, name: str) -> None:
        self._cluster.run("fs", "clone", "cancel", FILESYSTEM, name, "--group_name", self._group)

    def fill(self, name: str, size_bytes: int) -> None:
        """Put a file into the subvolume which takes a while to copy, and no room here."""
        path = self.run("getpath", name).strip()
        subprocess.run(
            [
                *(sys.executable, "-c", _TRUNCATE),
                *(str(self._cluster.conf), f"{path}/file", str(size_bytes)),
            ],
            env=self._cluster.environment(),
            check=True,
        )


class References:
    """Writes objects of references as the driver does: each change is one operation."""

    def __init__(self, cluster: ThrowawayCluster, namespace: str = NAMESPACE) -> None:
        import rados  # noqa: PLC0415 - only where there is Ceph

        self._rados = rados
        self._cluster = rados.Rados(conffile=str(cluster.conf), name="client.admin")
        self._cluster.connect()
        self._ioctx = self._cluster.open_ioctx(METADATA_POOL)
        self._ioctx.set_namespace(namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ioctx.close()
        self._cluster.shutdown()

    def write(
        self, handle: str, count: int, puts: Mapping[str, bytes], *, removed: Sequence[str] = ()
    ) -> None:
        with self._rados.WriteOpCtx() as operation:
            operation.write_full(count.to_bytes(4, "big"))
            operation.set_xattr(VERSION_ATTRIBUTE, (1).to_bytes(4, "big"))
            self._ioctx.set_omap(operation, tuple(puts), tuple(puts.values()))
            self._ioctx.remove_omap_keys(operation, tuple(removed))
            self._ioctx.operate_write_op(operation, object_name(handle))
