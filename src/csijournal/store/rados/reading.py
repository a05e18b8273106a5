"""Reading an object of a pool: keys, pages, all of it."""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, TypeVar

from csijournal.errors import StoreBusy
from csijournal.store.contract import (
    Entries,
    ObjectState,
    Unreadable,
    require_readable,
    unreadable_in,
)
from csijournal.store.rados.access import Opened, PoolAccess
from csijournal.store.rados.binding import BINDING_ERRORS, Ioctx, import_rados
from csijournal.store.rados.errors import Operation
from csijournal.store.rados.keys import Page, advice, cut, following, not_text, page_of
from csijournal.store.rados.requests import (
    Answer,
    Behind,
    Keys,
    Request,
    Total,
    entries_of,
    from_key,
    is_whole,
    merged,
    next_requests,
    reaches_the_end,
    whole,
)

NANOSECONDS = 1_000_000_000

_CONFIRMED_AT_ONCE = 1000
"""How many keys are asked for by name in one operation."""

_Result = TypeVar("_Result")


class ObjectChangedError(Exception):
    """An object changed between the reads of its parts."""


class Reader:
    """Reads in one pool and namespace."""

    def __init__(self, access: PoolAccess) -> None:
        self._access = access

    def ask(
        self, opened: Opened, ioctx: Ioctx, object_name: str, *requests: Request
    ) -> Answer | None:
        """The answers to `requests` in one operation; None where there is no object."""
        rados = import_rados()

        def job() -> Answer:
            with rados.ReadOpCtx() as operation:
                answers = [request.add(ioctx, operation) for request in requests]
                ioctx.operate_read_op(operation, object_name)
                version = ioctx.get_last_version()
                return Answer([page_of(answer) for answer in answers], version)

        try:
            return opened.connection.call(job)
        except rados.ObjectNotFound:
            self._access.require_pool(opened)
            return None
        except (rados.Error, *BINDING_ERRORS) as error:
            raise self._access.translated(error, opened, Operation.READ, object_name) from error

    def keys(self, object_name: str, keys: Iterable[str]) -> dict[str, bytes] | None:
        """Those of `keys` that the object has."""
        with self._access.using() as opened:
            answer = self.ask(opened, opened.ioctx, object_name, Keys(tuple(keys)))
            return None if answer is None else answer.pages[0].entries

    def advice(self, unreadable: Unreadable) -> str:
        """How to see and remove a key that cannot be read."""
        return advice(unreadable, self._access.context.pool, self._access.namespace)

    # Pages

    def page(self, object_name: str, after: str, prefix: str, limit: int) -> Entries | None:
        """The first page behind `after` with an entry that can be read, or the end."""
        requests: tuple[Request, ...] = (Behind(after, prefix, limit),)
        unreadable: list[Unreadable] = []
        with self._access.using() as opened:
            while True:
                answer = self.ask(opened, opened.ioctx, object_name, *requests)
                if answer is None:
                    return None
                page = merged(answer.pages, prefix)
                found = self._readable(opened, object_name, page, after, limit)
                unreadable += unreadable_in(found)
                start = None if found or page.last is None else following(page.last)
                if start is None:
                    return Entries(found, unreadable)
                requests = from_key(start, prefix, limit)

    def _readable(
        self, opened: Opened, object_name: str, page: Page, after: str, limit: int
    ) -> Entries:
        """What can be read of a page behind `after`, and what cannot.

        What cannot be read behind the last entry is told with the next page,
        which starts behind that entry.
        """
        # A listing starts behind `after` and never shows the empty key: these were cut.
        listed = {key: page.entries[key] for key in page.entries if key not in ("", after)}
        cut_keys = {"", after} & page.entries.keys()
        named = self._named(opened, object_name, listed)
        for key in listed.keys() - named.keys():
            if key in page.doubled or self._is_cut(opened, object_name, key):
                cut_keys.add(key)
        cut_keys.update(page.doubled)
        readable = sorted(key for key in listed if key in named or key not in cut_keys)[:limit]
        entries = {key: named.get(key, listed[key]) for key in readable}
        odd = [not_text(object_name, key) for key in page.not_text]
        odd += [cut(object_name, key) for key in cut_keys]
        end = readable[-1].encode() if readable else None
        told = [one for one in odd if end is None or one.key < end]
        return Entries(entries, sorted(told, key=lambda one: one.key))

    def _named(self, opened: Opened, object_name: str, keys: Collection[str]) -> dict[str, bytes]:
        """Those of the keys that a listing showed which are there under just that name."""
        if not keys:
            return {}
        answer = self.ask(opened, opened.ioctx, object_name, Keys(tuple(keys)))
        return {} if answer is None else answer.pages[0].entries

    def _is_cut(self, opened: Opened, object_name: str, key: str) -> bool:
        """Whether a listing shows the key and its name does not find it, at one moment.

        A key that went away since it was listed is not cut.
        """
        shown = (Behind("", key, 1), Keys((key,)))
        answer = self.ask(opened, opened.ioctx, object_name, *shown)
        if answer is None:
            return False
        listing, named = answer.pages
        return key in listing.entries and key not in named.entries

    # Whole objects

    def whole(self, object_name: str, sentinel: str) -> Entries | None:
        """All entries of one moment: in one operation where that is enough.

        Without `sentinel` it never is, and each key is asked for by its name.
        """
        with self._access.using() as opened:
            return self.until_steady(
                opened,
                object_name,
                lambda ioctx: self._try_whole(opened, ioctx, object_name, sentinel),
            )

    def state(self, object_name: str) -> ObjectState | None:
        """All entries, each confirmed by its key, with the version that they are of."""
        with self._access.using() as opened:
            return self.until_steady(
                opened, object_name, lambda ioctx: self._try_state(opened, ioctx, object_name)
            )

    def until_steady(
        self, opened: Opened, object_name: str, attempt: Callable[[Ioctx], _Result]
    ) -> _Result:
        """Repeat `attempt` until the object keeps its version throughout.

        Raises StoreBusy when it never did within the timeout.
        """
        deadline = time.monotonic() + (self._access.timeout_seconds or float("inf"))
        with self._access.errors(opened, Operation.READ, object_name):
            ioctx = self._access.own_ioctx(opened)
        while True:
            try:
                return attempt(ioctx)
            except ObjectChangedError:
                if time.monotonic() > deadline:
                    raise StoreBusy(
                        "the object changed whenever it was read", object_name=object_name
                    ) from None

    def _try_whole(
        self, opened: Opened, ioctx: Ioctx, object_name: str, sentinel: str
    ) -> Entries | None:
        answer = self.ask(opened, ioctx, object_name, *whole(sentinel))
        if answer is None or is_whole(answer.pages, sentinel):
            return None if answer is None else Entries(entries_of(answer.pages))
        return self._rest(opened, ioctx, object_name, answer, sentinel, confirm=not sentinel)

    def _try_state(self, opened: Opened, ioctx: Ioctx, object_name: str) -> ObjectState | None:
        found = self._stat(opened, ioctx, object_name)
        if found is None:
            return None
        version = ioctx.get_last_version()
        answer = _same(version, self.ask(opened, ioctx, object_name, *whole("")))
        entries = self._rest(opened, ioctx, object_name, answer, "", confirm=True)
        require_readable(object_name, entries, self.advice)
        has_more = found.data_bytes > 0 or self._has_xattrs(opened, ioctx, object_name)
        return ObjectState(dict(entries), version, found.modified_ns, has_more)

    def _has_xattrs(self, opened: Opened, ioctx: Ioctx, object_name: str) -> bool:
        """Whether the object has attributes of its own; one that went has none."""
        with self._access.errors(opened, Operation.READ, object_name):
            try:
                return opened.connection.call(lambda: any(ioctx.get_xattrs(object_name)))
            except import_rados().ObjectNotFound:
                return False

    def _rest(
        self,
        opened: Opened,
        ioctx: Ioctx,
        object_name: str,
        answer: Answer,
        sentinel: str,
        *,
        confirm: bool = False,
    ) -> Entries:
        """All entries, the first of which are in `answer`, that to `whole`; each page once.

        With `confirm`, and where there are signs of keys that are cut, each key
        is asked for by name.  Raises ObjectChangedError unless all is of the
        version of `answer`.
        """
        version, after, total = answer.version, "", Total()
        pages, page = answer.pages, answer.pages[0]
        while True:
            total.add(page)
            if page.last is None or reaches_the_end(pages, sentinel):
                break
            after, requests = next_requests(page.last, after)
            if not requests:
                break
            probes = (Behind(sentinel),) if sentinel else ()
            asked = self.ask(opened, ioctx, object_name, *requests, *probes)
            pages = _same(version, asked).pages
            page = merged(pages[: len(requests)], "")
        if confirm or total.cut_keys:
            total.keep(self._confirmed(opened, ioctx, object_name, total.entries, version))
        return Entries(answer.pages[1].entries | total.entries, total.unreadable(object_name))

    def _confirmed(
        self,
        opened: Opened,
        ioctx: Ioctx,
        object_name: str,
        entries: dict[str, bytes],
        version: int,
    ) -> dict[str, bytes]:
        """Those of `entries` whose keys are there under that name, with the values of those."""
        found: dict[str, bytes] = {}
        keys = tuple(entries)
        for start in range(0, len(keys), _CONFIRMED_AT_ONCE):
            wanted = Keys(keys[start : start + _CONFIRMED_AT_ONCE])
            answer = _same(version, self.ask(opened, ioctx, object_name, wanted))
            found |= answer.pages[0].entries
        return found

    # Times

    def modified_ns(self, object_name: str) -> int | None:
        """When the object last changed, in nanoseconds since 1970; None for no object."""
        with self._access.using() as opened:
            found = self._stat(opened, opened.ioctx, object_name)
            return None if found is None else found.modified_ns

    def _stat(self, opened: Opened, ioctx: Ioctx, object_name: str) -> _Stat | None:
        rados = import_rados()
        with self._access.errors(opened, Operation.READ, object_name):
            try:
                data_bytes, local = opened.connection.call(lambda: ioctx.stat(object_name))
            except rados.ObjectNotFound:
                self._access.require_pool(opened)
                return None
        # The binding tells local time, which its offset alone makes unambiguous.
        return _Stat(data_bytes, int(timegm(local) - local.tm_gmtoff) * NANOSECONDS)


class _Stat(NamedTuple):
    """What RADOS says of an object without its entries."""

    data_bytes: int
    modified_ns: int


def _same(version: int, answer: Answer | None) -> Answer:
    if answer is None or answer.version != version:
        raise ObjectChangedError
    return answer
