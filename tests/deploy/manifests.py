"""The Kubernetes manifests of deploy/, as the files hold them and as kustomize builds them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from cli.conftest import UUID
from csijournal import Handle
from deploy.conftest import DEPLOY, run

KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATIONS = ["common", "nightly", "now", "example"]

Resource = dict[str, Any]


def resources_in(text: str) -> list[Resource]:
    return [resource for resource in yaml.safe_load_all(text) if resource]


def files() -> list[Path]:
    """Every file with resources, and not those that say how to put them together."""
    return [p for p in sorted(KUBERNETES.rglob("*.yaml")) if p.name != "kustomization.yaml"]


def built(kustomization: str | Path) -> list[Resource]:
    """What `kubectl apply -k` would send; skips where there is no kubectl."""
    return resources_in(run("kubectl", "kustomize", KUBERNETES / kustomization))


def of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def pod_of(resource: Resource) -> Any:  # noqa: ANN401 - JSON
    """The pod's specification in a Job or CronJob."""
    spec = resource["spec"]
    job = spec["jobTemplate"]["spec"] if resource["kind"] == "CronJob" else spec
    return job["template"]["spec"]


def filled(arguments: list[str], settings: dict[str, str]) -> list[str]:
    """Arguments as Kubernetes hands them on: each $(NAME) is the variable's value."""
    return [re.sub(r"\$\((\w+)\)", lambda found: settings[found[1]], one) for one in arguments]


NIGHTLY, NOW = KUBERNETES / "nightly" / "cronjob.yaml", KUBERNETES / "now" / "job.yaml"


def only(path: Path) -> Resource:
    (resource,) = resources_in(path.read_text())
    return resource


def script() -> str:
    """What the init container runs."""
    (container,) = pod_of(only(NIGHTLY))["initContainers"]
    assert container["command"] == ["sh", "-euc"]
    (text,) = container["args"]
    assert isinstance(text, str)
    return text


ANY_HANDLE = Handle("rook-ceph", 2, UUID)


def listed(kind: str, api: str, handle: Handle = ANY_HANDLE) -> str:
    """What kubectl prints for one object of a kind."""
    name, driver = f"one-{kind.lower()}", "rook-ceph.rbd.csi.ceph.com"
    specs: dict[str, dict[str, object]] = {
        "PersistentVolume": {"csi": {"driver": driver, "volumeHandle": str(handle)}},
        "VolumeSnapshotContent": {
            "driver": driver,
            "source": {"snapshotHandle": str(handle)},
            "deletionPolicy": "Delete",
        },
    }
    found = {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": specs[kind]}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [found]}, indent=4)
