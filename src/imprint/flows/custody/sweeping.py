"""The daily round: what has expired is taken out, what was gone for long is erased for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from imprint.flows.answering.expiry import evict_due
from imprint.flows.policy import Policy
from imprint.types import as_json

if TYPE_CHECKING:
    from imprint.flows.workspace import Workspace
    from imprint.store.ports import CollectionRow, TenantStore

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """How many supports had expired and were taken out, and how many were erased for good."""

    n_expired: int
    n_erased: int

    def to_json(self) -> dict[str, Any]:
        """Shape this as a JSON object."""
        shape: dict[str, Any] = as_json(self)
        return shape


def sweep(workspace: Workspace, retention: timedelta | None = None) -> Swept:
    """Go through every collection of every tenant.

    `retention` holds for collections whose policy has none of its own; without either, what was
    forgotten is kept.
    """
    now = workspace.clock()
    n_expired = n_erased = 0
    for one in workspace.operator.tenants():
        if one.erased_at is not None:
            continue
        tenant = workspace.tenant(one.name).store_view
        for row in tenant.collections():
            policy = Policy.of(row.policy)
            n_expired += evict_due(tenant, row, policy.max_age, now)
            kept = retention if policy.retention is None else policy.retention
            if kept is not None:
                n_erased += _purge(tenant, row, now - kept, workspace.act().actor, now)
    return Swept(n_expired, n_erased)


def _purge(
    tenant: TenantStore, row: CollectionRow, before: datetime, actor: str, now: datetime
) -> int:
    n_erased = 0
    while chosen := tenant.lifetimes.forgotten(row.collection_id, before, _BATCH):
        detail = {"n_supports": len(chosen), "reason": "retention is over"}
        with tenant.transaction(
            "sweep", actor=actor, now=now, collection=row.name, detail=detail
        ) as writing:
            writing.remove_supports(row.collection_id, chosen, erase=True)
        n_erased += len(chosen)
    return n_erased
