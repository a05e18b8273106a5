"""One call of a store as a value: what is asked, what came back, how it reads aloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Union

from csijournal.errors import (
    GuardFailed,
    OutcomeUnknown,
    PermissionDenied,
    StoreError,
    StoreFull,
    StoreTimeout,
)
from csijournal.store import (
    KeyAbsent,
    KeyEquals,
    KeyPresent,
    ObjectAbsent,
    ObjectExists,
    Store,
    Unchanged,
    Write,
)
from csijournal.store.contract import Guard, ObjectState
from csijournal.wire.leases import CLEANUP_PREFIX, LEASE_PREFIX, REVOKED_LEASE_PREFIX
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import GROUPS


class FrozenState(NamedTuple):
    """An ObjectState that can be compared and hashed."""

    pairs: tuple[tuple[str, bytes], ...]
    version: int
    modified_ns: int


class Names(NamedTuple):
    """Names of objects."""

    names: tuple[str, ...]


Value = Union[dict[str, bytes], ObjectState, Names, int, None]
Frozen = Union[tuple[tuple[str, bytes], ...], FrozenState, Names, int, None]


@dataclass(frozen=True)
class Operation:
    """A read (`write` is None) or a write.

    `keys` are those that a read asks for, `after` and `prefix` those of a page.
    """

    verb: str
    object_name: str
    keys: tuple[str, ...] = ()
    after: str = ""
    prefix: str = ""
    guards: tuple[Guard, ...] = ()
    puts: tuple[tuple[str, bytes], ...] = ()
    deletions: tuple[str, ...] = ()
    remove_object: bool = False
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        asked = (self.verb, self.object_name, self.keys, self.after, self.prefix)
        written = (self.guards, self.puts, self.deletions, self.remove_object)
        object.__setattr__(self, "_hash", hash((asked, written)))

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def of_write(cls, write: Write) -> Operation:
        return cls(
            "write",
            write.object_name,
            guards=write.guards,
            puts=tuple(sorted(write.puts.items())),
            deletions=tuple(sorted(write.deletions)),
            remove_object=write.remove_object,
        )

    @property
    def is_write(self) -> bool:
        return self.verb == "write"

    @property
    def leaves_traces(self) -> bool:
        """Whether the store is another afterwards: by a write, or by a version that was seen."""
        return self.is_write or self.verb == "read_state"

    @property
    def write(self) -> Write:
        return Write(
            self.object_name, self.guards, dict(self.puts), self.deletions, self.remove_object
        )

    def perform(self, store: Store) -> Value:
        """Ask `store` for it.  Raises StoreError."""
        if self.is_write:
            store.write(self.write)
            return None
        if self.verb == "object_names":
            return Names(tuple(sorted(store.object_names(self.prefix))))
        return self._read(store)

    def _read(self, store: Store) -> Value:
        """Ask for one object."""
        if self.verb == "read_keys":
            return store.read_keys(self.object_name, self.keys)
        if self.verb == "read_page":
            return store.read_page(self.object_name, after=self.after, prefix=self.prefix)
        if self.verb == "read_object":
            return store.read_object(self.object_name)
        if self.verb == "read_state":
            return store.read_state(self.object_name)
        if self.verb == "modified_ns":
            return store.modified_ns(self.object_name)
        raise AssertionError(f"the journal never calls {self.verb}")


@dataclass(frozen=True)
class Answer:
    """What a store said: a value, or the name of an error."""

    value: Frozen = None
    error: str = ""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.value, self.error)))

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def to(cls, operation: Operation, store: Store) -> Answer:
        try:
            value = operation.perform(store)
        except GuardFailed:
            return REFUSED_BY_GUARD
        return cls(_frozen(value))

    def give(self) -> Value:
        """Return the value or raise the error."""
        if self.error:
            raise _ERRORS[self.error]("the explorer said so")
        value = self.value
        if isinstance(value, FrozenState):
            return ObjectState(dict(value.pairs), value.version, value.modified_ns)
        return value if value is None or isinstance(value, (int, Names)) else dict(value)


def _frozen(value: Value) -> Frozen:
    if isinstance(value, ObjectState):
        pairs = tuple(value.entries.items())
        return FrozenState(pairs, value.version, value.modified_ns)
    return tuple(value.items()) if isinstance(value, dict) else value


_ERRORS: dict[str, Callable[[str], StoreError]] = {
    error.__name__: error
    for error in (GuardFailed, OutcomeUnknown, StoreFull, StoreTimeout, PermissionDenied)
}
DONE = Answer()
REFUSED_BY_GUARD = Answer(error=GuardFailed.__name__)
UNKNOWN = Answer(error=OutcomeUnknown.__name__)
FULL = Answer(error=StoreFull.__name__)
TIMED_OUT = Answer(error=StoreTimeout.__name__)
DENIED = Answer(error=PermissionDenied.__name__)


# Reading aloud


def kind(operation: Operation) -> str:
    """What the operation is for, judged by its shape alone."""
    in_directory = GROUPS.instance_of(operation.object_name) is not None
    if not operation.is_write:
        return _kind_of_read(operation, in_directory=in_directory)
    return _kind_of_directory_write(operation) if in_directory else _kind_of_group_write(operation)


def guards(operation: Operation) -> set[str]:
    """Each guard of the write, in the journal's words."""
    return {guard_name(guard) for guard in operation.guards}


