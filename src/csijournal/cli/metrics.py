"""The file of verify --metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from csijournal.check.metrics import Metrics
from csijournal.cli.files import replacing

_MODE = 0o644
"""The exporter that reads the file is another user; it holds numbers and locations."""


@contextmanager
def metrics_for(path: Path | None) -> Iterator[Metrics | None]:
    """What replaces the file at `path` when the block ends well; None without a path.

    Where the block does not end well the file stays as it was, so that its times
    tell how old it is.  Raises InvalidInput where it cannot be written.
    """
    if path is None:
        yield None
        return
    with replacing(path, _MODE) as file:
        metrics = Metrics(path.read_text(errors="replace") if path.exists() else "")
        yield metrics
        file.writelines(line.encode() for line in metrics.text())
