"""What each operation of the journal promises, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import pytest

from csijournal import EnsureResult, Entry, Guarantee, Reservation, Store, VolumeGroupJournal
from csijournal.errors import (
    AlreadyReserved,
    CSIJournalError,
    GroupNotFound,
    InvalidGroupName,
    InvalidInput,
    InvalidInstanceID,
    InvalidMember,
    InvalidRequestName,
    InvalidUUID,
    PlaceNotFound,
    PlaceUnusable,
    ReservationPending,
    StoreError,
    StoreUnsuitable,
    UndoRefused,
)
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.store.sqlite import SQLiteStore
from support.counting import CountingStore
from support.journals import LONG_AGO, bare_journal, seconds_later, uuid_number, uuids
from support.places import Place, dump
from support.texts import FORBIDDEN_CHARACTERS, HOSTILE_KEYS

DIRECTORY = "csi.groups.default"
ONE, TWO, THREE = (uuid_number(number) for number in (1, 2, 3))


def group_name(group_uuid: str) -> str:
    return f"csi-vol-group-{group_uuid}"


def reservation(request_name: str, group_uuid: str, **members: str) -> Reservation:
    return Reservation(request_name, group_uuid, group_name(group_uuid), LONG_AGO, members)


def group_omap(request_name: str, group_uuid: str, **members: str) -> dict[str, str]:
    return {
        "csi.volname": request_name,
        "csi.groupname": group_name(group_uuid),
        "csi.creationtime": str(LONG_AGO),
        **members,
    }


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


@pytest.fixture
def journal(store: Store) -> VolumeGroupJournal:
    return bare_journal(store)


# Reserve


def test_a_reserved_name_is_found_with_all_that_reserve_answered(
    store: Store, journal: VolumeGroupJournal
) -> None:
    made = journal.reserve_name("req-a")
    assert made == reservation("req-a", ONE)
    assert journal.check_reservation("req-a") == made
    assert journal.get_volume_group_attributes(ONE) == made
    assert dump(store) == {
        DIRECTORY: {"csi.volume.group.req-a": ONE},
        f"csi.volume.group.{ONE}": group_omap("req-a", ONE),
    }


def test_a_prefix_becomes_part_of_the_group_name(journal: VolumeGroupJournal) -> None:
    made = journal.reserve_name("req-a", "пре-")
    assert made.group_name == f"пре-{ONE}"
    assert journal.check_reservation("req-a") == made
    assert journal.check_reservation("req-a", "other-") == made
    journal.undo_reservation(made.group_name, "req-a")
    assert journal.check_reservation("req-a") is None


def test_a_reserved_name_is_refused_with_the_uuid_that_holds_it(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    before = dump(store)
    with pytest.raises(AlreadyReserved) as caught:
        journal.reserve_name("req-a", "other-")
    assert caught.value.group_uuid == ONE
    assert dump(store) == before


def test_names_that_begin_alike_are_different_names(
    store: Store, journal: VolumeGroupJournal
) -> None:
    names = ["a", "a ", "ab", "A", "á", "a\u0301", "csi.volume.group.a", "a\n"]
    made = {name: journal.reserve_name(name) for name in names}
    journal.undo_reservation(made["a"].group_name, "a")
    assert journal.check_reservation("a") is None
    for name in names[1:]:
        assert journal.check_reservation(name) == made[name]
    assert len(dump(store)) == len(names)


def test_a_name_that_was_undone_can_be_reserved_again(journal: VolumeGroupJournal) -> None:
    journal.reserve_name("req-a")
    journal.undo_reservation(group_name(ONE), "req-a")
    assert journal.reserve_name("req-a") == reservation("req-a", TWO)


def test_a_uuid_that_is_in_use_is_passed_over(store: Store) -> None:
    bare_journal(store).reserve_name("req-a")
    journal = bare_journal(store, new_uuids=[ONE, ONE, TWO])
    assert journal.reserve_name("req-b").group_uuid == TWO
    assert journal.check_reservation("req-a") == reservation("req-a", ONE)


def test_a_source_of_uuids_that_repeats_itself_is_called_broken(store: Store) -> None:
    bare_journal(store).reserve_name("req-a")
    before = dump(store)
    journal = bare_journal(store, new_uuids=itertools.repeat(ONE))
    with pytest.raises(CSIJournalError) as caught:
        journal.reserve_name("req-b")
    assert caught.value.operation == "reserve_name"
    assert dump(store) == before


def test_a_source_of_uuids_that_makes_none_is_refused_before_any_write(store: Store) -> None:
    journal = bare_journal(store, new_uuids=[uuid_number(0xABCDEF).upper()])
    with pytest.raises(InvalidUUID):
        journal.reserve_name("req-a")
    assert dump(store) == {}


# Ensure


def test_ensure_makes_a_reservation_once_and_finds_it_from_then_on(
    store: Store, journal: VolumeGroupJournal
) -> None:
    assert journal.ensure_reservation("req-a") == EnsureResult(
        reservation("req-a", ONE), created=True
    )
    before = dump(store)
    for same in (journal, bare_journal(store, new_uuids=uuids(7))):
        found = same.ensure_reservation("req-a", "other-")
        assert found == EnsureResult(reservation("req-a", ONE), created=False)
    assert dump(store) == before


def test_ensure_finds_members_too(journal: VolumeGroupJournal) -> None:
    journal.ensure_reservation("req-a")
    journal.add_volumes_mapping(ONE, {"vol-1": "snap-1"})
    found = journal.ensure_reservation("req-a").reservation
    assert found == reservation("req-a", ONE, **{"vol-1": "snap-1"})


# Check


def test_check_finds_nothing_in_an_empty_place_and_makes_nothing(
    store: Store, journal: VolumeGroupJournal
) -> None:
    assert journal.check_reservation("req-a") is None
    assert dump(store) == {}


def test_check_finds_nothing_where_the_place_does_not_exist_and_others_say_so(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("no-journal") / "journal.db"
    with SQLiteStore(path, create=False) as store:
        journal = bare_journal(store)
        assert journal.check_reservation("req-a") is None
        uses: tuple[Callable[[], object], ...] = (
            lambda: journal.reserve_name("req-a"),
            lambda: journal.undo_reservation(group_name(ONE), "req-a"),
            lambda: journal.get_volume_group_attributes(ONE),
            lambda: journal.add_volumes_mapping(ONE, {"vol-1": ""}),
            lambda: journal.remove_volumes_mapping(ONE, ["vol-1"]),
            lambda: list(journal.list_reservations()),
        )
        for use in uses:
            with pytest.raises(PlaceNotFound, match=str(path)) as caught:
                use()
            assert caught.value.operation
            assert caught.value.hint


def test_check_does_not_take_a_closed_store_for_an_empty_one(place: Place) -> None:
    store = place.open()
    journal = bare_journal(store)
    journal.reserve_name("req-a")
    store.close()
    with pytest.raises(PlaceUnusable, match="closed"):
        journal.check_reservation("req-a")


# Undo


def test_undo_removes_group_and_entry_and_nothing_else(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    journal.reserve_name("req-b")
    journal.add_volumes_mapping(ONE, {"vol-1": ""})
    journal.undo_reservation(group_name(ONE), "req-a")
    assert journal.check_reservation("req-a") is None
    assert dump(store) == {
        DIRECTORY: {"csi.volume.group.req-b": TWO},
        f"csi.volume.group.{TWO}": group_omap("req-b", TWO),
    }


def test_undo_can_be_repeated_and_needs_nothing_to_be_there(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.undo_reservation(group_name(ONE), "req-a")
    journal.undo_reservation("", "req-a")
    assert dump(store) == {}
    journal.reserve_name("req-a")
    for _ in range(2):
        journal.undo_reservation(group_name(ONE), "req-a")
    journal.undo_reservation("", "req-a")
    assert dump(store) == {DIRECTORY: {}}


def test_undo_of_another_names_group_is_refused_with_both_names(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    journal.reserve_name("req-b")
    before = dump(store)
    with pytest.raises(UndoRefused) as caught:
        journal.undo_reservation(group_name(ONE), "req-b")
    for word in ("undo_reservation", "'req-a'", "'req-b'", ONE, "csi.volname", "csijournal show"):
        assert word in str(caught.value)
    assert dump(store) == before


def test_undo_of_an_older_reservation_leaves_the_newer_one(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    journal.undo_reservation(group_name(ONE), "req-a")
    newer = journal.reserve_name("req-a")
    before = dump(store)
    journal.undo_reservation(group_name(ONE), "req-a")
    assert journal.check_reservation("req-a") == newer
    assert dump(store) == before


def test_undo_goes_by_the_uuid_at_the_end_of_the_group_name(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a", "some-prefix-")
    journal.undo_reservation(f"another-prefix-{ONE}", "req-a")
    assert dump(store) == {DIRECTORY: {}}


# Members


def test_members_are_added_given_new_values_and_removed(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    journal.add_volumes_mapping(ONE, {"vol-1": "snap-1", "vol-2": ""})
    journal.add_volumes_mapping(ONE, {"vol-2": "snap-2", "グループ": "\0 any text"})
    assert journal.get_volume_group_attributes(ONE).volume_map == {
        "vol-1": "snap-1",
        "vol-2": "snap-2",
        "グループ": "\0 any text",
    }
    journal.remove_volumes_mapping(ONE, ["vol-1", "vol-9", "グループ", "vol-1"])
    assert journal.check_reservation("req-a") == reservation("req-a", ONE, **{"vol-2": "snap-2"})
    journal.remove_volumes_mapping(ONE, iter(["vol-2"]))
    assert dump(store)[f"csi.volume.group.{ONE}"] == group_omap("req-a", ONE)


def test_five_thousand_members_are_added_found_and_removed(journal: VolumeGroupJournal) -> None:
    journal.reserve_name("req-a")
    members = {f"vol-{number}": f"snap-{number}" for number in range(5_000)}
    journal.add_volumes_mapping(ONE, members)
    assert journal.get_volume_group_attributes(ONE).volume_map == members
    journal.remove_volumes_mapping(ONE, members)
    assert journal.get_volume_group_attributes(ONE).volume_map == {}


def test_a_group_that_is_gone_is_not_brought_back(
    store: Store, journal: VolumeGroupJournal
) -> None:
    with pytest.raises(GroupNotFound):
        journal.add_volumes_mapping(ONE, {"vol-1": ""})
    journal.remove_volumes_mapping(ONE, ["vol-1"])
    with pytest.raises(GroupNotFound, match=f"no group {ONE}") as caught:
        journal.get_volume_group_attributes(ONE)
    assert caught.value.object_name == f"csi.volume.group.{ONE}"
    assert dump(store) == {}


def test_one_member_that_is_off_keeps_all_of_them_out(
    store: Store, journal: VolumeGroupJournal
) -> None:
    journal.reserve_name("req-a")
    journal.add_volumes_mapping(ONE, {"vol-1": ""})
    before = dump(store)
    for bad in ("csi.volname", "", "a\0"):
        with pytest.raises(InvalidMember):
            journal.add_volumes_mapping(ONE, {"vol-2": "", bad: ""})
        with pytest.raises(InvalidMember):
            journal.remove_volumes_mapping(ONE, ["vol-1", bad])
    assert dump(store) == before


# List


def test_a_list_has_every_entry_by_name_and_those_of_a_prefix(
    store: Store, journal: VolumeGroupJournal
) -> None:
    directory = {f"csi.volume.group.{name}": b"garbage" for name in HOSTILE_KEYS}
    store.write(Write(DIRECTORY, puts=directory))
    journal.reserve_name("b")
    names = sorted([*HOSTILE_KEYS, "b"])
    assert [entry.request_name for entry in journal.list_reservations()] == names
    for prefix in ("a", "\ud7ff", "\U0010ffff", "b", "none"):
        listed = [entry.request_name for entry in journal.list_reservations(prefix)]
        assert listed == [name for name in names if name.startswith(prefix)]
    assert list(journal.list_reservations("b")) == [Entry("b", ONE, ONE)]
    assert next(journal.list_reservations("a")) == Entry("a", None, "garbage")


def test_a_list_of_nothing_is_empty(store: Store, journal: VolumeGroupJournal) -> None:
    assert list(journal.list_reservations()) == []
    journal.reserve_name("req-a")
    journal.undo_reservation(group_name(ONE), "req-a")
    assert list(journal.list_reservations()) == []
    store.write(Write(DIRECTORY, puts={"csi.lease.x": b"", "x": b"1", "csi.volume.x": b"2"}))
    assert list(journal.list_reservations()) == []


def test_a_list_by_a_prefix_that_no_name_can_have_is_refused(journal: VolumeGroupJournal) -> None:
    for prefix in ("a\0", "\udcff"):
        with pytest.raises(InvalidInput) as caught:
            list(journal.list_reservations(prefix))
        assert caught.value.operation == "list_reservations"


def test_a_lookup_shows_the_entry_as_it_stands(store: Store, journal: VolumeGroupJournal) -> None:
    journal.reserve_name("req-a")
    store.write(Write(DIRECTORY, puts={"csi.volume.group.req-b": b"garbage"}))
    assert journal.look_up("req-a") == Entry("req-a", ONE, ONE)
    assert journal.look_up("req-b") == Entry("req-b", None, "garbage")
    assert journal.look_up("req-c") is None


# Instances


def test_instances_have_their_own_names_in_one_place(store: Store) -> None:
    one = bare_journal(store, instance_id="one")
    other = bare_journal(store, instance_id="other", new_uuids=uuids(2))
    one.reserve_name("req-a")
    assert other.check_reservation("req-a") is None
    other.reserve_name("req-a")
    assert [entry.group_uuid for entry in one.list_reservations()] == [ONE]
    assert [entry.group_uuid for entry in other.list_reservations()] == [TWO]
    one.undo_reservation(group_name(TWO), "req-a")
    found = one.check_reservation("req-a")
    assert found is not None
    assert found.group_uuid == ONE


@pytest.mark.parametrize("instance_id", ["", "a\0b", "x" * 129, "\udcff"], ids=ascii)
def test_an_instance_id_that_is_off_is_refused(instance_id: str) -> None:
    with pytest.raises(InvalidInstanceID):
        VolumeGroupJournal(MemoryStore(), instance_id=instance_id)


def test_a_store_that_promises_too_little_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(StoreUnsuitable, match="durable, between processes") as caught:
        VolumeGroupJournal(MemoryStore(), needs=Guarantee.DURABLE | Guarantee.BETWEEN_PROCESSES)
    assert "sqlite" in caught.value.hint
    VolumeGroupJournal(SQLiteStore("unused.db"), needs=Guarantee.DURABLE)


@pytest.mark.parametrize("option", ["lease_size", "grace_seconds"])
def test_a_negative_number_is_refused(option: str) -> None:
    with pytest.raises(InvalidInput):
        VolumeGroupJournal(MemoryStore(), **{option: -1})  # type: ignore[arg-type]


# What is off is refused before the store hears of it


BAD_NAMES = ("", "x" * 129, "\udcff", *(f"a{character}" for character in FORBIDDEN_CHARACTERS))
BAD_UUIDS = ("", "x", uuid_number(0xABCDEF).upper(), ONE + "\n", ONE[:-1])


class Refused(NamedTuple):
    """A call whose argument is off."""

    kind: type[InvalidInput]
    operation: str
    arguments: tuple[object, ...]


REFUSED = [
    *(
        Refused(InvalidRequestName, operation, (name,))
        for operation in ("check_reservation", "reserve_name", "ensure_reservation", "look_up")
        for name in BAD_NAMES
    ),
    *(Refused(InvalidRequestName, "undo_reservation", (group_name(ONE), n)) for n in BAD_NAMES),
    *(Refused(InvalidRequestName, "undo_reservation", ("", n)) for n in BAD_NAMES),
    *(Refused(InvalidGroupName, "undo_reservation", (f"x{u}", "req-a")) for u in BAD_UUIDS),
    *(Refused(InvalidGroupName, "reserve_name", ("req-a", name)) for name in BAD_NAMES if name),
    *(Refused(InvalidUUID, "get_volume_group_attributes", (u,)) for u in BAD_UUIDS),
    *(Refused(InvalidUUID, "add_volumes_mapping", (u, {"v": ""})) for u in BAD_UUIDS),
    *(Refused(InvalidUUID, "add_volumes_mapping", (u, {})) for u in BAD_UUIDS),
    *(Refused(InvalidUUID, "remove_volumes_mapping", (u, ["v"])) for u in BAD_UUIDS),
    *(Refused(InvalidUUID, "remove_volumes_mapping", (u, [])) for u in BAD_UUIDS),
    *(
        Refused(InvalidMember, "add_volumes_mapping", (ONE, {"v": "", member: ""}))
        for member in ("", "csi.", "csi.volname", "a\0", "\udcff")
    ),
    Refused(InvalidMember, "add_volumes_mapping", (ONE, {"v": "\udcff"})),
    *(
        Refused(InvalidMember, "remove_volumes_mapping", (ONE, ["v", member]))
        for member in ("", "csi.", "csi.volname", "a\0", "\udcff")
    ),
]


@pytest.mark.parametrize("refused", REFUSED, ids=ascii)
def test_an_argument_that_is_off_is_refused_before_the_store_hears_of_it(refused: Refused) -> None:
    store = CountingStore(MemoryStore())
    with pytest.raises(refused.kind) as caught:
        getattr(bare_journal(store), refused.operation)(*refused.arguments)
    assert caught.value.operation == refused.operation
    assert str(caught.value).startswith(f"{refused.operation}: ")
    assert str(caught.value).isprintable()
    assert store.calls == []


def test_a_prefix_that_is_off_keeps_ensure_from_writing() -> None:
    store = CountingStore(MemoryStore())
    with pytest.raises(InvalidGroupName):
        bare_journal(store).ensure_reservation("req-a", "a\0")
    assert "write" not in store.take()


# What operations cost


@pytest.fixture(params=[10, 5_000], ids=lambda entries: f"{entries} entries")
def counting(request: pytest.FixtureRequest) -> CountingStore:
    """A store with so many other reservations, of which one is `other-0`."""
    store = CountingStore(MemoryStore())
    journal = bare_journal(store, new_uuids=uuids(1_000_000))
    for number in range(request.param):
        journal.reserve_name(f"other-{number}")
    store.take()
    return store


@pytest.fixture
def counted(counting: CountingStore) -> VolumeGroupJournal:
    return bare_journal(counting)


def test_checking_takes_two_reads(counting: CountingStore, counted: VolumeGroupJournal) -> None:
    assert counted.check_reservation("other-0") is not None
    assert counting.take() == ["read_keys", "read_object"]


def test_checking_a_name_that_is_free_takes_one_read(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    assert counted.check_reservation("free") is None
    assert counting.take() == ["read_keys"]


def test_reserving_without_leases_takes_three_writes_and_no_read(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    counted.reserve_name("free")
    record = f"csi.volume.group.{ONE}"
    assert [call.object_name for call in counting.calls] == [record, DIRECTORY, record]
    assert counting.take() == ["write", "write", "write"]


def test_reserving_under_leases_takes_two_writes_but_for_one_more_a_lease(
    counting: CountingStore,
) -> None:
    source = uuids()
    journal = VolumeGroupJournal(
        counting,
        settle_seconds=0,
        lease_size=4,
        new_uuid=lambda: next(source),
        clock=lambda: LONG_AGO,
    )
    for number in range(8):
        journal.reserve_name(f"free-{number}")
    assert counting.take() == (["write"] * 3 + ["write"] * 2 * 3) * 2
    journal.close()
    assert counting.take() == []
    assert not any(key.startswith("csi.lease.") for key in dump(counting.inner)[DIRECTORY])


def test_ensuring_what_is_there_takes_two_reads(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    assert not counted.ensure_reservation("other-0").created
    assert counting.take() == ["read_keys", "read_object"]


def test_ensuring_what_is_not_there_without_leases_takes_one_read_and_three_writes(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    assert counted.ensure_reservation("free").created
    assert counting.take() == ["read_keys", "write", "write", "write"]


def test_undoing_takes_two_writes_and_no_read(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    counted.undo_reservation(group_name(uuid_number(1_000_000)), "other-0")
    assert [call.object_name for call in counting.calls] == [
        f"csi.volume.group.{uuid_number(1_000_000)}",
        DIRECTORY,
    ]
    assert counting.take() == ["write", "write"]


@pytest.mark.parametrize("members", [1, 2_000])
def test_adding_and_removing_members_takes_one_write_each(
    counting: CountingStore, counted: VolumeGroupJournal, members: int
) -> None:
    group_uuid = uuid_number(1_000_000)
    volume_map = {f"vol-{number}": "" for number in range(members)}
    counted.add_volumes_mapping(group_uuid, volume_map)
    assert counting.take() == ["write"]
    counted.remove_volumes_mapping(group_uuid, volume_map)
    assert counting.take() == ["write"]


def test_adding_and_removing_nothing_takes_nothing(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    counted.add_volumes_mapping(uuid_number(1_000_000), {})
    counted.remove_volumes_mapping(uuid_number(1_000_000), [])
    assert counting.take() == []


def test_attributes_take_one_read(counting: CountingStore, counted: VolumeGroupJournal) -> None:
    counted.get_volume_group_attributes(uuid_number(1_000_000))
    assert counting.take() == ["read_object"]


def test_listing_takes_one_read_a_page_and_none_before_it_is_used(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    listing = counted.list_reservations("other-")
    assert counting.take() == []
    next(listing)
    assert counting.take() == ["read_page"]
    entries = 1 + sum(1 for _ in listing)
    assert counting.take() == ["read_page"] * -(-entries // 1_000)


def test_cleaning_up_an_entry_without_a_group_takes_its_uuid_first(
    counting: CountingStore, counted: VolumeGroupJournal
) -> None:
    counting.inner.write(Write(f"csi.volume.group.{uuid_number(1_000_000)}", remove_object=True))
    assert counted.check_reservation("other-0") is None
    put_lease, take_uuid, remove_entry, remove_record, remove_lease = ["write"] * 5
    assert counting.take() == [
        "read_keys",
        "read_object",
        put_lease,
        take_uuid,
        remove_entry,
        "read_state",
        remove_record,
        remove_lease,
    ]


# What the store cannot do


class FailingStore(CountingStore):
    """Fails the write of a number that is set."""

    failing = 0
    error: StoreError

    def write(self, write: Write) -> None:
        self.failing -= 1
        if self.failing == 0:
            raise self.error
        super().write(write)


def test_a_reserve_that_cannot_write_its_entry_takes_its_group_back(store: Store) -> None:
    failing = FailingStore(store)
    failing.error = StoreError("no room", object_name=DIRECTORY)
    failing.failing = 2
    with pytest.raises(StoreError, match=r"^reserve_name: no room"):
        bare_journal(failing).reserve_name("req-a")
    assert dump(store) == {}


@pytest.mark.parametrize("failing_at", [1, 2])
def test_an_undo_that_cannot_write_can_be_done_again(store: Store, failing_at: int) -> None:
    failing = FailingStore(store)
    failing.error = StoreError("no room")
    journal = bare_journal(failing)
    journal.reserve_name("req-a")
    failing.failing = failing_at
    with pytest.raises(StoreError, match=r"^undo_reservation: no room$"):
        journal.undo_reservation(group_name(ONE), "req-a")
    journal.undo_reservation(group_name(ONE), "req-a")
    assert dump(store) == {DIRECTORY: {}}


def test_a_name_that_keeps_changing_hands_is_pending_and_not_an_endless_loop() -> None:
    class Restless(CountingStore):
        """Whoever looks at the group finds it gone, and the entry holds the next UUID."""

        others = uuids(500)

        def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
            found = super().read_object(object_name, sentinel=sentinel)
            entry = {"csi.volume.group.req-a": next(self.others).encode()}
            self.inner.write(Write(DIRECTORY, puts=entry))
            return found

    store = Restless(MemoryStore())
    store.write(Write(DIRECTORY, puts={"csi.volume.group.req-a": ONE.encode()}))
    with pytest.raises(ReservationPending, match="changed hands") as caught:
        bare_journal(store).check_reservation("req-a")
    assert "Try again" in caught.value.hint


# Errors tell where, what and what to do


def test_an_error_tells_operation_cause_object_key_and_what_to_do(
    journal: VolumeGroupJournal,
) -> None:
    journal.reserve_name("req-a")
    with pytest.raises(AlreadyReserved) as caught:
        journal.reserve_name("req-a")
    assert str(caught.value) == (
        f"reserve_name: 'req-a' is already reserved by {ONE}"
        f" (object {DIRECTORY}, key csi.volume.group.req-a)."
        " Use ensure to get the reservation that exists, or undo it first"
    )


def test_an_error_of_a_step_inside_of_ensure_carries_the_operation_that_was_asked_for() -> None:
    store = MemoryStore()
    store.write(Write(DIRECTORY, puts={"csi.volume.group.req-a": b"garbage"}))
    with pytest.raises(CSIJournalError, match=r"^ensure_reservation: the entry of 'req-a'"):
        bare_journal(store).ensure_reservation("req-a")


def test_creation_times_are_the_clocks(store: Store) -> None:
    times = iter([seconds_later(1, 5), seconds_later(2, 100)])
    journal = bare_journal(store, clock=lambda: next(times))
    made = journal.reserve_name("req-a")
    assert made.creation_time == seconds_later(1, 5)
    assert journal.check_reservation("req-a") == made


def test_one_member_id_in_place_of_a_list_is_refused_and_not_taken_letter_by_letter(
    place: Place,
) -> None:
    with VolumeGroupJournal(place.open()) as journal:
        group_uuid = journal.reserve_name("name").group_uuid
        journal.add_volumes_mapping(group_uuid, {"v": "", "vol": ""})
        with pytest.raises(InvalidMember, match="one member id where several"):
            journal.remove_volumes_mapping(group_uuid, "vol")
        assert journal.get_volume_group_attributes(group_uuid).volume_map == {"v": "", "vol": ""}
