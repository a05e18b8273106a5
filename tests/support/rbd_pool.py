"""A pool and namespace with RBD images, made by the `rbd` tool that operators use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster import ThrowawayCluster
from csijournal.inventory.rbd import RBDInventory
from csijournal.store.rados.errors import ErrorContext
from csijournal.store.rados.pool import RADOSStore


@dataclass(frozen=True)
class RBDPool:
    cluster: ThrowawayCluster
    pool: str
    namespace: str = ""

    def spec(self, name: str) -> str:
        """How the `rbd` tool calls an image, a group or a snapshot of this place."""
        return "/".join(filter(None, (self.pool, self.namespace, name)))

    def rbd(self, *words: str) -> str:
        """Run `rbd`; a word that starts with `@` is a name in this place."""
        named = [self.spec(word[1:]) if word.startswith("@") else word for word in words]
        environment = os.environ | self.cluster.environment()
        done = subprocess.run(
            ["rbd", *named], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (named, done.stderr)
        return done.stdout

    def create(self, name: str, size: str = "8M") -> None:
        self.rbd("create", "--size", size, "--image-feature", "layering", f"@{name}")

    def clone(self, source: str, name: str) -> None:
        """As Ceph-CSI does: from a snapshot `name`, which is then removed into the trash."""
        self.rbd("snap", "create", "--no-progress", f"@{source}@{name}")
        self.rbd(
            *("clone", "--rbd-default-clone-format", "2", "--image-feature"),
            *("layering,deep-flatten", f"@{source}@{name}", f"@{name}"),
        )
        self.rbd("snap", "rm", "--no-progress", f"@{source}@{name}")

    @contextmanager
    def ioctx(self, user: str = "admin", timeout_seconds: float = 30.0) -> Iterator[Any]:
        import rados  # noqa: PLC0415 - only where there is Ceph

        conf = {
            "rados_osd_op_timeout": f"{timeout_seconds:g}",
            "rbd_default_clone_format": "2",  # Ceph-CSI's
        }
        with rados.Rados(
            conffile=str(self.cluster.conf), name=f"client.{user}", conf=conf
        ) as handle:
            ioctx = handle.open_ioctx(self.pool)
            ioctx.set_namespace(self.namespace)
            try:
                yield ioctx
            finally:
                ioctx.close()

    @contextmanager
    def store(self, user: str = "admin", timeout_seconds: float = 30.0) -> Iterator[RADOSStore]:
        with RADOSStore(
            self.pool,
            self.namespace,
            conf=str(self.cluster.conf),
            name=f"client.{user}",
            timeout_seconds=timeout_seconds,
        ) as store:
            yield store

    @contextmanager
    def inventory(
        self,
        user: str = "admin",
        timeout_seconds: float = 30.0,
        applications: Collection[str] | None = None,
    ) -> Iterator[RBDInventory]:
        context = ErrorContext(f"client.{user}", self.pool, self.namespace, timeout_seconds)
        with self.ioctx(user, timeout_seconds) as ioctx, self.store(user, timeout_seconds) as store:
            yield RBDInventory(ioctx, store, context, applications=applications)
