"""Lists of Kubernetes: every version that was served, cut, mixed, damaged, and large."""

from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal import Handle
from csijournal.errors import InvalidInputFile
from csijournal.inventory.contract import Role
from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.inventory.kubernetes_objects import ObjectKind, Relation
from support.kubernetes_lists import (
    CEPHFS_DRIVER,
    RBD_DRIVER,
    Fields,
    big_list,
    content,
    kubectl_list,
    raw,
    volume,
)

U1 = "11111111-1111-4111-8111-111111111111"
U2 = "22222222-2222-4222-8222-222222222222"
U3 = "33333333-3333-4333-8333-333333333333"
MIGRATED = f"mig_mons-b7f67366bb43f32e07d8a261a7840da9_image-{U1}_706f6f6c"
OTHERS = frozenset(ObjectKind) - {ObjectKind.VOLUME}


def handle(uuid: str) -> str:
    return str(Handle("rook-ceph", 2, uuid))


def lists(*documents: Fields) -> KubernetesLists:
    read = KubernetesLists()
    read.add(raw(*documents), "lists.json", 7)
    return read


def relations(read: KubernetesLists) -> set[tuple[str, Role, Relation]]:
    return {(known.handle.object_uuid, known.role, known.relation) for known in read.handles()}


# What is read of each kind


def test_a_volume_is_known_by_its_uuid_with_all_that_kubernetes_knows_of_it() -> None:
    (known,) = lists(kubectl_list([volume(handle(U1), imageName=f"csi-vol-{U1}")])).named(U1)
    assert known.handle == Handle("rook-ceph", 2, U1)
    assert (known.role, known.relation) == (Role.VOLUME, Relation.HOLDS)
    held = known.object
    assert (held.kind, held.name, held.driver) == (ObjectKind.VOLUME, "pvc-1", RBD_DRIVER)
    assert (held.claim, held.class_name) == ("apps/claim-of-pvc-1", "rook-ceph-block")
    assert (held.policy, held.phase, held.source_name) == ("Delete", "Bound", "lists.json")
    assert held.created == "2024-10-24T07:59:01Z"
    assert held.attributes == {
        "clusterID": "rook-ceph",
        "imageName": f"csi-vol-{U1}",
        "journalPool": "replicapool",
        "pool": "replicapool",
    }


SNAPSHOT_VERSIONS: dict[str, tuple[Fields, Fields | None]] = {
    "v1alpha1": (
        {
            "csiVolumeSnapshotSource": {"driver": RBD_DRIVER, "snapshotHandle": handle(U2)},
            "deletionPolicy": "Retain",
            "snapshotClassName": "snapclass",
            "volumeSnapshotRef": {"name": "snap", "namespace": "apps", "uid": "u"},
        },
        None,
    ),
    "v1beta1 and v1": (
        {
            "driver": RBD_DRIVER,
            "deletionPolicy": "Retain",
            "source": {"volumeHandle": handle(U1)},
            "volumeSnapshotClassName": "snapclass",
            "volumeSnapshotRef": {"name": "snap", "namespace": "apps", "uid": "u"},
        },
        {"snapshotHandle": handle(U2), "readyToUse": True, "restoreSize": 1073741824},
    ),
    "v1, made by an operator": (
        {
            "driver": RBD_DRIVER,
            "deletionPolicy": "Retain",
            "source": {"snapshotHandle": handle(U2)},
            "volumeSnapshotClassName": "snapclass",
            "volumeSnapshotRef": {"name": "snap", "namespace": "apps", "uid": "u"},
        },
        None,
    ),
}


@pytest.mark.parametrize("version", SNAPSHOT_VERSIONS)
def test_a_snapshot_is_known_in_every_version_of_its_kind(version: str) -> None:
    spec, status = SNAPSHOT_VERSIONS[version]
    read = lists(content("VolumeSnapshotContent", spec, status, "snapcontent-u"))
    (known,) = read.holders(U2, Role.SNAPSHOT)
    held = known.object
    assert (held.name, held.claim, held.driver) == ("snapcontent-u", "apps/snap", RBD_DRIVER)
    assert (held.policy, held.class_name, held.claim_uid) == ("Retain", "snapclass", "u")
    sources = {(U1, Role.VOLUME, Relation.SOURCE)} if version == "v1beta1 and v1" else set()
    assert relations(read) == {(U2, Role.SNAPSHOT, Relation.HOLDS)} | sources


