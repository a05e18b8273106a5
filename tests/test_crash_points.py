"""A client is killed before and after every call of the store: what it promised still holds."""

from __future__ import annotations

import itertools
import signal

import pytest

from csijournal import Store, VolumeGroupJournal
from csijournal.store import Write
from support.crashes import CRASHES, DIRECTORY, NAME, UUID, Crash, die_in
from support.inventory import Inventory
from support.killing import When
from support.places import LONG_AGO_NS, Place, dump, fill
from support.processes import opener_of, shared_between_processes, start


@shared_between_processes
@pytest.mark.parametrize("name", CRASHES)
def test_a_client_killed_at_any_call_leaves_what_the_next_one_can_go_on_with(
    place: Place, name: str
) -> None:
    crash = CRASHES[name]
    for nth in itertools.count(1):
        killed_before = killed(place, name, nth, "before")
        judge(place.open(), crash)
        if not killed_before:
            assert nth > 1
            return
        assert killed(place, name, nth, "after")
        judge(place.open(), crash)


def killed(place: Place, name: str, nth: int, when: When) -> bool:
    """Let a process do the operation from the start and die; False: it came to the end."""
    store = place.open(lambda: LONG_AGO_NS)
    for object_name in list(store.object_names()):
        store.write(Write(object_name, remove_object=True))
    fill(store, CRASHES[name].before)
    process = start(die_in, opener_of(place), name, nth, when)
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def judge(store: Store, crash: Crash) -> None:
    """What was left, what the next client finds, and what is there in the end."""
    left = Inventory(store)
    assert left.contradictions == []
    assert len(left.dangling) <= 1
    assert left.unreferenced - left.leased <= {
        name.removeprefix("csi.volume.group.") for name in crash.before
    }

    journal = VolumeGroupJournal(store, settle_seconds=0)
    found = journal.check_reservation(NAME)
    assert (found.volume_map if found else None) in crash.found
    if found is not None and crash.same_uuid:
        assert found.group_uuid == UUID

    crash.repeat(journal)
    done = journal.check_reservation(NAME)
    assert (done.volume_map if done else None) == crash.done
    if done is not None and crash.same_uuid:
        assert done.group_uuid == UUID
    if done is not None and found is not None and not crash.undoes:
        assert done.group_uuid == found.group_uuid
    journal.close()

    VolumeGroupJournal(store, settle_seconds=0).recover(0)
    VolumeGroupJournal(store, settle_seconds=0).recover(0)
    rest = dump(store)
    entries = {} if done is None else {f"csi.volume.group.{NAME}": done.group_uuid}
    assert rest.pop(DIRECTORY) == entries
    assert set(rest) == {f"csi.volume.group.{group_uuid}" for group_uuid in entries.values()}
