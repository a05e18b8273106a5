"""From the common options to an open journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import click

from csijournal.check.instances import probe_shards
from csijournal.cli.options import Settings
from csijournal.cli.output import note
from csijournal.cli.rados_options import LookedIn, location_of_options, open_rados
from csijournal.errors import (
    InvalidStoreURL,
    PermissionDenied,
    PlaceNotFound,
    PlaceUnusable,
    StoreUnsuitable,
    printable,
)
from csijournal.journal.groups import VolumeGroupJournal
from csijournal.store import Guarantee, Store, location_of_url, open_store
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.timeouts import SECONDS_MAX, parse_timeout
from csijournal.wire.handles import Handle
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened

_TIMEOUT_SECONDS = 30.0
_NEEDS = Guarantee.DURABLE | Guarantee.BETWEEN_PROCESSES


@contextmanager
def open_journal(
    settings: Settings, *, create: bool = False, handle: Handle | None = None
) -> Iterator[VolumeGroupJournal]:
    """The journal that the options name, until the block ends.

    Without `create`, a journal that is not there is PlaceNotFound, and looking
    makes nothing; with it, one in shards is PlaceUnusable.  `handle` names the
    pool where the options do not.
    """
    with (
        open_place(settings, create=create, handle=handle) as store,
        journal_on(store, settings) as journal,
    ):
        if create:
            _refuse_shards(store, settings.instance_id)
        yield journal


def _refuse_shards(store: Store, instance_id: str) -> None:
    """Raise PlaceUnusable where a name that is to be reserved may be reserved in a shard."""
    shards = probe_shards(store, instance_id, GROUPS)
    if shards:
        names = ", ".join(f"{GROUPS.directory_prefix}{instance_id}.{shard}" for shard in shards)
        raise PlaceUnusable(
            f"the instance {shortened(instance_id)} has a directory in shards ({names}), in which"
            " a name may be reserved: csijournal only reads those",
            hint="`csijournal check NAME` and `csijournal list` look into the shards",
        )


@contextmanager
def open_place(
    settings: Settings, *, create: bool = False, handle: Handle | None = None
) -> Iterator[Store]:
    """The store that the options name, for commands that need more than the journal."""
    with _open(settings, create, handle) as store:
        try:
            store.require(_NEEDS)
        except StoreUnsuitable as error:
            error.hint = "It would be gone when this command ends: use sqlite or rados"
            raise
        if not create:
            _connect(store, settings)
        yield store


def _connect(store: Store, settings: Settings) -> None:
    """Reach the store; who named none is told of the other kind of location."""
    try:
        store.connect()
    except PlaceNotFound as error:
        if not settings.rados and "store" not in settings.given and not _store_variable():
            error.hint = (
                "Is the journal in a Ceph pool? Name it: -p POOL, and -N NAMESPACE."
                " Without, reserve, ensure and restore --apply make the file"
            )
        raise


def journal_on(store: Store, settings: Settings) -> VolumeGroupJournal:
    """The journal of the chosen instance in `store`."""
    return VolumeGroupJournal(store, instance_id=settings.instance_id, lease_size=1)


def location_of(settings: Settings) -> RADOSLocation | None:
    """The location on a Ceph cluster that the options name; None for another kind of store."""
    _require_one_place(settings)
    if settings.rados:
        return location_of_options(settings.rados, _timeout_seconds(settings))
    url = settings.given.get("store", _store_variable())
    return location_of_url(_with_timeout(_require_utf8(url), settings)) if url else None


def _open(settings: Settings, create: bool, handle: Handle | None) -> Store:
    if settings.opener is not None:
        return settings.opener()
    _require_one_place(settings)
    if settings.rados:
        return open_rados(
            settings.rados, handle, _timeout_seconds(settings), partial(_say, settings)
        )
    url = settings.given.get("store", _store_variable())
    if url is None:
        url = _default_url(create=create)
    return open_store(_with_timeout(_require_utf8(url), settings), create=create)


def _say(settings: Settings, looked_in: LookedIn) -> None:
    """Say where a handle led; with JSON it stands in the answer."""
    settings.looked_in = looked_in.to_json()
    note(settings, str(looked_in))


def _store_variable() -> str | None:
    return os.environ.get("CSIJOURNAL_STORE") or None


def _require_one_place(settings: Settings) -> None:
    if not settings.rados:
        return
    options = ", ".join("--" + name.replace("_", "-") for name in sorted(settings.rados))
    if "store" in settings.given:
        raise click.UsageError(
            f"--store and the RADOS options ({options}) both say where the journal is: give one."
        )
    if "pool" not in settings.rados and os.environ.get("CSIJOURNAL_STORE"):
        raise click.UsageError(
            f"CSIJOURNAL_STORE and the RADOS options ({options}) both say where the journal is:"
            " give --pool, which goes before CSIJOURNAL_STORE, or leave them out."
        )


def _timeout_seconds(settings: Settings) -> float:
    text = settings.given.get("timeout", str(_TIMEOUT_SECONDS))
    seconds = parse_timeout(text)
    if seconds is None:
        raise click.UsageError(
            f"--timeout: {text!r} is not a timeout of 0 to {SECONDS_MAX:,.0f} seconds."
        )
    return seconds


def _with_timeout(url: str, settings: Settings) -> str:
    if "timeout" not in settings.given:
        return url
    return f"{url}{'&' if '?' in url else '?'}timeout={_timeout_seconds(settings)}"


def _require_utf8(url: str) -> str:
    try:
        url.encode()
    except UnicodeEncodeError as error:
        raise InvalidStoreURL(
            f"the store URL '{printable(url)}' holds a byte that is not UTF-8"
            f" at position {error.start + 1}"
        ) from error
    return url


def _default_url(*, create: bool) -> str:
    """The SQLite file in the user's state folder, which is made with `create`."""
    folder = _state_folder() / "csijournal"
    if create:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PermissionDenied(
                f"the folder {folder} cannot be made: {error.strerror}",
                hint="Name another location with --store or CSIJOURNAL_STORE",
            ) from error
    return "sqlite://" + quote(str(folder / "journal.db"), errors="surrogateescape")


def _state_folder() -> Path:
    named = os.environ.get("XDG_STATE_HOME", "")
    if named.startswith("/"):  # the XDG rules say to ignore a relative one
        return Path(named)
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise click.UsageError("This user has no home folder: give --store.") from error
