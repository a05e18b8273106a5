"""The catalogue: each kind of finding once, with its severity, meaning, remedy and limits.

A new kind is a member of `FindingKind` and a row in the table of its concern.  Everything that is
said about a kind, on the terminal, in JSON and in the report, is read from here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from csijournal.compat import StrEnum
from csijournal.wire.schema import GROUPS, SNAPSHOTS
from csijournal.wire.uuids import ending_uuid


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something is stuck, lost or leaking now."""
    WARNING = "warning"
    """Everything works, and somebody should know."""
    NOTE = "note"
    """Known and harmless: counted, listed with --notes, never in the exit code."""


class Concern(StrEnum):
    """What a kind of finding is about; the report has a table for each."""

    JOURNAL = "The journals"
    REFERENCES = "References between records"
    RBD = "RBD"
    CEPHFS = "CephFS"
    KUBERNETES = "Kubernetes"


class Alone(enum.Enum):
    """Whether repair may act on a kind without a person's decision."""

    NEVER = "never"
    IF_CERTAIN = "if certain"
    """The check says so of each finding for which it could prove what is right."""
    IF_NOTHING_BEHIND = "if nothing is behind"
    """As above, and only where it was looked up that nothing hangs on the record."""


_RENAMED = {"revived-group": "members-elsewhere"}


class FindingKind(StrEnum):
    """What a finding is about; `CATALOG` has all that is known about each kind."""

    DANGLING_ENTRY = "dangling-entry"
    UNPOPULATED_GROUP = "unpopulated-group"
    NAMELESS_GROUP = "nameless-group"
    ORPHAN_GROUP = "orphan-group"
    DETACHED_GROUP = "detached-group"
    EMPTY_OBJECT = "empty-object"
    MEMBERS_ELSEWHERE = "members-elsewhere"
    NAME_MISMATCH = "name-mismatch"
    SHARED_UUID = "shared-uuid"
    CORRUPT_ENTRY = "corrupt-entry"
    WRONG_GROUP_NAME = "wrong-group-name"
    STALE_LEASE = "stale-lease"
    UNREADABLE_KEY = "unreadable-key"
    GROUP_WITHOUT_UUID = "group-without-uuid"
    UNFINISHED_GROUP = "unfinished-group"
    SHARDED_DIRECTORY = "sharded-directory"
    INVALID_REQUEST_NAME = "invalid-request-name"
    MISSING_ATTRIBUTE = "missing-attribute"
    UNREADABLE_TIME = "unreadable-time"
    UNKNOWN_KEY = "unknown-key"
    LARGE_DIRECTORY = "large-directory"

    # Of volumes and snapshots
    UNPOPULATED_RECORD = "unpopulated-record"
    NAMELESS_RECORD = "nameless-record"
    ORPHAN_RECORD = "orphan-record"
    DETACHED_RECORD = "detached-record"
    EMPTY_RECORD = "empty-record"
    PARTIAL_RECORD = "partial-record"
    SPLIT_RECORD = "split-record"
    WRONG_NAME = "wrong-name"
    SOURCE_LOST = "source-lost"
    NFS_ATTRIBUTE_ELSEWHERE = "nfs-attribute-elsewhere"
    MAPPING = "mapping"

    # References between records
    MEMBER_WITHOUT_RECORD = "member-without-record"
    MEMBER_IN_UNKNOWN_POOL = "member-in-unknown-pool"
    RECORD_NAMES_MISSING_GROUP = "record-names-missing-group"
    SOURCE_MISSING = "source-missing"
    IN_TWO_GROUPS = "in-two-groups"
    TWICE_RESERVED = "twice-reserved"
    WRONG_NAMESPACE = "wrong-namespace"

    # RBD
    IMAGE_MISSING = "image-missing"
    IMAGE_ID_DIFFERS = "image-id-differs"
    IMAGE_WITHOUT_RECORD = "image-without-record"
    IMAGE_BROKEN = "image-broken"
    TEMP_IMAGE_LEFT = "temp-image-left"
    SNAPSHOT_LEFT = "snapshot-left"
    TRASH_STUCK = "trash-stuck"
    RBD_GROUP_WITHOUT_RECORD = "rbd-group-without-record"
    RBD_GROUP_MISSING = "rbd-group-missing"
    RBD_GROUP_DIFFERS = "rbd-group-differs"

    # CephFS
    SUBVOLUME_MISSING = "subvolume-missing"
    SNAPSHOT_MISSING = "snapshot-missing"
    SUBVOLUME_WITHOUT_RECORD = "subvolume-without-record"
    SNAPSHOT_WITHOUT_RECORD = "snapshot-without-record"
    BACKING_REFERENCES = "backing-references"

    # Kubernetes
    UNCLAIMED = "unclaimed"
    MISSING_IN_CEPH = "missing-in-ceph"
    CLAIMED_TWICE = "claimed-twice"
    HANDLE_ELSEWHERE = "handle-elsewhere"

    @classmethod
    def named(cls, name: object) -> FindingKind:
        """The kind of this name, or of one that an earlier version had.  Raises ValueError."""
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is not the name of a kind")  # noqa: TRY004 - as for others
        return cls(_RENAMED.get(name, name))

    @property
    def concern(self) -> Concern:
        """What it is about."""
        return _CONCERN_OF[self]

    @property
    def severity(self) -> Severity:
        """How much this kind matters."""
        return CATALOG[self].severity

    @property
    def meaning(self) -> str:
        """What it is and why it matters, for an operator."""
        return CATALOG[self].meaning

    @property
    def remedy(self) -> str:
        """What can be done about it."""
        return CATALOG[self].remedy

    @property
    def alone(self) -> Alone:
        """When repair may act on it without a person."""
        return CATALOG[self].alone

    @property
    def alone_reason(self) -> str:
        """Why so, or why not."""
        return CATALOG[self].alone_reason


