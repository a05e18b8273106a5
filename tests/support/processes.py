"""Child processes that open a test's place for themselves."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess

import pytest

from csijournal.store import Store
from csijournal.store.sqlite import SQLiteStore
from support.places import Place, RADOSPlace, SQLitePlace

Opener = Callable[[], Store]

shared_between_processes = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("rados", marks=pytest.mark.ceph)], indirect=True
)
"""Runs a test on each kind of place that several processes can use."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pytest", "csijournal", "csijournal.store.sqlite"])


def opener_of(place: Place) -> Opener:
    """What opens the place, in a form that can be sent to another process."""
    if isinstance(place, SQLitePlace):
        return partial(SQLiteStore, place.path)
    if isinstance(place, RADOSPlace):
        from csijournal.store.rados.pool import RADOSStore  # noqa: PLC0415 - only where there is Ceph

        return partial(RADOSStore, place.pool, place.namespace, conf=str(place.cluster.conf))
    raise TypeError(f"{place} lives in one process")


def start(target: Callable[..., None], *args: object) -> BaseProcess:
    """A new process that runs `target`, forked from a server without threads."""
    process = _context.Process(target=target, args=args, daemon=True)
    process.start()
    return process
