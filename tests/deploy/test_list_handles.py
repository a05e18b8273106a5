"""The list of what names handles, as the init container makes it with kubectl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.inventory.kubernetes_objects import ObjectKind
from deploy.manifests import listed, script


def run_script(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-euc", script()],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]

SNAPSHOTS = "snapshot.storage.k8s.io"
TYPES = ["persistentvolumes", f"volumesnapshotcontents.{SNAPSHOTS}", "pods"]


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    """Runs the script against a kubectl of a server that knows `types`, in `tmp_path`/run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir()
    for kind, api, type_ in (
        ("PersistentVolume", "v1", TYPES[0]),
        ("VolumeSnapshotContent", f"{SNAPSHOTS}/v1", TYPES[1]),
    ):
        (tmp_path / type_).write_text(listed(kind, api))
    program = tmp_path / "bin" / "kubectl"
    program.write_text(
        f"""#!/bin/sh
case "$1" in
    get)
        cat "{tmp_path}/$2" 2>&1 && exit
        echo "error: the server doesn't have a resource type \\"$2\\"" >&2
        exit 1 ;;
    api-resources)
        cat "{tmp_path}/types"
        exit "$(cat "{tmp_path}/code")" ;;
esac
"""
    )
    program.chmod(0o700)

    def run(types: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
        (tmp_path / "types").write_text("".join(f"{one}\n" for one in types))
        (tmp_path / "code").write_text(str(code))
        return run_script(tmp_path / "run", {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})

    return run


def kinds_in(folder: Path) -> set[ObjectKind]:
    lists = KubernetesLists.read([folder / "run" / "kubernetes.json"])
    return {kind for source in lists.sources for kind in source.counts}


def test_the_types_that_the_server_knows_are_listed(kubectl: Kubectl, tmp_path: Path) -> None:
    done = kubectl(TYPES)
    assert (done.returncode, done.stderr) == (0, "")
    assert kinds_in(tmp_path) == {ObjectKind.VOLUME, ObjectKind.SNAPSHOT}


def test_a_server_without_snapshots_is_asked_for_volumes_alone(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    assert kubectl(["persistentvolumes"]).returncode == 0
    assert kinds_in(tmp_path) == {ObjectKind.VOLUME}


def test_an_api_that_is_down_hides_only_its_own_types(kubectl: Kubectl, tmp_path: Path) -> None:
    assert kubectl(TYPES, code=1).returncode == 0
    assert kinds_in(tmp_path) == {ObjectKind.VOLUME, ObjectKind.SNAPSHOT}


def test_a_list_that_breaks_off_ends_the_job(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / TYPES[1]).unlink()
    done = kubectl(TYPES)
    assert done.returncode == 1
    assert "volumesnapshotcontents" in done.stderr


# The real kubectl, and a server that answers as Kubernetes does

SERVED: dict[str, object] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": "persistentvolumes", "namespaced": False, "kind": "PersistentVolume"}
            | {"singularName": "persistentvolume", "verbs": ["list"]}
        ],
    },
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {"name": name, "versions": [version], "preferredVersion": version}
            for name, version in (
                (SNAPSHOTS, {"groupVersion": f"{SNAPSHOTS}/v1", "version": "v1"}),
                # Served by a pod of its own, which is down.
                ("metrics.k8s.io", {"groupVersion": "metrics.k8s.io/v1", "version": "v1"}),
            )
        ],
    },
    f"/apis/{SNAPSHOTS}/v1": {
        "kind": "APIResourceList",
        "groupVersion": f"{SNAPSHOTS}/v1",
        "resources": [
            {"name": "volumesnapshotcontents", "namespaced": False, "verbs": ["list"]}
            | {"singularName": "volumesnapshotcontent", "kind": "VolumeSnapshotContent"}
        ],
    },
    "/api/v1/persistentvolumes": {
        "kind": "PersistentVolumeList",
        "apiVersion": "v1",
        "metadata": {},
        "items": [json.loads(listed("PersistentVolume", "v1"))["items"][0]],
    },
    f"/apis/{SNAPSHOTS}/v1/volumesnapshotcontents": {
        "kind": "VolumeSnapshotContentList",
        "apiVersion": f"{SNAPSHOTS}/v1",
        "metadata": {},
        "items": [json.loads(listed("VolumeSnapshotContent", f"{SNAPSHOTS}/v1"))["items"][0]],
    },
}


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = SERVED.get(path)
        code = 200 if found else 503 if "metrics" in path else 404
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        body = json.dumps(found or status).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the test tells what went wrong."""


def test_the_real_kubectl_lists_what_a_server_with_an_api_that_is_down_has(tmp_path: Path) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not on this machine")
    (tmp_path / "run").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster = {"server": f"http://127.0.0.1:{server.server_port}"}
        (tmp_path / "config").write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
                    "current-context": "c",
                }
            )
        )
        done = run_script(
            tmp_path / "run", {"KUBECONFIG": f"{tmp_path}/config", "HOME": f"{tmp_path}/run"}
        )
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "metrics.k8s.io" in done.stderr
    assert kinds_in(tmp_path) == {ObjectKind.VOLUME, ObjectKind.SNAPSHOT}
