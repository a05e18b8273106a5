"""verify beside the lists of Kubernetes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.conftest import CLI, UUID
from support.kubernetes_lists import Fields, kubectl_list, raw, volume
from support.places import fill

LATER = "2999-01-01T00:00:00Z"
HANDLE = f"0001-0009-rook-ceph-0000000000000002-{UUID}"
NO_VOLUMES: Fields = {"apiVersion": "v1", "kind": "PersistentVolumeList", "items": []}


@pytest.fixture
def journal(cli: CLI) -> CLI:
    """A journal of one volume, reserved by a driver."""
    with cli.store() as store:
        fill(
            store,
            {
                "csi.volumes.default": {"csi.volume.pvc-1": UUID},
                f"csi.volume.{UUID}": {
                    "csi.volname": "pvc-1",
                    "csi.imagename": f"csi-vol-{UUID}",
                    "csi.volume.owner": "apps",
                },
            },
        )
    return cli


def listed(cli: CLI, *documents: Fields, name: str = "lists.json") -> str:
    (cli.folder / name).write_bytes(raw(*documents))
    return name


def summary(cli: CLI, *words: str, code: int = 0) -> dict[str, Any]:
    """The last line of verify's JSON."""
    last = json.loads(cli("-o", "json", "verify", *words, code=code).lines[-1])
    return dict(last["summary"])


def test_a_volume_that_no_list_names_is_a_warning_with_the_commands_for_it(journal: CLI) -> None:
    given = ["--kubernetes", listed(journal, NO_VOLUMES), "--listed-at", LATER]
    said = journal("verify", *given)
    assert "WARNING  unclaimed  pvc-1" in said.out
    assert "made for PersistentVolume pvc-1 of namespace apps" in " ".join(said.out.split())
    assert f"csijournal show --referrers {UUID}" in said.out
    assert "lists.json of 2999-01-01T00:00:00Z: 0 PersistentVolumes" in said.out
    journal("verify", *given, "--strict", code=1)
    assert (
        "nothing is wrong"
        in journal("verify", "--kubernetes", listed(journal, kubectl_list([volume(HANDLE)]))).out
    )


def test_without_lists_nothing_is_missed_where_no_handle_can_lead(journal: CLI) -> None:
    assert "Kubernetes" not in journal("verify").out
    assert summary(journal)["kubernetes"] is None


def test_lists_come_from_standard_input_too(journal: CLI) -> None:
    text = raw(NO_VOLUMES).decode()
    said = journal("verify", "--kubernetes", "-", "--grace", "0s", stdin=text)
    assert "unclaimed" in said.out
    assert "standard input of " in said.out


def test_the_summary_has_as_fields_what_the_lists_said(journal: CLI) -> None:
    static = volume("my-image", "pvc-2", staticVolume="true")
    name = listed(journal, kubectl_list([volume(HANDLE), static]))
    found = summary(journal, "--kubernetes", name)["kubernetes"]
    assert found["lists"][0]["name"] == name
    assert found["lists"][0]["objects"] == {"PersistentVolume": 2}
    assert (found["handles_here"], found["passed_over"]["static"]) == (1, 1)


def test_a_kind_without_a_list_is_named_and_required_in_vain(journal: CLI) -> None:
    empty = listed(journal, kubectl_list([]))
    said = journal("verify", "--kubernetes", empty, "--require", "kubernetes", code=8)
    text = " ".join(said.out.split())
    assert "not looked at: volumes that nothing in Kubernetes holds" in text
    assert "kubectl get --raw /api/v1/persistentvolumes" in text
    journal("verify", "--require", "kubernetes", code=8)
    whole = listed(journal, kubectl_list([volume(HANDLE)]))
    journal("verify", "--kubernetes", whole, "--require", "kubernetes")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--listed-at", LATER], "--listed-at is for the lists of --kubernetes"),
        (["--kubernetes", "-", "--kubernetes", "-"], "--kubernetes - can be given once"),
        (["--kubernetes", "-", "--listed-at", "yesterday"], "'yesterday' is not a time"),
    ],
)
def test_options_that_make_no_sense_are_refused(journal: CLI, words: list[str], said: str) -> None:
    assert said in journal.refused("verify", *words, code=2)


def test_a_list_that_cannot_be_read_ends_the_check_before_it_begins(journal: CLI) -> None:
    (journal.folder / "lists.json").write_text("apiVersion: v1\n")
    assert "lists.json, document 1: it is not JSON" in journal.refused(
        "verify", "--kubernetes", "lists.json", code=2
    )
    assert "missing.json cannot be read" in journal.refused(
        "verify", "--kubernetes", "missing.json", code=2
    )


def test_repair_leaves_alone_what_only_kubernetes_tells_of(journal: CLI) -> None:
    given = ["--kubernetes", listed(journal, NO_VOLUMES), "--listed-at", LATER]
    found = journal("-o", "json", "verify", *given)
    (journal.folder / "findings.jsonl").write_text(found.out)
    before = journal.dump()
    journal("repair", "--findings", "findings.jsonl", "--apply")
    assert journal.dump() == before
