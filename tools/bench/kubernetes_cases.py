"""Reading what kubectl printed, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.kubernetes_lists import big_list

_PEAK = r"""
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps({"seconds": round(time.perf_counter() - start, 2), "peak_kib": int(peak)}))
"""
_BARE = r"""
import json, re, sys, time
from pathlib import Path
start = time.perf_counter()
kept = json.loads(Path(sys.argv[1]).read_bytes())
"""
_READ = r"""
import json, re, sys, time
from pathlib import Path
from csijournal.inventory.kubernetes import KubernetesLists
start = time.perf_counter()
kept = KubernetesLists.read(sys.argv[1:])
"""


def read(folder: Path, objects: int) -> dict[str, object]:
    """Time and peak memory of reading so many volumes, beside Python's own JSON."""
    path = folder / "volumes.json"
    size = f"{big_list(path, objects) / 2**20:.0f} MiB, {objects:,} volumes"
    found = {f"{size}, {what}": _timed(script, path) for what, script in _SCRIPTS.items()}
    path.unlink()
    return found


_SCRIPTS = {"read": _READ, "json.loads alone": _BARE}


def _timed(script: str, path: Path) -> object:
    done = subprocess.run(
        [sys.executable, "-c", script + _PEAK, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)
