"""Looking for everything that can be wrong with a journal.  Reads only.

The quick look walks the directory and reads each group that it points at.  The
deep one also lists the objects of the place, since what nothing points at can
be found in no other way; it counts every instance's directory before it calls
anything an orphan.

Other clients may be at work meanwhile.  So a group that is young may be in the
making and is only counted, and whatever looks wrong between two reads is looked
at again before it is reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from csijournal.check.findings import Finding, FindingKind
from csijournal.errors import InvalidRequestName
from csijournal.journal.grace import GRACE_SECONDS
from csijournal.journal.model import Entry
from csijournal.journal.steps import GroupRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.leases import parse_lease
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.records import CREATION_TIME_KEY, GROUP_NAME_KEY, GroupRecord
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import decode, shortened
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

LARGE_DIRECTORY_KEYS = 160_000
"""Where a directory is called large; the OSD warns at 200,000 keys."""


@dataclass(slots=True)
class Summary:
    """What was looked at, filled while the findings come.

    `ages_days` and `sizes` count groups by whole days of age (-1 for unknown)
    and by number of members.
    """

    instances: list[str] = field(default_factory=list)
    keys: int = 0
    entries: int = 0
    groups: int = 0
    members: int = 0
    leases: int = 0
    in_the_making: int = 0
    objects_listed: int = 0
    group_objects: int = 0
    kinds: Counter[FindingKind] = field(default_factory=Counter)
    ages_days: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)


class Verifier:
    """One look at the journal of `instance_id`; with `deep`, at all of the place.

    `grace_seconds` is how old a group or lease must be to be called left behind.
    Memory grows with the number of groups (some 150 bytes each) only for a deep
    look.
    """

    def __init__(
        self,
        store: Store,
        *,
        instance_id: str = DEFAULT_INSTANCE_ID,
        deep: bool = False,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> None:
        self._store = store
        self._instance_id = instance_id
        self._deep = deep
        self._grace_ns = int(grace_seconds * NANOSECONDS)
        self._now_ns = clock().nanoseconds
        self._pointed_at: dict[bytes, bool] = {}
        self.summary = Summary()

    def count_keys(self) -> int:
        """How many keys there are to walk, for a progress bar; costs one walk of the keys."""
        records = Records(self._store, GROUPS, self._instance_id)
        return sum(len(page) for page in records.directory_pages())

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong, as it is found.  Raises StoreError."""
        for finding in self._find():
            self.summary.kinds[finding.kind] += 1
            yield finding

    def _find(self) -> Iterator[Finding]:
        instances = self._list_objects() if self._deep else {self._instance_id}
        self.summary.instances = sorted(instances)
        for instance_id in self.summary.instances:
            yield from self._walk(self._records(instance_id), instance_id)
        if self._deep:
            yield from self._without_entry()

    # The directory

    def _walk(self, records: GroupRecords, instance_id: str) -> Iterator[Finding]:
        keys = 0
        for page in records.directory_pages():
            keys += len(page)
            yield from self._page(records, instance_id, page)
            self.summary.keys += len(page)
        if keys > LARGE_DIRECTORY_KEYS:
            yield Finding(
                FindingKind.LARGE_DIRECTORY,
                records.directory,
                instance_id,
                found=f"{keys} keys",
            )

    def _page(
        self, records: GroupRecords, instance_id: str, page: dict[str, bytes]
    ) -> Iterator[Finding]:
        pointing: list[Entry] = []
        for key, value in page.items():
            entry = records.as_entry(key, value)
            if entry is None:
                yield from self._lease_or_unknown(records, instance_id, key, value)
                continue
            self.summary.entries += 1
            yield from _invalid_name(records, instance_id, entry)
            if entry.group_uuid is None:
                yield _corrupt_entry(records, instance_id, entry)
            else:
                pointing.append(entry)
        uuids = [entry.group_uuid or "" for entry in pointing]
        groups = records.read_records(uuids)
        for entry, (group_uuid, record) in zip(pointing, groups, strict=True):
            yield from self._pointed(records, instance_id, entry, group_uuid)
            yield from self._judge(records, instance_id, entry, group_uuid, record)

    def _lease_or_unknown(
        self, records: GroupRecords, instance_id: str, key: str, value: bytes
    ) -> Iterator[Finding]:
        lease = parse_lease(key, value)
        if lease is None:
            yield Finding(
                FindingKind.UNKNOWN_KEY,
                records.directory,
                instance_id,
                key=key,
                found=shortened(decode(value)),
            )
            return
        self.summary.leases += 1
        if self._is_old(lease.since.nanoseconds):
            what = "revoked" if lease.revoked else "granted"
            yield Finding(
                FindingKind.STALE_LEASE,
                records.directory,
                instance_id,
                key=key,
                found=f"{what} at {lease.since}, {len(lease.uuids)} UUIDs",
                automatic=True,
                commands=(("recover",),),
            )

    def _judge(
        self,
        records: GroupRecords,
        instance_id: str,
        entry: Entry,
        group_uuid: str,
        record: GroupRecord | None,
    ) -> Iterator[Finding]:
        """One entry and the group object behind it."""
        if record is None or not record.populated:
            yield from self._without_group(records, instance_id, entry, group_uuid, record)
        elif record.request_name != entry.request_name:
            if records.entry_matches(entry.request_name, group_uuid):
                finding = self._mismatch(records, instance_id, entry, group_uuid, record)
                if finding.kind is not FindingKind.SHARED_UUID:  # else counted with its own entry
                    self._count(record)
                yield finding
        else:
            self._count(record)
            yield from _attributes(instance_id, group_uuid, record)

    def _without_group(
        self,
        records: GroupRecords,
        instance_id: str,
        entry: Entry,
        group_uuid: str,
        record: GroupRecord | None,
    ) -> Iterator[Finding]:
        """An entry whose group is missing or says nothing, if that is still so."""
        if not records.entry_matches(entry.request_name, group_uuid):
            return
        if record is None:
            kind, found, automatic = FindingKind.DANGLING_ENTRY, "no group object", True
        elif record.volume_map:
            kind, automatic = FindingKind.NAMELESS_GROUP, False
            found = f"no csi.volname, {record.content_in_words}"
        elif not self._is_left(records, group_uuid, record):
            return
        else:
            kind, found, automatic = (
                FindingKind.UNPOPULATED_GROUP,
                "no csi.volname, no members",
                True,
            )
        yield Finding(
            kind,
            GROUPS.record_object(group_uuid),
            instance_id,
            key=GROUPS.entry_key(entry.request_name),
            request_name=entry.request_name,
            group_uuid=group_uuid,
            found=found,
            automatic=automatic,
            commands=() if automatic else _attach_or_drop(entry.request_name, group_uuid),
        )

    def _mismatch(
        self,
        records: GroupRecords,
        instance_id: str,
        entry: Entry,
        group_uuid: str,
        record: GroupRecord,
    ) -> Finding:
        owner = record.request_name or ""
        shared = records.entry_matches(owner, group_uuid)
        right = shared or records.is_consistent(owner)
        return Finding(
            FindingKind.SHARED_UUID if shared else FindingKind.NAME_MISMATCH,
            GROUPS.record_object(group_uuid),
            instance_id,
            key=GROUPS.entry_key(entry.request_name),
            request_name=entry.request_name,
            group_uuid=group_uuid,
            found=f"csi.volname is {shortened(owner)}",
            automatic=right,
            commands=() if right else _attach_or_drop(entry.request_name, group_uuid),
        )

    # What nothing points at

    def _list_objects(self) -> set[str]:
        """Note every group object of the place; the instances that have a directory."""
        instances = {self._instance_id}
        for object_name in self._store.object_names("csi."):
            self.summary.objects_listed += 1
            instance_id = GROUPS.instance_of(object_name)
            group_uuid = GROUPS.uuid_of_record(object_name)
            if instance_id is not None:
                instances.add(instance_id)
            elif group_uuid is not None:
                self.summary.group_objects += 1
                self._pointed_at[_packed(group_uuid)] = False
        return instances

    def _pointed(
        self, records: GroupRecords, instance_id: str, entry: Entry, group_uuid: str
    ) -> Iterator[Finding]:
        """Note that an entry points at the group; a second instance's is a finding."""
        if not self._deep:
            return
        packed = _packed(group_uuid)
        if self._pointed_at.get(packed) and len(self.summary.instances) > 1:
            owner = self._other_instance(records, entry, group_uuid)
            if owner is not None:
                yield Finding(
                    FindingKind.SHARED_UUID,
                    GROUPS.record_object(group_uuid),
                    instance_id,
                    key=GROUPS.entry_key(entry.request_name),
                    request_name=entry.request_name,
                    group_uuid=group_uuid,
                    found=f"the instance {owner} has the same entry",
                    commands=(("drop", "--entry", entry.request_name),),
                )
        self._pointed_at[packed] = True

    def _other_instance(self, records: GroupRecords, entry: Entry, group_uuid: str) -> str | None:
        for instance_id in self.summary.instances:
            other = self._records(instance_id)
            if other.directory != records.directory and other.entry_matches(
                entry.request_name, group_uuid
            ):
                return instance_id
        return None

    def _without_entry(self) -> Iterator[Finding]:
        records = self._records(self._instance_id)
        uuids = (_unpacked(packed) for packed, seen in self._pointed_at.items() if not seen)
        for group_uuid, record in records.read_records(uuids):
            if record is not None:
                yield from self._unpointed(records, group_uuid, record)

    def _unpointed(
        self, records: GroupRecords, group_uuid: str, record: GroupRecord
    ) -> Iterator[Finding]:
        if record.request_name is not None and self._is_entered(record.request_name, group_uuid):
            return
        if not self._is_left(records, group_uuid, record):
            return
        kind = kind_without_entry(record)
        detached = kind is FindingKind.DETACHED_GROUP
        yield Finding(
            kind,
            GROUPS.record_object(group_uuid),
            request_name=record.request_name,
            group_uuid=group_uuid,
            found=record.content_in_words,
            automatic=not detached,
            commands=(("attach", group_uuid), ("drop", "--group", group_uuid)) if detached else (),
        )

    def _is_entered(self, request_name: str, group_uuid: str) -> bool:
        """Whether the group got its entry since the directories were walked."""
        return any(
            self._records(instance_id).entry_matches(request_name, group_uuid)
            for instance_id in self.summary.instances
        )

    # Bookkeeping

    def _records(self, instance_id: str) -> GroupRecords:
        return Records(self._store, GROUPS, instance_id, validate=instance_id == self._instance_id)

    def _is_left(self, records: GroupRecords, group_uuid: str, record: GroupRecord) -> bool:
        """Whether the group is still there and too old to be in the making; counts the others."""
        modified_ns = records.modified_ns(group_uuid, record)
        if modified_ns is None:
            return False
        old = self._is_old(modified_ns)
        self.summary.in_the_making += not old
        return old

    def _is_old(self, moment_ns: int) -> bool:
        return self._now_ns - moment_ns >= self._grace_ns

    def _count(self, record: GroupRecord) -> None:
        created = record.creation_time
        day_ns = 24 * 60 * 60 * NANOSECONDS
        self.summary.groups += 1
        self.summary.members += len(record.volume_map)
        self.summary.sizes[len(record.volume_map)] += 1
        self.summary.ages_days[
            (self._now_ns - created.nanoseconds) // day_ns if created else -1
        ] += 1


