"""Reading for a check: all that can be read, and what cannot be read beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from csijournal.store.contract import Store, Unreadable, unreadable_in
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import AnySchema


class Seen(NamedTuple):
    """A record as it was read; `record` is None where there is none."""

    schema: AnySchema
    uuid: str
    record: AnyRecord | None
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def object_name(self) -> str:
        """The object of the record."""
        return self.schema.record_object(self.uuid)


def read_records(store: Store, schema: AnySchema, uuids: Iterable[str]) -> Iterator[Seen]:
    """The records of these UUIDs, in their order."""
    start = len(schema.record_prefix)
    names = map(schema.record_object, uuids)
    for name, entries in store.read_objects(names, sentinel=schema.name_key):
        record = None if entries is None else schema.parse(entries)
        yield Seen(schema, name[start:], record, unreadable_in(entries))


def read_pages(
    store: Store, object_name: str, *, prefix: str = ""
) -> Iterator[tuple[dict[str, bytes], tuple[Unreadable, ...]]]:
    """All pages of keys that start with `prefix`, each with what beside it cannot be read.

    The last page may have no entries, and unreadable keys all the same.
    """
    after = ""
    while (page := store.read_page(object_name, after=after, prefix=prefix)) is not None:
        if page or unreadable_in(page):
            yield page, unreadable_in(page)
        if not page:
            return
        after = max(page)
