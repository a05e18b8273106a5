"""A client that writes as Ceph-CSI does: without guards, in its order, one write at a time.

Made after `internal/journal/voljournal.go`; each step ends at a `yield`, so
that a test can let others work between any two of its writes.
"""

from __future__ import annotations

from collections.abc import Iterator

from csijournal import Store
from csijournal.errors import GuardFailed
from csijournal.store import Write
from csijournal.store.contract import ObjectAbsent
from support.recorded import directory_name, name_key, record_name


class Peer:
    """One driver.  `told` has each reservation that it acknowledged, with its record."""

    def __init__(self, store: Store, kind: str, *, source: str = "csi-vol-src") -> None:
        self._store = store
        self._kind = kind
        self._directory = directory_name(kind, "default")
        self._source = source
        self.told: dict[str, tuple[str, dict[str, bytes]]] = {}
        self.found: dict[str, str] = {}

    def reserve(self, request_name: str, uuid: str) -> Iterator[str]:
        """Look, create an empty record, point at it, fill it, and put the image's id."""
        key = record_name(self._kind, request_name)
        entry = (self._store.read_keys(self._directory, [key]) or {}).get(key)
        if entry is not None:
            self.found[request_name] = entry.decode()
            return
        yield "looked"
        record = record_name(self._kind, uuid)
        try:
            self._store.write(Write(record, guards=(ObjectAbsent(),)))
        except GuardFailed:
            return
        yield "created"
        self._store.write(Write(self._directory, puts={key: uuid.encode()}))
        yield "entered"
        attributes = self.attributes(request_name, uuid)
        self._store.write(Write(record, puts=attributes))
        yield "populated"
        attributes["csi.imageid"] = b"10ab12cd34ef"
        self._store.write(Write(record, puts={"csi.imageid": b"10ab12cd34ef"}))
        self.told[request_name] = (uuid, attributes)

    def undo(self, request_name: str, uuid: str) -> Iterator[str]:
        """Remove the record, then the entry."""
        self.told.pop(request_name, None)
        self._store.write(Write(record_name(self._kind, uuid), remove_object=True))
        yield "removed"
        key = record_name(self._kind, request_name)
        self._store.write(Write(self._directory, deletions=[key]))

    def attributes(self, request_name: str, uuid: str) -> dict[str, bytes]:
        """What a record of its has before the image exists."""
        prefix = {"volume": "csi-vol-", "snapshot": "csi-snap-"}[self._kind]
        attributes = {
            name_key(self._kind): request_name.encode(),
            "csi.imagename": f"{prefix}{uuid}".encode(),
            "csi.volume.owner": b"peer",
        }
        if self._kind == "snapshot":
            attributes["csi.source"] = self._source.encode()
        return attributes

    def require_all_there(self) -> None:
        """Everything that it was told is there, as it was written."""
        for request_name, (uuid, attributes) in self.told.items():
            key = record_name(self._kind, request_name)
            assert self._store.read_keys(self._directory, [key]) == {key: uuid.encode()}
            assert self._store.read_object(record_name(self._kind, uuid)) == attributes
