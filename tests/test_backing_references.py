"""What is in an object that counts the users of a snapshot behind shallow volumes."""

from __future__ import annotations

import pytest

from csijournal.wire.backing_references import (
    PREFIX,
    BackingReferences,
    ReferenceType,
    object_name,
)

HANDLE = "0001-0004-ceph-0000000000000001-11111111-1111-4111-8111-111111111111"
VOLUME = "csi-vol-22222222-2222-4222-8222-222222222222"
NORMAL, MASKED = b"\x01", b"\x02"
ONE = b"\0\0\0\x01"
TWO = b"\0\0\0\x02"


def parsed(data: bytes = TWO, version: bytes | None = ONE, **entries: bytes) -> BackingReferences:
    named = {{"snapshot": HANDLE, "volume": VOLUME}.get(key, key): entries[key] for key in entries}
    return BackingReferences.parse(object_name(HANDLE), data, version, named)


def test_after_the_first_shallow_volume_snapshot_and_volume_are_counted() -> None:
    found = parsed(snapshot=NORMAL, volume=NORMAL)

    assert (found.snapshot_handle, found.count, found.version) == (HANDLE, 2, 1)
    assert found.volumes == [VOLUME]
    assert not found.is_snapshot_deleted
    assert found.disagreements == []


def test_after_the_snapshot_was_deleted_only_the_volume_is_counted() -> None:
    found = parsed(ONE, snapshot=MASKED, volume=NORMAL)

    assert found.references[HANDLE] is ReferenceType.MASKED
    assert found.is_snapshot_deleted
    assert found.volumes == [VOLUME]
    assert found.disagreements == []


def test_a_volume_that_was_removed_from_the_keys_alone_shows_in_the_count() -> None:
    assert parsed(snapshot=NORMAL).disagreements == ["it counts 2 references and has 1"]


@pytest.mark.parametrize(
    ("data", "version", "entries", "said"),
    [
        (b"", ONE, {}, "it counts unreadable references and has 2"),
        (b"\0\0\0\0\x02", ONE, {}, "it counts unreadable references and has 2"),
        (TWO, None, {}, "its version is unreadable, and 1 is known"),
        (TWO, TWO, {}, "its version is 2, and 1 is known"),
        (TWO, ONE, {"odd": b"\x03"}, "1 of its keys have a value that is not known"),
        (TWO, ONE, {"odd": b""}, "1 of its keys have a value that is not known"),
    ],
)
def test_what_no_driver_writes_is_named(
    data: bytes, version: bytes | None, entries: dict[str, bytes], said: str
) -> None:
    found = parsed(data, version, snapshot=NORMAL, volume=NORMAL, **entries)
    assert found.disagreements == [said]


def test_a_key_of_an_unknown_value_counts_neither_as_normal_nor_as_masked() -> None:
    found = parsed(ONE, snapshot=NORMAL, volume=b"\x09")

    assert found.volumes == []
    assert found.unreadable == (VOLUME,)


def test_an_object_without_the_snapshots_own_key_is_named() -> None:
    assert parsed(ONE, volume=NORMAL).disagreements == ["it has no key for the snapshot itself"]


def test_another_object_is_refused() -> None:
    with pytest.raises(ValueError, match=PREFIX):
        BackingReferences.parse("csi.volume.x", TWO, ONE, {})