def kind_without_entry(record: GroupRecord) -> FindingKind:
    """What a group object is called that no entry points at."""
    if record.populated:
        return FindingKind.DETACHED_GROUP if record.volume_map else FindingKind.ORPHAN_GROUP
    return FindingKind.REVIVED_GROUP if record.volume_map else FindingKind.EMPTY_OBJECT


def _invalid_name(records: GroupRecords, instance_id: str, entry: Entry) -> Iterable[Finding]:
    try:
        GROUPS.require_request_name(entry.request_name)
    except InvalidRequestName as error:
        return [
            Finding(
                FindingKind.INVALID_REQUEST_NAME,
                records.directory,
                instance_id,
                key=GROUPS.entry_key(entry.request_name),
                request_name=entry.request_name,
                group_uuid=entry.group_uuid or "",
                found=error.message,
                commands=(("drop", "--entry", entry.request_name),),
            )
        ]
    return []


def _corrupt_entry(records: GroupRecords, instance_id: str, entry: Entry) -> Finding:
    return Finding(
        FindingKind.CORRUPT_ENTRY,
        records.directory,
        instance_id,
        key=GROUPS.entry_key(entry.request_name),
        request_name=entry.request_name,
        found=f"holds {shortened(entry.value)}",
        commands=(("drop", "--entry", entry.request_name),),
    )


