"""One pool's namespaces over one login, each with settings of its own."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, urlsplit

import click

from csijournal.cli.connect import location_of
from csijournal.cli.options import Settings
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.pool import JOURNAL_OBJECTS_PREFIX

_USAGE = "--all-namespaces is for RADOS: give -p/--pool, or --store rados://pool."


def each_namespace(settings: Settings, *, deep: bool) -> Iterator[Settings]:
    """Settings for every namespace of the pool that holds an object, by name.

    The pool is walked once, before the first.  With `deep` the names of the
    journals' objects are kept, so that looking into a namespace walks no more.
    The settings are good until the next ones are taken.

    Raises UsageError where the store is not RADOS, or one namespace was chosen.
    """
    location = location_of(settings)
    if location is None:
        raise click.UsageError(_USAGE)
    if location.namespace:
        raise click.UsageError("--all-namespaces and a namespace were both given: give one.")
    with RADOSCluster.at(location) as cluster:
        listing = _listing(cluster, location, deep=deep)
        for namespace in sorted(listing):
            chosen = _within(settings, namespace)
            chosen.opener = partial(
                cluster.store,
                location.pool,
                namespace,
                pool_id=location.pool_id,
                listing=listing[namespace] if deep else None,
            )
            yield chosen


def _listing(cluster: RADOSCluster, location: RADOSLocation, *, deep: bool) -> dict[str, list[str]]:
    """The namespaces that hold an object; with `deep`, each with the journals' objects in it."""
    found: dict[str, list[str]] = defaultdict(list)
    with cluster.store(location.pool, pool_id=location.pool_id) as store:
        for namespace, name in store.objects_everywhere():
            names = found[namespace]
            if deep and name.startswith(JOURNAL_OBJECTS_PREFIX):
                names.append(name)
    return found


def _within(settings: Settings, namespace: str) -> Settings:
    """The settings that name this namespace, as the commands that are printed for it do."""
    chosen = Settings()
    if settings.rados:
        chosen.given = settings.given | {"namespace": namespace}
    else:
        parts = urlsplit(_url(settings))._replace(path="/" + quote(namespace, safe=""))
        chosen.given = settings.given | {"store": parts.geturl()}
    return chosen


def _url(settings: Settings) -> str:
    return settings.given.get("store", os.environ.get("CSIJOURNAL_STORE", ""))
