"""Reading Ceph-CSI's config.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from csijournal.errors import PlaceNotFound, PlaceUnusable
from csijournal.store.rados.csi_config import CephCluster, find_cluster, read_clusters


def written(folder: Path, content: object) -> Path:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_monitors_namespaces_and_the_subvolume_group_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            {
                "clusterID": "a",
                "monitors": ["10.0.0.1:6789", "10.0.0.2"],
                "rbd": {"radosNamespace": "tenant", "mirrorDaemonCount": 1},
                "cephFS": {"subvolumeGroup": "tenants", "radosNamespace": "files", "new": [1]},
                "readAffinity": {"enabled": True},
            },
            {"clusterID": "b", "monitors": ["10.0.0.3"]},
        ],
    )
    assert find_cluster(path, "a") == CephCluster(
        "a", ("10.0.0.1:6789", "10.0.0.2"), "tenant", "files", "tenants"
    )
    assert find_cluster(path, "b") == CephCluster("b", ("10.0.0.3",), "", "csi", "csi")
    assert find_cluster(path, "a").namespace("cephfs") == "files"
    assert find_cluster(path, "b").namespace("rbd") == ""


def test_an_empty_namespace_is_the_usual_one(tmp_path: Path) -> None:
    entry = {"clusterID": "a", "rbd": {"radosNamespace": ""}, "cephFS": None}
    cluster = read_clusters(written(tmp_path, [entry]))["a"]
    assert (cluster.rbd_namespace, cluster.cephfs_namespace) == ("", "csi")


def test_an_unknown_cluster_id_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, [{"clusterID": "b"}, {"clusterID": "a"}])
    with pytest.raises(PlaceNotFound, match=r"'c'.*It has: a, b"):
        find_cluster(path, "c")
    with pytest.raises(PlaceNotFound, match="none at all"):
        find_cluster(written(tmp_path, []), "c")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlaceNotFound, match=r"no Ceph-CSI configuration .*nowhere\.json"):
        read_clusters(tmp_path / "nowhere.json")
    with pytest.raises(PlaceUnusable, match="directory"):
        read_clusters(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        # A trailing comma is told at another place since Python 3.13; this is not.
        ('[\n  {"clusterID": "a"\n  ]\n]', "not JSON: .* in line 3, column 3"),
        ("", "not JSON: .* in line 1, column 1"),
        ("[" * 100_000, "not JSON"),
        ({}, "the whole is not a list"),
        (["a"], "entry 1 is not an object"),
        ([{"monitors": []}], "clusterID of entry 1 is not a text"),
        ([{"clusterID": 7}], "clusterID of entry 1 is not a text"),
        ([{"clusterID": ""}], "clusterID of entry 1 is empty"),
        ([{"clusterID": "a", "monitors": "m"}], "monitors of cluster id 'a' is not a list"),
        ([{"clusterID": "a", "monitors": [1]}], "a monitor of cluster id 'a' is not a text"),
        ([{"clusterID": "a", "rbd": []}, {"clusterID": "a"}], "'a' twice"),
        ([{"clusterID": "a", "rbd": "x"}], "rbd of cluster id 'a' is not an object"),
        (
            [{"clusterID": "a", "cephFS": {"radosNamespace": 1}}],
            r"cephFS\.radosNamespace of cluster id 'a' is not a text",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, content: object, says: str) -> None:
    with pytest.raises(PlaceUnusable, match=says):
        read_clusters(written(tmp_path, content))


def test_what_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'[{"clusterID": "\xff"}]')
    with pytest.raises(PlaceUnusable, match="UTF-8"):
        read_clusters(path)
