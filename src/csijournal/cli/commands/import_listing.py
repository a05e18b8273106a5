"""csijournal import-listing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import click

from csijournal.archive import ArchiveWriter, Record
from csijournal.cli import exit_codes
from csijournal.cli.apply import changing_nothing
from csijournal.cli.files import STANDARD, readable, replacing, standard_output
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json
from csijournal.errors import Conflict, InvalidInput, NotFound, printable
from csijournal.transfer.listing_commands import Place
from csijournal.transfer.listings import LISTING, Listings
from csijournal.wire.ownership import ObjectRole, owner_of
from csijournal.wire.text import number_of

_NAMED_MAX = 20
"""How many problems are told one by one; all of them are counted."""

_NOT_TOLD = (
    "what a listing does not tell: the empty key (the owner of a CephFS snapshot), when an object"
    " was written, and what nobody listed"
)


@click.command(
    "import-listing",
    cls=JournalCommand,
    examples=[
        "csijournal import-listing must-gather/ --to journal.jsonl",
        "csijournal -p replicapool import-listing ticket.txt --to journal.jsonl",
        "csijournal --store sqlite:///tmp/copy.db restore journal.jsonl --apply",
        "csijournal --store sqlite:///tmp/copy.db verify --full --grace 0s",
    ],
)
@click.argument("paths", metavar="DIR|FILE...", nargs=-1, required=True)
@click.option(
    "--to",
    "file",
    metavar="FILE",
    default=STANDARD,
    help="Where the archive goes.  [standard output]",
)
@click.pass_obj
def command(settings: Settings, paths: Sequence[str], file: str) -> None:
    """Make an archive of what `rados listomapvals` printed.

    And `rados getomapval`.  Reads text as tickets and must-gather archives hold
    it: command lines with their output, files named like the object that they
    list, and must-gather's rados_rbd_objects and rados_cephfs_objects.  A DIR is
    read with all files below it; a FILE of - is standard input.  Where several
    pools are listed, -p and -N say which one is meant.

    `csijournal restore` puts the archive into a SQLite file, on which all
    commands work.  That file is a copy: what stands behind its records is not
    known, so that nothing in it is removed without --assume-nothing-behind.

    Exit code 1: some of the text could not be understood; it is told which.
    """
    listings = Listings()
    with changing_nothing(settings):
        for path in chain.from_iterable(map(_files, paths)):
            _read(listings, path)
        place = _chosen(settings, listings.places())
        records = [*listings.records(place)]
        with standard_output() if file == STANDARD else replacing(Path(file)) as stream:
            _write(stream, place, records)
    _tell(settings, listings, place, records, file)
    raise click.exceptions.Exit(exit_codes.FINDINGS if listings.problems else exit_codes.OK)


# Reading


def _files(path: str) -> Iterator[str]:
    """The file itself, or all regular files below a folder, by name."""
    if path == STANDARD or not Path(path).is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=_cannot_list):
        folders.sort()
        for name in sorted(names):
            found = Path(folder, name)
            if found.is_file() and not found.is_symlink():
                yield str(found)


def _cannot_list(error: OSError) -> None:
    name = printable(str(error.filename))
    raise InvalidInput(f"{name} cannot be read: {error.strerror}") from error


def _read(listings: Listings, path: str) -> None:
    with readable(path) as opened:
        opened.seek(0)
        # Other files of an archive may hold anything; bytes that are not text come back as bytes.
        lines = (line.decode(errors="surrogateescape") for line in opened)
        listings.add(lines, "standard input" if path == STANDARD else path)


def _chosen(settings: Settings, places: Sequence[Place]) -> Place:
    """The one place that was listed, or that the options name."""
    pool, namespace = settings.rados.get("pool"), settings.rados.get("namespace")
    found = [
        place
        for place in places
        if pool in {None, place.pool} and namespace in {None, place.namespace}
    ]
    if not found:
        raise NotFound(
            "no listing of a journal's object was found",
            hint="The text is that of `rados -p POOL listomapvals OBJECT`, with its command line,"
            " or in a file named OBJECT",
        )
    if len(found) > 1:
        raise Conflict(
            f"there are listings of {len(found)} places: {', '.join(map(_in_words, found))}",
            hint="Say which one is meant, with -p POOL and -N NAMESPACE",
        )
    return found[0]


def _write(stream: IO[bytes], place: Place, records: Sequence[Record]) -> None:
    with ArchiveWriter(stream, kind=LISTING, place=f"listing of {place}") as archive:
        for record in records:
            archive.write(record)


def _in_words(place: Place) -> str:
    return printable(str(place))


# What is said


def _tell(
    settings: Settings, listings: Listings, place: Place, records: Sequence[Record], file: str
) -> None:
    counts = listings.counts
    objects = {record.object_name for record in records}
    directories = sum(_is_directory(name) for name in objects)
    for problem in listings.problems[:_NAMED_MAX]:
        note(settings, problem)
    said = {
        "more problems": max(0, len(listings.problems) - _NAMED_MAX),
        "entries that have the UUID of the record that says their name": counts.put_together,
        "leases left out: they were true at their moment only": counts.leases,
        "keys left out that are not a journal's": counts.foreign_keys,
        "listings left out of objects that are not a journal's": counts.foreign_objects,
    }
    for what, count in said.items():
        if count:
            note(settings, f"{count:,} {what}")
    for name in counts.without_keys[:_NAMED_MAX]:
        note(settings, f"{name} lists no keys: it is empty, was not there, or holds the empty key")
    note(settings, _NOT_TOLD)
    told = number_of(len(objects) - directories, "record")
    named = number_of(directories, "directory object")
    note(settings, f"{told} in {_in_words(place)}, and {named}")
    if settings.json and file != STANDARD:
        print_json(
            {
                "file": file,
                "pool": place.pool,
                "namespace": place.namespace,
                "directories": directories,
                "records": len(objects) - directories,
                "put_together": counts.put_together,
                "without_keys": counts.without_keys,
                "problems": listings.problems,
            }
        )


def _is_directory(name: str) -> bool:
    owned = owner_of(name)
    return owned is not None and owned.role is ObjectRole.DIRECTORY
