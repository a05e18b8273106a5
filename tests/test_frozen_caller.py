"""A caller that is frozen for longer than the grace time, and wakes up after a repair.

It is a real process, which stops itself between its two writes.  Whatever a
person or a job does to the place during that time, the caller never returns a
reservation that is not there.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from csijournal import Store, VolumeGroupJournal
from csijournal.check.findings import Severity
from csijournal.cli.run import run
from csijournal.wire.schema import GROUPS
from support.frozen import GRACE_SECONDS, Caller, FrozenCaller
from support.journals import uuid_number
from support.places import Place, RADOSPlace, SQLitePlace
from support.processes import shared_between_processes
from support.verified import look

CALLERS = [
    Caller("no-lease", 0),
    Caller("lease-of-one", 1),
    Caller("lease-of-many", 64),
    Caller("chosen", 64, uuid_number(0xC1)),
    Caller("no-lease-entered", 0, stops="after"),
    Caller("lease-of-one-entered", 1, stops="after"),
]
LEASED = {"lease-of-one", "lease-of-many", "chosen"}
BETWEEN = LEASED | {"no-lease"}
"""Those whose record no entry points at."""


class Operator:
    """Runs command lines in the place, in this process."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._folder = folder
        self._backups = 0
        if isinstance(place, SQLitePlace):
            self._options = ["--store", f"sqlite://{place.path}"]
        elif isinstance(place, RADOSPlace):
            conf = str(place.cluster.conf)
            self._options = ["-c", conf, "-p", place.pool, "-N", place.namespace]
        else:
            raise TypeError(place)

    def __call__(self, *words: str, backup: bool = True) -> str:
        """What a command printed, which ended with 0 or with findings."""
        self._backups += 1
        file = ["--backup", str(self._folder / f"backup-{self._backups}")] if backup else []
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*self._options, *words, *file])
        assert code in (0, 1), (words, code, err.getvalue())
        return out.getvalue()

    def repair(self, *options: str) -> None:
        self("repair", *options, "--grace", "0s", "--settle", "0s", "--apply")

    def repair_saved_findings(self) -> None:
        words = ["verify", "--full", "--grace", "0s", "--settle", "0s", "-o", "json"]
        file = self._folder / "findings"
        file.write_text(self(*words, backup=False))
        self.repair("--findings", str(file))

    def drop_groups(self, store: Store) -> None:
        for name, uuid in records_of(store).items():
            if name in BETWEEN:
                self("drop", "--group", uuid, "--apply")

    def recover(self) -> None:
        self("recover", "--older-than", "0s", "--apply", backup=False)


Work = Callable[[Operator, Store], None]


def _every_way(operator: Operator, store: Store) -> None:
    operator.recover()
    operator.repair("--full")
    operator.drop_groups(store)
    operator.recover()
    operator.repair("--full")


WORK: dict[str, tuple[Work, set[str]]] = {
    "repair orphan-group": (
        lambda operator, _: operator.repair("--full", "--kind", "orphan-group"),
        BETWEEN,
    ),
    "repair stale-lease": (
        lambda operator, _: operator.repair("--full", "--kind", "stale-lease"),
        LEASED,
    ),
    "repair quick": (lambda operator, _: operator.repair("--quick"), LEASED),
    "repair full": (lambda operator, _: operator.repair("--full"), BETWEEN),
    "repair findings": (lambda operator, _: operator.repair_saved_findings(), BETWEEN),
    "drop": (lambda operator, store: operator.drop_groups(store), BETWEEN),
    "recover": (lambda operator, _: operator.recover(), LEASED),
    "every way": (_every_way, BETWEEN),
}
"""For each the callers whose records it removes."""


def records_of(store: Store) -> dict[str, str]:
    """The UUID of each record by its request name."""
    uuids = filter(None, map(GROUPS.uuid_of_record, store.object_names(GROUPS.record_prefix)))
    journal = VolumeGroupJournal(store)
    return {journal.get_volume_group_attributes(uuid).request_name: uuid for uuid in uuids}


@contextlib.contextmanager
def frozen(place: Place) -> Iterator[list[FrozenCaller]]:
    """All callers, each stopped in the middle, for longer than the grace time."""
    callers = [FrozenCaller(place, caller) for caller in CALLERS]
    try:
        for caller in callers:
            caller.wait_until_frozen()
        time.sleep(GRACE_SECONDS)
        yield callers
    finally:
        for caller in callers:
            caller.end()


@pytest.mark.parametrize("work", WORK)
@shared_between_processes
def test_a_caller_that_wakes_up_after_a_repair_returns_only_what_is_there(
    place: Place, tmp_path: Path, work: str
) -> None:
    operator, store = Operator(place, tmp_path), place.open()
    do, removed = WORK[work]
    with frozen(place) as callers:
        assert records_of(store).keys() == {caller.request_name for caller in CALLERS}
        do(operator, store)
        assert records_of(store).keys() == {c.request_name for c in CALLERS} - removed

        for caller in callers:
            caller.wake()
        for caller in callers:
            require_there(store, caller)
    assert [f for f in look(store)[0] if f.severity is Severity.ERROR] == []


def require_there(store: Store, frozen_caller: FrozenCaller) -> None:
    """The caller got its reservation, it is there, and it can be used."""
    uuid, error = frozen_caller.answer()
    assert error == "", (frozen_caller.caller, error)
    journal = VolumeGroupJournal(store)
    journal.add_volumes_mapping(uuid, {"vol-1": ""})
    found = journal.check_reservation(frozen_caller.caller.request_name)
    assert found is not None, frozen_caller.caller
    assert (found.group_uuid, found.volume_map) == (uuid, {"vol-1": ""})
