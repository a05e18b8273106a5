"""remap: the ids of another cluster exchanged in a journal that is there."""

from __future__ import annotations

import json

import pytest

from cli.conftest import CLI, OTHER_UUID, UUID
from csijournal.wire.handles import Handle
from support.kubernetes_lists import Fields, kubectl_list, raw, volume
from support.places import fill

EMPTY: list[Fields] = [
    {"kind": f"{kind}List", "items": []}
    for kind in (
        "VolumeSnapshotContent",
        "VolumeGroupSnapshotContent",
        "VolumeGroupReplicationContent",
    )
]
GROUP = f"csi.volume.group.{UUID}"


def handle(pool: int) -> str:
    return str(Handle("rook-ceph", pool, OTHER_UUID))


def listed(cli: CLI, *volumes: str, others: list[Fields] = EMPTY) -> str:
    held: Fields = {"kind": "PersistentVolumeList", "items": [volume(one) for one in volumes]}
    (cli.folder / "lists.json").write_bytes(raw(held, *others))
    return "lists.json"


@pytest.fixture
def journal(cli: CLI) -> CLI:
    """A group of one member, and the volume, whose record lies in the pool of the images."""
    with cli.store() as store:
        fill(
            store,
            {
                "csi.groups.default": {"csi.volume.group.vg": UUID},
                GROUP: {"csi.volname": "vg", "csi.groupname": "vg", handle(2): ""},
                "csi.volumes.default": {"csi.volume.pvc-1": f"{2:016x}/{OTHER_UUID}"},
            },
        )
    return cli


def test_it_says_what_it_would_do_and_does_it_with_a_backup_and_once(journal: CLI) -> None:
    before = journal.dump()
    words = ["remap", "--map-pool", "2=5", "--kubernetes", listed(journal, handle(5))]
    planned = journal(*words)
    assert f"exchange the ids in {GROUP}: member '{handle(2)}'\n" in planned.out
    assert f"'{2:016x}/{OTHER_UUID}' -> '{5:016x}/{OTHER_UUID}'" in planned.out
    assert "2 objects to change; nothing was changed." in planned.out
    again = "csijournal remap --map-pool 2=5 --kubernetes lists.json --backup b.jsonl --apply"
    assert f"to do it  {again}" in journal(*words, "--backup", "b.jsonl").out
    assert journal.dump() == before

    done = journal(*words, "--backup", "b.jsonl", "--apply")
    assert "2 of 2 done." in done.out
    after = journal.dump()
    assert handle(5) in after[GROUP]
    assert handle(2) not in after[GROUP]
    value = after["csi.volumes.default"]["csi.volume.pvc-1"]
    assert value == f"{5:016x}/{OTHER_UUID}".encode()
    assert "nothing to do" in journal(*words).out

    journal("restore", "b.jsonl", "--overwrite", "--apply")
    assert journal.dump() == before


def test_answers_can_be_json(journal: CLI) -> None:
    words = ["-o", "json", "remap", "--map-pool", "2=5", "--kubernetes", listed(journal, handle(5))]
    assert journal(*words).json["summary"]["planned"] == 2
    done = json.loads(journal(*words, "--apply").lines[-1])["summary"]
    assert (done["done"], done["skipped"]) == (2, 0)


def test_it_refuses_while_kubernetes_holds_old_handles(journal: CLI) -> None:
    words = ["remap", "--map-pool", "2=5", "--apply", "--kubernetes"]
    refused = journal.refused(*words, listed(journal, handle(5), handle(2)), code=4)
    assert "Kubernetes holds 1 handle with old ids; nothing was written" in refused
    assert handle(2) in refused


def test_it_demands_whole_lists_that_name_new_handles(journal: CLI) -> None:
    words = ["remap", "--map-pool", "2=5", "--apply"]
    assert "Give its lists with --kubernetes" in journal.refused(*words)
    words.append("--kubernetes")
    assert "no handle with the new ids" in journal.refused(*words, listed(journal), code=4)
    part = listed(journal, handle(5), others=[kubectl_list([])])
    assert "no list has this kind" in journal.refused(*words, part, code=4)


def test_two_ids_cannot_be_exchanged_for_each_other_in_place(journal: CLI) -> None:
    given = ["--kubernetes", listed(journal, handle(5))]
    refused = journal.refused("remap", "--map-pool", "2=5", "--map-pool", "5=2", *given, code=4)
    assert "could not be told from what is not" in refused


def test_what_cannot_be_mapped_is_named_and_nothing_is_written(journal: CLI) -> None:
    before = journal.dump()
    words = ["remap", "--map-pool", "3=5", "--apply", "--kubernetes", listed(journal, handle(5))]
    refused = journal.refused(*words, code=4)
    assert "2 things cannot be mapped; nothing was written" in refused
    assert GROUP in refused
    assert "kept as they are" in journal(*words, "--keep-unmapped").err
    assert journal.dump() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "What becomes what?"),
        (["--map-pool", "2=5", "--map-fs", "1=3"], "give --map-pool or --map-fs"),
        (["--map-pool", "two=5"], "is not an id"),
        (["--map-pool", "2"], "is not OLD=NEW"),
        (["--map-pool", "2=5", "--map-pool", "2=6"], "cannot become both"),
    ],
)
def test_options_that_do_not_say_what_becomes_what_are_refused(
    journal: CLI, options: list[str], said: str
) -> None:
    given = ["--kubernetes", listed(journal, handle(5))]
    assert said in " ".join(journal.refused("remap", *options, *given).split())
