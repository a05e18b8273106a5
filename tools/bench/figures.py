"""What the benchmark found, as data, and the table that people read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table
from rounds import Spread, Times, ratio


@dataclass(frozen=True)
class Target:
    """A ratio that is to be reached: `above` divided by `below`, at most or at least `bound`.

    `quick_bound` is what a run with small sizes and few rounds must reach: it
    shows that nothing is badly wrong, and no more.
    """

    above: str
    below: str
    bound: float
    at_most: bool
    quick_bound: float

    def wanted(self, *, quick: bool) -> str:
        """What is to be reached, in words."""
        bound = self.quick_bound if quick else self.bound
        return f"{'at most' if self.at_most else 'at least'} {bound:g}"

    def met(self, found: Spread, *, quick: bool) -> bool:
        """Whether the median reaches it."""
        bound = self.quick_bound if quick else self.bound
        return found.median <= bound if self.at_most else found.median >= bound


@dataclass
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
                    "target": target.wanted(quick=False),
                    "met": target.met(found, quick=False),
                }
                for target in self.targets
            ],
        }


def print_case(console: Console, case: Case, *, quick: bool) -> None:
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
        console.print(
            f"  {target.above} / {target.below}: {found.median:.2f}"
            f" ({found.low:.2f} to {found.high:.2f}); wanted {target.wanted(quick=quick)}:"
            f" {'reached' if target.met(found, quick=quick) else 'NOT REACHED'}",
            highlight=False,
        )
    console.print()


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - readability only
