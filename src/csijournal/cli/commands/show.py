"""csijournal show."""

from __future__ import annotations

import click

from csijournal.check.elsewhere import namespaces_with_journals
from csijournal.check.referrers import SECONDS_MAX, Search
from csijournal.cli.connect import open_place
from csijournal.cli.following import around, tell_all
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import note, print_json, print_lines, report
from csijournal.cli.rados_options import handles_meant
from csijournal.cli.resolve import handle_or_none
from csijournal.cli.shell import command_line
from csijournal.cli.stories import Told, error_of
from csijournal.cli.told import told_as_json, told_lines
from csijournal.errors import NotFound
from csijournal.store import Store
from csijournal.store.rados.csi_config import read_clusters
from csijournal.wire.handles import Handle
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import shortened


@click.command(
    "show",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd show pvc-2b0ed4e7-6f1c-4f6e-9d0a-3c1b0b3d8a51",
        "csijournal -p rbd show csi-vol-group-8857a21c-fc4f-4577-98f4-a7b5f055388e",
        "csijournal -c /etc/ceph/ceph.conf show \\",
        "  0001-0009-rook-ceph-0000000000000002-8857a21c-fc4f-4577-98f4-a7b5f055388e",
    ],
)
@click.argument("what")
@click.option("--referrers", is_flag=True, help="Search all entries and records for it.")
@journal_option
@click.pass_obj
def command(settings: Settings, what: str, referrers: bool) -> None:
    """Tell all about a record, a name or a handle; change nothing.

    A record is that of a volume, a snapshot or a group.
    WHAT is a request name (a volume's is the name of its PV), a UUID, the name
    of an image, subvolume, snapshot or group, the name of a record's object as
    `rados ls` prints it, or a CSI handle.  All that it can mean is printed: who
    points at it, whose it says it is, what it refers to and what refers to it,
    and where something is wrong with a group the commands for each case.  A
    handle finds its pool by itself where RADOS options are given without -p.

    What refers to it, and what no name leads to, is searched among the
    instance's records for 10 seconds; --referrers searches everything, which
    lists the pool.  Exit code 3: nothing is there.  Exit code 6: it contradicts
    itself.
    """
    handle = handle_or_none(what)
    schemas = settings.schemas
    with open_place(settings, handle=handle) as store:
        told, search = tell_all(store, settings, what, referrers=referrers)
        if not told:
            raise _not_found(store, settings, what, search, handle)
    for number, one in enumerate(told):
        if settings.json:
            found_by = {"looked_in": settings.looked_in} if settings.looked_in else {}
            print_json(told_as_json(one) | found_by)
        else:
            print_lines([*([""] if number else []), *told_lines(settings, one)])
    _say_what_was_not_searched(settings, what, told, schemas)
    error = error_of(told)
    if error is None:
        return
    if settings.json:
        report(settings, error, error.exit_code, hint="")
    raise click.exceptions.Exit(error.exit_code)


def _say_what_was_not_searched(
    settings: Settings, what: str, told: list[Told], schemas: tuple[AnySchema, ...]
) -> None:
    """Say what else may refer to what was found, and how to search there."""
    cut = [one for one in told if not one.all_searched]
    left = {
        schema.journal
        for one in told
        for schema in around(one, full=True)
        if schema in schemas and schema not in one.searched
    }
    if not (cut or left):
        return
    what_is_left = f"the journal of {' and '.join(sorted(left))}" if left else "the rest"
    if cut:
        what_is_left = f"what {SECONDS_MAX:.0f} s were not enough for" + (
            f", and {what_is_left}" if left else ""
        )
    note(settings, f"not searched for what refers to it: {what_is_left}; {_more(settings, what)}")


def _more(settings: Settings, what: str) -> str:
    chosen = settings.given.get("journal")
    words = ["show", "--referrers", *(["--journal", chosen] if chosen else [])]
    words += [*(["--"] if what.startswith("-") else []), what]
    return f"to search all of it: {command_line(settings, words, settings.instance_id)}"


def _not_found(
    store: Store, settings: Settings, what: str, search: Search, handle: Handle | None
) -> NotFound:
    rest = "" if search.complete else f", stopped after {SECONDS_MAX:.0f} s"
    journals = ", ".join(schema.journal for schema in settings.schemas)
    looked = (
        f"Looked in {_location(store)}, instance {settings.instance_id}: for a request name,"
        " a UUID, the name of an image, snapshot or group, and a handle, in the journals of"
        f" {journals}, and among what the records refer to ({search.records:,} searched{rest})."
    )
    if handle is not None and store.pool_id is not None:
        meant = {one.location_id for one in handles_meant(settings.given, handle)}
        if store.pool_id not in meant:
            looked += f" The handle names the pool with the id {handle.location_id}."
        if "cluster_mapping" not in settings.given:
            looked += (
                " The number in a handle is that of the cluster that made it: where that is"
                " another one, --cluster-mapping says what it stands for here, or give -p."
            )
    looked += _neighbours(store, settings)
    more = _more(settings, what)
    return NotFound(
        f"nothing in the journal answers to {shortened(what)}",
        hint=looked if search.full else f"{looked} {more[0].upper()}{more[1:]}",
    )


def _neighbours(store: Store, settings: Settings) -> str:
    """Which namespaces of the pool hold journals, as a sentence; empty where there are no pools."""
    if store.pool_id is None:
        return ""
    path = settings.given.get("csi_config")
    clusters = read_clusters(path).values() if path else ()
    further = [name for one in clusters for name in (one.rbd_namespace, one.cephfs_namespace)]
    found = list(namespaces_with_journals(store, [settings.instance_id], further=further))
    if not found:
        return " None of the pool's usual namespaces holds a journal of this instance."
    names = ", ".join(repr(name) if name else "the default one" for name in found)
    return f" Namespaces of this pool that hold journals: {names}."


def _location(store: Store) -> str:
    """The place with all that tells it from a neighbour."""
    if store.pool_id is None:
        return store.place
    usual = "" if store.namespace else ", default namespace"
    return f"{store.place} (pool id {store.pool_id}{usual})"
