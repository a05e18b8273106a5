"""Lines of a ticket or of a must-gather archive that say what a listing is of.

A command line, as people paste it with its prompt:

    sh-4.4$ rados -p replicapool listomapvals csi.volumes.default

or a line that OpenShift Data Foundation's must-gather prints
(red-hat-storage/odf-must-gather, gather_ceph_resources):

    Name of the block pool: replicapool
    Name of the pvc object: csi.volume.pvc-7f…

It prints such a line for each entry, and each record's keys somewhere behind
it: the listings are made at the same time, and come in any order.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from csijournal.wire.schema import SNAPSHOTS, VOLUMES, AnySchema

LIST_VALUES, GET_VALUE = "listomapvals", "getomapval"
_COMMAND = re.compile(r"\brados\s(.*\b(?:listomapvals|getomapval|listomapkeys)\b.*)")
_OTHER_COMMAND = re.compile(r"^\s*(?:\S*[$#>]|\+)\s+(?:rados|rbd|ceph|kubectl|oc)\b")
"""Any other command line, with its prompt: whatever is printed behind it is not a listing's."""

_OPTIONS = {"-p": "pool", "--pool": "pool", "-N": "namespace", "--namespace": "namespace"}
_WITH_VALUE = frozenset(
    {*_OPTIONS, "-c", "--conf", "-n", "--name", "--id", "-k", "--keyring", "--keyfile", "-m"}
)
_SHELL = frozenset({"|", ">", ">>", ";", "&&", "||", "&", "2>&1", "2>/dev/null"})

_POOL = re.compile(r"^Name of the (block|metadata) pool: (.+)$")
_ENTRY = re.compile(r"^Name of (?:the )?(pvc|snap) object: (.+)$")
_GATHERED_NAMESPACES = {"block": "", "metadata": "csi"}
"""The namespaces that must-gather looks into."""


@dataclass(frozen=True)
class Place:
    """A pool and namespace as far as the text says them; None is what it does not say."""

    pool: str | None = None
    namespace: str | None = None

    def __str__(self) -> str:
        pool = self.pool or "a pool that the text does not name"
        return f"{pool}/{self.namespace}" if self.namespace else pool


@dataclass(frozen=True)
class Command:
    """A command line of `rados`; `key` is that of getomapval."""

    name: str
    object_name: str
    key: str | None = None
    place: Place = field(default_factory=Place)


@dataclass(frozen=True)
class GatheredEntry:
    """An entry that must-gather names, without its value."""

    schema: AnySchema
    key: str


def command_in(line: str) -> Command | None:
    """The command line in a line of text; None where there is none that is understood."""
    found = _COMMAND.search(line)
    if found is None:
        return None
    given, words = _sorted_words(_split(found[1]))
    if len(words) < 2:  # noqa: PLR2004 - the command and its object
        return None
    key = words[2] if words[0] == GET_VALUE and len(words) > 2 else None  # noqa: PLR2004
    if words[0] == GET_VALUE and key is None:
        return None
    # Where a pool is named and no namespace, it is the default one.
    namespace = given.get("namespace", "" if "pool" in given else None)
    return Command(words[0], words[1], key, Place(given.get("pool"), namespace))


def is_other_command(line: str) -> bool:
    """Whether the line is a command line, with its prompt, of something else."""
    return _OTHER_COMMAND.search(line) is not None


def gathered_place(line: str) -> Place | None:
    """The pool that must-gather says it goes on with; None for any other line."""
    found = _POOL.match(line)
    if found is None:
        return None
    return Place(found[2].strip().strip('"'), _GATHERED_NAMESPACES[found[1]])


def gathered_entry(line: str) -> GatheredEntry | None:
    """The entry that must-gather names; None for any other line."""
    found = _ENTRY.match(line)
    if found is None:
        return None
    return GatheredEntry(VOLUMES if found[1] == "pvc" else SNAPSHOTS, found[2].strip())


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that somebody forgot
        return text.split()


def _sorted_words(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options that say a place, and what is not an option."""
    given: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word in _SHELL:
            break
        option, equals, value = word.partition("=")
        if option in _WITH_VALUE:
            value = value if equals else next(left, "")
            if option in _OPTIONS:
                given[_OPTIONS[option]] = value
        elif not word.startswith("-"):
            rest.append(word)
    return given, rest
