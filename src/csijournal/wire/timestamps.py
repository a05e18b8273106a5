"""A moment as the journal writes it: nanoseconds and the writer's UTC offset.

Go's `time.Time` has nanoseconds and Python's `datetime` has microseconds, so a
creation time that goes through `datetime` does not come back as it was.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from csijournal.errors import InvalidTimestamp

NANOSECONDS = 1_000_000_000

_UTC = timezone.utc
_EPOCH = datetime(1970, 1, 1, tzinfo=_UTC)
_EPOCH_WALL = _EPOCH.replace(tzinfo=None)
_DAY_MINUTES = 24 * 60
_FIRST_NS = (datetime(1, 1, 1, tzinfo=_UTC) - _EPOCH) // timedelta(seconds=1) * NANOSECONDS
_END_NS = (datetime.max.replace(tzinfo=_UTC) - _EPOCH) // timedelta(seconds=1) * NANOSECONDS + (
    NANOSECONDS
)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))", re.ASCII
)


@dataclass(frozen=True, order=True)
class Timestamp:
    """`nanoseconds` since 1970 in UTC, shown at `offset_minutes` east of UTC.

    The text form is Go's RFC 3339 with nanoseconds: trailing zeros of the
    fraction dropped, the point too where all are zero, `Z` at offset 0
    (docs/wire-format.md, "Creation time").
    """

    nanoseconds: int
    offset_minutes: int = 0

    def __post_init__(self) -> None:
        wall_ns = self.nanoseconds + self.offset_minutes * 60 * NANOSECONDS
        first, last = sorted((self.nanoseconds, wall_ns))
        if first < _FIRST_NS or last >= _END_NS or abs(self.offset_minutes) >= _DAY_MINUTES:
            raise InvalidTimestamp(
                f"{self.nanoseconds} ns at offset {self.offset_minutes} min is outside"
                " the years 1 to 9999 or has an offset of a day or more"
            )

    @classmethod
    def now(cls) -> Timestamp:
        """The present moment, in UTC."""
        return cls(time.time_ns())

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Read Go's text form.

        Digits of the fraction beyond the ninth are dropped, as Go does.
        Raises InvalidTimestamp where the text is none.
        """
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise _not_a_time(text)
        wall, fraction, _utc, sign, hours, minutes = match.groups()
        offset = int(hours or 0) * 60 + int(minutes or 0)
        if int(minutes or 0) > 59:  # noqa: PLR2004 - minutes of an hour
            raise _not_a_time(text)
        try:
            since_epoch = datetime.fromisoformat(wall) - _EPOCH_WALL
        except ValueError as error:
            raise _not_a_time(text) from error
        offset = -offset if sign == "-" else offset
        seconds = since_epoch.days * 86_400 + since_epoch.seconds
        nanoseconds = int((fraction or "").ljust(9, "0")[:9])
        return cls((seconds - offset * 60) * NANOSECONDS + nanoseconds, offset)

    @classmethod
    def parse_or_none(cls, text: str) -> Timestamp | None:
        """Read Go's text form; None where the text is none."""
        try:
            return cls.parse(text)
        except InvalidTimestamp:
            return None

    def to_datetime(self) -> datetime:
        """The same moment with its offset, cut to whole microseconds."""
        offset = timezone(timedelta(minutes=self.offset_minutes))
        return (_EPOCH + timedelta(microseconds=self.nanoseconds // 1000)).astimezone(offset)

    def __str__(self) -> str:
        fraction = f"{self.nanoseconds % NANOSECONDS:09}".rstrip("0")
        return (
            f"{self._wall_clock():%Y-%m-%dT%H:%M:%S}".rjust(19, "0")
            + (f".{fraction}" if fraction else "")
            + self._zone()
        )

    def _wall_clock(self) -> datetime:
        return self.to_datetime().replace(tzinfo=None)

    def _zone(self) -> str:
        if self.offset_minutes == 0:
            return "Z"
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{'-' if self.offset_minutes < 0 else '+'}{hours:02}:{minutes:02}"


def _not_a_time(text: str) -> InvalidTimestamp:
    return InvalidTimestamp(
        f"{text!r} is not a time such as 2026-11-22T13:23:10.911063702Z",
        hint="Write RFC 3339 with an offset: YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)",
    )
