"""What Kubernetes holds: the handles in lists that `kubectl get … -o json` printed.

csijournal never talks to Kubernetes.  A list is a List, the list of one kind as
the API serves it, single objects, or any of these one after another.  A kind
that no list has was not looked at: kubectl's empty List does not say what it is empty of,
and a single object does not say that there are no others.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from csijournal.errors import InvalidHandle, InvalidInputFile, printable
from csijournal.inventory.contract import NotCompared, Role
from csijournal.inventory.json_input import as_text
from csijournal.inventory.kubernetes_objects import (
    KubernetesObject,
    MalformedObject,
    NamedHandle,
    ObjectKind,
    Relation,
    describe,
    handles_in,
    is_ceph_driver,
    is_static,
    kind_named,
)
from csijournal.wire.handles import Handle, is_migrated_handle

STANDARD_INPUT = "-"
STDIN_NAME = "standard input"

MAKE_HINT = (
    "Make it so, with the types that your cluster knows: for type in persistentvolumes"
    " volumesnapshotcontents volumegroupsnapshotcontents volumegroupreplicationcontents;"
    " do kubectl get $type -o json; done > FILE"
)
_API_PATHS = {
    ObjectKind.VOLUME: "/api/v1/persistentvolumes",
    ObjectKind.SNAPSHOT: "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    ObjectKind.GROUP_SNAPSHOT: (
        "/apis/groupsnapshot.storage.k8s.io/v1beta1/volumegroupsnapshotcontents"
    ),
    ObjectKind.GROUP_REPLICATION: (
        "/apis/replication.storage.openshift.io/v1alpha1/volumegroupreplicationcontents"
    ),
}

# The larger part of a list, and nothing for us.
_UNUSED_FIELD = "managedFields"


@dataclass(frozen=True)
class KnownHandle:
    """A handle of Ceph-CSI's that Kubernetes knows, and the object that names it."""

    handle: Handle
    role: Role
    relation: Relation
    object: KubernetesObject


