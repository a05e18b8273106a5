"""tools/cluster.py: the clusters that the other tests stand on."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cluster
from cluster import ClusterError, MissingPrograms, NotACluster, ThrowawayCluster

pytestmark = pytest.mark.ceph

TOOL = Path(cluster.__file__)
CLUSTER_IN_A_PROCESS = """
import pathlib, sys
from cluster import ThrowawayCluster
with ThrowawayCluster(pathlib.Path(sys.argv[1])):
    print("serves", flush=True)
    sys.stdin.read()
"""
FAILING_OSD = """#!/bin/sh
case "$*" in *--mkfs*) exec {real} "$@";; esac
echo the disk is gone
exit 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cluster"


@pytest.fixture
def serving(folder: Path) -> Iterator[ThrowawayCluster]:
    with ThrowawayCluster(folder) as started:
        yield started


def write(to: ThrowawayCluster, name: str, content: str) -> None:
    source = to.folder / "source"
    source.write_text(content)
    to.rados("--pool", to.pools[0], "put", name, str(source))


def read(place: ThrowawayCluster, name: str) -> str:
    return place.rados("--pool", place.pools[0], "get", name, "/dev/stdout")


def objects(place: ThrowawayCluster) -> list[str]:
    return place.rados("--pool", place.pools[0], "ls").split()


def processes_naming(folder: Path) -> list[str]:
    """Command lines of running processes that name the folder; those of zombies are empty."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if f"{folder}/" in line]


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def command(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOL), *args], capture_output=True, text=True, check=False
    )


def test_two_clusters_side_by_side_each_keep_their_own_write(tmp_path: Path) -> None:
    with ThrowawayCluster(tmp_path / "a") as first, ThrowawayCluster(tmp_path / "b") as second:
        write(first, "name", "first")
        write(second, "name", "second")

        assert first.monitors != second.monitors
        assert read(first, "name") == "first"
        assert read(second, "name") == "second"


def test_a_new_cluster_holds_its_pools_and_no_objects(folder: Path) -> None:
    with ThrowawayCluster(folder, pools=["one", "two"]) as started:
        started.create_pool("three")

        assert started.rados("lspools").split() == ["one", "two", "three"]
        assert objects(started) == []


def test_acknowledged_writes_survive_sigkill_of_osd_and_monitor(serving: ThrowawayCluster) -> None:
    write(serving, "before", "acknowledged")

    serving.kill_osd()
    assert serving.pids("ceph-osd") == []
    serving.start_osd()
    assert read(serving, "before") == "acknowledged"

    serving.kill_osd()
    serving.kill_mon()
    serving.start_mon()
    serving.start_osd()
    assert read(serving, "before") == "acknowledged"


def test_a_paused_daemon_answers_when_it_is_resumed(serving: ThrowawayCluster) -> None:
    for pause, resume in (
        (serving.pause_osd, serving.resume_osd),
        (serving.pause_mon, serving.resume_mon),
    ):
        pause()
        writer = threading.Thread(target=write, args=(serving, "name", "content"))
        writer.start()
        writer.join(timeout=1)
        assert writer.is_alive()
        resume()
        writer.join(timeout=20)
        assert not writer.is_alive()


def test_clients_of_an_osd_that_was_held_up_for_a_second_go_on_without_a_restart(
    serving: ThrowawayCluster,
) -> None:
    written: list[str] = []
    ending = threading.Event()

    def work(name: str) -> None:
        while not ending.is_set():
            serving.rados("--pool", serving.pools[0], "touch", name)
            written.append(name)

    writers = [threading.Thread(target=work, args=(f"name-{n}",)) for n in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(3):
        serving.pause_osd()
        time.sleep(1)
        serving.resume_osd()
        before = len(written)
        wait_until(lambda before=before: len(written) >= before + 6)  # type: ignore[misc]
    ending.set()
    for writer in writers:
        writer.join(timeout=20)
        assert not writer.is_alive()


def test_a_user_has_a_key_and_only_the_given_rights(serving: ThrowawayCluster) -> None:
    serving.create_pool("theirs")

    keyring = serving.create_user("guest", mon="allow r", osd="allow rw pool=theirs")

    assert serving.key("guest") in keyring.read_text()
    assert serving.key("guest") != serving.admin_key()
    serving.rados("--id", "guest", "--pool", "theirs", "create", "name")
    with pytest.raises(ClusterError, match="Operation not permitted"):
        serving.rados("--id", "guest", "--pool", "journal", "create", "name")


def test_keyrings_and_folder_are_for_their_owner_only(serving: ThrowawayCluster) -> None:
    guest = serving.create_user("guest", mon="allow r", osd="allow r")
    keyrings = [path for path in serving.folder.rglob("*keyring") if path.is_file()]

    assert {serving.keyring, guest} <= set(keyrings)
    assert {path.stat().st_mode & 0o777 for path in keyrings} == {0o600}
    assert serving.folder.stat().st_mode & 0o777 == 0o700


def test_every_socket_of_a_cluster_is_on_loopback(serving: ThrowawayCluster) -> None:
    loopback = "0100007F"  # 127.0.0.1, as /proc writes it
    listening = "0A"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    owned = range(serving.port, serving.port + 10)
    addresses = [row[1].split(":") for row in rows if row[3] == listening]

    ours = [address for address, port in addresses if int(port, 16) in owned]
    assert len(ours) == 5
    assert set(ours) == {loopback}


def test_stop_ends_the_processes_and_removes_the_folder(folder: Path) -> None:
    started = ThrowawayCluster(folder)
    started.start()
    assert len(processes_naming(folder)) == 2

    started.stop()
    assert processes_naming(folder) == []
    assert not folder.exists()

    started.stop()


def test_stop_ends_a_paused_cluster(folder: Path) -> None:
    started = ThrowawayCluster(folder)
    started.start()
    started.pause_osd()
    started.pause_mon()

    started.stop()
    assert processes_naming(folder) == []


def test_stop_and_start_leave_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")

    with pytest.raises(NotACluster, match="not the folder of a throwaway cluster"):
        ThrowawayCluster(tmp_path).stop()
    with pytest.raises(ClusterError, match="not empty"):
        ThrowawayCluster(tmp_path).start()
    refused = command("stop", "--dir", str(tmp_path))

    assert refused.returncode == 1
    assert "not the folder of a throwaway cluster" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


IMPOSTOR = """
import os, sys, time
if sys.argv[1]:
    os.chroot(sys.argv[1])
