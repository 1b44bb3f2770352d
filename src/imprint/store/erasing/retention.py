"""What was forgotten can be brought back for a while; after that it is erased for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.store.rows import to_number
from imprint.store.schema import erasing

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from imprint.store.workspace import SqlStore

BATCH = 500


def erase_forgotten(store: SqlStore, older_than: timedelta, *, actor: str, now: datetime) -> int:
    """Erase supports of all tenants that were forgotten longer ago than that; returns how many.

    Supports forgotten before schema 0002 carry no time of it and are left alone.
    """
    cutoff = {"cutoff": to_number(now - older_than), "limit": BATCH}
    n_erased = 0
    while True:
        with store.connections.reading() as session:
            rows = session.rows(erasing.FORGOTTEN, cutoff)
        if not rows:
            return n_erased
        tenant, collection_id = rows[0][:2]
        chosen = [row[2] for row in rows if row[:2] == (tenant, collection_id)]
        detail = {"n_supports": len(chosen), "reason": "retention is over"}
        with store.tenant(tenant).transaction(
            "sweep", actor=actor, now=now, detail=detail
        ) as transaction:
            transaction.remove_supports(collection_id, chosen, erase=True)
        n_erased += len(chosen)