GROUP_SPEC: Fields = {
    "driver": CEPHFS_DRIVER,
    "deletionPolicy": "Delete",
    "source": {"volumeHandles": [handle(U1)]},
    "volumeGroupSnapshotClassName": "groupclass",
    "volumeGroupSnapshotRef": {"name": "group", "namespace": "apps"},
}
PAIR: Fields = {"volumeHandle": handle(U1), "snapshotHandle": handle(U2)}
GROUP: Fields = {"volumeGroupSnapshotHandle": handle(U3)}
SNAPSHOT_IS_MEMBER = (U2, Role.SNAPSHOT, Relation.MEMBER)
VOLUME_IS_SOURCE = (U1, Role.VOLUME, Relation.SOURCE)
REFERENCES: list[Fields] = [{"name": "snapcontent-1", "kind": "VolumeSnapshotContent"}]
GROUP_VERSIONS: dict[str, tuple[Fields, Fields, set[tuple[str, Role, Relation]]]] = {
    "v1alpha1": (
        GROUP_SPEC,
        GROUP | {"pvVolumeSnapshotContentList": [{"volumeSnapshotContentRef": REFERENCES[0]}]},
        {VOLUME_IS_SOURCE},
    ),
    "v1alpha1, first": (
        GROUP_SPEC | {"source": {"persistentVolumeNames": ["pvc-1"]}},
        GROUP | {"volumeSnapshotContentRefList": REFERENCES},
        set(),
    ),
    "v1alpha1, first, made by an operator": (GROUP_SPEC | {"source": GROUP}, {}, set()),
    "v1beta1": (
        GROUP_SPEC,
        GROUP | {"volumeSnapshotHandlePairList": [PAIR]},
        {VOLUME_IS_SOURCE, SNAPSHOT_IS_MEMBER},
    ),
    "v1beta2 and v1": (
        GROUP_SPEC,
        GROUP | {"volumeSnapshotInfoList": [PAIR | {"readyToUse": True, "restoreSize": 8}]},
        {VOLUME_IS_SOURCE, SNAPSHOT_IS_MEMBER},
    ),
    "v1beta1, made by an operator": (
        GROUP_SPEC
        | {"source": {"groupSnapshotHandles": GROUP | {"volumeSnapshotHandles": [handle(U2)]}}},
        {},
        {SNAPSHOT_IS_MEMBER},
    ),
}


@pytest.mark.parametrize("version", GROUP_VERSIONS)
def test_a_group_snapshot_is_known_in_every_version_of_its_kind(version: str) -> None:
    spec, status, members = GROUP_VERSIONS[version]
    read = lists(content("VolumeGroupSnapshotContent", spec, status, "groupcontent"))
    (known,) = read.holders(U3, Role.GROUP)
    assert (known.object.claim, known.object.class_name) == ("apps/group", "groupclass")
    assert relations(read) == members | {(U3, Role.GROUP, Relation.HOLDS)}


def test_a_replicated_group_is_known_with_its_volumes() -> None:
    spec = {
        "provisioner": RBD_DRIVER,
        "source": {"volumeHandles": [handle(U1), handle(U2)]},
        "volumeGroupAttributes": {"pool": "replicapool"},
        "volumeGroupReplicationClassName": "vgrc",
        "volumeGroupReplicationHandle": handle(U3),
        "volumeGroupReplicationRef": {"name": "vgr", "namespace": "apps"},
    }
    read = lists(content("VolumeGroupReplicationContent", spec, {}, "vgrcontent-1"))
    (known,) = read.holders(U3, Role.GROUP)
    assert (known.object.driver, known.object.claim) == (RBD_DRIVER, "apps/vgr")
    assert known.object.attributes == {"pool": "replicapool"}
    assert relations(read) == {
        (U3, Role.GROUP, Relation.HOLDS),
        (U1, Role.VOLUME, Relation.MEMBER),
        (U2, Role.VOLUME, Relation.MEMBER),
    }


def test_a_snapshot_that_belongs_to_a_group_names_the_group() -> None:
    spec, status = SNAPSHOT_VERSIONS["v1beta1 and v1"]
    assert status is not None
    status = status | {"volumeGroupSnapshotHandle": handle(U3)}
    read = lists(content("VolumeSnapshotContent", spec, status))
    assert (U3, Role.GROUP, Relation.MEMBER) in relations(read)
    assert read.holders(U3, Role.GROUP) == []


