"""Control-C is heard while a store waits for daemons that are silent."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal.store import Write
from csijournal.store.rados.interruptible import Interruptible
from csijournal.store.rados.pool import RADOSStore

PROGRAM = """
import sys
from csijournal.store import KeyEquals, Write
from csijournal.store.rados.pool import RADOSStore
store = RADOSStore(sys.argv[1], "interrupt", conf=sys.argv[2], timeout_seconds=float(sys.argv[3]))
if sys.argv[4] == "connected":
    store.connect()
print("ready", flush=True)
sys.stdin.readline()
try:
    with store:
        print("waits", flush=True)
        {call}
except KeyboardInterrupt:
    print("heard", flush=True)
"""
CALLS = {
    "keys": "store.read_keys('o', ['k'])",
    "page": "store.read_page('o')",
    "object": "store.read_object('o', sentinel='k')",
    "objects": "list(store.read_objects(['o'] * 200))",
    "state": "store.read_state('o')",
    "time": "store.modified_ns('o')",
    "names": "list(store.object_names())",
    "write": "store.write(Write('o', puts={'k': b'2'}))",
    "guarded": "store.write(Write('o', guards=(KeyEquals('k', 'ü'.encode()),), deletions=['k']))",
}
HEARD_SECONDS_MAX = 10.0
"""Well below the 30 s of a call that does not hear it; a busy machine may need some seconds."""


class Waiting:
    """A process that makes a call when told to, and is interrupted in it."""

    def __init__(self, ceph: ThrowawayCluster, call: str, timeout: str, state: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(call=call), POOL, str(ceph.conf), timeout, state],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._expect("ready\n")

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._expect("waits\n")

    def interrupt(self) -> tuple[str, float]:
        """What it said, and how long it took to end."""
        self.process.send_signal(signal.SIGINT)
        started = time.monotonic()
        try:
            out, error = self.process.communicate(timeout=20)
        finally:
            self.process.kill()
        return out + error + str(self.process.returncode), time.monotonic() - started

    def _expect(self, line: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == line


@pytest.mark.ceph
@pytest.mark.parametrize("timeout", ["30", "0"])
def test_control_c_is_heard_while_the_osd_is_silent(ceph: ThrowawayCluster, timeout: str) -> None:
    with RADOSStore(POOL, "interrupt", conf=ceph.conf) as store:
        store.write(Write("o", puts={"k": "ü".encode()}))
    waiting = {what: Waiting(ceph, call, timeout, "connected") for what, call in CALLS.items()}
    ceph.pause_osd()
    try:
        for one in waiting.values():
            one.begin()
        time.sleep(0.5)
        ends = {what: one.interrupt() for what, one in waiting.items()}
    finally:
        ceph.kill_osd()
        ceph.start_osd()
    for what, (said, seconds) in ends.items():
        assert (what, said) == (what, "heard\n0")
        assert seconds < HEARD_SECONDS_MAX, what


@pytest.mark.ceph
@pytest.mark.parametrize("timeout", ["30", "0"])
def test_control_c_is_heard_while_the_monitor_is_silent(
    ceph: ThrowawayCluster, timeout: str
) -> None:
    calls = {
        "connect": ("store.connect()", "new"),
        "ask": ("store.session.mon_command('fs ls')", "connected"),
    }
    waiting = {what: Waiting(ceph, call, timeout, state) for what, (call, state) in calls.items()}
    ceph.pause_mon()
    try:
        for one in waiting.values():
            one.begin()
        time.sleep(0.5)
        ends = {what: one.interrupt() for what, one in waiting.items()}
    finally:
        ceph.resume_mon()
    for what, (said, seconds) in ends.items():
        assert (what, said) == (what, "heard\n0")
        assert seconds < HEARD_SECONDS_MAX, what


def test_a_call_gives_back_what_it_returns_and_raises_what_it_raises() -> None:
    calls = Interruptible()
    assert calls.call(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        calls.call(lambda: 1 // 0)
    assert calls.call(lambda: calls.call(lambda: 2)) == 2
    calls.close()


def test_a_call_that_was_left_does_not_hold_up_the_next() -> None:
    calls = Interruptible()
    left = []
    answered = threading.Event()

    def alarmed(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, alarmed)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(TimeoutError):
            calls.call(answered.wait, when_left=lambda: left.append(True))
        assert calls.call(lambda: 1) == 1, "the call that was left is still under way"
    finally:
        answered.set()
        signal.signal(signal.SIGALRM, before)
    assert left == [True]


@pytest.mark.ceph
def test_the_command_line_ends_at_control_c_while_the_osd_is_silent(
    ceph: ThrowawayCluster, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "csijournal", "-p", POOL, "-N", "interrupt", "--timeout", "0"]
    ceph.pause_osd()
    try:
        process = subprocess.Popen(
            [*command, "-c", str(ceph.conf), "verify"], stderr=subprocess.PIPE, cwd=tmp_path
        )
        time.sleep(3)  # long enough to start and to wait for the OSD
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        said = process.communicate(timeout=20)[1]
        seconds = time.monotonic() - started
    finally:
        ceph.kill_osd()
        ceph.start_osd()
    assert (process.returncode, b"interrupted" in said) == (130, True)
    assert seconds < HEARD_SECONDS_MAX
