"""Listing the objects of a pool: a walk through all of it, whatever is looked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from csijournal.errors import StoreTimeout
from csijournal.store.rados.access import Opened, PoolAccess
from csijournal.store.rados.binding import Ioctx, Listed, import_rados
from csijournal.store.rados.errors import Operation

_NAMES_AT_ONCE = 1000
_NEARLY = 0.9
"""Of the timeout: an answer that took longer is one that did not come."""


class ObjectID(NamedTuple):
    """An object's namespace and name."""

    namespace: str
    name: str


class Lister:
    """Lists one namespace of a pool, or all of them."""

    def __init__(self, access: PoolAccess) -> None:
        self._access = access

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the namespace's objects that start with `prefix`."""
        for found in self._walk(self._access.namespace):
            if found.name.startswith(prefix):
                yield found.name

    def everywhere(self) -> Iterator[ObjectID]:
        """All objects of all namespaces, in one walk."""
        return self._walk(str(import_rados().LIBRADOS_ALL_NSPACES))

    def namespaces(self) -> Iterator[str]:
        """The namespaces that hold an object, each once, as they are met."""
        seen = set()
        for found in self.everywhere():
            if found.namespace not in seen:
                seen.add(found.namespace)
                yield found.namespace

    def _walk(self, namespace: str) -> Iterator[ObjectID]:
        """Names that are not UTF-8, and those with a locator key, are left out."""
        with self._access.using() as opened:
            with self._access.errors(opened, Operation.READ):
                ioctx = self._access.own_ioctx(opened)
                ioctx.set_namespace(namespace)
            self._require_permission(opened, ioctx)
            with self._access.errors(opened, Operation.READ):
                listing = opened.connection.call(ioctx.list_objects)
        more = True
        while more:
            with self._access.using() as now:
                found, more = self._some(now, ioctx, listing)
            yield from found

    def _some(
        self, opened: Opened, ioctx: Ioctx, listing: Iterator[Listed]
    ) -> tuple[list[ObjectID], bool]:
        """Some objects, and whether there may be more."""
        with self._access.errors(opened, Operation.READ):
            started = time.monotonic()
            found, more = opened.connection.call(lambda: _taken(listing))
            if not more:
                self._require_answered(time.monotonic() - started)
                self._require_end(opened, ioctx, listing)
            return found, more

    def _require_permission(self, opened: Opened, ioctx: Ioctx) -> None:
        """Raise PermissionDenied where this user may not list.

        To a user without capabilities a listing is empty, and no error.  An
        empty name passes the OSD's checks of who may list and is then refused.
        """
        rados = import_rados()
        with self._access.errors(opened, Operation.READ):
            try:
                opened.connection.call(lambda: ioctx.stat(""))
            except (rados.InvalidArgumentError, rados.ObjectNotFound):
                self._access.require_pool(opened)

    def _require_end(self, opened: Opened, ioctx: Ioctx, listing: Iterator[Listed]) -> None:
        """Raise what cut the listing short, if something did.

        The binding ends a listing the same way at its end and at any error.
        Behind the true end it says so again at once, asking nobody.
        """
        self._require_permission(opened, ioctx)
        started = time.monotonic()
        if opened.connection.call(lambda: next(listing, None)) is not None:
            raise _interrupted()
        self._require_answered(time.monotonic() - started)

    def _require_answered(self, seconds: float) -> None:
        limit = self._access.timeout_seconds
        if limit and seconds > _NEARLY * limit:
            raise _interrupted()


def _taken(listing: Iterator[Listed]) -> tuple[list[ObjectID], bool]:
    found: list[ObjectID] = []
    while len(found) < _NAMES_AT_ONCE:
        try:
            listed = next(listing)
        except UnicodeDecodeError:
            continue
        except StopIteration:
            return found, False
        if not listed.locator_key:
            found.append(ObjectID(listed.nspace, listed.key))
    return found, True


def _interrupted() -> StoreTimeout:
    return StoreTimeout("the listing of the pool was interrupted", hint="Try again")
