"""Go's RFC 3339 with nanoseconds, both ways."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal import Timestamp
from csijournal.errors import InvalidTimestamp

GOLDEN = Path(__file__).parent / "golden"
FIRST_NS = -62_135_596_800 * 10**9
LAST_NS = 253_402_300_799 * 10**9 + 999_999_999
DAY_MINUTES = 24 * 60
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

offsets = st.integers(-DAY_MINUTES + 1, DAY_MINUTES - 1)
moments = st.builds(
    Timestamp,
    st.integers(FIRST_NS + DAY_MINUTES * 60 * 10**9, LAST_NS - DAY_MINUTES * 60 * 10**9),
    offsets,
)


@pytest.mark.parametrize(
    ("text", "nanoseconds", "offset"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1970-01-01T00:00:00.000000001Z", 1, 0),
        ("1969-12-31T23:59:59.999999999Z", -1, 0),
        ("2026-11-22T13:23:10.911063702Z", 1_795_353_790_911_063_702, 0),
        ("2026-11-22T19:06:28.73955-03:30", 1_795_386_988_739_550_000, -210),
        ("2026-11-22T13:23:10.1+05:45", 1_795_333_090_100_000_000, 345),
        ("2026-11-22T13:23:10+14:00", 1_795_303_390_000_000_000, 840),
        ("0001-01-01T00:00:00Z", FIRST_NS, 0),
        ("9999-12-31T23:59:59.999999999Z", LAST_NS, 0),
        ("0099-02-03T04:05:06.07Z", -59_040_129_294 * 10**9 + 70_000_000, 0),
    ],
)
def test_a_text_and_its_moment_come_out_of_each_other(
    text: str, nanoseconds: int, offset: int
) -> None:
    assert Timestamp.parse(text) == Timestamp(nanoseconds, offset)
    assert str(Timestamp(nanoseconds, offset)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-22T13:23:10.5000Z", "2026-11-22T13:23:10.5Z"),
        ("2026-11-22T13:23:10.000Z", "2026-11-22T13:23:10Z"),
        ("2026-11-22T13:23:10,25Z", "2026-11-22T13:23:10.25Z"),
        ("2026-11-22T13:23:10.123456789987Z", "2026-11-22T13:23:10.123456789Z"),
        ("2026-11-22T13:23:10+00:00", "2026-11-22T13:23:10Z"),
        ("2026-11-22T13:23:10-00:00", "2026-11-22T13:23:10Z"),
    ],
)
def test_other_spellings_are_read_and_written_as_go_writes_them(text: str, canonical: str) -> None:
    assert str(Timestamp.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2026-11-22",
        "2026-11-22T13:23:10",
        "2026-11-22 13:23:10Z",
        "2026-11-22T13:23:10z",
        "2026-11-22t13:23:10Z",
        "2026-11-22T13:23:10.Z",
        "2026-11-22T13:23Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T13:60:00Z",
        "2026-11-22T13:23:60Z",
        "2026-13-22T13:23:10Z",
        "2026-02-29T13:23:10Z",
        "0000-01-01T00:00:00Z",
        "2026-11-22T13:23:10+0100",
        "2026-11-22T13:23:10+01",
        "2026-11-22T13:23:10+01:60",
        "2026-11-22T13:23:10Z ",
        "2026-11-22T13:23:10Z\n",
        " 2026-11-22T13:23:10Z",
        "٢٠٢٦-11-22T13:23:10Z",
        "12026-11-22T13:23:10Z",
        "2026-11-22T13:23:10.\udcffZ",
    ],
    ids=ascii,
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimestamp, match="is not a time such as") as caught:
        Timestamp.parse(text)
    assert "RFC 3339" in caught.value.hint
    assert Timestamp.parse_or_none(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00-00:01",
        "2026-11-22T13:23:10+24:00",
    ],
)
def test_a_time_whose_moment_python_cannot_hold_is_read_or_refused_but_never_wrong(
    text: str,
) -> None:
    found = Timestamp.parse_or_none(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    ("nanoseconds", "offset"),
    [
        (FIRST_NS - 1, 0),
        (LAST_NS + 1, 0),
        (10**30, 0),
        (-(10**30), 0),
        (0, DAY_MINUTES),
        (0, -DAY_MINUTES),
        (0, 10**12),
        (LAST_NS, 1),
        (FIRST_NS, -1),
    ],
)
def test_a_moment_that_has_no_text_cannot_be_made(nanoseconds: int, offset: int) -> None:
    with pytest.raises(InvalidTimestamp):
        Timestamp(nanoseconds, offset)


@given(moments)
def test_every_moment_survives_the_way_through_its_text(moment: Timestamp) -> None:
    assert Timestamp.parse(str(moment)) == moment


@given(moments)
def test_a_text_names_the_wall_clock_of_its_offset(moment: Timestamp) -> None:
    zone = timezone(timedelta(minutes=moment.offset_minutes))
    wall = EPOCH + timedelta(seconds=moment.nanoseconds // 10**9)
    assert str(moment)[:19] == wall.astimezone(zone).isoformat()[:19]


@given(moments, moments)
def test_moments_are_ordered_by_time_whatever_their_offsets(
    one: Timestamp, other: Timestamp
) -> None:
    if one.nanoseconds < other.nanoseconds:
        assert one < other


@given(moments)
def test_a_datetime_is_the_same_moment_cut_to_microseconds(moment: Timestamp) -> None:
    found = moment.to_datetime()
    microseconds = (found - EPOCH) // timedelta(microseconds=1)
    assert microseconds == moment.nanoseconds // 1000
    assert found.utcoffset() == timedelta(minutes=moment.offset_minutes)


@given(st.text(alphabet="0123456789-+:.,TZ ", max_size=40))
def test_no_text_is_read_wrongly(text: str) -> None:
    found = Timestamp.parse_or_none(text)
    if found is not None:
        assert Timestamp.parse(str(found)) == found


def test_now_is_in_utc_and_goes_on() -> None:
    before, after = Timestamp.now(), Timestamp.now()
    assert before.offset_minutes == 0
    assert before <= after


def test_every_creation_time_that_ceph_csi_wrote_comes_back_as_it_was() -> None:
    lines = (GOLDEN / "sequences.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {
        entries["csi.creationtime"]
        for line in lines
        for step in json.loads(line)["steps"]
        for entries in step["omaps_after"].values()
        if "csi.creationtime" in entries
    }
    assert len(texts) > 100
    for text in texts:
        assert str(Timestamp.parse(text)) == text
