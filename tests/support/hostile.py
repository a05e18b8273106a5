"""Content that no journal writes and a pool can hold all the same."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from cluster import ThrowawayCluster


def put_raw(
    ceph: ThrowawayCluster, pool: str, namespace: str, object_name: str, *keys: bytes
) -> None:
    """Set keys of any bytes, each to the value "raw", as a C++ client can."""
    environment = {"PATH": "/usr/bin:/bin", **ceph.environment()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "key"
        for key in keys:
            file.write_bytes(key)
            command = ["rados", "-p", pool, "-N", namespace, "setomapval", object_name, "raw"]
            subprocess.run([*command, "--omap-key-file", file], env=environment, check=True)
