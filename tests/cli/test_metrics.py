"""What `verify --metrics` writes, as Prometheus' own parser reads it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.conftest import CLI
from cli.damage import damage, dangling, entries, group, uuid
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.metrics import LAST_COMPLETE, Metrics
from csijournal.wire.schema import GROUPS
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

Samples = dict[tuple[str, ...], float]

PLACE = "rados://rbd"


def samples(text: str, name: str) -> Samples:
    """The values of one metric by the values of its labels, sorted by their names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def summary(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"journals": {}, "complete": True, "deep": True, "compared": {}} | changed


def written(metrics: Metrics) -> str:
    return "".join(metrics.text())


def at(seconds: int) -> Metrics:
    return Metrics(clock=lambda: Timestamp(seconds * NANOSECONDS))


def later(earlier: Metrics, seconds: int) -> Metrics:
    """The next verify, which finds the file of the one before."""
    return Metrics(written(earlier), clock=lambda: Timestamp(seconds * NANOSECONDS))


# The command


@pytest.fixture
def file(cli: CLI) -> Path:
    return cli.folder / "csijournal.prom"


def test_findings_are_counted_by_kind_journal_and_severity(cli: CLI, file: Path) -> None:
    damage(cli, dangling(2))

    cli("verify", "--metrics", str(file), code=1)

    found = samples(file.read_text(), "csijournal_findings")
    (location,) = {labels[2] for labels in found}
    assert found == {("groups", "dangling-entry", location, "error"): 2}


def test_the_numbers_are_those_of_the_summary(cli: CLI, file: Path) -> None:
    whole = entries(a=uuid(1), b=uuid(2)) | group("a", 1, vol="snap") | group("b", 2, vol="snap")
    damage(cli, whole)

    told = json.loads(cli("verify", "--full", "-o", "json", "--metrics", str(file)).out)["summary"]

    text = file.read_text()
    for metric, key in (
        ("csijournal_entries", "entries"),
        ("csijournal_records", "records"),
        ("csijournal_objects", "objects_listed"),
    ):
        assert samples(text, metric) == {
            (journal, told["place"]): counts[key] for journal, counts in told["journals"].items()
        }
    assert samples(text, "csijournal_records")["groups", told["place"]] == 2
    assert samples(text, "csijournal_verify_duration_seconds")[told["place"],] > 0


def test_objects_that_were_not_listed_are_not_counted(cli: CLI, file: Path) -> None:
    damage(cli, dangling(0))

    cli("verify", "--quick", "--metrics", str(file))

    assert samples(file.read_text(), "csijournal_objects") == {}
    assert samples(file.read_text(), "csijournal_entries") != {}


def test_bytes_that_leak_are_told_only_where_images_were_compared(cli: CLI, file: Path) -> None:
    damage(cli, dangling(0))

    cli("verify", "--full", "--metrics", str(file))

    assert samples(file.read_text(), "csijournal_leaked_bytes") == {}


def test_notes_are_counted_also_where_they_are_not_printed(cli: CLI, file: Path) -> None:
    damage(cli, dangling(0))
    cli.put_entry("groupsnapshot-ca51faa2-a3e0-4f2c-b2ea-e8930cfd7407-vg", uuid(9))

    said = cli("verify", "--quiet", "--metrics", str(file))

    assert said.out == ""
    assert {labels[3] for labels in samples(file.read_text(), "csijournal_findings")} == {"note"}


def test_the_exporter_may_read_the_file_and_sees_no_half_of_it(cli: CLI, file: Path) -> None:
    cli("ensure", "a")
    cli("verify", "--metrics", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in cli.folder.iterdir() if "prom" in path.name] == [file.name]


def test_where_nothing_could_be_read_the_file_stays_as_it_was(cli: CLI, file: Path) -> None:
    file.write_text("as it was\n")
    cli.file.parent.mkdir(parents=True)
    cli.file.write_bytes(b"no database" * 1000)

    said = cli("verify", "--metrics", str(file), code=17)

    assert said.out == ""
    assert file.read_text() == "as it was\n"


