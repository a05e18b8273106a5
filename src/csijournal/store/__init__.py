"""Stores: where a journal can live, opened by URL."""

from __future__ import annotations

from csijournal.store.contract import (
    Guarantee,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    ObjectState,
    Store,
    Unchanged,
    Write,
)
from csijournal.store.urls import location_of_url, open_location, open_over, open_store

__all__ = [
    "Guarantee",
    "KeyAbsent",
    "KeyEquals",
    "KeyPresent",
    "ObjectAbsent",
    "ObjectExists",
    "ObjectState",
    "Store",
    "Unchanged",
    "Write",
    "location_of_url",
    "open_location",
    "open_over",
    "open_store",
]
