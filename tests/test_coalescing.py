"""Coalesced writes come to the same as the writes one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from csijournal.errors import GuardFailed, StoreError, TooLarge
from csijournal.store import KeyAbsent, KeyEquals, KeyPresent, ObjectAbsent, ObjectExists, Write
from csijournal.store.coalescing import write_coalesced
from csijournal.store.memory import MemoryStore
from support.places import dump

KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from([b"", b"1", b"2"])
GUARDS = st.one_of(
    KEYS.map(KeyAbsent),
    KEYS.map(KeyPresent),
    st.builds(KeyEquals, KEYS, st.sampled_from([b"1", b"2"])),
    st.just(ObjectAbsent()),
    st.just(ObjectExists()),
)
WRITES = st.one_of(
    st.builds(
        Write,
        st.sampled_from(["one", "two"]),
        guards=st.lists(GUARDS, max_size=2).map(tuple),
        puts=st.dictionaries(KEYS, VALUES, max_size=2),
        deletions=st.lists(KEYS, max_size=2).map(tuple),
    ),
    st.sampled_from(["one", "two"]).map(lambda name: Write(name, remove_object=True)),
)


def one_by_one(store: MemoryStore, writes: list[Write]) -> list[bool]:
    done = []
    for write in writes:
        try:
            store.write(write)
        except GuardFailed:
            done.append(False)
        else:
            done.append(True)
    return done


@given(st.lists(WRITES, max_size=12))
def test_coalesced_writes_leave_and_answer_what_single_ones_do(writes: list[Write]) -> None:
    single, coalesced = MemoryStore(), MemoryStore()
    expected = one_by_one(single, writes)
    assert [result is None for result in write_coalesced(coalesced.write, writes)] == expected
    assert dump(coalesced) == dump(single)


def test_a_hundred_reservations_of_different_names_are_one_operation() -> None:
    store, seen = MemoryStore(), []

    def apply(write: Write) -> None:
        seen.append(write)
        store.write(write)

    writes = [
        Write("dir", guards=(KeyAbsent(f"n{i}"),), puts={f"n{i}": b"uuid"}) for i in range(100)
    ]
    assert write_coalesced(apply, writes) == [None] * 100
    assert len(seen) == 1


def test_one_failed_guard_among_many_costs_only_a_few_more_operations() -> None:
    store = MemoryStore()
    store.write(Write("dir", puts={"n7": b"taken"}))
    seen: list[Write] = []

    def apply(write: Write) -> None:
        seen.append(write)
        store.write(write)

    writes = [
        Write("dir", guards=(KeyAbsent(f"n{i}"),), puts={f"n{i}": b"uuid"}) for i in range(64)
    ]
    results = write_coalesced(apply, writes)
    assert [i for i, result in enumerate(results) if result is not None] == [7]
    assert isinstance(results[7], GuardFailed)
    assert len(seen) <= 2 * 6 + 1


def test_an_operation_that_is_too_large_is_cut_until_it_fits() -> None:
    store = MemoryStore()

    def apply(write: Write) -> None:
        if len(write.puts) > 3:
            raise TooLarge("too many keys")
        store.write(write)

    writes = [Write("dir", guards=(KeyAbsent(f"n{i}"),), puts={f"n{i}": b""}) for i in range(10)]
    assert write_coalesced(apply, writes) == [None] * 10
    assert len(dump(store)["dir"]) == 10


def test_an_error_of_the_store_is_told_to_each_that_shared_the_operation() -> None:
    cause = OSError("the disk is gone")

    def apply(_write: Write) -> None:
        raise StoreError("down") from cause

    writes = [Write("dir", guards=(KeyAbsent(f"n{i}"),), puts={f"n{i}": b""}) for i in range(3)]
    errors = write_coalesced(apply, writes)
    assert [str(error) for error in errors] == ["down"] * 3
    assert len({id(error) for error in errors}) == 3
    assert [error and error.__cause__ for error in errors] == [cause] * 3