@dataclass
class PassedOver:
    """How many objects no journal can hold, or whose handle cannot be read.

    `pending` are objects that have no handle yet: the driver may be at work for
    them.  `unreadable` are Ceph-CSI's by their driver, with a handle that is none.
    """

    other_drivers: int = 0
    static: int = 0
    migrated: int = 0
    other_kinds: int = 0
    pending: list[KubernetesObject] = field(default_factory=list)
    unreadable: list[tuple[KubernetesObject, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ListSource:
    """One file that was given.  `listed_ns`: when the list was made, as far as we know."""

    name: str
    listed_ns: int
    counts: Mapping[ObjectKind, int]


class KubernetesLists:
    """Everything that the lists say, by UUID: pools and cluster ids may have been mapped."""

    def __init__(self) -> None:
        self.passed_over = PassedOver()
        self.sources: list[ListSource] = []
        self._by_uuid: defaultdict[str, list[KnownHandle]] = defaultdict(list)
        self._listed: set[ObjectKind] = set()
        self._incomplete: dict[ObjectKind, str] = {}

    @classmethod
    def read(
        cls,
        paths: Iterable[str | os.PathLike[str]],
        *,
        listed_ns: int | None = None,
        stdin: BinaryIO | None = None,
    ) -> KubernetesLists:
        """The lists in these files, `-` being standard input.  Raises InvalidInputFile.

        All were made at `listed_ns`; without it, a file's time is taken for
        the time of its lists.
        """
        lists = cls()
        for path in paths:
            name = os.fspath(path)
            if name == STANDARD_INPUT:
                raw, name, file_ns = (stdin or sys.stdin.buffer).read(), STDIN_NAME, time.time_ns()
            else:
                raw, name, file_ns = _read_file(name)
            lists.add(raw, name, file_ns if listed_ns is None else listed_ns)
        return lists

    def add(self, raw: bytes, name: str, listed_ns: int) -> None:
        """Take in the contents of the file `name`.  Raises InvalidInputFile."""
        counts: Counter[ObjectKind] = Counter()
        for number, document in enumerate(_documents(as_text(raw, name, MAKE_HINT), name), 1):
            self._add_document(document, _Where(name, number), counts)
        self.sources.append(ListSource(name, listed_ns, dict(counts)))

    # What the lists say

    def named(self, uuid: str) -> Sequence[KnownHandle]:
        """All handles with this UUID; compare their ids by ClusterMapping."""
        return self._by_uuid.get(uuid, ())

    def holders(self, uuid: str, role: Role) -> list[KnownHandle]:
        """The objects that stand for this volume, snapshot or group."""
        return [
            known
            for known in self.named(uuid)
            if known.role is role and known.relation is Relation.HOLDS
        ]

    def handles(self) -> Iterator[KnownHandle]:
        """All handles that objects hold or name."""
        for known in self._by_uuid.values():
            yield from known

    @property
    def listed_ns(self) -> int | None:
        """When the oldest of the lists was made; None without lists."""
        return min((source.listed_ns for source in self.sources), default=None)

    def looked_at(self) -> frozenset[ObjectKind]:
        """The kinds of which there is a list, complete or not."""
        return frozenset(self._listed)

    def not_compared(self, kinds: Iterable[ObjectKind] = ObjectKind) -> tuple[NotCompared, ...]:
        """Of these kinds those without a list, and those whose list was cut short.

        The sidecar of group snapshots and CSI-Addons are not everywhere: whether
        a missing kind matters is for the caller.
        """
        wanted = [*kinds]
        missing = (
            NotCompared(f"Kubernetes' {kind.value}s", "no list has this kind", _empty_hint(kind))
            for kind in wanted
            if kind not in self._listed
        )
        cut = (
            NotCompared(f"Kubernetes' {kind.value}s", self._incomplete[kind], MAKE_HINT)
            for kind in wanted
            if kind in self._listed and kind in self._incomplete
        )
        return (*missing, *cut)

    def is_complete(self, kind: ObjectKind) -> bool:
        """Whether a list of this kind was given, and none was cut short."""
        return kind in self._listed and kind not in self._incomplete

    # Taking in

    def _add_document(
        self, document: Mapping[str, Any], where: _Where, counts: Counter[ObjectKind]
    ) -> None:
        kind = kind_named(document.get("kind"))
        items = document.get("items")
        if items is None:
            self._add_item(document, kind, where, counts)
            return
        if not isinstance(items, list):
            raise where.error("items is not a list")
        listed: Counter[ObjectKind] = Counter()
        if kind:
            listed[kind] += 0  # an empty list of one kind says that there are none
        self._note_cut(document, kind, where)
        for number, item in enumerate(items, 1):
            at = where.item(number)
            if not isinstance(item, dict):
                raise at.error("it is not an object")
            # The API leaves kinds out of the items of a built-in kind's list.
            self._add_item(item, kind_named(item.get("kind")) or kind, at, listed)
        self._listed.update(listed)
        counts.update(listed)

    def _note_cut(
        self, document: Mapping[str, Any], kind: ObjectKind | None, where: _Where
    ) -> None:
        metadata = document.get("metadata")
        if not (metadata is None or isinstance(metadata, dict)):
            raise where.error("metadata is not an object")
        if metadata and metadata.get("continue"):
            why = f"{where} is a part of a longer list (metadata.continue is set)"
            self._incomplete |= dict.fromkeys([kind] if kind else ObjectKind, why)

    def _add_item(
        self,
        item: Mapping[str, Any],
        kind: ObjectKind | None,
        where: _Where,
        counts: Counter[ObjectKind],
    ) -> None:
        if kind is None:
            self._require_object(item, where)
            self.passed_over.other_kinds += 1
            return
        counts[kind] += 1
        try:
            described = describe(kind, item, where.file)
            handles = handles_in(kind, item)
        except MalformedObject as error:
            raise where.error(str(error), kind.value) from error
        self._add_handles(described, handles)

    def _require_object(self, item: Mapping[str, Any], where: _Where) -> None:
        if item.get("kind") == "Status":
            said = printable(str(item.get("message") or item.get("reason") or "it says no more"))
            raise where.error(f"it is no list but an error of Kubernetes: {said}")
        if not isinstance(item.get("kind"), str):
            raise where.error("it has no kind, so it is not an object of Kubernetes")

    def _add_handles(self, described: KubernetesObject, handles: Sequence[NamedHandle]) -> None:
        held = next((it.text for it in handles if it.relation is Relation.HOLDS), "")
        if is_static(described):
            self.passed_over.static += 1
        elif is_migrated_handle(held):
            self.passed_over.migrated += 1
        elif not held:
            self._pass_over_without_handle(described)
            self._keep(described, handles)
        elif _parsed(held) or is_ceph_driver(described.driver):
            if not _parsed(held):
                self.passed_over.unreadable.append((described, held))
            self._keep(described, handles)
        else:
            self.passed_over.other_drivers += 1

    def _pass_over_without_handle(self, described: KubernetesObject) -> None:
        # A PersistentVolume without a CSI handle is of another type, such as NFS.
        if described.kind is ObjectKind.VOLUME:
            self.passed_over.other_drivers += 1
        else:
            self.passed_over.pending.append(described)

    def _keep(self, described: KubernetesObject, handles: Iterable[NamedHandle]) -> None:
        for named in handles:
            handle = _parsed(named.text)
            if handle is not None:
                known = KnownHandle(handle, named.role, named.relation, described)
                self._by_uuid[handle.object_uuid].append(known)


@dataclass(frozen=True)
class _Where:
    """A part of the input, for messages."""

    file: str
    document: int
    number: int = 0

    def item(self, number: int) -> _Where:
        return _Where(self.file, self.document, number)

    def __str__(self) -> str:
        item = f", item {self.number}" if self.number else ""
        return f"{printable(self.file)}, document {self.document}{item}"

    def error(self, problem: str, kind: str = "") -> InvalidInputFile:
        what = f" ({kind})" if kind else ""
        return InvalidInputFile(f"{self}{what}: {problem}", hint=MAKE_HINT)


def _empty_hint(kind: ObjectKind) -> str:
    return (
        "An empty list of `kubectl get` does not say of which kind there are none. The API's"
        f" own does: kubectl get --raw {_API_PATHS[kind]} >> FILE"
        " (`kubectl api-versions` shows the versions that your cluster has). Where your cluster"
        f' does not know the kind: echo \'{{"kind": "{kind.value}List", "items": []}}\' >> FILE'
    )


def _read_file(name: str) -> tuple[bytes, str, int]:
    path = Path(name)
    try:
        return path.read_bytes(), name, path.stat().st_mtime_ns
    except OSError as error:
        raise InvalidInputFile(
            f"{printable(name)} cannot be read: {error.strerror}", hint=MAKE_HINT
        ) from error


def _documents(text: str, name: str) -> Iterator[Mapping[str, Any]]:
    decoder = json.JSONDecoder(object_hook=_without_unused)
    end, number = _skip_space(text, 0), 0
    if end == len(text):
        raise InvalidInputFile(f"{printable(name)} is empty", hint=MAKE_HINT)
    while end < len(text):
        number += 1
        document, end = _decoded(decoder, text, end, _Where(name, number))
        yield document
        del document  # before the next one is made: each may be large
        end = _skip_space(text, end)


def _decoded(
    decoder: json.JSONDecoder, text: str, start: int, where: _Where
) -> tuple[Mapping[str, Any], int]:
    try:
        document, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise where.error(
            f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
            " (kubectl needs `-o json`; a file that was cut off ends too early)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise where.error(f"it is not JSON that can be read: {error}") from error
    if not isinstance(document, dict):
        raise where.error("it is not an object")
    return document, end


def _without_unused(fields: dict[str, Any]) -> dict[str, Any]:
    """Drop what nobody asks for while the text is read, which halves the memory."""
    fields.pop(_UNUSED_FIELD, None)
    return fields


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _parsed(text: str) -> Handle | None:
    try:
        return Handle.parse(text)
    except InvalidHandle:
        return None
