"""One pool's namespaces, each with settings of its own."""

from __future__ import annotations

import os
from urllib.parse import parse_qs, quote, urlsplit

import click

from csijournal.cli.connect import open_place
from csijournal.cli.options import Settings

_USAGE = "--all-namespaces is for RADOS: give -p/--pool, or --store rados://pool."


def each_namespace(settings: Settings) -> list[Settings]:
    """Settings for every namespace of the pool that holds an object, by name.

    Raises UsageError where the store is not RADOS, or one namespace was chosen.
    """
    _require_no_namespace(settings)
    with open_place(settings) as store:
        names = sorted(store.namespaces())
    return [_within(settings, name) for name in names]


def _within(settings: Settings, namespace: str) -> Settings:
    chosen = Settings()
    if settings.rados:
        chosen.given = settings.given | {"namespace": namespace}
    else:
        parts = urlsplit(_url(settings))._replace(path="/" + quote(namespace, safe=""))
        chosen.given = settings.given | {"store": parts.geturl()}
    return chosen


def _require_no_namespace(settings: Settings) -> None:
    parts = urlsplit("" if settings.rados else _url(settings))
    if not settings.rados and parts.scheme != "rados":
        raise click.UsageError(_USAGE)
    if (
        settings.given.get("namespace")
        or parts.path.strip("/")
        or "namespace" in parse_qs(parts.query)
    ):
        raise click.UsageError("--all-namespaces and a namespace were both given: give one.")


def _url(settings: Settings) -> str:
    return settings.given.get("store", os.environ.get("CSIJOURNAL_STORE", ""))
