"""States of a pool as they were recorded, made again with real images, snapshots, trash and groups.

A state has `journal` (omaps), `images` (id, snapshots by what keeps them, the
parent, the keys of the metadata), `trash` (names) and `groups` (images by name).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.rbd_driver import RBDPlace

GOLDEN = Path(__file__).parent.parent / "golden"

State = dict[str, Any]

_POOL_IN_HANDLE = re.compile(r"(?<=^0001-0006-ceph-1-)[0-9a-f]{16}(?=-)")


def recorded_crashes() -> Iterator[tuple[str, State]]:
    """Each state that a crash of the driver left, and each that its retry left, with its name."""
    for file in sorted(GOLDEN.glob("rbd-crashes-*.json")):
        for run in json.loads(file.read_text()):
            before = run["crash_before"]
            name = f"{run['flow']} {'to its end' if before is None else f'before step {before}'}"
            yield name, run["after"]
            yield f"{name}, retried", run["after_retry"]
    for run in json.loads((GOLDEN / "rbd-crash-retries.json").read_text()):
        name = f"{run['flow']} before step {run['crash_before']}"
        retries = run["retries"]
        yield f"{name}, again, retry 1", retries[0]["after"]
        yield f"{name}, again, retry {len(retries)}", retries[-1]["after"]


def rebuild(place: RBDPlace, state: State) -> None:
    """Make the state in an empty place; ids of images and pools become those of the place."""
    ids = _Images(place, state["images"]).make()
    for name in state["trash"]:
        image = name if isinstance(name, str) else name["name"]
        place.create_image(image)
        place.move_to_trash(image)
    for group, images in state["groups"].items():
        place.create_group(group)
        for image in images:
            place.add_to_group(group, image)
    pool_id = f"{place.ioctx.get_pool_id():016x}"
    for name, omap in state["journal"].items():
        place.put(
            name,
            {
                _POOL_IN_HANDLE.sub(pool_id, key): ids.get(value, value)
                for key, value in omap.items()
            },
        )


class _Images:
    """Makes images, each after its parent; `ids` leads from the recorded ids to the real ones."""

    def __init__(self, place: RBDPlace, images: State) -> None:
        self._place = place
        self._images = images
        self._ids: dict[str, str] = {}

    def make(self) -> dict[str, str]:
        for name in self._images:
            self._make(name)
        for name, image in self._images.items():
            for snapshot in image.get("snaps", {}).get("trash", ()):
                self._place.remove_snapshot(name, snapshot)
        return self._ids

    def _make(self, name: str) -> None:
        image = self._images[name]
        if image["id"] in self._ids:
            return
        parent = image.get("parent")
        if parent is None:
            made = self._place.create_image(name)
        else:
            self._make(parent)
            made = self._place.clone_image(parent, name, name)
        self._ids[image["id"]] = made
        self._place.set_metadata(name, dict.fromkeys(image.get("meta", ()), "recorded"))
        for snapshots in image.get("snaps", {}).values():
            for snapshot in snapshots:
                self._place.create_snapshot(name, snapshot)
