"""Makes and deletes volumes, snapshots and groups as Ceph-CSI's CephFS driver does.

Each change is one of the driver's, in its order (Ceph-CSI, internal/cephfs), by
librados and the manager's commands and without csijournal.  A call can stop
before any of its steps, as if the driver had died there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from cluster import ThrowawayCluster
from support.filesystem import FILESYSTEM, MASKED, METADATA_POOL, NAMESPACE, NORMAL, References

CLUSTER_ID = "ceph"
DRIVERS_NAMESPACE = NAMESPACE
"""Where the NFS driver puts its attribute, whatever the cluster's namespace."""

PATIENCE_SECONDS = 60

Step = tuple[str, Callable[[], object]]


@dataclass(frozen=True)
class Made:
    """A volume or a snapshot; `source` is the subvolume that a snapshot is of."""

    uuid: str
    name: str
    request: str
    source: str = ""
    backing: str = ""

    @property
    def handle(self) -> str:
        return f"0001-{len(CLUSTER_ID):04x}-{CLUSTER_ID}-{1:016x}-{self.uuid}"


@dataclass(frozen=True)
class _Journal:
    directory: str
    entry: str
    record: str
    name_key: str
    prefix: str


_VOLUMES = _Journal("csi.volumes.default", "csi.volume.", "csi.volume.", "csi.volname", "csi-vol-")
_SNAPSHOTS = _Journal("csi.snaps.default", "csi.snap.", "csi.snap.", "csi.snapname", "csi-snap-")
_GROUPS = _Journal(
    *("csi.groups.default", "csi.volume.group.", "csi.volume.group."),
    *("csi.volname", "csi-vol-group-"),
)


