"""From a URL to a store."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from csijournal.errors import InvalidStoreURL
from csijournal.store.contract import Store
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.rados.location import KEY_VARIABLE, WORDS, RADOSLocation
from csijournal.store.timeouts import SECONDS_MAX, parse_timeout

if TYPE_CHECKING:
    from csijournal.store.rados.cluster import RADOSCluster


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store at `url`: `memory:`, `sqlite:///path/to/file`, `rados://pool/namespace`.

    `sqlite:relative/path` is taken from the current folder; `?timeout=SECONDS`
    bounds how long a SQLite store waits for other processes (30), and how long
    a RADOS store waits for the cluster.  Without `create`, a file that does not
    exist yet is PlaceNotFound at its first use; a pool is never made.

    RADOS takes how to reach the cluster as options, all of them optional:
    `conf`, `id` or `name`, `keyring` or `keyfile`, `mon`, `csi-config` with
    `cluster-id`, `driver` (rbd or cephfs), `pool-id` in place of the pool.
    The variable CSIJOURNAL_KEY may hold the key, which no URL may.

    SQLite and RADOS come with group commit: callers that wait share a write.

    Raises InvalidStoreURL, and PlaceNotFound or PlaceUnusable for a file that
    an option names.
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


def open_location(location: RADOSLocation) -> Store:
    """Open the store at `location`, with group commit: callers that wait share a write."""
    from csijournal.store.rados.pool import RADOSStore  # noqa: PLC0415 - only what is used

    return GroupCommitStore(RADOSStore.from_location(location))


def open_over(cluster: RADOSCluster, pool: str, namespace: str) -> Store:
    """Open the store on a pool and namespace over a login, which the store closes with it."""
    return GroupCommitStore(cluster.store(pool, namespace, closes_login=True))


def location_of_url(url: str) -> RADOSLocation | None:
    """The location that a store URL of RADOS says; None for another kind of store.

    Raises InvalidStoreURL.
    """
    parts = _split(url)
    return rados_location(parts) if parts.scheme == "rados" else None


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
    store = SQLiteStore(path, timeout_seconds=_seconds(options["timeout"]), create=create)
    return GroupCommitStore(store)


def _open_rados(parts: SplitResult, _create: bool) -> Store:
    return open_location(rados_location(parts))


def rados_location(parts: SplitResult) -> RADOSLocation:
    """What the URL `rados://POOL/NAMESPACE?option=value` says.  Raises InvalidStoreURL."""
    words = _given_options(parts, WORDS)
    for word, value in (("pool", unquote(parts.netloc)), ("namespace", unquote(parts.path[1:]))):
        if value and words.setdefault(word, value) != value:
            raise InvalidStoreURL(f"the store URL {parts.geturl()!r} names the {word} twice")
    return RADOSLocation.from_words(words)


_OPENERS: Mapping[str, Callable[[SplitResult, bool], Store]] = {
    "memory": _open_memory,
    "sqlite": _open_sqlite,
    "rados": _open_rados,
}


def _split(url: str) -> SplitResult:
    _refuse_secrets(url)
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
    return {**defaults, **_given_options(parts, defaults)}


def _given_options(parts: SplitResult, known: Collection[str]) -> dict[str, str]:
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise InvalidStoreURL(
            f"the options of the store URL {parts.geturl()!r} cannot be read: {error}",
            hint="Write ?option=value&option=value",
        ) from error
    for name, _ in given:
        if name not in known:
            raise InvalidStoreURL(
                f"the store URL {parts.geturl()!r} has the unknown option {name!r}",
                hint=f"Known for {parts.scheme}: {', '.join(sorted(known)) or 'none'}",
            )
    return dict(given)


def _refuse_secrets(url: str) -> None:
    """Raise InvalidStoreURL, without the URL, where it may hold a key."""
    authority = url.partition("://")[2].partition("?")[0].partition("/")[0]
    if re.search(r"[?&]key=", url) or "@" in authority:
        raise InvalidStoreURL(
            "a store URL holds no key and no password: others can read it",
            hint=f"Name the user with ?id=, and put the key into a keyring, a key file, or the"
            f" variable {KEY_VARIABLE}",
        )


def _seconds(text: str) -> float:
    seconds = parse_timeout(text)
    if seconds is None:
        raise InvalidStoreURL(f"{text!r} is not a timeout of 0 to {SECONDS_MAX:,.0f} seconds")
    return seconds
