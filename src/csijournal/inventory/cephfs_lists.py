"""Names of subvolumes and of their snapshots, by group, each read once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from csijournal.errors import PlaceNotFound, StoreBusy
from csijournal.inventory.cephfs_manager import Manager, NotInFilesystem
from csijournal.inventory.names import NameIndex

NO_GROUP = ""
"""Stands for the subvolumes that are in no group."""

_IS_UNFINISHED = "not ready for operation"
"""So the manager says of a clone that is pending, failed or canceled: it can have no snapshots."""


class SubvolumeLists:
    """What a filesystem holds, read as it is asked for; methods raise StoreError.

    `group` is the one that things are listed of, and the first that is looked
    in.  Memory is bounded by the number of names: some 250 bytes for each
    subvolume, and for each snapshot that was asked about.
    """

    def __init__(self, manager: Manager, filesystem: str, group: str) -> None:
        self._manager = manager
        self.filesystem = filesystem
        self.group = group
        self._subvolumes: dict[str, NameIndex] = {}
        self._snapshots: dict[tuple[str, str], NameIndex] = {}
        self.has_all_snapshots = False

    @cached_property
    def subvolumes(self) -> NameIndex:
        """Those of the group.  Raises PlaceNotFound where there is no such group or filesystem."""
        try:
            return self._in_group(self.group)
        except NotInFilesystem as error:
            raise PlaceNotFound(
                error.message, hint="Name what there is: --fs, --subvolume-group"
            ) from error

    def matching(self, name: str, uuid: str) -> list[tuple[str, str]]:
        """Group and name of the subvolumes called `name`, or by a name that ends in `uuid`.

        The other groups are looked in only for what is not in the first one.
        """
        for group in self._groups_in_turn():
            found = self._in_group(group).matching(name, uuid)
            if found:
                return [(group, each) for each in found]
        return []

    def group_of(self, subvolume: str) -> str | None:
        """The group that has a subvolume of exactly this name."""
        for group in self._groups_in_turn():
            if self._in_group(group).id_of(subvolume) is not None:
                return group
        return None

    def snapshots(self, subvolume: str) -> NameIndex:
        """The snapshots of a subvolume, whatever its group; none where it does not exist."""
        group = self.group_of(subvolume)
        return NameIndex() if group is None else self._snapshots_of(group, subvolume)

    def all_snapshots(self) -> Iterator[tuple[str, str]]:
        """Each snapshot of the group's subvolumes, with its subvolume: a question for each."""
        for subvolume, _ in self.subvolumes:
            for snapshot, _ in self._snapshots_of(self.group, subvolume):
                yield subvolume, snapshot
        self.has_all_snapshots = True

    @property
    def snapshot_count(self) -> int:
        """How many snapshots of the group's subvolumes were read."""
        read = self._snapshots.items()
        return sum(len(names) for (group, _), names in read if group == self.group)

    def known_snapshots(self) -> Iterator[tuple[str, NameIndex]]:
        """Those that were asked for, by subvolume."""
        return ((subvolume, names) for (_, subvolume), names in self._snapshots.items())

    @cached_property
    def _other_groups(self) -> list[str]:
        named = self._manager.ask("fs subvolumegroup ls", vol_name=self.filesystem)
        groups = [*(found["name"] for found in named), NO_GROUP]
        return [group for group in groups if group != self.group]

    def _groups_in_turn(self) -> Iterator[str]:
        _ = self.subvolumes  # says it if the group does not exist
        yield self.group
        yield from self._other_groups

    def _in_group(self, group: str) -> NameIndex:
        if group not in self._subvolumes:
            self._subvolumes[group] = self._names("fs subvolume ls", group)
        return self._subvolumes[group]

    def _snapshots_of(self, group: str, subvolume: str) -> NameIndex:
        place = group, subvolume
        if place not in self._snapshots:
            try:
                names = self._names("fs subvolume snapshot ls", group, sub_name=subvolume)
            except NotInFilesystem:  # it was removed since the list was read
                names = NameIndex()
            except StoreBusy as error:
                if _IS_UNFINISHED not in error.message:
                    raise
                names = NameIndex()
            self._snapshots[place] = names
        return self._snapshots[place]

    def _names(self, prefix: str, group: str, **words: str) -> NameIndex:
        where = {"group_name": group} if group else {}
        listed = self._manager.ask(prefix, vol_name=self.filesystem, **where, **words)
        return NameIndex((found["name"], "") for found in listed)
