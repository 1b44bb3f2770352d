"""Statements of the audit trail."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.sql import ClauseElement

from imprint.store.schema.tables import audit, audit_head, tenants

Statement = ClauseElement

HEAD = select(audit_head.c.n_rows, audit_head.c.last_id, audit_head.c.hash, audit_head.c.seal)
_HEAD_VALUES: dict[str, Any] = {
    "n_rows": bindparam("n_rows"),
    "last_id": bindparam("last_id"),
    "hash": bindparam("head_hash"),
    "seal": bindparam("seal"),
}
ADD_HEAD = insert(audit_head).values(id=1, **_HEAD_VALUES)
MOVE_HEAD = update(audit_head).values(**_HEAD_VALUES)
ADD_ROW = insert(audit).values({column.name: bindparam(column.name) for column in audit.c})
LAST = (
    select(
        audit.c.id,
        audit.c.hash,
        select(func.count()).select_from(audit).scalar_subquery(),
    )
    .order_by(audit.c.id.desc())
    .limit(1)
)
_WHOLE = (
    audit.c.id,
    audit.c.tenant,
    audit.c.at,
    audit.c.actor,
    audit.c.verb,
    audit.c.collection,
    audit.c.detail,
    audit.c.salt,
    audit.c.digest,
    audit.c.hash,
    tenants.c.name,
)
# An outer join: a row must not vanish from view because its tenant's row was tampered with.
_ROWS = select(*_WHOLE).select_from(audit.outerjoin(tenants, audit.c.tenant == tenants.c.id))
ROWS = _ROWS.where(audit.c.id > bindparam("after")).order_by(audit.c.id).limit(bindparam("limit"))
ROWS_OF = (
    _ROWS.where(and_(audit.c.id > bindparam("after"), tenants.c.name == bindparam("name")))
    .order_by(audit.c.id)
    .limit(bindparam("limit"))
)
ERASED_TENANTS = select(tenants.c.id).where(tenants.c.erased_at.is_not(None))
ROWS_TO_BLANK = _ROWS.where(audit.c.tenant == bindparam("tenant")).order_by(audit.c.id)
BLANK = (
    update(audit)
    .where(audit.c.id == bindparam("audit_id"))
    .values(
        actor="", verb="erased", collection=None, detail="{}", salt=None, digest=bindparam("kept")
    )
)
