"""The three journals: what each calls its objects and keys.

Nothing else in csijournal builds or takes apart a name that the store sees.
docs/wire-format.md tells the same in prose; the source in Ceph-CSI is
`internal/journal/voljournal.go` (`NewCSIVolumeJournal`, `NewCSISnapshotJournal`)
and `internal/journal/volumegroupjournal.go` (`NewCSIVolumeGroupJournal`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from csijournal.errors import (
    GroupNotFound,
    InvalidGroupName,
    InvalidImageName,
    RecordNotFound,
    UnpopulatedGroup,
    UnpopulatedRecord,
)
from csijournal.wire.entries import Target, parse_target
from csijournal.wire.names import (
    NAME_BYTES_MAX,
    problem_of_name,
    require_instance_id,
    require_request_name,
)
from csijournal.wire.records import (
    GROUP_NAME_KEY,
    IMAGE_NAME_KEY,
    REQUEST_NAME_KEY,
    SNAPSHOT_REQUEST_NAME_KEY,
    AnyRecord,
    GroupRecord,
    SnapshotRecord,
    VolumeRecord,
    parse_group,
    parse_snapshot,
    parse_volume,
)
from csijournal.wire.text import shortened
from csijournal.wire.uuids import UUID_LENGTH, is_uuid, require_uuid

SNAPSHOT_NAME_BYTES_MAX = 255
"""Members of CephFS group snapshots have request names of up to 179 bytes."""

R = TypeVar("R", bound=AnyRecord)


@dataclass(frozen=True)
class JournalSchema(Generic[R]):
    """One journal's names: of objects, of keys, and of what stands behind a record.

    `journal` is its name in options and JSON, `noun` what one record stands
    for.  `pools_in_entries` says whether an entry may name a pool or hold a
    mapping beside a plain UUID.
    """

    journal: str
    noun: str
    directory_prefix: str
    entry_prefix: str
    record_prefix: str
    name_key: str
    image_key: str
    default_name_prefix: str
    name_bytes_max: int
    pools_in_entries: bool
    parse: Callable[[Mapping[str, bytes]], R]
    invalid_image_name: type[InvalidImageName]
    not_found: type[RecordNotFound]
    unpopulated: type[UnpopulatedRecord]

    # Objects

    def directory_object(self, instance_id: str) -> str:
        """The object whose keys are an instance's request names.

        Raises InvalidInstanceID.
        """
        return self.directory_prefix + require_instance_id(instance_id)

    def instance_of(self, object_name: str) -> str | None:
        """The instance id whose directory this object is; None where it is none."""
        rest = object_name.removeprefix(self.directory_prefix)
        return rest if rest and rest != object_name else None

    def record_object(self, uuid: str) -> str:
        """The object that holds one record.  Raises InvalidUUID."""
        return self.record_prefix + require_uuid(uuid)

    def uuid_of_record(self, object_name: str) -> str | None:
        """The UUID of a record's object; None for any other object.

        `csi.volume.` is a prefix of `csi.volume.group.`, so the UUID decides.
        """
        rest = object_name.removeprefix(self.record_prefix)
        return rest if rest != object_name and is_uuid(rest) else None

    # Keys and values of the directory

    def entry_key(self, request_name: str) -> str:
        """The directory key of a request name, be it one that the rules forbid."""
        return self.entry_prefix + request_name

    def request_name_of_entry(self, key: str) -> str | None:
        """The request name of a directory key; None where the key is no entry."""
        rest = key.removeprefix(self.entry_prefix)
        return rest if rest != key else None

    def parse_target(self, request_name: str, value: bytes) -> Target:
        """What the entry of `request_name` points at."""
        return parse_target(request_name, value, pools=self.pools_in_entries)

    # Names

    def require_request_name(self, text: str) -> str:
        """`text` itself.  Raises InvalidRequestName where the CSI rules forbid it."""
        return require_request_name(text, self.name_bytes_max)

    def require_name_prefix(self, text: str) -> str:
        """`text` itself.  Raises InvalidImageName where no name may start with it.

        The name is the prefix and a UUID, and has to be a name itself.
        """
        problem = problem_of_name(text)
        length = len(text.encode(errors="surrogatepass")) + UUID_LENGTH
        if not problem and length > NAME_BYTES_MAX:
            problem = f"and a UUID make {length} bytes, which is more than {NAME_BYTES_MAX}"
        if problem:
            raise self.invalid_image_name(f"name prefix {shortened(text)} {problem}")
        return text

    def make_image_name(self, name_prefix: str, uuid: str) -> str:
        """Name prefix and UUID joined; an empty prefix means the default one."""
        return (name_prefix or self.default_name_prefix) + uuid

    def uuid_of_image_name(self, image_name: str) -> str:
        """The UUID that a name ends in.  Raises InvalidImageName, for groups InvalidGroupName."""
        uuid = image_name[-UUID_LENGTH:]
        if not is_uuid(uuid):
            raise self.invalid_image_name(
                f"{self.noun} name {shortened(image_name)} does not end in a UUID",
                hint=f"A {self.noun} name is a prefix and a UUID, such as"
                f" {self.default_name_prefix}0f8fad5b-d9cb-469f-a165-70867728950e",
            )
        return uuid


VOLUMES: JournalSchema[VolumeRecord] = JournalSchema(
    journal="volumes",
    noun="volume",
    directory_prefix="csi.volumes.",
    entry_prefix="csi.volume.",
    record_prefix="csi.volume.",
    name_key=REQUEST_NAME_KEY,
    image_key=IMAGE_NAME_KEY,
    default_name_prefix="csi-vol-",
    name_bytes_max=NAME_BYTES_MAX,
    pools_in_entries=True,
    parse=parse_volume,
    invalid_image_name=InvalidImageName,
    not_found=RecordNotFound,
    unpopulated=UnpopulatedRecord,
)

SNAPSHOTS: JournalSchema[SnapshotRecord] = JournalSchema(
    journal="snapshots",
    noun="snapshot",
    directory_prefix="csi.snaps.",
    entry_prefix="csi.snap.",
    record_prefix="csi.snap.",
    name_key=SNAPSHOT_REQUEST_NAME_KEY,
    image_key=IMAGE_NAME_KEY,
    default_name_prefix="csi-snap-",
    name_bytes_max=SNAPSHOT_NAME_BYTES_MAX,
    pools_in_entries=True,
    parse=parse_snapshot,
    invalid_image_name=InvalidImageName,
    not_found=RecordNotFound,
    unpopulated=UnpopulatedRecord,
)

GROUPS: JournalSchema[GroupRecord] = JournalSchema(
    journal="groups",
    noun="group",
    directory_prefix="csi.groups.",
    entry_prefix="csi.volume.group.",
    record_prefix="csi.volume.group.",
    name_key=REQUEST_NAME_KEY,
    image_key=GROUP_NAME_KEY,
    default_name_prefix="csi-vol-group-",
    name_bytes_max=NAME_BYTES_MAX,
    pools_in_entries=False,
    parse=parse_group,
    invalid_image_name=InvalidGroupName,
    not_found=GroupNotFound,
    unpopulated=UnpopulatedGroup,
)

AnySchema = JournalSchema[Any]

SCHEMAS: tuple[AnySchema, ...] = (VOLUMES, SNAPSHOTS, GROUPS)
"""All journals, in the order in which they are listed."""


def schema_of(journal: str) -> AnySchema:
    """The journal of this name.  Raises KeyError where there is none."""
    return {schema.journal: schema for schema in SCHEMAS}[journal]
