"""Putting a journal from a file into a location: back to where it was, or into another.

Restore puts records before entries, as reserve does, and holds every write to
what it saw: something different is overwritten only when told to, and after a
backup.  Images that retire moved to RBD's trash come back first; where one cannot,
its records stay away too.  A file decides nothing: what it says of anything that is not a
journal's is refused before anything is written, and leases that an older
csijournal wrote into its files are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from csijournal.archive import Archive, ImageInUse, Record
from csijournal.errors import InvalidArchive, UnreadableContent, printable
from csijournal.repair.apply import Engine, Tally, Watcher
from csijournal.repair.backup import BackupFile
from csijournal.repair.plan import Outcome, Plan, Step, still_holds
from csijournal.repair.rbd_trash import trash_of
from csijournal.repair.retire_images import TakeOutOfTrash
from csijournal.store.contract import Guard, ObjectAbsent, Store, Unchanged, Write
from csijournal.transfer.entering import Enterer
from csijournal.transfer.holders import Holders
from csijournal.transfer.mapping import CannotMap, RecordMapper
from csijournal.transfer.words import request_name_of, sentence
from csijournal.wire.entries import RecordHere, RecordInPool
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.ownership import KeyRole, ObjectRole, Owned, owner_of, role_of
from csijournal.wire.text import decode, shortened
from csijournal.wire.timestamps import Timestamp

SENTENCES_MAX = 20
"""How many things a survey says in words; it counts the rest."""

_PHASES = (False, True)
"""Records first and directories then: an entry must not point at what is still to come."""

_SINCE_THEN = "something else lies there by now; --overwrite replaces it"
_IMAGE_LOST = "its image cannot be taken back"
_NO_TRASH = "the place is not a pool of a Ceph cluster, which images lie in"
_RECORD_LOST = "not put: what they point at could not be put back, or went away again"


@dataclass(frozen=True)
class Difference:
    """One record of an archive that the location does not agree with.

    `overwrites` says that something different lies there; `plan` makes it as
    the archive says.  `problem` says why that cannot be, if so.
    """

    record: Record
    overwrites: bool
    plan: Plan
    problem: str = ""


@dataclass(frozen=True)
class ImageDifference:
    """One image of an archive that is not in use; `plan` and `problem` as of a Difference."""

    image: ImageInUse
    plan: Plan
    problem: str = ""
    overwrites = False


@dataclass
class Survey:
    """How a location differs from an archive; the sentences are the first few.

    `selected` counts the records that were asked for, different or not.
    """

    selected: int = 0
    create: int = 0
    overwrite: int = 0
    unreadable: int = 0
    sentences: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many differences there are."""
        return self.create + self.overwrite + self.unreadable

    def add(self, difference: Difference | ImageDifference) -> None:
        """Count a difference."""
        sentences = [sentence for _, sentence in difference.plan.told]
        if difference.problem:
            self.unreadable += 1
            sentences = [f"leave {difference.plan.subject} alone: {difference.problem}"]
        elif difference.overwrites:
            self.overwrite += 1
            _add_first(self.in_the_way, sentences)
        else:
            self.create += 1
        _add_first(self.sentences, sentences)


def _add_first(noted: list[str], sentences: list[str]) -> None:
    noted.extend(sentences[: SENTENCES_MAX - len(noted)])


