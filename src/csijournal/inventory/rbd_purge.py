"""When the manager empties the trash of a pool by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from csijournal.errors import StoreError
from csijournal.store.contract import Store
from csijournal.store.rados.pool import RADOSStore

_SCHEDULES = "rbd_trash_purge_schedule"
"""The object, in the pool's default namespace, in which the manager keeps them.

Its keys are the pool's id, or that, a slash and a namespace.  The schedule for all
pools is an option of the manager's module.
"""
_OPTION = "mgr/rbd_support/trash_purge_schedule"


def purge_schedules(store: RADOSStore) -> Iterator[str]:
    """The schedules by which the place's trash is emptied, in words, and those not readable."""
    try:
        yield from _of_pool(store.beside(store.pool_id, ""), store.pool_id, store.namespace)
    except StoreError as error:
        yield f"the pool's schedule could not be read: {error.message}"
    try:
        options = store.session.mon_command("config dump")
    except StoreError as error:
        yield f"the schedule of all pools could not be read: {error.message}"
    else:
        for option in options:
            if option["name"] == _OPTION:
                yield from _said("of all pools", option["value"])


def _of_pool(store: Store, pool_id: int, namespace: str) -> Iterator[str]:
    found = store.read_keys(_SCHEDULES, {str(pool_id), f"{pool_id}/{namespace}"}) or {}
    for key, value in sorted(found.items()):
        whose = f"of the namespace {namespace}" if "/" in key else "of the pool"
        yield from _said(whose, value.decode(errors="replace"))


def _said(whose: str, text: str) -> Iterator[str]:
    """A schedule as the manager writes it, JSON in a text, in words; nothing for none."""
    try:
        schedule = json.loads(text) if text.strip() else []
        intervals = [_interval(one) for one in schedule]
    except (ValueError, TypeError, LookupError):
        yield f"the schedule {whose} is not as the manager writes it"
        return
    if intervals:
        yield f"the schedule {whose}: {', '.join(intervals)}"


def _interval(one: dict[str, Any]) -> str:
    start = one.get("start_time")
    return f"every {one['interval']}" + (f" starting at {start}" if start else "")
