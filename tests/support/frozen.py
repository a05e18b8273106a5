"""A caller in a process of its own that is frozen in the middle of a reservation."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from csijournal import VolumeGroupJournal
from csijournal.errors import CSIJournalError
from csijournal.wire.schema import GROUPS
from support.places import Place
from support.processes import Opener, opener_of, start
from support.wrapping import Call, WrappingStore

GRACE_SECONDS = 0.2
"""The caller's own grace time: it sleeps for longer."""
_WAIT_SECONDS = 30
"""Far more than a process needs to get there on a busy machine."""


@dataclass(frozen=True)
class Caller:
    """What a caller reserves, and where it stops: before or after it writes the entry."""

    request_name: str
    lease_size: int
    chosen_uuid: str | None = None
    stops: str = "before"


class FreezingStore(WrappingStore):
    """Stops the whole process at the first entry, until somebody continues it."""

    stops = "before"
    frozen = False

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        enters = call.write is not None and any(map(GROUPS.request_name_of_entry, call.write.puts))
        if enters and self.stops == "before":
            self._freeze()
        yield
        if enters and self.stops == "after":
            self._freeze()

    def _freeze(self) -> None:
        if not self.frozen:
            self.frozen = True
            os.kill(os.getpid(), signal.SIGSTOP)


class FrozenCaller:
    """The running process of a caller, from here."""

    def __init__(self, place: Place, caller: Caller) -> None:
        self.caller = caller
        self._answers, theirs = Pipe(duplex=False)
        self._process = start(_reserve, opener_of(place), caller, theirs)
        theirs.close()

    def wait_until_frozen(self) -> None:
        """Wait until the system says that it is stopped."""
        until = time.monotonic() + _WAIT_SECONDS
        stat = Path(f"/proc/{self._process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < until, f"{self.caller} did not stop"
            time.sleep(0.01)

    def wake(self) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def answer(self) -> tuple[str, str]:
        """The UUID that it was told, or "" and the name of its error."""
        assert self._answers.poll(_WAIT_SECONDS), f"{self.caller} did not come back"
        uuid, error = self._answers.recv()
        self._process.join(_WAIT_SECONDS)
        assert self._process.exitcode == 0
        return uuid, error

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._answers.close()


def _reserve(opener: Opener, caller: Caller, answers: Connection) -> None:
    with opener() as store:
        freezing = FreezingStore(store)
        freezing.stops = caller.stops
        journal = VolumeGroupJournal(
            freezing, lease_size=caller.lease_size, grace_seconds=GRACE_SECONDS
        )
        try:
            made = journal.reserve_name(caller.request_name, uuid=caller.chosen_uuid)
        except CSIJournalError as error:
            answers.send(("", type(error).__name__))
        else:
            answers.send((made.group_uuid, ""))
        journal.close()