class Restorer:
    """Compares one archive with one location, and makes the location as the archive says.

    `only` is a request name, a UUID or an object's name; what is not about it
    is passed over.  Memory does not grow with the archive.

    A record whose request name leads to another one by now counts as something
    that is overwritten, also where nothing of its own lies there: it would be
    one that nothing points at.  The name is looked up in the directories that
    the archive has, and in those of `instance_id`.

    `mapper` exchanges the ids of another cluster in what is restored.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        *,
        only: str = "",
        instance_id: str = DEFAULT_INSTANCE_ID,
        mapper: RecordMapper | None = None,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        self._store = store
        self._archive = archive
        self._only = only
        self._mapper = mapper
        self._holders = Holders(store, archive, instance_id)
        self._clock = clock
        self._enterer = Enterer(store, self._selected)
        self._lost: set[str] = set()

    def survey(self) -> Survey:
        """What restore would do.  Raises StoreError."""
        survey = Survey()
        for image in self._images(survey):
            survey.add(image)
        for difference in self._all_compared(survey):
            survey.add(difference)
        return survey

    def cannot_map(self) -> CannotMap:
        """What of the archive the mapper cannot map."""
        cannot = CannotMap()
        if self._mapper is not None:
            for record in filter(None, map(self._part, self._archive.records())):
                self._mapper.note_problems(record, cannot)
        return cannot

    def differences(self) -> Iterator[Difference]:
        """What restore would do to the journal, in the order in which to do it.

        Raises StoreError.
        """
        return self._all_compared(Survey())

    def restore(
        self, backup_path: Path | None, watcher: Watcher | None = None, tally: Tally | None = None
    ) -> Tally:
        """Make the location as the archive says; what was done.

        Nothing that is different is overwritten without a `backup_path`.  Raises
        as Repairer.repair does.
        """
        watcher = Watcher() if watcher is None else watcher
        tally = Tally() if tally is None else tally
        backup_file = BackupFile(backup_path, self._store.place) if backup_path else None
        engine = Engine(self._store, watcher, backup_file, tally)
        phases = (
            self._plans(watcher, tally, directories=directories, overwrite=bool(backup_file))
            for directories in _PHASES
        )
        return engine.run(self._image_plans(watcher, tally), *phases)

    def _image_plans(self, watcher: Watcher, tally: Tally) -> Iterator[Plan]:
        for difference in self._images(Survey()):
            if difference.problem:
                _tell_left(difference.plan, difference.problem, watcher, tally)
            else:
                yield difference.plan

    def _plans(
        self, watcher: Watcher, tally: Tally, *, directories: bool, overwrite: bool
    ) -> Iterator[Plan]:
        for difference in self._compared(Survey(), directories=directories):
            problem = difference.problem
            if difference.overwrites and not overwrite:
                problem = _SINCE_THEN
            if problem:
                _tell_left(difference.plan, problem, watcher, tally)
                continue
            plan, left_out = self._enterer.complete(difference.plan, self._clock())
            if left_out:
                _tell_left(difference.plan, f"{left_out:,} of them {_RECORD_LOST}", watcher, tally)
            write = plan.steps[-1].write
            if not left_out or write.puts or write.deletions:
                yield plan

    def _all_compared(self, survey: Survey) -> Iterator[Difference]:
        for directories in _PHASES:
            yield from self._compared(survey, directories=directories)

    def _images(self, survey: Survey) -> Iterator[ImageDifference]:
        """The images that are not in use as the archive has them."""
        self._lost.clear()
        trash = None
        for image in self._archive.images():
            if self._only and self._only not in {image.name, image.image_id, *image.names}:
                continue
            survey.selected += 1
            trash = trash or trash_of(self._store)
            move = TakeOutOfTrash(self._store, trash, image) if trash else None
            problem = move.why_not() if move else _NO_TRASH
            plan = Plan(f"image {printable(image.name)}", (), image.names, move=move)
            if problem:
                self._lost.update(image.names)
            if problem or not (move and move.is_so()):
                yield ImageDifference(image, plan, problem)

    def _compared(self, survey: Survey, *, directories: bool) -> Iterator[Difference]:
        for record in self._selected():
            if _is_directory(record) is not directories:
                continue
            survey.selected += 1
            difference = _compare_or_tell(self._store, record, self._holders)
            if difference is not None:
                lost = not self._lost.isdisjoint(record.names)
                yield replace(difference, problem=_IMAGE_LOST) if lost else difference

    def _selected(self) -> Iterator[Record]:
        parts = filter(None, map(self._part, self._archive.records()))
        return parts if self._mapper is None else map(self._mapper.map, parts)

    def _part(self, record: Record) -> Record | None:
        """What of a record is to be restored; None for nothing."""
        if record.keys is not None:
            kept = {
                k: v
                for k, v in record.keys.items()
                if role_of(record.object_name, k) is not KeyRole.LEASE
            }
            if record.keys and not kept and not record.whole:
                return None
            record = replace(record, keys=kept)
        return record if not self._only else _about(record, self._only)


def _tell_left(plan: Plan, why: str, watcher: Watcher, tally: Tally) -> None:
    tally.count(done=False)
    watcher.carried_out(Outcome(plan, 0, why), done=False)


@dataclass
class LeftOut:
    """What of an archive is not restored, filled by `require_owned`."""

    leases: int = 0


def check_archive(archive: Archive) -> tuple[str, LeftOut]:
    """Read all of an archive; what it is for, and what of it is not restored.

    Raises InvalidArchive where it is not complete, or says something of what is
    not a journal's.
    """
    left_out = LeftOut()
    return archive.check(lambda record: _require_owned(record, left_out)), left_out


def _require_owned(record: Record, left_out: LeftOut) -> None:
    if owner_of(record.object_name) is None:
        raise _not_ours(f"{shortened(record.object_name)} is not a journal's object")
    for key in record.keys or {}:
        role = role_of(record.object_name, key)
        left_out.leases += role is KeyRole.LEASE
        if role is KeyRole.FOREIGN:
            name = record.object_name
            raise _not_ours(f"{shortened(key)} is not a key that a journal writes to {name}")


def _not_ours(message: str) -> InvalidArchive:
    return InvalidArchive(
        message, hint="Nothing was written: restore writes and removes what journals own, only"
    )


def _is_directory(record: Record) -> bool:
    owned = owner_of(record.object_name)
    return owned is not None and owned.role is ObjectRole.DIRECTORY


def _about(record: Record, name: str) -> Record | None:
    """What of a record is about `name`: all of it, some entries, or nothing."""
    owned = owner_of(record.object_name)
    if name in {record.object_name, *record.names}:
        return record
    if owned is None or owned.role is ObjectRole.RECORD:
        ours = owned is not None and name in {owned.name, request_name_of(record)}
        return record if ours else None
    keys = {
        key: value
        for key, value in (record.keys or {}).items()
        if owned.entry_of(key) == name or (value is not None and _leads_to(owned, key, value, name))
    }
    return replace(record, keys=keys) if keys else None


def _leads_to(owned: Owned, key: str, value: bytes, uuid: str) -> bool:
    """Whether an entry leads to this UUID, in whichever pool, or says just that."""
    target = owned.schema.parse_target(owned.entry_of(key) or "", value)
    return uuid == (
        target.uuid if isinstance(target, (RecordHere, RecordInPool)) else decode(value)
    )


# What is different


def _compare_or_tell(store: Store, record: Record, holders: Holders) -> Difference | None:
    try:
        if record.whole:
            return _compare_whole(store, record, holders)
        return _compare(store, record)
    except UnreadableContent as error:
        return Difference(record, False, Plan(record.object_name, ()), error.message)  # noqa: FBT003


def _compare_whole(store: Store, record: Record, holders: Holders) -> Difference | None:
    state = store.read_state(record.object_name)
    found = state.entries if state else None
    wanted = (
        None if record.keys is None else {k: v for k, v in record.keys.items() if v is not None}
    )
    if found == wanted:
        return None
    guards: tuple[Guard, ...] = (Unchanged(state.version),) if state else (ObjectAbsent(),)
    if wanted is None:
        write = Write(record.object_name, guards=guards, remove_object=True)
        return _difference(record, write, found, overwrites=True)
    # What no journal wrote there is nothing that an archive could tell of.
    too_many = [key for key in found or {} if key not in wanted and _is_owned(record, key)]
    if found is None:
        return _put_back(record, Write(record.object_name, guards=guards, puts=wanted), holders)
    changed = {key: value for key, value in wanted.items() if found.get(key) != value}
    if not changed and not too_many:
        return None
    write = Write(record.object_name, guards=guards, puts=wanted, deletions=too_many)
    return _difference(record, write, found, overwrites=True)


def _is_owned(record: Record, key: str) -> bool:
    return role_of(record.object_name, key) is not KeyRole.FOREIGN


def _put_back(record: Record, write: Write, holders: Holders) -> Difference:
    """A record that is not there: nobody may have reserved its name anew."""
    holder = holders.of(record)
    told = sentence(record, write, None)
    if holder:
        told = f"{told}, which {holder} holds by now"
    step = Step(told, write, recheck=lambda: holders.of(record) == holder)
    return Difference(record, bool(holder), Plan(record.object_name, (step,), record.names))


def _compare(store: Store, record: Record) -> Difference | None:
    keys = record.keys or {}
    found, guards = _look(store, record.object_name, keys)
    if found is None and not keys:
        write = Write(record.object_name, guards=(ObjectAbsent(),))
        return _difference(record, write, None, overwrites=False)
    present = found or {}
    changed = {key: value for key, value in keys.items() if present.get(key) != value}
    if not changed:
        return None
    write = Write(
        record.object_name,
        guards=guards or tuple(filter(None, (still_holds(k, present.get(k)) for k in changed))),
        puts={key: value for key, value in changed.items() if value is not None},
        deletions=[key for key, value in changed.items() if value is None],
    )
    overwrites = any(key in present for key in changed)
    return _difference(record, write, found, overwrites=overwrites)


def _look(
    store: Store, object_name: str, keys: Collection[str]
) -> tuple[Mapping[str, bytes] | None, tuple[Guard, ...]]:
    """Those of `keys` that are there, and the guard needed where no guard of a key can tell."""
    found = store.read_keys(object_name, keys)
    if all(still_holds(key, value) for key, value in (found or {}).items()):
        return found, ()
    state = store.read_state(object_name)
    return (state.entries, (Unchanged(state.version),)) if state else (None, ())


def _difference(
    record: Record, write: Write, found: Mapping[str, bytes] | None, *, overwrites: bool
) -> Difference:
    step = Step(sentence(record, write, found), write)
    return Difference(record, overwrites, Plan(record.object_name, (step,), record.names))
