"""The options that compare a journal with what Kubernetes holds, and what they lead to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from csijournal.check.compare_kubernetes import KubernetesComparison
from csijournal.check.context import Context
from csijournal.check.handle_location import HandleLocation, handle_location
from csijournal.check.kubernetes_claims import Claims
from csijournal.check.summary import Summary
from csijournal.cli.options import Settings
from csijournal.cli.rados_options import mapping_of
from csijournal.errors import InvalidTimestamp, StoreError
from csijournal.inventory.contract import Inventory, NotCompared
from csijournal.inventory.kubernetes import KubernetesLists
from csijournal.store import Store
from csijournal.store.rados.csi_config import read_clusters
from csijournal.wire.timestamps import Timestamp


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """The nanoseconds since 1970 of an option's value."""
    if text is None:
        return None
    try:
        return Timestamp.parse(text).nanoseconds
    except InvalidTimestamp as error:
        raise click.BadParameter(f"{error.message}. {error.hint}.") from error


@dataclass(frozen=True)
class KubernetesOptions:
    """The lists that were given, read once for all places; None where none was.

    `words` are the options as a printed command must repeat them.
    """

    lists: KubernetesLists | None = None
    words: tuple[str, ...] = ()

    def holders_of(self, uuid: str) -> str:
        """What in the lists names the UUID, in a sentence; "" for nothing."""
        named = () if self.lists is None else self.lists.named(uuid)
        return f"{named[0].object.kind.value} {named[0].object.name} names it." if named else ""

    def claims(self, settings: Settings, store: Store, inventory: Inventory) -> Claims | None:
        """What the lists say of the place of `store`; None without lists.

        Raises InvalidInputFile for a mapping that cannot be read, and StoreError
        where it is not known which handles lead there.
        """
        if self.lists is None:
            return None
        location = self._location(settings, store, inventory)
        if isinstance(location, NotCompared):
            raise StoreError(str(location))
        return Claims(self.lists, location)

    @staticmethod
    def namespaces(settings: Settings) -> list[str]:
        """The namespaces that Ceph-CSI's configuration names, where it was given."""
        given = settings.given
        clusters = read_clusters(given["csi_config"]).values() if "csi_config" in given else ()
        return [name for one in clusters for name in (one.rbd_namespace, one.cephfs_namespace)]

    @staticmethod
    def _location(
        settings: Settings, store: Store, inventory: Inventory
    ) -> HandleLocation | NotCompared | None:
        given = settings.given
        return handle_location(store, inventory, mapping_of(given), given.get("cluster_id", ""))

    def comparisons(
        self, settings: Settings
    ) -> tuple[Callable[[Context], KubernetesComparison], ...]:
        """What a check is to compare with: one comparison, or none without lists.

        Raises InvalidInputFile for a mapping or a configuration that cannot be read.
        """
        lists = self.lists
        if lists is None:
            return ()
        namespaces = self.namespaces(settings)

        def compare(context: Context) -> KubernetesComparison:
            location = self._location(settings, context.store, context.inventory)
            return KubernetesComparison(context, lists, location, namespaces)

        return (compare,)

    def note_missing(self, summary: Summary) -> None:
        """Say in the summary that there was nothing to compare with, where there was not.

        Handles name a pool or a filesystem: they lead to no store that stands alone.
        """
        if self.lists is None and not summary.stands_alone:
            summary.not_given.append(
                "what nothing in Kubernetes holds: no list was given (--kubernetes FILE)"
            )


_OPTIONS = (
    click.option(
        "--kubernetes",
        "files",
        metavar="FILE",
        multiple=True,
        help="What `kubectl get … -o json` printed, for each kind and cluster that uses the pool;"
        " - is standard input.  Tells what nothing in Kubernetes holds, and what Kubernetes holds"
        " and Ceph has lost.",
    ),
    click.option(
        "--listed-at",
        "listed_ns",
        metavar="TIME",
        callback=_moment,
        help="When these were made: 2026-11-25T03:17:00Z.  [the time of each file]",
    ),
)


def kubernetes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them as one argument `kubernetes`."""

    @functools.wraps(command)
    def with_lists(
        *arguments: Any,  # noqa: ANN401 - click's own
        files: tuple[str, ...],
        listed_ns: int | None,
        **others: Any,  # noqa: ANN401
    ) -> None:
        if listed_ns is not None and not files:
            raise click.UsageError("--listed-at is for the lists of --kubernetes: give those too.")
        if files.count("-") > 1:
            raise click.UsageError("--kubernetes - can be given once: standard input ends.")
        lists = KubernetesLists.read(files, listed_ns=listed_ns) if files else None
        words = [word for file in files for word in ("--kubernetes", file)]
        if listed_ns is not None:
            words += ["--listed-at", str(Timestamp(listed_ns))]
        command(*arguments, kubernetes=KubernetesOptions(lists, tuple(words)), **others)

    for option in reversed(_OPTIONS):
        with_lists = option(with_lists)
    return with_lists
