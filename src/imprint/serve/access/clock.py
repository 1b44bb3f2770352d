"""A clock that is never set back: what expired once stays expired."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

log = logging.getLogger("imprint.serve")

_WORTH_SAYING = timedelta(minutes=5)


class SteadyClock:
    """The later of the wall clock and the time since start added to the time of the start.

    `floor` is the newest moment the workspace has seen: a server that starts on a machine whose
    clock went back counts on from there. A wall clock that jumps ahead ends keys only while it is
    ahead: nothing of the jump is kept here.
    """

    def __init__(
        self,
        wall: Callable[[], datetime],
        floor: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        now = wall()
        if floor is not None and floor - now > _WORTH_SAYING:
            behind_s = (floor - now).total_seconds()
            log.warning(
                "the clock is %.0f s behind the workspace's newest write; keys are judged by the "
                "later of the two: set the clock right",
                behind_s,
            )
        self._anchor = now if floor is None else max(now, floor)
        self._began_at_s = monotonic()

    def now(self) -> datetime:
        """The time to judge credentials by."""
        passed = timedelta(seconds=self._monotonic() - self._began_at_s)
        return max(self._wall(), self._anchor + passed)
