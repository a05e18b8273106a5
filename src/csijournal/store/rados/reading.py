"""Reading objects of a pool: keys, pages, whole objects, many at a time."""

from __future__ import annotations

import errno
import time
from calendar import timegm
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
from csijournal.store.rados.binding import (
    BINDING_ERRORS,
    Completion,
    Ioctx,
    OmapAnswer,
    ReadOp,
    import_rados,
)
from csijournal.store.rados.errors import Operation
from csijournal.store.rados.keys import Page, advice, cut, following, not_text, page_of

READS_UNDER_WAY_MAX = 64
"""How many objects `read_objects` asks for at a time."""

NANOSECONDS = 1_000_000_000

_AS_MANY_AS_THE_OSD_GIVES = 1 << 30
"""The OSD has a limit of its own, osd_max_omap_entries_per_request (1,024)."""
_CONFIRMED_AT_ONCE = 1000
"""How many keys are asked for by name in one operation."""

_Result = TypeVar("_Result")


class ObjectChangedError(Exception):
    """An object changed between the reads of its parts."""


class Keys(NamedTuple):
    """Asks for these keys."""

    keys: tuple[str, ...]

    def add(self, ioctx: Ioctx, operation: ReadOp) -> OmapAnswer:
        """Make it part of the operation; where the answer will be."""
        return ioctx.get_omap_vals_by_keys(operation, self.keys)[0]


class Behind(NamedTuple):
    """Asks for the entries behind a key, as many as the OSD gives at once."""

    after: str
    prefix: str = ""
    limit: int = _AS_MANY_AS_THE_OSD_GIVES

    def add(self, ioctx: Ioctx, operation: ReadOp) -> OmapAnswer:
        """Make it part of the operation; where the answer will be."""
        return ioctx.get_omap_vals(operation, self.after, self.prefix, self.limit)[0]


_Request = Keys | Behind


class Answer(NamedTuple):
    """What one operation answered, all of one moment.

    `version` is the object's where the I/O context is the caller's own.
    """

    pages: list[Page]
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class _Started:
    """An asynchronous read; librados fills `answers` until `completion` is complete."""

    object_name: str
    opened: Opened
    operation: ReadOp
    answers: list[OmapAnswer]
    completion: Completion

    def forget(self) -> None:
        """Give back what librados wrote the answer into; only once it is complete."""
        self.operation.release()
        self.opened.connection.reads_under_way.discard(self)


