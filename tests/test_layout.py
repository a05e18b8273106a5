"""Names of objects and keys, and the rules for what may become part of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal import Timestamp
from csijournal.errors import (
    InvalidGroupName,
    InvalidInstanceID,
    InvalidMember,
    InvalidRequestName,
    InvalidUUID,
)
from csijournal.wire.entries import RecordHere, UnreadableTarget
from csijournal.wire.names import encode_members, require_member_ids
from csijournal.wire.records import ATTRIBUTE_KEYS, group_attributes, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened
from csijournal.wire.uuids import is_uuid
from support import strategies
from support.texts import FORBIDDEN_CHARACTERS

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
NO_UUIDS = (
    "",
    UUID[:-1],
    UUID + "0",
    UUID + "\n",
    " " + UUID[1:],
    UUID.upper(),
    UUID.replace("-", "_"),
    UUID.replace("-", ""),
    UUID[:-1] + "g",
    UUID[:-1] + "٣",
)


# Objects


def test_objects_are_named_as_ceph_csi_names_them() -> None:
    assert GROUPS.directory_object("default") == "csi.groups.default"
    assert GROUPS.record_object(UUID) == f"csi.volume.group.{UUID}"
    assert GROUPS.entry_key("req") == "csi.volume.group.req"


@given(strategies.names())
def test_an_instance_survives_the_way_through_its_directory(instance_id: str) -> None:
    assert GROUPS.instance_of(GROUPS.directory_object(instance_id)) == instance_id


@pytest.mark.parametrize("name", ["", "csi.groups", "csi.groups.", "csi.volumes.default", "x"])
def test_other_objects_are_no_directories(name: str) -> None:
    assert GROUPS.instance_of(name) is None


@given(st.uuids().map(str))
def test_a_uuid_survives_the_way_through_its_group_object(group_uuid: str) -> None:
    assert GROUPS.uuid_of_record(GROUPS.record_object(group_uuid)) == group_uuid


@pytest.mark.parametrize(
    "name",
    [
        "",
        UUID,
        "csi.volume.group.",
        f"csi.volume.{UUID}",
        f"csi.snap.{UUID}",
        f"csi.volume.groups.{UUID}",
        *(f"csi.volume.group.{text}" for text in NO_UUIDS),
        f"csi.volume.group.csi.volume.group.{UUID}",
    ],
    ids=ascii,
)
def test_other_objects_are_no_groups(name: str) -> None:
    assert GROUPS.uuid_of_record(name) is None


@pytest.mark.parametrize("text", NO_UUIDS, ids=ascii)
def test_a_text_that_is_no_uuid_names_no_group(text: str) -> None:
    assert not is_uuid(text)
    with pytest.raises(InvalidUUID, match="36 characters, lower case"):
        GROUPS.record_object(text)


# Entries


@given(strategies.names())
def test_a_request_name_survives_the_way_through_its_entry(request_name: str) -> None:
    assert GROUPS.request_name_of_entry(GROUPS.entry_key(request_name)) == request_name


@pytest.mark.parametrize("key", ["", "csi.volume.grou", "csi.volume.x", "csi.lease.x", "x"])
def test_other_keys_of_the_directory_are_no_entries(key: str) -> None:
    assert GROUPS.request_name_of_entry(key) is None


def test_an_entry_holds_a_uuid_or_nothing_usable() -> None:
    assert GROUPS.parse_target("x", UUID.encode()) == RecordHere(UUID)
    for text in NO_UUIDS:
        assert GROUPS.parse_target("x", text.encode()) == UnreadableTarget(text)
    assert isinstance(GROUPS.parse_target("x", b"\xff" * 36), UnreadableTarget)


# Groups


@given(strategies.names(), strategies.prefixes(), st.uuids().map(str), strategies.volume_maps())
def test_a_group_survives_the_way_through_its_object(
    request_name: str, name_prefix: str, group_uuid: str, volume_map: dict[str, str]
) -> None:
    created = Timestamp(1_795_353_790_911_063_702, -210)
    group_name = GROUPS.make_image_name(name_prefix, group_uuid)
    record = parse_group(
        group_attributes(request_name, group_name, created) | encode_members(volume_map)
    )
    assert record.populated
    assert record.request_name == request_name
    assert record.group_name == group_name
    assert record.creation_time == created
    assert record.volume_map == volume_map
    assert GROUPS.uuid_of_image_name(group_name) == group_uuid


def test_an_empty_object_is_a_group_that_says_nothing() -> None:
    record = parse_group({})
    assert not record.populated
    assert (record.request_name, record.group_name, record.creation_text) == (None, None, None)
    assert record.creation_time is None
    assert record.volume_map == {}


def test_an_empty_request_name_counts_as_one() -> None:
    assert parse_group({"csi.volname": b""}).populated


def test_every_key_but_the_attributes_is_a_member() -> None:
    record = parse_group({"csi.volname": b"n", "csi.other": b"1", "vol": b"", "": b"2"})
    assert record.volume_map == {"csi.other": "1", "vol": "", "": "2"}


def test_a_time_that_cannot_be_read_is_none_and_its_text_is_kept() -> None:
    record = parse_group({"csi.creationtime": b"yesterday"})
    assert record.creation_time is None
    assert record.creation_text == "yesterday"


def test_stored_bytes_that_are_no_text_are_read_without_loss() -> None:
    record = parse_group({"vol": b"a\xff\x80"})
    assert record.volume_map["vol"].encode(errors="surrogateescape") == b"a\xff\x80"


def test_a_group_name_is_a_prefix_and_a_uuid() -> None:
    assert GROUPS.make_image_name("", UUID) == f"csi-vol-group-{UUID}"
    assert GROUPS.make_image_name("пре-", UUID) == f"пре-{UUID}"
    assert GROUPS.uuid_of_image_name(UUID) == UUID


@pytest.mark.parametrize(
    "name",
    ["short", *NO_UUIDS[1:], *(f"csi-vol-group-{text}" for text in NO_UUIDS if text)],
    ids=ascii,
)
def test_a_group_name_that_ends_in_no_uuid_is_refused(name: str) -> None:
    with pytest.raises(InvalidGroupName, match="does not end in a UUID"):
        GROUPS.uuid_of_image_name(name)


# Rules


@pytest.mark.parametrize(
    "text",
    ["x", " ", "\t", "\n", "\r", "a/b", "=", '"', "..", "ü" * 64, "💾" * 32, "x" * 128, "\u00a0"],
    ids=ascii,
)
def test_what_the_specification_allows_is_a_name(text: str) -> None:
    assert GROUPS.require_request_name(text) == text
    assert GROUPS.directory_object(text).endswith(text)
    assert require_member_ids([text]) == [text]
    if len(text.encode()) + len(UUID) <= 128:
        assert GROUPS.make_image_name(GROUPS.require_name_prefix(text), UUID) == text + UUID


@pytest.mark.parametrize("character", [*FORBIDDEN_CHARACTERS, chr(0xD800), chr(0xDFFF)], ids=ascii)
def test_a_forbidden_character_is_refused_with_its_position(character: str) -> None:
    words = rf"U\+{ord(character):04X} at position 3$"
    with pytest.raises(InvalidRequestName, match=words):
        GROUPS.require_request_name(f"ü💾{character}x")
    with pytest.raises(InvalidInstanceID, match=words):
        GROUPS.directory_object(f"ü💾{character}x")
    with pytest.raises(InvalidMember, match=words):
        require_member_ids(["fine", f"ü💾{character}x"])
    with pytest.raises(InvalidGroupName, match=words):
        GROUPS.require_name_prefix(f"ü💾{character}x")


@pytest.mark.parametrize(
    ("text", "length"),
    [("x" * 129, 129), ("ü" * 65, 130), ("💾" * 33, 132), ("x" * 10_000, 10_000)],
)
def test_a_name_of_more_bytes_than_allowed_is_refused_with_its_length(
    text: str, length: int
) -> None:
    words = f"is {length} bytes of UTF-8, which is more than 128"
    with pytest.raises(InvalidRequestName, match=words) as caught:
        GROUPS.require_request_name(text)
    assert len(str(caught.value)) < 250
    with pytest.raises(InvalidGroupName, match=words):
        GROUPS.require_name_prefix(text)
    with pytest.raises(InvalidInstanceID, match=words):
        GROUPS.directory_object(text)
    assert require_member_ids([text]) == [text]


def test_empty_names_are_refused() -> None:
    with pytest.raises(InvalidRequestName, match="must not be empty"):
        GROUPS.require_request_name("")
    with pytest.raises(InvalidInstanceID, match="must not be empty"):
        GROUPS.directory_object("")
    with pytest.raises(InvalidMember, match="must not be empty"):
        require_member_ids(["a", ""])


@pytest.mark.parametrize("key", [*sorted(ATTRIBUTE_KEYS), "csi.", "csi.x", "csi.volume.x"])
def test_a_member_cannot_take_a_key_that_is_kept_for_attributes(key: str) -> None:
    with pytest.raises(InvalidMember, match=r"starts with 'csi\.'") as caught:
        encode_members({"vol": "", key: ""})
    assert caught.value.key == key


@pytest.mark.parametrize("key", ["csi", "CSI.volname", "xcsi.volname", " csi."])
def test_a_member_may_look_like_an_attribute(key: str) -> None:
    assert encode_members({key: "v"}) == {key: b"v"}


def test_a_member_may_have_any_text_as_its_value() -> None:
    value = "\0\n\x7f" + "ü" * 1_000
    assert encode_members({"vol": value}) == {"vol": value.encode()}


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidMember, match="value of member 'vol'") as caught:
        encode_members({"vol": "\udcff"})
    assert caught.value.key == "vol"


@given(strategies.invalid_names())
def test_what_the_specification_forbids_is_no_name(text: str) -> None:
    with pytest.raises(InvalidRequestName) as caught:
        GROUPS.require_request_name(text)
    assert str(caught.value).isprintable()
    with pytest.raises(InvalidInstanceID):
        GROUPS.directory_object(text)


@given(strategies.invalid_member_ids())
def test_what_cannot_be_a_member_is_refused(text: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        require_member_ids(["fine", text])
    assert str(caught.value).isprintable()


def test_a_long_text_is_cut_but_not_the_uuid_that_it_ends_in() -> None:
    handle = f"0001-0040-{'cluster' * 10}-0000000000000002-{UUID}"

    assert shortened(handle) == f"'0001-0040-clustercluster…{UUID}'"
    assert shortened("x" * 61) == f"'{'x' * 60}…'"
    assert shortened("x" * 60) == f"'{'x' * 60}'"
