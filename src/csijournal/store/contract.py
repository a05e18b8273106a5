"""What csijournal asks of a store.

A store is opened on one location (a pool and namespace, a file) and holds named
objects, each a sorted map from text to bytes.  It changes them by one atomic,
guarded operation on one object at a time; everything that the journal promises
is built from that.
"""

from __future__ import annotations

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, Union

from csijournal.errors import (
    Conflict,
    GuardFailed,
    InvalidInput,
    InvalidObjectName,
    StoreUnsuitable,
    UnreadableContent,
    printable,
)

if TYPE_CHECKING:
    from typing_extensions import Self

_Result = TypeVar("_Result")

_SURROGATE = re.compile("[\ud800-\udfff]")

PAGE_ENTRIES_MAX = 1000
"""How many entries a page holds at most where the caller does not say."""


class Guarantee(enum.Flag):
    """What a store promises; callers ask for what they need (`Store.require`)."""

    NONE = 0
    DURABLE = enum.auto()
    """What was acknowledged survives the death of the process and of the machine."""
    BETWEEN_PROCESSES = enum.auto()
    """Any number of processes on one machine may use the location at once."""
    BETWEEN_HOSTS = enum.auto()
    """Any number of hosts may use the location at once."""


@dataclass(frozen=True)
class ObjectAbsent:
    """Holds where the object does not exist."""


@dataclass(frozen=True)
class ObjectExists:
    """Holds where the object exists, be it empty."""


@dataclass(frozen=True)
class KeyAbsent:
    """Holds where the key is missing **or has an empty value**, object or no object.

    RADOS cannot tell the two apart, so no store does.
    """

    key: str


@dataclass(frozen=True)
class KeyPresent:
    """Holds where the key has a value that is not empty."""

    key: str


@dataclass(frozen=True)
class KeyEquals:
    """Holds where the key has exactly this value: UTF-8, not empty."""

    key: str
    value: bytes


@dataclass(frozen=True)
class Unchanged:
    """Holds where nothing wrote to the object since `read_state` gave this version."""

    version: int


Guard = Union[Unchanged, ObjectAbsent, ObjectExists, KeyAbsent, KeyPresent, KeyEquals]


@dataclass(frozen=True)
class Write:
    """One atomic operation on one object.

    All guards are judged on the object as it was before; if each holds, the
    deletions and then the puts are applied, or the object is removed.  Puts
    create the object where it is missing, and so does the guard ObjectAbsent.
    Deleting or removing what is not there is fine.
    """

    object_name: str
    guards: tuple[Guard, ...] = ()
    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletions: Collection[str] = ()
    remove_object: bool = False

    def __post_init__(self) -> None:
        check_name(self.object_name)
        for key in (*self.puts, *self.deletions):
            check_name(key, self.object_name)
        for guard in self.guards:
            if isinstance(guard, (KeyAbsent, KeyPresent, KeyEquals)):
                check_name(guard.key, self.object_name)
            if isinstance(guard, KeyEquals):
                _check_guard_value(guard, self.object_name)
        if self.remove_object and (self.puts or self.deletions):
            raise InvalidInput("a write removes the object or changes its keys, not both")
        if not all(isinstance(value, bytes) for value in self.puts.values()):
            raise InvalidInput(f"a value put into {self.object_name} is not bytes")


@dataclass(frozen=True)
class Unreadable:
    """Something in an object that no map from text to bytes can hold as it is.

    `key` is the key's bytes, as far as the store can tell them: librados's
    Python binding hands out what stands before U+0000.  `problem` says what is
    wrong, as the end of a sentence that starts with the key.
    """

    object_name: str
    key: bytes
    problem: str

    @property
    def shown(self) -> str:
        """The key as one line of text; bytes that are not text are escaped."""
        return printable(self.key.decode(errors="backslashreplace"))

    def __str__(self) -> str:
        return f"the key {self.shown} {self.problem}"


class Entries(dict[str, bytes]):
    """The entries of an object that can be read, and what beside them cannot."""

    __slots__ = ("unreadable",)

    def __init__(
        self, entries: Mapping[str, bytes] | None = None, unreadable: Iterable[Unreadable] = ()
    ) -> None:
        super().__init__(entries or {})
        self.unreadable = tuple(unreadable)


def unreadable_in(entries: Mapping[str, bytes] | None) -> tuple[Unreadable, ...]:
    """What a page or an object holds besides `entries`, as a store's read returned them."""
    return entries.unreadable if isinstance(entries, Entries) else ()


def require_readable(
    object_name: str,
    entries: Mapping[str, bytes],
    advice: Callable[[Unreadable], str] = lambda _: "",
) -> None:
    """Raise UnreadableContent where the object holds more than `entries`."""
    unreadable = unreadable_in(entries)
    if unreadable:
        raise UnreadableContent(
            f"of the object's keys {len(unreadable)} cannot be read: {unreadable[0]}",
            object_name=object_name,
            hint=advice(unreadable[0]),
        )


