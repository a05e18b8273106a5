"""Walk every interleaving, crash and fault within the full bounds, and print the numbers.

    tools/explore.py              some minutes; ends with a table and a sum
    tools/explore.py --bounded    what every test run walks
    tools/explore.py --mutations  each mutation of the journal and how it is found out

docs/correctness.md tells what is walked and why it proves something.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "src")]
    runpy.run_module("explorer", run_name="__main__", alter_sys=True)
