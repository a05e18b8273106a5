"""What one operation asks for, and what its answers mean together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Union

from csijournal.store.contract import Unreadable
from csijournal.store.rados.binding import Ioctx, OmapAnswer, ReadOp
from csijournal.store.rados.keys import Page, cut, following, not_text

_AS_MANY_AS_THE_OSD_GIVES = 1 << 30
"""The OSD has a limit of its own, osd_max_omap_entries_per_request (1,024)."""


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


Request = Union[Keys, Behind]


class Answer(NamedTuple):
    """What one operation answered, all of one moment.

    `version` is the object's where the I/O context is the caller's own.
    """

    pages: list[Page]
    version: int


class Total:
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
def whole(sentinel: str) -> tuple[Request, ...]:
    """What to ask for in one operation so that `is_whole` can judge the answer.

    No listing shows the empty key, so it is asked for by its name.
    """
    asked = (Behind(""), Keys(("",)))
    return (*asked, Behind(sentinel)) if sentinel else asked


def is_whole(pages: Sequence[Page], sentinel: str) -> bool:
    """Whether the answer to `whole` is the whole object, all of which can be read."""
    first = pages[0]
    return first.last is None or (first.is_plain and reaches_the_end(pages, sentinel))


def entries_of(pages: Sequence[Page]) -> dict[str, bytes]:
    """The entries in an answer to `whole`."""
    return pages[1].entries | pages[0].entries


def reaches_the_end(pages: Sequence[Page], sentinel: str) -> bool:
    """Whether nothing is behind the first page, by the last one, which starts behind the sentinel.

    OSDs cut pages at a limit of their own and the binding does not tell.  But
    both pages are of one moment and have one limit: had the first been cut
    somewhere behind the sentinel, then the other, which starts behind the
    sentinel, would reach further.
    """
    first, probe = pages[0], pages[-1]
    return bool(sentinel) and sentinel in first.entries and probe.last in (None, first.last)


def from_key(
    start: str, prefix: str = "", limit: int = _AS_MANY_AS_THE_OSD_GIVES
) -> tuple[Request, ...]:
    """Asks for the entries from `start` on, with it."""
    return Behind(start, prefix, limit), Keys((start,))


def next_requests(last: bytes, after: str) -> tuple[str, tuple[Request, ...]]:
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
    return start or "", () if start is None else from_key(start)


def merged(pages: Sequence[Page], prefix: str) -> Page:
    """The answers to `Behind` alone, or to `from_key`, as one page."""
    if len(pages) == 1:
        return pages[0]
    behind, single = pages
    first = {key: value for key, value in single.entries.items() if key.startswith(prefix)}
    doubled = [*behind.doubled, *(first.keys() & behind.entries.keys())]
    last = behind.last if behind.last is not None or not first else single.last
    return Page(first | behind.entries, doubled, behind.not_text, last)