@dataclass(frozen=True)
class Row:
    """One row of the catalogue; `alone_reason` says why repair may act alone, or may not."""

    severity: Severity
    meaning: str
    remedy: str
    alone: Alone
    alone_reason: str


_JOURNAL = {
    FindingKind.DANGLING_ENTRY: Row(
        Severity.ERROR,
        (
            "The request name points at a record that does not exist: a client died in the middle"
            " of a delete, or somebody removed things by hand. Ceph-CSI fails forever for the name"
            " of a volume or of a group."
        ),
        (
            "repair removes the entry. The next request of that name then starts anew. Where an"
            " image or subvolume of the UUID exists, attach makes its record again."
        ),
        Alone.IF_NOTHING_BEHIND,
        "The entry was seen twice, with time between, without a record; and nothing has its UUID.",
    ),
    FindingKind.UNPOPULATED_GROUP: Row(
        Severity.ERROR,
        (
            "The request name points at a group object without a request name and members: a driver"
            " died while it made the group. Ceph-CSI fails forever for this name."
        ),
        "repair removes the group object and the entry, unless an RBD group of this UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The group object is older than the grace time, and no RBD group has its UUID.",
    ),
    FindingKind.NAMELESS_GROUP: Row(
        Severity.ERROR,
        (
            "The request name points at a group that has members and does not say its request name."
            " Ceph-CSI fails forever for this name."
        ),
        "If the members belong to this request: attach the group. If nobody needs them: drop it.",
        Alone.NEVER,
        "Only a person can know whether the members are this request's.",
    ),
    FindingKind.ORPHAN_GROUP: Row(
        Severity.ERROR,
        (
            "No request name points at this group, and it has no members: a client died between the"
            " two writes of a reservation, or two hosts reserved one name."
        ),
        "repair removes the group object, unless an RBD group of this UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The group object is older than the grace time, and no RBD group has its UUID.",
    ),
    FindingKind.DETACHED_GROUP: Row(
        Severity.ERROR,
        "No request name points at this group, but it has members: somebody may be using it.",
        "Look at its members. Attach it again if it is in use; drop it if it is not.",
        Alone.NEVER,
        "Only a person can know whether somebody uses the group.",
    ),
    FindingKind.EMPTY_OBJECT: Row(
        Severity.ERROR,
        (
            "A group object that holds nothing, and no request name points at it: a driver died"
            " right after it created the object."
        ),
        "repair removes the group object, unless an RBD group of this UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The group object is older than the grace time, and no RBD group has its UUID.",
    ),
    FindingKind.MEMBERS_ELSEWHERE: Row(
        Severity.WARNING,
        (
            "A group object with members and without a request name, and nothing here points at it."
            " Its reservation may be in another pool (journalPool of the class): then this is the"
            " only list of the members of a live group. Or members were added after the group was"
            " removed."
        ),
        (
            "Look for the group in the pool that the class names as journalPool. Drop it only if no"
            " reservation is there and nobody needs the members."
        ),
        Alone.NEVER,
        "The object can be the only list of the members of a live group.",
    ),
    FindingKind.NAME_MISMATCH: Row(
        Severity.ERROR,
        (
            "The request name points at a record that says it belongs to another request name."
            ' Ceph-CSI fails with "internal state inconsistent, omap names mismatch".'
        ),
        (
            "Where the other name's own entry is right, repair removes this entry. Otherwise decide"
            " whose the record is; of a group: attach or drop."
        ),
        Alone.IF_CERTAIN,
        "The other name has a right entry of its own, so that this entry is the wrong one.",
    ),
    FindingKind.SHARED_UUID: Row(
        Severity.ERROR,
        "Two request names point at one record. A delete of one would remove the other's.",
        "Where the record says whose it is, repair removes the other entry. Otherwise"
        " decide whose the record is; of a group: drop the other entry.",
        Alone.IF_CERTAIN,
        "The record says whose it is, and that name's entry points at it.",
    ),
    FindingKind.CORRUPT_ENTRY: Row(
        Severity.ERROR,
        (
            "The entry of the request name does not hold a UUID. Ceph-CSI fails forever for this"
            " name."
        ),
        "Of a group: drop the entry, and attach the group that was meant, if you know it. Of a"
        " volume or snapshot: look with show for the record that was meant.",
        Alone.NEVER,
        "Only a person can know which record was meant.",
    ),
    FindingKind.WRONG_GROUP_NAME: Row(
        Severity.ERROR,
        "The group's name does not end in its UUID, so that an undo by that name misses the group.",
        "attach writes the group's proper name again.",
        Alone.NEVER,
        "An RBD group may exist under the wrong name.",
    ),
    FindingKind.STALE_LEASE: Row(
        Severity.ERROR,
        (
            "A client wrote down UUIDs that it was going to use and never gave them back: it died,"
            " or lost its connection."
        ),
        "recover, or repair, revokes the lease and removes what the client left unfinished.",
        Alone.IF_CERTAIN,
        "A revoked lease stops its owner from using the UUIDs; what it made and used stays.",
    ),
    FindingKind.UNREADABLE_KEY: Row(
        Severity.ERROR,
        (
            "The object holds a key or a value that cannot be read as the journal's. Everything"
            " else was read. repair, drop and restore leave such an object as it is, and an export"
            " does not hold the key."
        ),
        "Find out who wrote it, and remove it: in Ceph, rados rmomapkey OBJECT KEY.",
        Alone.NEVER,
        "csijournal never changes what it does not understand.",
    ),
    FindingKind.GROUP_WITHOUT_UUID: Row(
        Severity.ERROR,
        (
            "An object csi.volume.group. without a UUID, which Ceph-CSI's CephFS code can make. Its"
            " members belong to groups that do not show them."
        ),
        "Compare its members with the group snapshots in Kubernetes, then remove it with rados rm.",
        Alone.NEVER,
        "Only a person can know to which groups the members belong.",
    ),
    FindingKind.UNFINISHED_GROUP: Row(
        Severity.WARNING,
        (
            "The group was reserved more than a day ago and has no members: a group operation that"
            " never finished. A CSI-Addons group may be empty on purpose."
        ),
        "Look in Kubernetes whether somebody still needs the group. If not: undo.",
        Alone.NEVER,
        "An empty group of CSI-Addons is in order as long as its RBD group exists.",
    ),
    FindingKind.SHARDED_DIRECTORY: Row(
        Severity.WARNING,
        (
            "The directory has shards (csi.groups.<id>.<number>), the layout of a driver that"
            " csijournal only knows how to read. It reads the shards as parts of the one instance."
        ),
        "Do not reserve in this instance with csijournal: a name may be reserved in a shard.",
        Alone.NEVER,
        "A driver that uses the shards owns this layout.",
    ),
    FindingKind.INVALID_REQUEST_NAME: Row(
        Severity.WARNING,
        (
            "The request name breaks the CSI rules (empty, too long, or with control characters)."
            " Ceph-CSI accepted it; csijournal refuses to reserve or undo it."
        ),
        "Nothing needs to be done while it is in use. drop removes it.",
        Alone.NEVER,
        "The reservation works for Ceph-CSI.",
    ),
    FindingKind.MISSING_ATTRIBUTE: Row(
        Severity.WARNING,
        (
            "The record lacks a name or an id that Ceph-CSI uses: csi.groupname of a group (it"
            " answers with an empty name), csi.imagename or csi.imageid of a volume or snapshot."
            " Without the id nobody finds an image of it that is in the trash."
        ),
        "attach writes a group's name again. repair writes csi.imageid from RBD's directory.",
        Alone.IF_CERTAIN,
        "RBD's directory tells the id of the image. The prefix of a lost name is not known.",
    ),
    FindingKind.UNREADABLE_TIME: Row(
        Severity.WARNING,
        "The creation time is missing, as in groups made by Ceph-CSI 3.11, or cannot be read.",
        "Nothing needs to be done: the time counts as unknown.",
        Alone.NEVER,
        "Nobody knows the time any more.",
    ),
    FindingKind.UNKNOWN_KEY: Row(
        Severity.WARNING,
        "The directory has a key that is neither an entry nor a lease.",
        "Find out who wrote it. csijournal leaves it alone.",
        Alone.NEVER,
        "csijournal never changes what it does not understand.",
    ),
    FindingKind.LARGE_DIRECTORY: Row(
        Severity.WARNING,
        "The directory object nears the 200,000 keys at which Ceph warns of a large omap object.",
        "Undo what is not needed, or start further drivers with another instance id.",
        Alone.NEVER,
        "Which reservations are not needed is the driver's business.",
    ),
    # Of volumes and snapshots
    FindingKind.UNPOPULATED_RECORD: Row(
        Severity.ERROR,
        (
            "The request name points at an empty record: a driver died while it made the volume or"
            " snapshot. Ceph-CSI fails forever for the name of a volume."
        ),
        "repair removes the record and the entry, unless an image or subvolume of the UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The record is older than the grace time, holds nothing, and nothing has its UUID.",
    ),
    FindingKind.NAMELESS_RECORD: Row(
        Severity.ERROR,
        (
            "The request name points at a record that has attributes and does not say its request"
            " name. Ceph-CSI fails forever for this name."
        ),
        (
            "Look at what stands behind it (show). If it is this request's: attach writes what the"
            " record lacks. Nothing removes it by itself."
        ),
        Alone.NEVER,
        "Only a person can know whether the attributes are this request's.",
    ),
    FindingKind.ORPHAN_RECORD: Row(
        Severity.ERROR,
        (
            "No request name points at this record, and nothing stands behind it: its image or"
            " subvolume is gone, or was never made."
        ),
        "repair removes the record, unless another record names it.",
        Alone.IF_NOTHING_BEHIND,
        (
            "The record is older than the grace time, nothing has its UUID, and no other record"
            " names it."
        ),
    ),
    FindingKind.DETACHED_RECORD: Row(
        Severity.ERROR,
        (
            "No request name points at this record, and an image or subvolume stands behind it, or"
            " may. Pods may use the volume: a handle needs no entry. But the same request would"
            " make a second volume."
        ),
        (
            "If somebody uses it, as the lists of Kubernetes tell (--kubernetes): attach it again."
            " If nobody does: retire moves its image to the trash, with a way back."
        ),
        Alone.NEVER,
        "Somebody may use what stands behind it.",
    ),
    FindingKind.EMPTY_RECORD: Row(
        Severity.ERROR,
        (
            "A record that holds nothing, and no request name points at it: a driver died right"
            " after it created the object."
        ),
        "repair removes the record, unless an image or subvolume of the UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The record is older than the grace time, holds nothing, and nothing has its UUID.",
    ),
    FindingKind.PARTIAL_RECORD: Row(
        Severity.ERROR,
        (
            "A record with nothing but csi.imageid or csi.nfs.cluster, and no request name points"
            " at it: a call that came after the delete made the record again."
        ),
        "repair removes the record, unless an image or subvolume of the UUID exists.",
        Alone.IF_NOTHING_BEHIND,
        "The record is older than the grace time, and nothing has its UUID.",
    ),
    FindingKind.SPLIT_RECORD: Row(
        Severity.ERROR,
        (
            "Entry and record lie in two pools, in a way that Ceph-CSI cannot read back, or the"
            " record names a journal pool that does not exist. It fails for this name, or makes"
            " the volume again."
        ),
        "Compare both pools: csijournal -p POOL show NAME. repair leaves it alone.",
        Alone.NEVER,
        "Each pool holds a part of what is known of the volume.",
    ),
    FindingKind.WRONG_NAME: Row(
        Severity.ERROR,
        (
            "The name of the image or subvolume in the record does not end in its UUID, so that a"
            " delete by that name misses the record."
        ),
        "Compare with the image's own name (rbd info, or ceph fs subvolume info).",
        Alone.NEVER,
        "An image may exist under the wrong name.",
    ),
    FindingKind.SOURCE_LOST: Row(
        Severity.ERROR,
        (
            "The snapshot's record has no csi.source. URGENT: the next CreateSnapshot of this name"
            " makes Ceph-CSI remove record and entry, although the snapshot's image is there."
        ),
        (
            "attach writes the source back, as RBD or CephFS knows it. Do so before the snapshot is"
            " asked for again."
        ),
        Alone.NEVER,
        "What the snapshot was taken of is a person's to confirm.",
    ),
    FindingKind.NFS_ATTRIBUTE_ELSEWHERE: Row(
        Severity.WARNING,
        (
            "A record with csi.nfs.cluster alone, and the volume's real record lies in another"
            " namespace: the NFS driver writes this key into its default namespace."
        ),
        "Nothing needs to be done while the volume lives. Ceph-CSI never removes it.",
        Alone.NEVER,
        "The NFS driver reads the key from here as long as the volume lives.",
    ),
    FindingKind.MAPPING: Row(
        Severity.NOTE,
        "The entry maps an old volume handle to a new one: older drivers wrote it at a failover.",
        "Nothing needs to be done.",
        Alone.NEVER,
        "It is not a reservation, and drivers may still read it.",
    ),
}

