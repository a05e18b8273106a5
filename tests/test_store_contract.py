"""What every store has to do, sentence by sentence of store/contract.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from csijournal.errors import (
    GuardFailed,
    InvalidInput,
    InvalidObjectName,
    PlaceUnusable,
    StoreUnsuitable,
)
from csijournal.store import (
    Guarantee,
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    Store,
    Unchanged,
    Write,
)
from csijournal.store.contract import Guard
from support.places import LONG_AGO_NS, Place
from support.processes import shared_between_processes
from support.texts import HOSTILE_KEYS, UNSTORABLE

SECOND = 1_000_000_000
THREADS = 8


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


def put(store: Store, object_name: str, **entries: bytes) -> None:
    store.write(Write(object_name, guards=(ObjectAbsent(),), puts=entries))


# Guards


@pytest.mark.parametrize(
    "guard",
    [
        ObjectAbsent(),
        KeyAbsent("a"),
    ],
    ids=str,
)
def test_a_guard_of_absence_holds_where_there_is_no_object(store: Store, guard: Guard) -> None:
    store.write(Write("o", guards=(guard,), puts={"k": b"v"}))
    assert store.read_object("o") == {"k": b"v"}


@pytest.mark.parametrize(
    "guard",
    [ObjectExists(), KeyPresent("a"), KeyEquals("a", b"1")],
    ids=str,
)
def test_a_guard_of_presence_fails_where_there_is_no_object(store: Store, guard: Guard) -> None:
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(guard,), puts={"k": b"v"}))
    assert store.read_object("o") is None


@pytest.mark.parametrize(
    "guard",
    [
        ObjectExists(),
        KeyAbsent("c"),
        KeyAbsent("empty"),
        KeyPresent("a"),
        KeyEquals("a", b"1"),
        KeyEquals("long", "ü".encode() * 50),
    ],
    ids=str,
)
def test_a_guard_that_is_true_of_the_object_lets_the_write_through(
    store: Store, guard: Guard
) -> None:
    put(store, "o", a=b"1", empty=b"", long="ü".encode() * 50)
    store.write(Write("o", guards=(guard,), puts={"k": b"v"}))
    assert store.read_keys("o", ["k"]) == {"k": b"v"}


@pytest.mark.parametrize(
    "guard",
    [
        ObjectAbsent(),
        KeyAbsent("a"),
        KeyPresent("c"),
        KeyPresent("empty"),
        KeyEquals("a", b"2"),
        KeyEquals("a", b"11"),
        KeyEquals("a", b"0"),
        KeyEquals("ten", b"1"),
        KeyEquals("c", b"1"),
        KeyEquals("empty", b"1"),
        KeyEquals("A", b"1"),
    ],
    ids=str,
)
def test_a_guard_that_is_not_true_of_the_object_stops_all_of_the_write(
    store: Store, guard: Guard
) -> None:
    before = {"a": b"1", "empty": b"", "ten": b"10"}
    put(store, "o", **before)
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(guard,), puts={"k": b"v", "a": b"9"}, deletions=["ten"]))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(guard,), remove_object=True))
    assert store.read_object("o") == before


def test_an_empty_object_exists_and_has_no_keys(store: Store) -> None:
    put(store, "o")
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(ObjectAbsent(),), puts={"k": b"v"}))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(KeyPresent("k"),), puts={"k": b"v"}))
    store.write(Write("o", guards=(ObjectExists(), KeyAbsent("k"))))
    assert store.read_object("o") == {}


@pytest.mark.parametrize("failing_at", range(4))
def test_one_guard_of_several_that_fails_stops_all_of_the_write(
    store: Store, failing_at: int
) -> None:
    put(store, "o", a=b"1")
    guards: list[Guard] = [ObjectExists(), KeyPresent("a"), KeyAbsent("b")]
    guards.insert(failing_at, KeyEquals("a", b"2"))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=tuple(guards), puts={"b": b"2"}))
    assert store.read_object("o") == {"a": b"1"}


def test_several_guards_that_hold_let_the_write_through(store: Store) -> None:
    put(store, "o", a=b"1", b=b"2")
    guards = (
        ObjectExists(),
        KeyPresent("a"),
        KeyEquals("a", b"1"),
        KeyEquals("b", b"2"),
        KeyAbsent("c"),
        KeyAbsent("d"),
    )
    store.write(Write("o", guards=guards, puts={"c": b"3"}))
    assert store.read_object("o") == {"a": b"1", "b": b"2", "c": b"3"}


def test_guards_on_keys_also_hold_together_where_there_is_no_object(store: Store) -> None:
    store.write(Write("o", guards=(KeyAbsent("a"), KeyAbsent("b")), puts={"a": b"1"}))
    with pytest.raises(GuardFailed):
        store.write(Write("p", guards=(KeyAbsent("a"), KeyPresent("b")), puts={"a": b"1"}))
    with pytest.raises(GuardFailed):
        store.write(Write("p", guards=(KeyAbsent("a"), ObjectExists()), puts={"a": b"1"}))
    assert store.read_object("o") == {"a": b"1"}
    assert store.read_object("p") is None


def test_guards_are_judged_on_the_object_as_it_was_before(store: Store) -> None:
    put(store, "o", a=b"1")
    store.write(
        Write(
            "o",
            guards=(KeyEquals("a", b"1"), KeyAbsent("b")),
            puts={"b": b"2"},
            deletions=["a"],
        )
    )
    assert store.read_object("o") == {"b": b"2"}


def test_a_failed_guard_names_the_object(store: Store) -> None:
    with pytest.raises(GuardFailed) as caught:
        store.write(Write("the-object", guards=(ObjectExists(),)))
    assert caught.value.object_name == "the-object"


def test_a_guard_compares_bytes_and_not_texts_that_look_alike(store: Store) -> None:
    put(store, "o", composed="é".encode(), key="\U0001f4be".encode())
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(KeyEquals("composed", "e\u0301".encode()),)))
    store.write(Write("o", guards=(KeyEquals("composed", "é".encode()),)))
    store.write(Write("o", guards=(KeyEquals("key", "\U0001f4be".encode()),)))


# State


def version_of(store: Store, object_name: str) -> int:
    state = store.read_state(object_name)
    assert state is not None
    return state.version


def test_the_state_of_an_object_has_its_entries_in_order_and_its_time(place: Place) -> None:
    store = place.open(lambda: LONG_AGO_NS)
    store.write(Write("o", puts=dict.fromkeys(reversed(HOSTILE_KEYS), b"1")))
    put(store, "empty")
    state = store.read_state("o")
    assert state is not None
    assert list(state.entries.items()) == [(key, b"1") for key in HOSTILE_KEYS]
    assert state.modified_ns == LONG_AGO_NS
    empty = store.read_state("empty")
    assert empty is not None
    assert empty.entries == {}
    assert store.read_state("missing") is None


def test_the_state_of_an_object_of_five_thousand_entries_is_whole(store: Store) -> None:
    entries = {f"key-{number:05}": b"%d" % number for number in range(5_000)}
    store.write(Write("o", puts=entries))
    state = store.read_state("o")
    assert state is not None
    assert state.entries == entries
    store.write(Write("o", guards=(Unchanged(state.version),), remove_object=True))
    assert store.read_object("o") is None


def test_an_object_that_nobody_wrote_to_counts_as_unchanged(store: Store) -> None:
    put(store, "o", a=b"1")
    version = version_of(store, "o")
    put(store, "other")
    store.read_object("o")
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(KeyAbsent("a"),), puts={"a": b"2"}))
    assert version_of(store, "o") == version
    store.write(Write("o", guards=(Unchanged(version), KeyPresent("a")), puts={"b": b"2"}))
    assert store.read_object("o") == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize(
    "changes",
    [
        [Write("o", puts={"a": b"2"})],
        [Write("o", puts={"a": b"1"})],
        [Write("o", puts={"b": b"2"})],
        [Write("o", deletions=["a"])],
        [Write("o", puts={"a": b"2"}), Write("o", puts={"a": b"1"})],
        [Write("o", remove_object=True)],
        [Write("o", remove_object=True), Write("o", puts={"a": b"1"})],
    ],
    ids=str,
)
def test_an_object_that_somebody_wrote_to_no_longer_counts_as_unchanged(
    place: Place, changes: list[Write]
) -> None:
    store, other = place.open(), place.open()
    put(store, "o", a=b"1")
    unchanged = Unchanged(version_of(store, "o"))
    for change in changes:
        other.write(change)
    after = store.read_object("o")
    for write in (
        Write("o", guards=(unchanged,), puts={"c": b"3"}),
        Write("o", guards=(KeyAbsent("c"), unchanged), puts={"c": b"3"}),
        Write("o", guards=(unchanged,), remove_object=True),
    ):
        with pytest.raises(GuardFailed):
            store.write(write)
    assert store.read_object("o") == after


def test_a_write_of_ones_own_changes_the_version_too(store: Store) -> None:
    put(store, "o", a=b"1")
    unchanged = Unchanged(version_of(store, "o"))
    store.write(Write("o", guards=(unchanged,), puts={"a": b"2"}))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(unchanged,), puts={"a": b"3"}))
    assert store.read_object("o") == {"a": b"2"}


# Writes


def test_a_write_without_guards_creates_changes_and_removes(store: Store) -> None:
    store.write(Write("o", puts={"a": b"1"}))
    store.write(Write("o", puts={"a": b"2", "b": b"3"}))
    assert store.read_object("o") == {"a": b"2", "b": b"3"}
    store.write(Write("o", remove_object=True))
    assert store.read_object("o") is None
    assert list(store.object_names()) == []


def test_deletions_come_before_puts(store: Store) -> None:
    put(store, "o", a=b"1", b=b"2")
    store.write(Write("o", puts={"a": b"new"}, deletions=["a", "b"]))
    assert store.read_object("o") == {"a": b"new"}


def test_deleting_keys_that_are_not_there_is_fine(store: Store) -> None:
    put(store, "o", a=b"1")
    store.write(Write("o", deletions=["b", "a", "c", "b"]))
    assert store.read_object("o") == {}


def test_an_object_whose_last_key_is_deleted_stays(store: Store) -> None:
    put(store, "o", a=b"1")
    store.write(Write("o", deletions=["a"]))
    assert store.read_object("o") == {}
    assert list(store.object_names()) == ["o"]


@pytest.mark.parametrize(
    "write",
    [
        Write("o"),
        Write("o", deletions=["a"]),
        Write("o", remove_object=True),
        Write("o", guards=(KeyAbsent("a"),)),
        Write("o", guards=(KeyAbsent("a"),), deletions=["a"]),
        Write("o", guards=(KeyAbsent("a"),), remove_object=True),
        Write("o", guards=(ObjectAbsent(),), remove_object=True),
    ],
    ids=str,
)
def test_a_write_that_puts_nothing_leaves_a_missing_object_missing(
    store: Store, write: Write
) -> None:
    store.write(write)
    assert store.read_object("o") is None
    assert list(store.object_names()) == []


def test_the_guard_that_an_object_is_absent_creates_it_even_with_deletions_alone(
    store: Store,
) -> None:
    store.write(Write("o", guards=(ObjectAbsent(),), deletions=["a"]))
    assert store.read_object("o") == {}


def test_a_removed_object_can_be_made_again_and_has_nothing_of_before(store: Store) -> None:
    put(store, "o", a=b"1")
    store.write(Write("o", guards=(KeyEquals("a", b"1"),), remove_object=True))
    put(store, "o", b=b"2")
    assert store.read_object("o") == {"b": b"2"}


def test_empty_values_are_stored_and_read_as_such_everywhere(store: Store) -> None:
    put(store, "o", empty=b"", full=b"1")
    assert store.read_keys("o", ["empty"]) == {"empty": b""}
    assert store.read_page("o") == {"empty": b"", "full": b"1"}
    assert store.read_object("o") == {"empty": b"", "full": b"1"}
    assert store.read_object("o", sentinel="empty") == {"empty": b"", "full": b"1"}
    assert list(store.read_objects(["o"])) == [("o", {"empty": b"", "full": b"1"})]


def test_a_value_can_be_made_empty_and_full_again(store: Store) -> None:
    put(store, "o", a=b"1")
    store.write(Write("o", guards=(KeyEquals("a", b"1"),), puts={"a": b""}))
    assert store.read_object("o") == {"a": b""}
    store.write(Write("o", guards=(KeyAbsent("a"),), puts={"a": b"2"}))
    assert store.read_object("o") == {"a": b"2"}


def test_values_are_bytes_of_any_kind(store: Store) -> None:
    entries = {"nul": b"a\0b", "high": bytes(range(256)), "long": b"x" * 100_000}
    store.write(Write("o", puts=entries))
    assert store.read_object("o") == dict(sorted(entries.items()))


def test_objects_do_not_see_each_other(store: Store) -> None:
    put(store, "o", a=b"1")
    put(store, "O", a=b"2")
    put(store, "o.", a=b"3")
    store.write(Write("o", remove_object=True))
    assert store.read_object("O") == {"a": b"2"}
    assert store.read_object("o.") == {"a": b"3"}


# Reads


def test_what_is_missing_reads_as_none_and_what_is_empty_as_empty(store: Store) -> None:
    put(store, "empty")
    reads: tuple[Callable[[str], object], ...] = (
        lambda name: store.read_keys(name, ["a"]),
        lambda name: store.read_keys(name, []),
        store.read_page,
        lambda name: store.read_page(name, after="a", prefix="b"),
        store.read_object,
        lambda name: store.read_object(name, sentinel="a"),
    )
    for read in reads:
        assert read("missing") is None
        assert read("empty") == {}


def test_of_the_keys_asked_for_those_that_the_object_has_are_read(store: Store) -> None:
    put(store, "o", a=b"1", b=b"2", c=b"")
    assert store.read_keys("o", ["c", "x", "a", "a"]) == {"a": b"1", "c": b""}
    assert store.read_keys("o", ["x"]) == {}
    assert store.read_keys("o", []) == {}
    assert store.read_keys("o", {"a": 1}.keys()) == {"a": b"1"}


def pages(store: Store, object_name: str, limit: int, prefix: str = "") -> Iterator[list[str]]:
    """Every page of the object up to the empty one, as its keys."""
    after = ""
    while page := store.read_page(object_name, after=after, prefix=prefix, limit=limit):
        keys = list(page)
        yield keys
        after = keys[-1]


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_follow_each_other_in_order_up_to_an_empty_one(store: Store, limit: int) -> None:
    entries = {key: f"value of {key}".encode() for key in HOSTILE_KEYS}
    store.write(Write("o", puts=dict(reversed(entries.items()))))
    seen = list(pages(store, "o", limit))
    assert max(map(len, seen)) <= limit
    assert [key for page in seen for key in page] == list(HOSTILE_KEYS)


def test_pages_and_whole_objects_are_in_order_of_code_points(store: Store) -> None:
    store.write(Write("o", puts=dict.fromkeys(reversed(HOSTILE_KEYS), b"")))
    whole = store.read_object("o")
    page = store.read_page("o")
    assert whole is not None
    assert page is not None
    assert list(whole) == sorted(whole) == list(HOSTILE_KEYS)
    assert list(page) == list(HOSTILE_KEYS)


@pytest.mark.parametrize("prefix", HOSTILE_KEYS, ids=ascii)
def test_a_page_with_a_prefix_has_the_keys_that_start_with_it_and_no_others(
    place: Place, prefix: str
) -> None:
    store = place.open()
    store.write(Write("o", puts=dict.fromkeys(HOSTILE_KEYS, b"1")))
    expected = [key for key in HOSTILE_KEYS if key.startswith(prefix)]
    assert [key for page in pages(store, "o", 3, prefix) for key in page] == expected


def test_a_page_starts_behind_its_key_whether_that_is_there_or_not(store: Store) -> None:
    put(store, "o", b=b"", d=b"", f=b"")
    for after, expected in (
        ("a", "bdf"),
        ("b", "df"),
        ("c", "df"),
        ("d", "f"),
        ("f", ""),
        ("z", ""),
    ):
        page = store.read_page("o", after=after)
        assert page is not None
        assert "".join(page) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [("a", ["b1", "b2"]), ("b", ["b1", "b2"]), ("b1", ["b2"]), ("b2", []), ("c", [])],
)
def test_a_page_with_a_prefix_can_start_before_within_and_behind_it(
    store: Store, after: str, expected: list[str]
) -> None:
    put(store, "o", a=b"", b1=b"", b2=b"", c=b"")
    page = store.read_page("o", after=after, prefix="b")
    assert page is not None
    assert list(page) == expected


def test_a_prefix_is_text_and_no_pattern(store: Store) -> None:
    keys = ["%a", "*a", "?a", "[a]", "_a", "a", "a%", "a_b", "aab"]
    store.write(Write("o", puts=dict.fromkeys(keys, b"")))
    for prefix in ("%", "*", "?", "[", "_", "a%", "a_", "A"):
        page = store.read_page("o", prefix=prefix)
        assert page is not None
        assert list(page) == [key for key in keys if key.startswith(prefix)]


def test_five_thousand_entries_are_read_whole_in_pages_and_by_key(store: Store) -> None:
    entries = {f"key-{number:05}": b"%d" % number for number in range(5_000)}
    store.write(Write("o", puts=entries))
    keys = list(entries)
    assert store.read_object("o") == entries
    for sentinel in (keys[0], keys[2_500], keys[-1], "no-such-key"):
        assert store.read_object("o", sentinel=sentinel) == entries
    assert [key for page in pages(store, "o", 10_000) for key in page] == keys
    assert store.read_keys("o", keys[::4]) == {key: entries[key] for key in keys[::4]}
    store.write(Write("o", guards=(KeyEquals(keys[-1], b"4999"),), deletions=keys[1:]))
    assert store.read_object("o") == {keys[0]: b"0"}


@pytest.mark.parametrize("sentinel", ["", "key-00000", "key-02999", "no-such-key"])
def test_a_whole_object_is_read_as_it_was_at_one_moment(place: Place, sentinel: str) -> None:
    store = place.open()
    states = [{f"key-{n:05}": letter for n in range(3_000)} for letter in (b"a", b"b")]
    store.write(Write("o", puts=states[0]))
    done = threading.Event()

    def change() -> None:
        try:
            for turn in range(1, 21):
                store.write(Write("o", puts=states[turn % 2]))
        finally:
            done.set()

    with ThreadPoolExecutor(1) as executor:
        changing = executor.submit(change)
        while not done.is_set():
            assert store.read_object("o", sentinel=sentinel) in states
        changing.result()


def test_many_objects_are_read_in_the_order_given(store: Store) -> None:
    names = [f"object-{number}" for number in range(150)]
    for name in names[::2]:
        store.write(Write(name, guards=(ObjectAbsent(),), puts={"name": name.encode()}))
    put(store, "empty")
    asked = [*reversed(names), "empty", names[0], names[0]]
    expected: list[tuple[str, dict[str, bytes] | None]] = [
        (name, {"name": name.encode()} if name in names[::2] else None) for name in asked
    ]
    expected[150] = ("empty", {})
    assert list(store.read_objects(asked)) == expected
    assert list(store.read_objects(iter(asked), sentinel="name")) == expected
    assert list(store.read_objects([])) == []


def test_reading_many_objects_takes_names_as_it_goes(store: Store) -> None:
    put(store, "o", a=b"1")
    taken = 0

    def names() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "o"

    reading = store.read_objects(names())
    for _ in range(3):
        assert next(reading) == ("o", {"a": b"1"})
    assert taken <= 3 + 1_000
    del reading


def test_objects_are_listed_by_prefix(store: Store) -> None:
    names = {
        "csi.groups.default",
        "csi.volume.group.8857a21c",
        "csi.volume.group.8857a21c-2",
        "csi.volume.8857a21c",
        "csi.volumes.default",
        "csi_volume.group.x",
        "Csi.volume.group.x",
        "%",
        *HOSTILE_KEYS,
    }
    for name in names:
        put(store, name)
    prefixes = ("", "csi.", "csi.volume.", "csi.volume.group.", "csi.groups.", "csi_", "%", "no")
    for prefix in (*prefixes, *HOSTILE_KEYS):
        listed = list(store.object_names(prefix))
        assert sorted(listed) == sorted(name for name in names if name.startswith(prefix)), prefix


def test_more_objects_than_a_page_holds_are_listed_once_each(store: Store) -> None:
    names = [f"object-{number:05}" for number in range(1_005)]
    for name in names:
        put(store, name)
    assert sorted(store.object_names()) == names
    assert sorted(store.object_names("object-0099")) == names[990:1_000]


def test_objects_can_be_removed_while_they_are_listed(store: Store) -> None:
    names = [f"object-{number}" for number in range(20)]
    for name in names:
        put(store, name)
    for name in store.object_names():
        store.write(Write(name, remove_object=True))
    assert list(store.object_names()) == []


# Age


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = LONG_AGO_NS

    def __call__(self) -> int:
        return self.now


@pytest.mark.parametrize(
    "change",
    [
        Write("o", puts={"a": b"2"}),
        Write("o", puts={"b": b"2"}),
        Write("o", deletions=["a"]),
        Write("o", guards=(KeyEquals("a", b"1"),), puts={"b": b"2"}),
    ],
    ids=str,
)
def test_the_time_of_an_object_is_the_writers_at_its_last_change(
    place: Place, change: Write
) -> None:
    clock = Clock()
    store = place.open(clock)
    put(store, "o", a=b"1")
    put(store, "empty")
    assert store.modified_ns("o") == LONG_AGO_NS
    clock.now += 5 * SECOND
    store.write(change)
    assert store.modified_ns("o") == LONG_AGO_NS + 5 * SECOND
    assert store.modified_ns("empty") == LONG_AGO_NS


def test_the_time_of_an_object_is_right_to_the_second(place: Place) -> None:
    clock = Clock()
    clock.now += 123_456_789
    store = place.open(clock)
    put(store, "o", a=b"1")
    modified_ns = store.modified_ns("o")
    assert modified_ns is not None
    assert modified_ns in {LONG_AGO_NS, clock.now}


def test_neither_reading_nor_a_failed_guard_changes_the_time_of_an_object(place: Place) -> None:
    clock = Clock()
    store = place.open(clock)
    put(store, "o", a=b"1")
    clock.now += 5 * SECOND
    store.read_object("o")
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(KeyAbsent("a"),), puts={"a": b"2"}))
    assert store.modified_ns("o") == LONG_AGO_NS


def test_an_object_that_was_removed_has_no_time_and_made_again_a_new_one(place: Place) -> None:
    clock = Clock()
    store = place.open(clock)
    assert store.modified_ns("o") is None
    put(store, "o", a=b"1")
    store.write(Write("o", remove_object=True))
    assert store.modified_ns("o") is None
    clock.now += 5 * SECOND
    put(store, "o")
    assert store.modified_ns("o") == LONG_AGO_NS + 5 * SECOND


# Names


def test_a_key_may_be_empty_and_no_page_shows_it(store: Store) -> None:
    store.write(Write("o", guards=(KeyAbsent(""),), puts={"": b"zone", "a": b"1"}))
    store.write(Write("alone", puts={"": b"1"}))
    assert store.read_keys("o", ["", "a"]) == {"": b"zone", "a": b"1"}
    assert store.read_page("o") == {"a": b"1"}
    for sentinel in ("", "a", "missing"):
        assert store.read_object("o", sentinel=sentinel) == {"": b"zone", "a": b"1"}
        assert dict(store.read_objects(["o", "alone"], sentinel=sentinel)) == {
            "o": {"": b"zone", "a": b"1"},
            "alone": {"": b"1"},
        }
    state = store.read_state("o")
    assert state is not None
    assert state.entries == {"": b"zone", "a": b"1"}
    store.write(Write("o", guards=(ObjectExists(), KeyEquals("", b"zone")), puts={"b": b"2"}))
    with pytest.raises(GuardFailed):
        store.write(Write("o", guards=(KeyAbsent(""),), puts={"b": b"3"}))
    store.write(Write("o", guards=(KeyPresent(""),), deletions=[""]))
    assert store.read_object("o") == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("name", UNSTORABLE, ids=ascii)
def test_a_write_cannot_name_what_no_store_can_hold(name: str) -> None:
    with pytest.raises(InvalidObjectName):
        Write(name, puts={"a": b"1"})


@pytest.mark.parametrize("name", [name for name in UNSTORABLE if name], ids=ascii)
def test_a_write_cannot_name_a_key_that_no_store_can_hold(name: str) -> None:
    writes: tuple[Callable[[], object], ...] = (
        lambda: Write("o", puts={name: b"1"}),
        lambda: Write("o", deletions=["a", name]),
        lambda: Write("o", guards=(KeyAbsent(name),)),
        lambda: Write("o", guards=(KeyPresent(name),)),
        lambda: Write("o", guards=(KeyEquals(name, b"1"),)),
    )
    for make in writes:
        with pytest.raises(InvalidObjectName):
            make()


@pytest.mark.parametrize("name", UNSTORABLE, ids=ascii)
def test_a_read_of_an_object_that_no_store_can_hold_is_refused(store: Store, name: str) -> None:
    reads: tuple[Callable[[], object], ...] = (
        lambda: store.read_keys(name, ["a"]),
        lambda: store.read_page(name),
        lambda: store.read_object(name),
        lambda: store.read_state(name),
        lambda: list(store.read_objects(["o", name])),
        lambda: store.modified_ns(name),
    )
    for read in reads:
        with pytest.raises(InvalidObjectName):
            read()


@pytest.mark.parametrize("name", [name for name in UNSTORABLE if name], ids=ascii)
def test_a_read_of_keys_that_no_store_can_hold_is_refused(store: Store, name: str) -> None:
    put(store, "o", a=b"1")
    with pytest.raises(InvalidObjectName):
        store.read_keys("o", ["a", name])


@pytest.mark.parametrize("text", [text for text in UNSTORABLE if text], ids=ascii)
def test_a_range_that_no_store_can_hold_is_refused(store: Store, text: str) -> None:
    put(store, "o", a=b"1")
    ranges: tuple[Callable[[], object], ...] = (
        lambda: store.read_page("o", after=text),
        lambda: store.read_page("o", prefix=text),
        lambda: list(store.object_names(text)),
    )
    for read in ranges:
        with pytest.raises(InvalidObjectName):
            read()


@pytest.mark.parametrize("value", [b"", b"\xff", "a".encode("utf-16")])
def test_a_guard_cannot_compare_with_what_not_every_store_can_compare(value: bytes) -> None:
    with pytest.raises(InvalidObjectName, match="UTF-8 text that is not empty"):
        Write("o", guards=(KeyEquals("a", value),))


def test_a_write_cannot_both_remove_the_object_and_change_its_keys() -> None:
    with pytest.raises(InvalidInput, match="not both"):
        Write("o", puts={"a": b"1"}, remove_object=True)
    with pytest.raises(InvalidInput, match="not both"):
        Write("o", deletions=["a"], remove_object=True)


@pytest.mark.parametrize("name", [b"o", None, 1, Path("o")], ids=repr)
def test_a_name_or_key_that_is_not_text_is_refused_as_one_that_no_store_can_hold(
    store: Store, name: str
) -> None:
    put(store, "o", a=b"1")
    uses: tuple[Callable[[], object], ...] = (
        lambda: Write(name),
        lambda: Write("o", puts={name: b"1"}),
        lambda: Write("o", deletions=[name]),
        lambda: Write("o", guards=(KeyAbsent(name),)),
        lambda: store.read_keys(name, ["a"]),
        lambda: store.read_keys("o", [name]),
        lambda: store.read_object(name),
        lambda: store.read_state(name),
        lambda: store.modified_ns(name),
    )
    for use in uses:
        with pytest.raises(InvalidObjectName, match="is not text"):
            use()


@pytest.mark.parametrize("value", ["1", None, 1], ids=repr)
def test_a_value_that_is_not_bytes_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidInput, match="not bytes"):
        Write("o", puts={"a": value})
    with pytest.raises(InvalidInput, match="UTF-8 text"):
        Write("o", guards=(KeyEquals("a", value),))


@pytest.mark.parametrize("name", [" ", "\n", "a/b", "..", "-", "%00", "ü", "\x7f", "x" * 500])
def test_names_of_objects_and_keys_come_back_as_they_were(store: Store, name: str) -> None:
    store.write(Write(name, guards=(KeyAbsent(name),), puts={name: b"1"}))
    store.write(Write(name, guards=(KeyEquals(name, b"1"),), puts={name: b"2"}))
    assert list(store.object_names()) == [name]
    assert store.read_object(name) == {name: b"2"}
    assert store.read_keys(name, [name]) == {name: b"2"}


# Writes together


def test_writes_together_each_see_those_before_and_fail_alone(store: Store) -> None:
    def work(apply: Callable[[Write], None]) -> str:
        apply(Write("o", guards=(ObjectAbsent(),), puts={"a": b"1"}))
        with pytest.raises(GuardFailed):
            apply(Write("o", guards=(KeyAbsent("a"),), puts={"a": b"2", "b": b"2"}))
        apply(Write("o", guards=(KeyEquals("a", b"1"),), puts={"c": b"3"}))
        apply(Write("p", puts={"d": b"4"}))
        return "what work returns"

    assert store.write_together(work) == "what work returns"
    assert store.read_object("o") == {"a": b"1", "c": b"3"}
    assert store.read_object("p") == {"d": b"4"}


# Opening and closing


def test_two_openings_of_one_place_see_each_other(place: Place) -> None:
    one, two = place.open(), place.open()
    put(one, "o", a=b"1")
    assert two.read_object("o") == {"a": b"1"}
    two.write(Write("o", guards=(KeyEquals("a", b"1"),), puts={"a": b"2"}))
    with pytest.raises(GuardFailed):
        one.write(Write("o", guards=(KeyEquals("a", b"1"),), puts={"a": b"3"}))
    assert one.read_object("o") == {"a": b"2"}


@shared_between_processes
def test_what_was_written_is_there_after_closing_and_opening_again(place: Place) -> None:
    with place.open() as store:
        put(store, "o", a=b"1")
    with place.open() as store:
        assert store.read_object("o") == {"a": b"1"}


def test_connecting_reaches_the_place_and_leaves_nothing_in_it(store: Store) -> None:
    store.connect()
    store.connect()
    assert list(store.object_names()) == []


def test_closing_twice_is_fine_and_so_is_closing_unused(place: Place) -> None:
    store = place.open()
    store.close()
    store.close()


def test_a_closed_store_refuses_every_use_and_is_not_taken_for_a_missing_place(
    place: Place,
) -> None:
    store = place.open()
    put(store, "o", a=b"1")
    store.close()
    uses: tuple[Callable[[], object], ...] = (
        store.connect,
        lambda: store.read_keys("o", ["a"]),
        lambda: store.read_page("o"),
        lambda: store.read_object("o"),
        lambda: store.read_state("o"),
        lambda: list(store.read_objects(["o"])),
        lambda: list(store.object_names()),
        lambda: store.modified_ns("o"),
        lambda: store.write(Write("o", puts={"a": b"2"})),
    )
    for use in uses:
        with pytest.raises(PlaceUnusable, match="closed"):
            use()


def test_a_store_tells_its_place_in_one_line(store: Store) -> None:
    scheme, colon, _rest = store.place.partition(":")
    assert colon
    assert scheme in {"memory", "sqlite", "rados"}
    assert store.place.isprintable()


def test_a_store_promises_its_guarantees_and_no_others(store: Store) -> None:
    for guarantee in Guarantee:
        if guarantee in store.guarantees:
            store.require(guarantee)
        else:
            with pytest.raises(StoreUnsuitable, match=(guarantee.name or "").lower()[:7]):
                store.require(guarantee | Guarantee.NONE)
    store.require(store.guarantees)
    store.require(Guarantee.NONE)


# Threads


def race(attempt: Callable[[int], bool]) -> list[int]:
    """The numbers of the threads whose attempt succeeded, all started at once."""
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> bool:
        barrier.wait()
        return attempt(number)

    with ThreadPoolExecutor(THREADS) as executor:
        return [number for number, won in enumerate(executor.map(run, range(THREADS))) if won]


def succeeds(store: Store, write: Write) -> bool:
    try:
        store.write(write)
    except GuardFailed:
        return False
    return True


@pytest.mark.parametrize(
    ("prepared", "guard"),
    [
        (False, ObjectAbsent()),
        (False, KeyAbsent("winner")),
        (True, KeyAbsent("winner")),
        (True, KeyEquals("winner", b"nobody")),
    ],
    ids=["no object", "no object, no key", "no key", "value"],
)
@pytest.mark.parametrize("openings", [1, THREADS])
def test_of_threads_that_race_for_one_guarded_write_exactly_one_wins(
    place: Place, guard: Guard, openings: int, *, prepared: bool
) -> None:
    stores = [place.open() for _ in range(openings)] * (THREADS // openings)
    for turn in range(10):
        name = f"o{turn}"
        if prepared:
            nobody = {"winner": b"nobody"} if isinstance(guard, KeyEquals) else {}
            put(stores[0], name, **nobody)
        winners = race(
            lambda number, name=name: succeeds(  # type: ignore[misc]
                stores[number],
                Write(name, guards=(guard,), puts={"winner": b"%d" % number}),
            )
        )
        assert len(winners) == 1
        assert stores[0].read_object(name) == {"winner": b"%d" % winners[0]}


def test_of_threads_that_race_to_remove_an_object_exactly_one_wins(store: Store) -> None:
    for _ in range(10):
        put(store, "o", a=b"1")
        removal = Write("o", guards=(KeyPresent("a"),), remove_object=True)
        assert len(race(lambda _number, removal=removal: succeeds(store, removal))) == 1  # type: ignore[misc]
        assert store.read_object("o") is None


def test_no_update_of_threads_that_count_together_is_lost(store: Store) -> None:
    put(store, "o", count=b"0")
    each = 10

    def count(_number: int) -> bool:
        counted = 0
        while counted < each:
            now = int((store.read_keys("o", ["count"]) or {})["count"])
            counted += succeeds(
                store,
                Write(
                    "o",
                    guards=(KeyEquals("count", b"%d" % now),),
                    puts={"count": b"%d" % (now + 1)},
                ),
            )
        return True

    assert len(race(count)) == THREADS
    assert store.read_object("o") == {"count": b"%d" % (THREADS * each)}
