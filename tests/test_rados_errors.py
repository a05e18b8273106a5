"""librados's error numbers all mean something, and the same wherever they come from."""

from __future__ import annotations

import errno

import pytest

from csijournal.errors import (
    AuthenticationFailed,
    ClientBlocked,
    GuardFailed,
    OutcomeUnknown,
    PermissionDenied,
    PlaceUnusable,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreTimeout,
    StoreUnreachable,
    TooLarge,
)
from csijournal.store.rados.errors import ErrorContext, Operation, store_error, translated

CONTEXT = ErrorContext(user="client.x", pool="p{0}", namespace="n", timeout_seconds=2.5)
NUMBERS = [*range(1, 200), 1000, 4095]


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("number", NUMBERS)
def test_every_error_number_has_a_meaning(number: int, operation: Operation) -> None:
    error = store_error(-number, operation, CONTEXT, "o")
    assert isinstance(error, StoreError)
    assert error.object_name == "o"
    assert error.message
    assert "{" not in str(error).replace("p{0}", "")
    if operation is Operation.CONNECT:
        assert isinstance(error, (StoreUnreachable, AuthenticationFailed, ClientBlocked))
    else:
        assert not isinstance(error, (StoreUnreachable, AuthenticationFailed))
    if operation is not Operation.WRITE:
        assert not isinstance(error, (GuardFailed, OutcomeUnknown))


@pytest.mark.parametrize(
    ("number", "operation", "kind"),
    [
        (errno.ETIMEDOUT, Operation.READ, StoreTimeout),
        (errno.ETIMEDOUT, Operation.WRITE, OutcomeUnknown),
        (errno.ETIMEDOUT, Operation.CONNECT, StoreUnreachable),
        (errno.EINTR, Operation.WRITE, OutcomeUnknown),
        (errno.EPERM, Operation.READ, PermissionDenied),
        (errno.EACCES, Operation.WRITE, PermissionDenied),
        (errno.EACCES, Operation.CONNECT, AuthenticationFailed),
        (errno.ENOSPC, Operation.WRITE, StoreFull),
        (errno.EDQUOT, Operation.WRITE, StoreFull),
        (errno.ESHUTDOWN, Operation.READ, ClientBlocked),
        (errno.E2BIG, Operation.WRITE, TooLarge),
        (errno.EMSGSIZE, Operation.WRITE, TooLarge),
        (errno.EBUSY, Operation.WRITE, StoreBusy),
        (errno.EOPNOTSUPP, Operation.WRITE, PlaceUnusable),
    ],
)
def test_numbers_that_say_more_have_a_class_of_their_own(
    number: int, operation: Operation, kind: type[StoreError]
) -> None:
    assert type(store_error(number, operation, CONTEXT)) is kind


def test_other_numbers_are_named() -> None:
    assert "errno 5, EIO" in str(store_error(errno.EIO, Operation.READ, CONTEXT))


def test_a_denied_user_learns_how_to_make_one_of_csijournal_s_own() -> None:
    error = store_error(errno.EPERM, Operation.WRITE, CONTEXT)
    assert (
        "ceph auth get-or-create client.csijournal-repair mon 'allow r'"
        " osd 'profile rbd-read-only pool=p{0}, allow rw pool=p{0} namespace=n'" in error.hint
    )
    assert "auth caps" not in error.hint


@pytest.mark.ceph
@pytest.mark.parametrize("operation", Operation)
def test_every_exception_of_the_binding_has_a_meaning(operation: Operation) -> None:
    import rados  # noqa: PLC0415 - where there is no Ceph, this test alone must fail

    kinds = [
        kind
        for kind in vars(rados).values()
        if isinstance(kind, type) and issubclass(kind, rados.Error)
    ]
    assert len(kinds) > 10
    for kind in kinds:
        for error in (_made(kind), _made(kind, errno.EIO)):
            assert isinstance(translated(error, operation, CONTEXT), StoreError)
    for odd in (TypeError("x must be a string"), ValueError("x"), OverflowError("too large")):
        assert isinstance(translated(odd, operation, CONTEXT), StoreError)


def _made(kind: type[Exception], number: int | None = None) -> Exception:
    """An exception of that kind; some of their constructors ask for more, so none is called."""
    error = kind.__new__(kind, "trouble")
    error.errno = number  # type: ignore[attr-defined]
    return error
