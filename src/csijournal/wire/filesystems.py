"""Ceph's filesystems, as the monitors' `fs dump` tells of them.

    {"filesystems": [{"id": 1, "mdsmap": {"fs_name": "myfs", "metadata_pool": 3, …}}, …]}

The number in a CephFS handle is such an id (Ceph-CSI, internal/cephfs/store:
fsID goes where RBD has the pool id), and the journal lies in the metadata pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Filesystem:
    """A filesystem and the pool of its metadata."""

    filesystem_id: int
    name: str
    metadata_pool_id: int


def parse_fs_dump(dump: Mapping[str, Any]) -> list[Filesystem]:
    """The filesystems of a dump.  Raises ValueError for something else."""
    try:
        return [
            Filesystem(
                int(found["id"]),
                str(found["mdsmap"]["fs_name"]),
                int(found["mdsmap"]["metadata_pool"]),
            )
            for found in dump["filesystems"]
        ]
    except (LookupError, TypeError) as error:
        raise ValueError(f"this is not an fs dump: {error!r}") from error
