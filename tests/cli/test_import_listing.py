from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cli.conftest import CLI, UUID
from cluster import ThrowawayCluster
from csijournal import SnapshotJournal, VolumeJournal
from csijournal.store import Store, Write
from csijournal.store.rados.pool import RADOSStore
from csijournal.store.sqlite import SQLiteStore
from support.rados_text import listing

POOL = "listed"
COPY = "sqlite:copy.db"
VOLUME = f"csi.volume.{UUID}"
TEXT = (
    "$ rados -p replicapool listomapvals csi.volumes.default\n"
    + listing({b"csi.volume.pvc-1": UUID.encode()})
    + f"$ rados -p replicapool listomapvals {VOLUME}\n"
    + listing({b"csi.volname": b"pvc-1", b"csi.imagename": f"csi-vol-{UUID}".encode()})
)
DANGLING = TEXT[: TEXT.rindex("$ ")]


def ticket(cli: CLI, text: str = TEXT, name: str = "ticket.txt") -> str:
    path = cli.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.fixture
def copy(cli: CLI) -> CLI:
    """A copy that holds an entry whose record nobody listed."""
    cli("import-listing", ticket(cli, DANGLING), "--to", "j.jsonl")
    cli("--store", COPY, "restore", "j.jsonl", "--apply")
    return cli


def test_a_ticket_becomes_an_archive_that_restore_puts_into_a_file(cli: CLI) -> None:
    result = cli("import-listing", ticket(cli), "--to", "j.jsonl")

    assert "1 record in replicapool, and 1 directory object" in result.err
    assert "what a listing does not tell: the empty key" in result.err
    assert json.loads((cli.folder / "j.jsonl").read_text().splitlines()[0])["format"] == 2
    cli("--store", COPY, "restore", "j.jsonl", "--apply")
    shown = cli("--store", COPY, "show", "pvc-1", "-o", "json").json
    assert (shown["uuid"], shown["image_name"]) == (UUID, f"csi-vol-{UUID}")
    assert cli("--store", COPY, "list", "--journal", "volumes", "-o", "json").json["uuid"] == UUID


def test_a_folder_is_read_with_all_that_is_below_it(cli: CLI) -> None:
    (cli.folder / "gathered").mkdir()
    (cli.folder / "gathered" / "core.gz").write_bytes(bytes(range(256)) * 40)
    ticket(cli, TEXT, "gathered/logs/a/ticket.txt")

    said = cli("import-listing", "gathered", "--to", "j.jsonl", "-o", "json").json

    assert (said["pool"], said["records"], said["problems"]) == ("replicapool", 1, [])


def test_the_archive_goes_to_standard_output_and_the_text_comes_from_standard_input(
    cli: CLI,
) -> None:
    result = cli("import-listing", "-", stdin=TEXT)

    assert '"object": "csi.volumes.default"' in result.out
    assert result.lines[-1].startswith('{"lines": ')


def test_what_cannot_be_read_is_exit_code_1_and_names_file_and_line(cli: CLI) -> None:
    cut = TEXT[: TEXT.rindex("70 76 63")]

    result = cli("import-listing", ticket(cli, cut), "--to", "j.jsonl", code=1)

    assert "ticket.txt, line" in result.err
    assert "bytes are there; it is left out" in result.err


def test_several_pools_need_the_one_that_is_meant(cli: CLI) -> None:
    path = ticket(cli, TEXT + TEXT.replace("replicapool", "other"))

    said = cli.refused("import-listing", path, "--to", "j.jsonl", code=4)
    assert "there are listings of 2 places: replicapool, other" in said
    assert not (cli.folder / "j.jsonl").exists()
    cli("-p", "other", "import-listing", path, "--to", "j.jsonl")


@pytest.mark.parametrize(
    ("text", "code", "said"), [("nothing here\n", 3, "no listing of a journal's object was found")]
)
def test_a_text_without_a_listing_is_refused(cli: CLI, text: str, code: int, said: str) -> None:
    assert said in cli.refused("import-listing", ticket(cli, text), code=code)


def test_a_missing_file_is_refused(cli: CLI) -> None:
    assert "cannot be read" in cli.refused("import-listing", "missing.txt")


