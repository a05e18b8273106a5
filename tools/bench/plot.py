"""The plot of docs/performance.svg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from figures import Case
from matplotlib import pyplot as plt
from rounds import Spread

_STYLES: dict[str, dict[str, Any]] = {
    "csijournal": {"color": "#0b6e4f", "marker": "o", "linewidth": 2.5},
    "floor": {"color": "#777777", "marker": "", "linestyle": "--"},
    "without group commit": {"color": "#2a6fbb", "marker": "s"},
    "predecessor": {"color": "#b3402a", "marker": "^"},
}


def draw(path: Path, lookups: Case, together: Case) -> None:
    """Lookups by directory size on the left, reservations by callers on the right."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "csijournal", "font.size": 10})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _lines(left, lookups, scale=1000)
    left.set(
        title="Looking a request name up",
        xlabel="entries in the directory",
        ylabel="milliseconds",
        xscale="log",
        yscale="log",
    )
    _lines(right, together, scale=1)
    right.set(title="Reserving", xlabel="callers", ylabel="reservations a second", xscale="log")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _lines(axes: plt.Axes, case: Case, scale: float) -> None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for name, values in case.figures.items():
        line, size = name.split(", ", 1)
        point = (int(size.replace(",", "")), Spread.of(values).median * scale)
        lines.setdefault(line, []).append(point)
    for line, points in lines.items():
        if line not in _STYLES:
            continue
        xs, ys = zip(*sorted(points))
        axes.plot(xs, ys, label=line, **_STYLES[line])
