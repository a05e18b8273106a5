"""What librados's error numbers mean for a journal.

librados says little: an error number, and an exception class for some of them.
What a number means also depends on what was being done: a timeout is harmless
for a read and leaves a write's outcome open.
"""

from __future__ import annotations

import enum
import errno
import os
from dataclasses import dataclass
from typing import NamedTuple

from csijournal.errors import (
    AuthenticationFailed,
    ClientBlocked,
    OutcomeUnknown,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreTimeout,
    StoreUnreachable,
    TooLarge,
)


class Operation(enum.Enum):
    """What the client was at when it failed."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    ASK = "ask the monitors"


_OWN_USERS = "client.csijournal"
_READING_USER = f"{_OWN_USERS}-verify"


@dataclass(frozen=True)
class ErrorContext:
    """Who works where, for messages: never a key."""

    user: str
    pool: str
    namespace: str
    timeout_seconds: float

    def caps_hint(self, operation: Operation) -> str:
        """How to give csijournal a user that may do this: never the driver's own user.

        `ceph auth caps` replaces all that a user may, so it is proposed for
        users of csijournal's own alone.  The image class is readable for them
        (profile rbd-read-only), so that journals can be compared with images.
        """
        task, caps = "verify", f"profile rbd-read-only pool={self.pool}"
        if operation is Operation.WRITE:
            namespace = f" namespace={self.namespace}" if self.namespace else ""
            task, caps = "repair", f"{caps}, allow rw pool={self.pool}{namespace}"
        caps = f"mon 'allow r' osd '{caps}'"
        if self.user.startswith(_OWN_USERS) and (task, self.user) != ("repair", _READING_USER):
            return f"Let {self.user} do it: ceph auth caps {self.user} {caps}"
        own = f"{_OWN_USERS}-{task}"
        return (
            f"Give csijournal a user of its own: ceph auth get-or-create {own} {caps}"
            f" -o /etc/ceph/ceph.{own}.keyring; then name it, --name {own}"
        )


class _Meaning(NamedTuple):
    """The texts are templates over `ErrorContext`."""

    kind: type[StoreError]
    message: str
    hint: str = ""


_DENIED = _Meaning(
    PermissionDenied,
    "{context.user} may not {operation.value} in pool {context.pool}",
    "{caps}",
)
_REFUSED = _Meaning(
    AuthenticationFailed,
    "the monitors do not accept {context.user} with the key that it has",
    "Check user and key: ceph auth get {context.user};"
    " it also needs the capability mon 'allow r', and its keyring must be readable",
)
_BUSY = _Meaning(StoreBusy, "the OSD is busy with this object")
_TOO_LARGE = _Meaning(TooLarge, "the operation is larger than the OSDs take")
_FULL = _Meaning(
    StoreFull,
    "pool {context.pool} or the cluster has no room left",
    "See: ceph health detail; ceph osd pool get-quota {context.pool}",
)
_NO_OMAP = _Meaning(
    PlaceUnusable,
    "pool {context.pool} is erasure-coded, and such pools cannot hold omaps: no journal is in it",
    "Name the replicated pool: for RBD the StorageClass's `pool`, not its `dataPool`;"
    " for CephFS the metadata pool",
)
_BLOCKED = _Meaning(
    ClientBlocked,
    "this client has been blocklisted, or its connection is shut down",
    "See: ceph osd blocklist ls. The next call connects as a new client",
)
_OPEN_OUTCOME = _Meaning(
    OutcomeUnknown, "the OSD did not answer the write within {context.timeout_seconds:g} s"
)
_READ_TIMEOUT = _Meaning(
    StoreTimeout,
    "the OSD did not answer the read within {context.timeout_seconds:g} s",
    "See: ceph -s; or allow a longer timeout",
)

_MONITORS_SILENT = _Meaning(
    StoreTimeout,
    "the monitors did not answer within {context.timeout_seconds:g} s",
    "See: ceph -s; or allow a longer timeout",
)
_MONITORS_REFUSE = _Meaning(
    PermissionDenied,
    "the monitors do not let {context.user} ask this",
    "It needs the capability mon 'allow r', or mon 'profile rbd-read-only'",
)

_ANYWHERE = {
    errno.EPERM: _DENIED,
    errno.EACCES: _DENIED,
    errno.ESHUTDOWN: _BLOCKED,
    errno.ENOTCONN: _BLOCKED,
    errno.EOPNOTSUPP: _NO_OMAP,
    errno.EBUSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.E2BIG: _TOO_LARGE,
    errno.EMSGSIZE: _TOO_LARGE,
    errno.EFBIG: _TOO_LARGE,
    errno.ENAMETOOLONG: _Meaning(TooLarge, "the name is longer than the OSDs take"),
}
_MEANINGS: dict[Operation, dict[int, _Meaning]] = {
    Operation.READ: _ANYWHERE | {errno.ETIMEDOUT: _READ_TIMEOUT, errno.EINTR: _READ_TIMEOUT},
    Operation.WRITE: _ANYWHERE | {errno.ETIMEDOUT: _OPEN_OUTCOME, errno.EINTR: _OPEN_OUTCOME},
    Operation.ASK: {
        errno.EPERM: _MONITORS_REFUSE,
        errno.EACCES: _MONITORS_REFUSE,
        errno.ESHUTDOWN: _BLOCKED,
        errno.ENOTCONN: _BLOCKED,
        errno.ETIMEDOUT: _MONITORS_SILENT,
        errno.EINTR: _MONITORS_SILENT,
    },
    Operation.CONNECT: {
        errno.EPERM: _REFUSED,
        errno.EACCES: _REFUSED,
        errno.EINVAL: _Meaning(
            StoreUnreachable,
            "a monitor's address or another setting cannot be understood",
            "Check mon_host: host:port, with commas between several",
        ),
        errno.ENOENT: _Meaning(
            StoreUnreachable,
            "no monitor is known, or there is no key for {context.user}",
            "Check mon_host in the Ceph configuration, and the keyring",
        ),
        errno.ESHUTDOWN: _BLOCKED,
        errno.ETIMEDOUT: _Meaning(
            StoreUnreachable,
            "no monitor answered within {context.timeout_seconds:g} s",
            "Check that the monitors run and can be reached from here, and user and key:"
            " librados may go on looking for another monitor when one refuses them",
        ),
    },
}
_UNREACHABLE_UNLESS_KNOWN = _Meaning(StoreUnreachable, "the cluster could not be reached")
_FAILED = _Meaning(StoreError, "librados could not {operation.value} in pool {context.pool}")
_NOT_ASKED = _Meaning(StoreError, "librados could not {operation.value}")
_UNKNOWN = {
    Operation.CONNECT: _UNREACHABLE_UNLESS_KNOWN,
    Operation.READ: _FAILED,
    Operation.WRITE: _FAILED,
    Operation.ASK: _NOT_ASKED,
}


def translated(
    error: Exception, operation: Operation, context: ErrorContext, object_name: str = ""
) -> StoreError:
    """The error that says what `error`, raised by the binding, means here."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number:
        return store_error(number, operation, context, object_name)
    meaning = _UNKNOWN[operation]
    detail = f" ({type(error).__name__}: {error})"
    return _filled(meaning, detail, operation, context, object_name)


