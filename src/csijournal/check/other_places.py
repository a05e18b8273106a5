"""Records in other namespaces of the pool, and in other pools of the cluster.

A handle names no namespace, and after a failover it may name another pool than
the one that it means.  So a record is missing only where none of these has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from csijournal.check.elsewhere import likely_namespaces
from csijournal.check.handle_location import HandleLocation
from csijournal.errors import StoreError
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.handles import Handle
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import AnySchema


class OtherPlaces:
    """Looks for records beside `store`, by keyed reads in the namespaces that hold journals.

    `namespaces` are further ones, such as a configuration names.
    """

    def __init__(self, store: Store, namespaces: Iterable[str] = ()) -> None:
        self._store = store
        self._further = (store.namespace, *namespaces)
        self._namespaces: dict[int, list[str]] = {}
        self.not_read: dict[str, str] = {}
        """Locations that could not be read, in words, each with the reason."""

    def find(
        self, pool_id: int, schema: AnySchema, uuids: Collection[str], *, named: bool = False
    ) -> set[str]:
        """Those of `uuids` that have a record in any place of this pool but that of the store.

        With `named`, one that says whose it is: the NFS driver makes others.
        """
        found: set[str] = set()
        for namespace in self.namespaces(pool_id) if uuids else ():
            left = [uuid for uuid in uuids if uuid not in found]
            found.update(self._find_in(pool_id, namespace, schema, left, named))
        return found

    def follow(
        self,
        location: HandleLocation,
        schema: AnySchema,
        handles: Mapping[str, Iterable[Handle]],
    ) -> set[str]:
        """The UUIDs of those that have a record where one of their handles leads to, but here."""
        by_number: defaultdict[int, set[str]] = defaultdict(set)
        for uuid, named in handles.items():
            for number in {other for handle in named for other in location.others(handle)}:
                by_number[number].add(uuid)
        found: set[str] = set()
        for number, wanted in by_number.items():
            pool_id = location.pool_of(number)
            if pool_id is not None:
                found |= self.find(pool_id, schema, sorted(wanted))
        return found

    def namespaces(self, pool_id: int) -> list[str]:
        """Where `find` looks."""
        if pool_id not in self._namespaces:
            own = self._store.namespace if pool_id == self._store.pool_id else None
            found = self._likely(pool_id)
            self._namespaces[pool_id] = [name for name in found if name != own]
        return self._namespaces[pool_id]

    def _likely(self, pool_id: int) -> list[str]:
        try:
            beside = self._store.beside(pool_id, "")
            if beside is None:
                return []
            with beside:
                return likely_namespaces(beside, further=self._further)
        except StoreError as error:
            self._note(pool_id, "", error)
            return []

    def _find_in(
        self,
        pool_id: int,
        namespace: str,
        schema: AnySchema,
        uuids: Collection[str],
        named: bool,
    ) -> Iterator[str]:
        try:
            beside = self._store.beside(pool_id, namespace)
            if beside is None:
                return
            with beside:
                records: AnyRecords = Records(beside, schema, DEFAULT_INSTANCE_ID)
                for uuid, record in records.read_records(uuids):
                    if record is not None and (record.populated or not named):
                        yield uuid
        except StoreError as error:
            self._note(pool_id, namespace, error)

    def _note(self, pool_id: int, namespace: str, error: StoreError) -> None:
        here = pool_id == self._store.pool_id
        name = f"namespace {namespace}" if namespace else "the default namespace"
        self.not_read[name if here else f"{name} of pool id {pool_id}"] = error.message
