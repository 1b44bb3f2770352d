"""Holds a transaction to its tenant's limits, inside that very transaction.

The one writer of a workspace checks what it is about to make durable, so that writers side by side
cannot pass a limit together. What a class holds is counted by triggers of the database: no way of
writing is missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.errors import QuotaExceededError
from imprint.store.quota.limits import HOLDINGS, Usage
from imprint.store.schema import quotas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imprint.store.session import Session


def limits_of(session: Session, tenant: int, defaults: Mapping[str, int]) -> dict[str, int]:
    """The limits of a tenant: its own before the defaults."""
    own = {name: int(most) for name, most in session.rows(quotas.LIMITS, {"tenant": tenant})}
    return {**defaults, **own}


def usage_of(session: Session, tenant: int) -> Usage:
    """What a tenant holds."""
    row = session.one(quotas.USAGE, {"tenant": tenant})
    return Usage(0, 0, 0) if row is None else Usage(*(int(one or 0) for one in row))


class QuotaWatch:
    """Looks at the start of a transaction and once more at its end."""

    def __init__(self, session: Session, tenant: int, defaults: Mapping[str, int]) -> None:
        self._session = session
        self._tenant = tenant
        limits = limits_of(session, tenant, defaults)
        self._limits = {name: limits[name] for name in HOLDINGS if name in limits}
        self._before = usage_of(session, tenant) if self._limits else None

    def check(self) -> None:
        """Refuse what would grow beyond a limit; what only shrinks may stay above a lowered one.

        Raises:
            QuotaExceededError: nothing of this transaction may become durable.
        """
        if self._before is None:
            return
        after = usage_of(self._session, self._tenant)
        for name, most in self._limits.items():
            grown, held = int(getattr(after, name)), int(getattr(self._before, name))
            if grown > most and grown > held:
                raise QuotaExceededError(
                    f"this would make {grown:,} {name}, and the limit is {most:,} ({held:,} are "
                    "held); forget some, or have the limit raised; nothing was stored"
                )
