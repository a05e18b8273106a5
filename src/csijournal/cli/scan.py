"""The options of a check, and walking through a journal for findings: for verify and repair."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from csijournal.check.compare_places import Across
from csijournal.check.findings import Finding
from csijournal.check.listing import LISTING_SECONDS
from csijournal.check.scan import Depth, MakeComparison, Summary, Verifier
from csijournal.check.settling import SETTLE_SECONDS
from csijournal.cli.connect import location_of
from csijournal.cli.durations import duration, in_words
from csijournal.cli.options import Settings
from csijournal.cli.progress import Bar, Position, watched
from csijournal.cli.rados_options import mapping_of
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.contract import Inventory, NoInventory
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.store import Store
from csijournal.store.rados.csi_config import SUBVOLUME_GROUP

SETTLE_VARIABLE = "CSIJOURNAL_SETTLE"


@dataclass(frozen=True)
class ScanOptions:
    """How a command looks for findings.

    `settle_given` says whether the command line named the settle time.
    `filesystem` and `subvolume_group` are where CephFS has what stands behind the
    records, empty where that is to be found out.  `assume_nothing_behind` is for a
    copy: all of that counts as gone.  `further_words` are options of the command
    that say with what else is compared.
    """

    depth: Depth = Depth.LIMITED
    grace_seconds: float = GRACE_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    settle_given: bool = False
    filesystem: str = ""
    subvolume_group: str = ""
    assume_nothing_behind: bool = False
    further_words: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The options as a printed command must repeat them to find the same."""
        words = [] if self.depth is Depth.LIMITED else [f"--{self.depth.value}"]
        if self.grace_seconds != GRACE_SECONDS:
            words += ["--grace", in_words(self.grace_seconds)]
        if self.settle_given:
            words += ["--settle", in_words(self.settle_seconds)]
        if self.filesystem:
            words += ["--fs", self.filesystem]
        if self.subvolume_group:
            words += ["--subvolume-group", self.subvolume_group]
        if self.assume_nothing_behind:
            words += ["--assume-nothing-behind"]
        return [*words, *self.further_words]

    def inventory(self, store: Store, settings: Settings) -> Inventory:
        """What tells of the things behind the records in `store`; to be closed before it.

        Raises UsageError where nothing is to be assumed of what can be looked at.
        """
        if not self.assume_nothing_behind:
            return open_inventory(store, settings, self.filesystem, self.subvolume_group)
        if store.pool_id is not None:
            raise click.UsageError(
                "--assume-nothing-behind is for copies: here it can be looked at what is behind."
            )
        return NoInventory()

    def verifier(
        self,
        store: Store,
        settings: Settings,
        inventory: Inventory,
        *,
        across: Across | None = None,
        comparisons: Iterable[MakeComparison] = (),
    ) -> Verifier:
        """The check of the chosen journals and instance in `store`."""
        return Verifier(
            store,
            journals=settings.schemas,
            inventory=inventory,
            across=across,
            comparisons=comparisons,
            mapping=mapping_of(settings.given),
            instance_id=settings.instance_id,
            depth=self.depth,
            grace_seconds=self.grace_seconds,
            settle_seconds=self.settle_seconds,
        )


def open_inventory(
    store: Store, settings: Settings, filesystem: str = "", subvolume_group: str = ""
) -> Inventory:
    """The inventory of the place of `store`, with the subvolume group of --csi-config."""
    location = location_of(settings)
    usual = SUBVOLUME_GROUP if location is None else location.subvolume_group
    return inventory_of(store, filesystem=filesystem, subvolume_group=subvolume_group or usual)


grace_option = click.option(
    "--grace",
    "grace_seconds",
    metavar="TIME",
    default=in_words(GRACE_SECONDS),
    callback=duration,
    help=f"What is younger may still be in use: 90s, 15m, 2h, 1d.  [{in_words(GRACE_SECONDS)}]",
)

_CEPHFS_OPTIONS = (
    click.option(
        "--fs",
        "filesystem",
        metavar="NAME",
        default="",
        help="The CephFS filesystem of the pool.  [found by the pool]",
    ),
    click.option(
        "--subvolume-group",
        metavar="NAME",
        default="",
        help="The group of the CephFS driver's subvolumes."
        f"  [that of --csi-config, or {SUBVOLUME_GROUP}]",
    ),
)
"""Where CephFS has what stands behind the records."""

_OPTIONS = (
    click.option(
        "--quick", is_flag=True, help="List no objects: only this instance's entries and groups."
    ),
    click.option(
        "--full",
        "--deep",
        is_flag=True,
        help=f"List all objects, however long it takes.  [at most {LISTING_SECONDS:g} s]",
    ),
    grace_option,
    click.option(
        "--settle",
        "settle_seconds",
        metavar="TIME",
        default=in_words(SETTLE_SECONDS),
        envvar=SETTLE_VARIABLE,
        callback=duration,
        help="Read again after this time what contradicts itself: clients may be at work on it."
        f"  [env: {SETTLE_VARIABLE}; {in_words(SETTLE_SECONDS)}]",
    ),
    *_CEPHFS_OPTIONS,
    click.option(
        "--assume-nothing-behind",
        is_flag=True,
        help="In a copy that import-listing made: count all that stood behind the records as gone.",
    ),
)


def cephfs_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where CephFS has what stands behind the records."""
    for option in reversed(_CEPHFS_OPTIONS):
        command = option(command)
    return command


def scan_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a check to a command, which gets them as one argument `scan`."""

    @functools.wraps(command)
    def with_scan(
        *arguments: Any,  # noqa: ANN401 - click's own
        quick: bool,
        full: bool,
        grace_seconds: float,
        settle_seconds: float,
        filesystem: str,
        subvolume_group: str,
        assume_nothing_behind: bool,
        **others: Any,  # noqa: ANN401
    ) -> None:
        if quick and full:
            raise click.UsageError("--quick and --full contradict each other: give one.")
        source = click.get_current_context().get_parameter_source("settle_seconds")
        scan = ScanOptions(
            Depth.QUICK if quick else Depth.FULL if full else Depth.LIMITED,
            grace_seconds,
            settle_seconds,
            settle_given=source is click.core.ParameterSource.COMMANDLINE,
            filesystem=filesystem,
            subvolume_group=subvolume_group,
            assume_nothing_behind=assume_nothing_behind,
        )
        command(*arguments, scan=scan, **others)

    for option in reversed(_OPTIONS):
        with_scan = option(with_scan)
    return with_scan


def look(verifier: Verifier) -> Iterator[Finding]:
    """What `verifier` finds, with a progress bar that is away while a finding is handled."""
    listed = verifier.depth is Depth.FULL
    total = verifier.count_keys() if watched() and not listed else None
    bar = Bar(lambda: _position(verifier, total))
    with bar.shown():
        for finding in verifier.findings():
            with bar.hidden():
                yield finding


def _position(verifier: Verifier, total: int | None) -> Position:
    """How far the verifier is.

    Where the keys were not counted, all objects were listed first; there are
    about as many records as keys.
    """
    summary: Summary = verifier.summary
    if not summary.instances:
        return Position("listing objects", summary.objects_walked, None)
    if verifier.wait_seconds:
        waiting = f"reading again in {verifier.wait_seconds:.0f} s what contradicts itself"
        return Position(waiting, summary.keys, None, waiting=True)
    expected = summary.listed if total is None else total
    return Position("reading records", summary.keys, max(summary.keys, expected))
