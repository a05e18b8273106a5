from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from cli.conftest import CLI, OTHER_UUID, UUID
from csijournal.cli import rados_options
from csijournal.cli.rados_options import open_rados
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.urls import rados_location
from csijournal.wire.handles import Handle

if TYPE_CHECKING:
    from cluster import ThrowawayCluster

HANDLE = Handle("b", 7, UUID)
CONFIG = """[
    {"clusterID": "a", "monitors": ["10.0.0.1"]},
    {"clusterID": "b", "monitors": ["10.0.0.2", "10.0.0.3"], "rbd": {"radosNamespace": "ns"}}
]"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[RADOSLocation]:
    """The locations of stores that were to be opened, instead of opening them."""
    locations: list[RADOSLocation] = []
    monkeypatch.setattr(rados_options, "open_location", locations.append)
    return locations


def test_the_options_reach_the_store(opened: list[RADOSLocation]) -> None:
    given = {"pool": "rbd", "namespace": "n", "conf": "c", "id": "admin", "keyfile": "key"}
    open_rados(given, None, 3.0, print)

    assert opened == [
        RADOSLocation(
            "rbd",
            namespace="n",
            conf="c",
            name="client.admin",
            keyfile="key",
            timeout_seconds=3.0,
        )
    ]


def test_the_options_say_what_the_url_says(opened: list[RADOSLocation]) -> None:
    given = {"pool": "rbd", "namespace": "n", "mon": "m1,m2", "id": "x", "keyring": "k"}
    open_rados(given, None, 30.0, print)

    assert rados_location(urlsplit("rados://rbd/n?mon=m1,m2&id=x&keyring=k")) == opened[0]


def test_a_handle_names_the_cluster_of_a_configuration_and_no_pool_beside_the_one_given(
    opened: list[RADOSLocation],
) -> None:
    open_rados({"csi_config": "config.json", "pool": "p"}, HANDLE, 30.0, print)
    open_rados({"csi_config": "config.json", "pool": "p", "cluster_id": "a"}, HANDLE, 30.0, print)

    assert opened == [
        RADOSLocation("p", csi_config="config.json", cluster_id=cluster_id)
        for cluster_id in ("b", "a")
    ]


def test_a_handle_of_another_cluster_than_the_one_named_is_refused(cli: CLI) -> None:
    (cli.folder / "config.json").write_text(CONFIG)
    named = ["--csi-config", "config.json", "--cluster-id", "a"]

    said = cli.refused("show", str(HANDLE), *named, code=2)
    assert "handle is of the cluster b, and --cluster-id is a" in said
    unknown = str(Handle("c", 7, UUID))
    assert "It has: a, b" in cli.refused("show", unknown, "--csi-config", "config.json", code=16)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--id admin", 2, "Which pool? Give -p/--pool"),
        ("-p rbd --id admin -n client.admin", 2, "has both id and name"),
        ("-p rbd --keyfile missing", 16, "there is no key file missing"),
        ("-p rbd --cluster-id a", 2, "needs csi-config and cluster-id together"),
        ("-p rbd --csi-config missing --cluster-id a", 16, "no Ceph-CSI configuration missing"),
        ("-p rbd --csi-config key --cluster-id a", 17, "key"),
        ("-p rbd --csi-config config.json", 2, "needs csi-config and cluster-id together"),
        ("-p rbd --csi-config config.json --cluster-id c", 16, "hint: It has: a, b"),
        ("-p rbd --timeout 1e300", 2, "'1e+300' is not a timeout of 0 to 1,000,000 seconds"),
        ("--store sqlite:x.db --timeout 1e300", 2, "'1e+300' is not a timeout of 0 to 1,000,000"),
        ("--store rados://rbd?timeout=1e300", 2, "the timeout '1e300', which is not 0 to 1,000"),
        ("-p rbd --keyfile /dev/zero", 17, "the key file /dev/zero is larger than 4 MiB"),
        ("-p rbd -m m --driver nfs", 2, "unknown driver, 'nfs': rbd or cephfs"),
    ],
)
def test_options_that_do_not_say_where_the_journal_is_are_refused(
    cli: CLI, options: str, code: int, said: str
) -> None:
    (cli.folder / "config.json").write_text(CONFIG)
    (cli.folder / "key").write_text("AQ==")

    assert said in cli.refused("list", *options.split(), code=code)


@pytest.mark.ceph
def test_every_command_works_on_a_real_cluster(cli: CLI, ceph: ThrowawayCluster) -> None:
    where = ["-c", str(ceph.conf), "-N", "cli"]
    pool = [*where, "-p", "csijournal-tests"]

    made = cli("reserve", "snap-1", *pool, "-o", "json").json
    cli("add", "snap-1", "vol=s", *pool)
    pools = json.loads(ceph.run("osd", "lspools", "-f", "json"))
    pool_id = {pool["poolname"]: pool["poolnum"] for pool in pools}["csijournal-tests"]
    handle = str(Handle("any", pool_id, made["group_uuid"]))

    shown = cli("show", handle, *where, "-o", "json").json
    assert shown.items() >= (made | {"volume_map": {"vol": "s"}}).items()
    elsewhere = str(Handle("any", pool_id, OTHER_UUID))
    place = f"Looked in rados://csijournal-tests/cli (pool id {pool_id}), instance default"
    assert place in cli.refused("show", elsewhere, *pool, code=3)
    assert cli("list", "-lo", "json", *pool).json["state"] == "ok"
    assert cli("ensure", "snap-1", *pool, "-o", "json").json["created"] is False
    cli("remove", handle, "vol", *where)
    cli("undo", "snap-1", *pool)
    cli.refused("check", "snap-1", *pool, code=3)
    assert "missing" in cli.refused("check", "snap-1", *where, "-p", "missing", code=16)
