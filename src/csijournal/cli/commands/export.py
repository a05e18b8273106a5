"""csijournal export."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

import click

from csijournal.archive import ArchiveWriter, Record
from csijournal.cli.apply import changing_nothing
from csijournal.cli.connect import open_place
from csijournal.cli.files import STANDARD, replacing, standard_output
from csijournal.cli.options import JournalCommand, Settings
from csijournal.cli.output import note, print_json
from csijournal.cli.render import number_of
from csijournal.errors import NotFound
from csijournal.store import Store
from csijournal.transfer.export import Exporter, LeftOut
from csijournal.wire.ownership import ObjectRole, owner_of


@click.command(
    "export",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd export journal.jsonl",
        "csijournal -p rbd export --all | gzip > journal.jsonl.gz",
    ],
)
@click.argument("file", default=STANDARD)
@click.option("--all", "everything", is_flag=True, help="Every instance, and orphaned groups too.")
@click.pass_obj
def command(settings: Settings, file: str, everything: bool) -> None:
    """Write the journal of groups to FILE, or to standard output.

    One instance's directory with its groups, or --all of the namespace, as
    JSON lines with a checksum at the end.  `csijournal restore` reads it.
    FILE is replaced when the export is complete, and not before.  Leases are
    left out, and so are volumes, snapshots and all else that is not of groups; keys
    that cannot be read are named.
    """
    with changing_nothing(settings), open_place(settings) as store:
        exporter = Exporter(store)
        records = _records(settings, exporter, store, everything=everything)
        with standard_output() if file == STANDARD else replacing(Path(file)) as stream:
            count = _write(stream, store, records)
    note(
        settings,
        f"exported {number_of(count, 'group')}; each is as it was at one moment, not all"
        " at the same one if drivers were at work",
    )
    _note_left_out(settings, exporter.left_out)
    if settings.json and file != STANDARD:
        print_json(
            {
                "file": file,
                "place": store.place,
                "groups": count,
                "left_out": _left_out_as_json(exporter.left_out),
            }
        )


def _records(
    settings: Settings, exporter: Exporter, store: Store, *, everything: bool
) -> Iterator[Record]:
    """The records, or NotFound before anything is written where there are none."""
    records = exporter.everything() if everything else exporter.instance(settings.instance_id)
    first = next(records, None)
    if first is None:
        raise NotFound(
            f"{store.place} holds no journal"
            + ("" if everything else f" of instance {settings.instance_id}"),
            hint="Check pool, namespace and --instance; --all exports every instance",
        )
    return chain([first], records)


def _write(stream: IO[bytes], store: Store, records: Iterator[Record]) -> int:
    """Write the archive; how many groups are in it."""
    count = 0
    with ArchiveWriter(stream, kind="export", place=store.place) as archive:
        for record in records:
            archive.write(record)
            owned = owner_of(record.object_name)
            count += owned is not None and owned.role is ObjectRole.RECORD
    return count


def _note_left_out(settings: Settings, left_out: LeftOut) -> None:
    if left_out.leases:
        note(settings, f"{number_of(left_out.leases, 'lease')} left out: it is true now only")
    for named in left_out.named:
        note(settings, f"left out: {named}")
    more = left_out.foreign + left_out.unreadable - len(left_out.named)
    if more:
        note(settings, f"left out: {more:,} more keys")


def _left_out_as_json(left_out: LeftOut) -> dict[str, object]:
    return {
        "leases": left_out.leases,
        "foreign_keys": left_out.foreign,
        "unreadable_keys": left_out.unreadable,
        "named": left_out.named,
    }