def test_two_objects_that_hold_one_handle_are_both_known() -> None:
    read = lists(kubectl_list([volume(handle(U1)), volume(handle(U1), "pvc-2")]))
    assert [it.object.name for it in read.holders(U1, Role.VOLUME)] == ["pvc-1", "pvc-2"]


def test_an_object_is_one_and_the_same_also_where_its_list_was_given_twice() -> None:
    read = lists(volume(handle(U1)), volume(handle(U1)), volume(handle(U1), "pvc-2"))
    assert len({it.object.identity for it in read.holders(U1, Role.VOLUME)}) == 2


@pytest.mark.parametrize(
    ("phase", "policy", "deleted", "goes"),
    [
        ("Bound", "Delete", "", False),
        ("Released", "Delete", "", True),
        ("Failed", "Delete", "", True),
        ("Released", "Retain", "", False),
        ("Bound", "Retain", "2024-10-24T08:00:00Z", True),
    ],
)
def test_an_object_that_is_being_deleted_takes_its_volume_along(
    phase: str, policy: str, deleted: str, goes: bool
) -> None:
    item = volume(handle(U1))
    item["status"]["phase"] = phase
    item["spec"]["persistentVolumeReclaimPolicy"] = policy
    if deleted:
        item["metadata"]["deletionTimestamp"] = deleted
    (known,) = lists(item).named(U1)
    assert known.object.is_being_deleted is goes


# What is passed over


def test_other_drivers_static_and_migrated_volumes_are_counted_and_passed_over() -> None:
    no_csi = volume("x")
    no_csi["spec"]["nfs"] = no_csi["spec"].pop("csi")
    read = lists(
        kubectl_list(
            [
                volume("vol-0a1b2c", driver="ebs.csi.aws.com"),
                no_csi,
                volume("my-image", staticVolume="true"),
                volume(handle(U1), staticVolume="True"),
                volume(MIGRATED, driver="rbd.csi.ceph.com"),
                {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}},
                volume(handle(U2), staticVolume="false"),
            ]
        )
    )
    over = read.passed_over
    assert (over.other_drivers, over.static, over.migrated, over.other_kinds) == (2, 2, 1, 1)
    assert [known.handle.object_uuid for known in read.handles()] == [U2]


def test_a_handle_of_ceph_csi_counts_whatever_name_the_driver_was_given() -> None:
    read = lists(volume(handle(U1), driver="storage.example.com"))
    assert len(read.holders(U1, Role.VOLUME)) == 1


def test_a_handle_that_cannot_be_read_is_kept_for_a_ceph_driver() -> None:
    read = lists(volume("0001-0009-rook-ceph-2-x"), volume("vol-1", driver="ebs.csi.aws.com"))
    ((described, text),) = read.passed_over.unreadable
    assert (described.name, text) == ("pvc-1", "0001-0009-rook-ceph-2-x")
    assert read.passed_over.other_drivers == 1


def test_a_snapshot_without_a_handle_yet_is_pending_and_names_its_source() -> None:
    spec, _ = SNAPSHOT_VERSIONS["v1beta1 and v1"]
    read = lists(content("VolumeSnapshotContent", spec, {"readyToUse": False}))
    (pending,) = read.passed_over.pending
    assert pending.claim_uid == "u"
    assert relations(read) == {VOLUME_IS_SOURCE}


# What was looked at


def test_a_kind_that_no_list_has_was_not_looked_at() -> None:
    read = lists(kubectl_list([volume(handle(U1))]))
    assert read.looked_at() == {ObjectKind.VOLUME}
    assert read.is_complete(ObjectKind.VOLUME)
    assert not read.is_complete(ObjectKind.SNAPSHOT)
    missing = read.not_compared()
    assert [it.what for it in missing] == [
        f"Kubernetes' {kind.value}s" for kind in ObjectKind if kind in OTHERS
    ]
    paths = [it.hint.partition("kubectl get --raw ")[2].partition(" ")[0] for it in missing]
    assert [path.rpartition("/")[2] for path in paths] == [
        f"{kind.value.lower()}s" for kind in ObjectKind if kind in OTHERS
    ]


def test_a_single_object_does_not_say_that_there_are_no_others() -> None:
    read = lists(volume(handle(U1)))
    assert len(read.holders(U1, Role.VOLUME)) == 1
    assert not read.is_complete(ObjectKind.VOLUME)
    assert read.sources[0].counts == {ObjectKind.VOLUME: 1}


