"""What is exported and restored is what was there, on every store, and nothing else is touched."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal import Store, VolumeGroupJournal
from csijournal.archive import Archive, ArchiveWriter, Record
from csijournal.check.findings import FindingKind
from csijournal.errors import InvalidArchive
from csijournal.journal.steps import LeaseCondition, Records
from csijournal.repair.apply import Watcher, carry_out
from csijournal.repair.plan import Outcome
from csijournal.store import Write
from csijournal.store.memory import MemoryStore
from csijournal.transfer.export import Exporter
from csijournal.transfer.restore import Difference, Restorer, check_archive
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.leases import Lease
from csijournal.wire.ownership import KeyRole, ObjectRole, owner_of
from csijournal.wire.schema import GROUPS, SCHEMAS, VOLUMES, JournalSchema
from csijournal.wire.timestamps import Timestamp
from support.damage import (
    FOREIGN,
    INSTANCES,
    MEMBERS,
    NOW,
    DamagedPool,
    damaged_pools,
    every_damage,
)
from support.faulty import MeddlingStore
from support.journal_contents import (
    HANDLES,
    UUIDS,
    contents_of_journals,
    every_shape,
    make,
)
from support.places import MemoryPlace, Place, RADOSPlace, SQLitePlace
from support.repairing import restore
from support.verified import Objects, contents, look, told

DIRECTORY = "csi.groups.default"
GROUP = "csi.volume.group.0f8fad5b-d9cb-469f-a165-70867728950e"


def save(records: Iterable[Record], path: Path) -> Path:
    with path.open("wb") as file, ArchiveWriter(file, kind="export", place="") as writer:
        for record in records:
            writer.write(record)
    return path


def export_all(store: Store) -> Iterator[Record]:
    return Exporter(store).everything()


def export_instance(store: Store, instance_id: str) -> Iterator[Record]:
    return Exporter(store).instance(instance_id)


def differences(store: Store, path: Path) -> Iterator[Difference]:
    with path.open("rb") as file:
        archive = Archive(file, str(path))
        check_archive(archive)
        yield from Restorer(store, archive).differences()


def entry(name: str) -> str:
    return GROUPS.entry_key(name)


def journals_of(objects: Objects) -> Objects:
    """What of a place is of journals and may be carried away: no leases."""
    roles = {KeyRole.ENTRY, KeyRole.ATTRIBUTE, KeyRole.MEMBER}
    return {
        name: {key: value for key, value in entries.items() if owned.role_of(key) in roles}
        for name, entries in objects.items()
        if (owned := owner_of(name)) is not None
    }


def part_of(objects: Objects, instance_id: str) -> Objects:
    """One instance's directories, the shards of that of groups, and what they point at."""
    names = set()
    for schema in SCHEMAS:
        directory = schema.directory_prefix + instance_id
        shards = {f"{directory}.{number}" for number in range(11)} if schema is GROUPS else set()
        for name in objects.keys() & {directory, *shards}:
            names |= {name, *_pointed_at(schema, objects[name])}
    return journals_of({n: e for n, e in objects.items() if n in names})


def _pointed_at(schema: JournalSchema[Any], entries: dict[str, bytes]) -> set[str]:
    """Records that a directory's entries lead to, in whichever pool: they may lie here too."""
    targets = [
        schema.parse_target(request_name, value)
        for key, value in entries.items()
        if (request_name := schema.request_name_of_entry(key)) is not None
    ]
    return {
        schema.record_object(target.uuid)
        for target in targets
        if isinstance(target, (RecordHere, RecordInPool))
    }


# There and back


@settings(max_examples=40, deadline=None)
@given(damaged_pools())
def test_all_of_a_place_comes_back_with_its_damage(damaged: DamagedPool) -> None:
    with TemporaryDirectory() as folder:
        source, target = damaged.build(MemoryPlace()), MemoryStore()
        restore(target, save(export_all(source), Path(folder) / "all"))
        assert contents(target) == journals_of(damaged.before())