def test_nothing_in_a_copy_is_repaired_unless_it_is_told_that_nothing_is_behind(copy: CLI) -> None:
    look = ("--store", COPY, "verify", "--full", "--grace", "0s", "-o", "json")
    repair = ("--store", COPY, "repair", "--full", "--grace", "0s", "--apply")

    finding, summary = (json.loads(line) for line in copy(*look, code=1).lines)
    assert finding["kind"] == "dangling-entry"
    assert finding["automatic"] is False
    assert "but a copy" in finding["left_because"]
    assert summary["summary"]["stands_alone"] is False
    copy(*repair, code=1)
    assert copy("--store", COPY, "list", "--journal", "volumes").out

    copy(*repair, "--assume-nothing-behind", "--backup", "b.jsonl")
    assert "pvc-1" not in copy("--store", COPY, "list", "--journal", "volumes").out


def test_what_can_be_looked_at_is_never_assumed_gone(cli: CLI) -> None:
    """A file of a driver without images stands alone, with the option and without."""
    cli("reserve", "group-1")

    cli("verify", "--assume-nothing-behind")


def test_a_listing_does_not_go_into_a_journal_of_its_own(cli: CLI) -> None:
    cli("reserve", "group-1")
    cli("import-listing", ticket(cli), "--to", "j.jsonl")
    before = cli.dump()

    said = cli("restore", "j.jsonl", "--apply", code=4).err

    assert "holds a journal of its own" in said
    assert cli.dump() == before


def test_more_can_be_put_into_a_copy(copy: CLI) -> None:
    copy("import-listing", ticket(copy), "--to", "k.jsonl")

    copy("--store", COPY, "restore", "k.jsonl", "--apply")

    assert copy("--store", COPY, "check", "--journal", "volumes", "pvc-1").out


# What rados itself prints


@pytest.fixture(scope="module")
def listed(ceph: ThrowawayCluster) -> ThrowawayCluster:
    ceph.create_pool(POOL, application="rbd")
    with store(ceph) as opened:
        with VolumeJournal(opened, lease_size=0) as volumes:
            volumes.reserve_name("pvc-1", owner="team-a", kms_id="vault", encryption_type="block")
            volumes.reserve_name("pvc-ü", "prefix-")
        with SnapshotJournal(opened, lease_size=0, owner_key="") as snapshots:
            snapshots.reserve_name("snapshot-1", source_name="csi-vol-1", owner="team-a")
        opened.write(Write(VOLUME, puts={"csi.volname": b"\0" * 100 + b"x", "csi.a\tb": b""}))
    return ceph


def store(cluster: ThrowawayCluster) -> Store:
    return RADOSStore(POOL, "", conf=str(cluster.conf), name="client.admin", timeout_seconds=30)


def rados(cluster: ThrowawayCluster, *words: str) -> str:
    return subprocess.run(
        ["rados", "-p", POOL, *words],
        env=os.environ | cluster.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.ceph
def test_what_rados_prints_of_a_pool_comes_back_byte_for_byte(
    listed: ThrowawayCluster, cli: CLI, tmp_path: Path
) -> None:
    with store(listed) as opened:
        before = {name: opened.read_object(name) or {} for name in opened.object_names("csi.")}
    folder = tmp_path / "listings"
    folder.mkdir()
    for name in before:
        (folder / name).write_text(rados(listed, "listomapvals", name))
    snapshot = next(name for name in before if name.startswith("csi.snap."))
    empty = rados(listed, "getomapval", snapshot, "")
    (folder / "ticket").write_text(f"$ rados -p {POOL} getomapval {snapshot} ''\n{empty}")

    cli("import-listing", str(folder / "ticket"), "--to", "a.jsonl")
    (folder / "ticket").unlink()
    cli("import-listing", str(folder), "--to", "b.jsonl")
    for file in ("b.jsonl", "a.jsonl"):
        cli("--store", COPY, "restore", file, "--apply")

    with SQLiteStore(cli.folder / "copy.db") as copied:
        assert {name: copied.read_object(name) for name in copied.object_names()} == before
