"""What a check of volumes with images costs, with what stands behind them and without."""

from __future__ import annotations

import subprocess
import time
from itertools import islice
from typing import TYPE_CHECKING

from figures import Case, Target
from rounds import seconds_each, take_turns
from volumes import fill_volumes

from csijournal.check.scan import Depth, Verifier
from csijournal.inventory.contract import Inventory, NoInventory
from csijournal.wire.records import REQUEST_NAME_KEY
from csijournal.wire.schema import VOLUMES

if TYPE_CHECKING:
    from rados_cases import Bench

_INSTANCE = "volumes"
_INFO_SAMPLE = 20
"""How many images the `rbd` tool is asked about, one call for each."""


def verify(subject: Bench, volumes: int, rounds: int) -> list[Case]:
    """Verify with and without RBD, beside bare pipelined reads and `rbd info`."""
    names = fill_volumes(subject.store, subject.ioctx, _INSTANCE, volumes)

    def read() -> None:
        for _ in subject.store.read_objects(names, sentinel=REQUEST_NAME_KEY):
            pass

    def look(inventory: Inventory | None) -> None:
        verifier = Verifier(
            subject.store,
            journals=(VOLUMES,),
            instance_id=_INSTANCE,
            inventory=inventory,
            depth=Depth.QUICK,
        )
        found = list(verifier.findings())
        assert not found, found[:3]  # noqa: S101

    seconds = take_turns(
        {
            "bare pipelined reads": seconds_each(read, 1),
            "verify, RBD not compared": seconds_each(lambda: look(NoInventory()), 1),
            "verify": seconds_each(lambda: look(None), 1),
            "rbd info": lambda: _rbd_info(subject, volumes),
        },
        rounds,
    )
    each = {name: [s / volumes for s in figures] for name, figures in seconds.items()}
    return [
        Case(
            f"verify on RADOS, {volumes:,} volumes with images",
            "seconds a volume",
            each,
            [
                Target("bare pipelined reads", "verify", 0.75, at_most=False, quick_bound=0.4),
                # Of few images the headers are read too: as many reads again.
                Target("verify", "verify, RBD not compared", 1.25, at_most=True, quick_bound=4),
                Target("rbd info", "verify", 100, at_most=False, quick_bound=10),
            ],
        )
    ]


def _rbd_info(subject: Bench, volumes: int) -> float:
    """How long `rbd info` for each volume takes, as scripts do it: from a sample."""
    images = [
        VOLUMES.make_image_name("", uuid)
        for name in islice(subject.store.object_names(VOLUMES.record_prefix), _INFO_SAMPLE)
        if (uuid := VOLUMES.uuid_of_record(name)) is not None
    ]
    start = time.perf_counter()
    for image in images:
        command = ["rbd", "--conf", str(subject.cluster.conf), "info", f"{subject.pool}/{image}"]
        subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - start) / len(images) * volumes
