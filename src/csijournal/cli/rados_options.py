"""From the RADOS options to a store."""

from __future__ import annotations

from collections.abc import Mapping

import click

from csijournal.store import Store, open_location
from csijournal.store.rados.location import RADOSLocation
from csijournal.wire.handles import Handle


def open_rados(given: Mapping[str, str], handle: Handle | None, timeout_seconds: float) -> Store:
    """The store of the options in `given`; `handle` adds the pool and cluster that they lack."""
    words = {name.replace("_", "-"): value for name, value in given.items()}
    if handle is not None:
        words |= _from_handle(words, handle)
    if not words.get("pool") and "pool-id" not in words:
        raise click.UsageError("Which pool? Give -p/--pool, or name the group by its CSI handle.")
    return open_location(RADOSLocation.from_words(words | {"timeout": str(timeout_seconds)}))


def _from_handle(words: Mapping[str, str], handle: Handle) -> dict[str, str]:
    found = {} if words.get("pool") else {"pool-id": str(handle.location_id)}
    if "csi-config" in words and "cluster-id" not in words:
        found["cluster-id"] = handle.cluster_id
    return found
