"""One pool's namespaces over one login, each with settings of its own."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, urlsplit

import click

from csijournal.check.elsewhere import namespaces_with_journals
from csijournal.cli.connect import location_of
from csijournal.cli.options import Settings
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.pool import JOURNAL_OBJECTS_PREFIX

_USAGE = "--all-namespaces is for RADOS: give -p/--pool, or --store rados://pool."


def each_namespace(settings: Settings, *, deep: bool) -> Iterator[Settings]:
    """Settings for the namespaces of the pool, by name.

    With `deep` for every one that holds an object: the pool is walked once,
    before the first, and the names of the journals' objects are kept, so that
    looking into a namespace walks no more.  Else nothing is listed: those are
    told that hold a journal and are usual, or in RBD's own list.
    The settings are good until the next ones are taken.

    Raises UsageError where the store is not RADOS, or one namespace was chosen.
    """
    location = location_of(settings)
    if location is None:
        raise click.UsageError(_USAGE)
    if location.namespace:
        raise click.UsageError("--all-namespaces and a namespace were both given: give one.")
    with RADOSCluster.at(location) as cluster:
        listing = _listing(cluster, location) if deep else {}
        names = listing if deep else _unlisted(cluster, location, settings.instance_id)
        for namespace in sorted(names):
            chosen = _within(settings, namespace)
            chosen.opener = partial(
                cluster.store,
                location.pool,
                namespace,
                pool_id=location.pool_id,
                listing=listing.get(namespace),
            )
            yield chosen


def _listing(cluster: RADOSCluster, location: RADOSLocation) -> dict[str, list[str]]:
    """The namespaces that hold an object, each with the journals' objects in it."""
    found: dict[str, list[str]] = defaultdict(list)
    with cluster.store(location.pool, pool_id=location.pool_id) as store:
        for namespace, name in store.objects_everywhere():
            names = found[namespace]
            if name.startswith(JOURNAL_OBJECTS_PREFIX):
                names.append(name)
    return found


def _unlisted(cluster: RADOSCluster, location: RADOSLocation, instance_id: str) -> list[str]:
    """The namespaces that keyed reads find a journal in."""
    with cluster.store(location.pool, pool_id=location.pool_id) as store:
        return list(namespaces_with_journals(store, [instance_id]))


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
