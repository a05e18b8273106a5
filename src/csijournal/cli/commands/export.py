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
from csijournal.cli.options import JournalCommand, Settings, journal_option
from csijournal.cli.output import note, print_json
from csijournal.errors import NotFound
from csijournal.store import Store
from csijournal.transfer.export import Exporter, LeftOut
from csijournal.wire.ownership import ObjectRole, owner_of
from csijournal.wire.schema import SCHEMAS
from csijournal.wire.text import number_of, shortened


@click.command(
    "export",
    cls=JournalCommand,
    examples=[
        "csijournal -p rbd export journal.jsonl",
        "csijournal -p rbd export --all | gzip > journal.jsonl.gz",
        "csijournal -p rbd export pvc.jsonl --only pvc-2b0ed4e7-6f1c-4f6e-9d0a-3c1b0b3d8a51",
    ],
)
@click.argument("file", default=STANDARD)
@click.option("--all", "everything", is_flag=True, help="Every instance, and orphaned records too.")
@click.option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="Only what is about this request name, UUID or object; may be given more than once.",
)
@journal_option
@click.pass_obj
def command(settings: Settings, *, file: str, everything: bool, only: tuple[str, ...]) -> None:
    """Write the journals to FILE, or to standard output.

    One instance's directories of volumes, snapshots and groups with what they
    point at, or --all of the namespace, as JSON lines with a checksum at the
    end.  `csijournal restore` reads it.  FILE is replaced when the export is
    complete, and not before.  Leases and all that is not a journal's are left
    out, and what of a reservation lies in another pool; that, and keys that
    cannot be read, is named.
    """
    if everything and only:
        raise click.UsageError("--all is everything, and --only a part: give one of them.")
    with changing_nothing(settings), open_place(settings) as store:
        exporter = Exporter(store, settings.schemas)
        records = _records(settings, exporter, store, everything=everything, only=only)
        with standard_output() if file == STANDARD else replacing(Path(file)) as stream:
            counts = _write(stream, store, records)
    counted = [
        number_of(counts[schema.journal], schema.noun)
        for schema in settings.schemas
        if counts[schema.journal]
    ]
    note(
        settings,
        f"exported {' and '.join(counted) or 'no records'}; each is as it was at one moment, not"
        " all at the same one if drivers were at work",
    )
    _note_left_out(settings, exporter.left_out)
    if settings.json and file != STANDARD:
        left_out = {"left_out": _left_out_as_json(exporter.left_out)}
        print_json({"file": file, "place": store.place, **counts, **left_out})


def _records(
    settings: Settings,
    exporter: Exporter,
    store: Store,
    *,
    everything: bool,
    only: tuple[str, ...],
) -> Iterator[Record]:
    """The records, or NotFound before anything is written where there are none."""
    if only:
        return iter([found for name in only for found in _about(settings, exporter, store, name)])
    records = exporter.everything() if everything else exporter.instance(settings.instance_id)
    first = next(records, None)
    if first is None:
        raise NotFound(
            f"{store.place} holds no journal"
            + ("" if everything else f" of instance {settings.instance_id}"),
            hint="Check pool, namespace and --instance; --all exports every instance",
        )
    return chain([first], records)


def _about(settings: Settings, exporter: Exporter, store: Store, name: str) -> list[Record]:
    """What is about one name: an entry and a record for each journal at most, and few more."""
    records = list(exporter.only(settings.instance_id, name))
    if not records:
        raise NotFound(
            f"{store.place} holds nothing of {shortened(name)}, instance {settings.instance_id}",
            hint="Give a request name, a UUID or the name of a record's object",
        )
    return records


def _write(stream: IO[bytes], store: Store, records: Iterator[Record]) -> dict[str, int]:
    """Write the archive; how many records of each journal are in it."""
    counts = {schema.journal: 0 for schema in SCHEMAS}
    with ArchiveWriter(stream, kind="export", place=store.place) as archive:
        for record in records:
            archive.write(record)
            owned = owner_of(record.object_name)
            if owned is not None and owned.role is ObjectRole.RECORD:
                counts[owned.schema.journal] += 1
    return counts


def _note_left_out(settings: Settings, left_out: LeftOut) -> None:
    if left_out.leases:
        note(settings, f"{number_of(left_out.leases, 'lease')} left out: it is true now only")
    for named in left_out.named:
        note(settings, f"left out: {named}")
    more = left_out.total - len(left_out.named)
    if more:
        note(settings, f"left out: {more:,} more")


def _left_out_as_json(left_out: LeftOut) -> dict[str, object]:
    return {
        "leases": left_out.leases,
        "foreign_keys": left_out.foreign,
        "foreign_objects": left_out.foreign_objects,
        "in_other_pools": left_out.elsewhere,
        "unreadable_keys": left_out.unreadable,
        "named": left_out.named,
    }
