from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.damage import entries, group, uuid
from csijournal.check.referrers import Referrer, Search, Sought
from csijournal.store import Store
from csijournal.store.memory import MemoryStore
from csijournal.wire.schema import GROUPS
from support.places import Omaps, Place, fill

HANDLE = f"0001-0009-rook-ceph-0000000000000002-{uuid(70)}"
PLACE: Omaps = (
    entries(one=uuid(1), two=uuid(2), gone=uuid(3))
    | {"csi.groups.other": {"csi.volume.group.three": uuid(3)}}
    | group("one", 1, **{HANDLE: "snap"})
    | group("two", 2, vol=HANDLE)
    | group("lost", 4, **{HANDLE: ""})
)


def found(store: Store, what: str, *, full: bool = False) -> list[Referrer]:
    return list(Search(store, "default", Sought.of([what]), schemas=[GROUPS], full=full).run())


@pytest.fixture
def filled(place: Place) -> Iterator[Store]:
    with place.open() as store:
        fill(store, PLACE)
        yield store


def test_members_are_found_by_key_by_value_and_by_the_uuid_that_they_end_in(filled: Store) -> None:
    first = Referrer(
        "member", uuid(1), request_name="one", member=HANDLE, pointer="one", instance_id="default"
    )
    second = Referrer(
        "member", uuid(2), request_name="two", member="vol", pointer="two", instance_id="default"
    )

    assert found(filled, HANDLE) == [first, second]
    assert found(filled, f"csi-vol-{uuid(70)}") == [first, second]
    assert found(filled, HANDLE[:-1]) == []


def test_a_full_search_finds_groups_and_instances_that_nothing_led_to(filled: Store) -> None:
    lost = Referrer("member", uuid(4), request_name="lost", member=HANDLE)
    assert lost in found(filled, HANDLE, full=True)
    assert found(filled, "lost") == []
    assert found(filled, "lost", full=True) == [
        Referrer("request name", uuid(4), request_name="lost")
    ]
    assert found(filled, uuid(3)) == [Referrer("entry", uuid(3), "default", "gone")]
    assert found(filled, uuid(3), full=True) == [
        Referrer("entry", uuid(3), "default", "gone"),
        Referrer("entry", uuid(3), "other", "three"),
    ]


def test_a_search_that_takes_too_long_stops_and_says_so() -> None:
    store = MemoryStore()
    fill(store, entries(**{f"n-{n:05}": uuid(n) for n in range(3000)}))
    moments = iter(range(100))

    search = Search(
        store,
        "default",
        Sought.of([uuid(2999)]),
        schemas=[GROUPS],
        seconds_max=4,
        clock=lambda: next(moments),
    )

    assert list(search.run()) == []
    assert not search.complete
    assert 0 < search.entries < 3000


def test_a_full_search_is_never_stopped() -> None:
    store = MemoryStore()
    fill(store, entries(**{f"n-{n:05}": uuid(n) for n in range(1500)}))
    moments = iter(range(0, 10**6, 1000))

    search = Search(
        store,
        "default",
        Sought.of([uuid(1499)]),
        schemas=[GROUPS],
        full=True,
        clock=lambda: next(moments),
    )

    assert [one.request_name for one in search.run()] == ["n-01499"]
    assert search.complete
    assert search.entries == 1500
