"""Every error that csijournal raises, as one tree.

    CSIJournalError                       exit code
    ├── InvalidInput                              2   the caller's words are off; nothing was done
    │   ├── InvalidRequestName
    │   ├── InvalidImageName
    │   │   └── InvalidGroupName
    │   ├── InvalidUUID
    │   ├── InvalidInstanceID
    │   ├── InvalidMember
    │   ├── InvalidAttribute
    │   ├── InvalidHandle
    │   ├── InvalidTimestamp
    │   ├── InvalidObjectName
    │   ├── InvalidArchive
    │   ├── BackupFailed                          what cannot be backed up is not changed
    │   ├── InvalidInputFile
    │   └── InvalidStoreURL
    ├── NotFound                                  3   nothing is there under that name
    │   ├── ReservationNotFound
    │   └── RecordNotFound
    │       └── GroupNotFound
    ├── Conflict                                  4   somebody else's reservation stands in the way
    │   ├── AlreadyReserved
    │   ├── UUIDInUse
    │   ├── EncryptionMismatch
    │   ├── SourceMismatch
    │   ├── RequestMismatch
    │   ├── NotAReservation
    │   └── UndoRefused
    ├── ReservationPending                        5   somebody is in the middle of it: try again
    ├── JournalDamaged                            6   what lies in the journal contradicts itself
    │   ├── NameMismatch
    │   ├── CorruptEntry
    │   ├── StaleEntry
    │   ├── SplitReservation
    │   └── UnpopulatedRecord
    │       └── UnpopulatedGroup
    └── StoreError                               10   the store could not do it
        ├── GuardFailed                               a condition of a write did not hold
        ├── StoreUnreachable                     11
        ├── StoreTimeout                         12
        ├── OutcomeUnknown                       13   the write may or may not have happened
        ├── AuthenticationFailed                 14
        ├── PermissionDenied                     15
        ├── PlaceNotFound                        16   no such pool, no such file
        ├── PlaceUnusable                        17   the file or pool is not one for a journal
        │   └── UnreadableContent                     an object holds what is neither text nor bytes
        ├── StoreFull                            18
        ├── TooLarge                             19
        ├── StoreBusy                            20
        ├── ClientBlocked                        21
        └── StoreUnsuitable                      22   it cannot promise what the caller needs

An error says what was being done (`operation`), to which object and key, what
went wrong, and what to do about it (`hint`); `str(error)` has all of it.  A
class without an exit code of its own has its parent's.  Store back ends raise
nothing but these.
"""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar


class CSIJournalError(Exception):
    """Anything that csijournal has to say when it cannot do as asked.

    `operation` is the journal's or store's verb, `object_name` and `key` name
    the location in the store; each is empty where there is none to name.
    """

    exit_code: ClassVar[int] = 1
    usual_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        object_name: str = "",
        key: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.object_name = object_name
        self.key = key
        self.hint = hint or self.usual_hint

    @property
    def place(self) -> str:
        """Where it happened: `object NAME, key KEY`, or as much of it as is known."""
        named = (("object", self.object_name), ("key", self.key))
        return ", ".join(f"{what} {printable(name)}" for what, name in named if name)

    def __str__(self) -> str:
        text = f"{self.operation}: {self.message}" if self.operation else self.message
        if self.place:
            text += f" ({self.place})"
        if self.hint:
            text += f". {self.hint}"
        return text


class InvalidInput(CSIJournalError):
    """An argument breaks a rule of the field; nothing was read or written."""

    exit_code = 2


class InvalidRequestName(InvalidInput):
    """A request name is empty, too long, or holds a forbidden character."""


class InvalidImageName(InvalidInput):
    """The name of an image or subvolume does not end in a UUID, or a prefix is unusable."""


class InvalidGroupName(InvalidImageName):
    """The name of a group does not end in a UUID, or a prefix is unusable."""


class InvalidUUID(InvalidInput):
    """A text is not a UUID in its 36-character, lower-case form."""


class InvalidInstanceID(InvalidInput):
    """An instance id cannot be part of an object name."""


class InvalidMember(InvalidInput):
    """A member's key or value cannot be stored as one."""


class InvalidAttribute(InvalidInput):
    """An attribute of a volume or snapshot cannot be stored as given, or not by this call."""


class InvalidHandle(InvalidInput):
    """A text is not a CSI handle, or its parts cannot make one."""


class InvalidTimestamp(InvalidInput):
    """A text is not a time as the journal writes it."""


class InvalidObjectName(InvalidInput):
    """An object name or key that no store can hold."""


class InvalidArchive(InvalidInput):
    """A file is not a complete export or backup."""


class InvalidInputFile(InvalidInput):
    """A file of Kubernetes' or Ceph-CSI's that was given is missing, or not what it should be."""


class BackupFailed(InvalidInput):
    """A backup cannot be written, so that what it was to hold was not changed."""


class InvalidStoreURL(InvalidInput):
    """A store URL has an unknown scheme, or parts that its scheme does not take."""


