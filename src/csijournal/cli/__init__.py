"""The command line: one file per command, listed in `commands.COMMANDS`."""

from __future__ import annotations

from csijournal.cli.run import main

__all__ = ["main"]