@dataclass
class CephFSDriver:
    """A driver of the tests' file system, in a RADOS namespace and a subvolume group."""

    cluster: ThrowawayCluster
    namespace: str = NAMESPACE
    group: str = "csi"
    prefix: str = _VOLUMES.prefix
    _rados: Any = field(init=False)
    _handle: Any = field(init=False)
    _ioctx: Any = field(init=False)

    def __post_init__(self) -> None:
        import rados  # noqa: PLC0415 - only where there is Ceph

        self._rados = rados
        self._handle = rados.Rados(conffile=str(self.cluster.conf), name="client.admin")
        self._handle.connect()
        self._ioctx = self._handle.open_ioctx(METADATA_POOL)
        self._ioctx.set_namespace(self.namespace)
        self.ask("fs subvolumegroup create", group_name=self.group)

    def close(self) -> None:
        self._ioctx.close()
        self._handle.shutdown()

    # Volumes

    def create_volume(
        self, request: str, *, stop_before: str = "", size_bytes: int = 2**30
    ) -> Made:
        made = self._new(request, self.prefix)
        self._run(
            [
                *self._reserve(_VOLUMES, made),
                ("subvolume", lambda: self.make_subvolume(made.name, size_bytes)),
            ],
            stop_before,
        )
        return made

    def create_nfs_volume(self, request: str) -> Made:
        made = self.create_volume(request)
        self._put(f"csi.volume.{made.uuid}", {"csi.nfs.cluster": "nfs-1"}, DRIVERS_NAMESPACE)
        return made

    def create_shallow_volume(self, request: str, snapshot: Made, *, stop_before: str = "") -> Made:
        """Before `reference` the record says that it is backed, and the object does not know."""
        made = self._new(request, self.prefix, backing=snapshot.handle)
        self._run(
            [
                *self._reserve(_VOLUMES, made),
                ("reference", lambda: self.add_reference(made)),
            ],
            stop_before,
        )
        return made

    def restore(self, request: str, snapshot: Made, *, stop_before: str = "") -> Made:
        """A volume from a snapshot; stopped before `complete`, its clone is pending."""
        made = self._new(request, self.prefix)
        self._run(
            [
                *self._reserve(_VOLUMES, made),
                ("clone", lambda: self._clone(snapshot.source, snapshot.name, made)),
                ("complete", lambda: self.await_clone(made)),
            ],
            stop_before,
        )
        return made

    def clone(self, request: str, volume: Made, *, stop_before: str = "") -> Made:
        """A volume from a volume, by a snapshot of it that has the new volume's name."""
        made = self._new(request, self.prefix)
        self._run(
            [
                *self._reserve(_VOLUMES, made),
                ("snapshot", lambda: self.make_snapshot(volume.name, made.name)),
                ("clone", lambda: self._clone(volume.name, made.name, made)),
                ("complete", lambda: self.await_clone(made)),
                ("cleanup", lambda: self.remove_snapshot(volume.name, made.name)),
            ],
            stop_before,
        )
        return made

    def delete_volume(self, volume: Made, *, stop_before: str = "") -> None:
        remove = self._remove_reference if volume.backing else self._remove_subvolume
        steps: list[Step] = [("subvolume", lambda: remove(volume))]
        self._run([*steps, *self._undo(_VOLUMES, volume)], stop_before)

    # Snapshots

    def create_snapshot(self, request: str, volume: Made, *, stop_before: str = "") -> Made:
        made = self._new(request, _SNAPSHOTS.prefix, source=volume.name)
        self._run(
            [
                *self._reserve(_SNAPSHOTS, made),
                ("snapshot", lambda: self.make_snapshot(volume.name, made.name)),
            ],
            stop_before,
        )
        return made

    def delete_snapshot(self, snapshot: Made, *, stop_before: str = "") -> None:
        """Of one that shallow volumes read, only the reference is masked."""
        if self._is_used(snapshot):
            after = {**self._references_of(snapshot.handle), snapshot.handle: MASKED}
            self._write_references(snapshot.handle, after)
            return
        steps: list[Step] = [
            ("snapshot", lambda: self.remove_snapshot(snapshot.source, snapshot.name))
        ]
        self._run([*steps, *self._undo(_SNAPSHOTS, snapshot)], stop_before)

    def create_group_snapshot(self, request: str, volumes: Sequence[Made]) -> Made:
        group = self._new(request, _GROUPS.prefix)
        self._run(self._reserve(_GROUPS, group), "")
        for volume in volumes:
            member = self.create_snapshot(f"{group.name}-{volume.handle}", volume)
            self._put(_GROUPS.record + group.uuid, {volume.handle: member.handle})
        return group

    # Single changes, for states that no driver makes

    def ask(self, prefix: str, **words: str) -> str:
        """One of the manager's commands on the tests' file system."""
        command = {"prefix": prefix, "vol_name": FILESYSTEM, **words}
        number, answer, text = self._handle.mgr_command(json.dumps(command), b"")
        assert number == 0, (command, number, text)
        return str(answer.decode())

    def make_subvolume(self, name: str, size_bytes: int = 2**30) -> None:
        self._of_subvolume("fs subvolume create", name, size=size_bytes)

    def make_snapshot(self, subvolume: str, name: str) -> None:
        self._of_subvolume("fs subvolume snapshot create", subvolume, snap_name=name)

    def add_reference(self, volume: Made) -> None:
        first_use = {volume.backing: NORMAL}
        after = {**first_use, **self._references_of(volume.backing), volume.name: NORMAL}
        self._write_references(volume.backing, after)

    def remove_subvolume(self, name: str, *, retaining: bool = False) -> None:
        words = {"retain_snapshots": True} if retaining else {}
        self._of_subvolume("fs subvolume rm", name, **words)

    def remove_snapshot(self, subvolume: str, name: str) -> None:
        self._of_subvolume("fs subvolume snapshot rm", subvolume, snap_name=name)

    def note_claim(self, volume: Made, claim: str) -> None:
        """What --setmetadata writes."""
        for key, value in (("pvc/name", claim), ("pvc/namespace", "apps"), ("pv/name", "pvc-1")):
            words = {"key_name": f"csi.storage.k8s.io/{key}", "value": value}
            self._of_subvolume("fs subvolume metadata set", volume.name, **words)

    def forget_record(self, made: Made) -> Callable[[], None]:
        """Remove a record and its entry; what that returns puts them back."""
        journal = _SNAPSHOTS if made.source else _VOLUMES
        self._run(self._undo(journal, made), "")
        return lambda: self._run(self._reserve(journal, made), "")

    def forget_entry(self, volume: Made) -> None:
        self._delete(_VOLUMES.directory, _VOLUMES.entry + volume.request)

    def write_references(self, snapshot: Made, count: int, puts: Mapping[str, bytes]) -> None:
        with References(self.cluster, self.namespace) as references:
            references.write(snapshot.handle, count, puts)

    @contextmanager
    def slow_clones(self, *, seconds: int) -> Iterator[None]:
        """Have the manager wait before each clone that it begins."""
        option = ("config", "set", "mgr", "mgr/volumes/snapshot_clone_delay")
        self.cluster.run(*option, str(seconds))
        try:
            yield
        finally:
            self.cluster.run(*option, "0")

    def await_clone(self, volume: Made) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        words = {"clone_name": volume.name, "group_name": self.group, "format": "json"}
        while json.loads(self.ask("fs clone status", **words))["status"]["state"] != "complete":
            assert time.monotonic() < give_up_at
            time.sleep(0.05)

    # Steps

    def _run(self, steps: Sequence[Step], stop_before: str) -> None:
        assert not stop_before or stop_before in {name for name, _ in steps}
        for name, step in steps:
            if name == stop_before:
                return
            step()

    def _new(self, request: str, prefix: str, **more: str) -> Made:
        uuid = str(uuid4())
        return Made(uuid, prefix + uuid, request, **more)

    def _reserve(self, journal: _Journal, made: Made) -> list[Step]:
        record = journal.record + made.uuid
        image_key = "csi.groupname" if journal is _GROUPS else "csi.imagename"
        optional = {
            "csi.source": made.source,
            "csi.volume.backingsnapshotid": made.backing,
            "csi.creationtime": "2024-12-03T15:25:56.182692524Z" if journal is _GROUPS else "",
            **({"": "apps"} if journal is _SNAPSHOTS else {}),
            **({"csi.volume.owner": "apps"} if journal is _VOLUMES else {}),
        }
        attributes = {journal.name_key: made.request, image_key: made.name}
        attributes.update({key: value for key, value in optional.items() if value})
        return [
            ("record", lambda: self._put(record, {})),
            (
                "entry",
                lambda: self._put(journal.directory, {journal.entry + made.request: made.uuid}),
            ),
            ("attributes", lambda: self._put(record, attributes)),
        ]

    def _undo(self, journal: _Journal, made: Made) -> list[Step]:
        return [
            ("record", lambda: self._ioctx.remove_object(journal.record + made.uuid)),
            ("entry", lambda: self._delete(journal.directory, journal.entry + made.request)),
        ]

    def _put(self, name: str, texts: Mapping[str, str], namespace: str | None = None) -> None:
        with self._rados.WriteOpCtx() as operation:
            operation.new(self._rados.LIBRADOS_CREATE_IDEMPOTENT)
            values = tuple(text.encode() for text in texts.values())
            self._ioctx.set_omap(operation, tuple(texts), values)
            self._ioctx.set_namespace(self.namespace if namespace is None else namespace)
            self._ioctx.operate_write_op(operation, name, mtime=int(time.time()))
            self._ioctx.set_namespace(self.namespace)

    def _delete(self, name: str, key: str) -> None:
        with self._rados.WriteOpCtx() as operation:
            self._ioctx.remove_omap_keys(operation, (key,))
            self._ioctx.operate_write_op(operation, name)

    def _of_subvolume(self, prefix: str, subvolume: str, **words: Any) -> str:  # noqa: ANN401
        return self.ask(prefix, sub_name=subvolume, group_name=self.group, **words)

    def _clone(self, subvolume: str, snapshot: str, volume: Made) -> None:
        self._of_subvolume(
            "fs subvolume snapshot clone",
            subvolume,
            snap_name=snapshot,
            target_sub_name=volume.name,
            target_group_name=self.group,
        )

    def _remove_subvolume(self, volume: Made) -> None:
        listed = self._of_subvolume("fs subvolume snapshot ls", volume.name, format="json")
        self.remove_subvolume(volume.name, retaining=bool(json.loads(listed)))

    # References

    def _references_of(self, handle: str) -> dict[str, bytes]:
        with self._rados.ReadOpCtx() as operation:
            found, _ = self._ioctx.get_omap_vals(operation, "", "", 100)
            try:
                self._ioctx.operate_read_op(operation, f"rt-backingsnapshot-{handle}")
            except self._rados.ObjectNotFound:
                return {}
            return dict(found)

    def _is_used(self, snapshot: Made) -> bool:
        return len(self._references_of(snapshot.handle)) > 1

    def _remove_reference(self, volume: Made) -> None:
        after = self._references_of(volume.backing)
        after.pop(volume.name)
        self._write_references(volume.backing, after, removed=[volume.name])

    def _write_references(
        self, handle: str, after: Mapping[str, bytes], removed: Sequence[str] = ()
    ) -> None:
        count = sum(value == NORMAL for value in after.values())
        if not count:
            self._ioctx.remove_object(f"rt-backingsnapshot-{handle}")
            return
        with References(self.cluster, self.namespace) as references:
            references.write(handle, count, after, removed=removed)
