"""Limits as stored: read, changed, and what they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.quota.limits import Usage, checked_limit
from imprint.store.quota.watch import QuotaWatch, limits_of, usage_of
from imprint.store.schema import reads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from imprint.store.session import Session
    from imprint.store.workspace import SqlStore


class QuotaBook:
    """Implements Quotas. `defaults` hold for tenants without a limit of that name of their own."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.defaults: Mapping[str, int] = {}

    def limits(self, tenant: str) -> dict[str, int]:
        """See Quotas."""
        with self._store.connections.reading() as session:
            return limits_of(session, _number(session, tenant), self.defaults)

    def usage(self, tenant: str) -> Usage:
        """See Quotas."""
        with self._store.connections.reading() as session:
            return usage_of(session, _number(session, tenant))

    def change(
        self, tenant: str, changes: Mapping[str, int | None], *, now: datetime, actor: str
    ) -> None:
        """See Quotas."""
        for name, most in changes.items():
            checked_limit(name, most or 0)
        with self._store.tenant(tenant).transaction(
            "set_quota", actor=actor, now=now, detail=dict(changes)
        ) as transaction:
            for name, most in changes.items():
                transaction.set_limit(name, most)

    def watch(self, session: Session, tenant: int) -> QuotaWatch:
        """What holds one transaction of a tenant to its limits."""
        return QuotaWatch(session, tenant, self.defaults)


def _number(session: Session, tenant: str) -> int:
    row = session.one(reads.TENANT, {"name": tenant})
    return 0 if row is None else int(row[0])
