"""Durations as people write them: 90s, 15m, 2h, 1d, 1h30m."""

from __future__ import annotations

import re

import click

_SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
_PART = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+|0", re.ASCII)


def duration(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """The seconds of an option's value, as a callback of click."""
    if not _DURATION.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 2h or 1d.")
    return float(sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def in_words(seconds: float) -> str:
    """A duration as `duration` reads it."""
    rest, words = round(seconds), []
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(rest, _SECONDS[unit])
        words += [f"{number}{unit}"] if number else []
    return "".join(words) or "0s"