class NotFound(CSIJournalError):
    """What was asked for is not in the journal."""

    exit_code = 3


class ReservationNotFound(NotFound):
    """No reservation answers to this request name."""


class RecordNotFound(NotFound):
    """There is no record of this UUID."""


class GroupNotFound(RecordNotFound):
    """There is no group of this UUID."""


class Conflict(CSIJournalError):
    """Another reservation stands in the way; nothing was changed."""

    exit_code = 4


class AlreadyReserved(Conflict):
    """The request name is taken; `uuid`, or `group_uuid`, is the UUID that holds it."""

    uuid: str = ""
    usual_hint = "Use ensure to get the reservation that exists, or undo it first"

    @property
    def group_uuid(self) -> str:
        """The same UUID."""
        return self.uuid


class UUIDInUse(Conflict):
    """The UUID that the caller chose has a record already; nothing was written."""

    usual_hint = "Choose another UUID; `csijournal show UUID` tells whose it is"


class EncryptionMismatch(Conflict):
    """The name is reserved with another KMS or another kind of encryption."""


class SourceMismatch(Conflict):
    """The name is reserved for a snapshot of another volume."""


class RequestMismatch(Conflict):
    """The record belongs to another request name than the one that was given."""


class NotAReservation(Conflict):
    """The name is a handle that stands for another since a failover, and not a request name."""

    usual_hint = "Such keys are left as they are; reserve under another name"


class UndoRefused(Conflict):
    """What undo was asked to remove is not what its arguments say it is."""


class ReservationPending(CSIJournalError):
    """Another client is in the middle of making or removing this reservation."""

    exit_code = 5
    usual_hint = "Try again in a moment"


class JournalDamaged(CSIJournalError):
    """Entries and records contradict each other; nothing was changed."""

    exit_code = 6
    usual_hint = "Run `csijournal verify` to see what is wrong and what can be done"


class NameMismatch(JournalDamaged):
    """An entry points at a record that belongs to another request name."""


class CorruptEntry(JournalDamaged):
    """An entry of the directory points at nothing that can be followed."""


class StaleEntry(JournalDamaged):
    """An entry's record is gone or incomplete, and an image may stand behind it all the same."""


class SplitReservation(JournalDamaged):
    """An entry and its record lie in different pools."""

    usual_hint = (
        "csijournal reads such reservations and never makes, changes or removes one,"
        " since Ceph-CSI cannot read back what it writes in two pools"
    )


class UnpopulatedRecord(JournalDamaged):
    """A record has no request name, so that nobody can tell whose it is."""


class UnpopulatedGroup(UnpopulatedRecord):
    """A group has no request name, so that nobody can tell whose it is."""


class StoreError(CSIJournalError):
    """The store could not do what was asked of it."""

    exit_code = 10


class GuardFailed(StoreError):
    """A guard of a write did not hold, so that nothing of it was applied.

    A value to act on rather than a disaster: the journal handles each one, and
    users of the journal never see it.
    """


class StoreUnreachable(StoreError):
    """No connection to the store could be made in time."""

    exit_code = 11


class StoreTimeout(StoreError):
    """A read was not answered in time; nothing was changed by it."""

    exit_code = 12


class OutcomeUnknown(StoreError):
    """A write was not answered: it was applied wholly, or not at all, or may still be."""

    exit_code = 13
    usual_hint = "Repeat the same call: it finds out, and finishes what was begun"


class AuthenticationFailed(StoreError):
    """The store does not accept this user or key."""

    exit_code = 14


class PermissionDenied(StoreError):
    """The store knows the user and does not let it do this."""

    exit_code = 15


class PlaceNotFound(StoreError):
    """The pool or file that the journal should live in does not exist."""

    exit_code = 16


class PlaceUnusable(StoreError):
    """The pool or file exists, and a journal cannot live in it."""

    exit_code = 17


class UnreadableContent(PlaceUnusable):
    """An object holds keys or values that this store cannot hand out as they are."""

    usual_hint = "No journal writes such a thing; all other objects can be worked on"


class StoreFull(StoreError):
    """No space or quota is left; nothing was changed."""

    exit_code = 18


class TooLarge(StoreError):
    """The store refuses an operation of this size."""

    exit_code = 19


class StoreBusy(StoreError):
    """Others kept the store busy for longer than the caller wants to wait."""

    exit_code = 20
    usual_hint = "Try again, or allow a longer timeout"


class ClientBlocked(StoreError):
    """The store has shut this client out (Ceph: blocklisted)."""

    exit_code = 21


class StoreUnsuitable(StoreError):
    """The store does not promise what its caller needs of it."""

    exit_code = 22


def printable(text: str) -> str:
    """`text` as one line that a terminal cannot be harmed by."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class error_context:  # noqa: N801 - reads as a verb, and a generator would cost more
    """A block whose errors carry `operation`, unless they name one already."""

    __slots__ = ("_operation",)

    def __init__(self, operation: str) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, CSIJournalError):
            error.operation = error.operation or self._operation
