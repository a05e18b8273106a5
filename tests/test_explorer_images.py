"""Every interleaving of clients of the volume journal, and of the snapshot journal."""

from __future__ import annotations

import pytest

from csijournal.store import KeyEquals, Write
from csijournal.wire.schema import SNAPSHOTS, VOLUMES
from explorer.engine import Bounds, Space
from explorer.images import Schema, scenarios
from explorer.scenarios import Scenario
from explorer.walk import Walk, shortest

SCHEMAS: dict[str, Schema] = {"volumes": VOLUMES, "snapshots": SNAPSHOTS}
WALKS = [
    pytest.param(scenario, id=f"{journal}: {scenario.name}")
    for journal, schema in SCHEMAS.items()
    for scenario in scenarios(schema)
]


@pytest.mark.parametrize("scenario", WALKS)
def test_every_schedule_of_images_keeps_every_promise(scenario: Scenario) -> None:
    # As with groups: where a lease-less owner's last write fails, the next caller is not protected.
    faultless = ("without a lease", "the same UUID")  # as they are for groups
    bounds = Bounds(faults=0 if any(words in scenario.name for words in faultless) else 1)
    tally = Walk(Space(scenario, bounds)).run()
    assert tally.states > 10
    if tally.findings:
        worst = shortest(Space(scenario, bounds))
        assert worst is not None
        pytest.fail(f"{worst.violation}: {worst}")


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_put_that_is_not_held_to_the_request_name_is_found_out(schema: Schema) -> None:
    def spoiled(write: Write) -> Write:
        puts = set(write.puts)
        if puts and puts <= {"m", "g"}:
            kept = tuple(guard for guard in write.guards if not isinstance(guard, KeyEquals))
            return Write(write.object_name, kept, write.puts, write.deletions)
        return write

    found = [
        finding
        for scenario in scenarios(schema)
        for finding in Walk(Space(scenario, Bounds(), mutation=spoiled)).run().findings
    ]
    assert found
