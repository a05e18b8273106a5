"""The stores that a check looks into: the one it was asked about, and others of its cluster."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from csijournal.store.contract import Store

if TYPE_CHECKING:
    from typing_extensions import Self


class Places:
    """Stores by pool id and namespace over the login of `home`, opened when they are asked for.

    For one thread.  Leaving the block closes those that were opened here, and
    not `home`.
    """

    def __init__(self, home: Store) -> None:
        self.home = home
        self._opened: dict[tuple[int, str], Store | None] = {}

    def at(self, pool_id: int, namespace: str) -> Store | None:
        """The store on that pool and namespace; None where `home` is of a kind that has no pools.

        It connects at its first use, and raises PlaceNotFound then where there
        is no such pool.
        """
        key = pool_id, namespace
        if key not in self._opened:
            self._opened[key] = self.home.beside(pool_id, namespace)
        return self._opened[key]

    def close(self) -> None:
        """Close what was opened here; closing twice is fine."""
        while self._opened:
            store = self._opened.popitem()[1]
            if store is not None:
                store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
