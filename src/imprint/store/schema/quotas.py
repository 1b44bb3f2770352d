"""Statements of limits and of what tenants hold."""

from __future__ import annotations

from sqlalchemy import bindparam, case, delete, func, insert, select

from imprint.store.schema.tables import collections, quotas, usage

LIMITS = select(quotas.c.name, quotas.c.most).where(quotas.c.tenant == bindparam("tenant"))
DROP_LIMIT = delete(quotas).where(
    quotas.c.tenant == bindparam("tenant"), quotas.c.name == bindparam("name")
)
ADD_LIMIT = insert(quotas)
# The label "" is that of negatives, which are no class.
USAGE = (
    select(
        func.sum(usage.c.n_live),
        func.sum(case(((usage.c.n_live > 0) & (usage.c.label != ""), 1), else_=0)),
        func.sum(usage.c.n_bytes),
    )
    .select_from(collections.join(usage, usage.c.collection == collections.c.id))
    .where(collections.c.tenant == bindparam("tenant"))
)