@settings(max_examples=40, deadline=None)
@given(damaged_pools())
def test_one_instance_comes_back_with_the_groups_that_it_points_at(damaged: DamagedPool) -> None:
    with TemporaryDirectory() as folder:
        source, target = damaged.build(MemoryPlace()), MemoryStore()
        restore(target, save(export_instance(source, "default"), Path(folder) / "one"))
        assert contents(target) == part_of(damaged.before(), "default")


def test_a_place_goes_from_memory_to_sqlite_to_any_store(place: Place, tmp_path: Path) -> None:
    damaged = every_damage()
    first = damaged.build(MemoryPlace())
    with SQLitePlace(tmp_path / "between.db").open() as second:
        restore(second, save(export_all(first), tmp_path / "first"))
        third = place.open()
        restore(third, save(export_all(second), tmp_path / "second"))
    assert contents(third) == journals_of(damaged.before())
    last = MemoryStore()
    restore(last, save(export_all(third), tmp_path / "third"))
    assert contents(last) == contents(third)


def test_damage_is_found_again_where_it_was_restored_but_for_what_is_not_carried(
    tmp_path: Path,
) -> None:
    damaged = every_damage()
    target = MemoryStore(clock=lambda: 0)
    restore(target, save(export_all(damaged.build(MemoryPlace())), tmp_path / "all"))
    found = {told(finding) for finding in look(target, clock=lambda: NOW)[0]}
    left_out = {FindingKind.STALE_LEASE, FindingKind.UNKNOWN_KEY}
    assert found >= {finding for finding in damaged.found if finding.kind not in left_out}
    assert not {finding.kind for finding in found} & left_out


def test_a_restored_journal_is_used_on(place: Place, tmp_path: Path) -> None:
    source = MemoryStore()
    with VolumeGroupJournal(source) as journal:
        made = journal.reserve_name("a")
        journal.add_volumes_mapping(made.group_uuid, {"vol-1": "x"})
    target = place.open()
    restore(target, save(export_instance(source, "default"), tmp_path / "one"))
    with VolumeGroupJournal(target) as journal:
        found = journal.check_reservation("a")
        assert found is not None
        assert (found.group_uuid, found.volume_map) == (made.group_uuid, {"vol-1": "x"})
        journal.undo_reservation(made.group_name, "a")
    assert contents(target) == {DIRECTORY: {}}


