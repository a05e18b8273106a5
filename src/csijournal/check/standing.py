"""Whether findings that were saved still stand: seen now, and again some time later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from csijournal.check.catalog import FindingKind
from csijournal.check.findings import Finding
from csijournal.check.kinds import OF_ENTRIES, contradiction
from csijournal.check.settling import SETTLE_SECONDS, Settling
from csijournal.journal.steps import AnyRecords, Records
from csijournal.store.contract import Store
from csijournal.wire.schema import schema_of
from csijournal.wire.uuids import is_uuid


def standing(
    store: Store,
    findings: Iterable[Finding],
    *,
    settle_seconds: float = SETTLE_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Finding, bool]]:
    """Each of `findings`, and whether it is so now and again `settle_seconds` later.

    For findings whose age nobody can tell, as those of a file; what a Verifier
    gave was seen twice already.  There is one wait for all, and none where no
    entry contradicts its group.  Findings of other kinds, and those for people,
    are passed on as they are.  Raises StoreError.
    """
    settling: Settling[Finding] = Settling(settle_seconds, monotonic=monotonic, sleep=sleep)
    for finding in findings:
        if finding.kind not in OF_ENTRIES or not finding.automatic:
            yield finding, True
        elif _stands(store, finding):
            settling.add(finding)
        else:
            yield finding, False
        for settled in settling.settled():
            yield from ((one, _stands(store, one)) for one in settled)
    for settled in settling.rest():
        yield from ((one, _stands(store, one)) for one in settled)


def _stands(store: Store, finding: Finding) -> bool:
    """Whether the entry holds the same UUID, and disagrees with its group, at this moment."""
    name = finding.request_name
    if name is None or not is_uuid(finding.uuid):
        return False
    records: AnyRecords = Records(
        store, schema_of(finding.journal), finding.instance_id, validate=False
    )
    if not records.entry_matches(name, finding.uuid):
        return False
    found = contradiction(records.schema, name, records.read_record(finding.uuid))
    expected = finding.kind
    if expected is FindingKind.SHARED_UUID:
        expected = FindingKind.NAME_MISMATCH
    return found is expected
