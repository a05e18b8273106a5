"""Which records were read, in 8 bytes for each."""

from __future__ import annotations

from array import array
from bisect import bisect_left

_BITS_64 = "Q"


class KnownRecords:
    """UUIDs that can be asked for when all have been added.

    Only the first half of each is kept, which is enough to tell millions apart:
    of a million, two share it once in 30 million times.
    """

    def __init__(self) -> None:
        self._halves = array(_BITS_64)
        self._is_sorted = True

    def add(self, uuid: str) -> None:
        """Note a UUID."""
        self._halves.append(_half(uuid))
        self._is_sorted = False

    def __contains__(self, uuid: str) -> bool:
        if not self._is_sorted:
            self._halves = array(_BITS_64, sorted(self._halves))
            self._is_sorted = True
        half = _half(uuid)
        place = bisect_left(self._halves, half)
        return place < len(self._halves) and self._halves[place] == half


def _half(uuid: str) -> int:
    """The first 64 bits, of which all but the version's four are random."""
    return int(uuid[:8] + uuid[9:13] + uuid[14:18], 16)
