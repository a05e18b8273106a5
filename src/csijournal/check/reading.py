"""Reading for a check: all that can be read, and what cannot be read beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from csijournal.store.contract import Store, Unreadable, unreadable_in
from csijournal.wire.records import AnyRecord
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import encode


@dataclass(frozen=True)
class Seen:
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
    names = map(schema.record_object, uuids)
    for name, entries in store.read_objects(names, sentinel=schema.name_key):
        record = None if entries is None else schema.parse(entries)
        yield Seen(schema, schema.uuid_of_record(name) or "", record, unreadable_in(entries))


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


def as_cut_key(store: Store, object_name: str, key: str) -> Unreadable | None:
    """The key as one that cannot be read, where only a listing shows it; else None.

    librados hands a key that holds U+0000 out up to there, so that a listing shows
    a key that a keyed read does not find.
    """
    shown = store.read_page(object_name, prefix=key, limit=1) or {}
    if key not in shown or key in (store.read_keys(object_name, (key,)) or {}):
        return None
    return Unreadable(object_name, encode(key), "holds U+0000: it is longer than shown")
