#!/usr/bin/env python3
"""Run a throwaway Ceph cluster: one monitor and one OSD on the loopback network, in one folder.

As a command, the cluster stays until it is stopped::

    python3 tools/cluster.py start --dir DIR      # or no --dir: a new folder for temporary files
    eval "$(python3 tools/cluster.py env --dir DIR)"
    python3 tools/cluster.py status --dir DIR
    python3 tools/cluster.py stop --dir DIR       # ends the daemons, removes DIR

As a module, the cluster ends with the block, and its daemons end with the process even if that is
killed::

    with ThrowawayCluster() as cluster:
        rados.Rados(conffile=str(cluster.conf), name="client.admin")

The cluster asks for keys (cephx) and is durable: what it acknowledged survives the SIGKILL of its
daemons. Unless it is asked for (`--mgr`, `--cephfs NAME`), it has no manager daemon, so commands
that ask the manager hang (`ceph pg ls`) or count nothing (`ceph df`).

Needs Linux, and Debian's packages ceph-mon, ceph-osd, ceph-common and python3-rados; root is not
needed. BlueStore opens its file with O_DIRECT, so before Linux 6.6 the folder must not be on tmpfs.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import cluster_mgr
from cluster_mgr import MDS, MGR, Shape

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_POOL = "journal"
HOST = "127.0.0.1"

# A cluster owns ten ports in a row: the first is the monitor's, the OSD takes its four from the
# others. They lie below the ports that Linux gives to outgoing connections (32768 and up), so that
# none of those takes the port of a daemon that is down for a moment.
PORTS_PER_CLUSTER = 10
FIRST_PORTS = range(20000, 32000, PORTS_PER_CLUSTER)

START_TIMEOUT_SECONDS = 60.0
COMMAND_TIMEOUT_SECONDS = 30.0
PROBE_TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 0.05

MON = "ceph-mon"
OSD = "ceph-osd"
DAEMON_IDS = {MON: "a", OSD: "0", MGR: "x", MDS: "a"}

PACKAGES = {
    MON: "ceph-mon",
    OSD: "ceph-osd",
    "ceph": "ceph-common",
    "rados": "ceph-common",
    "setpriv": "util-linux",
}
INSTALL = "apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common python3-rados"

# The file that makes a folder one of ours: nothing without it is ever removed.
MARKER = "throwaway-cluster.json"

# In some settings a space, a comma or a semicolon ends a path, and `#` begins a comment.
PLAIN_PATH = re.compile(r"[\w/.+@-]+")

CONF = """\
[global]
fsid = {fsid}
mon_host = v2:{host}:{port}
public_addr = {host}
cluster_addr = {host}
ms_bind_msgr1 = false
ms_bind_port_min = {osd_port_min}
ms_bind_port_max = {osd_port_max}

# Nothing outside the folder, and no sockets: their paths may not be longer than 107 characters.
run_dir = {folder}
crash_dir = {folder}/log
admin_socket =
log_file =
log_to_stderr = true
# 10,000 lines about RocksDB's settings at each start would bury the rest.
debug_rocksdb = 1/5

auth_allow_insecure_global_id_reclaim = false

# Find a daemon again soon after it was killed and restarted: every 0.5 seconds instead of 3.
mon_client_hunt_interval = 0.5

[client]
keyring = {folder}/ceph.$name.keyring
log_to_stderr = false
# With one OSD nobody tells a client that its OSD came back. It asks when an operation is this old
# (10 seconds otherwise).
objecter_timeout = 1
objecter_tick_interval = 0.5

[mon]
mon_data = {folder}/mon
public_addrv = [v2:{host}:{port}]
mon_cluster_log_file = {folder}/log/cluster.log
# Each step of an OSD's boot waits for a proposal, by default gathered for one second.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01

osd_crush_chooseleaf_type = 0
osd_pool_default_size = {copies}
osd_pool_default_min_size = {copies_min}
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off

# There is no manager, and for a year that is no reason for a warning.
mon_mgr_mkfs_grace = 31536000
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
# A suite of tests makes many pools, and removes them.
mon_allow_pool_delete = true
mon_max_pg_per_osd = 10000
# A monitor stops itself when less than 5 percent of the disk is free.
mon_data_avail_warn = 1
mon_data_avail_crit = 0

