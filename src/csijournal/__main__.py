"""`python -m csijournal` is the command line."""

from __future__ import annotations

from csijournal.cli import main

main()
