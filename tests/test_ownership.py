"""What belongs to a journal, and to which: objects, and keys of objects."""

from __future__ import annotations

import pytest

from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of, role_of
from csijournal.wire.schema import SCHEMAS

UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
RECORD, DIRECTORY = ObjectRole.RECORD, ObjectRole.DIRECTORY
ENTRY, LEASE, ATTRIBUTE = KeyRole.ENTRY, KeyRole.LEASE, KeyRole.ATTRIBUTE
MEMBER, FOREIGN = KeyRole.MEMBER, KeyRole.FOREIGN


@pytest.mark.parametrize(
    ("object_name", "journal", "role", "name"),
    [
        ("csi.volumes.default", "volumes", DIRECTORY, "default"),
        ("csi.snaps.a.b", "snapshots", DIRECTORY, "a.b"),
        ("csi.groups.default.3", "groups", DIRECTORY, "default.3"),
        (f"csi.volume.{UUID}", "volumes", RECORD, UUID),
        (f"csi.snap.{UUID}", "snapshots", RECORD, UUID),
        (f"csi.volume.group.{UUID}", "groups", RECORD, UUID),
        ("csi.volume.group.", "groups", RECORD, ""),
    ],
)
def test_the_objects_of_the_three_journals_are_known(
    object_name: str, journal: str, role: ObjectRole, name: str
) -> None:
    owned = owner_of(object_name)
    assert owned is not None
    assert (owned.schema.journal, owned.role, owned.name) == (journal, role, name)


@pytest.mark.parametrize(
    "object_name",
    [
        "",
        "csi.",
        "csi.volumes.",
        "csi.snaps.",
        "csi.groups.",
        "csi.volume.",
        "csi.snap.",
        "csi.volume.not-a-uuid",
        f"csi.volume.{UUID.upper()}",
        f"csi.volume.group.{UUID}.1",
        f"csi.volume.x{UUID}",
        f"Xcsi.volume.{UUID}",
        f"rt-backingsnapshot-{UUID}",
        "rbd_directory",
        "rbd_header.10ab12cd34ef",
        "rbd_trash",
    ],
)
def test_nothing_else_is_a_journals(object_name: str) -> None:
    assert owner_of(object_name) is None
    assert role_of(object_name, "csi.volname") is FOREIGN


@pytest.mark.parametrize(
    ("object_name", "key", "role"),
    [
        ("csi.groups.default", "csi.volume.group.a", ENTRY),
        ("csi.groups.default", "csi.volume.a", FOREIGN),
        ("csi.volumes.default", "csi.volume.group.a", ENTRY),
        ("csi.volumes.default", "csi.snap.a", FOREIGN),
        ("csi.snaps.default", "csi.snap.a", ENTRY),
        *((schema.directory_prefix + "x", f"csi.lease.{UUID}", LEASE) for schema in SCHEMAS),
        *(
            (schema.directory_prefix + "x", f"csi.lease.revoked.{UUID}", LEASE)
            for schema in SCHEMAS
        ),
        *((schema.directory_prefix + "x", "", FOREIGN) for schema in SCHEMAS),
        *((schema.directory_prefix + "x", "csi.volname", FOREIGN) for schema in SCHEMAS),
        (f"csi.volume.group.{UUID}", "csi.volname", ATTRIBUTE),
        (f"csi.volume.group.{UUID}", f"0001-0009-x-0000000000000001-{UUID}", MEMBER),
        (f"csi.volume.group.{UUID}", "", FOREIGN),
        (f"csi.volume.{UUID}", "csi.imagename", ATTRIBUTE),
        (f"csi.volume.{UUID}", "csi.of-a-newer-driver", ATTRIBUTE),
        (f"csi.volume.{UUID}", "", FOREIGN),
        (f"csi.volume.{UUID}", "size", FOREIGN),
        (f"csi.snap.{UUID}", "csi.", ATTRIBUTE),
        (f"csi.snap.{UUID}", "", ATTRIBUTE),
        (f"csi.snap.{UUID}", "snapshot_0001", FOREIGN),
    ],
)
def test_a_key_is_what_its_object_makes_of_it(object_name: str, key: str, role: KeyRole) -> None:
    assert role_of(object_name, key) is role


def test_only_an_entry_has_a_request_name() -> None:
    directory, record = owner_of("csi.snaps.default"), owner_of(f"csi.snap.{UUID}")
    assert directory is not None
    assert record is not None
    assert directory.entry_of("csi.snap.a") == "a"
    assert directory.entry_of(f"csi.lease.{UUID}") is None
    assert record.entry_of("csi.snap.a") is None
