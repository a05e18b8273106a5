"""Objects as `kubectl get … -o json` prints them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

RBD_DRIVER = "rook-ceph.rbd.csi.ceph.com"
CEPHFS_DRIVER = "rook-ceph.cephfs.csi.ceph.com"


def volume(handle: str, name: str = "pvc-1", driver: str = RBD_DRIVER, **attributes: str) -> Fields:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "annotations": {"pv.kubernetes.io/provisioned-by": driver},
            "creationTimestamp": "2024-10-24T07:59:01Z",
            "finalizers": ["kubernetes.io/pv-protection"],
            "name": name,
            "resourceVersion": "7117",
            "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": f"claim-of-{name}",
                "namespace": "apps",
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            },
            "csi": {
                "driver": driver,
                "fsType": "ext4",
                "nodeStageSecretRef": {"name": "rook-csi-rbd-node", "namespace": "rook-ceph"},
                "volumeAttributes": {
                    "clusterID": "rook-ceph",
                    "journalPool": "replicapool",
                    "pool": "replicapool",
                    **attributes,
                },
                "volumeHandle": handle,
            },
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "rook-ceph-block",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound"},
    }


def content(kind: str, spec: Fields, status: Fields | None = None, name: str = "content") -> Fields:
    """An object of the snapshot controllers' kinds."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name))},
        "spec": spec,
        **({"status": status} if status is not None else {}),
    }


def kubectl_list(items: Iterable[Fields]) -> Fields:
    return {
        "apiVersion": "v1",
        "items": list(items),
        "kind": "List",
        "metadata": {"resourceVersion": "", "selfLink": ""},
    }


def raw(*documents: Fields) -> bytes:
    return "\n".join(json.dumps(document, indent=4) for document in documents).encode()


def big_list(path: Path, objects: int) -> int:
    """Write a List of volumes with the managedFields of a busy cluster; its size in bytes."""
    with path.open("w") as file:
        file.write('{"apiVersion": "v1", "kind": "List", "items": [\n')
        for number, item in enumerate(_big_items(objects)):
            file.write((",\n" if number else "") + json.dumps(item, indent=4))
        file.write("]}")
    return path.stat().st_size


def _big_items(objects: int) -> Iterator[Fields]:
    for number in range(objects):
        object_uuid = str(uuid.UUID(int=number + 2**100, version=4))
        item = volume(
            f"0001-0009-rook-ceph-0000000000000002-{object_uuid}",
            f"pvc-{number:06d}",
            imageName=f"csi-vol-{object_uuid}",
            imageFeatures="layering",
            imageFormat="2",
        )
        item["metadata"]["managedFields"] = [
            {
                "apiVersion": "v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:csi": {f"f:{part}": {}}}},
                "manager": manager,
                "operation": "Update",
                "time": "2024-10-24T07:59:01Z",
            }
            for manager in ("csi-provisioner", "kube-controller-manager")
            for part in ("driver", "volumeHandle")
        ]
        yield item
