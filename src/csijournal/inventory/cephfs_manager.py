"""Commands to the manager of a Ceph cluster, with a time limit and Control-C.

librados has neither for them.  Without an active manager, or with a frozen
one, `rados_mgr_command` waits forever; and the limit that
`rados_mon_op_timeout` sets must not be used: it returns, and an answer that
comes later is written into memory that is no longer the call's, which crashes
the process (Ceph 16.2.15).  So the call is made by a thread of its own, without
a limit, on a handle of its own; whoever waits too long leaves both.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol, cast

from csijournal.errors import (
    NotFound,
    PermissionDenied,
    StoreBusy,
    StoreError,
    StoreTimeout,
    StoreUnreachable,
)
from csijournal.store.rados.binding import BINDING_ERRORS, import_rados
from csijournal.store.rados.errors import ErrorContext, Operation, translated
from csijournal.store.rados.interruptible import Interruptible
from csijournal.store.rados.session import Session

_Answer = tuple[int, bytes, str]

_OWN_USERS = "client.csijournal"


class NotInFilesystem(NotFound):
    """The manager says that there is no such thing: its answer to a question, not a failure."""


class _Handle(Protocol):
    """A handle of librados, as far as the manager is asked by it."""

    def conf_set(self, option: str, val: str) -> None: ...
    def mgr_command(self, cmd: str, inbuf: bytes) -> _Answer: ...
    def shutdown(self) -> None: ...


class _Opened(NamedTuple):
    """A connected handle, and what shuts it down, once."""

    handle: _Handle
    shut_down: weakref.finalize[..., Manager]


class Manager:
    """The active manager, by a connection of its own, which is made at the first question.

    Once it did not answer, all further questions fail at once with the same
    error, until `reset`.  Not for several threads at once.
    """

    def __init__(self, cluster: Session, metadata_pool: str) -> None:
        self._cluster = cluster
        self._context = cluster.context(metadata_pool)
        self._opened: _Opened | None = None
        self._is_known_active = False
        self._failure: Callable[[], StoreError] | None = None

    def ask(self, prefix: str, **arguments: str) -> Any:  # noqa: ANN401 - JSON
        """What the manager answers to a command, taken from JSON.

        Raises NotInFilesystem where what was named does not exist, StoreBusy
        where it says to try later, PermissionDenied, StoreUnreachable,
        StoreTimeout and other StoreErrors.
        """
        number, answer, text = self._answer(prefix, arguments)
        if number:
            raise self._refusal(number, prefix, text)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise StoreError(f"the manager's answer to `ceph {prefix}` is not JSON") from error

    def reset(self) -> None:
        """Try again where the manager did not answer before."""
        self._failure = None
        self._is_known_active = False

    def close(self) -> None:
        """End the connection; closing twice is fine."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.shut_down()

    def _answer(self, prefix: str, arguments: Mapping[str, str]) -> _Answer:
        if self._failure is not None:
            raise self._failure()
        words = json.dumps({"prefix": prefix, "format": "json", **arguments})
        try:
            handle = self._connected()
            return self._waited(lambda: handle.mgr_command(words, b""))
        except (StoreTimeout, StoreUnreachable) as error:
            self._failure = _maker_of(error)
            raise

    def _connected(self) -> _Handle:
        if not self._is_known_active:
            self._require_active()
            self._is_known_active = True
        if self._opened is None:
            handle = self._connect()
            handle.conf_set("rados_mon_op_timeout", "0")  # see the module
            # A handle that is open when the process ends may abort it.
            closing = weakref.finalize(self, _shut_down, handle, os.getpid())
            self._opened = _Opened(handle, closing)
        return self._opened.handle

    def _connect(self) -> _Handle:
        login, rados, calls = self._cluster.login, import_rados(), Interruptible()
        try:
            return cast("_Handle", calls.call(lambda: login.connect(rados, self._context)))
        finally:
            calls.close()

    def _require_active(self) -> None:
        """Raise StoreUnreachable where the monitors know of no active manager."""
        try:
            known = self._cluster.mon_command("mgr dump")
        except PermissionDenied:
            return  # The manager may answer, or the time limit ends it.
        if not known.get("available"):
            raise StoreUnreachable(
                "the cluster has no active manager", hint="See: ceph mgr stat; ceph -s"
            )

    def _waited(self, job: Callable[[], _Answer]) -> _Answer:
        """What `job` returns, within the time limit.  An interrupted one is left."""
        seconds = self._cluster.login.timeout_seconds
        outcomes: SimpleQueue[_Answer | Exception] = SimpleQueue()
        call = _Call(job, outcomes)
        try:
            call.start()
            outcome = outcomes.get(timeout=seconds or None)
        except BaseException as error:
            call.leave(self._left())
            if isinstance(error, Empty):
                raise StoreTimeout(
                    f"the manager did not answer within {seconds:g} s",
                    hint="See: ceph -s (the manager, and the filesystem's metadata server);"
                    " or allow a longer timeout",
                ) from None
            raise
        if isinstance(outcome, Exception):
            raise self._translated(outcome) from outcome
        return outcome

    def _left(self) -> _Handle | None:
        """The handle, which is now the call's to shut down."""
        opened, self._opened = self._opened, None
        if opened is None:
            return None
        opened.shut_down.detach()
        return opened.handle

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, (import_rados().Error, *BINDING_ERRORS)):
            return translated(error, Operation.ASK, self._context)
        return error

    def _refusal(self, number: int, prefix: str, text: str) -> Exception:
        if abs(number) == errno.ENOENT:
            return NotInFilesystem(text or f"`ceph {prefix}` did not find it")
        if abs(number) == errno.EAGAIN:
            return StoreBusy(text or f"`ceph {prefix}` has to be tried later")
        if abs(number) in {errno.EPERM, errno.EACCES}:
            return PermissionDenied(
                f"{self._context.user} may not ask the manager (ceph {prefix})",
                hint=cephfs_caps_hint(self._context),
            )
        known = errno.errorcode.get(abs(number), "unknown")
        return StoreError(
            f"the manager could not do `ceph {prefix}`: {text or os.strerror(abs(number))}"
            f" (errno {abs(number)}, {known})",
            hint="Is its module there? See: ceph mgr module ls (volumes)",
        )


