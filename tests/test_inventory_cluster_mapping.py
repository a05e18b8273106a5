"""Ceph-CSI's cluster-mapping.json: read, refused, and used to compare handles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal import Handle
from csijournal.errors import InvalidInputFile
from csijournal.inventory.cluster_mapping import ClusterMapping, LocationType, MappingEntry

UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
OTHER = "0f0e0d0c-0b0a-4908-8706-050403020100"
POOL, FILESYSTEM = LocationType.POOL, LocationType.FILESYSTEM

# The example of Ceph-CSI's own documentation.
THREE_SITES = [
    {
        "clusterIDMapping": {"site1-storage": "site2-storage"},
        "RBDPoolIDMapping": [{"1": "2", "11": "12"}],
        "CephFSFscIDMapping": [{"13": "34", "3": "4"}],
    },
    {
        "clusterIDMapping": {"site3-storage": "site2-storage"},
        "RBDPoolIDMapping": [{"5": "2"}, {"16": "12"}],
        "CephFSFscIDMapping": [{"3": "34", "4": "4"}],
    },
]


def mapping(value: object = THREE_SITES) -> ClusterMapping:
    return ClusterMapping.parse(json.dumps(value), "cluster-mapping.json")


def handle(cluster_id: str, location_id: int, uuid: str = UUID) -> Handle:
    return Handle(cluster_id, location_id, uuid)


def test_a_handle_is_mapped_in_both_directions() -> None:
    one, two = handle("site1-storage", 1), handle("site2-storage", 2)
    assert mapping().candidates(one, POOL) == (one, two)
    assert mapping().candidates(two, POOL) == (two, one, handle("site3-storage", 5))


def test_filesystems_are_mapped_by_their_own_ids() -> None:
    one = handle("site1-storage", 3)
    assert mapping().candidates(one, FILESYSTEM) == (one, handle("site2-storage", 4))
    assert mapping().candidates(one, POOL) == (one,)


def test_one_cluster_name_on_both_sides_maps_the_pool_alone() -> None:
    both = mapping(
        [{"clusterIDMapping": {"rook-ceph": "rook-ceph"}, "RBDPoolIDMapping": [{"2": "5"}]}]
    )
    assert both.candidates(handle("rook-ceph", 2), POOL) == (
        handle("rook-ceph", 2),
        handle("rook-ceph", 5),
    )
    assert both.location_ids(handle("rook-ceph", 5), POOL) == (5, 2)


def test_without_its_cluster_or_its_pool_a_handle_stays_what_it_is() -> None:
    for lonely in (handle("site4-storage", 1), handle("site1-storage", 7)):
        assert mapping().candidates(lonely, POOL) == (lonely,)
    assert ClusterMapping().candidates(handle("c", 1), POOL) == (handle("c", 1),)


def test_handles_are_equal_if_they_are_equal_after_mapping() -> None:
    files = mapping()
    one, two, three = (
        handle("site1-storage", 1),
        handle("site2-storage", 2),
        handle("site3-storage", 5),
    )
    for left, right in ((one, one), (one, two), (two, one), (two, three), (one, three)):
        assert files.are_equal(left, right, POOL)
    assert not files.are_equal(one, handle("site2-storage", 12), POOL)
    assert not files.are_equal(one, handle("site2-storage", 2, OTHER), POOL)
    assert not ClusterMapping().are_equal(one, two, POOL)


ids = st.integers(0, 9)
cluster_ids = st.sampled_from("abc")
entries = st.builds(
    MappingEntry,
    st.lists(st.tuples(cluster_ids, cluster_ids), max_size=2).map(tuple),
    st.lists(st.tuples(ids, ids), max_size=3).map(tuple),
)
handles = st.builds(handle, cluster_ids, ids)


@given(st.lists(entries, max_size=3).map(tuple), handles, handles)
def test_what_maps_to_a_handle_is_mapped_back_from_it(
    parts: tuple[MappingEntry, ...], one: Handle, other: Handle
) -> None:
    files = ClusterMapping(parts)
    assert (other in files.candidates(one, POOL)) == (one in files.candidates(other, POOL))
    assert files.are_equal(one, other, POOL) == files.are_equal(other, one, POOL)
    if other in files.candidates(one, POOL):
        assert files.are_equal(one, other, POOL)


def test_field_names_are_read_in_any_case_as_go_does() -> None:
    # The operator's own spelling, and no CephFS field at all.
    files = mapping([{"clusterIdMapping": {"a": "b"}, "RBDPoolIDMapping": [{"1": "2"}]}])
    assert files.entries == (MappingEntry((("a", "b"),), ((1, 2),)),)


def test_null_and_missing_fields_map_nothing() -> None:
    files = mapping([{"clusterIDMapping": None, "RBDPoolIDMapping": None}, {}])
    assert files.entries == (MappingEntry(()), MappingEntry(()))


def test_a_file_is_read_from_disk_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    path = tmp_path / "cluster-mapping.json"
    path.write_text(json.dumps(THREE_SITES), encoding="utf-8-sig")
    assert ClusterMapping.read(path) == mapping()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "the whole is not a list"),
        ([[]], "entry 1 is not an object"),
        ([{}, {"clusterIDMapping": []}, "x"], "entry 3 is not an object"),
        ([{"clusterIDMapping": ["a"]}], "clusterIDMapping of entry 1 is not an object"),
        ([{"clusterIDMapping": {"a": 1}}], "the value of 'a' in clusterIDMapping of entry 1"),
        ([{"clusterIDMapping": {"": "b"}}], "cluster id '': it must be 1 to 64"),
        ([{"clusterIDMapping": {"a": "b" * 65}}], "it must be 1 to 64"),
        ([{"RBDPoolIDMapping": {"1": "2"}}], "RBDPoolIDMapping of entry 1 is not a list"),
        ([{}, {"RBDPoolIDMapping": [["1"]]}], "a part of RBDPoolIDMapping of entry 2"),
        ([{"RBDPoolIDMapping": [{"1": 2}]}], "the value of '1'"),
        ([{"RBDPoolIDMapping": [{"1": "0x2"}]}], "'0x2' is not an id"),
        ([{"CephFSFscIDMapping": [{"01": "2"}]}], "'01' is not an id"),
        ([{"CephFSFscIDMapping": [{"1": str(2**63)}]}], "is not an id"),
    ],
)
def test_a_malformed_file_is_refused_naming_file_and_entry(value: object, words: str) -> None:
    with pytest.raises(InvalidInputFile) as caught:
        mapping(value)
    assert str(caught.value).startswith("cluster-mapping.json: ")
    assert words in str(caught.value)
    assert "clusterIDMapping" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "[1e999999]x"])
def test_what_is_not_json_is_said_to_be_not_json(text: str) -> None:
    with pytest.raises(InvalidInputFile, match=r"m\.json is not JSON"):
        ClusterMapping.parse(text, "m.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InvalidInputFile, match="cannot be read"):
            ClusterMapping.read(path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"[\xff]")
    with pytest.raises(InvalidInputFile, match="not text in UTF-8: byte 2"):
        ClusterMapping.read(binary)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["clusterIDMapping", "RBDPoolIDMapping"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(json_values | st.lists(json_values, max_size=3))
def test_every_json_is_understood_or_refused_in_words(value: object) -> None:
    try:
        files = mapping(value)
    except InvalidInputFile as error:
        refused = str(error)
    else:
        refused = ""
        assert files.candidates(handle("c", 1), POOL)[0] == handle("c", 1)
    assert not refused or refused.startswith("cluster-mapping.json")