def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(cli: CLI) -> None:
    cli("ensure", "a")
    said = cli("verify", "--metrics", str(cli.folder / "no-such" / "x.prom"), code=2)
    assert "x.prom cannot be written: No such file or directory" in said.err
    assert said.out == ""


# The time of the last complete look


def test_a_complete_look_sets_the_time() -> None:
    metrics = at(1_764_000_000)
    metrics.add_summary(PLACE, summary(), seconds=1.5)
    assert samples(written(metrics), LAST_COMPLETE) == {(PLACE,): 1_764_000_000}


def test_an_incomplete_look_keeps_the_time_of_each_location() -> None:
    first = at(100)
    first.add_summary(PLACE, summary(), seconds=1)
    first.add_summary("rados://rbd/tenant", summary(), seconds=1)

    second = later(first, 200)
    second.add_summary(PLACE, summary(complete=False), seconds=1)
    second.add_summary("rados://rbd/tenant", summary(), seconds=1)
    third = later(second, 300)
    third.add_summary(PLACE, summary(complete=False), seconds=1)

    assert samples(written(second), LAST_COMPLETE) == {
        (PLACE,): 100,
        ("rados://rbd/tenant",): 200,
    }
    assert samples(written(third), LAST_COMPLETE) == {(PLACE,): 100}


@pytest.mark.parametrize("earlier", ["", "no metrics at all\n", f"{LAST_COMPLETE} 7\n"])
def test_what_was_never_looked_at_completely_says_0(earlier: str) -> None:
    metrics = Metrics(earlier)
    metrics.add_summary(PLACE, summary(complete=False), seconds=1)
    assert samples(written(metrics), LAST_COMPLETE) == {(PLACE,): 0}


# The format


@pytest.mark.parametrize(
    "place",
    ['sqlite:///a "b"\\c.db', "sqlite:///line\nend", "sqlite:///\udcff", "sqlite:///Größe {x}"],
)
def test_any_location_is_read_as_it_was_written_and_found_again(place: str) -> None:
    first = at(100)
    first.add_summary(place, summary(), seconds=1)
    second = later(first, 200)
    second.add_summary(place, summary(complete=False), seconds=1)

    ((location,),) = samples(written(second), LAST_COMPLETE)
    assert location == place.encode("unicode_escape").decode() or location == place
    assert samples(written(second), LAST_COMPLETE) == {(location,): 100}


def test_the_file_is_what_prometheus_expects_of_names_and_types() -> None:
    metrics = at(100)
    metrics.add(PLACE, Finding(FindingKind.DANGLING_ENTRY, GROUPS.directory_object("default")))
    counts = {"entries": 1, "records": 2, "objects_listed": 3}
    told = summary(journals=dict.fromkeys(("volumes", "groups"), counts))
    compared = {"compared": {"image": 5}, "leaked_bytes": 1 << 60}
    metrics.add_summary(PLACE, told | compared, seconds=0.25)

    text = written(metrics)

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.type == "gauge" and family.documentation for family in families.values())
    assert text.count("# TYPE") == len(families) == 7
    assert samples(text, "csijournal_objects") == {("groups", PLACE): 3, ("volumes", PLACE): 3}
    assert samples(text, "csijournal_leaked_bytes") == {(PLACE,): 1 << 60}
    assert samples(text, "csijournal_verify_duration_seconds") == {(PLACE,): 0.25}
    for name in families:
        assert name.startswith("csijournal_")
        assert name.endswith(
            ("_seconds", "_bytes", "_findings", "_entries", "_records", "_objects")
        )


def test_locations_and_kinds_do_not_stand_for_one_another() -> None:
    metrics = at(100)
    finding = Finding(FindingKind.DANGLING_ENTRY, "csi.groups.default")
    volume = Finding(FindingKind.DANGLING_ENTRY, "csi.volumes.default", journal="volumes")
    for place, one in [(PLACE, finding), (PLACE, finding), (PLACE, volume), ("rados://b", volume)]:
        metrics.add(place, one)
    assert samples(written(metrics), "csijournal_findings") == {
        ("groups", "dangling-entry", PLACE, "error"): 2,
        ("volumes", "dangling-entry", PLACE, "error"): 1,
        ("volumes", "dangling-entry", "rados://b", "error"): 1,
    }
