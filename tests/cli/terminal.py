"""A command line in a terminal of a chosen width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from cli.conftest import CLI, COMMAND


def in_terminal(cli: CLI, columns: int, *arguments: str, colour: bool = False) -> list[str]:
    """The lines that a terminal of so many columns shows; with `colour`, as they were written."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in cli.environment.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment | {"TERM": "xterm"},
        cwd=cli.folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ):
        os.close(theirs)
        said = read_all(ours).decode()
    if not colour:
        said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    return said.replace("\r", "").splitlines()


def read_all(terminal: int) -> bytes:
    """What is written to the other side until that is closed."""
    said = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's way of saying that the other side is closed
            data = b""
        if not data:
            os.close(terminal)
            return said
        said += data