def store_error(
    number: int, operation: Operation, context: ErrorContext, object_name: str = ""
) -> StoreError:
    """The error for librados's error number, be it positive or negative."""
    number = abs(number)
    usual = _UNKNOWN[operation]
    meaning = _MEANINGS[operation].get(number, usual)
    name = errno.errorcode.get(number, "unknown")
    detail = f" ({name})" if meaning is _DENIED else ""
    if meaning is usual:
        detail = f" (errno {number}, {name}: {os.strerror(number)})"
    return _filled(meaning, detail, operation, context, object_name)


def no_osd_map(context: ErrorContext) -> StoreError:
    """The monitors do not tell this user about OSDs, without which librados waits for them."""
    return PermissionDenied(
        f"the monitors do not tell {context.user} where the OSDs are",
        hint=f"It needs the capability mon 'allow r'. {context.caps_hint(Operation.READ)}",
    )


def pool_not_found(context: ErrorContext) -> PlaceNotFound:
    """The pool does not exist, or no longer."""
    return PlaceNotFound(
        f"there is no pool {context.pool}", hint="See which there are: ceph osd pool ls"
    )


def no_omaps(context: ErrorContext) -> StoreError:
    """The pool is an erasure-coded one."""
    return _filled(_NO_OMAP, "", Operation.READ, context, "")


def _filled(
    meaning: _Meaning, detail: str, operation: Operation, context: ErrorContext, object_name: str
) -> StoreError:
    message = meaning.message.format(operation=operation, context=context) + detail
    caps = context.caps_hint(operation)
    hint = meaning.hint.format(operation=operation, context=context, caps=caps)
    return meaning.kind(message, object_name=object_name, hint=hint)