_REFERENCES = {
    FindingKind.MEMBER_WITHOUT_RECORD: Row(
        Severity.ERROR,
        (
            "A group names a volume or snapshot that has no record any more. Ceph-CSI fails for"
            " the whole group, and nothing can be restored from this member."
        ),
        "If the member is gone for good: remove it from the group with csijournal remove.",
        Alone.NEVER,
        "Only a person can know that the member is not needed.",
    ),
    FindingKind.MEMBER_IN_UNKNOWN_POOL: Row(
        Severity.WARNING,
        (
            "The handle of a group's member names a pool that does not exist in this cluster: the"
            " group was made in another cluster, or the pool is gone."
        ),
        (
            "After a failover, look with --cluster-mapping FILE, which Ceph-CSI uses as well: then"
            " nothing needs to be written. Where Kubernetes' volumes were made again with new"
            " handles, `csijournal remap` exchanges the old ids for the new ones, and"
            " `csijournal restore --map-pool OLD=NEW` does so while it restores."
        ),
        Alone.NEVER,
        "Only a person can know which pool took the place of the old one.",
    ),
    FindingKind.RECORD_NAMES_MISSING_GROUP: Row(
        Severity.WARNING,
        "The volume or snapshot says that it belongs to a group, and that group has no record.",
        "Nothing needs to be done: Ceph-CSI does not look at it when it deletes the volume.",
        Alone.NEVER,
        "The group may lie in a place that was not looked at.",
    ),
    FindingKind.SOURCE_MISSING: Row(
        Severity.ERROR,
        (
            "The snapshot's source has neither a record nor an image or subvolume, and the"
            " snapshot itself has none either. (Where the snapshot's own is there, this is a note:"
            " a source may be deleted before its snapshots.) Nothing can be restored from it."
        ),
        "Delete the snapshot in Kubernetes.",
        Alone.NEVER,
        "Kubernetes still knows the snapshot.",
    ),
    FindingKind.IN_TWO_GROUPS: Row(
        Severity.WARNING,
        "Two groups name the same volume as a member, and RBD lets an image be in one only.",
        "Compare with the groups in Kubernetes, and remove the member from the wrong one with"
        " csijournal remove.",
        Alone.NEVER,
        "Only a person can know to which group the volume belongs.",
    ),
    FindingKind.TWICE_RESERVED: Row(
        Severity.WARNING,
        (
            "One request name is reserved in two instances, or one UUID has a record in two"
            " namespaces. After a retry in another pool or instance both exist forever."
        ),
        "Find out from Kubernetes which of the two is used: verify --kubernetes FILE.",
        Alone.NEVER,
        "Both may be complete, and only one is used.",
    ),
    FindingKind.WRONG_NAMESPACE: Row(
        Severity.WARNING,
        (
            "The group lies in another namespace than its members: a driver that serves several"
            " filesystems can write a record into the namespace of another one."
        ),
        "Compare the namespaces of both (radosNamespace in config.json).",
        Alone.NEVER,
        "csijournal moves no record between namespaces.",
    ),
}

