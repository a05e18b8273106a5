"""The page that `verify --report` writes."""

from __future__ import annotations

import re
import stat
import sys
from html.parser import HTMLParser

import pytest

from cli.conftest import CLI, DIRECTORY
from cli.damage import damage, dangling, entries, group, uuid
from csijournal.check.findings import Finding, FindingKind
from csijournal.check.report import LISTED_MAX, Report
from csijournal.check.scan import Depth, Summary
from csijournal.errors import InvalidInput
from csijournal.wire.schema import GROUPS
from support.kubernetes_lists import kubectl_list, raw, volume

REPAIRS = [
    f"csijournal repair --kind {kind} --apply"
    for kind in (
        "dangling-entry",
        "unpopulated-group",
        "orphan-group",
        "empty-object",
        "shared-uuid",
        "stale-lease",
    )
]
_VOID = {"meta", "br", "rect", "line"}


class Page(HTMLParser):
    """A page taken apart; every element must be closed where it belongs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(cli: CLI, *arguments: str, code: int = 1) -> tuple[Page, str]:
    cli("verify", "--report", "r.html", *arguments, code=code)
    text = (cli.folder / "r.html").read_text()
    return Page(text), text


def test_the_page_has_counts_kinds_and_every_finding(cli: CLI) -> None:
    page, text = page_of(damage(cli), "--deep")

    assert "9 errors and 1 warning." in page.words
    assert re.search(r"<dt>Entries</dt><dd>5</dd>", text)
    for kind in ("dangling-entry", "detached-group", "stale-lease"):
        assert f"<h2 id='{kind}'>" in text
    assert FindingKind.DANGLING_ENTRY.meaning in page.words
    assert f"csi.volume.group.{uuid(2)}" in page.words


def test_remedies_are_ready_to_paste(cli: CLI) -> None:
    page, _ = page_of(damage(cli), "--deep")

    repair = "csijournal repair --full --kind"
    assert f"{repair} dangling-entry --apply\n" in page.words
    assert f"{repair} orphan-group --apply\n" in page.words
    choice = f"csijournal attach {uuid(5)} --apply\ncsijournal drop --group {uuid(5)} --apply\n"
    assert choice in page.words


def test_findings_come_first_then_the_commands_then_the_numbers(cli: CLI) -> None:
    page, _ = page_of(damage(cli))

    titles = ["What was found", "dangling-entry (1)", "The commands", "What was looked at"]
    found_at = [page.words.index(title) for title in [*titles, "The groups"]]
    assert found_at == sorted(found_at)
    commands = page.words[found_at[2] : found_at[3]]
    assert commands.count("csijournal repair") == len(set(commands.split("\n")) & set(REPAIRS))


def test_the_page_says_what_was_not_looked_at_and_what_is_pending(cli: CLI) -> None:
    damage(cli)
    cli.put_group(uuid(20), "<young>")

    page, _ = page_of(cli, "--quick")
    assert "Not looked at: what nothing points at" in page.words
    assert "<young>" in page_of(cli)[0].words


def test_the_page_is_for_its_owner_alone(cli: CLI) -> None:
    page_of(damage(cli))

    assert (cli.folder / "r.html").stat().st_mode & 0o777 == 0o600


def test_without_jinja2_the_report_is_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(InvalidInput, match="needs Jinja2") as refused:
        Report(depth=Depth.FULL, grace="15m")
    assert "csijournal[report]" in refused.value.hint


def test_the_page_needs_nothing_but_itself(cli: CLI) -> None:
    page, text = page_of(damage(cli))

    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not re.search(r"https?:|url\(|@import|src=|\bon\w+=", text)
    assert [a["href"] for a in page.all("a")] == [
        f"#{a['id']}" for a in page.all("h2") if a["id"] in {kind.value for kind in FindingKind}
    ]
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">\n')


def test_charts_and_tables_can_be_read_aloud(cli: CLI) -> None:
    page, text = page_of(damage(cli))

    assert len(page.all("svg")) == 2
    for chart in page.all("svg"):
        assert chart["role"] == "img"
        for identity in (chart["aria-labelledby"] or "").split():
            assert f"id='{identity}'" in text
    assert "2 years and more: 1" in page.words
    assert all(header["scope"] in {"col", "row"} for header in page.all("th"))
    identities = [a["id"] for _, a in page.tags if "id" in a]
    assert len(identities) == len(set(identities))
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_texts_from_the_journal_are_escaped(cli: CLI) -> None:
    name = "<script>alert('&')</script>\x07"
    damage(cli, {DIRECTORY: {GROUPS.entry_key(name): "<b>"}})

    page, text = page_of(cli)

    assert "<script" not in text
    assert "\x07" not in text
    assert "<script>alert('&')</script>\\x07" in page.words


def test_a_clean_journal_has_a_page_too(cli: CLI) -> None:
    cli("reserve", "snap-1")

    page, _ = page_of(cli, code=0)

    assert "Nothing is wrong." in page.words
    assert "What was found" not in page.words


def test_warnings_alone_look_like_warnings(cli: CLI) -> None:
    damage(cli, entries(old=uuid(1)) | {GROUPS.record_object(uuid(1)): {"csi.volname": "old"}})

    assert "3 warnings. Everything works" in page_of(cli, code=0)[0].words


def test_only_so_many_of_a_kind_are_listed(cli: CLI) -> None:
    page, _ = page_of(damage(cli, dangling(LISTED_MAX + 23)))

    assert page.words.count("no group object") == LISTED_MAX
    assert "And 23 more, which csijournal verify -o json lists." in page.words
    assert f"{LISTED_MAX + 23:,} errors" in page.words


@pytest.mark.parametrize(("days", "bucket"), [(-1, 0), (0, 1), (1, 2), (6, 2), (7, 3), (730, 7)])
def test_each_age_falls_into_its_bucket(days: int, bucket: int) -> None:
    report = Report(depth=Depth.QUICK, grace="15m")
    summary = Summary()
    summary.journals["groups"].records = 1
    summary.ages_days[days] += 1
    summary.sizes[0] += 1
    report.add_summary("memory:", summary)

    said = re.search(r"<desc id='ages-desc'>(.*)</desc>", "".join(report.html()))

    assert said is not None
    counts = [part.rpartition(" ")[2] for part in said[1].split("; ")]
    assert counts == ["1" if number == bucket else "0" for number in range(8)]


def test_each_concern_has_a_table_and_leaked_space_is_told_in_bytes() -> None:
    report = Report(depth=Depth.FULL, grace="15m")
    summary = Summary(compared={"image": 2, "image in the trash": 0})
    for finding in (
        Finding(FindingKind.UNKNOWN_KEY, DIRECTORY, key="x"),
        Finding(
            FindingKind.IMAGE_WITHOUT_RECORD,
            f"csi.volume.{uuid(1)}",
            thing="image <csi-vol-1>",
            size_bytes=3 * 2**30,
        ),
        Finding(FindingKind.SOURCE_MISSING, f"csi.snap.{uuid(2)}"),
    ):
        report.add("rados://rbd", finding, [])
        summary.count(finding)
    report.add_summary("rados://rbd", summary)

    text = "".join(report.html())

    page = Page(text)
    titles = ["The journals", "References between records", "RBD"]
    assert re.findall("<table class='kinds'>\n<caption>(.*)</caption>", text) == titles
    assert "3 GiB provisioned and used by nobody" in page.words
    assert text.count("<td class='number'>3 GiB</td>") == 1
    assert "image <csi-vol-1>" in page.words
    assert "2 images, 0 images in the trash" in page.words


def test_the_page_counts_by_journal_and_has_the_lines_of_kubernetes_lists(cli: CLI) -> None:
    damage(cli)
    (cli.folder / "pv.json").write_bytes(raw(kubectl_list([volume("no handle")])))

    page, text = page_of(cli, "--kubernetes", "pv.json")

    (journals,) = re.findall("<caption>By journal</caption>(.*?)</table>", text, re.DOTALL)
    rows = re.findall(r"<th scope='row'>(\w+)</th><td class='number'>(\d+)</td>", journals)
    assert sorted(rows) == [("groups", "1"), ("snapshots", "0"), ("volumes", "0")]
    assert "Kubernetes: pv.json of " in page.words
    assert "1 PersistentVolume" in page.words


def test_several_places_are_told_apart() -> None:
    report = Report(depth=Depth.FULL, grace="15m")
    for place in ("rados://rbd/a", "rados://rbd/b"):
        report.add(place, Finding(FindingKind.UNKNOWN_KEY, DIRECTORY, "default", key="x"), [])
        summary = Summary()
        summary.journals["groups"].entries = 2
        summary.kinds[FindingKind.UNKNOWN_KEY] += 1
        report.add_summary(place, summary)

    page = Page("".join(report.html()))

    assert "2 locations" in page.words
    assert "Location by location" in page.words
    assert page.words.count("rados://rbd/b") == 2
    assert "2 warnings" in page.words


def test_groups_are_counted_by_size(cli: CLI) -> None:
    damage(cli, entries(a=uuid(1)) | group("a", 1, x="1", y="2", z="3"))

    _, text = page_of(cli, code=0)

    assert "3 to 5: 1;" in text


def test_a_report_is_for_its_owner_alone(cli: CLI) -> None:
    """Journals are nobody else's business."""
    cli("reserve", "snap-1")

    cli("verify", "--report", "page.html")

    assert stat.S_IMODE((cli.folder / "page.html").stat().st_mode) == 0o600