def test_a_cluster_that_does_not_know_a_kind_can_say_that_it_has_none() -> None:
    read = lists(kubectl_list([volume(handle(U1))]))
    hint = next(it.hint for it in read.not_compared() if "GroupReplication" in it.what)
    line = hint.partition("echo '")[2].partition("'")[0]
    read.add(line.encode(), "by hand", 0)
    assert read.is_complete(ObjectKind.GROUP_REPLICATION)


def test_an_empty_list_of_kubectl_says_nothing_of_any_kind() -> None:
    read = lists(kubectl_list([]))
    assert read.looked_at() == frozenset()
    assert len(read.not_compared()) == len(ObjectKind)


@pytest.mark.parametrize("suffix", ["", "List"])
def test_an_empty_list_of_one_kind_says_that_there_are_none(suffix: str) -> None:
    read = lists({"kind": f"VolumeSnapshotContent{suffix}", "items": [], "metadata": {}})
    assert read.is_complete(ObjectKind.SNAPSHOT)
    assert list(read.handles()) == []


def test_the_api_s_own_list_has_items_without_a_kind() -> None:
    item = volume(handle(U1))
    del item["kind"], item["apiVersion"]
    read = lists({"kind": "PersistentVolumeList", "apiVersion": "v1", "items": [item]})
    assert len(read.holders(U1, Role.VOLUME)) == 1


@pytest.mark.parametrize("kind", ["List", "PersistentVolumeList"])
def test_a_list_that_was_cut_short_is_not_complete(kind: str) -> None:
    cut = kubectl_list([volume(handle(U1))]) | {"kind": kind, "metadata": {"continue": "abc"}}
    read = lists(cut, kubectl_list([volume(handle(U2))]))
    assert not read.is_complete(ObjectKind.VOLUME)
    reasons = [it.why for it in read.not_compared() if it.what == "Kubernetes' PersistentVolumes"]
    assert reasons == [
        "lists.json, document 1 is a part of a longer list (metadata.continue is set)"
    ]


# Files


