"""Which things have a record, and which names are a driver's: for what stands there without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from csijournal.check.context import Context
from csijournal.check.elsewhere import namespaces_with_journals
from csijournal.check.reading import Seen
from csijournal.errors import StoreError, printable
from csijournal.inventory.names import driver_name
from csijournal.journal.steps import Records
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import AnyRecord, ImageRecord
from csijournal.wire.schema import AnySchema, JournalSchema, R
from csijournal.wire.uuids import UUID_LENGTH

_PREFIXES_MAX = 32
"""How many name prefixes are learned: one for each class is all there should be."""


class RecordLookup:
    """The records of one check: those of its location, and what the pool holds beside it.

    Clusters that keep their journals in namespaces of their own may share what
    those stand for, so that a thing without a record here may have one there.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._namespaces: list[str] | None = None
        self._young: set[str] = set()

    def read(
        self, schema: JournalSchema[R], uuids: Iterable[str]
    ) -> Iterator[tuple[str, R | None]]:
        """The records of this location, read anew.  Raises StoreError."""
        return Records(self._context.store, schema, DEFAULT_INSTANCE_ID).read_records(uuids)

    def without(self, schema: AnySchema, uuids: Iterable[str]) -> set[str]:
        """Those of `uuids` that have no record, here or in another namespace.

        Keyed reads, and only for what the check did not meet.  Raises StoreError.
        """
        left = {uuid for uuid in uuids if not self._context.is_known(schema, uuid)}
        left -= {uuid for uuid, record in self.read(schema, sorted(left)) if record is not None}
        for namespace in self._other_namespaces() if left else ():
            left -= self._elsewhere(namespace, schema, left)
        return left

    def is_young(
        self, schema: AnySchema, uuid: str, record: AnyRecord, instance_id: str = ""
    ) -> bool:
        """Whether a driver may be making what belongs to the record, or has just removed both.

        Such a record is counted as pending, once.  Raises StoreError.
        """
        if uuid in self._young:
            return True
        seen = Seen(schema, uuid, record)
        is_old = self._context.is_left(seen, record.request_name, instance_id)
        if not is_old:
            self._young.add(uuid)
        return not is_old

    @property
    def namespaces(self) -> str:
        """Where records were looked for, in words."""
        names = [self._context.store.namespace, *self._other_namespaces()]
        told = ", ".join(printable(name) or "the default one" for name in names)
        return f"namespace{'' if len(names) == 1 else 's'} {told}"

    def _other_namespaces(self) -> list[str]:
        """Those of the pool that may hold records, looked for once; in a full check it is walked.

        One that this user may not read is left out: what was looked in is told.
        """
        if self._namespaces is None:
            store, summary = self._context.store, self._context.summary
            known = namespaces_with_journals(store, summary.instances, further=summary.namespaces)
            names = dict.fromkeys(known)
            if self._context.full:
                with suppress(StoreError):
                    names.update(dict.fromkeys(store.namespaces()))
            self._namespaces = [name for name in names if name != store.namespace]
        return self._namespaces

    def _elsewhere(self, namespace: str, schema: AnySchema, uuids: set[str]) -> set[str]:
        pool_id = self._context.store.pool_id
        beside = None if pool_id is None else self._context.store.beside(pool_id, namespace)
        if beside is None:
            return set()
        with beside, suppress(StoreError):
            records = Records(beside, schema, DEFAULT_INSTANCE_ID).read_records(sorted(uuids))
            return {uuid for uuid, record in records if record is not None}
        return set()


class DriverNames:
    """The names that a driver gave to what one journal's records stand for.

    A name is a prefix and a UUID.  The default prefix is known, and others are
    learned from the records: a class may have its own.
    """

    def __init__(self, schema: AnySchema) -> None:
        self._prefixes = {schema.default_name_prefix}

    def learn(self, uuid: str, record: ImageRecord) -> None:
        """Learn the prefix of a record's name; not an empty one, which many names have."""
        name = record.image_name or ""
        prefix = name[:-UUID_LENGTH]
        if prefix and name.endswith(uuid) and len(self._prefixes) < _PREFIXES_MAX:
            self._prefixes.add(prefix)

    def is_one(self, name: str) -> bool:
        """Whether a name is a known prefix and a UUID."""
        parts = driver_name(name)
        return parts is not None and not parts.suffix and parts.prefix in self._prefixes
