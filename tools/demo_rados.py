#!/usr/bin/env python3
"""The demo on a real Ceph cluster, which is started for it and gone afterwards.

Needs what tools/cluster.py needs, and the command csijournal in PATH: `make demo-rados` sees to
both.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cluster import ClusterError, ThrowawayCluster

DEMO = Path(__file__).with_name("demo.sh")
NAME = "groupsnapshot-44"
DIRECTORY = "csi.groups.default"
GROUP = "csi.volume.group."


class Stage:
    """Shows commands and what they print, on the cluster that the variables lead to."""

    def __init__(self, cluster: ThrowawayCluster) -> None:
        self._pool = cluster.pools[0]
        # The configuration file is all that csijournal, ceph and rados are told.
        self._variables = {
            "CSIJOURNAL_STORE": f"rados://{self._pool}",
            "CEPH_CONF": str(cluster.conf),
        }
        self._environment = _without_settings(os.environ) | self._variables

    def say(self, text: str) -> None:
        bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
        print(f"\n{bold}# {text}{plain}", flush=True)

    def show_variables(self) -> None:
        for name, value in self._variables.items():
            print(f"$ export {name}={shlex.quote(value)}", flush=True)

    def run(self, *command: str) -> None:
        print(f"$ {shlex.join(command)}", flush=True)
        self.run_quietly(*command)

    def run_quietly(self, *command: str) -> None:
        subprocess.run(command, env=self._environment, check=True)

    def rados(self, *command: str) -> None:
        self.run("rados", "-p", self._pool, *command)

    def group_objects(self) -> list[str]:
        """The objects of volume groups in the pool."""
        listing = subprocess.run(
            ["rados", "-p", self._pool, "ls"],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return [name for name in listing.stdout.splitlines() if name.startswith(GROUP)]


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what leads to some other cluster or journal."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("CEPH_", "CSIJOURNAL_"))
    }


def show(stage: Stage) -> None:
    """The demo, and then what a reservation is made of."""
    stage.say("Where the journal lies is said once; all of the demo then runs on the cluster")
    stage.show_variables()
    stage.run_quietly(str(DEMO))

    stage.say("So much for what a driver sees. What lies in the pool while a reservation stands?")
    before = set(stage.group_objects())
    stage.run("csijournal", "ensure", NAME)
    stage.run("csijournal", "add", NAME, "volume-a=snapshot-a", "volume-b=snapshot-b")
    stage.rados("ls")

    stage.say("The directory: its omap maps each request name to the UUID that answers for it")
    stage.rados("listomapvals", DIRECTORY)

    stage.say("The group: its omap has whose it is, its name, when it was made, and its members")
    for group_object in sorted(set(stage.group_objects()) - before):
        stage.rados("listomapvals", group_object)

    stage.say("After the undo neither the entry nor the object is left")
    stage.run("csijournal", "undo", NAME)
    stage.rados("listomapvals", DIRECTORY)
    stage.rados("ls")


def main() -> int:
    """Run the demo; return the exit status."""
    if shutil.which("csijournal") is None:
        print("demo: no csijournal in PATH; try: make demo-rados", file=sys.stderr)
        return 1
    print("Starting a Ceph cluster for this demo: a monitor and an OSD, on loopback", flush=True)
    try:
        with ThrowawayCluster() as cluster:
            show(Stage(cluster))
    except ClusterError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"demo: {shlex.join(error.cmd)} failed", file=sys.stderr)
        return 1
    print("\nThe cluster is stopped, and its folder removed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
