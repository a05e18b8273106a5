"""Configuration files of any content: a documented exit code, no bug, and no key in a message.

Each command line fails before any cluster is reached: its keyring is missing, or
nobody listens where its monitors should be.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.conftest import CLI, COMMAND
from csijournal.cli.exit_codes import exit_code_rows
from csijournal.cli.run import run
from support.altering import altered

BUG = 70
REFUSED = {int(code) for code, _meaning in exit_code_rows()} - {0, 1, BUG}
CLUSTER_ID = "site1"
HANDLE = "0001-0005-site1-0000000000000001-8857a21c-fc4f-4577-98f4-a7b5f055388e"
SECRET = base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + b"secret-secret-se").decode()
"""As Ceph writes a key: its type, its time, its length, and then its bytes."""
KEYRING = f'[client.admin]\n\tkey = {SECRET}\n\tcaps mon = "allow *"\n'.encode()
NOWHERE = ["-m", "127.0.0.1:1", "--timeout", "0.05"]

CONFIG: list[Any] = [
    {
        "clusterID": CLUSTER_ID,
        "monitors": ["127.0.0.1:1"],
        "rbd": {"radosNamespace": "one"},
        "cephFS": {"radosNamespace": "csi", "subvolumeGroup": "csi"},
    },
    {"clusterID": "site2", "monitors": ["127.0.0.1:1", "127.0.0.2:1"]},
]
MAPPING: list[Any] = [
    {
        "clusterIDMapping": {CLUSTER_ID: "site2"},
        "RBDPoolIDMapping": [{"1": "2"}],
        "CephFSFscIDMapping": [{"3": "4"}],
    },
    {"clusterIDMapping": {"site2": "site3"}, "RBDPoolIDMapping": [{"2": "7"}]},
]


@pytest.fixture
def cli(tmp_path: Path) -> CLI:
    return CLI(tmp_path)


commands = st.sampled_from(
    [["list", "-p", "pool"], ["verify", "-p", "pool"], ["show", HANDLE], ["check", "a", "-p", "b"]]
)
outputs = st.sampled_from([[], ["-o", "json"]])


def refused(words: list[str]) -> str:
    """What a command line said that was refused, with a code that is documented."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    said = out.getvalue() + err.getvalue()
    require_refused(code, said)
    return said


def require_refused(code: int, said: str) -> None:
    """A documented exit code, and words that can be printed and hold no key."""
    assert code in REFUSED, (code, said)
    assert "Traceback" not in said
    assert said.replace("\n", "").isprintable(), said
    assert SECRET[-20:] not in said


def broken(data: st.DataObject, good: bytes) -> bytes:
    """A file with some bytes replaced, put in or cut off; or of any bytes."""
    if data.draw(st.integers(0, 3), "whole") == 0:
        return data.draw(st.binary(max_size=80), "bytes")
    start = data.draw(st.integers(0, len(good)), "start")
    end = data.draw(st.integers(start, min(len(good), start + 12)), "end")
    middle = data.draw(st.binary(max_size=6) | st.sampled_from([b"\0", b"\xff", b"[", b"\n"]))
    rest = good[end:] if data.draw(st.booleans(), "rest") else b""
    return good[:start] + middle + rest


def json_file(data: st.DataObject, good: list[Any]) -> bytes:
    if data.draw(st.booleans(), "as bytes"):
        return broken(data, json.dumps(good).encode())
    coding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), "coding")
    return json.dumps(altered(data, good)).encode(coding)


@contextlib.contextmanager
def file_of(content: bytes) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(content)
        yield str(path)


def test_files_as_they_should_be_are_not_what_is_refused() -> None:
    with (
        file_of(json.dumps(CONFIG).encode()) as config,
        file_of(json.dumps(MAPPING).encode()) as mapping,
        file_of(KEYRING) as keyring,
        file_of(SECRET.encode()) as key,
    ):
        files = ["--csi-config", config, "--cluster-mapping", mapping]
        assert "there is no keyring" in refused(["show", HANDLE, *files, "-k", "missing"])
        for login in (["-k", keyring], ["--keyfile", key]):
            said = refused(["list", "-p", "pool", *NOWHERE, *login])
            assert "no monitor answered" in said, said


@settings(max_examples=200, deadline=None)
@given(data=st.data(), command=commands, output=outputs)
def test_any_config_json_is_used_or_refused(
    data: st.DataObject, command: list[str], output: list[str]
) -> None:
    with file_of(json_file(data, CONFIG)) as path:
        cluster = data.draw(st.sampled_from([["--cluster-id", CLUSTER_ID], []]), "cluster")
        refused([*command, *output, *cluster, "--csi-config", path, "-k", f"{path}.missing"])


@settings(max_examples=200, deadline=None)
@given(data=st.data(), output=outputs)
def test_any_cluster_mapping_is_used_or_refused(data: st.DataObject, output: list[str]) -> None:
    with file_of(json_file(data, MAPPING)) as path, file_of(json.dumps(CONFIG).encode()) as config:
        more = data.draw(st.sampled_from([["--csi-config", config], NOWHERE]), "more")
        words = ["show", HANDLE, *output, "--cluster-mapping", path, *more]
        refused([*words, "-k", f"{path}.missing"])


@settings(max_examples=100, deadline=None)
@given(data=st.data(), command=commands, output=outputs)
def test_any_key_file_is_used_or_refused_and_never_told(
    data: st.DataObject, command: list[str], output: list[str]
) -> None:
    with file_of(broken(data, SECRET.encode())) as path:
        refused([*command, *output, *NOWHERE, "--keyfile", path])


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), command=commands, output=outputs)
def test_any_keyring_is_used_or_refused_and_never_told(
    cli: CLI, data: st.DataObject, command: list[str], output: list[str]
) -> None:
    """librados itself reads a keyring, so that each has a process of its own."""
    with file_of(broken(data, KEYRING)) as path:
        words = [*command, *output, *NOWHERE, "-k", path]
        process = subprocess.run(
            [*COMMAND, *words], env=cli.environment, capture_output=True, timeout=60, check=False
        )
        require_refused(process.returncode, (process.stdout + process.stderr).decode())
