"""The keys of a directory: entries, leases, and what is neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from csijournal.check.catalog import FindingKind
from csijournal.check.commands import drop_entry
from csijournal.check.context import Context
from csijournal.check.findings import Finding
from csijournal.check.instances import directory_id
from csijournal.errors import InvalidRequestName
from csijournal.journal.model import Entry
from csijournal.journal.steps import AnyRecords
from csijournal.wire.entries import MappedHandle, RecordInPool
from csijournal.wire.leases import parse_lease
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import decode, shortened

LARGE_DIRECTORY_KEYS = 160_000
"""Where a directory is called large; the OSD warns at 200,000 keys."""


@dataclass
class Pointing:
    """The entries of a page that lead to records: of this pool, and of other pools."""

    here: list[Entry] = field(default_factory=list)
    elsewhere: list[Entry] = field(default_factory=list)


class DirectoryCheck:
    """Judges the keys of one directory by themselves."""

    def __init__(self, context: Context, records: AnyRecords) -> None:
        self._context = context
        self._records = records
        self._schema = records.schema
        self._instance_id = directory_id(records)

    def look(self, page: Mapping[str, bytes], pointing: Pointing) -> Iterator[Finding]:
        """What is wrong with these keys; entries that lead to a record are put into `pointing`."""
        counted = self._context.summary.journals[self._schema.journal]
        for key, value in page.items():
            entry = self._records.as_entry(key, value)
            if entry is None:
                yield from self._lease_or_unknown(key, value)
                continue
            counted.entries += 1
            if isinstance(entry.target, MappedHandle):
                found = f"stands for {shortened(entry.value)}"
                yield self._entry_finding(FindingKind.MAPPING, entry, found)
                continue
            problem = self._problem_of_name(entry.request_name)
            if problem:
                yield self._entry_finding(FindingKind.INVALID_REQUEST_NAME, entry, problem)
            if isinstance(entry.target, RecordInPool):
                pointing.elsewhere.append(entry)
            elif entry.uuid is None:
                yield self._corrupt(entry)
            else:
                pointing.here.append(entry)

    def large(self, keys: int) -> Iterator[Finding]:
        """The finding that a directory of so many keys is large."""
        if keys > LARGE_DIRECTORY_KEYS:
            yield self._finding(FindingKind.LARGE_DIRECTORY, f"{keys} keys")

    def _lease_or_unknown(self, key: str, value: bytes) -> Iterator[Finding]:
        lease = parse_lease(key, value)
        if lease is None:
            found = shortened(decode(value))
            yield self._finding(FindingKind.UNKNOWN_KEY, found, key=key)
            return
        self._context.summary.journals[self._schema.journal].leases += 1
        if self._context.grace.is_over(lease.since.nanoseconds):
            what = "revoked" if lease.revoked else "granted"
            what = "made by a cleanup" if lease.cleanup else what
            yield Finding(
                FindingKind.STALE_LEASE,
                self._records.directory,
                self._instance_id,
                key=key,
                found=f"{what} at {lease.since}, {len(lease.uuids)} UUIDs",
                automatic=True,
                commands=(("recover",),),
                journal=self._schema.journal,
            )

    def _problem_of_name(self, request_name: str) -> str:
        """What the rules forbid about the name; "" for nothing."""
        try:
            self._schema.require_request_name(request_name)
        except InvalidRequestName as error:
            return error.message
        return ""

    def _corrupt(self, entry: Entry) -> Finding:
        found = f"holds {shortened(entry.value)}"
        return self._entry_finding(FindingKind.CORRUPT_ENTRY, entry, found)

    def _entry_finding(self, kind: FindingKind, entry: Entry, found: str) -> Finding:
        is_group = self._schema is GROUPS
        return Finding(
            kind,
            self._records.directory,
            self._instance_id,
            key=self._schema.entry_key(entry.request_name),
            request_name=entry.request_name,
            uuid=entry.uuid or "",
            found=found,
            commands=(drop_entry(entry.request_name),) if is_group else (),
            journal=self._schema.journal,
        )

    def _finding(self, kind: FindingKind, found: str, *, key: str = "") -> Finding:
        return Finding(
            kind,
            self._records.directory,
            self._instance_id,
            key=key,
            found=found,
            journal=self._schema.journal,
        )
