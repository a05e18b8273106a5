"""What the benchmark found, as data, and the table that people read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table
from rounds import Spread, Times, ratio


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that is to be reached: `above` divided by `below`, at most or at least `bound`."""

    above: str
    below: str
    bound: float
    at_most: bool

    def met(self, found: Spread) -> bool:
        """Whether the median reaches it."""
        return found.median <= self.bound if self.at_most else found.median >= self.bound


@dataclass(slots=True)
class Case:
    """One comparison: its figures in rounds, and what they are to show."""

    title: str
    unit: str
    figures: Times
    targets: list[Target] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """All of it, figures and ratios."""
        return {
            "title": self.title,
            "unit": self.unit,
            "figures": {name: asdict(Spread.of(values)) for name, values in self.figures.items()},
            "ratios": [
                {
                    "of": target.above,
                    "to": target.below,
                    **asdict(found := ratio(self.figures, target.above, target.below)),
                    "target": f"{'at most' if target.at_most else 'at least'} {target.bound}",
                    "met": target.met(found),
                }
                for target in self.targets
            ],
        }


def print_case(console: Console, case: Case) -> None:
    """The figures of one case, then its ratios beside their targets."""
    table = Table(title=f"{case.title} ({case.unit})", title_justify="left")
    for heading in ("", "median", "from", "to"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, values in case.figures.items():
        spread = Spread.of(values)
        table.add_row(name, *(_figure(f) for f in (spread.median, spread.low, spread.high)))
    console.print(table)
    for target in case.targets:
        found = ratio(case.figures, target.above, target.below)
        word = "at most" if target.at_most else "at least"
        console.print(
            f"  {target.above} / {target.below}: {found.median:.2f}"
            f" ({found.low:.2f} to {found.high:.2f}); wanted {word} {target.bound}:"
            f" {'reached' if target.met(found) else 'NOT REACHED'}",
            highlight=False,
        )
    console.print()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - readability only
