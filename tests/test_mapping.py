"""The ids of one cluster become those of another, in each place of a journal that has them."""

from __future__ import annotations

import pytest

from csijournal.archive import Record
from csijournal.errors import InvalidInput
from csijournal.inventory.cluster_mapping import ClusterMapping, LocationType, MappingEntry
from csijournal.transfer.mapping import CannotMap, IdMapping, RecordMapper, Rule, rules_to
from csijournal.wire.handles import Handle

UUID = "8857a21c-fc4f-4577-98f4-a7b5f055388e"
OTHER = "0f8fad5b-d9cb-469f-a165-70867728950e"
GROUP = f"csi.volume.group.{UUID}"


def handle(number: int, uuid: str = OTHER, cluster: str = "site1") -> str:
    return str(Handle(cluster, number, uuid))


def mapper(*rules: Rule, in_place: bool = False) -> RecordMapper:
    return RecordMapper(IdMapping(rules, in_place=in_place))


MAPPER = mapper(Rule({"site1": "site2"}, {2: 5}))
NEW = handle(5, cluster="site2")


def mapped(name: str, keys: dict[str, str], by: RecordMapper = MAPPER) -> dict[str, str]:
    record = by.map(Record(name, {key: value.encode() for key, value in keys.items()}))
    return {key: (value or b"").decode() for key, value in (record.keys or {}).items()}


def problems(name: str, keys: dict[str, str], by: RecordMapper = MAPPER) -> CannotMap:
    cannot = CannotMap()
    by.note_problems(Record(name, {key: value.encode() for key, value in keys.items()}), cannot)
    return cannot


def test_members_and_their_snapshots_get_new_handles_and_attributes_stay() -> None:
    said = {"csi.volname": "vg", "volume-a": "snapshot-a"}
    assert mapped(GROUP, {**said, handle(2): handle(2, UUID)}) == {
        **said,
        NEW: handle(5, UUID, "site2"),
    }
    assert mapped(GROUP, {handle(2): ""}) == {NEW: ""}


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ("csi.volume", "csi.groupid"),
        ("csi.volume", "csi.csi.groupid"),
        ("csi.snap", "csi."),
        ("csi.volume", "csi.volume.backingsnapshotid"),
    ],
)
def test_a_record_names_its_group_and_its_backing_snapshot_by_new_handles(
    record: str, key: str
) -> None:
    name = f"{record}.{UUID}"
    assert mapped(name, {key: handle(2), "csi.imagename": "x"}) == {key: NEW, "csi.imagename": "x"}


def test_a_journal_pool_and_the_pool_of_an_entry_get_the_new_id() -> None:
    old, new = f"{2:016x}", f"{5:016x}"
    assert mapped(f"csi.volume.{UUID}", {"csi.journalpool": old}) == {"csi.journalpool": new}
    entries = {"csi.volume.pvc-1": f"{old}/{OTHER}", "csi.volume.pvc-2": OTHER}
    assert mapped("csi.volumes.default", entries)["csi.volume.pvc-1"] == f"{new}/{OTHER}"
    assert mapped("csi.volumes.default", entries)["csi.volume.pvc-2"] == OTHER


def test_an_entry_that_leads_from_an_older_handle_keeps_that_and_leads_to_the_new_one() -> None:
    entry = {f"csi.volume.{handle(9)}": handle(2)}
    assert mapped("csi.volumes.default", entry) == {f"csi.volume.{handle(9)}": NEW}


def test_what_no_rule_has_stays_and_is_named() -> None:
    keys = {handle(3): "", handle(2, cluster="site9"): ""}
    assert mapped(GROUP, keys) == keys
    cannot = problems(GROUP, keys)
    assert cannot.total == 2
    assert handle(3)[-36:] in cannot.sentences[0]
    assert "cluster 'site1', id 3" in cannot.sentences[0]
    assert GROUP in cannot.sentences[0]
    assert problems(f"csi.volume.{UUID}", {"csi.journalpool": f"{3:016x}"}).total == 1
    assert problems("csi.volumes.default", {"csi.volume.x": f"{3:016x}/{UUID}"}).total == 1


def test_the_object_that_counts_a_backing_snapshots_uses_is_named_by_its_old_handle() -> None:
    cannot = problems(f"csi.volume.{UUID}", {"csi.volume.backingsnapshotid": handle(2)})
    assert (cannot.total, cannot.counters_total) == (0, 1)
    assert cannot.counters == [f"rt-backingsnapshot-{handle(2)}"]


def test_a_member_that_is_there_under_both_handles_is_merged_only_where_both_say_the_same() -> None:
    rule = Rule({"site1": "site2", "site2": "site2"}, {2: 5, 5: 5})
    assert mapped(GROUP, {handle(2): "", NEW: ""}, mapper(rule)) == {NEW: ""}
    both = {handle(2): "", NEW: "something else"}
    assert mapped(GROUP, both) == both
    assert "there already" in problems(GROUP, both).sentences[0]


def test_in_place_what_is_new_already_is_done_and_in_an_archive_it_is_another_pool() -> None:
    rule = Rule(numbers={2: 5})
    assert problems(GROUP, {handle(5): ""}, mapper(rule)).total == 1
    assert problems(GROUP, {handle(5): ""}, mapper(rule, in_place=True)).total == 0
    pool = {"csi.journalpool": f"{5:016x}"}
    assert mapped(f"csi.volume.{UUID}", pool, mapper(rule, in_place=True)) == pool


def test_an_exchange_of_two_ids_would_go_back_when_it_is_repeated() -> None:
    assert IdMapping([Rule(numbers={2: 3, 3: 2})]).repeats
    assert not IdMapping([Rule(numbers={2: 5, 5: 5})]).repeats


# Ceph-CSI's file, which lies in both clusters

FILE = ClusterMapping(
    (
        MappingEntry((("site1", "site2"),), pool_ids=((2, 5), (3, 6))),
        MappingEntry((("site8", "site9"),), pool_ids=((70, 71),)),
    )
)


@pytest.mark.parametrize(
    ("here", "rule"),
    [
        (5, Rule({"site1": "site2"}, {2: 5, 3: 6})),
        (2, Rule({"site2": "site1"}, {5: 2, 6: 3})),
    ],
)
def test_the_file_leads_towards_the_place_that_it_is_used_for(here: int, rule: Rule) -> None:
    assert rules_to(FILE, LocationType.POOL, {here}) == [rule]


def test_a_file_without_the_place_has_nothing_for_it() -> None:
    assert rules_to(FILE, LocationType.POOL, {1000}) == []


def test_where_both_sides_have_the_number_the_cluster_decides_or_nothing_does() -> None:
    same = ClusterMapping((MappingEntry((("site1", "site2"),), pool_ids=((2, 2),)),))
    (rule,) = rules_to(same, LocationType.POOL, {2}, "site2")
    assert rule == Rule({"site1": "site2"}, {2: 2})
    with pytest.raises(InvalidInput, match="which of its sides"):
        rules_to(same, LocationType.POOL, {2})