class _Call(threading.Thread):
    """One call; it may be left, and then ends what it used."""

    def __init__(
        self, job: Callable[[], _Answer], outcomes: SimpleQueue[_Answer | Exception]
    ) -> None:
        super().__init__(name="csijournal manager call", daemon=True)
        self._job = job
        self._outcomes = outcomes
        self._lock = threading.Lock()
        self._is_over = False
        self._handle: _Handle | None = None

    def run(self) -> None:
        outcome: _Answer | Exception
        try:
            outcome = self._job()
        except Exception as error:  # noqa: BLE001 - for the thread that waits
            outcome = error
        with self._lock:
            self._is_over = True
            left = self._handle
        self._outcomes.put(outcome)
        if left is not None:
            left.shutdown()

    def leave(self, handle: _Handle | None) -> None:
        """Nobody waits any more: shut the handle down, which must not be done under the call."""
        with self._lock:
            self._handle = handle
            if not self._is_over:
                return
        if handle is not None:
            handle.shutdown()


def _shut_down(handle: _Handle, process: int) -> None:
    """End the handle, but not in a forked child, where librados's threads are missing."""
    if os.getpid() == process:
        handle.shutdown()


def cephfs_caps_hint(context: ErrorContext) -> str:
    """The user that may compare CephFS: the smallest capabilities that suffice (Ceph 16.2.15).

    mon 'allow r' for the filesystem and whether a manager is active; the
    manager's module for subvolumes; the journal's pool.
    """
    caps = f"mon 'allow r' mgr 'allow module volumes r' osd 'allow r pool={context.pool}'"
    if context.user.startswith(_OWN_USERS):
        return (
            f"Let {context.user} do it: ceph auth caps {context.user} {caps}"
            " (this replaces what it may do now)"
        )
    own = f"{_OWN_USERS}-verify-cephfs"
    return (
        f"Give csijournal a user of its own: ceph auth get-or-create {own} {caps}"
        f" -o /etc/ceph/ceph.{own}.keyring; then name it, --name {own}"
    )


def _maker_of(error: StoreError) -> Callable[[], StoreError]:
    """Makes the same error again: one that is raised twice would carry both traces."""
    kind, message, hint = type(error), error.message, error.hint
    return lambda: kind(message, hint=hint)
