"""Statements of data keys."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, insert, select, update

from imprint.store.schema.tables import collections, data_keys, requests, tenants

_COLUMNS = (
    data_keys.c.id,
    data_keys.c.purpose,
    data_keys.c.wrapped,
    data_keys.c.master_key,
)
COUNT = select(func.count()).select_from(data_keys)
SOME_KEY = select(*_COLUMNS, data_keys.c.tenant).order_by(data_keys.c.id.desc()).limit(1)
AUDIT_KEY = (
    select(*_COLUMNS)
    .where(data_keys.c.tenant.is_(None), data_keys.c.purpose == "audit")
    .order_by(data_keys.c.id)
    .limit(1)
)
# Outer join: a tenant without keys still says whether all its rows are sealed.
IN_USE = (
    select(*_COLUMNS, tenants.c.sealed_at)
    .select_from(
        tenants.outerjoin(
            data_keys,
            (data_keys.c.tenant == tenants.c.id) & data_keys.c.retired_at.is_(None),
        )
    )
    .where(tenants.c.id == bindparam("tenant"))
    .order_by(data_keys.c.id)
)
KEY = select(*_COLUMNS).where(
    data_keys.c.id == bindparam("key"), data_keys.c.tenant == bindparam("tenant")
)
HASH_KEY = (
    select(*_COLUMNS)
    .where(data_keys.c.tenant == bindparam("tenant"), data_keys.c.purpose == "hash")
    .order_by(data_keys.c.id)
    .limit(1)
)
ADD = insert(data_keys).values(
    {column.name: bindparam(column.name) for column in data_keys.c if column.name != "id"}
)
ADDED = select(func.max(data_keys.c.id))
EVERY = select(*_COLUMNS, data_keys.c.tenant, data_keys.c.retired_at).order_by(data_keys.c.id)
REWRAP = (
    update(data_keys)
    .where(data_keys.c.id == bindparam("key"))
    .values(wrapped=bindparam("new_wrapped"), master_key=bindparam("new_master_key"))
)
RETIRE = (
    update(data_keys)
    .where(
        data_keys.c.tenant == bindparam("tenant_number"),
        data_keys.c.purpose == "seal",
        data_keys.c.retired_at.is_(None),
    )
    .values(retired_at=bindparam("at"))
)
RETIRED = select(data_keys.c.id).where(
    data_keys.c.tenant == bindparam("tenant"), data_keys.c.retired_at.is_not(None)
)
DROP_RETIRED = delete(data_keys).where(
    data_keys.c.tenant == bindparam("tenant"), data_keys.c.retired_at.is_not(None)
)
ALL_SEALED = (
    update(tenants)
    .where(tenants.c.id == bindparam("tenant_number"))
    .values(sealed_at=bindparam("at"))
)
# A tenant that holds nothing yet has nothing that is not sealed.
SEALED_IF_NEW = ALL_SEALED.where(
    ~select(collections.c.id).where(collections.c.tenant == tenants.c.id).exists(),
    ~select(requests.c.key).where(requests.c.tenant == tenants.c.id).exists(),
)
TENANTS = select(tenants.c.id, tenants.c.name, tenants.c.sealed_at, tenants.c.erased_at).order_by(
    tenants.c.id
)