[osd]
osd_data = {folder}/osd
osd_uuid = {osd_uuid}
osd_memory_target = {osd_memory_bytes}
bluestore_block_size = {osd_disk_bytes}
bluestore_fsck_on_mkfs = false
# Whenever the block file is closed, a dozen times in a start, that waits up to this long
# (250 otherwise).
bdev_aio_poll_ms = 10
# The read lease stays at its 16 seconds. Were it short, an OSD that is held up for longer (a busy
# or suspended machine, SIGSTOP) would hang its clients until it is restarted; with one OSD a
# restart does not wait for the lease.
"""

# The monitor takes over these users when it makes its store, so no commands are needed for them.
USERS = """\
[mon.]
    key = {mon_key}
    caps mon = "allow *"
[client.admin]
    key = {admin_key}
    caps mon = "allow *"
    caps osd = "allow *"
    caps mgr = "allow *"
    caps mds = "allow *"
[osd.0]
    key = {osd_key}
    caps mon = "allow profile osd"
    caps mgr = "allow profile osd"
    caps osd = "allow *"
"""


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message shows what its programs printed."""


class MissingPrograms(ClusterError):
    """Programs of Ceph are not installed."""


class NotACluster(ClusterError):
    """The folder holds no throwaway cluster, so it is left alone."""


