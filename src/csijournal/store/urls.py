"""From a URL to a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from csijournal.errors import InvalidStoreURL
from csijournal.store.contract import Store


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store at `url`: `memory:` or `sqlite:///path/to/file`.

    `sqlite:relative/path` is taken from the current folder; `?timeout=SECONDS`
    bounds how long a SQLite store waits for other processes (30).  Without
    `create`, a place that does not exist yet is PlaceNotFound at its first use.

    Raises InvalidStoreURL.
    """
    parts = _split(url)
    opener = _OPENERS.get(parts.scheme)
    if opener is None:
        known = ", ".join(f"{scheme}:" for scheme in _OPENERS)
        raise InvalidStoreURL(
            f"the store URL {url!r} has "
            + (f"the unknown scheme {parts.scheme!r}" if parts.scheme else "no scheme"),
            hint=f"Known are {known}, such as sqlite:///var/lib/csijournal/journal.db",
        )
    return opener(parts, create)


def _open_memory(parts: SplitResult, _create: bool) -> Store:
    from csijournal.store.memory import MemoryStore  # noqa: PLC0415 - only what is used

    _options(parts, {})
    if parts.netloc or parts.path:
        raise InvalidStoreURL(f"the store URL {parts.geturl()!r} says more than memory:")
    return MemoryStore()


def _open_sqlite(parts: SplitResult, create: bool) -> Store:
    from csijournal.store.sqlite import SQLiteStore  # noqa: PLC0415 - only what is used

    options = _options(parts, {"timeout": "30"})
    if parts.netloc:
        raise InvalidStoreURL(
            f"the store URL {parts.geturl()!r} names a host, {parts.netloc!r}",
            hint="Write three slashes before an absolute path, sqlite:///path/to/file,"
            " and none before a relative one, sqlite:path/to/file",
        )
    path = unquote(parts.path, errors="surrogateescape")
    if not path.strip("/") or "\0" in path:
        raise InvalidStoreURL(
            f"the store URL {parts.geturl()!r} names no file", hint="Write sqlite:///path/to/file"
        )
    return SQLiteStore(path, timeout_seconds=_seconds(options["timeout"]), create=create)


_OPENERS: Mapping[str, Callable[[SplitResult, bool], Store]] = {
    "memory": _open_memory,
    "sqlite": _open_sqlite,
}


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidStoreURL(f"the store URL {url!r} cannot be read: {error}") from error
    if parts.fragment:
        raise InvalidStoreURL(
            f"the store URL {url!r} has a fragment, {parts.fragment!r}",
            hint="Write a # in a path as %23",
        )
    return parts


def _options(parts: SplitResult, defaults: Mapping[str, str]) -> dict[str, str]:
    """The options behind the question mark over their defaults."""
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise InvalidStoreURL(
            f"the options of the store URL {parts.geturl()!r} cannot be read: {error}",
            hint="Write ?option=value&option=value",
        ) from error
    options = dict(defaults)
    for name, value in given:
        if name not in defaults:
            known = ", ".join(sorted(defaults)) or "none"
            raise InvalidStoreURL(
                f"the store URL {parts.geturl()!r} has the unknown option {name!r}",
                hint=f"Known for {parts.scheme}: {known}",
            )
        options[name] = value
    return options


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise InvalidStoreURL(f"{text!r} is not a timeout in seconds")
    return seconds
