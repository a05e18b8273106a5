from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.conftest import CLI, UUID
from csijournal.cli import rados_options
from csijournal.cli.rados_options import open_rados
from csijournal.handle import Handle
from csijournal.store import rados

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

HANDLE = Handle("b", 7, UUID)
CONFIG = """[
    {"clusterID": "a", "monitors": ["10.0.0.1"]},
    {"clusterID": "b", "monitors": ["10.0.0.2", "10.0.0.3"], "rbd": {"radosNamespace": "ns"}}
]"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, object]]:
    """What stores are opened with, instead of opening them."""
    calls: list[dict[str, object]] = []

    def record(pool: str, namespace: str, **options: object) -> None:
        given = {name: value for name, value in options.items() if value is not None}
        calls.append({"pool": pool, "namespace": namespace, **given})

    monkeypatch.setattr(rados, "RADOSStore", record)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(CONFIG)
    (tmp_path / "key").write_text("AQ==\n")
    return calls


def test_the_options_reach_the_store(opened: list[dict[str, object]]) -> None:
    given = {
        "pool": "rbd",
        "namespace": "n",
        "conf": "c",
        "id": "admin",
        "keyring": "k",
        "mon": "m1,m2",
        "keyfile": "key",
    }
    open_rados(given, None, 3.0)

    assert opened == [
        {
            "pool": "rbd",
            "namespace": "n",
            "conf": "c",
            "name": "client.admin",
            "keyring": "k",
            "monitors": "m1,m2",
            "key": "AQ==",
            "timeout_seconds": 3.0,
        }
    ]


def test_a_handle_leads_to_its_pool_and_cluster_where_none_is_given(
    opened: list[dict[str, object]],
) -> None:
    open_rados({"csi_config": "config.json", "name": "client.x"}, HANDLE, 3.0)
    open_rados({"csi_config": "config.json", "pool": "p", "cluster_id": "a"}, HANDLE, 3.0)

    assert opened[0] == {
        "pool": "",
        "pool_id": 7,
        "namespace": "ns",
        "name": "client.x",
        "monitors": ("10.0.0.2", "10.0.0.3"),
        "timeout_seconds": 3.0,
    }
    assert opened[1] == {
        "pool": "p",
        "namespace": "",
        "monitors": ("10.0.0.1",),
        "timeout_seconds": 3.0,
    }


def test_the_only_cluster_of_the_file_needs_no_id() -> None:
    only = rados_options._parse('[{"clusterID": "a", "monitors": ["m"], "rbd": {}}]', "file")

    assert list(only.values()) == [rados_options.CSICluster(("m",))]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--id admin", "Which pool? Give -p/--pool"),
        ("-p rbd --id admin -n client.admin", "--id and --name both"),
        ("-p rbd --keyfile missing", "missing cannot be read: No such file"),
        ("-p rbd --cluster-id a", "give --csi-config too"),
        ("-p rbd --csi-config missing", "missing cannot be read: No such file"),
        ("-p rbd --csi-config key", "key is not Ceph-CSI's config.json"),
        ("-p rbd --csi-config config.json", "Give one of these as --cluster-id: a, b"),
        ("-p rbd --csi-config config.json --cluster-id c", "holds no cluster 'c'"),
    ],
)
def test_options_that_do_not_say_where_the_journal_is_are_exit_code_2(
    cli: CLI, options: str, said: str
) -> None:
    (cli.folder / "config.json").write_text(CONFIG)
    (cli.folder / "key").write_text("AQ==")

    assert said in cli.refused("list", *options.split())


@pytest.mark.ceph
def test_every_command_works_on_a_real_cluster(cli: CLI, ceph: ThrowawayCluster) -> None:
    where = ["-c", str(ceph.conf), "-N", "cli"]
    pool = [*where, "-p", "csijournal-tests"]

    made = cli("reserve", "snap-1", *pool, "-o", "json").json
    cli("add", "snap-1", "vol=s", *pool)
    pools = json.loads(ceph.run("osd", "lspools", "-f", "json"))
    pool_id = {pool["poolname"]: pool["poolnum"] for pool in pools}["csijournal-tests"]
    handle = str(Handle("any", pool_id, made["group_uuid"]))

    assert cli("show", handle, *where, "-o", "json").json == made | {"volume_map": {"vol": "s"}}
    assert cli("list", "-lo", "json", *pool).json["state"] == "ok"
    assert cli("ensure", "snap-1", *pool, "-o", "json").json["created"] is False
    cli("remove", handle, "vol", *where)
    cli("undo", "snap-1", *pool)
    cli.refused("check", "snap-1", *pool, code=3)
    assert "missing" in cli.refused("check", "snap-1", *where, "-p", "missing", code=16)
