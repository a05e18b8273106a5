"""The commands of csijournal that a finding offers, as words."""

from __future__ import annotations

Words = tuple[str, ...]


def undo(request_name: str) -> Words:
    """The command that removes the group and the entry of a name."""
    return ("undo", *dashes(request_name), request_name)


def drop_entry(request_name: str) -> Words:
    """The command that removes the entry of a name alone."""
    return ("drop", "--entry", request_name)


def drop_group(uuid: str) -> Words:
    """The command that removes a group that no entry points at."""
    return ("drop", "--group", uuid)


def attach_group(uuid: str, request_name: str = "") -> Words:
    """The command that makes the reservation of a group whole, under a name where it has none."""
    return ("attach", uuid, *((*dashes(request_name), request_name) if request_name else ()))


def attach_image(journal: str, uuid: str, request_name: str = "", lists: Words = ()) -> Words:
    """The command that makes record and entry of an image, subvolume or snapshot again.

    `lists` are the options that name the lists of Kubernetes.
    """
    name = (*dashes(request_name), request_name) if request_name else ()
    return ("attach", "--journal", journal, *lists, *name[:-1], uuid, *name[-1:])


def remove_member(group_name: str, member: str) -> Words:
    """The command that takes a member out of a group."""
    return ("remove", group_name, *dashes(member), member)


def retire(name: str) -> Words:
    """The command that takes a volume or snapshot out of use, by its UUID or image."""
    return ("retire", *dashes(name), name)


def dashes(argument: str) -> Words:
    """What must stand before an argument that looks like an option."""
    return ("--",) if argument.startswith("-") else ()
