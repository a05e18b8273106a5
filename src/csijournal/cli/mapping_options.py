"""The options that exchange the ids of another cluster, for restore and remap."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click

from csijournal.check.locations import Locations
from csijournal.cli.options import Settings
from csijournal.cli.output import note
from csijournal.cli.rados_options import mapping_of
from csijournal.errors import Conflict
from csijournal.inventory.choose import inventory_of
from csijournal.inventory.cluster_mapping import LocationType
from csijournal.repair.image_ids import find_image_id
from csijournal.store import Store
from csijournal.transfer.mapping import CannotMap, IdMapping, RecordMapper, Rule, rules_to
from csijournal.wire.text import number_of


@dataclass(frozen=True)
class MappingOptions:
    """What is to become what; `keep_unmapped` lets the rest stay as it is."""

    clusters: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[int, int] = field(default_factory=dict)
    filesystems: Mapping[int, int] = field(default_factory=dict)
    keep_unmapped: bool = False

    def words(self) -> list[str]:
        """The options as a printed command must repeat them."""
        given = (
            ("--map-cluster", self.clusters),
            ("--map-pool", self.pools),
            ("--map-fs", self.filesystems),
        )
        words = [
            word
            for option, pairs in given
            for old, new in pairs.items()
            for word in (option, f"{old}={new}")
        ]
        return words + (["--keep-unmapped"] if self.keep_unmapped else [])

    def ids(self, settings: Settings, store: Store, *, in_place: bool = False) -> IdMapping | None:
        """The mapping of ids; None where none was given.

        Raises UsageError where options contradict each other, and InvalidInput for
        a file that tells nothing of this place.
        """
        numbers = self.pools or self.filesystems
        if "cluster_mapping" in settings.given:
            if self.clusters or numbers:
                raise click.UsageError(
                    "--cluster-mapping and --map-… both say what becomes what: give one."
                )
            return IdMapping(_rules_of_file(settings, store), in_place=in_place)
        if not self.clusters and not numbers:
            return None
        if self.pools and self.filesystems:
            raise click.UsageError(
                "The handles of one journal have ids of pools (RBD) or of filesystems (CephFS):"
                " give --map-pool or --map-fs."
            )
        if self.pools and Locations(store).is_filesystems:
            raise click.UsageError(
                "This is a journal of CephFS, whose handles have the ids of filesystems:"
                " give --map-fs."
            )
        return IdMapping([Rule(self.clusters or None, numbers or None)], in_place=in_place)

    def require_mapped(self, settings: Settings, cannot: CannotMap) -> None:
        """Name what cannot be mapped.  Raises Conflict where that is not to be kept."""
        if cannot.counters_total:
            note(
                settings,
                "cannot be mapped, and are left alone: the objects that count who uses the"
                f" snapshots of {number_of(cannot.counters_total, 'shallow volume')}"
                f" ({', '.join(cannot.counters)})",
            )
        if not cannot.total:
            return
        more = cannot.total - len(cannot.sentences)
        named = "; ".join(cannot.sentences) + (f"; and {more:,} more" if more else "")
        if not self.keep_unmapped:
            raise Conflict(
                f"{number_of(cannot.total, 'thing')} cannot be mapped; nothing was written:"
                f" {named}",
                hint="Name their ids too (OLD=OLD leaves one as it is), or give --keep-unmapped",
            )
        note(settings, f"kept as they are, since they cannot be mapped: {named}")


def _rules_of_file(settings: Settings, store: Store) -> list[Rule]:
    locations = Locations(store)
    kind = LocationType.FILESYSTEM if locations.is_filesystems else LocationType.POOL
    cluster_id = settings.given.get("cluster_id", "")
    rules = rules_to(mapping_of(settings.given), kind, locations.ids or (), cluster_id)
    if not rules:
        here = " or ".join(map(str, sorted(locations.ids or ())))
        raise click.UsageError(
            f"--cluster-mapping has nothing that becomes this place ({kind.value}: {here})."
        )
    return rules


@contextmanager
def mapper_of(ids: IdMapping | None, store: Store) -> Iterator[RecordMapper | None]:
    """What maps the records of an archive for this place, with the ids of the images here."""
    if ids is None:
        yield None
        return
    inventory = inventory_of(store)
    try:
        has_images = not store.stands_alone
        yield RecordMapper(ids, partial(find_image_id, inventory) if has_images else None)
    finally:
        inventory.close()


def _clusters(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (equals and old and new):
            raise click.BadParameter(f"{text!r} is not OLD=NEW.")
        if pairs.setdefault(old, new) != new:
            raise click.BadParameter(f"{old!r} cannot become both {pairs[old]!r} and {new!r}.")
    return pairs


def _numbers(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[int, int]:
    pairs = _clusters(context, parameter, texts)
    for text in (side for pair in pairs.items() for side in pair):
        if not (text.isascii() and text.isdigit() and int(text) < 2**64):
            raise click.BadParameter(f"{text!r} is not an id: decimal digits, as `ceph` prints it.")
    return {int(old): int(new) for old, new in pairs.items()}


_OPTIONS = (
    click.option(
        "--map-pool",
        "pools",
        metavar="OLD=NEW",
        multiple=True,
        callback=_numbers,
        help="Handles with this pool id get that one (RBD); may be given again.",
    ),
    click.option(
        "--map-cluster",
        "clusters",
        metavar="OLD=NEW",
        multiple=True,
        callback=_clusters,
        help="The same for the cluster id.",
    ),
    click.option(
        "--map-fs",
        "filesystems",
        metavar="OLD=NEW",
        multiple=True,
        callback=_numbers,
        help="The same for the filesystem id (CephFS).  All three at once, as Ceph-CSI has"
        " them: --cluster-mapping FILE.",
    ),
    click.option(
        "--keep-unmapped",
        is_flag=True,
        help="Leave as it is what these do not map.  [it is named, and nothing is written]",
    ),
)


def mapping_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them as one argument `mapping`."""

    @functools.wraps(command)
    def with_mapping(
        *arguments: Any,  # noqa: ANN401 - click's own
        pools: dict[int, int],
        clusters: dict[str, str],
        filesystems: dict[int, int],
        keep_unmapped: bool,
        **others: Any,  # noqa: ANN401
    ) -> None:
        mapping = MappingOptions(clusters, pools, filesystems, keep_unmapped)
        command(*arguments, mapping=mapping, **others)

    for option in reversed(_OPTIONS):
        with_mapping = option(with_mapping)
    return with_mapping
