"""What all three journals have: how they are opened, looked at, recovered and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Generic

from csijournal.errors import error_context
from csijournal.journal.cleanup import Cleanup, StandsBehind
from csijournal.journal.grace import GRACE_SECONDS, SETTLE_SECONDS, Grace, nanoseconds
from csijournal.journal.leases import Leases
from csijournal.journal.locks import NamedLocks
from csijournal.journal.model import Entry
from csijournal.journal.recover import Recoverer, Recovery
from csijournal.journal.reservations import LEASE_SIZE, Reservations, random_uuid
from csijournal.journal.steps import Records
from csijournal.store.contract import Guarantee, Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import JournalSchema, R
from csijournal.wire.timestamps import Timestamp

if TYPE_CHECKING:
    from typing_extensions import Self

RENEWALS_IN_GRACE = 3
"""A lease is renewed at a third of the grace time, so that recover finds no living owner's."""


class Journal(Generic[R]):
    """The reservations of one driver instance, in one store.

    Any number of journals, threads, processes and hosts may work on one store
    at once, as far as the store itself allows; no lock is needed around calls.

    `lease_size` is how many UUIDs are leased at a time: 1 suits a client that
    reserves once, and with 0 there are no leases, the journal holds what
    Ceph-CSI would write and nothing else, and recover cannot help.
    `grace_seconds` is how long a record without a request name counts as being
    made, and `settle_seconds` how long an older one must stay unchanged before
    it is removed.  `needs` says what the store must promise: StoreUnsuitable
    is raised where it does not.  `new_uuid` makes the text of a UUID that was
    never used before.  `clock` dates records and tells how old one is.

    Raises InvalidInput and InvalidInstanceID for arguments that cannot be.
    """

    schema: ClassVar[JournalSchema]  # type: ignore[type-arg] # its record is the subclass's

    def __init__(
        self,
        store: Store,
        *,
        instance_id: str = DEFAULT_INSTANCE_ID,
        lease_size: int = LEASE_SIZE,
        grace_seconds: float = GRACE_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        needs: Guarantee = Guarantee.NONE,
        new_uuid: Callable[[], str] = random_uuid,
        clock: Callable[[], Timestamp] = Timestamp.now,
        stands_behind: StandsBehind | None = None,
    ) -> None:
        store.require(needs)
        grace = Grace.of_seconds(grace_seconds, settle_seconds=settle_seconds, clock=clock)
        self._clock = clock
        self._records: Records[R] = Records(store, self.schema, instance_id)
        self._cleanup = Cleanup(self._records, grace, new_uuid, stands_behind)
        self._leases = Leases(
            self._records,
            size=lease_size,
            renew_ns=grace.grace_ns // RENEWALS_IN_GRACE,
            new_uuid=new_uuid,
            clock=clock,
        )
        self._reservations = Reservations(self._records, self._leases, self._cleanup)
        self._locks = NamedLocks()

    def look_up(self, request_name: str) -> Entry | None:
        """The entry of `request_name` as it stands; None where there is none.

        One read, and unlike check_reservation it never changes anything.
        Raises InvalidRequestName and StoreError.
        """
        with error_context("look_up"):
            return self._records.look_up(self.schema.require_request_name(request_name))

    def list_reservations(self, prefix: str = "") -> Iterator[Entry]:
        """Every entry whose request name starts with `prefix`, by request name.

        Reads the directory page by page and no record; entries that come or go
        at the same time may be seen or not.  Raises StoreError.
        """
        with error_context("list_reservations"):
            for page in self._records.entry_pages(prefix):
                yield from page

    def recover(self, older_than_seconds: float, *, dry_run: bool = False) -> Recovery:
        """Finish or roll back what clients left when they died.

        Looks at leases that are older than `older_than_seconds`, and at every
        entry; never lists the pool.  Clients at work are not harmed, whatever
        their age or clock.  With `dry_run`, only says what it would do.
        Raises InvalidInput, and StoreError; what was done until then stays done.
        """
        with error_context("recover"):
            return Recoverer(
                self._records,
                self._cleanup,
                older_than=Grace(
                    nanoseconds("the age of a lease", older_than_seconds), clock=self._clock
                ),
                dry_run=dry_run,
            ).run()

    @contextmanager
    def lock(self, request_name: str) -> Iterator[None]:
        """Keep other threads of this process off `request_name` during the block.

        Never needed for the journal to stay right: it saves callers that would
        collide the work of finding out.
        """
        with self._locks.hold(request_name):
            yield

    def close(self) -> None:
        """Give back the leases of this journal.  The store stays open."""
        self._leases.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
