"""One pool's namespaces over one login, each with settings of its own."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote, urlsplit

import click

from csijournal.check.elsewhere import namespaces_with_journals
from csijournal.check.listing import LISTING_SECONDS, Depth
from csijournal.cli.connect import location_of
from csijournal.cli.options import Settings
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.pool import JOURNAL_OBJECTS_PREFIX

_USAGE = "--all-namespaces is for RADOS: give -p/--pool, or --store rados://pool."


class Namespaces:
    """The namespaces of the pool that `settings` name, for a check of this depth.

    `cut_short` says, once the first was taken, that a limited listing did not
    come to its end: then only those are told that keyed reads find a journal in.
    """

    def __init__(
        self,
        settings: Settings,
        depth: Depth,
        *,
        seconds_max: float = LISTING_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._depth = depth
        self._seconds_max = seconds_max
        self._monotonic = monotonic
        self.cut_short = False

    def __iter__(self) -> Iterator[Settings]:
        """Settings for each, by name, over one login; good until the next ones are taken.

        Where objects are listed, the pool is walked once, before the first, and
        the names of the journals' objects are kept, so that looking into a
        namespace walks no more.

        Raises UsageError where the store is not RADOS, or one namespace was chosen.
        """
        location = location_of(self._settings)
        if location is None:
            raise click.UsageError(_USAGE)
        if location.namespace:
            raise click.UsageError("--all-namespaces and a namespace were both given: give one.")
        with RADOSCluster.at(location) as cluster:
            listing = None if self._depth is Depth.QUICK else self._listing(cluster, location)
            names = listing or _unlisted(cluster, location, self._settings.instance_id)
            for namespace in sorted(names):
                chosen = _within(self._settings, namespace)
                chosen.opener = partial(
                    cluster.store,
                    location.pool,
                    namespace,
                    pool_id=location.pool_id,
                    listing=listing[namespace] if listing else None,
                )
                yield chosen

    def _listing(
        self, cluster: RADOSCluster, location: RADOSLocation
    ) -> dict[str, list[str]] | None:
        """The namespaces that hold an object, each with the journals' objects in it.

        None where a limited listing did not come to its end in time.
        """
        limited = self._depth is Depth.LIMITED
        stop_at = self._monotonic() + self._seconds_max if limited else float("inf")
        found: dict[str, list[str]] = defaultdict(list)
        with cluster.store(location.pool, pool_id=location.pool_id) as store:
            for namespace, name in store.objects_everywhere():
                names = found[namespace]
                if name.startswith(JOURNAL_OBJECTS_PREFIX):
                    names.append(name)
                if self._monotonic() >= stop_at:
                    self.cut_short = True
                    return None
        return found


def _unlisted(cluster: RADOSCluster, location: RADOSLocation, instance_id: str) -> list[str]:
    """The namespaces that keyed reads find a journal in."""
    with cluster.store(location.pool, pool_id=location.pool_id) as store:
        return list(namespaces_with_journals(store, [instance_id]))


def _within(settings: Settings, namespace: str) -> Settings:
    """The settings that name this namespace, as the commands that are printed for it do."""
    chosen = Settings(settings.called_as)
    if settings.rados:
        chosen.given = settings.given | {"namespace": namespace}
    else:
        parts = urlsplit(_url(settings))._replace(path="/" + quote(namespace, safe=""))
        chosen.given = settings.given | {"store": parts.geturl()}
    return chosen


def _url(settings: Settings) -> str:
    return settings.given.get("store", os.environ.get("CSIJOURNAL_STORE", ""))
