"""Operations that a client may die in, and what must hold whenever it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from csijournal import VolumeGroupJournal
from csijournal.errors import AlreadyReserved
from csijournal.wire.leases import Lease
from support.journals import LONG_AGO, uuid_number
from support.killing import KillingStore, When
from support.places import Omaps
from support.processes import Opener

DIRECTORY = "csi.groups.default"
NAME = "req-a"
UUID = uuid_number(0xA)
OLDER_UUID = uuid_number(0xB)
GROUP_NAME = f"csi-vol-group-{UUID}"
MEMBERS = {f"vol-{number}": f"snap-{number}" for number in range(5)}
MORE = {f"more-{number}": "" for number in range(5)}

_ENTRY = {DIRECTORY: {f"csi.volume.group.{NAME}": UUID}}


def _group(group_uuid: str, members: dict[str, str]) -> Omaps:
    attributes = {
        "csi.volname": NAME,
        "csi.groupname": f"csi-vol-group-{group_uuid}",
        "csi.creationtime": "2026-11-22T13:23:10.911063702Z",
    }
    return {f"csi.volume.group.{group_uuid}": attributes | members}


NOTHING: Omaps = {}
RESERVED: Omaps = {**_ENTRY, **_group(UUID, MEMBERS)}
DANGLING: Omaps = _ENTRY
UNNAMED: Omaps = {**_ENTRY, f"csi.volume.group.{UUID}": {}}
_LEASE = Lease((UUID, OLDER_UUID), since=LONG_AGO)
_LEASED = {_LEASE.key: _LEASE.value.decode()}
STRANDED: Omaps = {DIRECTORY: _LEASED, **_group(OLDER_UUID, {})}
STRANDED_BESIDE: Omaps = {**RESERVED, **STRANDED, DIRECTORY: _ENTRY[DIRECTORY] | _LEASED}
WITH_OLDER: Omaps = {**RESERVED, **_group(OLDER_UUID, {})}


@dataclass(frozen=True)
class Crash:
    """An operation on a state, told by what may be found after it was cut short.

    `found` are the answers of check that are right at any moment of it: None,
    or the members of the reservation under NAME.  `again` is the operation
    done until it is done, and `done` the only right answer after that.  Where
    `same_uuid`, a reservation that is found is the one that was there before;
    unless it `undoes`, the one found first is the one found in the end.
    """

    before: Omaps
    act: Callable[[VolumeGroupJournal], object]
    found: tuple[dict[str, str] | None, ...]
    done: dict[str, str] | None
    again: Callable[[VolumeGroupJournal], object] | None = None
    same_uuid: bool = True
    undoes: bool = False

    def repeat(self, journal: VolumeGroupJournal) -> None:
        """What a client does that does not know how far the first one came."""
        (self.again or self.act)(journal)


def _ensure(journal: VolumeGroupJournal) -> object:
    return journal.ensure_reservation(NAME)


def _reserve_what_is_taken(journal: VolumeGroupJournal) -> None:
    with suppress(AlreadyReserved):
        journal.reserve_name(NAME)


def _undo_and_ensure(journal: VolumeGroupJournal) -> None:
    journal.undo_reservation(GROUP_NAME, NAME)
    journal.ensure_reservation(NAME)


def _reserve_and_close(journal: VolumeGroupJournal) -> None:
    journal.reserve_name(NAME)
    journal.close()


CRASHES = {
    "reserve": Crash(
        NOTHING,
        lambda journal: journal.reserve_name(NAME),
        (None, {}),
        {},
        _ensure,
        same_uuid=False,
    ),
    "reserve beside a dangling entry": Crash(
        DANGLING,
        lambda journal: journal.reserve_name(NAME),
        (None, {}),
        {},
        _ensure,
        same_uuid=False,
    ),
    "ensure where nothing is": Crash(NOTHING, _ensure, (None, {}), {}, same_uuid=False),
    "ensure what is there": Crash(RESERVED, _ensure, (MEMBERS,), MEMBERS),
    "ensure over an old unnamed group": Crash(UNNAMED, _ensure, (None, {}), {}, same_uuid=False),
    "lose a race for the name": Crash(RESERVED, _reserve_what_is_taken, (MEMBERS,), MEMBERS),
    "undo": Crash(
        RESERVED,
        lambda journal: journal.undo_reservation(GROUP_NAME, NAME),
        (None, MEMBERS),
        None,
    ),
    "undo, then ensure": Crash(
        RESERVED,
        lambda journal: journal.undo_reservation(GROUP_NAME, NAME),
        (None, MEMBERS),
        {},
        _undo_and_ensure,
        same_uuid=False,
        undoes=True,
    ),
    "undo of a dangling entry": Crash(
        DANGLING, lambda journal: journal.undo_reservation(GROUP_NAME, NAME), (None,), None
    ),
    "undo of an older reservation": Crash(
        WITH_OLDER,
        lambda journal: journal.undo_reservation(f"csi-vol-group-{OLDER_UUID}", NAME),
        (MEMBERS,),
        MEMBERS,
    ),
    "undo without a group name": Crash(
        DANGLING, lambda journal: journal.undo_reservation("", NAME), (None,), None
    ),
    "add members": Crash(
        RESERVED,
        lambda journal: journal.add_volumes_mapping(UUID, MORE),
        (MEMBERS, MEMBERS | MORE),
        MEMBERS | MORE,
    ),
    "remove members": Crash(
        RESERVED,
        lambda journal: journal.remove_volumes_mapping(UUID, MEMBERS),
        (MEMBERS, {}),
        {},
    ),
    "check what is there": Crash(
        RESERVED, lambda journal: journal.check_reservation(NAME), (MEMBERS,), MEMBERS
    ),
    "check a dangling entry": Crash(
        DANGLING, lambda journal: journal.check_reservation(NAME), (None,), None
    ),
    "check an old unnamed group": Crash(
        UNNAMED, lambda journal: journal.check_reservation(NAME), (None,), None
    ),
    "attributes": Crash(
        RESERVED, lambda journal: journal.get_volume_group_attributes(UUID), (MEMBERS,), MEMBERS
    ),
    "recover of a dangling entry": Crash(
        DANGLING, lambda journal: journal.recover(0), (None,), None
    ),
    "recover of a stranded group": Crash(
        STRANDED, lambda journal: journal.recover(0), (None,), None
    ),
    "recover beside a reservation": Crash(
        STRANDED_BESIDE, lambda journal: journal.recover(0), (MEMBERS,), MEMBERS
    ),
    "reserve and close": Crash(
        NOTHING,
        _reserve_and_close,
        (None, {}),
        {},
        _ensure,
        same_uuid=False,
    ),
}


def die_in(opener: Opener, crash: str, nth: int, when: When) -> None:
    """Begin the operation in a process that dies at the `nth` call of the store."""
    store = KillingStore(opener(), nth, when)
    CRASHES[crash].act(VolumeGroupJournal(store, settle_seconds=0))
    store.inner.close()