class ThrowawayCluster:
    """A Ceph cluster in one folder: one monitor, by default one OSD, cephx.

    `folder` is made if it is not there, and removed by `stop`; by default it is a new one for
    temporary files. `port` is the first of ten ports in a row (five more for each further OSD); by
    default free ones are found. The daemons end with this process, however it ends, unless
    `outlives_parent`. `shape` tells of more daemons and of a file system.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int | None = None,
        pools: Sequence[str] = (DEFAULT_POOL,),
        outlives_parent: bool = False,
        shape: Shape | None = None,
    ) -> None:
        if not pools:
            raise ValueError("a cluster needs a pool: a write to it shows that it serves")
        self.folder = (folder or _new_folder()).resolve()
        self.pools = list(pools)
        self.shape = shape or Shape()
        self._port = port
        self._outlives_parent = outlives_parent
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        # The kernel ends a daemon when the *thread* that started it ends: so one thread, which
        # lives as long as this object, starts them all.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cluster")

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """The cluster that lives in `folder`, whoever started it."""
        _require_marker(folder)
        made = json.loads((folder / MARKER).read_text())
        return cls(
            folder,
            port=made["port"],
            pools=made["pools"],
            outlives_parent=True,
            shape=Shape(**made["shape"]),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # What a client needs to know

    @property
    def conf(self) -> Path:
        return self.folder / "ceph.conf"

    @property
    def keyring(self) -> Path:
        """The keyring of client.admin."""
        return self._keyring_of("admin")

    @property
    def port(self) -> int:
        """The monitor's port."""
        if self._port is None:
            raise ClusterError("the port is known when the cluster has started")
        return self._port

    @property
    def monitors(self) -> list[str]:
        return [f"{HOST}:{self.port}"]

    def admin_key(self) -> str:
        return self.key("admin")

    def key(self, user: str) -> str:
        """The key of `client.USER`, whom `create_user` made."""
        lines = (line.partition("=") for line in self._keyring_of(user).read_text().splitlines())
        return next(value.strip() for name, _, value in lines if name.strip() == "key")

    def environment(self) -> dict[str, str]:
        """The variables that lead clients to this cluster, as admin unless they say otherwise."""
        return {"CEPH_CONF": str(self.conf), "CEPH_ARGS": "--id admin"}

    @property
    def daemons(self) -> list[str]:
        """All daemons of the cluster, as `pids` takes them."""
        return [MON, *self.shape.osd_daemons, *self.shape.companions]

    # The life of the cluster

    def start(self) -> None:
        """Make the cluster; return when every pool has taken a write, or leave nothing behind."""
        _require_programs([*PACKAGES, *self.shape.companions])
        self._make_folder()
        try:
            self._make_mon()
            self.start_mon()
            # It takes the longest, and needs no more than the monitor to begin.
            for daemon in self.shape.companions:
                self._launch(daemon)
            for daemon in self.shape.osd_daemons:
                self._make_osd(daemon)
                self._launch(daemon)
            for pool in self.pools:
                self.create_pool(pool)
            self.await_osds()
            self._await_companions()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the daemons and remove the folder; a cluster that is gone already is fine."""
        if self.folder.exists():
            _require_marker(self.folder)
            for daemon in reversed(self.daemons):
                self._kill(daemon)
            shutil.rmtree(self.folder)

    def create_pool(self, name: str, *, application: str = "") -> None:
        """Make a pool, tagged with what it is for, and return when it has taken a write."""
        self.run("osd", "pool", "create", name)
        if application:
            self.run("osd", "pool", "application", "enable", name, application)
        self._await_write(name)

    def create_user(self, name: str, *, mon: str, osd: str) -> Path:
        """Make the user `client.NAME` with these capabilities, and return its keyring."""
        text = self.run("auth", "get-or-create", f"client.{name}", "mon", mon, "osd", osd)
        _write_private(self._keyring_of(name), text)
        return self._keyring_of(name)

    def run(self, *args: str) -> str:
        """What the `ceph` tool prints."""
        return _execute(["ceph", *args], self.environment())

    def rados(self, *args: str) -> str:
        """What the `rados` tool prints."""
        return _execute(["rados", *args], self.environment())

    # Accidents

    def kill_osd(self, number: int = 0) -> None:
        """End the OSD by SIGKILL; fine if it does not run."""
        self._kill(cluster_mgr.osd_daemon(number))

    def start_osd(self, number: int = 0) -> None:
        """Start the killed OSD, and return when the first pool takes writes."""
        self._launch(cluster_mgr.osd_daemon(number))
        self._await_write(self.pools[0])

    def await_osds(self) -> None:
        """Return when all OSDs are up."""
        osds = self.shape.osd_daemons
        self._until_fine(lambda: cluster_mgr.osd_trouble(self.run, len(osds)), osds)

    def pause_osd(self, number: int = 0) -> None:
        """Freeze the OSD: its connections stay open, and nobody answers."""
        self._signal(cluster_mgr.osd_daemon(number), signal.SIGSTOP)

    def resume_osd(self, number: int = 0) -> None:
        """Let the frozen OSD go on.

        One that was frozen for longer than its read lease, 16 s, may stay stuck:
        what has to go on then restarts it by kill_osd and start_osd.
        """
        self._signal(cluster_mgr.osd_daemon(number), signal.SIGCONT)

    def kill_mon(self) -> None:
        """End the monitor by SIGKILL; fine if it does not run."""
        self._kill(MON)

    def start_mon(self) -> None:
        """Start the killed monitor, and return when it answers, whether or not the OSD runs."""
        self._launch(MON)
        self._await(["lspools"], "the monitor did not answer", needs=[MON])

    def pause_mon(self) -> None:
        """Freeze the monitor: its connections stay open, and nobody answers."""
        self._signal(MON, signal.SIGSTOP)

    def resume_mon(self) -> None:
        self._signal(MON, signal.SIGCONT)

    def kill_manager(self) -> None:
        """End the manager by SIGKILL, and let the others know; fine if it does not run.

        By itself the monitor finds out after half a minute. It also shuts the
        manager's own clients out, which the next one would else wait for.
        """
        if self.pids(MGR):
            time.sleep(cluster_mgr.BEACONS_SECONDS)
        self._kill(MGR)
        self.run("mgr", "fail")

    def start_manager(self) -> None:
        """Start the killed manager, and return when it serves."""
        self._launch(MGR)
        self._await_manager()
        if self.shape.filesystem:
            self._await_subvolumes()

    def pause_manager(self) -> None:
        """Freeze the manager: its connections stay open, and nobody answers."""
        self._signal(MGR, signal.SIGSTOP)

    def resume_manager(self) -> None:
        self._signal(MGR, signal.SIGCONT)

    def pids(self, daemon: str) -> list[int]:
        """The process of one of this cluster's `daemons`; empty where it does not run.

        A number alone may be somebody else's by now, and so may a command line: another root
        directory (a container, a chroot) may have the same path in it. So the process must be the
        one that was started, by its time of start, run that command, and see our root.
        """
        try:
            noted = json.loads(self._pid_file(daemon).read_text())
            pid, started = int(noted["pid"]), int(noted["started_ticks"])
        except (OSError, ValueError, LookupError, TypeError):
            return []
        command = [os.fsencode(word) for word in self._command(daemon)]
        ours = _argv(pid)[: len(command)] == command
        same = _started_ticks(pid) == started and _sees_our_root(pid)
        return [pid] if ours and same else []

    # Making it

    def _make_folder(self) -> None:
        if not PLAIN_PATH.fullmatch(str(self.folder)):
            raise ClusterError(f"{self.folder}: Ceph's configuration cannot hold such a path")
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ClusterError(f"{self.folder} is not empty: stop the cluster in it first, if any")
        self._port = _free_ports(self._port, self.shape.ports)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        made = {"port": self._port, "pools": self.pools, "shape": self.shape._asdict()}
        (self.folder / MARKER).write_text(json.dumps(made))
        (self.folder / "log").mkdir()
        for daemon in self.daemons:
            (self.folder / cluster_mgr.data_folder(daemon)).mkdir()

    def _make_mon(self) -> None:
        admin_key, osd_key = _new_key(), _new_key()
        users = self.folder / "users.keyring"
        text = USERS.format(mon_key=_new_key(), admin_key=admin_key, osd_key=osd_key)
        for daemon, user in cluster_mgr.users(self.shape, _new_key).items():
            text += user
            _write_private(self.folder / cluster_mgr.data_folder(daemon) / "keyring", user)
        if self.shape.has_manager:
            cluster_mgr.link_modules(self.folder / cluster_mgr.data_folder(MGR))
        _write_private(users, text)
        _write_private(self.keyring, f"[client.admin]\n    key = {admin_key}\n")
        _write_private(self.folder / "osd" / "keyring", f"[osd.0]\n    key = {osd_key}\n")
        self.conf.write_text(self._conf_text())
        _execute([*self._command(MON), "--mkfs", "--keyring", str(users)], {})

    def _make_osd(self, daemon: str) -> None:
        _execute([*self._command(daemon), "--mkfs", "--no-mon-config"], {})
        made = self.folder / cluster_mgr.data_folder(daemon) / "fsid"
        self.run("osd", "new", made.read_text().strip())

    def _await_companions(self) -> None:
        if self.shape.has_manager:
            # Most of the modules that the monitor wants are not there, on purpose.
            self.run("health", "mute", "MGR_MODULE_ERROR", "--sticky")
            self._await_manager()
        if self.shape.filesystem:
            self._make_filesystem(self.shape.filesystem)

    def _await_manager(self) -> None:
        self._until_fine(lambda: cluster_mgr.manager_trouble(self.run), [MGR])

    def _make_filesystem(self, name: str) -> None:
        pools = [f"{name}.meta", f"{name}.data"]
        for pool in pools:
            self.run("osd", "pool", "create", pool)
        self.run("fs", "new", name, *pools)
        self._until_fine(lambda: cluster_mgr.metadata_server_trouble(self.run), [MDS])
        self._await_subvolumes()

    def _await_subvolumes(self) -> None:
        name = self.shape.filesystem
        self._until_fine(lambda: cluster_mgr.group_trouble(self.run, name), [MDS, MGR])

    def _conf_text(self) -> str:
        return CONF.format(
            folder=self.folder,
            fsid=uuid.uuid4(),
            osd_uuid=uuid.uuid4(),
            host=HOST,
            port=self.port,
            osd_port_min=self.port + 1,
            osd_port_max=self.port + self.shape.ports - 1,
            copies=self.shape.copies,
            copies_min=max(1, self.shape.copies - 1),
            osd_memory_bytes=896 * 1024**2,
            osd_disk_bytes=4 * 1024**3,
        ) + cluster_mgr.conf_text(self.shape, self.folder, uuid.uuid4)

    def _keyring_of(self, user: str) -> Path:
        return self.folder / f"ceph.client.{user}.keyring"

    # The daemons

    def _pid_file(self, daemon: str) -> Path:
        return self.folder / f"{daemon}.pid"

    def _command(self, daemon: str) -> list[str]:
        program, _, number = daemon.partition(".")
        return [program, "--id", number or DAEMON_IDS[program], "--conf", str(self.conf)]

    def _log_of(self, daemon: str) -> Path:
        return self.folder / "log" / f"{daemon}.log"

    def _launch(self, daemon: str) -> None:
        if self.pids(daemon):
            raise ClusterError(f"{daemon} runs already")
        argv = [*self._command(daemon), "--foreground"]
        if not self._outlives_parent:
            argv = ["setpriv", "--pdeathsig", "KILL", *argv]
        child = self._starter.submit(self._spawn, argv, self._log_of(daemon)).result()
        self._children[daemon] = child
        noted = {"pid": child.pid, "started_ticks": _started_ticks(child.pid)}
        self._pid_file(daemon).write_text(json.dumps(noted))
        # While setpriv turns into the daemon, the process has no command line to be known by.
        _wait_until(
            lambda: bool(self.pids(daemon)) or child.poll() is not None,
            f"{daemon} does not start",
        )

    def _spawn(self, argv: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                argv,
                cwd=self.folder,
                env=_environment({}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Control-C at the terminal is not for the daemons.
            )

    def _signal(self, daemon: str, number: signal.Signals) -> None:
        pids = self.pids(daemon)
        if not pids:
            raise ClusterError(f"{daemon} does not run")
        for pid in pids:
            os.kill(pid, number)

    def _kill(self, daemon: str) -> None:
        for pid in self.pids(daemon):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if child := self._children.pop(daemon, None):
            child.kill()
            child.wait()
        _wait_until(lambda: not self.pids(daemon), f"{daemon} survives SIGKILL")

    def _require_running(self, daemon: str) -> None:
        if not self.pids(daemon):
            raise ClusterError(f"{daemon} ended by itself{self._last_words([daemon])}")

    def _last_words(self, daemons: Sequence[str]) -> str:
        logs = [self._log_of(daemon) for daemon in daemons]
        return "".join(f"\n--- end of {log.name}:\n{_tail(log)}" for log in logs)

    def _until_fine(self, trouble: Callable[[], str], needs: Sequence[str]) -> None:
        """Return when `trouble` is empty; raise ClusterError for what stays, or a dead daemon."""
        give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
        while found := trouble():
            for daemon in needs:
                self._require_running(daemon)
            if time.monotonic() > give_up_at:
                raise ClusterError(found + self._last_words(needs))
            time.sleep(POLL_SECONDS)

    def _await_write(self, pool: str) -> None:
        probe = f".probe-{secrets.token_hex(4)}"
        # The configuration is as good as any other data.
        write = ["--pool", pool, "put", probe, str(self.conf)]
        needs = [MON] if self.shape.osds > 1 else [MON, OSD]
        self._await(write, f"no write to pool {pool} succeeded", needs=needs)
        self.rados("--pool", pool, "rm", probe)

    def _await(self, command: Sequence[str], complaint: str, *, needs: Sequence[str]) -> None:
        """Repeat a command of `rados` until it succeeds, while the daemons that it needs run."""
        give_up_at = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            for daemon in needs:
                self._require_running(daemon)
            try:
                _execute(["rados", *command], self.environment(), PROBE_TIMEOUT_SECONDS)
            except ClusterError as error:
                if time.monotonic() > give_up_at:
                    raise ClusterError(f"{complaint}: {error}{self._last_words(needs)}") from error
                time.sleep(POLL_SECONDS)
            else:
                return


def _new_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"csijournal-cluster-{secrets.token_hex(4)}"


def _new_key() -> str:
    """A new cephx key: its type, the time of its making, its length, 16 random bytes."""
    head = struct.pack("<HIIH", 1, int(time.time()), 0, 16)
    return base64.b64encode(head + secrets.token_bytes(16)).decode()


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _require_programs(programs: Iterable[str]) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        packages = PACKAGES | cluster_mgr.PACKAGES
        named = ", ".join(f"{program} (Debian's {packages[program]})" for program in missing)
        more = cluster_mgr.INSTALL_MORE if {*missing} & {*cluster_mgr.PACKAGES} else ""
        raise MissingPrograms(
            f"not installed, or not in PATH: {named}\nInstall with: {INSTALL}{more}"
        )


def _require_marker(folder: Path) -> None:
    if not (folder / MARKER).is_file():
        raise NotACluster(f"{folder} is not the folder of a throwaway cluster: it has no {MARKER}")


def _free_ports(wanted: int | None, count: int = PORTS_PER_CLUSTER) -> int:
    """The first of `count` free ports in a row, by default ten.

    They are free now, not reserved. Two clusters that start in the same moment still differ,
    because the choice is random among 1,200; should they not, the second fails and says so.
    """
    candidates = [wanted] if wanted else random.sample(FIRST_PORTS, len(FIRST_PORTS))
    for first in candidates:
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise ClusterError(f"the {count} ports from {candidates[0]} on are not all free")


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except (OSError, OverflowError):
        return False
    return True


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what leads to some other cluster, plus `extra`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CEPH_")}
    return own | dict(extra)


def _execute(
    argv: list[str],
    extra: Mapping[str, str],
    timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
) -> str:
    _require_programs(argv[:1])
    command = shlex.join(argv)
    try:
        done = subprocess.run(
            argv,
            env=_environment(extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{command}: no answer within {timeout_seconds:g} seconds") from None
    except subprocess.CalledProcessError as error:
        failed = f"{command}: exit status {error.returncode}"
        raise ClusterError(f"{failed}\n{error.stderr.strip()}") from None
    return done.stdout


def _argv(pid: int) -> list[bytes]:
    """The words of the process's command line; none for a zombie or no process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _started_ticks(pid: int) -> int | None:
    """When the process was started, in clock ticks since the machine was; None for no process.

    The program that it runs may change afterwards, this does not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is a name in brackets that may hold anything; the start is the 22nd.
    return int(stat.rpartition(")")[2].split()[19])


def _sees_our_root(pid: int) -> bool:
    """Whether `/` is the same folder for the process as for this one."""
    try:
        return Path(f"/proc/{pid}/root").samefile("/")
    except OSError:
        return False


def _wait_until(condition: Callable[[], bool], complaint: str) -> None:
    give_up_at = time.monotonic() + COMMAND_TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > give_up_at:
            raise ClusterError(complaint)
        time.sleep(POLL_SECONDS)


def _tail(path: Path, lines_max: int = 20) -> str:
    lines = [line for line in path.read_text(errors="replace").splitlines() if line]
    return "\n".join(lines[-lines_max:])


# The commands


def _start(args: argparse.Namespace) -> int:
    began_at = time.monotonic()
    pools = args.pool or [DEFAULT_POOL]
    shape = Shape(args.osds, args.mgr, args.cephfs)
    cluster = ThrowawayCluster(
        args.dir, port=args.port, pools=pools, outlives_parent=True, shape=shape
    )
    cluster.start()
    this, folder = shlex.quote(sys.argv[0]), shlex.quote(str(cluster.folder))
    print(f"""\
