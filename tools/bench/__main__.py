"""make bench: what things cost, beside what they must cost and what they used to cost."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent / "tests")]

import kubernetes_cases  # noqa: E402 - found through the path above
import rados_cases  # noqa: E402
import sqlite_cases  # noqa: E402
import volume_cases  # noqa: E402
from figures import Case, print_case  # noqa: E402
from rich.console import Console  # noqa: E402

DOCS = HERE.parent.parent / "docs"


def main() -> None:
    """Run the cases, print them, and write docs/performance.json and .svg."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds, no files")
    parser.add_argument(
        "--volumes",
        type=int,
        metavar="NUMBER",
        help="volumes with RBD images; making 100,000 takes six minutes.  [100,000; 500]",
    )
    options = parser.parse_args()
    quick = options.quick
    volumes = options.volumes or (500 if quick else 100_000)
    console = Console()
    cases: list[Case] = []

    def done(*new: Case) -> None:
        for case in new:
            print_case(console, case, quick=quick)
        cases.extend(new)

    sizes = (100, 1000) if quick else (100, 1_000, 10_000, 100_000)
    rounds = 3 if quick else 9
    with rados_cases.bench() as subject:
        lookups = rados_cases.lookups(subject, sizes, rounds)
        done(*lookups)
        done(rados_cases.reserve_alone(subject, rounds))
        seconds = 1.0 if quick else 3.0
        together = rados_cases.reserve_together(
            subject, (1, 8, 32, 128), max(3, rounds // 2), seconds
        )
        done(together)
        done(rados_cases.verify(subject, 1000 if quick else 100_000, 3))
        done(*volume_cases.verify(subject, volumes, 3))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done(sqlite_cases.reserve_alone(folder, rounds))
        done(sqlite_cases.reserve_together(folder, rounds, seconds))
        listed = kubernetes_cases.read(folder, 1000 if quick else 20_000)
        verified = sqlite_cases.verify(folder, (1000,) if quick else (10_000, 100_000, 1_000_000))
    for what, found in listed.items():
        console.print(f"Kubernetes' lists, {what}: {found}", highlight=False)
    for what, found in verified.items():
        console.print(f"verify on SQLite, {what}: {found}", highlight=False)
    if not quick:
        _write(cases, {"Kubernetes' lists": listed, "verify on SQLite": verified})
        import plot  # noqa: PLC0415 - heavy

        plot.draw(DOCS / "performance.svg", lookups[0], together)


def _write(cases: list[Case], further: dict[str, object]) -> None:
    results = {
        "machine": f"{platform.processor() or platform.machine()}, {platform.platform()}",
        "python": platform.python_version(),
        "cases": [case.to_json() for case in cases],
        **further,
    }
    (DOCS / "performance.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
