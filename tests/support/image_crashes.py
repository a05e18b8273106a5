"""What a client of volumes or snapshots may die in, and what must hold whenever it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from csijournal import SnapshotJournal, Store, VolumeJournal
from csijournal.errors import UUIDInUse
from csijournal.wire.leases import Lease
from support.journals import LONG_AGO, uuid_number
from support.killing import KillingStore, When
from support.places import Omaps
from support.processes import Opener
from support.recorded import AnyImageJournal, directory_name, name_key, record_name

NAME, SOURCE = "pvc-1", "csi-vol-src"
UUID, OLDER = uuid_number(0xA), uuid_number(0xB)
KINDS = ("volume", "snapshot")


def open_journal(store: Store, kind: str) -> AnyImageJournal:
    """One of a driver that knows that nothing stands behind what is stale."""
    journal = {"volume": VolumeJournal, "snapshot": SnapshotJournal}[kind]
    made: AnyImageJournal = journal(
        store, lease_size=2, settle_seconds=0, stands_behind=lambda *_: False
    )
    return made


def ensure(journal: AnyImageJournal, uuid: str | None = None) -> None:
    if isinstance(journal, VolumeJournal):
        journal.ensure_reservation(NAME, uuid=uuid)
    else:
        journal.ensure_reservation(NAME, source_name=SOURCE, uuid=uuid)


def ensure_chosen(journal: AnyImageJournal) -> None:
    """A record with this UUID that a client left without an entry is recover's to remove."""
    try:
        ensure(journal, UUID)
    except UUIDInUse:
        journal.recover(0)
        ensure(journal, UUID)


def ensure_and_close(journal: AnyImageJournal) -> None:
    ensure(journal)
    journal.close()


def undo(journal: AnyImageJournal) -> None:
    journal.undo_reservation(f"csi-vol-{UUID}", NAME)


def put_all(journal: AnyImageJournal) -> None:
    journal.put_image_id(UUID, NAME, "10ab12cd34ef")
    journal.put_group_id(UUID, NAME, "group")
    journal.put_owner(UUID, NAME, "ns-2")
    journal.put_attribute(UUID, NAME, "nfs.cluster", "my-nfs")


ENTRY, RECORD, EMPTY, LEASED = "entry", "record", "empty record", "leased record"


def state(kind: str, parts: tuple[str, ...]) -> Omaps:
    directory: dict[str, str] = {}
    omaps: Omaps = {}
    attributes = {name_key(kind): NAME, "csi.imagename": f"csi-vol-{UUID}"}
    if kind == "snapshot":
        attributes["csi.source"] = SOURCE
    if ENTRY in parts:
        directory[record_name(kind, NAME)] = UUID
    if RECORD in parts:
        omaps[record_name(kind, UUID)] = attributes
    if EMPTY in parts:
        omaps[record_name(kind, UUID)] = {}
    if LEASED in parts:
        lease = Lease((OLDER,), since=LONG_AGO)
        directory[lease.key] = lease.value.decode()
        omaps[record_name(kind, OLDER)] = attributes | {"csi.imagename": f"csi-vol-{OLDER}"}
    return omaps | ({directory_name(kind, "default"): directory} if directory else {})


@dataclass(frozen=True)
class Crash:
    """An operation on a state; `found` and `done` say whether NAME may be, and is, reserved.

    Where `same_uuid`, only under UUID.
    """

    before: tuple[str, ...]
    act: Callable[[AnyImageJournal], object]
    found: tuple[bool, ...]
    done: bool
    same_uuid: bool = True


CRASHES = {
    "ensure": Crash((), ensure, (False, True), done=True, same_uuid=False),
    "ensure a chosen UUID": Crash((), ensure_chosen, (False, True), done=True),
    "ensure and close": Crash((), ensure_and_close, (False, True), done=True, same_uuid=False),
    "ensure what is there": Crash((ENTRY, RECORD), ensure, (True,), done=True),
    "ensure over a dangling entry": Crash(
        (ENTRY,), ensure, (False, True), done=True, same_uuid=False
    ),
    "ensure the UUID of a dangling entry": Crash((ENTRY,), ensure_chosen, (False, True), done=True),
    "ensure over an old empty record": Crash(
        (ENTRY, EMPTY), ensure, (False, True), done=True, same_uuid=False
    ),
    "undo": Crash((ENTRY, RECORD), undo, (False, True), done=False),
    "undo without an entry": Crash((RECORD,), undo, (False,), done=False),
    "puts": Crash((ENTRY, RECORD), put_all, (True,), done=True),
    "recover of a stranded record": Crash((LEASED,), lambda j: j.recover(0), (False,), done=False),
    "recover beside a reservation": Crash(
        (ENTRY, RECORD, LEASED), lambda j: j.recover(0), (True,), done=True
    ),
    "recover of a dangling entry": Crash((ENTRY,), lambda j: j.recover(0), (False,), done=False),
}


def die_in(opener: Opener, kind: str, crash: str, nth: int, when: When) -> None:
    """Begin the operation in a process that dies at the `nth` call of the store."""
    store = KillingStore(opener(), nth, when)
    CRASHES[crash].act(open_journal(store, kind))
    store.inner.close()