class Reader:
    """Reads in one pool and namespace."""

    def __init__(self, access: PoolAccess) -> None:
        self._access = access

    def ask(
        self, opened: Opened, ioctx: Ioctx, object_name: str, *requests: _Request
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
        requests: tuple[_Request, ...] = (Behind(after, prefix, limit),)
        unreadable: list[Unreadable] = []
        with self._access.using() as opened:
            while True:
                answer = self.ask(opened, opened.ioctx, object_name, *requests)
                if answer is None:
                    return None
                page = _merged(answer.pages, prefix)
                found = self._readable(opened, object_name, page, after)
                unreadable += unreadable_in(found)
                start = None if found or page.last is None else following(page.last)
                if start is None:
                    return Entries(dict(list(found.items())[:limit]), unreadable)
                requests = _from(start, prefix, limit)

    def _readable(self, opened: Opened, object_name: str, page: Page, after: str) -> Entries:
        """What can be read of a page behind `after`, and what cannot.

        The keys that are not text behind the last entry are told with the next
        page, which starts behind that entry.
        """
        if page.is_plain and after not in page.entries:
            return Entries(page.entries)
        cut_keys = dict.fromkeys(page.doubled)
        entries = {key: value for key, value in page.entries.items() if key not in cut_keys}
        if cut_keys:
            real = self.ask(opened, opened.ioctx, object_name, Keys(tuple(cut_keys)))
            entries |= real.pages[0].entries if real else {}
        if after in page.entries:  # a listing starts behind it, so this is another key
            cut_keys[after] = None
            entries.pop(after, None)
        end = max(entries).encode() if entries else None
        odd = [not_text(object_name, key) for key in page.not_text if end is None or key < end]
        odd += [cut(object_name, key) for key in cut_keys]
        return Entries(dict(sorted(entries.items())), odd)

    # Whole objects

    def whole(self, object_name: str, sentinel: str) -> Entries | None:
        """All entries of one moment: in one operation where that is enough."""
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
        answer = self.ask(opened, ioctx, object_name, *_whole(sentinel))
        if answer is None or _is_whole(answer.pages, sentinel):
            return None if answer is None else Entries(answer.pages[0].entries)
        return self._rest(opened, ioctx, object_name, answer, sentinel)

    def _try_state(self, opened: Opened, ioctx: Ioctx, object_name: str) -> ObjectState | None:
        modified_ns = self._stat(opened, ioctx, object_name)
        if modified_ns is None:
            return None
        version = ioctx.get_last_version()
        answer = _same(version, self.ask(opened, ioctx, object_name, Behind("")))
        entries = self._rest(opened, ioctx, object_name, answer, "", confirm=True)
        require_readable(object_name, entries, self.advice)
        return ObjectState(dict(entries), version, modified_ns)

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
        """All entries, the first of which are in `answer`; each page once.

        With `confirm`, and where there are signs of keys that are cut, each key
        is asked for by name.  Raises ObjectChangedError unless all is of the
        version of `answer`.
        """
        version, after, total = answer.version, "", _Total()
        pages, page = answer.pages, answer.pages[0]
        while True:
            total.add(page)
            if page.last is None or _reaches_the_end(pages, sentinel):
                break
            after, requests = _next(page.last, after)
            if not requests:
                break
            probes = (Behind(sentinel),) if sentinel else ()
            asked = self.ask(opened, ioctx, object_name, *requests, *probes)
            pages = _same(version, asked).pages
            page = _merged(pages[: len(requests)], "")
        if confirm or total.cut_keys:
            total.keep(self._confirmed(opened, ioctx, object_name, total.entries, version))
        return Entries(total.entries, total.unreadable(object_name))

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

    # Many objects

    def many(
        self, object_names: Iterable[str], sentinel: str
    ) -> Iterator[tuple[str, Entries | None]]:
        """`whole` of many objects in order, with a bounded number of reads under way."""
        waiting: deque[_Started] = deque()
        try:
            for object_name in object_names:
                waiting.append(self._start(object_name, sentinel))
                if len(waiting) >= READS_UNDER_WAY_MAX:
                    yield self._finish(waiting.popleft(), sentinel)
            while waiting:
                yield self._finish(waiting.popleft(), sentinel)
        finally:
            # librados writes into the answers until a read is complete; they are kept for it.
            for started in waiting:
                started.opened.connection.left_reads.append(started)

    def _start(self, object_name: str, sentinel: str) -> _Started:
        rados = import_rados()
        with self._access.using() as opened:
            opened.connection.forget_left_reads()
            with self._access.errors(opened, Operation.READ, object_name):
                operation: ReadOp = rados.ReadOpCtx().create()
                try:
                    answers = [request.add(opened.ioctx, operation) for request in _whole(sentinel)]
                    completion = opened.ioctx.operate_aio_read_op(operation, object_name)
                except BaseException:
                    operation.release()
                    raise
            started = _Started(object_name, opened, operation, answers, completion)
            opened.connection.reads_under_way.add(started)
            return started

    def _finish(self, started: _Started, sentinel: str) -> tuple[str, Entries | None]:
        object_name, opened, completion = (
            started.object_name,
            started.opened,
            started.completion,
        )
        if not completion.is_complete():
            opened.connection.call(completion.wait_for_complete)
        started.forget()
        with opened, self._access.errors(opened, Operation.READ, object_name):
            result = completion.get_return_value()
            if result == -errno.ENOENT:
                self._access.require_pool(opened)
                return object_name, None
            if result < 0:
                raise self._access.failed(result, opened, Operation.READ, object_name)
            pages = [page_of(answer) for answer in started.answers]
        if _is_whole(pages, sentinel):
            return object_name, Entries(pages[0].entries)
        # A completed asynchronous read does not tell its version, so this starts again.
        return object_name, self.whole(object_name, sentinel)

    # Times

    def modified_ns(self, object_name: str) -> int | None:
        """When the object last changed, in nanoseconds since 1970; None for no object."""
        with self._access.using() as opened:
            return self._stat(opened, opened.ioctx, object_name)

    def _stat(self, opened: Opened, ioctx: Ioctx, object_name: str) -> int | None:
        rados = import_rados()
        with self._access.errors(opened, Operation.READ, object_name):
            try:
                local = opened.connection.call(lambda: ioctx.stat(object_name)[1])
            except rados.ObjectNotFound:
                self._access.require_pool(opened)
                return None
        # The binding tells local time, which its offset alone makes unambiguous.
        return int(timegm(local) - local.tm_gmtoff) * NANOSECONDS


class _Total:
    """Pages put together."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.cut_keys: dict[str, None] = {}
        self._not_text: dict[bytes, None] = {}

    def add(self, page: Page) -> None:
        """One page more; a key that an earlier one had has the same beginning, not the same key."""
        again = self.entries.keys() & page.entries.keys()
        self.cut_keys |= dict.fromkeys((*page.doubled, *again))
        self._not_text |= dict.fromkeys(page.not_text)
        self.entries |= page.entries

    def keep(self, confirmed: dict[str, bytes]) -> None:
        """Drop what is not among the confirmed entries: it was cut."""
        self.cut_keys |= dict.fromkeys(key for key in self.entries if key not in confirmed)
        self.entries = confirmed

    def unreadable(self, object_name: str) -> list[Unreadable]:
        """What there is besides the entries."""
        odd = [not_text(object_name, key) for key in self._not_text]
        return odd + [cut(object_name, key) for key in self.cut_keys]


@lru_cache(maxsize=8)
def _whole(sentinel: str) -> tuple[Behind, ...]:
    """What to ask for in one operation so that `_is_whole` can judge the answer."""
    return (Behind(""), Behind(sentinel)) if sentinel else (Behind(""),)


def _is_whole(pages: Sequence[Page], sentinel: str) -> bool:
    """Whether the answer to `_whole` is the whole object, all of which can be read."""
    first = pages[0]
    return first.last is None or (first.is_plain and _reaches_the_end(pages, sentinel))


def _reaches_the_end(pages: Sequence[Page], sentinel: str) -> bool:
    """Whether nothing is behind the first page, by the last one, which starts behind the sentinel.

    OSDs cut pages at a limit of their own and the binding does not tell.  But
    both pages are of one moment and have one limit: had the first been cut
    somewhere behind the sentinel, then the other, which starts behind the
    sentinel, would reach further.
    """
    first, probe = pages[0], pages[-1]
    return sentinel in first.entries and probe.last in (None, first.last)


def _from(
    start: str, prefix: str = "", limit: int = _AS_MANY_AS_THE_OSD_GIVES
) -> tuple[_Request, ...]:
    """Asks for the entries from `start` on, with it."""
    return Behind(start, prefix, limit), Keys((start,))


def _next(last: bytes, after: str) -> tuple[str, tuple[_Request, ...]]:
    """What to ask for behind a page that started behind `after`; nothing at the end.

    The binding can start behind no key that is not text or that it cuts.
    """
    try:
        text = last.decode()
    except UnicodeDecodeError:
        text = after
    if text != after:
        return text, (Behind(text),)
    start = following(last)
    return start or "", () if start is None else _from(start)


def _merged(pages: Sequence[Page], prefix: str) -> Page:
    """The answers to `Behind` alone, or to `_from`, as one page."""
    if len(pages) == 1:
        return pages[0]
    behind, single = pages
    first = {key: value for key, value in single.entries.items() if key.startswith(prefix)}
    doubled = [*behind.doubled, *(first.keys() & behind.entries.keys())]
    last = behind.last if behind.last is not None or not first else single.last
    return Page(first | behind.entries, doubled, behind.not_text, last)


def _same(version: int, answer: Answer | None) -> Answer:
    if answer is None or answer.version != version:
        raise ObjectChangedError
    return answer