@pytest.mark.parametrize("entries", [1, 999, 1000, 1001, 2500])
def test_a_directory_of_many_pages_comes_back(entries: int, tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    puts = {f"csi.volume.group.{number}": b"x" for number in range(entries)}
    source.write(Write(DIRECTORY, puts=puts))
    restore(target, save(export_all(source), tmp_path / "all"))
    assert contents(target) == {DIRECTORY: puts}


def test_an_empty_place_has_nothing_to_export(place: Place) -> None:
    store = place.open()
    assert list(export_all(store)) == []
    assert list(export_instance(store, "default")) == []


def test_an_empty_directory_comes_back_empty(place: Place, tmp_path: Path) -> None:
    source = MemoryStore()
    source.write(Write(DIRECTORY, puts={entry("k"): b""}))
    source.write(Write(DIRECTORY, deletions=[entry("k")]))
    target = place.open()
    restore(target, save(export_instance(source, "default"), tmp_path / "one"))
    assert contents(target) == {DIRECTORY: {}}


def test_exporting_one_instance_says_nothing_of_the_others(tmp_path: Path) -> None:
    source, target = DamagedPool().build(MemoryPlace()), MemoryStore()
    restore(target, save(export_instance(source, INSTANCES[1]), tmp_path / "one"))
    assert [name for name in contents(target) if GROUPS.instance_of(name)] == ["csi.groups.b"]


# The three journals


@settings(max_examples=60, deadline=None)
@given(contents_of_journals())
def test_whatever_the_three_journals_hold_comes_back_to_the_byte(objects: Objects) -> None:
    with TemporaryDirectory() as folder, SQLitePlace(Path(folder, "j.db")).open() as between:
        source, target = make(MemoryStore(), objects), MemoryStore()
        restore(between, save(export_all(source), Path(folder, "first")))
        assert contents(between) == journals_of(objects)
        restore(target, save(export_all(between), Path(folder, "second")))
        assert contents(target) == journals_of(objects)
        assert list(differences(source, Path(folder, "second"))) == []


@settings(max_examples=60, deadline=None)
@given(contents_of_journals())
def test_one_instance_of_the_three_journals_comes_back_with_what_it_leads_to(
    objects: Objects,
) -> None:
    with TemporaryDirectory() as folder:
        source, target = make(MemoryStore(), objects), MemoryStore()
        restore(target, save(export_instance(source, "default"), Path(folder, "one")))
        assert contents(target) == part_of(objects, "default")


@pytest.mark.ceph
@settings(max_examples=10, deadline=None)
@given(contents_of_journals())
def test_whatever_the_three_journals_hold_comes_back_on_rados(
    ceph: ThrowawayCluster, objects: Objects
) -> None:
    places = [RADOSPlace(ceph, POOL), RADOSPlace(ceph, POOL)]
    with TemporaryDirectory() as folder, closing(places[0]), closing(places[1]):
        source, target = make(places[0].open(), objects), places[1].open()
        restore(target, save(export_all(source), Path(folder, "all")))
        assert contents(target) == journals_of(objects)


def test_each_shape_of_entry_and_record_comes_back(place: Place, tmp_path: Path) -> None:
    objects = every_shape()
    target = place.open()
    restore(target, save(export_all(make(MemoryStore(), objects)), tmp_path / "there"))
    assert contents(target) == journals_of(objects)
    back = MemoryStore()
    restore(back, save(export_all(target), tmp_path / "back"))
    assert contents(back) == journals_of(objects)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.journal)
def test_one_journal_of_three_is_exported_alone(schema: JournalSchema[Any]) -> None:
    exporter = Exporter(make(MemoryStore(), every_shape()), (schema,))
    for records in (exporter.everything(), exporter.instance("default")):
        journals = {owner_of(record.object_name).schema for record in records}  # type: ignore[union-attr]
        assert journals == {schema}


def test_what_lies_in_another_pool_and_what_only_looks_like_a_journals_is_named() -> None:
    store = make(MemoryStore(), {**every_shape(), "csi.volume.x": {}})
    exporter = Exporter(store, (VOLUMES,))
    list(exporter.instance("default"))
    assert exporter.left_out.elsewhere == 3
    assert exporter.left_out.named[0] == (
        f"what the pool with the id 1 holds of the volume {UUIDS[0]} of 'name-4':"
        " export that pool too, with --all"
    )
    exporter = Exporter(store)
    list(exporter.everything())
    assert exporter.left_out.named[0] == "the object 'csi.volume.x', which is not a journal's"


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.journal)
@pytest.mark.parametrize("what", ["request name", "UUID", "object"])
def test_what_is_about_one_name_is_exported_alone(schema: JournalSchema[Any], what: str) -> None:
    """An entry leads to its record, and a record to the entry of its request name."""
    names = {"request name": "name-0", "UUID": UUIDS[0], "object": schema.record_object(UUIDS[0])}
    objects = every_shape()
    found = list(Exporter(make(MemoryStore(), objects), (schema,)).only("default", names[what]))
    assert found == [
        Record(schema.directory_object("default"), {schema.entry_key("name-0"): UUIDS[0].encode()}),
        Record(schema.record_object(UUIDS[0]), objects[schema.record_object(UUIDS[0])], whole=True),
    ]


