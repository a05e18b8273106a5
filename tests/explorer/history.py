"""What clients say they do and what they were told: the raw material of the facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

Verb = Literal[
    "check",
    "reserve",
    "ensure",
    "undo",
    "undo nameless",
    "undo misnamed",
    "add",
    "remove",
    "show",
    "recover",
    "write attributes",
    "repair",
    "drop",
    "attach",
    "restore",
]


@dataclass(frozen=True)
class Call:
    """One call of the journal, or a stretch of a peer's work.

    `group_uuid`, `member` and `value` where the call has them.
    """

    verb: Verb
    request_name: str = ""
    group_uuid: str = ""
    member: str = ""
    value: str = ""


@dataclass(frozen=True)
class Told:
    """A reservation that a caller now knows of; `created`: made for this caller."""

    group_uuid: str
    members: frozenset[tuple[str, str]] | None = None
    created: bool = False


@dataclass(frozen=True)
class Failed:
    """A call raised; `group_uuid` is the holder where the error names one."""

    error: str
    group_uuid: str = ""
    store_error: bool = False


@dataclass(frozen=True)
class Began:
    """A call begins with the client's next operation."""

    call: Call


@dataclass(frozen=True)
class Ended:
    """A call returned; `outcome` None means done, or no such reservation."""

    call: Call
    outcome: Told | Failed | None = None


Event = Union[Began, Ended]
