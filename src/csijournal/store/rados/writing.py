"""Writing: one guarded operation on one object, with its guards as compares in it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from csijournal.errors import GuardFailed
from csijournal.store.contract import (
    Guard,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    Unchanged,
    Write,
    require_guards,
)
from csijournal.store.rados.access import Opened, PoolAccess
from csijournal.store.rados.binding import BINDING_ERRORS, Ioctx, WriteOp, import_rados
from csijournal.store.rados.errors import Operation
from csijournal.store.rados.reading import NANOSECONDS, ObjectChangedError, Reader
from csijournal.store.rados.requests import Keys

_NOBODY_S_KEY = "\x01"
"""No journal writes it; an object that has it with a value behind "x" takes no guarded write."""


class _ObjectMissingError(Exception):
    """A write found no object."""


class Writer:
    """Writes in one pool and namespace; `clock` dates the changes."""

    def __init__(self, access: PoolAccess, reader: Reader, clock: Callable[[], int]) -> None:
        self._access = access
        self._reader = reader
        self._clock = clock

    def write(self, write: Write) -> None:
        """Apply `write` wholly or not at all."""
        with self._access.using() as opened:
            try:
                if _incomparable(write):
                    self._write_pinned(opened, write)
                else:
                    self._operate(opened, opened.ioctx, write)
            except _ObjectMissingError:
                self._access.require_pool(opened)
                require_guards(write, None, version=0)
            except ObjectChangedError as error:
                raise GuardFailed(
                    "the object has another version", object_name=write.object_name
                ) from error

    def _operate(self, opened: Opened, ioctx: Ioctx, write: Write) -> None:
        """Apply `write`.

        Raises _ObjectMissingError where there is none and the write makes none,
        and ObjectChangedError for the guard Unchanged.
        """
        rados = import_rados()

        def job() -> None:
            with rados.WriteOpCtx() as operation:
                _add_guards(rados, operation, write)
                _add_changes(ioctx, operation, write)
                ioctx.operate_write_op(operation, write.object_name, self._clock() // NANOSECONDS)

        try:
            opened.connection.call(job)
        except (rados.Error, *BINDING_ERRORS) as error:
            raise _failed_guard(error, write) or self._access.translated(
                error, opened, Operation.WRITE, write.object_name
            ) from error

    def _write_pinned(self, opened: Opened, write: Write) -> None:
        """Apply `write` with guards that the binding cannot pass on.

        Those are judged here, and the write is bound to the version of the
        object for which they held.
        """

        def attempt(ioctx: Ioctx) -> None:
            incomparable = _incomparable(write)
            keys = Keys(tuple(guard.key for guard in incomparable))
            answer = self._reader.ask(opened, ioctx, write.object_name, keys)
            entries = None if answer is None else answer.pages[0].entries
            version = 0 if answer is None else answer.version
            judged = [
                guard
                for guard in write.guards
                if isinstance(guard, Unchanged) or guard in incomparable
            ]
            require_guards(replace(write, guards=tuple(judged)), entries, version)
            others = [guard for guard in write.guards if guard not in judged]
            self._operate(opened, ioctx, replace(write, guards=(Unchanged(version), *others)))

        self._reader.until_steady(opened, write.object_name, attempt)


def _add_guards(rados: ModuleType, operation: WriteOp, write: Write) -> None:
    """Turn the guards into compares, each of which fails on a missing object."""
    if _has(write, ObjectExists):
        # Holds wherever there is an object: a missing key is less than any text.
        operation.omap_cmp(_NOBODY_S_KEY, "x", rados.LIBRADOS_CMPXATTR_OP_LT)
    if _has(write, ObjectAbsent):
        operation.new(rados.LIBRADOS_CREATE_EXCLUSIVE)
    elif write.puts and all(isinstance(guard, KeyAbsent) for guard in write.guards):
        operation.new(rados.LIBRADOS_CREATE_IDEMPOTENT)
    for guard in write.guards:
        if isinstance(guard, Unchanged):
            if guard.version < 1:  # RADOS counts from 1, and refuses to compare with 0
                raise ObjectChangedError
            operation.assert_version(guard.version)
        elif isinstance(guard, KeyAbsent):
            operation.omap_cmp(guard.key, "", rados.LIBRADOS_CMPXATTR_OP_EQ)
        elif isinstance(guard, KeyPresent):
            operation.omap_cmp(guard.key, "", rados.LIBRADOS_CMPXATTR_OP_GT)
        elif isinstance(guard, KeyEquals):
            operation.omap_cmp(guard.key, guard.value.decode(), rados.LIBRADOS_CMPXATTR_OP_EQ)


def _add_changes(ioctx: Ioctx, operation: WriteOp, write: Write) -> None:
    if write.remove_object:
        operation.remove()
    if write.deletions:
        ioctx.remove_omap_keys(operation, tuple(write.deletions))
    if write.puts:
        ioctx.set_omap(operation, tuple(write.puts), tuple(write.puts.values()))


def _failed_guard(error: Exception, write: Write) -> Exception | None:
    """What to raise where `error` says that a guard did not hold; None for other troubles."""
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return _ObjectMissingError()
    if number in {errno.ERANGE, errno.EOVERFLOW} and _has(write, Unchanged):
        return ObjectChangedError()
    if number == errno.EEXIST:
        return GuardFailed("the object exists", object_name=write.object_name)
    if number == errno.ECANCELED:
        return GuardFailed(
            f"one of these does not hold: {', '.join(map(str, write.guards))}",
            object_name=write.object_name,
        )
    return None


def _has(write: Write, kind: type[Guard]) -> bool:
    return any(isinstance(guard, kind) for guard in write.guards)


def _incomparable(write: Write) -> list[KeyEquals]:
    """Guards that the binding would compare with less: it takes the characters for the bytes."""
    return [
        guard
        for guard in write.guards
        if isinstance(guard, KeyEquals) and not guard.value.isascii()
    ]
