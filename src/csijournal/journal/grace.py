"""How old something is: the only place that asks.

Ages come from the clocks of whoever wrote an object, and a clock can be wrong.
So age only says where to look; before anything is removed that a peer may be
making, it must also stand still for `settle_seconds` of our own time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from csijournal.errors import InvalidInput
from csijournal.wire.timestamps import NANOSECONDS, Timestamp

GRACE_SECONDS = 15 * 60.0
"""How long a record without a request name counts as being made.

A driver needs milliseconds, but it can hang; its orchestrator gives up earlier.
"""

SETTLE_SECONDS = 2.0
"""How long an old-looking record of a peer must stay unchanged before it is removed.

Ceph-CSI's three writes lie milliseconds apart, so a driver at work writes within it.
"""


@dataclass(frozen=True)
class Grace:
    """The grace time, the settle time, and the clock that they are measured with."""

    grace_ns: int
    settle_seconds: float = SETTLE_SECONDS
    clock: Callable[[], Timestamp] = Timestamp.now
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of_seconds(
        cls,
        grace_seconds: float,
        *,
        settle_seconds: float = SETTLE_SECONDS,
        clock: Callable[[], Timestamp] = Timestamp.now,
    ) -> Grace:
        """Both in seconds.  Raises InvalidInput where one is negative or not a number."""
        return cls(
            nanoseconds("the grace time", grace_seconds),
            nanoseconds("the settle time", settle_seconds) / NANOSECONDS,
            clock,
        )

    def age_ns(self, moment_ns: int) -> int:
        """The age of what happened at `moment_ns` (since 1970); negative in the future."""
        return self.clock().nanoseconds - moment_ns

    def is_over(self, moment_ns: int) -> bool:
        """Whether the grace time has passed since `moment_ns`."""
        return self.age_ns(moment_ns) >= self.grace_ns

    def settle(self) -> None:
        """Wait for the settle time."""
        if self.settle_seconds:
            self.sleep(self.settle_seconds)


def nanoseconds(what: str, seconds: float) -> int:
    """Seconds as nanoseconds.  Raises InvalidInput for what is not a time to wait."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds) or seconds < 0:
        raise InvalidInput(
            f"{what} is {seconds!r}, which is not a number of seconds from 0",
            hint="Give seconds, such as 900",
        )
    return int(seconds * NANOSECONDS)


def newest_ns(modified_ns: int, created: Timestamp | None) -> int:
    """When a record last changed: the newer of its object's time and its creation time."""
    return max(modified_ns, created.nanoseconds) if created else modified_ns
