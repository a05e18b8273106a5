"""The manifests are what Kubernetes takes, and do no more than they should."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import kubernetes_validate
import pytest

from csijournal.inventory.kubernetes_objects import ObjectKind
from deploy.conftest import ROOT
from deploy.manifests import (
    KUBERNETES,
    KUSTOMIZATIONS,
    NIGHTLY,
    NOW,
    Resource,
    built,
    files,
    of_kind,
    only,
    pod_of,
    resources_in,
    script,
)

CUSTOM = {"CephClient"}
"""Kinds of which Kubernetes has no schema; the capabilities in it are tried on a cluster below."""

OLDEST = "1.25"
"""The oldest Kubernetes whose schemas the library has; the newest is whatever it has."""

RUNS = [NIGHTLY, NOW]


def validate(resource: Resource) -> None:
    for version in (OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(resource, version, strict=True)


# What Kubernetes takes


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_each_file_is_what_the_schemas_of_kubernetes_allow(path: Path) -> None:
    resources = resources_in(path.read_text())
    assert resources
    for resource in resources:
        if resource["kind"] not in CUSTOM:
            validate(resource)


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_what_kustomize_builds_is_too(kustomization: str) -> None:
    resources = built(kustomization)
    assert resources
    for resource in resources:
        if resource["kind"] not in CUSTOM:
            validate(resource)


def test_the_schemas_would_find_a_mistake() -> None:
    job = only(NOW)
    pod_of(job)["containers"][0]["comand"] = ["verify"]
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(job)


# Overlays


def test_the_example_checks_an_rbd_pool_and_a_filesystem_with_settings_of_their_own() -> None:
    resources = built("example")
    settings = {one["metadata"]["name"]: one["data"] for one in of_kind(resources, "ConfigMap")}
    checked = {}
    for job in of_kind(resources, "CronJob"):
        (source,) = pod_of(job)["containers"][0]["envFrom"]
        used = settings[source["configMapRef"]["name"]]
        checked[job["metadata"]["name"]] = (used["DRIVER"], used["POOL"], job["spec"]["schedule"])
    assert checked == {
        "csijournal-rbd": ("rbd", "replicapool", "17 3 * * *"),
        "csijournal-cephfs": ("cephfs", "myfs-metadata", "47 3 * * *"),
    }
    (client,) = of_kind(resources, "CephClient")
    for _driver, pool, _schedule in checked.values():
        assert f"pool={pool}" in client["spec"]["caps"]["osd"]


def test_no_image_is_left_without_a_registry() -> None:
    for kustomization in ("now", "example"):
        resources = built(kustomization)
        for job in of_kind(resources, "CronJob") + of_kind(resources, "Job"):
            for container in pod_of(job)["initContainers"] + pod_of(job)["containers"]:
                assert "/" in container["image"]
                assert ":" in container["image"]


def overlay(folder: Path, text: str) -> list[Resource]:
    """What a user's own overlay builds, beside a copy of the manifests."""
    shutil.copytree(KUBERNETES, folder / "kubernetes")
    own = folder / "kubernetes" / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(text)
    return built(own)


def test_another_namespace_is_that_of_everything(tmp_path: Path) -> None:
    resources = overlay(tmp_path, "namespace: storage\nresources: [../example]\n")
    (binding,) = of_kind(resources, "ClusterRoleBinding")
    assert binding["subjects"][0]["namespace"] == "storage"
    namespaced = [one for one in resources if not one["kind"].startswith("ClusterRole")]
    assert {one["metadata"]["namespace"] for one in namespaced} == {"storage"}


def test_an_older_rook_has_its_configuration_under_another_name(tmp_path: Path) -> None:
    resources = overlay(
        tmp_path,
        "resources: [../nightly]\ncomponents: [../components/rook-before-1.18]\n",
    )
    (job,) = of_kind(resources, "CronJob")
    (volume,) = (one for one in pod_of(job)["volumes"] if one["name"] == "ceph-csi-config")
    assert volume["configMap"] == {
        "name": "rook-ceph-csi-config",
        "items": [{"key": "csi-cluster-config-json", "path": "config.json"}],
    }
    validate(job)


# No more than they should


def test_the_run_at_once_is_the_nightly_one_but_for_what_it_says() -> None:
    nightly, now = (pod_of(only(path)) for path in RUNS)
    said = [pod["containers"][0].pop("args") for pod in (nightly, now)]
    assert nightly == now
    assert [one for one in said[0] if one not in said[1]] == [
        "--require=full,$(DRIVER),kubernetes",
        "--quiet",
    ]
    assert set(said[1]) < set(said[0])


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_nothing_runs_as_root_or_can_become_it(path: Path) -> None:
    pod = pod_of(only(path))
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["initContainers"] + pod["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_key_is_in_a_file_and_in_no_argument_or_variable(path: Path) -> None:
    pod = pod_of(only(path))
    (key,) = (volume for volume in pod["volumes"] if "secret" in volume)
    assert key["secret"]["defaultMode"] == 0o440
    for container in pod["initContainers"] + pod["containers"]:
        assert "secretKeyRef" not in json.dumps(container)
        assert "secretRef" not in json.dumps(container)
    mounts = [mount["name"] for mount in pod["initContainers"][0]["volumeMounts"]]
    assert key["name"] not in mounts
    assert "--keyfile=/etc/csijournal/key" in pod["containers"][0]["args"]


def test_the_service_account_may_list_what_names_handles_and_nothing_else() -> None:
    account = resources_in((KUBERNETES / "common" / "service-account.yaml").read_text())
    (role,) = of_kind(account, "ClusterRole")
    allowed = {
        ".".join(filter(None, (resource, group)))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    asked = set(re.findall(r"\b\w+contents\.[\w.]+", script()))
    assert allowed == {"persistentvolumes"} | asked
    assert len(allowed) == len(ObjectKind)


def test_the_user_of_the_image_is_that_of_the_pod() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    security = pod_of(only(NIGHTLY))["securityContext"]
    assert user == (str(security["runAsUser"]), str(security["runAsGroup"]))
