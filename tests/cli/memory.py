"""How much memory a command line takes."""

from __future__ import annotations

import subprocess

from cli.conftest import CLI, COMMAND

# Not getrusage: what that says of a process starts from the parent's peak.
_SCRIPT = """
import sys
from csijournal.cli.run import run
run(sys.argv[1:])
lines = open("/proc/self/status")
print(next(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""


def peak_kib(cli: CLI, *arguments: str) -> int:
    """The most memory that one run held, in KiB."""
    done = subprocess.run(
        [COMMAND[0], "-c", _SCRIPT, *arguments],
        env=cli.environment,
        cwd=cli.folder,
        capture_output=True,
        check=True,
    )
    return int(done.stderr.split()[-1])