_RBD = {
    FindingKind.IMAGE_MISSING: Row(
        Severity.ERROR,
        (
            "The record names an RBD image that does not exist: somebody deleted it, or a driver"
            " died while it made or deleted the volume. Whoever uses the volume has lost its data,"
            " unless the image is in the trash."
        ),
        (
            "If it is in the trash: restore it with `rbd trash restore`. If nobody uses the volume:"
            " let the driver delete it, which removes record and entry."
        ),
        Alone.NEVER,
        "Somebody may restore the image, or look for the data.",
    ),
    FindingKind.IMAGE_ID_DIFFERS: Row(
        Severity.WARNING,
        (
            "The record's csi.imageid is not the image's id: the image was made again by hand, or"
            " mirroring made it anew. The driver finds the image by its name, but a deletion would"
            " leave it in the trash."
        ),
        "Put the image's id into the record: rados setomapval OBJECT csi.imageid ID.",
        Alone.NEVER,
        "Only a person can know whether this image is the volume's.",
    ),
    FindingKind.IMAGE_WITHOUT_RECORD: Row(
        Severity.ERROR,
        (
            "An image is named like a driver's, and no record of the journal names it: its record"
            " was lost, or the image was restored or copied here. Nothing will ever delete it, and"
            " its space is leaked. The size is the provisioned one, an upper bound."
        ),
        (
            "Find out whether somebody uses it: watchers, clones, and the claim that it was made"
            " for. If somebody does: attach makes its record again. If nobody does: retire moves it"
            " to the trash, with a way back. A mirrored image is in order."
        ),
        Alone.NEVER,
        "The image may hold the only copy of somebody's data.",
    ),
    FindingKind.IMAGE_BROKEN: Row(
        Severity.ERROR,
        (
            "RBD lists the image, but its header object is gone, so that it cannot be opened: a"
            " removal was interrupted, or objects of the pool were lost."
        ),
        "If the data is not needed: rbd rm ends an interrupted removal.",
        Alone.NEVER,
        "What is left of the image may be needed to save its data.",
    ),
    FindingKind.TEMP_IMAGE_LEFT: Row(
        Severity.WARNING,
        (
            "The intermediate image of a cloned volume, and the volume does not exist: a driver"
            " died while it cloned. Nothing depends on it."
        ),
        "If nothing is being cloned: remove its snapshots with rbd snap rm, then retire it.",
        Alone.NEVER,
        "A retry of the driver may still use it.",
    ),
    FindingKind.SNAPSHOT_LEFT: Row(
        Severity.WARNING,
        (
            "An RBD snapshot that a driver took in order to clone the image, and did not remove,"
            " since it died. When the volume is deleted, its image stays in the trash forever."
        ),
        "If nothing is being cloned from the image: rbd snap rm, with the names given.",
        Alone.NEVER,
        "A driver may still clone from the snapshot.",
    ),
    FindingKind.TRASH_STUCK: Row(
        Severity.WARNING,
        (
            "A deleted image that will never leave the trash: it still has snapshots, or nothing"
            " is going to remove it. Its space is leaked."
        ),
        "Remove the snapshots as given; or remove the image with rbd trash rm.",
        Alone.NEVER,
        "What is in the trash is kept so that a person can take it back.",
    ),
    FindingKind.RBD_GROUP_WITHOUT_RECORD: Row(
        Severity.ERROR,
        (
            "An RBD group is named like a driver's, and no record of the journal names it. As long"
            " as it holds images, they can be in no other group, and cannot be deleted."
        ),
        "Remove its images with rbd group image rm, then the group with rbd group rm.",
        Alone.NEVER,
        "Somebody may use the group.",
    ),
    FindingKind.RBD_GROUP_MISSING: Row(
        Severity.WARNING,
        (
            "The journal has a group of volumes, and RBD has no group of that name: a driver died"
            " while it made or deleted it, or somebody removed it by hand."
        ),
        "Repeat the request in Kubernetes, which makes it again; or delete the group there.",
        Alone.NEVER,
        "Only a person can know whether the group is needed.",
    ),
    FindingKind.RBD_GROUP_DIFFERS: Row(
        Severity.WARNING,
        (
            "The images of the RBD group are not the members that the journal has: a driver died"
            " between the two, or somebody changed one of them by hand."
        ),
        (
            "Repeat the change in Kubernetes. Otherwise: rbd group image add or rm for RBD, add or"
            " remove for the journal."
        ),
        Alone.NEVER,
        "Only a person can know which of the two is right.",
    ),
}

