"""One key that cannot be read stops no command from doing its work on all others."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path

import pytest

from cli.conftest import CLI, COMMAND
from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.compat import zip_strict
from support.hostile import put_raw

pytestmark = pytest.mark.ceph
NAMES = [f"snap-{number}" for number in range(5)]


class Pool:
    """A namespace with five reservations, and a command line that works in it."""

    def __init__(self, cli: CLI, ceph: ThrowawayCluster) -> None:
        self.cli, self.ceph = cli, ceph
        self.namespace = f"hostile-{uuid.uuid4()}"
        self.where = ["-c", str(ceph.conf), "-p", POOL, "-N", self.namespace]
        self.uuids = {
            name: str(cli("reserve", name, *self.where, "-o", "json").json["group_uuid"])
            for name in NAMES
        }

    def put(self, object_name: str, *keys: bytes) -> None:
        put_raw(self.ceph, POOL, self.namespace, object_name, *keys)

    def code(self, *arguments: str) -> int:
        """The exit code of a command that may find something."""
        done = subprocess.run(
            [*COMMAND, *arguments, *self.where],
            env=self.cli.environment,
            cwd=self.cli.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        return done.returncode

    def listed(self, *options: str) -> list[str]:
        lines = self.cli("list", *options, "-o", "json", *self.where).lines
        return [str(json.loads(line)["request_name"]) for line in lines]


@pytest.fixture
def pool(cli: CLI, ceph: ThrowawayCluster) -> Pool:
    return Pool(cli, ceph)


ODD_KEYS = [
    b"csi.volume.group.snap-2\xff",
    b"csi.volume.group.snap-9\0",
    b"csi.volume.group.snap-2\0x",
    b"zzz\xff",
    b"zzz\0",
    b"\x01\xff",
]


def test_odd_keys_in_the_directory_hide_no_reservation(pool: Pool, tmp_path: Path) -> None:
    pool.put("csi.groups.default", *ODD_KEYS)
    for options in ([], ["-l"]):
        assert pool.listed(*options) == NAMES
    for look in (["verify"], ["verify", "--deep"]):
        assert pool.code(*look) in (0, 1)
    file = tmp_path / "out"
    pool.cli("export", "--all", str(file), *pool.where)
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    objects = {str(record.get("object")) for record in exported}
    assert objects >= {f"csi.volume.group.{found}" for found in pool.uuids.values()}
    assert "snap-9" not in file.read_text()
    pool.cli("recover", *pool.where)
    pool.cli("undo", "snap-0", *pool.where)
    assert "snap-0" not in pool.listed()


def test_odd_keys_in_groups_hide_nothing_and_keep_them_from_being_removed(
    pool: Pool, tmp_path: Path
) -> None:
    odd_keys = [b"\xff", b"csi.volname\0x", b"zzz\0", b"member\0", b"a\xed\xa0\x80"]
    for name, key in zip_strict(NAMES, odd_keys):
        pool.put(f"csi.volume.group.{pool.uuids[name]}", key)
    assert pool.listed("-l") == NAMES
    pool.cli("show", "snap-2", *pool.where)
    for look in (["verify"], ["verify", "--deep"]):
        assert pool.code(*look) in (0, 1)
    pool.cli("export", "--all", str(tmp_path / "out"), *pool.where)

    left = pool.uuids["snap-2"]
    pool.cli("drop", "--entry", "snap-2", "--apply", *pool.where)
    said = pool.cli.refused("drop", "--group", left, "--apply", *pool.where, code=17)
    assert "cannot be read" in said
    pool.cli.refused("attach", left, "--apply", *pool.where, code=17)
    pool.cli("undo", "snap-1", *pool.where)
    assert pool.listed("-l") == [name for name in NAMES if name not in ("snap-1", "snap-2")]


def test_verify_names_each_key_that_it_cannot_read_and_all_damage_beside_it(pool: Pool) -> None:
    pool.put("csi.groups.default", *ODD_KEYS)
    group = f"csi.volume.group.{pool.uuids['snap-1']}"
    pool.put(group, b"\xff")
    gone = f"csi.volume.group.{pool.uuids['snap-3']}"
    pool.ceph.rados("-p", POOL, "-N", pool.namespace, "rm", gone)

    lines = pool.cli("verify", "--full", "-o", "json", *pool.where, code=1).lines
    found = [json.loads(line) for line in lines][:-1]
    unreadable = [(f["object"], f["key"]) for f in found if f["kind"] == "unreadable-key"]
    dangling = [f["request_name"] for f in found if f["kind"] == "dangling-entry"]
    assert dangling == ["snap-3"]
    assert sorted(unreadable) == sorted(
        [
            ("csi.groups.default", r"csi.volume.group.snap-2\xff"),
            ("csi.groups.default", "csi.volume.group.snap-9"),
            ("csi.groups.default", "csi.volume.group.snap-2"),
            ("csi.groups.default", r"zzz\xff"),
            ("csi.groups.default", "zzz"),
            ("csi.groups.default", r"\x01\xff"),
            (group, r"\xff"),
        ]
    )
    assert all("rados -p" in f["found"] for f in found if f["kind"] == "unreadable-key")
    assert {f["kind"] for f in found} == {"dangling-entry", "unreadable-key"}


@pytest.fixture
def damaged(pool: Pool) -> Pool:
    """Odd keys in the directory and in snap-1; snap-3 has lost its group, snap-4 its entry."""
    pool.put("csi.groups.default", *ODD_KEYS)
    pool.put(f"csi.volume.group.{pool.uuids['snap-1']}", b"\xff")
    gone = f"csi.volume.group.{pool.uuids['snap-3']}"
    pool.ceph.rados("-p", POOL, "-N", pool.namespace, "rm", gone)
    pool.cli("drop", "--entry", "snap-4", "--apply", *pool.where)
    return pool


def test_repair_does_all_else_and_names_what_it_cannot_read(damaged: Pool) -> None:
    words = ["repair", "--full", "--grace", "0s", "--apply", "--backup", "b", *damaged.where]
    out = damaged.cli(*words, code=1).out
    assert "dangling-entry  snap-3" in out
    assert "2 of 2 done" in out
    keys = {line.split("key  ")[-1].strip() for line in out.splitlines() if "    key  " in line}
    assert keys == {
        r"csi.volume.group.snap-2\xff",
        "csi.volume.group.snap-9",
        "csi.volume.group.snap-2",
        r"zzz\xff",
        "zzz",
        r"\x01\xff",
        r"\xff",
    }
    assert "orphan-group  snap-4" in out
    assert "snap-3" not in damaged.listed()


def test_recover_rolls_back_all_that_it_can_read(damaged: Pool) -> None:
    out = damaged.cli("recover", "--apply", *damaged.where).out
    assert "removed entry  snap-3" in out


def test_recover_names_each_key_that_it_could_not_read_where_it_looks(damaged: Pool) -> None:
    """Among leases and entries, and in a record that it would have removed."""
    lease, group = f"csi.lease.{uuid.uuid4()}", str(uuid.uuid4())
    damaged.put("csi.groups.default", lease.encode() + b"\xff")
    damaged.put(f"csi.volume.group.{group}", b"csi.groupname\0", b"old\xff")
    damaged.ceph.rados(
        *("-p", POOL, "-N", damaged.namespace, "setomapval", "csi.groups.default"),
        *("csi.volume.group.half-made", group),
    )
    unreadable = [
        ("csi.groups.default", lease + r"\xff"),
        ("csi.groups.default", "csi.volume.group.snap-2"),
        ("csi.groups.default", r"csi.volume.group.snap-2\xff"),
        ("csi.groups.default", "csi.volume.group.snap-9"),
        (f"csi.volume.group.{group}", r"old\xff"),
        (f"csi.volume.group.{group}", "csi.groupname"),
    ]
    words = ["recover", *damaged.where]
    for options in ([], ["--apply"]):
        found = damaged.cli(*words, *options, "-o", "json").json["unreadable"]
        assert sorted((one["object"], one["key"]) for one in found) == sorted(unreadable)
        result = damaged.cli(*words, *options)
        named = [line for line in result.lines if line.startswith("cannot read  ")]
        assert len(named) == len(unreadable)
        for object_name, key in unreadable:
            (line,) = [line for line in named if f" the key {key} " in line]
            assert line.endswith(f"({object_name})")
        assert "1 damaged entry and 6 unreadable keys left alone" in result.err


def test_export_names_each_key_that_it_leaves_out_and_is_restored_beside_them(
    damaged: Pool,
) -> None:
    result = damaged.cli("export", "--all", "out", *damaged.where)
    assert result.err.count("left out: the key") == len(ODD_KEYS) + 1
    damaged.cli("drop", "--entry", "snap-0", "--apply", *damaged.where)
    damaged.cli("drop", "--group", damaged.uuids["snap-0"], "--apply", *damaged.where)
    damaged.cli("drop", "--entry", "snap-1", "--apply", *damaged.where)
    damaged.cli("restore", "out", "--apply", *damaged.where)
    for name in ("snap-0", "snap-1"):
        assert (
            damaged.cli("check", name, "-o", "json", *damaged.where).json["group_uuid"]
            == (damaged.uuids[name])
        )
    damaged.cli("attach", damaged.uuids["snap-4"], "--apply", *damaged.where)
    assert set(NAMES) <= set(damaged.listed())
    said = damaged.cli("show", "snap-1", *damaged.where).out
    assert r"the key \xff is not UTF-8" in said
