"""Compares instances and namespaces: one name reserved twice, one UUID in two places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from csijournal.check.catalog import FindingKind
from csijournal.check.comparing import Comparison, RecordSeen
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.reading import read_records
from csijournal.journal.steps import AnyRecords, Records
from csijournal.wire.schema import AnySchema
from csijournal.wire.text import shortened
from csijournal.wire.uuids import packed_uuid


class Across:
    """The records of several namespaces, in one look at each: some 150 bytes for a record."""

    def __init__(self) -> None:
        self._namespaces: dict[tuple[str, bytes], str] = {}

    def first_namespace(self, schema: AnySchema, uuid: str, namespace: str) -> str:
        """The namespace in which a record of this UUID was met first; `namespace` if here."""
        return self._namespaces.setdefault((schema.journal, packed_uuid(uuid)), namespace)


class _Twin(NamedTuple):
    """A record whose name another instance, or whose UUID another namespace, has too."""

    seen: RecordSeen
    instance_id: str
    namespace: str


class PlaceComparison(Comparison):
    """Finds what is reserved twice; `across` is shared by the checks of several namespaces."""

    def __init__(self, context: Context, across: Across | None = None) -> None:
        self._context = context
        self._across = across
        self._instances: dict[tuple[str, int], str] = {}
        self._twins: list[_Twin] = []

    def look(self, seen: RecordSeen) -> None:
        name = seen.record.request_name
        if name is None:
            return  # an attribute alone, as the NFS driver writes it into its own namespace
        namespace = self._context.store.namespace
        if self._across is not None:
            first = self._across.first_namespace(seen.schema, seen.uuid, namespace)
            if first != namespace:
                self._twins.append(_Twin(seen, "", first))
        if seen.entered and len(self._context.summary.instances) > 1:
            key = (seen.schema.journal, hash(name))
            other = self._instances.setdefault(key, seen.instance_id)
            if other != seen.instance_id:
                self._twins.append(_Twin(seen, other, namespace))

    @property
    def has_suspects(self) -> bool:
        return bool(self._twins)

    def look_again(self) -> Iterator[Finding]:
        for twin in self._twins:
            found = self._elsewhere(twin) if not twin.instance_id else self._beside(twin)
            if found:
                seen = twin.seen
                yield self._context.finding_of(
                    FindingKind.TWICE_RESERVED,
                    seen.schema,
                    seen.uuid,
                    found,
                    instance_id=seen.instance_id,
                    request_name=seen.record.request_name,
                )

    def _beside(self, twin: _Twin) -> str:
        """That another instance here holds the name for another record; "" where it does not."""
        name, seen = twin.seen.record.request_name or "", twin.seen
        entries = [
            self._records(seen.schema, instance_id).look_up(name)
            for instance_id in (twin.instance_id, seen.instance_id)
        ]
        uuids = {entry.uuid for entry in entries if entry is not None}
        if len(uuids) < 2:  # noqa: PLR2004 - one record of both is a finding of its own
            return ""
        return f"the instance {shortened(twin.instance_id)} holds this name for another record"

    def _elsewhere(self, twin: _Twin) -> str:
        """That another namespace has a record of the UUID; "" where it has none any more."""
        store, seen = self._context.store, twin.seen
        pool_id = store.pool_id
        beside = None if pool_id is None else store.beside(pool_id, twin.namespace)
        if beside is None:
            return ""
        with beside:
            (other,) = read_records(beside, seen.schema, [seen.uuid])
        (own,) = read_records(store, seen.schema, [seen.uuid])
        if own.record is None or other.record is None:
            return ""
        where = f"namespace {twin.namespace}" if twin.namespace else "the default namespace"
        return f"{where} has a record of this UUID too"

    def _records(self, schema: AnySchema, instance_id: str) -> AnyRecords:
        return Records(self._context.store, schema, instance_id, validate=False)