Started a throwaway Ceph cluster in {time.monotonic() - began_at:.1f} seconds.
    folder    {cluster.folder}
    monitor   {cluster.monitors[0]}
    pools     {" ".join(cluster.pools)}
    keyring   {cluster.keyring}
Use it:   eval "$(python3 {this} env --dir {folder})"
Stop it:  python3 {this} stop --dir {folder}""")
    return 0


def _env(args: argparse.Namespace) -> int:
    for name, value in ThrowawayCluster.attach(args.dir).environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _status(args: argparse.Namespace) -> int:
    """Print what runs; the exit status is 0 if all does."""
    cluster = ThrowawayCluster.attach(args.dir)
    print(f"monitor   {cluster.monitors[0]}")
    pids = {daemon: cluster.pids(daemon) for daemon in cluster.daemons}
    for daemon, found in pids.items():
        print(f"{daemon}  {f'runs (process {found[0]})' if found else 'does not run'}")
    if pids[MON]:
        print(f"health    {cluster.run('health').strip()}")
    return 0 if all(pids.values()) else 1


def _stop(args: argparse.Namespace) -> int:
    if not args.dir.exists():
        print(f"nothing to stop: {args.dir} does not exist")
        return 0
    ThrowawayCluster.attach(args.dir).stop()
    print(f"stopped, and removed {args.dir}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run a throwaway Ceph cluster on loopback.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    start = commands.add_parser("start", help="make a cluster and leave it running")
    start.add_argument("--dir", type=Path, help="folder for everything (default: a new one)")
    start.add_argument("--port", type=int, help="first of ten ports in a row (default: free ones)")
    start.add_argument("--pool", action="append", metavar="NAME", help="pool (default: journal)")
    start.add_argument("--mgr", action="store_true", help="with a manager")
    start.add_argument(
        "--cephfs", default="", metavar="NAME", help="with a manager and this file system"
    )
    start.add_argument("--osds", type=int, default=1, help="how many OSDs (default: 1)")
    start.set_defaults(command=_start)
    for command, summary in (
        (_env, "print the variables that lead clients to the cluster, for a shell to eval"),
        (_status, "print what runs"),
        (_stop, "end the cluster and remove its folder"),
    ):
        other = commands.add_parser(command.__name__.lstrip("_"), help=summary)
        other.add_argument("--dir", type=Path, required=True, help="folder of the cluster")
        other.set_defaults(command=command)
    return parser


def main() -> int:
    """Run one command, and return the exit status."""
    args = _parser().parse_args()
    try:
        return int(args.command(args))
    except (ClusterError, OSError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
