"""The pool that a handle leads to, on a cluster where its number means two things."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from csijournal.store import Write
from csijournal.store.rados.pool import RADOSStore
from csijournal.wire.filesystems import Filesystem, parse_fs_dump
from csijournal.wire.handles import Handle
from csijournal.wire.schema import GROUPS

pytestmark = pytest.mark.ceph
FILESYSTEM = "handlefs"


@dataclass
class Numbers:
    """The number of a filesystem that is some pool's too, and one that is a pool's alone."""

    both: int
    pool_of_that_id: str
    pool_alone: int


@pytest.fixture(scope="module")
def numbers(ceph: ThrowawayCluster) -> Iterator[Numbers]:
    ceph.create_pool("handle-meta")
    ceph.create_pool("handle-data")
    ceph.run("fs", "new", FILESYSTEM, "handle-meta", "handle-data")
    dump = json.loads(ceph.run("fs", "dump", "-f", "json"))
    ids = {found.name: found.filesystem_id for found in parse_fs_dump(dump)}
    pools = {
        pool["poolnum"]: pool["poolname"]
        for pool in json.loads(ceph.run("osd", "lspools", "-f", "json"))
    }
    alone = next(number for number, name in pools.items() if name == "handle-data")
    yield Numbers(ids[FILESYSTEM], pools[ids[FILESYSTEM]], alone)
    ceph.run("fs", "fail", FILESYSTEM)
    ceph.run("fs", "rm", FILESYSTEM, "--yes-i-really-mean-it")


def group_in(ceph: ThrowawayCluster, pool: str, namespace: str, group_uuid: str) -> None:
    with RADOSStore(pool, namespace, conf=ceph.conf) as store:
        store.write(Write("csi.groups.default", puts={"csi.volume.group.n": group_uuid.encode()}))
        puts = {"csi.volname": b"n", "csi.groupname": f"csi-vol-group-{group_uuid}".encode()}
        store.write(Write(GROUPS.record_object(group_uuid), puts=puts))


def test_a_number_that_means_two_things_leads_to_the_pool_with_the_uuid(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    conf = ["-c", str(ceph.conf)]
    in_rbd, in_cephfs, nowhere = (str(uuid.uuid4()) for _ in range(3))
    group_in(ceph, numbers.pool_of_that_id, "", in_rbd)
    group_in(ceph, "handle-meta", "csi", in_cephfs)

    def handle(group_uuid: str) -> str:
        return str(Handle("some", numbers.both, group_uuid))

    found = cli("show", handle(in_rbd), *conf)
    assert f"looked in pool {numbers.pool_of_that_id} (id {numbers.both})" in found.err
    assert "also means pool handle-meta (id" in found.err
    found = cli("show", handle(in_cephfs), *conf)
    assert f"the metadata pool of filesystem {FILESYSTEM} (id {numbers.both})" in found.err
    assert "namespace csi" in found.err
    assert "cluster id is some (not verified" in found.err
    missed = cli("show", handle(nowhere), *conf, code=3).err
    assert "looked in pool" in missed
    assert "--cluster-mapping says what it stands for here, or give -p" in missed
    cli("show", handle(in_cephfs), *conf, "--driver", "cephfs")
    cli("show", handle(in_cephfs), *conf, "--driver", "rbd", code=3)

    group_in(ceph, "handle-meta", "csi", in_rbd)
    assert "--driver rbd, or --driver cephfs" in cli.refused("show", handle(in_rbd), *conf, code=17)
    cli("show", handle(in_rbd), *conf, "--driver", "rbd")


def test_a_number_that_means_nothing_here_is_told_with_the_cluster_of_the_handle(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    conf = ["-c", str(ceph.conf)]
    handle = str(Handle("far-away", 4711, str(uuid.uuid4())))
    said = cli.refused("show", handle, *conf, code=16)
    assert "no pool and no filesystem with the id 4711" in said
    assert "cluster id is far-away" in said
    assert f"pool handle-data (id {numbers.pool_alone})" in said
    assert f"filesystem {FILESYSTEM} (id {numbers.both}, metadata pool handle-meta)" in said
    largest = str(Handle("far-away", 2**64 - 1, str(uuid.uuid4())))
    assert f"with the id {2**64 - 1}" in cli.refused("show", largest, *conf, code=16)
    pool_s = str(Handle("c", numbers.pool_alone, str(uuid.uuid4())))
    assert "no filesystem" in cli.refused("show", pool_s, *conf, "--driver", "cephfs", code=16)


def test_who_may_not_ask_for_filesystems_is_led_by_the_pool_s_id_or_told(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    keyring = ceph.create_user(
        "handle-rbd", mon="profile rbd-read-only", osd="profile rbd-read-only"
    )
    login = ["-c", str(ceph.conf), "-n", "client.handle-rbd", "-k", str(keyring)]
    group_uuid = str(uuid.uuid4())
    group_in(ceph, numbers.pool_of_that_id, "", group_uuid)
    handle = str(Handle("c", numbers.both, group_uuid))

    cli("show", handle, *login)
    said = cli.refused("show", handle, *login, "--driver", "cephfs", code=15)
    assert "mon 'allow r'; or name the metadata pool with -p" in said


def test_the_cluster_s_own_fsid_verifies_a_handle(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    fsid = ceph.run("fsid").strip()
    group_uuid = str(uuid.uuid4())
    group_in(ceph, "handle-data", "", group_uuid)
    handle = str(Handle(fsid, numbers.pool_alone, group_uuid))
    found = cli("show", handle, "-c", str(ceph.conf))
    assert f"cluster id is {fsid}, this cluster's fsid" in found.err
    found = cli("show", handle, "-c", str(ceph.conf), "-o", "json")
    assert found.json["looked_in"] == {
        "driver": "rbd",
        "pool": "handle-data",
        "pool_id": numbers.pool_alone,
        "namespace": "",
        "filesystem": None,
        "cluster_id": fsid,
        "cluster_id_verified": True,
        "fsid": fsid,
        "handle": handle,
    }


def test_the_key_that_leads_to_the_pool_of_a_handle_may_come_through_a_pipe(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    group_uuid = str(uuid.uuid4())
    group_in(ceph, "handle-data", "", group_uuid)
    handle = str(Handle("c", numbers.pool_alone, group_uuid))
    login = ["-c", str(ceph.conf), "--keyfile", "/dev/stdin"]
    cli("show", handle, *login, stdin=ceph.admin_key())


def test_a_handle_is_followed_to_the_cluster_that_a_configuration_names(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    fields = {"clusterID": "near", "monitors": ceph.monitors, "cephFS": {"radosNamespace": "fs"}}
    (cli.folder / "config.json").write_text(json.dumps([fields]))
    group_uuid = str(uuid.uuid4())
    group_in(ceph, "handle-meta", "fs", group_uuid)
    login = ["--csi-config", "config.json", "--keyring", str(ceph.keyring)]
    found = cli("show", str(Handle("near", numbers.both, group_uuid)), *login)
    assert "looked in pool handle-meta" in found.err
    assert "namespace fs" in found.err
    assert "the handle's cluster id is near, as in config.json" in found.err
    other = str(Handle("far", numbers.both, group_uuid))
    assert "has no cluster id 'far'" in cli.refused("show", other, *login, code=16)


def test_after_a_failover_a_handle_leads_to_what_the_mapping_says_in_both_directions(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    conf = ["-c", str(ceph.conf)]
    mapping = {
        "clusterIDMapping": {"here": "there"},
        "RBDPoolIDMapping": [{str(numbers.pool_alone): "4711"}],
        "CephFSFscIDMapping": [{str(numbers.both): "4712"}],
    }
    (cli.folder / "cluster-mapping.json").write_text(json.dumps([mapping]))
    turned = {
        "clusterIDMapping": {"there": "here"},
        "RBDPoolIDMapping": [{"4711": str(numbers.pool_alone)}],
        "CephFSFscIDMapping": [{"4712": str(numbers.both)}],
    }
    (cli.folder / "turned.json").write_text(json.dumps([turned]))
    in_rbd, in_cephfs = str(uuid.uuid4()), str(uuid.uuid4())
    group_in(ceph, "handle-data", "", in_rbd)
    group_in(ceph, "handle-meta", "csi", in_cephfs)
    of_rbd, of_cephfs = Handle("there", 4711, in_rbd), Handle("there", 4712, in_cephfs)

    said = cli.refused("show", str(of_rbd), *conf, code=16)
    assert "--cluster-mapping says what it stands for" in said
    for file in ("cluster-mapping.json", "turned.json"):
        found = cli("show", str(of_rbd), *conf, "--cluster-mapping", file)
        assert "looked in pool handle-data" in found.err
        assert f"it stands for {of_rbd.moved_to('here', numbers.pool_alone)}" in found.err
        found = cli("show", str(of_cephfs), *conf, "--cluster-mapping", file, "-o", "json")
        assert found.json["looked_in"]["pool"] == "handle-meta"
        assert found.json["looked_in"]["handle"] == str(of_cephfs.moved_to("here", numbers.both))
        assert found.json["group_uuid"] == in_cephfs


def test_a_mapped_handle_is_looked_up_in_the_cluster_that_the_configuration_has(
    cli: CLI, ceph: ThrowawayCluster, numbers: Numbers
) -> None:
    (cli.folder / "config.json").write_text(
        json.dumps([{"clusterID": "here", "monitors": ceph.monitors}])
    )
    mapping = {
        "clusterIDMapping": {"there": "here"},
        "RBDPoolIDMapping": [{"4711": str(numbers.pool_alone)}],
    }
    (cli.folder / "map.json").write_text(json.dumps([mapping]))
    group_uuid = str(uuid.uuid4())
    group_in(ceph, "handle-data", "", group_uuid)
    handle = str(Handle("there", 4711, group_uuid))
    login = ["--csi-config", "config.json", "--keyring", str(ceph.keyring)]

    cli.refused("show", handle, *login, code=16)
    found = cli("show", handle, *login, "--cluster-mapping", "map.json")
    assert "the handle's cluster id is here, as in config.json" in found.err
    cli("show", handle, *login, "--cluster-mapping", "map.json", "-p", "handle-data")
    named = ["--cluster-id", "elsewhere", "--cluster-mapping", "map.json"]
    assert "--cluster-id is elsewhere" in cli.refused("show", handle, *login, *named)
    cli.refused("show", handle, *login, "--cluster-mapping", "missing.json", code=2)


def test_something_else_is_no_fs_dump() -> None:
    assert parse_fs_dump({"filesystems": []}) == []
    one = {"id": 2, "mdsmap": {"fs_name": "f", "metadata_pool": 3}}
    assert parse_fs_dump({"filesystems": [one]}) == [Filesystem(2, "f", 3)]
    for odd in ({}, {"filesystems": [1]}, {"filesystems": [{"id": 1}]}, {"filesystems": None}):
        with pytest.raises(ValueError, match="not an fs dump"):
            parse_fs_dump(odd)
