"""Members from the command line: pairs, JSON, files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from csijournal.errors import InvalidMember, printable
from csijournal.wire.names import encode_members
from csijournal.wire.text import shortened

_HINT = 'Write {"volume-handle": "snapshot-handle", ...}'


def members_from_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Members of `MEMBER=VALUE` pairs; without `=` the value is empty."""
    return _checked((member, value) for member, _, value in (p.partition("=") for p in pairs))


def members_from_file(name: str) -> dict[str, str]:
    """Members of a file that holds a JSON object; `-` is standard input."""
    source = "standard input" if name == "-" else printable(name)
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = raw.decode()
    except OSError as error:
        raise InvalidMember(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidMember(f"{source} is not UTF-8, at byte {error.start + 1}") from error
    return members_from_json(text, source)


def members_from_json(text: str, source: str) -> dict[str, str]:
    """Members of a JSON object of texts; `source` says where it came from."""
    try:
        pairs = json.loads(text, object_pairs_hook=lambda found: found)
    except json.JSONDecodeError as error:
        raise InvalidMember(
            f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            hint=_HINT,
        ) from error
    except (RecursionError, ValueError) as error:
        raise InvalidMember(f"{source} is not JSON that can be read: {error}") from error
    if not _is_object(text):
        raise InvalidMember(f"{source} is JSON, but not an object", hint=_HINT)
    for member, value in pairs:
        if not isinstance(value, str):
            raise InvalidMember(
                f"the value of member {shortened(member)} in {source} is not a text", hint=_HINT
            )
    return _checked(pairs)


def _checked(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a map.  Raises InvalidMember for one that cannot be, or comes twice."""
    members: dict[str, str] = {}
    for member, value in pairs:
        if members.get(member, value) != value:
            raise InvalidMember(f"member {shortened(member)} comes twice, with two values")
        members[member] = value
    encode_members(members)
    return members


def _is_object(text: str) -> bool:
    # An object and a list of pairs look alike once parsed.
    return text.lstrip().startswith("{")
