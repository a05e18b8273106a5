"""What an inventory's answers say, and names found by the UUID that they end in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from csijournal.inventory.contract import (
    Behind,
    NoInventory,
    NotCompared,
    Role,
    Thing,
    ThingKind,
    UnknownInventory,
)
from csijournal.inventory.names import NameIndex, driver_name

UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
OTHER = "0f0e0d0c-0b0a-4908-8706-050403020100"
IMAGE = Thing(ThingKind.IMAGE, f"csi-vol-{UUID}", "10ab")
REASON = NotCompared("RBD images", "client.x may not list them", "Let it")

uuids = st.uuids().map(str)
prefixes = st.text(max_size=4) | st.sampled_from(["csi-vol-", "csi-snap-", ""])
driver_names = st.tuples(prefixes, uuids, st.sampled_from(["", "-temp"])).map("".join)


def test_an_empty_answer_means_nothing_only_if_everything_was_looked_at() -> None:
    assert Behind().is_nothing
    assert not Behind().is_unknown
    assert not Behind(not_compared=(REASON,)).is_nothing
    assert Behind(not_compared=(REASON,)).is_unknown
    found = Behind((IMAGE,), (REASON,))
    assert not found.is_nothing
    assert not found.is_unknown


def test_a_journal_without_a_driver_has_nothing_behind_any_record() -> None:
    inventory = NoInventory()
    for role in Role:
        assert inventory.behind(role, UUID, IMAGE.name).is_nothing
        assert not inventory.stands_behind(role, UUID)
    assert inventory.not_compared() == ()


def test_where_nothing_could_be_looked_at_something_might_stand_behind_every_record() -> None:
    inventory = UnknownInventory(REASON)
    for role in Role:
        assert inventory.behind(role, UUID).is_unknown
        assert inventory.stands_behind(role, UUID)
    assert inventory.not_compared() == (REASON,)
    assert inventory.details(IMAGE) == REASON
    assert list(inventory.things(ThingKind.IMAGE)) == []
    inventory.refresh()
    assert inventory.not_compared() == (REASON,)


def test_what_was_not_compared_is_told_with_its_reason_and_its_remedy() -> None:
    assert str(REASON) == "RBD images not compared: client.x may not list them. Let it"
    assert str(NotCompared("RBD trash", "no answer")) == "RBD trash not compared: no answer"


def test_a_thing_is_told_by_kind_and_name_on_one_line() -> None:
    assert str(IMAGE) == f"image csi-vol-{UUID}"
    snapshot = Thing(ThingKind.SUBVOLUME_SNAPSHOT, "csi-snap-1", within="a\nb")
    assert str(snapshot) == "subvolume snapshot csi-snap-1 of a\\nb"


def test_a_driver_s_name_is_taken_apart_at_the_uuid_that_it_ends_in() -> None:
    assert driver_name(f"csi-vol-{UUID}") == ("csi-vol-", UUID, "")
    assert driver_name(f"a/b-{OTHER}-{UUID}-temp") == (f"a/b-{OTHER}-", UUID, "-temp")
    assert driver_name(UUID) == ("", UUID, "")
    for name in (f"{UUID}x", f"csi-vol-{UUID.upper()}", "-temp", "", UUID[1:], f"{UUID}-temp-temp"):
        assert driver_name(name) is None
    temporary = driver_name(f"{UUID}-temp")
    assert temporary is not None
    assert temporary.is_temporary


@given(st.dictionaries(driver_names | st.text(max_size=60), st.text(max_size=4), max_size=60))
def test_the_index_finds_what_a_look_through_all_names_finds(names: dict[str, str]) -> None:
    index = NameIndex(names.items())
    assert dict(index) == names
    assert len(index) == len(names)
    for name, thing_id in names.items():
        parts = driver_name(name)
        uuid = parts.uuid if parts else UUID
        expected = {
            other
            for other in names
            if other.removesuffix("-temp").endswith(uuid) and driver_name(other) is not None
        }
        assert index.ending_in(uuid) == sorted(expected)
        assert set(index.matching(name, uuid)) == expected | {name}
        assert len(index.matching(name, uuid)) == len(expected | {name})
        assert index.id_of(name) == thing_id


def test_more_prefixes_than_any_journal_has_are_still_found() -> None:
    names = [f"prefix-{number}-{UUID if number % 2 else OTHER}" for number in range(200)]
    index = NameIndex((name, "") for name in names)
    assert index.ending_in(UUID) == sorted(names[1::2])
    assert index.ending_in(OTHER) == sorted(names[::2])


def test_a_name_that_is_not_there_is_not_made_up_from_the_prefixes_of_others() -> None:
    index = NameIndex([(f"csi-vol-{UUID}", "1"), (f"csi-snap-{OTHER}", "2")])
    assert index.ending_in(UUID) == [f"csi-vol-{UUID}"]
    assert index.matching(f"csi-snap-{UUID}", UUID) == [f"csi-vol-{UUID}"]
    assert index.matching("", OTHER) == [f"csi-snap-{OTHER}"]
