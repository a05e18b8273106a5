"""CSI handles, taken apart and put together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal import Handle
from csijournal.errors import InvalidHandle
from csijournal.wire.handles import CLUSTER_ID_BYTES_MAX, is_migrated_handle

UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"

cluster_ids = st.text(min_size=1, max_size=CLUSTER_ID_BYTES_MAX).filter(
    lambda text: (
        len(text.encode(errors="replace")) <= CLUSTER_ID_BYTES_MAX
        and not any("\ud800" <= character <= "\udfff" for character in text)
    )
)
handles = st.builds(Handle, cluster_ids, st.integers(0, 2**64 - 1), st.uuids().map(str))


def test_the_example_of_the_wire_format_is_read_and_written() -> None:
    text = f"0001-0011-openshift-storage-0000000000000002-{UUID}"
    handle = Handle.parse(text)
    assert handle == Handle("openshift-storage", 2, UUID)
    assert str(handle) == text


@pytest.mark.parametrize(
    ("cluster_id", "length"),
    [
        ("c", "0001"),
        ("-", "0001"),
        ("a-0000000000000001-b", "0014"),
        (f"0001-0001-x-{UUID}", "0030"),
        ("ü-グループ", "000f"),
        ("x" * 64, "0040"),
        ("💾" * 16, "0040"),
    ],
)
def test_a_cluster_id_is_cut_by_its_length_in_bytes(cluster_id: str, length: str) -> None:
    text = f"0001-{length}-{cluster_id}-00000000000000ff-{UUID}"
    assert Handle.parse(text) == Handle(cluster_id, 255, UUID)
    assert str(Handle(cluster_id, 255, UUID)) == text


def test_the_longest_handle_is_as_long_as_csi_allows() -> None:
    assert CLUSTER_ID_BYTES_MAX == 64
    assert len(str(Handle("x" * 64, 2**64 - 1, UUID)).encode()) == 128


@given(handles)
def test_every_handle_survives_the_way_through_its_text(handle: Handle) -> None:
    assert Handle.parse(str(handle)) == handle


@given(st.text())
def test_no_text_is_read_as_a_handle_that_it_is_not(text: str) -> None:
    with pytest.raises(InvalidHandle):
        Handle.parse(text)


def test_upper_case_digits_are_read_and_written_in_lower_case() -> None:
    text = f"0001-000A-0123456789-00000000000000FF-{UUID}"
    assert str(Handle.parse(text)) == f"0001-000a-0123456789-00000000000000ff-{UUID}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "two groups of four hex digits"),
        ("0001", "two groups of four hex digits"),
        (f"0001-000g-c-0000000000000002-{UUID}", "two groups of four hex digits"),
        (f" 0001-0001-c-0000000000000002-{UUID}", "two groups of four hex digits"),
        (f"0002-0001-c-0000000000000002-{UUID}", "version 0002"),
        (f"0000-0001-c-0000000000000002-{UUID}", "version 0000"),
        (f"0001-0000--0000000000000002-{UUID}", "0 bytes"),
        (f"0001-0041-{'x' * 65}-0000000000000002-{UUID}", "65 bytes"),
        (f"0001-0002-c-0000000000000002-{UUID}", "after a cluster id of 2 bytes"),
        (f"0001-0001-cc-0000000000000002-{UUID}", "after a cluster id of 1 bytes"),
        (f"0001-ffff-c-0000000000000002-{UUID}", "after a cluster id of 65535 bytes"),
        (f"0001-0001-c-000000000000002-{UUID}", "after a cluster id of 1 bytes"),
        (f"0001-0001-c-000000000000000g-{UUID}", "after a cluster id of 1 bytes"),
        (f"0001-0001-c-0000000000000002-{UUID}\n", "after a cluster id of 1 bytes"),
        (f"0001-0001-c-0000000000000002-{UUID}0", "after a cluster id of 1 bytes"),
        (f"0001-0001-c-0000000000000002-{UUID[:-1]}", "after a cluster id of 1 bytes"),
        (f"0001-0001-c-0000000000000002-{UUID.upper()}", "not a UUID in lower case"),
        (f"0001-0001-c-0000000000000002-{UUID[:-1]}g", "not a UUID in lower case"),
        (f"0001-0001-ü-0000000000000002-{UUID}", "after a cluster id of 1 bytes"),
        (f"0001-0002-aü-0000000000000002-{UUID}", "after a cluster id of 2 bytes"),
        (f"0001-0003-\ud800-0000000000000002-{UUID}", "cut in the middle of a character"),
    ],
    ids=ascii,
)
def test_a_handle_that_is_off_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidHandle, match=words) as caught:
        Handle.parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("cluster_id", "location_id", "object_uuid", "words"),
    [
        ("", 1, UUID, "0 bytes"),
        ("x" * 65, 1, UUID, "65 bytes"),
        ("💾" * 17, 1, UUID, "68 bytes"),
        ("a\ud800", 1, UUID, "UTF-8"),
        ("c", -1, UUID, "64-bit"),
        ("c", 2**64, UUID, "64-bit"),
        ("c", 1, UUID.upper(), "lower case"),
        ("c", 1, "", "UUID"),
    ],
    ids=ascii,
)
def test_parts_that_make_no_handle_are_refused_with_the_reason(
    cluster_id: str, location_id: int, object_uuid: str, words: str
) -> None:
    with pytest.raises(InvalidHandle, match=words) as caught:
        Handle(cluster_id, location_id, object_uuid)
    assert str(caught.value).isprintable()


def test_a_volume_of_the_former_in_tree_driver_is_told_from_a_handle() -> None:
    migrated = f"mig_mons-b7f67366bb43f32e07d8a261a7840da9_image-{UUID}_706f6f6c5f7265706c696361"
    assert is_migrated_handle(migrated)
    assert not is_migrated_handle(str(Handle("mig_", 1, UUID)))
    with pytest.raises(InvalidHandle):
        Handle.parse(migrated)


def test_a_handle_moves_to_another_cluster_and_keeps_its_object() -> None:
    moved = Handle("site1", 2, UUID).moved_to("site2", 5)
    assert str(moved) == f"0001-0005-site2-0000000000000005-{UUID}"
    with pytest.raises(InvalidHandle):
        moved.moved_to("", 5)
