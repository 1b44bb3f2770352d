"""Supports whose time is over: found, and taken out as an audited write that can be undone."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from imprint.errors import InvalidOptionError, SupportNotFoundError

if TYPE_CHECKING:
    from imprint.store.ports import CollectionRow, TenantStore

EXPIRED: Final = "expired"
# Nobody asked for it: time did it.
ACTOR: Final = "lifecycle"
# In one write; every one is named in its audit row.
_BATCH: Final = 200


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments, where None is never."""
    return min((at for at in (one, other) if at is not None), default=None)


def end_of(
    max_age: timedelta | None, expires_at: datetime | None, taught_at: datetime
) -> datetime | None:
    """When a support stops answering; None: never."""
    return earlier(expires_at, None if max_age is None else taught_at + max_age)


def checked_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return a moment after now, in UTC.

    Raises:
        InvalidOptionError: it is past already, or has no time zone.
    """
    if expires_at is None:
        return None
    if not isinstance(expires_at, datetime) or expires_at.tzinfo is None:
        raise InvalidOptionError("expires_at is a moment with a time zone")
    if expires_at <= now:
        raise InvalidOptionError(
            f"expires_at is {(now - expires_at).total_seconds():,.0f} s ago; give a later moment"
        )
    return expires_at.astimezone(UTC)


def due_now(
    tenant: TenantStore, row: CollectionRow, max_age: timedelta | None, now: datetime
) -> list[str]:
    """Every support that is live and whose time is over."""
    return tenant.lifetimes.due(row.collection_id, now, max_age, -1)


def evict_due(
    tenant: TenantStore, row: CollectionRow, max_age: timedelta | None, now: datetime
) -> int:
    """Take out what has expired; returns how many. They can be brought back by reverting."""
    n_evicted = 0
    while due := tenant.lifetimes.due(row.collection_id, now, max_age, _BATCH):
        detail = {"reason": EXPIRED, "n_supports": len(due), "support_ids": due}
        # Another process may have been faster with some of them: then what is left is asked anew.
        with (
            suppress(SupportNotFoundError),
            tenant.transaction(
                "expire", actor=ACTOR, now=now, collection=row.name, detail=detail
            ) as writing,
        ):
            writing.remove_supports(row.collection_id, due, erase=False, reason=EXPIRED)
            n_evicted += len(due)
    return n_evicted
