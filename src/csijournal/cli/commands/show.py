"""csijournal show."""

from __future__ import annotations

from collections.abc import Iterator

import click

from csijournal.check.referrers import SECONDS_MAX, Referrer, Search
from csijournal.cli.connect import open_place
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import print_json, print_lines, report
from csijournal.cli.progress import Bar, Position
from csijournal.cli.resolve import handle_or_none, require_a_name
from csijournal.cli.shell import command_line
from csijournal.cli.stories import Told, Tracker, error_of, told_as_json, told_lines
from csijournal.errors import NotFound
from csijournal.journal.steps import Records
from csijournal.store import Store
from csijournal.wire.handles import Handle
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import shortened


@click.command(
    "show",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd show groupsnapshot-42",
        "csijournal -p rbd show csi-vol-group-8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csijournal -c /etc/ceph/ceph.conf show \\",
        "  0001-0009-rook-ceph-0000000000000002-8857a21c-fc4f-4577-98f4-a7b5f055388e",
    ],
)
@click.argument("what")
@click.option("--referrers", is_flag=True, help="Search all entries and groups for it.")
@click.pass_obj
def command(settings: Settings, what: str, referrers: bool) -> None:
    """Tell all about a group, a name or a handle; change nothing.

    WHAT is a request name, a group UUID, a group name, the name of a group
    object as `rados ls` prints it, or the CSI handle of a group, or of a volume
    or snapshot that is a member of groups.  All that it can mean is printed:
    who points at the group, whose it says it is, and where something is wrong
    the commands for each case.  A handle finds its pool by itself where RADOS
    options are given without -p.

    What no name leads to is searched among the instance's groups for 10
    seconds; --referrers searches everything, which lists the pool.  Exit code
    3: nothing is there.  Exit code 6: it contradicts itself.
    """
    handle = handle_or_none(what)
    with open_place(settings, handle=handle) as store:
        told, search = _told(store, settings, what, referrers=referrers)
        if not told:
            raise _not_found(store, settings, what, search, handle)
    for number, one in enumerate(told):
        if settings.json:
            found_by = {"looked_in": settings.looked_in} if settings.looked_in else {}
            print_json(told_as_json(one) | found_by)
        else:
            print_lines([*([""] if number else []), *told_lines(settings, one)])
    error = error_of(told)
    if error is None:
        return
    if settings.json:
        report(settings, error, error.exit_code, hint="")
    raise click.exceptions.Exit(error.exit_code)


def _told(
    store: Store, settings: Settings, what: str, *, referrers: bool
) -> tuple[list[Told], Search]:
    """The stories of all that `what` can mean, and the search where one was made."""
    tracker = Tracker(Records(store, GROUPS, settings.instance_id))
    tracker.follow_names(what)
    search = Search(store, settings.instance_id, what, full=referrers)
    if not (referrers or tracker.told):
        require_a_name(what)
    if referrers or not tracker.told:
        for referrer in _watched(search):
            tracker.follow_referrer(referrer)
    return tracker.told, search


def _watched(search: Search) -> Iterator[Referrer]:
    bar = Bar(lambda: Position("searching groups", search.groups, None))
    with bar.shown():
        yield from search.run()


def _not_found(
    store: Store, settings: Settings, what: str, search: Search, handle: Handle | None
) -> NotFound:
    words = ["show", "--referrers", *(["--"] if what.startswith("-") else []), what]
    more = command_line(settings, words, settings.instance_id)
    rest = "" if search.complete else f", and was stopped after {SECONDS_MAX:.0f} s"
    looked = (
        f"Looked in {_location(store)}, instance {settings.instance_id}: for a request name,"
        " a UUID, a group name and a handle, and among the members of"
        f" {search.groups:,} groups{rest}."
    )
    if handle is not None and store.pool_id not in {None, handle.location_id}:
        looked += f" The handle names the pool with the id {handle.location_id}."
    return NotFound(
        f"nothing in the journal answers to {shortened(what)}",
        hint=looked if search.full else f"{looked} To search all of it: {more}",
    )


def _location(store: Store) -> str:
    """The place with all that tells it from a neighbour."""
    if store.pool_id is None:
        return store.place
    usual = "" if store.place.removeprefix("rados://").partition("/")[2] else ", default namespace"
    return f"{store.place} (pool id {store.pool_id}{usual})"
