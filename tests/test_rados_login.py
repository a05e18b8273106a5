"""All ways to a Ceph cluster, and what is said where one leads nowhere."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal import open_store
from csijournal.errors import (
    AuthenticationFailed,
    CSIJournalError,
    PlaceNotFound,
    PlaceUnusable,
    StoreUnreachable,
)
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.login import Login
from csijournal.store.rados.pool import RADOSStore

pytestmark = pytest.mark.ceph


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING", "CSIJOURNAL_KEY"):
        monkeypatch.delenv(variable, raising=False)


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


# Secrets


@pytest.mark.parametrize("key", ["junk-SECRET", "U0VDUkVU", "SECRET==", "\udcffSECRET", ""])
def test_what_is_no_key_is_refused_and_not_repeated(
    ceph: ThrowawayCluster, key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        RADOSStore(POOL, conf=ceph.conf, key=key) as store,
        pytest.raises(AuthenticationFailed, match="no Ceph key") as caught,
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
