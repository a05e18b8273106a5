"""A client that hammers a journal of volumes or snapshots, and writes down what it was told."""

from __future__ import annotations

import random
from pathlib import Path

from csijournal import EnsureResult, SnapshotJournal, Store, VolumeJournal
from csijournal.errors import RecordNotFound
from csijournal.journal.model import ImageReservation
from support.hammering import (
    CHURNED_NAMES,
    CREATED,
    DONE,
    FOUND,
    GONE,
    KEPT_NAMES,
    NONE,
    Account,
)
from support.processes import Opener
from support.recorded import AnyImageJournal

SOURCE = "csi-vol-src"


def open_journal(store: Store, kind: str) -> AnyImageJournal:
    """One of a driver that knows that nothing stands behind what is stale."""
    journal = {"volume": VolumeJournal, "snapshot": SnapshotJournal}[kind]
    made: AnyImageJournal = journal(
        store, lease_size=4, settle_seconds=0, stands_behind=lambda *_: False
    )
    return made


def ensure(journal: AnyImageJournal, name: str) -> tuple[ImageReservation, bool]:
    made: EnsureResult[ImageReservation]
    if isinstance(journal, VolumeJournal):
        made = journal.ensure_reservation(name)  # type: ignore[assignment]
    else:
        made = journal.ensure_reservation(name, source_name=SOURCE)  # type: ignore[assignment]
    return made.reservation, made.created


class ImageHammerer:
    """One client at work, on names that are kept and on names that all undo all the time."""

    def __init__(self, journal: AnyImageJournal, account: Account) -> None:
        self._journal = journal
        self._account = account
        self._random = random.Random(account.client)  # noqa: S311 - a seed, no secret
        self._puts = 0

    def work(self, rounds: int) -> None:
        for _ in range(rounds):
            kept = self._random.random() < 0.5
            name = self._random.choice(KEPT_NAMES if kept else CHURNED_NAMES)
            uuid = self._ensure(name)
            self._put(name, uuid)
            self._attributes(name, uuid)
            if not kept and self._random.random() < 0.6:
                self._undo(name, uuid)
                self._attributes(name, uuid)
            self._check(name)

    def _ensure(self, name: str) -> str:
        with self._account.call("ensure", name) as fact:
            found, created = ensure(self._journal, name)
            fact.told = CREATED if created else FOUND
            fact.group_uuid = found.uuid
        return fact.group_uuid

    def _check(self, name: str) -> None:
        with self._account.call("check", name) as fact:
            found = self._journal.check_reservation(name)
            fact.told = FOUND if found else NONE
            fact.group_uuid = found.uuid if found else ""

    def _attributes(self, name: str, uuid: str) -> None:
        with self._account.call("attributes", name, uuid) as fact:
            try:
                found = self._journal.get_attributes(uuid)
            except RecordNotFound:
                fact.told = GONE
            else:
                fact.told = FOUND if found.request_name == name else found.request_name

    def _put(self, name: str, uuid: str) -> None:
        self._puts += 1
        image_id = f"{self._account.client}/{self._puts}"
        with self._account.call("put", name, uuid, image_id) as fact:
            try:
                self._journal.put_image_id(uuid, name, image_id)
                fact.told = DONE
            except RecordNotFound:
                fact.told = GONE

    def _undo(self, name: str, uuid: str) -> None:
        with self._account.call("undo", name, uuid) as fact:
            self._journal.undo_reservation(f"csi-vol-{uuid}", name)
            fact.told = DONE


def hammer_volumes(opener: Opener, folder: Path, client: str, rounds: int) -> None:
    """A client of the journal of volumes in a process of its own."""
    _hammer("volume", opener, folder, client, rounds)


def hammer_snapshots(opener: Opener, folder: Path, client: str, rounds: int) -> None:
    """A client of the journal of snapshots in a process of its own."""
    _hammer("snapshot", opener, folder, client, rounds)


def _hammer(kind: str, opener: Opener, folder: Path, client: str, rounds: int) -> None:
    account = Account(folder / client, client)
    with opener() as store, open_journal(store, kind) as journal:
        ImageHammerer(journal, account).work(rounds)
    account.close()