_CEPHFS = {
    FindingKind.SUBVOLUME_MISSING: Row(
        Severity.ERROR,
        (
            "A volume has a record, and there is no subvolume: somebody deleted the subvolume, or"
            " a driver died before it made one or while it deleted the volume. If a"
            " PersistentVolume has this volume, it cannot be mounted."
        ),
        (
            "Delete the claim, or the PersistentVolume: the driver then removes record and entry."
            " If Kubernetes knows nothing of the volume: undo --journal volumes."
        ),
        Alone.NEVER,
        "Somebody may be about to restore the subvolume, and only Kubernetes knows who needs it.",
    ),
    FindingKind.SNAPSHOT_MISSING: Row(
        Severity.ERROR,
        (
            "A snapshot has a record, and its subvolume has no such snapshot: somebody removed it,"
            " or a driver died before it made one or while it deleted the snapshot. Nothing can be"
            " restored from it."
        ),
        (
            "Delete the VolumeSnapshot: the driver then removes record and entry. If Kubernetes"
            " knows nothing of the snapshot: undo --journal snapshots."
        ),
        Alone.NEVER,
        "Only Kubernetes knows whether somebody counts on the snapshot.",
    ),
    FindingKind.SUBVOLUME_WITHOUT_RECORD: Row(
        Severity.ERROR,
        (
            "A subvolume has a volume's name, no volume has a record of it, and no snapshot needs"
            " it: its space is leaked. Or its record was lost, and somebody uses it."
        ),
        (
            "If a PersistentVolume has this UUID in its handle, the record was lost: do not remove"
            " anything, attach makes it again. If nobody needs the data, and no other cluster"
            " shares the subvolume group:"
            " ceph fs subvolume rm FILESYSTEM SUBVOLUME --group_name GROUP."
        ),
        Alone.NEVER,
        "It may hold data, and only a person can know whether somebody needs them.",
    ),
    FindingKind.SNAPSHOT_WITHOUT_RECORD: Row(
        Severity.ERROR,
        (
            "A snapshot of a subvolume has a driver's name and no record, and no shallow volume"
            " reads it: its space is leaked, and the subvolume cannot go away. Or a volume was"
            " cloned from it, and the driver died before it removed the snapshot."
        ),
        (
            "If a VolumeSnapshotContent has this UUID in its handle: attach makes the record again."
            " If nobody needs the snapshot, and no other cluster shares the subvolume group:"
            " ceph fs subvolume snapshot rm FILESYSTEM SUBVOLUME SNAPSHOT --group_name GROUP."
        ),
        Alone.NEVER,
        "It may hold data, and only a person can know whether somebody needs them.",
    ),
    FindingKind.BACKING_REFERENCES: Row(
        Severity.ERROR,
        (
            "Shallow volumes read a snapshot, and the object that counts them says otherwise than"
            " their records. If it counts too few, the snapshot can be deleted under a volume; if"
            " too many, it is never deleted."
        ),
        (
            "Do not delete the snapshot while a volume needs it. Compare the object with the"
            " volumes (rados -p POOL -N NAMESPACE listomapvals OBJECT), and delete the volumes that"
            " nobody needs."
        ),
        Alone.NEVER,
        "The object is the driver's, which changes it in ways of its own.",
    ),
}