def _attributes(instance_id: str, group_uuid: str, record: GroupRecord) -> Iterator[Finding]:
    def finding(kind: FindingKind, key: str, found: str, *commands: tuple[str, ...]) -> Finding:
        return Finding(
            kind,
            GROUPS.record_object(group_uuid),
            instance_id,
            key=key,
            request_name=record.request_name,
            group_uuid=group_uuid,
            found=found,
            commands=commands,
        )

    attach = ("attach", group_uuid)
    if not record.group_name:
        yield finding(FindingKind.MISSING_ATTRIBUTE, GROUP_NAME_KEY, "missing", attach)
    elif not record.group_name.endswith(group_uuid):
        found = f"is {shortened(record.group_name)}"
        yield finding(FindingKind.WRONG_GROUP_NAME, GROUP_NAME_KEY, found, attach)
    if record.creation_time is None:
        text = record.creation_text
        found = "missing" if text is None else f"is {shortened(text)}"
        yield finding(FindingKind.UNREADABLE_TIME, CREATION_TIME_KEY, found)


def _attach_or_drop(request_name: str, group_uuid: str) -> tuple[tuple[str, ...], ...]:
    dashes = ("--",) if request_name.startswith("-") else ()
    return (("attach", group_uuid, *dashes, request_name), ("drop", "--entry", request_name))


def _packed(group_uuid: str) -> bytes:
    return bytes.fromhex(group_uuid.replace("-", ""))


def _unpacked(packed: bytes) -> str:
    text = packed.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
