"""README.md, followed line by line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster import ThrowawayCluster

README = (Path(__file__).parent.parent / "README.md").read_text()


def section(title: str) -> str:
    """What stands under a heading, up to the next of its rank."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a script for the shell prints, which ends at the first line that fails."""
    (bin_folder := folder / "bin").mkdir(exist_ok=True)
    program = bin_folder / "csijournal"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m csijournal "$@"\n')
    program.chmod(0o700)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CEPH", "CSIJOURNAL"))}
    own = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(
        ["/bin/bash", "-euc", script],
        env=kept | own | dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.ceph
def test_the_section_on_ceph_works_line_by_line_with_the_user_that_it_makes(
    tmp_path: Path,
) -> None:
    with ThrowawayCluster(tmp_path / "ceph", pools=["rbd", "cephfs_metadata"]) as cluster:
        user, commands = blocks(section("On your Ceph cluster"), "sh")
        environment = {"CEPH_CONF": str(cluster.conf)}
        cluster.run("osd", "pool", "application", "enable", "rbd", "rbd")
        run(user.replace("/etc/ceph/", f"{cluster.folder}/"), tmp_path, environment)
        keyring = cluster.folder / "ceph.client.csijournal.keyring"
        assert keyring.stat().st_mode & 0o777 == 0o600

        # The same places, by the same user, before anything is listed.
        places = [line.partition(" list")[0] for line in commands.splitlines()]
        assert len(places) == 3
        run("\n".join(f"{place} ensure snap" for place in places), tmp_path, environment)
        listed = run(commands, tmp_path, environment)
        compared = f"{places[0]} verify --settle 1s --require rbd"
        assert "compared with 0 images" in run(compared, tmp_path, environment)

    assert listed.count("snap") == 3


def test_the_commands_of_the_story_work(tmp_path: Path) -> None:
    (story,) = blocks(section("What it is for"), "console")
    commands = re.findall(r"^\$ (.*)$", story, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["ensure", "add", "list", "undo"]

    said = run("\n".join(["csijournal ensure groupsnapshot-43", *commands]), tmp_path, {})

    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
    last = [line for line in story.splitlines() if line.startswith(("undone", "removed"))]
    assert [uuid.sub("", line) for line in said.splitlines()[-len(last) :]] == [
        uuid.sub("", line) for line in last
    ]


def test_the_programs_of_the_story_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    programs = blocks(section("What it is for"), "python")

    assert len(programs) == 2
    for program in programs:
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102 - our own text

    assert (tmp_path / "journal.db").exists()


def test_installing_keeps_clear_of_the_clone_and_of_other_pythons() -> None:
    (lines,) = blocks(section("Install"), "sh")

    made = re.search(r"^(\S+) -m venv (.*) (\S+)$", lines, re.MULTILINE)
    assert made is not None
    assert made[1] == "/usr/bin/python3"
    assert made[2].split() == ["--clear", "--system-site-packages"]
    assert made[3].startswith("~/")
    assert made[3] != "~/csijournal"
