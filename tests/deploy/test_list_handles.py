"""The list of what names handles, as the init container makes it with kubectl."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.inventory.kubernetes_objects import ObjectKind
from deploy.manifests import listed, script

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]

TYPES = ["persistentvolumes", "volumesnapshotcontents.snapshot.storage.k8s.io", "pods"]


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    """Runs the script against a kubectl of a server that knows `types`, in `tmp_path`/run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir()
    for kind, api, type_ in (
        ("PersistentVolume", "v1", TYPES[0]),
        ("VolumeSnapshotContent", "snapshot.storage.k8s.io/v1", TYPES[1]),
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

    def run_script(types: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
        (tmp_path / "types").write_text("".join(f"{one}\n" for one in types))
        (tmp_path / "code").write_text(str(code))
        return subprocess.run(
            ["sh", "-euc", script()],
            cwd=tmp_path / "run",
            env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_script


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
