"""All ways to a Ceph cluster, and what is said where one leads nowhere."""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import CLI
from cluster import ThrowawayCluster
from conftest import POOL
from csijournal import open_store
from csijournal.errors import (
    AuthenticationFailed,
    CSIJournalError,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreUnreachable,
)
from csijournal.store import Write
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.login import Login
from csijournal.store.rados.pool import RADOSStore

pytestmark = pytest.mark.ceph


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING", "CSIJOURNAL_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)


@pytest.fixture
def monitor(ceph: ThrowawayCluster) -> str:
    return f"v2:127.0.0.1:{ceph.port}"


def other_key() -> str:
    """A key that is well formed and nobody's."""
    return base64.b64encode(bytes([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0]) + bytes(16)).decode()


def opens(location: RADOSLocation) -> bool:
    with RADOSStore.from_location(location) as store:
        store.connect()
        return store.read_object("missing") is None


# Ways in


def test_by_a_configuration_file(ceph: ThrowawayCluster) -> None:
    assert opens(RADOSLocation(POOL, conf=str(ceph.conf)))
    with open_store(f"rados://{POOL}/n?conf={ceph.conf}&id=admin") as store:
        store.connect()


def test_by_the_variables_that_ceph_s_own_tools_read(
    ceph: ThrowawayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ceph.create_user("by-args", mon="allow r", osd=f"allow rw pool={POOL}")
    monkeypatch.setenv("CEPH_CONF", str(ceph.conf))
    assert opens(RADOSLocation(POOL))
    for arguments in ("--id by-args", "--name=client.by-args", "-n client.by-args"):
        monkeypatch.setenv("CEPH_ARGS", arguments)
        assert Login().user == "client.by-args"
        assert opens(RADOSLocation(POOL))
    monkeypatch.setenv("CEPH_ARGS", "--id nobody")
    assert opens(RADOSLocation(POOL, name="client.by-args"))


def test_by_monitors_and_a_keyring(ceph: ThrowawayCluster, monitor: str) -> None:
    assert opens(RADOSLocation(POOL, monitors=monitor, keyring=str(ceph.keyring)))


def test_by_monitors_and_a_key_file(ceph: ThrowawayCluster, monitor: str, tmp_path: Path) -> None:
    keyfile = tmp_path / "key"
    keyfile.write_text(ceph.admin_key() + "\n")
    assert opens(RADOSLocation(POOL, monitors=monitor, keyfile=str(keyfile)))


def test_by_monitors_and_the_key_in_a_variable(
    ceph: ThrowawayCluster, monitor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSIJOURNAL_KEY", ceph.admin_key())
    assert opens(RADOSLocation(POOL, monitors=monitor))


def test_by_the_configuration_of_ceph_csi(
    ceph: ThrowawayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps([{"clusterID": "c", "monitors": ceph.monitors}]))
    monkeypatch.setenv("CSIJOURNAL_KEY", ceph.admin_key())
    url = f"rados://{POOL}?csi-config={config}&cluster-id=c&driver=cephfs"
    with open_store(url) as store:
        store.connect()
        assert store.place == f"rados://{POOL}/csi"


# Ways that lead nowhere


def fails(kind: type[CSIJournalError], says: str, store: RADOSStore, seconds: float = 4) -> None:
    started = time.monotonic()
    with store, pytest.raises(kind, match=says) as caught:
        store.connect()
    assert time.monotonic() - started < seconds
    assert type(caught.value) is kind


def test_a_wrong_key_is_told(ceph: ThrowawayCluster, monitor: str) -> None:
    says = "do not accept client.admin"
    fails(AuthenticationFailed, says, RADOSStore(POOL, conf=ceph.conf, key=other_key()))
    fails(AuthenticationFailed, says, RADOSStore(POOL, monitors=monitor, key=other_key()))


def test_an_unknown_user_is_told(ceph: ThrowawayCluster) -> None:
    store = RADOSStore(POOL, conf=ceph.conf, name="client.nobody", key=ceph.admin_key())
    fails(AuthenticationFailed, "client.nobody", store)
    store = RADOSStore(POOL, conf=ceph.conf, name="client.nobody")
    fails(AuthenticationFailed, "client.nobody", store)


def test_a_dead_monitor_is_told_in_time() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"v2:127.0.0.1:{unused.getsockname()[1]}"
    store = RADOSStore(POOL, monitors=address, key=other_key(), timeout_seconds=1)
    fails(StoreUnreachable, "within 1 s", store, seconds=3)


def test_a_frozen_monitor_is_told_in_time(ceph: ThrowawayCluster) -> None:
    ceph.pause_mon()
    try:
        store = RADOSStore(POOL, conf=ceph.conf, timeout_seconds=1)
        fails(StoreUnreachable, "within 1 s", store, seconds=3)
    finally:
        ceph.resume_mon()
    with RADOSStore(POOL, conf=ceph.conf) as store:
        store.connect()


def test_a_store_that_could_not_connect_can_later(ceph: ThrowawayCluster) -> None:
    with RADOSStore(POOL, conf=ceph.conf, timeout_seconds=1) as store:
        ceph.pause_mon()
        try:
            with pytest.raises(StoreUnreachable):
                store.connect()
        finally:
            ceph.resume_mon()
        deadline = time.monotonic() + 10
        while True:
            try:
                store.connect()
            except StoreUnreachable:
                assert time.monotonic() < deadline
            else:
                break


def test_a_malformed_monitor_address_is_told() -> None:
    store = RADOSStore(POOL, monitors="not an address", key=other_key(), timeout_seconds=2)
    fails(StoreUnreachable, "mon_host", store)


def test_missing_files_are_told(ceph: ThrowawayCluster, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    fails(PlaceNotFound, "no Ceph configuration .*nowhere", RADOSStore(POOL, conf=nowhere))
    store = RADOSStore(POOL, conf=ceph.conf, keyring=nowhere)
    fails(PlaceNotFound, "no keyring .*nowhere", store)
    broken = tmp_path / "broken.conf"
    broken.write_text("[global\nmon_host = x\n")
    fails(PlaceUnusable, "cannot read", RADOSStore(POOL, conf=broken))


def test_no_configuration_at_all_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if Path("/etc/ceph/ceph.conf").exists():
        pytest.skip("this machine has a Ceph configuration of its own")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    fails(PlaceNotFound, "no Ceph configuration where librados looks", RADOSStore(POOL))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full", "large", "/"])
def test_a_device_without_end_is_not_read_to_its_end(
    ceph: ThrowawayCluster, tmp_path: Path, path: str
) -> None:
    if path == "large":
        with (tmp_path / path).open("wb") as file:
            file.truncate(1 << 40)
        path = str(tmp_path / path)
    odd = "is larger than 4 MiB|is not a file|cannot be read|Is a directory"
    ways: list[RADOSLocation] = [
        RADOSLocation(POOL, conf=str(ceph.conf), keyfile=path),
        RADOSLocation(POOL, conf=str(ceph.conf), keyring=path),
        RADOSLocation(POOL, conf=path),
        RADOSLocation(POOL, csi_config=path, cluster_id="c"),
    ]
    for way in ways:
        with pytest.raises(PlaceUnusable, match=odd), RADOSStore.from_location(way) as store:
            store.connect()


def test_a_key_may_come_through_a_pipe(ceph: ThrowawayCluster) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, ceph.admin_key().encode())
    os.close(write_end)
    try:
        assert opens(RADOSLocation(POOL, conf=str(ceph.conf), keyfile=f"/dev/fd/{read_end}"))
    finally:
        os.close(read_end)


def test_an_erasure_coded_pool_is_refused_when_it_is_opened(ceph: ThrowawayCluster) -> None:
    ceph.run("osd", "erasure-code-profile", "set", "two", "k=2", "m=1", "crush-failure-domain=osd")
    ceph.run("osd", "pool", "create", "coded", "1", "1", "erasure", "two")
    try:
        fails(PlaceUnusable, "coded is erasure-coded.*omaps", RADOSStore("coded", conf=ceph.conf))
        with RADOSCluster(Login(conf=str(ceph.conf))) as cluster:
            pool_id = cluster.mon_command("osd pool get", pool="coded", var="all")["pool_id"]
        fails(PlaceUnusable, "coded is erasure-coded", RADOSStore(pool_id=pool_id, conf=ceph.conf))
    finally:
        # One OSD cannot serve it, and who asks all pools of the cluster waits for it.
        ceph.run("osd", "pool", "rm", "coded", "coded", "--yes-i-really-really-mean-it")


# Capabilities


def test_a_user_whom_the_monitors_tell_nothing_is_told_so(ceph: ThrowawayCluster) -> None:
    ceph.create_user("blind", mon="allow command config", osd=f"allow rw pool={POOL}")
    store = RADOSStore(POOL, conf=ceph.conf, name="client.blind", timeout_seconds=1)
    fails(PermissionDenied, "do not tell client.blind where the OSDs are.*mon 'allow r'", store)


def test_a_user_that_may_not_list_gets_no_empty_list(ceph: ThrowawayCluster) -> None:
    with RADOSStore(POOL, conf=ceph.conf) as store:
        store.write(Write("something", puts={"k": b""}))
    ceph.create_user("nothing", mon="allow r", osd="allow rw pool=other")
    with RADOSStore(POOL, conf=ceph.conf, name="client.nothing") as store:
        for listing in (store.object_names, store.namespaces, store.objects_everywhere):
            with pytest.raises(PermissionDenied, match=r"client\.nothing may not read"):
                list(listing())


def test_the_hint_for_a_denied_user_gives_csijournal_one_and_leaves_the_driver_s(
    ceph: ThrowawayCluster, tmp_path: Path
) -> None:
    caps = {"mon": "profile rbd", "osd": "profile rbd pool=other", "mgr": "profile rbd pool=other"}
    words = [word for pair in caps.items() for word in pair]
    ceph.run("auth", "get-or-create", "client.csi-rbd-provisioner", *words)
    driver = {"conf": ceph.conf, "name": "client.csi-rbd-provisioner"}
    driver["key"] = ceph.run("auth", "print-key", "client.csi-rbd-provisioner").strip()

    def hint_of(use: Callable[[RADOSStore], object], **login: Any) -> list[str]:  # noqa: ANN401 - passed on
        with RADOSStore(POOL, "hinted", **login) as store:
            with pytest.raises(PermissionDenied) as caught:
                use(store)
            return shlex.split(caught.value.hint.partition(": ")[2].partition(";")[0])

    def read(store: RADOSStore) -> object:
        return store.read_object("o"), list(store.object_names()), list(store.namespaces())

    def write(store: RADOSStore) -> None:
        store.write(Write("o", puts={"k": b"1"}))

    for use, user in ((read, "client.csijournal-verify"), (write, "client.csijournal-repair")):
        command = hint_of(use, **driver)
        keyring = tmp_path / f"{user}.keyring"
        assert command[:4] == ["ceph", "auth", "get-or-create", user]
        assert command.pop() == f"/etc/ceph/ceph.{user}.keyring"
        ceph.run(*command[1:], str(keyring))
        with RADOSStore(POOL, "hinted", conf=ceph.conf, name=user, keyring=keyring) as store:
            use(store)
            read(store)
    reader = {"conf": ceph.conf, "name": "client.csijournal-verify"}
    reader["keyring"] = tmp_path / "client.csijournal-verify.keyring"
    assert "client.csijournal-repair" in hint_of(write, **reader)
    found = json.loads(ceph.run("auth", "get", "client.csi-rbd-provisioner", "-f", "json"))
    assert found[0]["caps"] == caps


def test_a_user_of_our_own_gets_the_capability_that_it_lacks(ceph: ThrowawayCluster) -> None:
    ceph.create_user("csijournal-x", mon="allow r", osd="allow r pool=other")
    with RADOSStore(POOL, conf=ceph.conf, name="client.csijournal-x") as store:
        with pytest.raises(PermissionDenied) as caught:
            store.read_object("o")
        ceph.run(*shlex.split(caught.value.hint.partition(": ")[2])[1:])
    with RADOSStore(POOL, conf=ceph.conf, name="client.csijournal-x") as store:
        assert store.read_object("missing") is None


# Secrets


@pytest.mark.parametrize("key", ["junk-SECRET", "U0VDUkVU", "SECRET==", "\udcffSECRET", ""])
def test_what_is_no_key_is_refused_and_not_repeated(
    ceph: ThrowawayCluster, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        RADOSStore(POOL, conf=ceph.conf, key=key) as store,
        pytest.raises(AuthenticationFailed, match="not a Ceph key") as caught,
    ):
        store.connect()
    shown = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)
    assert "SECRET" not in shown
    assert capfd.readouterr() == ("", "")


def test_librados_prints_nothing(monitor: str, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        RADOSStore(POOL, monitors=monitor, key=other_key()) as store,
        pytest.raises(AuthenticationFailed),
    ):
        store.connect()
    assert capfd.readouterr() == ("", "")


def test_the_key_is_in_no_command_line_file_or_text(
    ceph: ThrowawayCluster, monitor: str, tmp_path: Path
) -> None:
    program = """
import sys
from csijournal import open_store
from csijournal.errors import CSIJournalError
from csijournal.store.rados.pool import RADOSStore
from csijournal.store import Write
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import RADOSLocation
location = RADOSLocation(sys.argv[2], monitors=sys.argv[3])
with RADOSStore.from_location(location) as store:
    store.connect()
    print(location, location.resolved(), repr(store), vars(store), store.place)
    print(open("/proc/self/cmdline").read(), flush=True)
with open_store(sys.argv[1].replace("rados://", "rados://missing-")) as store:
    try:
        store.connect()
    except CSIJournalError as error:
        print(repr(error), error, repr(error.__cause__))
"""
    key = ceph.admin_key()
    done = subprocess.run(
        [sys.executable, "-c", program, f"rados://{POOL}?mon={monitor}", POOL, monitor],
        capture_output=True,
        text=True,
        env={"CSIJOURNAL_KEY": key, "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        check=True,
    )
    assert "there is no pool missing-" in done.stdout
    assert key not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["-c", "-k"])
@pytest.mark.parametrize(
    "line", ["[gl\u00f6bal]", "\u00f6 = 1", "fsid = \u00f6", "fsid = '# \u00f6'", "\ufeff"]
)
def test_a_file_that_would_make_librados_abort_is_refused_by_name_and_line(
    cli: CLI, ceph: ThrowawayCluster, option: str, line: str
) -> None:
    file = cli.folder / "odd"
    file.write_text(f"[global]\n{line}\n", encoding="utf-8")
    conf = [] if option == "-c" else ["-c", str(ceph.conf)]
    said = cli.refused("list", "-p", POOL, *conf, option, str(file), code=17)
    assert f"{file} holds a character that is not ASCII, in line 2" in said


@pytest.mark.parametrize("comment", ["# Größe", "; Größe", "fsid = x # Größe"])
def test_comments_of_a_configuration_may_be_in_any_language(
    ceph: ThrowawayCluster, tmp_path: Path, comment: str
) -> None:
    conf = tmp_path / "ceph.conf"
    good = Path(ceph.conf).read_text(encoding="utf-8")
    conf.write_text(f"{good}\n[client.nobody]\n{comment}\n", encoding="utf-8")
    assert opens(RADOSLocation(pool=POOL, conf=str(conf)))