_KUBERNETES = {
    FindingKind.UNCLAIMED: Row(
        Severity.WARNING,
        (
            "A volume, snapshot or group that is older than the Kubernetes lists, and that no"
            " object in them holds: its object was removed with the policy Retain, its cluster or"
            " etcd was lost, or its claim was deleted while the driver was making it. It goes on"
            " taking space."
        ),
        (
            "Make sure that the lists are those of every cluster that uses the pool. If somebody"
            " needs it, make its object in Kubernetes again, with a handle of this UUID. If nobody"
            " does, retire takes volumes and snapshots out of use: their images go to the trash,"
            " with a way back. Or make such an object with the policy Delete, and delete it: the"
            " driver then removes all of it."
        ),
        Alone.NEVER,
        "Another cluster, whose list was not given, may be using it.",
    ),
    FindingKind.MISSING_IN_CEPH: Row(
        Severity.ERROR,
        (
            "Kubernetes holds a handle, and there is no record for it: the volume, snapshot or"
            " group was removed in Ceph, or its record was lost. Ceph-CSI fails for it, or answers"
            " that it was deleted already."
        ),
        (
            "Where its image or subvolume is still there, keep the object in Kubernetes: attach"
            " makes the record again, with --all for every one in the list. Where nothing is"
            " there, the data is gone: restore it from a backup, and remove the object. Where it"
            " was deleted since the list was made, make the list again."
        ),
        Alone.NEVER,
        "The object is in Kubernetes, which csijournal never changes.",
    ),
    FindingKind.CLAIMED_TWICE: Row(
        Severity.WARNING,
        (
            "Two objects of Kubernetes hold one volume, snapshot or group. When one of them is"
            " deleted with the policy Delete, the other loses its data. Two PersistentVolumes can"
            " also be mounted at the same time, which destroys a file system on an image."
        ),
        (
            "Decide which object is the right one. Set the policy of the other to Retain before"
            " you delete it."
        ),
        Alone.NEVER,
        "Only a person can know which of the objects is the right one.",
    ),
    FindingKind.HANDLE_ELSEWHERE: Row(
        Severity.WARNING,
        (
            "The handle in Kubernetes names another pool, filesystem or cluster than the location"
            " that holds the record. Ceph-CSI looks where the handle says, and finds nothing,"
            " unless its cluster-mapping.json says what the handle stands for."
        ),
        (
            "After a failover: give Ceph-CSI's file with --cluster-mapping; both ids must be in it."
            " After a move to another pool: make the object again with the right handle."
        ),
        Alone.NEVER,
        "The handle is in Kubernetes, which csijournal never changes.",
    ),
}


