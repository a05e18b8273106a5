"""What verify found, as a file for Prometheus: its text format, version 0.0.4.

The node exporter's textfile collector reads such a file, as do others.  Names and
units follow Prometheus' conventions.  A series is there only where something was
counted: a finding that is gone is gone from the next file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from csijournal.check.findings import Finding
from csijournal.errors import printable
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

LAST_COMPLETE = "csijournal_verify_last_complete_timestamp_seconds"

_HELP = {
    "csijournal_findings": "Findings of the last verify.",
    "csijournal_entries": "Request names that have an entry.",
    "csijournal_records": "Records that an entry points at, and that are in order.",
    "csijournal_objects": "Objects of records, where all objects were listed.",
    "csijournal_leaked_bytes": "Provisioned size of what nothing refers to: an upper bound.",
    "csijournal_verify_duration_seconds": "How long the last verify took.",
    LAST_COMPLETE: "When verify last looked at everything; 0 if it never did.",
}
"""Each metric, in the order of the file.  All are gauges: each verify counts anew."""

_EARLIER = re.compile(
    rf'^{LAST_COMPLETE}\{{location="((?:[^"\\]|\\.)*)"\}} ([0-9]+)$', re.MULTILINE
)


class Metrics:
    """Takes findings as they come, and summaries; `text` gives the file.

    `earlier` is what the file held before: where a location is not looked at
    completely now, the time when it last was is taken from there.
    """

    def __init__(
        self, earlier: str = "", *, clock: Callable[[], Timestamp] = Timestamp.now
    ) -> None:
        # Locations stay escaped: one is looked up in the form in which it was written.
        self._last_complete = {found[1]: int(found[2]) for found in _EARLIER.finditer(earlier)}
        self._clock = clock
        self._samples: dict[str, dict[str, float]] = {name: {} for name in _HELP}
        self._findings: Counter[str] = Counter()

    def add(self, place: str, finding: Finding) -> None:
        """Count a finding."""
        labels = _labels(
            location=place,
            journal=finding.journal,
            kind=finding.kind.value,
            severity=finding.severity.value,
        )
        self._findings[labels] += 1

    def add_summary(self, place: str, summary: Mapping[str, Any], *, seconds: float) -> None:
        """Take what verify says of one location in JSON, and how long it took."""
        location = _labels(location=place)
        for journal, numbers in summary["journals"].items():
            labels = _labels(location=place, journal=journal)
            self._put("csijournal_entries", labels, numbers["entries"])
            self._put("csijournal_records", labels, numbers["records"])
            if summary["deep"]:
                self._put("csijournal_objects", labels, numbers["objects_listed"])
        if summary["compared"]:
            self._put("csijournal_leaked_bytes", location, summary["leaked_bytes"])
        self._put("csijournal_verify_duration_seconds", location, seconds)
        self._put(LAST_COMPLETE, location, self._completed_at(place, bool(summary["complete"])))

    def _completed_at(self, place: str, complete: bool) -> int:
        """The seconds since 1970: now, or what the earlier file says, or 0.

        0 and not nothing, so that "longer ago than a day" is also true of what
        never was looked at.
        """
        if complete:
            return self._clock().nanoseconds // NANOSECONDS
        return self._last_complete.get(_escaped(place), 0)

    def text(self) -> Iterator[str]:
        """The file, line by line."""
        for labels, number in self._findings.items():
            self._put("csijournal_findings", labels, number)
        for name, explained in _HELP.items():
            samples = self._samples[name]
            if samples:
                yield f"# HELP {name} {explained}\n"
                yield f"# TYPE {name} gauge\n"
                yield from (f"{name}{labels} {value}\n" for labels, value in samples.items())

    def _put(self, name: str, labels: str, value: float) -> None:
        self._samples[name][labels] = value


def _labels(**values: str) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items())
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    r"""A label's value.  The format knows \\, \" and \n; `printable` leaves no line end."""
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')
