"""A store that passes everything on, for tests that watch or disturb the calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from csijournal.store import Guarantee, ObjectState, Store, Write
from csijournal.store.contract import PAGE_ENTRIES_MAX


@dataclass(frozen=True)
class Call:
    """One call that reached the store; `write` is what a write was to do."""

    verb: str
    object_name: str
    write: Write | None = None


class WrappingStore(Store):
    """Hands each call to `inner` from inside of `around`."""

    guarantees = Guarantee.NONE

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    @contextmanager
    def around(self, call: Call) -> Iterator[None]:
        """What happens before and after each call; for subclasses."""
        del call
        yield

    @property
    def stands_alone(self) -> bool:
        return self.inner.stands_alone

    @property
    def place(self) -> str:
        return self.inner.place

    def require(self, needed: Guarantee) -> None:
        self.inner.require(needed)

    def connect(self) -> None:
        self.inner.connect()

    def read_keys(self, object_name: str, keys: Collection[str]) -> dict[str, bytes] | None:
        with self.around(Call("read_keys", object_name)):
            return self.inner.read_keys(object_name, keys)

    def read_page(
        self, object_name: str, *, after: str = "", prefix: str = "", limit: int = PAGE_ENTRIES_MAX
    ) -> dict[str, bytes] | None:
        with self.around(Call("read_page", object_name)):
            return self.inner.read_page(object_name, after=after, prefix=prefix, limit=limit)

    def read_object(self, object_name: str, *, sentinel: str = "") -> dict[str, bytes] | None:
        with self.around(Call("read_object", object_name)):
            return self.inner.read_object(object_name, sentinel=sentinel)

    def read_state(self, object_name: str) -> ObjectState | None:
        with self.around(Call("read_state", object_name)):
            return self.inner.read_state(object_name)

    def object_names(self, prefix: str = "") -> Iterator[str]:
        with self.around(Call("object_names", prefix)):
            yield from self.inner.object_names(prefix)

    def modified_ns(self, object_name: str) -> int | None:
        with self.around(Call("modified_ns", object_name)):
            return self.inner.modified_ns(object_name)

    def write(self, write: Write) -> None:
        with self.around(Call("write", write.object_name, write)):
            self.inner.write(write)

    def close(self) -> None:
        self.inner.close()