def test_several_documents_and_files_are_read_one_after_another(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_bytes(raw(kubectl_list([volume(handle(U1))]), volume(handle(U2), "pvc-2")))
    two.write_text(json.dumps(kubectl_list([volume(handle(U3), "pvc-3")])), encoding="utf-16")
    os.utime(one, ns=(5, 5))
    standard = io.BytesIO(raw(volume(handle(U1), "pvc-4")))
    read = KubernetesLists.read([one, str(two), "-"], stdin=standard)
    assert {known.object.name for known in read.handles()} == {"pvc-1", "pvc-2", "pvc-3", "pvc-4"}
    assert read.listed_ns == 5
    assert [source.name for source in read.sources] == [str(one), str(two), "standard input"]
    assert read.sources[0].counts == {ObjectKind.VOLUME: 2}


def test_the_caller_may_know_when_the_lists_were_made(tmp_path: Path) -> None:
    path = tmp_path / "copied-since.json"
    path.write_bytes(raw(kubectl_list([volume(handle(U1))])))
    assert KubernetesLists.read([path], listed_ns=7).listed_ns == 7


def test_without_lists_nothing_was_listed() -> None:
    assert KubernetesLists().listed_ns is None
    assert KubernetesLists().looked_at() == frozenset()


def malformed(*path: str | int, value: object = 1) -> bytes:
    """A group, a snapshot and a volume, with one part replaced."""
    pair = content("VolumeGroupSnapshotContent", GROUP_SPEC, {"volumeSnapshotInfoList": [PAIR]})
    document: Any = copy.deepcopy(kubectl_list([volume(handle(U1)), pair]))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return json.dumps(volume(handle(U2))).encode() + json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content_", "words"),
    [
        (b"", "lists.json is empty"),
        (b" \n", "lists.json is empty"),
        (b"\xff\xfe\xff", "lists.json is not text"),
        (b"apiVersion: v1\nkind: List", "document 1: it is not JSON"),
        (b"[]", "document 1: it is not an object"),
        (b"{}", "document 1: it has no kind"),
        (raw(kubectl_list([]))[:-3], "document 1: it is not JSON"),
        (raw(kubectl_list([])) + b"\n---\n", "document 2: it is not JSON"),
        (b'{"kind": "List", "items": {}}', "document 1: items is not a list"),
        (b'{"kind": "List", "items": [], "metadata": []}', "metadata is not an object"),
        (b'{"kind": "List", "items": [1]}', "document 1, item 1: it is not an object"),
        (b'{"kind": "List", "items": [{}]}', "document 1, item 1: it has no kind"),
        (
            b'{"kind": "Status", "message": "persistentvolumes is forbidden"}',
            "an error of Kubernetes: persistentvolumes is forbidden",
        ),
        (b'{"a":' * 100_000, "document 1: it is not JSON"),
        (malformed("items", 0, "spec"), "document 2, item 1 (PersistentVolume): spec is not an"),
        (malformed("items", 0, "spec", "csi", "volumeHandle"), "volumeHandle is not a text"),
        (malformed("items", 0, "spec", "claimRef", "name"), "name is not a text"),
        (malformed("items", 0, "spec", "csi", "volumeAttributes", "pool"), "pool is not a text"),
        (
            malformed("items", 1, "spec", "source", "volumeHandles"),
            "document 2, item 2 (VolumeGroupSnapshotContent): volumeHandles is not a list",
        ),
        (
            malformed("items", 1, "spec", "source", "volumeHandles", value=[1]),
            "volumeHandles holds something that is not a text",
        ),
        (
            malformed("items", 1, "status", "volumeSnapshotInfoList", value=[1]),
            "volumeSnapshotInfoList holds something that is not an object",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_naming_file_document_and_remedy(
    content_: bytes, words: str
) -> None:
    with pytest.raises(InvalidInputFile) as caught:
        KubernetesLists().add(content_, "lists.json", 0)
    assert caught.value.message.startswith("lists.json")
    assert words in caught.value.message
    assert "kubectl get" in caught.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputFile, match=r"missing\.json cannot be read"):
        KubernetesLists.read([tmp_path / "missing.json"])


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just(handle(U1))
known_names = st.sampled_from(
    [
        "kind",
        "items",
        "metadata",
        "name",
        "continue",
        "spec",
        "status",
        "csi",
        "driver",
        "volumeHandle",
        "volumeAttributes",
        "source",
        "snapshotHandle",
        "volumeHandles",
        "groupSnapshotHandles",
        "volumeGroupSnapshotHandle",
        "volumeSnapshotInfoList",
        "volumeSnapshotHandlePairList",
        "claimRef",
        "volumeSnapshotRef",
        "volumeGroupReplicationHandle",
        "managedFields",
    ]
)
kinds = st.sampled_from([*(kind.value for kind in ObjectKind), "List", "PersistentVolumeList"])
json_values = st.recursive(
    scalars | kinds,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(known_names | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
objects = st.fixed_dictionaries(
    {"kind": kinds},
    optional={"spec": json_values, "status": json_values, "metadata": json_values},
)


@given(objects | st.lists(objects, max_size=3).map(kubectl_list) | json_values)
def test_every_json_is_understood_or_refused_in_words(value: object) -> None:
    read = KubernetesLists()
    try:
        read.add(json.dumps(value).encode(), "lists.json", 0)
    except InvalidInputFile as error:
        refused = str(error)
    else:
        refused = ""
        assert all(known.handle.object_uuid == U1 for known in read.handles())
        assert str([*read.not_compared()])
    assert not refused or refused.startswith("lists.json")


@given(st.binary(max_size=40), st.integers(0, 3000))
def test_bytes_put_anywhere_into_a_list_never_end_in_another_error(
    junk: bytes, position: int
) -> None:
    whole = raw(kubectl_list([volume(handle(U1))]))
    try:
        KubernetesLists().add(whole[:position] + junk + whole[position:], "lists.json", 0)
    except InvalidInputFile as error:
        refused = str(error)
    else:
        refused = ""
    assert not refused or refused.startswith("lists.json")


def test_64_mib_are_read_within_400_mb(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    size = big_list(path, 20_000)
    assert size > 64 * 1024**2
    script = (
        "import sys\n"
        "from csijournal.inventory.kubernetes import KubernetesLists\n"
        "read = KubernetesLists.read(sys.argv[1:])\n"
        # Not getrusage: its peak is also that of the process which started this one.
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(sum(1 for _ in read.handles()), status['VmHWM'].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    handles, peak_kib = map(int, done.stdout.split())
    assert handles == 20_000
    assert peak_kib * 1024 < 400 * 10**6
