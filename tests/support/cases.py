"""States of pools that users have reported, made anew on a cluster with real images.

Each file of tests/cases has `omaps`, `rbd` (arguments of the `rbd` tool) and
`kubernetes` (objects), and where it matters `location_id`: the number that the
handles name, a pool's or a filesystem's.  The pools here have other numbers, so
those of the files are exchanged for theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csijournal.store import Store
from support.places import Omaps, fill
from support.rbd_pool import RBDPool

FOLDER = Path(__file__).parent.parent / "cases"


class Case:
    """One case, in a place whose number is `here`; `ids` exchanges further numbers."""

    def __init__(self, name: str, here: int = 0, ids: Mapping[int, int] | None = None) -> None:
        text = (FOLDER / f"{name}.json").read_text().replace("{poolid}", f"{here:016x}")
        recorded = json.loads(text).get("location_id")
        numbers = {**({} if recorded is None else {recorded: here}), **(ids or {})}
        for number in numbers:  # two steps, since what one number becomes may be another
            text = text.replace(f"-{number:016x}-", f"-<{number}>-")
        for number, actual in numbers.items():
            text = text.replace(f"-<{number}>-", f"-{actual:016x}-")
        self._content: dict[str, Any] = json.loads(text)

    @property
    def omaps(self) -> Omaps:
        return dict(self._content["omaps"])

    @property
    def kubernetes(self) -> list[dict[str, Any]]:
        return list(self._content["kubernetes"])

    @property
    def handles(self) -> list[str]:
        """The handles of the objects, in their order."""
        found = []
        for item in self.kubernetes:
            for part in (item.get("spec", {}), item.get("status", {})):
                holder = part.get("csi", part)
                found += [text for name, text in holder.items() if name.endswith("Handle")]
        return found

    @property
    def caps(self) -> dict[str, str]:
        return dict(self._content["caps"])

    def fill(self, store: Store, part: str = "omaps") -> None:
        """Make the objects of the journal."""
        fill(store, self._content[part])

    def make_images(self, pool: RBDPool) -> None:
        """Run what the case has for the `rbd` tool."""
        for command in self._content["rbd"]:
            pool.rbd(*(word.replace("{pool}/", "@") for word in command.split()))

    def write_kubernetes(self, folder: Path) -> str:
        """The objects as a file for --kubernetes; its name."""
        path = folder / "kubernetes.json"
        path.write_text("\n".join(map(json.dumps, self.kubernetes)))
        return str(path)