@dataclass(frozen=True)
class ObjectState:
    """All of one object at one moment, for changing it only if it is still so.

    `has_more` says that the object holds data or attributes besides its
    entries, which nobody here could bring back once it was removed.
    """

    entries: Mapping[str, bytes]
    version: int
    modified_ns: int
    has_more: bool = False


def require_guards(write: Write, entries: Mapping[str, bytes] | None, version: int) -> None:
    """Raise GuardFailed at the first guard that does not hold.

    `entries` are the object's, at least those that the guards name; None for
    no object.
    """
    for guard in write.guards:
        if not _holds(guard, entries, version):
            raise GuardFailed(f"{guard} does not hold", object_name=write.object_name)


def creates_object(write: Write) -> bool:
    """Whether `write` makes the object where there is none."""
    return bool(write.puts) or any(isinstance(guard, ObjectAbsent) for guard in write.guards)


class Store(ABC):
    """One location that holds objects.  Safe to share between threads.

    Every method may raise the `StoreError` family, InvalidObjectName for a name,
    key or prefix that no store can hold, and nothing else; reads raise neither
    GuardFailed nor OutcomeUnknown.  An exception that reaches a waiting caller
    from outside (a signal handler's, a caller's timeout) ends that call alone:
    all others go on, and nothing stays locked.  Closing is for good, and closing twice is
    fine; a store that is used after that raises PlaceUnusable.
    """

    guarantees: Guarantee

    @property
    @abstractmethod
    def place(self) -> str:
        """Where this store lies, as a URL for messages; never holds a secret."""

    @abstractmethod
    def connect(self) -> None:
        """Reach the location now rather than at the first use.

        Raises PlaceNotFound and whatever else stands in the way.
        """

    @abstractmethod
    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        """Those of `keys` that the object has; None where there is no object.

        One round trip, whatever the object's size.
        """

    @abstractmethod
    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        """Entries in order of key, from the first behind `after`; None for no object.

        At most `limit` of them, and a store may return fewer: only an empty
        page is the end.  The empty key is behind none, so no page has it: read
        it by its name, or with the whole object.

        Keys that cannot be read stop nothing: the page goes on behind them and
        `unreadable_in(page)` tells them, in the empty page those behind the last
        entry.  Each is told in one page; of more than a page of them in a row
        perhaps not all, but one at least.
        """

    @abstractmethod
    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        """All entries of the object as they were at one moment; None for no object.

        `sentinel` is a key that the object should have; where it has, a remote
        store can tell in one round trip that nothing was cut off.  What cannot
        be read is left out, and `unreadable_in` tells it; with `sentinel` a key
        that librados cuts may be taken for whole, since only another round trip
        could tell.
        """

    def read_objects(
        self, object_names: Iterable[str], *, sentinel: str = ""
    ) -> Iterator[tuple[str, dict[str, bytes] | None]]:
        """`read_object` of many objects, in the order given.

        Takes names as it goes and keeps a bounded number of reads under way,
        so memory does not grow with the number of names.
        """
        for object_name in object_names:
            yield object_name, self.read_object(object_name, sentinel=sentinel)

    @abstractmethod
    def read_state(self, object_name: str) -> ObjectState | None:
        """`read_object` with what a guard needs to tell any later change; None for no object.

        Costs more than read_object; for repair, not for the journal's daily work.
        Raises UnreadableContent where there is anything that cannot be read: an
        object that holds more than we understand is left as it is.
        """

    @property
    def stands_alone(self) -> bool:
        """Whether nothing outside of this store stands behind its records.

        True of a store whose driver keeps no images, subvolumes or RBD groups: a
        record without an entry is then nobody's.
        """
        return False

    def mark_copy(self) -> None:  # noqa: B027 - most can look at what stands behind
        """Note for good that the records to come are copies, so that it stands alone no longer.

        What stands behind them is then not known here.  A store that can look at
        that, where it lies, needs no mark.  Raises Conflict where there are
        records that are not copies.
        """

    @property
    def pool_id(self) -> int | None:
        """The number by which CSI handles name the location; None where handles cannot name it."""
        return None

    def namespaces(self) -> Iterator[str]:
        """The locations beside this one that hold objects, by namespace; one store may open each.

        A store without namespaces has none to tell.
        """
        return iter(())

    def advice(self, unreadable: Unreadable) -> str:
        """How an operator sees and removes this with other tools; "" where no tool is known."""
        del unreadable
        return ""

    @property
    def namespace(self) -> str:
        """The namespace of the location; empty for the default one, and where there are none."""
        return ""

    def beside(self, pool_id: int, namespace: str) -> Store | None:
        """The store on another pool and namespace of the same cluster, over the same login.

        None where this kind of store has no pools.  The caller closes it, and
        does so before this one.
        """
        del pool_id, namespace
        return None

    @abstractmethod
    def object_names(self, prefix: str = "") -> Iterator[str]:
        """Names of all objects that start with `prefix`, in no promised order."""

    def walk(self, prefix: str) -> Iterator[str | None]:
        """`object_names`, with None for each object that is passed over.

        So the caller can count the objects, and stop when it has no more time.
        """
        return (name if name.startswith(prefix) else None for name in self.object_names())

    @abstractmethod
    def modified_ns(self, object_name: str) -> int | None:
        """When the object last changed, in nanoseconds since 1970; None for no object.

        By the clock of whoever wrote it, and perhaps in whole seconds.
        """

    @abstractmethod
    def write(self, write: Write) -> None:
        """Apply `write` wholly or not at all; durable on return where the store is.

        Raises GuardFailed (not applied), OutcomeUnknown (applied, or not, or
        not yet), or another StoreError (not applied).  What was not applied
        before this store object was answered for a later call on the same
        object is never applied: late writes are not overtaken.
        """

    def conflict_key(self, object_name: str) -> str:
        """What the object's writes wait for: those with one key gain by sharing a write."""
        return object_name

    def write_together(self, work: Callable[[Callable[[Write], None]], _Result]) -> _Result:
        """Run `work` with what applies one write; what `work` returns.

        Each write is guarded and atomic by itself, as with `write`, sees those
        before it, and is durable when this returns.  A store may let them share
        a sync.  Where this raises, each of them was applied or was not.
        """
        return work(self.write)

    @abstractmethod
    def close(self) -> None:
        """Let go of the location."""

    def require(self, needed: Guarantee) -> None:
        """Raise StoreUnsuitable unless this store promises all of `needed`."""
        missing = needed & ~self.guarantees
        if missing:
            names = ", ".join(
                (flag.name or "").lower().replace("_", " ") for flag in Guarantee if flag & missing
            )
            raise StoreUnsuitable(
                f"the store {self.place} does not promise to be: {names}",
                hint="Choose a store that does: sqlite between processes, rados between hosts",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def records_in_the_way(store: Store) -> Conflict:
    """The error for a store that holds records of its own, where copies are to go."""
    return Conflict(
        f"{store.place} holds a journal of its own",
        hint="Copies go into a new file: name one that does not exist",
    )


def check_name(name: str, object_name: str = "") -> str:
    """`name` itself, or a key of `object_name`.

    Raises InvalidObjectName for what some store cannot hold: librados takes
    names as C strings, and cuts them at U+0000 without a word.  A key may be
    empty: Ceph-CSI's CephFS driver writes one into its snapshot records.
    """
    if not _is_text(name):
        problem = "is not text"
    elif not name and not object_name:
        problem = "is empty"
    elif "\0" in name:
        problem = f"holds U+0000 at position {name.index(chr(0)) + 1}"
    elif not name.isascii() and _SURROGATE.search(name):
        problem = "is not text that UTF-8 can hold"
    else:
        return name
    what = "key" if object_name else "object name"
    raise InvalidObjectName(
        f"the {what} {printable(str(name))!r} {problem}",
        object_name=object_name or str(name),
    )


def _is_text(name: object) -> bool:
    return isinstance(name, str)


def check_keys(object_name: str, keys: Iterable[str]) -> None:
    """`check_name` of an object and of some of its keys."""
    check_name(object_name)
    for key in keys:
        check_name(key, object_name)


def check_range(object_name: str, *bounds: str) -> None:
    """`check_name` of an object and of the ends of a range of keys, where given."""
    check_keys(object_name, filter(None, bounds))


def _holds(guard: Guard, entries: Mapping[str, bytes] | None, version: int) -> bool:
    if isinstance(guard, Unchanged):
        return entries is not None and version == guard.version
    if isinstance(guard, ObjectAbsent):
        return entries is None
    if isinstance(guard, ObjectExists):
        return entries is not None
    found = (entries or {}).get(guard.key)
    if isinstance(guard, KeyAbsent):
        return not found
    if isinstance(guard, KeyPresent):
        return bool(found)
    return found == guard.value


def _check_guard_value(guard: KeyEquals, object_name: str) -> None:
    try:
        usable = bool(str(guard.value, "utf-8"))
    except (UnicodeDecodeError, TypeError):
        usable = False
    if not usable:
        raise InvalidObjectName(
            "a guard compares with UTF-8 text that is not empty",
            object_name=object_name,
            key=guard.key,
        )
