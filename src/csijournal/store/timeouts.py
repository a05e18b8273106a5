"""How long a store may wait, as words say it."""

from __future__ import annotations

SECONDS_MAX = 1_000_000.0
"""Eleven days; SQLite counts milliseconds in 31 bits, and librados whole seconds."""


def parse_timeout(text: str) -> float | None:
    """Seconds from 0, which is forever for RADOS, to `SECONDS_MAX`; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= SECONDS_MAX else None