print("runs", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def impostor(serving: ThrowawayCluster, root: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process with the command line of the cluster's OSD, in another root if one is given."""
    program = shutil.which("python3") or ""
    with subprocess.Popen(
        ["ceph-osd", "-c", IMPOSTOR, root, "--conf", str(serving.conf)],
        executable=program,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"runs\n"
        yield process
        process.kill()


def test_a_process_with_the_same_command_line_is_left_alone(serving: ThrowawayCluster) -> None:
    with impostor(serving) as other:
        assert other.pid not in serving.pids("ceph-osd")
        serving.stop()
        assert other.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root directory")
def test_a_daemon_of_another_root_with_the_same_path_is_left_alone(
    serving: ThrowawayCluster, tmp_path: Path
) -> None:
    (root := tmp_path / "root").mkdir()
    serving.kill_osd()
    with impostor(serving, str(root)) as other:
        # Even where the number that was noted is its own: from a copied folder, say.
        noted = {"pid": other.pid, "started_ticks": cluster._started_ticks(other.pid)}
        (serving.folder / "ceph-osd.pid").write_text(json.dumps(noted))

        assert serving.pids("ceph-osd") == []
        serving.stop()
        assert other.poll() is None


def test_a_number_that_was_given_to_another_process_is_nobodys_daemon(
    serving: ThrowawayCluster,
) -> None:
    (pid,) = serving.pids("ceph-mon")
    file = serving.folder / "ceph-mon.pid"
    noted = json.loads(file.read_text())

    file.write_text(json.dumps(noted | {"started_ticks": noted["started_ticks"] - 1}))
    assert serving.pids("ceph-mon") == []
    file.write_text(json.dumps(noted))
    assert serving.pids("ceph-mon") == [pid]


def test_missing_programs_are_named_with_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(MissingPrograms) as caught:
        ThrowawayCluster(folder).start()

    assert "ceph-osd (Debian's ceph-osd), ceph (Debian's ceph-common)" in str(caught.value)
    assert "ceph-mon ceph-osd ceph-common python3-rados" in str(caught.value)
    assert not folder.exists()


def test_a_daemon_that_fails_is_quoted_and_nothing_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "bin" / "ceph-osd"
    failing.parent.mkdir()
    failing.write_text(FAILING_OSD.format(real=shutil.which("ceph-osd")))
    failing.chmod(0o700)
    monkeypatch.setenv("PATH", f"{failing.parent}:{os.environ['PATH']}")

    with pytest.raises(ClusterError, match=r"ceph-osd ended by itself\n.*ceph-osd.log.*\n.*gone"):
        ThrowawayCluster(folder).start()

    assert processes_naming(folder) == []
    assert not folder.exists()


def test_daemons_end_when_their_parent_is_killed(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(TOOL.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER_IN_A_PROCESS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "serves\n"
        parent.kill()

    wait_until(lambda: processes_naming(folder) == [])
    ThrowawayCluster.attach(folder).stop()
    assert not folder.exists()


def test_a_daemon_started_by_a_thread_outlives_the_thread(serving: ThrowawayCluster) -> None:
    serving.kill_osd()
    starter = threading.Thread(target=serving.start_osd)
    starter.start()
    starter.join()

    write(serving, "name", "content")
    assert read(serving, "name") == "content"


def test_the_command_leaves_a_cluster_that_runs_until_it_is_stopped(folder: Path) -> None:
    started = command("start", "--dir", str(folder), "--pool", "one", "--pool", "two")
    try:
        assert started.returncode == 0, started.stderr
        assert str(folder) in started.stdout
        assert command("status", "--dir", str(folder)).returncode == 0

        exports = command("env", "--dir", str(folder)).stdout
        listed = subprocess.run(
            ["sh", "-c", f"{exports}\nrados lspools"], capture_output=True, text=True, check=True
        )
        assert listed.stdout.split() == ["one", "two"]
        assert shlex.quote(str(folder / "ceph.conf")) in exports
    finally:
        stopped = command("stop", "--dir", str(folder))

    assert stopped.returncode == 0
    assert processes_naming(folder) == []
    assert not folder.exists()
    assert command("stop", "--dir", str(folder)).returncode == 0
    assert command("status", "--dir", str(folder)).returncode == 1