_KINDS_BY_VERB = {
    "read_state": "read group with its version",
    "modified_ns": "ask the group's age",
    "object_names": "list objects",
}


def _kind_of_read(operation: Operation, *, in_directory: bool) -> str:
    if operation.verb == "read_page":
        return f"list {_listed(operation.prefix)}"
    if operation.verb in _KINDS_BY_VERB:
        return _KINDS_BY_VERB[operation.verb]
    if not in_directory:
        return "read group"
    if _is_cleanup(operation.keys[0]):
        return "read cleanup"
    return "read lease" if _is_lease(operation.keys[0]) else "read entry"


def _listed(prefix: str) -> str:
    if _is_cleanup(prefix):
        return "cleanups"
    return "leases" if _is_lease(prefix) else "entries"


def _kind_of_directory_write(operation: Operation) -> str:
    put = [key for key, _ in operation.puts]
    if any(_is_marker(key) for key in put):
        return "revoke lease"
    if any(map(_is_cleanup, put)):
        return "begin cleanup"
    if all(map(_is_cleanup, (*operation.deletions, *put))):
        return "end cleanup"
    if any(_is_lease(key) for key in put):
        return "put lease"
    if put:
        return "put entry"
    return "remove lease" if all(map(_is_lease, operation.deletions)) else "remove entry"


def _kind_of_group_write(operation: Operation) -> str:
    put = [key for key, _ in operation.puts]
    unchanged = any(isinstance(guard, Unchanged) for guard in operation.guards)
    if operation.remove_object:
        return "remove unchanged group" if unchanged else "remove group"
    if operation.deletions:
        return "remove members"
    if any(isinstance(guard, ObjectAbsent) for guard in operation.guards):
        return "create group" if put else "create empty group"
    if put and REQUEST_NAME_KEY not in put:
        return "add members"
    if unchanged:
        return "name group"
    return "confirm group" if put == [REQUEST_NAME_KEY] else "write attributes"


def guard_name(guard: Guard) -> str:
    if isinstance(guard, ObjectAbsent):
        return "no such object"
    if isinstance(guard, ObjectExists):
        return "object there"
    if isinstance(guard, KeyAbsent):
        return f"{_key(guard.key)} absent"
    if isinstance(guard, KeyPresent):
        return f"{_key(guard.key)} there"
    if isinstance(guard, KeyEquals):
        return f"{_key(guard.key)} unchanged"
    return "version unchanged"


def _key(key: str) -> str:
    if _is_marker(key):
        return "revocation"
    if _is_cleanup(key):
        return "cleanup"
    if _is_lease(key):
        return "lease"
    return "request name" if key == REQUEST_NAME_KEY else "entry"


def _is_cleanup(key: str) -> bool:
    return key.startswith(CLEANUP_PREFIX)


def _is_lease(key: str) -> bool:
    return key.startswith(LEASE_PREFIX)


def _is_marker(key: str) -> bool:
    return key.startswith(REVOKED_LEASE_PREFIX)