def test_mappings_and_entries_of_other_pools_are_exported_by_their_names() -> None:
    objects = every_shape()
    exporter = Exporter(make(MemoryStore(), objects), (VOLUMES,))
    directory = VOLUMES.directory_object("default")
    key = VOLUMES.entry_key(HANDLES[0])
    assert list(exporter.only("default", HANDLES[0])) == [
        Record(directory, {key: HANDLES[1].encode()})
    ]
    entry_record, record = exporter.only("default", "name-5")
    assert entry_record.keys == {VOLUMES.entry_key("name-5"): f"{7:016x}/{UUIDS[0]}".encode()}
    assert record.object_name == VOLUMES.record_object(UUIDS[0])
    assert list(exporter.only("default", "unheard of")) == []


def test_a_key_that_no_journal_writes_stays_in_a_record_that_is_restored(tmp_path: Path) -> None:
    store = MemoryStore()
    record = VOLUMES.record_object(UUID)
    store.write(Write(record, puts={"csi.volname": b"pvc-1"}))
    archive = save(export_all(store), tmp_path / "all")
    store.write(Write(record, puts={"csi.volname": b"other", "theirs": b"x", "csi.x": b"y"}))
    restore(store, archive)
    assert contents(store) == {record: {"csi.volname": b"pvc-1", "theirs": b"x"}}


# A name that was reserved anew


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.journal)
@pytest.mark.parametrize("value", [UUIDS[1], f"{7:016x}/{UUIDS[1]}"])
def test_a_record_is_not_put_back_behind_a_newer_reservation_of_its_name(
    place: Place, tmp_path: Path, schema: JournalSchema[Any], value: str
) -> None:
    if schema is GROUPS and "/" in value:
        return
    older, newer = schema.record_object(UUIDS[0]), schema.record_object(UUIDS[1])
    store, keys = place.open(), {schema.name_key: b"name"}
    directory = schema.directory_object("b")
    now = {directory: {schema.entry_key("name"): value.encode()}, newer: keys}
    make(store, now)
    records = [
        Record(directory, {schema.entry_key("name"): UUIDS[0].encode()}),
        Record(older, keys, whole=True),
    ]
    archive = save(records, tmp_path / "all")
    for only in ("", "name", UUIDS[0], older):
        restorer = restorer_of(store, archive, only=only)
        survey = restorer.survey()
        assert survey.overwrite == survey.total > 0
        assert f", which {UUIDS[1]} holds by now" in survey.in_the_way[0]
        assert restorer.restore(None).done == 0
    assert contents(store) == now


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.journal)
def test_a_name_that_is_reserved_anew_while_it_is_restored_keeps_its_record_away(
    tmp_path: Path, schema: JournalSchema[Any]
) -> None:
    """At any call of the store: what was planned is not done once somebody holds the name."""
    older = schema.record_object(UUIDS[0])
    archive = save(
        [
            Record(schema.directory_object("b"), {schema.entry_key("name"): UUIDS[0].encode()}),
            Record(older, {schema.name_key: b"name"}, whole=True),
        ],
        tmp_path / "all",
    )
    entry_key = schema.entry_key("name")
    theirs = Write(schema.directory_object("b"), puts={entry_key: UUIDS[1].encode()})
    reserved_too_late = []
    for nth in range(1, 100):
        inner = MemoryStore()
        store = MeddlingStore(inner, nth, lambda inner=inner: inner.write(theirs))  # type: ignore[misc]
        restorer_of(store, archive).restore(None)
        if not store.meddled:
            break
        left = contents(inner)
        assert left[theirs.object_name] == dict(theirs.puts)
        reserved_too_late.append(older in left)
    # Only a name that is reserved after the record was put back has an older one beside it.
    assert reserved_too_late == sorted(reserved_too_late)
    assert reserved_too_late.count(False) > 4, "the record is looked at before it is put back"


# Onto something that is there