_BY_CONCERN: Mapping[Concern, Mapping[FindingKind, Row]] = {
    Concern.JOURNAL: _JOURNAL,
    Concern.REFERENCES: _REFERENCES,
    Concern.RBD: _RBD,
    Concern.CEPHFS: _CEPHFS,
    Concern.KUBERNETES: _KUBERNETES,
}

CATALOG: Mapping[FindingKind, Row] = {
    kind: row for rows in _BY_CONCERN.values() for kind, row in rows.items()
}
"""All that is known about each kind."""

_CONCERN_OF = {kind: concern for concern, rows in _BY_CONCERN.items() for kind in rows}


LEAKS: frozenset[FindingKind] = frozenset(
    {
        FindingKind.IMAGE_WITHOUT_RECORD,
        FindingKind.TEMP_IMAGE_LEFT,
        FindingKind.TRASH_STUCK,
        FindingKind.SUBVOLUME_WITHOUT_RECORD,
        FindingKind.UNCLAIMED,
    }
)
"""Kinds of things that take space and that nobody uses."""


_GROUP_SNAPSHOT_SUFFIX = "-vg"
"""What the RBD driver adds to a group snapshot's name for the group that it makes for it.

The driver's delete undoes the reservation under the group's CSI id, so that this
entry stays each time (Ceph-CSI, internal/rbd/group_controllerserver.go).
"""


def severity_of(kind: FindingKind, request_name: str | None, journal: str) -> Severity:
    """How much one finding matters: as its kind, but for what heals or harms nobody."""
    if kind is FindingKind.DANGLING_ENTRY:
        if is_left_by_group_snapshot(request_name or "") and journal == GROUPS.journal:
            return Severity.NOTE  # nobody asks for that name again, so that nothing is stuck
        if journal == SNAPSHOTS.journal:
            return Severity.WARNING  # Ceph-CSI removes it when it is asked for the name again
    return kind.severity


def is_left_by_group_snapshot(request_name: str) -> bool:
    """Whether this is the name of the group that the RBD driver makes for a group snapshot.

    Those end in the UID of the group snapshot and the driver's suffix.
    """
    before = request_name.removesuffix(_GROUP_SNAPSHOT_SUFFIX)
    return before != request_name and ending_uuid(before) is not None
