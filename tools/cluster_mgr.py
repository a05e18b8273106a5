"""What a throwaway cluster may have beside one monitor and one OSD.

A manager, a metadata server with a file system as Ceph-CSI expects it, and
several OSDs.  `cluster.py` starts the daemons and holds the folder; here are
their settings, users and files, and how to wait until they serve.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MGR = "ceph-mgr"
MDS = "ceph-mds"
PACKAGES = {MGR: "ceph-mgr and ceph-mgr-modules-core", MDS: "ceph-mds"}
INSTALL_MORE = " ceph-mgr ceph-mgr-modules-core ceph-mds"

BEACONS_SECONDS = 2.5
"""Within this time the monitor knows of each client that the manager has: two of its ticks."""

SUBVOLUME_GROUP = "csi"
"""Where Ceph-CSI puts its subvolumes unless told otherwise."""

# Debian installs 28 modules. Each is a Python interpreter of its own with its own imports: all of
# them take the manager 8 seconds, these 2. `volumes` has the `fs subvolume` commands, and needs
# `orchestrator`; `rbd_support` has RBD's trash purge schedules and tasks.
MODULES_FOLDER = Path("/usr/share/ceph/mgr")
MODULES = ("volumes", "orchestrator", "rbd_support", "mgr_module.py", "mgr_util.py")

MGR_CONF = """
[mgr]
mgr_data = {folder}/mgr
mgr_module_path = {folder}/mgr/modules
osd_pool_default_size = {copies}
mgr_tick_period = 1
"""

MDS_CONF = """
[mds]
mds_data = {folder}/mds
mds_cache_memory_limit = 67108864
# Who waits for what another client changed waits for the log of that to be written, which some
# calls leave to the next tick: 5 seconds otherwise.
mds_tick_interval = 0.2
"""

# An OSD that was killed is reported by the others at once. One that is frozen is reported when it
# has not answered for 5 seconds (20 otherwise), by both others: a frozen one that wakes up believes
# for a moment that the others are gone.
FAILURE_CONF = """
[mon.a]
osd_heartbeat_grace = 5
mon_osd_adjust_heartbeat_grace = false
mon_osd_min_down_reporters = 2
mon_osd_reporter_subtree_level = osd
"""

OSD_CONF = """
[osd.{number}]
osd_data = {folder}/{data}
osd_uuid = {osd_uuid}
osd_heartbeat_grace = 5
osd_heartbeat_interval = 1
# Before another OSD answers for this one, the read lease of this one runs out: after 2 seconds.
osd_pool_default_read_lease_ratio = 0.4
"""

MGR_USER = """\
[mgr.x]
    key = {key}
    caps mon = "allow profile mgr"
    caps osd = "allow *"
    caps mds = "allow *"
"""

MDS_USER = """\
[mds.a]
    key = {key}
    caps mon = "allow profile mds"
    caps osd = "allow rwx"
    caps mds = "allow *"
    caps mgr = "allow profile mds"
"""

OSD_USER = """\
[osd.{number}]
    key = {key}
    caps mon = "allow profile osd"
    caps mgr = "allow profile osd"
    caps osd = "allow *"
"""

Run = Callable[..., str]
"""Runs the `ceph` tool with these arguments, and returns what it prints."""


class Shape(NamedTuple):
    """What a cluster consists of.

    With several OSDs, pools have as many copies as there are OSDs, at most
    three, and take writes while one OSD is missing.  `filesystem` is the name
    of the CephFS, if there is to be one; it brings the manager and the metadata
    server with it.
    """

    osds: int = 1
    manager: bool = False
    filesystem: str = ""

    @property
    def has_manager(self) -> bool:
        return self.manager or bool(self.filesystem)

    @property
    def copies(self) -> int:
        return min(self.osds, 3)

    @property
    def osd_daemons(self) -> list[str]:
        return [osd_daemon(number) for number in range(self.osds)]

    @property
    def companions(self) -> list[str]:
        """The daemons beside the monitor and the OSDs."""
        return [MGR] * self.has_manager + [MDS] * bool(self.filesystem)

    @property
    def ports(self) -> int:
        """How many ports the daemons take: one each, but four an OSD; some in reserve."""
        return 10 + 5 * (self.osds - 1)


def osd_daemon(number: int) -> str:
    """How an OSD is called among the daemons; the first one has no number."""
    return f"ceph-osd.{number}" if number else "ceph-osd"


def data_folder(daemon: str) -> str:
    """The name of the daemon's folder in the cluster's."""
    return daemon.removeprefix("ceph-").replace(".", "-")


def conf_text(shape: Shape, folder: Path, new_uuid: Callable[[], object]) -> str:
    """The part of the configuration for what is in `shape` beside one OSD."""
    text = ""
    if shape.osds > 1:
        text = FAILURE_CONF + "".join(
            OSD_CONF.format(
                number=number, folder=folder, data=data_folder(name), osd_uuid=new_uuid()
            )
            for number, name in enumerate(shape.osd_daemons)
        )
    if shape.has_manager:
        text += MGR_CONF.format(folder=folder, copies=shape.copies)
    if shape.filesystem:
        text += MDS_CONF.format(folder=folder)
    return text


def users(shape: Shape, new_key: Callable[[], str]) -> dict[str, str]:
    """Daemons to their users, each as the monitor's first keyring has it."""
    found = {
        osd_daemon(number): OSD_USER.format(number=number, key=new_key())
        for number in range(1, shape.osds)
    }
    if shape.has_manager:
        found[MGR] = MGR_USER.format(key=new_key())
    if shape.filesystem:
        found[MDS] = MDS_USER.format(key=new_key())
    return found


def link_modules(folder: Path) -> None:
    """Let the manager in `folder` load the modules that are needed, and no others."""
    (folder / "modules").mkdir()
    for name in MODULES:
        (folder / "modules" / name).symlink_to(MODULES_FOLDER / name)


def osd_trouble(run: Run, count: int) -> str:
    """Say what is wrong while fewer than `count` OSDs are up."""
    up = json.loads(run("osd", "stat", "--format", "json"))["num_up_osds"]
    return "" if up >= count else f"of {count} OSDs only {up} are up"


def manager_trouble(run: Run) -> str:
    """Say what is wrong while no manager serves: until then, commands for it wait forever."""
    known = json.loads(run("mgr", "dump", "--format", "json"))
    if known["available"]:
        return ""
    return f"the manager is not available (active: {known['active_name'] or 'none'})"


def metadata_server_trouble(run: Run) -> str:
    """Say what is wrong while no metadata server serves the file system."""
    ranks = json.loads(run("fs", "dump", "--format", "json"))["filesystems"][0]["mdsmap"]["info"]
    states = [rank["state"] for rank in ranks.values()]
    return "" if "up:active" in states else f"no metadata server is active (states: {states})"


def group_trouble(run: Run, filesystem: str) -> str:
    """Make Ceph-CSI's subvolume group, or say what is wrong.

    The manager may say for a moment that its module is not loaded, or fail to
    mount the file system.
    """
    try:
        run("fs", "subvolumegroup", "create", filesystem, SUBVOLUME_GROUP)
    except Exception as error:  # noqa: BLE001 - the caller knows its kind, and shows it
        return str(error)
    return ""