def test_what_is_as_the_archive_says_makes_no_difference(place: Place, tmp_path: Path) -> None:
    store = every_damage().build(place)
    assert list(differences(store, save(export_all(store), tmp_path / "all"))) == []


def test_what_the_archive_says_nothing_of_stays(place: Place, tmp_path: Path) -> None:
    store = place.open()
    for name, entries in FOREIGN.items():
        store.write(Write(name, puts=entries))
    store.write(Write(DIRECTORY, puts={"another": b"x"}))
    damaged = DamagedPool()
    archive = save(export_all(damaged.build(MemoryPlace())), tmp_path / "all")
    restore(store, archive)
    expected = {name: entries for name, entries in FOREIGN.items() if entries}
    expected |= journals_of(damaged.before())
    expected[DIRECTORY] = {**expected[DIRECTORY], "another": b"x"}
    assert contents(store) == expected


def test_only_what_is_different_overwrites(tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    for store, value in ((source, b"new"), (target, b"old")):
        puts = {entry("same"): b"x", entry("other"): value, entry("raw"): b"\xff" + value}
        store.write(Write(DIRECTORY, puts=puts))
        store.write(Write(GROUP, puts={"same": b"x", "other": value}))
    source.write(Write(DIRECTORY, puts={entry("added"): b""}))
    target.write(Write(GROUP, puts={"too much": b""}))
    archive = save(export_all(source), tmp_path / "all")
    group, directory = differences(target, archive)
    assert (group.record.object_name, group.overwrites) == (GROUP, True)
    assert (directory.record.object_name, directory.overwrites) == (DIRECTORY, True)
    (step,) = directory.plan.steps
    assert step.write.puts.keys() == {entry("other"), entry("raw"), entry("added")}
    restore(target, archive)
    assert contents(target) == contents(source)


def test_adding_keys_overwrites_nothing(tmp_path: Path) -> None:
    source, target = MemoryStore(), MemoryStore()
    source.write(Write(DIRECTORY, puts={entry("a"): b"x", entry("b"): b"y"}))
    target.write(Write(DIRECTORY, puts={entry("a"): b"x"}))
    (difference,) = differences(target, save(export_all(source), tmp_path / "all"))
    assert not difference.overwrites
    assert difference.plan.steps[0].write.puts == {entry("b"): b"y"}


def test_records_come_before_the_entries_that_point_at_them(tmp_path: Path) -> None:
    archive = save(export_all(every_damage().build(MemoryPlace())), tmp_path / "all")
    names = [found.record.object_name for found in differences(MemoryStore(), archive)]
    directories = [
        owned.role is ObjectRole.DIRECTORY for name in names if (owned := owner_of(name))
    ]
    assert directories == sorted(directories)


@pytest.mark.parametrize(
    ("lies", "says"),
    [
        ({}, Record(GROUP, None, whole=True)),
        (MEMBERS, Record(GROUP, None, whole=True)),
        (None, Record(GROUP, {}, whole=True)),
        (None, Record(GROUP, MEMBERS, whole=True)),
        (MEMBERS, Record(GROUP, {}, whole=True)),
        (MEMBERS, Record(GROUP, {"vol-1": b"", "vol-9": b"\xff"}, whole=True)),
    ],
)
def test_an_object_is_made_as_the_archive_says_or_removed(
    place: Place, tmp_path: Path, lies: dict[str, bytes] | None, says: Record
) -> None:
    store = place.open()
    if lies is not None:
        store.write(Write(GROUP, puts={"k": b""} | lies))
    restore(store, save([says], tmp_path / "one"))
    assert contents(store) == ({} if says.keys is None else {GROUP: says.keys})


def test_a_key_that_the_archive_says_was_absent_goes(place: Place, tmp_path: Path) -> None:
    store = place.open()
    store.write(Write(DIRECTORY, puts={entry("a"): b"\xff", entry("b"): b"x", entry("c"): b"y"}))
    absent = {entry("a"): None, entry("b"): None}
    restore(store, save([Record(DIRECTORY, absent)], tmp_path / "one"))
    assert contents(store) == {DIRECTORY: {entry("c"): b"y"}}


def test_a_key_that_was_absent_is_absent_too_where_there_is_no_directory(
    place: Place, tmp_path: Path
) -> None:
    store = place.open()
    restore(store, save([Record(DIRECTORY, {entry("a"): None})], tmp_path / "one"))
    assert contents(store) == {}


# While others are at work


@pytest.mark.parametrize("lies", [None, b"", b"x", b"\xff"])
@pytest.mark.parametrize("says", [None, b"", b"new", b"\xfe"])
@pytest.mark.parametrize("name", [DIRECTORY, GROUP])
def test_what_somebody_writes_meanwhile_is_not_overwritten(
    tmp_path: Path, name: str, says: bytes | None, lies: bytes | None
) -> None:
    """Whenever it is written: before each of the calls of one restore."""
    meddled, nth = True, 0
    key = "k" if name == GROUP else entry("k")
    archive = save([Record(name, {key: says}, whole=name == GROUP)], tmp_path / "one")
    while meddled:
        nth += 1
        inner = MemoryStore()
        if lies is not None:
            inner.write(Write(name, puts={key: lies}))
        theirs = Write(name, puts={key: b"theirs"})
        store = MeddlingStore(inner, nth, lambda inner=inner, theirs=theirs: inner.write(theirs))  # type: ignore[misc]
        told_of = []
        for difference in differences(store, archive):
            told_of += [difference.overwrites and store.meddled]
            carry_out(store, difference.plan)
        meddled = store.meddled
        left = (inner.read_object(name) or {}).get(key)
        # Theirs is lost only where the plan that was made after it says so.
        assert not meddled or left == b"theirs" or True in told_of
    assert nth > 1


def test_a_group_that_goes_while_it_is_exported_is_not_in_the_file(place: Place) -> None:
    store = place.open()
    with VolumeGroupJournal(store) as journal:
        made = journal.reserve_name("a")
        records = export_instance(store, "default")
        assert [next(records).object_name, next(records).object_name] == [DIRECTORY, DIRECTORY]
        journal.undo_reservation(made.group_name, "a")
    assert list(records) == []


def test_a_restore_that_was_interrupted_is_finished_by_the_next(tmp_path: Path) -> None:
    damaged = every_damage()
    archive = save(export_all(damaged.build(MemoryPlace())), tmp_path / "all")
    target: Store = MemoryStore()
    for number, difference in enumerate(differences(target, archive)):
        if number % 2:
            carry_out(target, difference.plan)
    restore(target, archive)
    assert contents(target) == journals_of(damaged.before())


# What is not a journal's, and leases


UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LEASE = f"csi.lease.{UUID}"


def restorer_of(store: Store, path: Path, only: str = "") -> Restorer:
    archive = Archive(io.BytesIO(path.read_bytes()), "file.jsonl")
    check_archive(archive)
    return Restorer(store, archive, only=only)


@pytest.mark.parametrize(
    "record",
    [
        Record("rbd_header.10ab12cd34ef", None, whole=True),
        Record("rbd_header.10ab12cd34ef", {"size": b"0"}, whole=True),
        Record(f"rt-backingsnapshot-{UUID}", {"k": b"v"}),
        Record("csi.volume.not-a-uuid", {"csi.volname": b"a"}, whole=True),
        Record(DIRECTORY, {"csi.volname": b"a"}),
        Record(DIRECTORY, {"csi.volume.a": b"a"}),
        Record(f"csi.volume.{UUID}", {"size": b"0"}, whole=True),
    ],
)
def test_an_archive_that_names_what_is_not_a_journals_is_refused_with_its_line(
    tmp_path: Path, record: Record
) -> None:
    path = save([Record(DIRECTORY, {entry("a"): b"x"}), record], tmp_path / "file.jsonl")
    with (
        path.open("rb") as file,
        pytest.raises(InvalidArchive, match=r"file\.jsonl, line 3: ") as caught,
    ):
        check_archive(Archive(file, "file.jsonl"))
    assert "Nothing was written" in caught.value.hint


def test_records_of_all_three_journals_are_restored(place: Place, tmp_path: Path) -> None:
    store = place.open()
    wanted = {
        "csi.volumes.default": {"csi.volume.pvc-1": UUID.encode()},
        f"csi.volume.{UUID}": {"csi.volname": b"pvc-1", "csi.imagename": b"csi-vol-x"},
        "csi.snaps.default": {"csi.snap.snap-1": UUID.encode()},
        f"csi.snap.{UUID}": {"csi.snapname": b"snap-1", "csi.source": b"csi-vol-x"},
    }
    records = [Record(name, keys, whole="s.default" not in name) for name, keys in wanted.items()]
    restore(store, save(records, tmp_path / "all"))
    assert contents(store) == wanted


def test_the_empty_key_of_a_snapshot_record_is_restored(place: Place, tmp_path: Path) -> None:
    store = place.open()
    keys = {"": b"owner", "csi.snapname": b"snap-1"}
    restore(store, save([Record(f"csi.snap.{UUID}", keys, whole=True)], tmp_path / "one"))
    assert store.read_keys(f"csi.snap.{UUID}", ["", "csi.snapname"]) == keys


def test_leases_are_never_exported(place: Place) -> None:
    store = place.open()
    store.write(Write(DIRECTORY, puts={LEASE: b"{}", entry("a"): UUID.encode()}))
    for read in (Exporter.everything, lambda exporter: exporter.instance("default")):
        exporter = Exporter(store)
        records = list(read(exporter))
        assert not any(LEASE in (record.keys or {}) for record in records)
        assert any(entry("a") in (record.keys or {}) for record in records)
        assert exporter.left_out.leases == 1


def test_leases_of_an_older_archive_do_not_come_back(place: Place, tmp_path: Path) -> None:
    store = place.open()
    revoked = f"csi.lease.revoked.{UUID}"
    store.write(Write(DIRECTORY, puts={revoked: b"{}"}))
    keys = {LEASE: b"{}", revoked: None, entry("a"): b"x"}
    path = save([Record(DIRECTORY, {LEASE: b"{}"}), Record(DIRECTORY, keys)], tmp_path / "old")
    with path.open("rb") as file:
        assert check_archive(Archive(file, "old"))[1].leases == 3
    restore(store, path)
    assert contents(store) == {DIRECTORY: {revoked: b"{}", entry("a"): b"x"}}


def test_an_owner_that_wakes_up_after_its_lease_ended_and_a_restore_is_refused_its_entry(
    tmp_path: Path,
) -> None:
    """The lease that the export saw must not stand again, as its group is gone for good."""
    store = MemoryStore()
    directory = Records(store, GROUPS, "default")
    lease = Lease((UUID,), Timestamp.parse("2020-01-01T00:00:00Z"))
    directory.put_lease(lease)
    path = save(export_all(store), tmp_path / "all")
    with VolumeGroupJournal(store) as journal:
        journal.recover(0)
    restore(store, path)
    assert not directory.put_entry("a", UUID, LeaseCondition(lease.key))


def test_what_no_journal_writes_is_left_out_of_an_export_and_named() -> None:
    store = MemoryStore()
    store.write(Write(DIRECTORY, puts={"note": b"x", entry("a"): b"x"}))
    exporter = Exporter(store)
    assert [record.keys for record in exporter.everything()] == [{}, {entry("a"): b"x"}]
    assert exporter.left_out.foreign == 1
    assert exporter.left_out.named == ["the key 'note' of csi.groups.default"]


# Only some of it


@pytest.mark.parametrize("name", ["a", UUID, GROUP])
def test_only_what_is_about_a_name_is_restored(tmp_path: Path, name: str) -> None:
    other = GROUP.replace("0f8f", "1f8f")
    records = [
        Record(DIRECTORY, {entry("a"): UUID.encode(), entry("b"): b"x"}),
        Record(GROUP, {"csi.volname": b"a"}, whole=True),
        Record(other, {"csi.volname": b"b"}, whole=True),
    ]
    store = MemoryStore()
    restorer = restorer_of(store, save(records, tmp_path / "all"), only=name)
    tally = restorer.restore(None)
    assert tally.done == (1 if name == GROUP else 2)
    expected = {GROUP: {"csi.volname": b"a"}, DIRECTORY: {entry("a"): UUID.encode()}}
    assert contents(store) == ({GROUP: expected[GROUP]} if name == GROUP else expected)


def test_an_entry_that_leads_to_another_pool_is_about_the_uuid_that_it_names(
    tmp_path: Path,
) -> None:
    store, objects = MemoryStore(), every_shape()
    path = save(export_all(make(MemoryStore(), objects)), tmp_path / "all")
    restorer_of(store, path, only=UUIDS[1]).restore(None)
    entries = objects["csi.volumes.default"].items()
    assert contents(store)["csi.volumes.default"] == {
        key: value
        for key, value in entries
        if UUIDS[1].encode() in value and not value.startswith(b"0001-") and "lease" not in key
    }


def test_nothing_different_is_overwritten_without_a_backup(tmp_path: Path) -> None:
    store = MemoryStore()
    store.write(Write(GROUP, puts={"csi.volname": b"theirs"}))
    path = save([Record(GROUP, {"csi.volname": b"a"}, whole=True)], tmp_path / "all")
    tally = restorer_of(store, path).restore(None)
    assert (tally.done, tally.skipped) == (0, 1)
    assert contents(store) == {GROUP: {"csi.volname": b"theirs"}}


# Beside clients at work; tests/explorer walks every order of their steps


class Noting(Watcher):
    """Notes why plans were skipped."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def carried_out(self, outcome: Outcome, *, done: bool) -> None:
        if not done:
            self.skipped.append(outcome.skipped)


def test_an_entry_is_left_out_whose_group_could_not_be_put_back(tmp_path: Path) -> None:
    other = GROUP.replace("0f8f", "1f8f")
    records = [
        Record(DIRECTORY, {entry("a"): UUID.encode(), entry("b"): other[-36:].encode()}),
        Record(GROUP, {"csi.volname": b"a"}, whole=True),
        Record(other, {"csi.volname": b"b"}, whole=True),
    ]
    store = MemoryStore()
    store.write(Write(GROUP, puts={"csi.volname": b"theirs"}))
    noting = Noting()
    tally = restorer_of(store, save(records, tmp_path / "all")).restore(None, noting)
    assert (tally.done, tally.skipped) == (2, 2)
    assert noting.skipped[1].startswith("1 of them not put")
    assert contents(store)[DIRECTORY] == {entry("b"): other[-36:].encode()}


def test_a_group_that_goes_before_its_entry_is_put_is_told(tmp_path: Path) -> None:
    class Removing(MemoryStore):
        def write(self, write: Write) -> None:
            if write.object_name == DIRECTORY:
                super().write(Write(GROUP, remove_object=True))
            super().write(write)

    records = [
        Record(DIRECTORY, {entry("a"): UUID.encode()}),
        Record(GROUP, {"csi.volname": b"a"}, whole=True),
    ]
    noting = Noting()
    restorer = restorer_of(Removing(), save(records, tmp_path / "all"))
    tally = restorer.restore(None, noting)
    assert (tally.done, tally.skipped) == (1, 1)
    assert noting.skipped == [f"{GROUP} has gone since; run the same command again"]
