"""Command lines that can be pasted into a shell as they stand."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable

from csijournal.cli.options import JOURNAL_VARIABLE, Settings
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode

_SHORT = {"pool": "-p", "namespace": "-N", "conf": "-c", "keyring": "-k", "name": "-n", "mon": "-m"}
_NOT_REPEATED = {"output", "instance", "journal"}
"""Options that a printed command must not inherit: --journal is not known to all of them."""
_OF_THE_SAME_JOURNALS = {"repair", "retire", "verify"}
"""Commands that must look at no more journals than the command that prints them."""
_OF_ONE_JOURNAL = {"attach", "check", "ensure", "reserve", "undo"}
"""Commands that are printed for groups, and would follow the variable to another journal."""


_OF_MAPPING = "cluster_mapping"


def undo_line(settings: Settings, backup: str) -> str:
    """The command that restores a backup: as it was, and never mapped."""
    words = ["restore", backup, "--overwrite", "--apply"]
    return command_line(settings, words, without={_OF_MAPPING})


def command_line(
    settings: Settings,
    words: Iterable[str],
    instance_id: str = "",
    without: Collection[str] = (),
) -> str:
    """This program with the user's store options but those in `without`, and `words`.

    `instance_id` is the instance that the command is about; empty where it is
    about none.
    """
    options = [
        word
        for name, value in settings.given.items()
        if name not in _NOT_REPEATED and name not in without
        for word in (_SHORT.get(name, "--" + name.replace("_", "-")), value)
    ]
    words = list(words)
    if words and words[0] in _OF_THE_SAME_JOURNALS and "journal" in settings.given:
        words[1:1] = ["--journal", settings.given["journal"]]
    if (
        words
        and words[0] in _OF_ONE_JOURNAL
        and "--journal" not in words
        and os.environ.get(JOURNAL_VARIABLE)
    ):
        words[1:1] = ["--journal", GROUPS.journal]
    usual = os.environ.get("CSIJOURNAL_INSTANCE") or DEFAULT_INSTANCE_ID
    if instance_id not in {"", usual}:
        options += ["--instance", instance_id]
    return " ".join(map(shell_word, (*settings.called_as, *options, *words)))


def shell_word(text: str) -> str:
    """`text` quoted for bash, zsh and ksh, with all that no terminal should print escaped."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in encode(character))
